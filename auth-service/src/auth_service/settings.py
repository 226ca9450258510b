"""What this service reads from its environment."""

from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Final

from pydantic import Field, model_validator

from auth_service.delay import DelayRule
from chassis.settings import ServiceSettings

_RECOMMENDED_MEMORY_KIB: Final = 19 * 1024
_RECOMMENDED_ROUNDS: Final = 2


class AuthSettings(ServiceSettings):
    """Boot settings of auth-service."""

    master_key_file: Path = Field(
        default=Path("/run/secrets/auth-master-key"),
        description="Base64 of 32 bytes, mode 0600; what secrets are sealed with",
    )
    public_url: str = Field(
        default="", description="Where clients reach this service; empty means the issuer's name"
    )
    product_name: str = Field(default="Ubertruck", description="What authenticator apps show")
    access_token_seconds: int = Field(default=600, ge=10, le=600)
    session_days: int = Field(default=30, ge=1, le=90, description="A login's longest life")
    privileged_session_hours: int = Field(
        default=12, ge=1, le=24, description="The same for roles that need a second factor"
    )
    admin_networks: tuple[IPv4Network | IPv6Network, ...] = Field(
        default=(IPv4Network("127.0.0.0/8"), IPv6Network("::1/128")),
        description="From where roles with an address list may log in; JSON list",
    )
    argon2_memory_kib: int = Field(default=_RECOMMENDED_MEMORY_KIB, ge=8)
    argon2_rounds: int = Field(default=_RECOMMENDED_ROUNDS, ge=1)
    argon2_at_once: int = Field(default=2, ge=1, le=64)
    signing_key_bits: int = Field(default=3072, ge=2048, le=4096)
    jwks_max_age_seconds: int = Field(default=60, ge=0, le=3600)
    account_free_failures: int = Field(default=5, ge=1, le=10)
    source_free_failures: int = Field(default=30, ge=1)

    @model_validator(mode="after")
    def _strong_hashes_outside_dev(self) -> "AuthSettings":
        weak = (
            self.argon2_memory_kib < _RECOMMENDED_MEMORY_KIB
            or self.argon2_rounds < _RECOMMENDED_ROUNDS
        )
        if weak and self.environment != "dev":
            raise ValueError("Argon2 needs 19456 KiB and 2 rounds or more outside dev.")
        return self

    @property
    def account_rule(self) -> DelayRule:
        """How failures at one account slow it down. A person mistypes; a robot goes on."""
        return DelayRule(
            free=self.account_free_failures,
            ceiling=timedelta(minutes=15),
            memory=timedelta(days=1),
        )

    @property
    def source_rule(self) -> DelayRule:
        """The same for one source, with more room: many share an address behind a carrier's NAT."""
        return DelayRule(
            free=self.source_free_failures,
            ceiling=timedelta(minutes=15),
            memory=timedelta(hours=1),
        )

    @property
    def base_url(self) -> str:
        """Where clients reach this service, without a slash at the end."""
        return (self.public_url or self.token_issuer).rstrip("/")


def auth_settings(settings: ServiceSettings) -> AuthSettings:
    """The settings as this service's own; what a plain ServiceSettings lacks takes its default."""
    if isinstance(settings, AuthSettings):
        return settings
    return AuthSettings.model_validate(settings.model_dump())
