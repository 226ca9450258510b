"""Configuration: versioned, validated, approved, audited"""
