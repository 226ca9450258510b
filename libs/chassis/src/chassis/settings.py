"""Boot settings: what a process reads from its environment, once, at start.

Values that change while running (fares, surge, limits, templates) come from config-service.
What is secret may also stand in files of the folder that `UBERTRUCK_SECRETS_DIR` names, each called
like its variable in small letters: a file is seen by one process, an environment by more.
"""

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

Environment = Literal["dev", "staging", "production"]
Colour = Literal["blue", "green"]

SECRETS_DIR = "UBERTRUCK_SECRETS_DIR"


def _address_of_database(secret: SecretStr) -> SecretStr:
    try:
        url = make_url(secret.get_secret_value())
    except (ArgumentError, ValueError):
        url = None
    if url is None or url.drivername != "postgresql+asyncpg" or not url.database:
        raise ValueError("it is no address like postgresql+asyncpg://USER:PASSWORD@HOST/DATABASE")
    return secret


DatabaseAddress = Annotated[SecretStr, AfterValidator(_address_of_database)]


class ServiceSettings(BaseSettings):
    """What every service needs; a service's own settings subclass this."""

    model_config = SettingsConfigDict(env_prefix="UBERTRUCK_", extra="ignore", frozen=True)

    environment: Environment = "dev"
    colour: Colour = Field(default="blue", description="Which slot of a release this process is of")
    database_url: DatabaseAddress = Field(description="postgresql+asyncpg://… of the runtime role")
    database_pool_size: int = Field(default=5, ge=1, le=50)
    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    health_port: int = Field(default=9090, ge=0, le=65535)
    state_dir: Path = Field(
        default=Path("/var/lib/ubertruck"), description="Last-good files; may be a volume"
    )
    token_issuer: str = "https://auth.ubertruck.com"  # noqa: S105 - a name, not a secret
    token_audience: str = "api.ubertruck.com"  # noqa: S105 - a name, not a secret
    jwks_url: str = "http://auth-service.ubertruck.local:8080/auth/jwks.json"
    token_url: str = "http://auth-service.ubertruck.local:8080/auth/token"  # noqa: S105 - an address
    config_url: str = "http://config-service.ubertruck.local:8080"
    client_id: str = Field(default="", description="This service's own client at auth-service")
    client_secret_file: Path | None = None
    bus: Literal["postgres", "aws"] = "postgres"
    bus_url: DatabaseAddress | None = Field(
        default=None, description="postgresql+asyncpg://… of the bus's runtime role; for workers"
    )
    bus_topic_arn: str | None = Field(
        default=None, description="The SNS topic of all events, if the bus is aws"
    )
    bus_queue_prefix: str = Field(
        default="ubertruck-",
        pattern=r"^[A-Za-z0-9_-]{0,40}$",
        description="What names of SQS queues begin with; one an environment",
    )
    trusted_proxies: int = Field(
        default=1, ge=0, description="How many proxies of ours stand before this process"
    )
    drain_delay: float = Field(
        default=0, ge=0, description="Seconds between unready and closing, for endpoints to spread"
    )
    drain_timeout: float = Field(default=20, gt=0, description="Seconds for requests in flight")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["auto", "json", "console"] = "auto"
    otlp_endpoint: str = Field(
        default="",
        pattern=r"^(https?://[^/\s]+/?)?$",
        description="Collector that takes spans by OTLP over HTTP; empty sends none",
    )
    trace_ratio: float = Field(default=0.1, ge=0, le=1, description="Share of traces kept")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment, then files. The folder is looked up now, not when this is imported."""
        folder = os.environ.get(SECRETS_DIR)
        files = SecretsSettingsSource(settings_cls, secrets_dir=folder)
        return (init_settings, env_settings, files)
