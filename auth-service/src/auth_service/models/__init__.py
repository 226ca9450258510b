"""The tables. Whatever must never be false is a constraint here before it is a rule in code."""

from auth_service.models.base import Base
from auth_service.models.directory import RecoveryCode, Tenant, TotpCredential, User
from auth_service.models.machinery import ServiceClient, SigningKey, Throttle
from auth_service.models.sessions import LoginChallenge, RefreshToken, UserSession

__all__ = [
    "Base",
    "LoginChallenge",
    "RecoveryCode",
    "RefreshToken",
    "ServiceClient",
    "SigningKey",
    "Tenant",
    "Throttle",
    "TotpCredential",
    "User",
    "UserSession",
]
