"""HTTP in, HTTP out."""

from auth_service.endpoints import account, login, oauth, tenants, users

ROUTERS = (login.router, account.router, oauth.router, tenants.router, users.router)
