"""What crosses the border of a service: event payloads, permission names"""
