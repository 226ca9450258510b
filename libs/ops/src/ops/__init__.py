"""The operator's command: ubertruck"""
