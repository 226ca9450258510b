"""The edge gateway: from a description to an Envoy configuration"""
