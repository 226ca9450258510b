"""Identity: users, tenants, tokens, keys"""
