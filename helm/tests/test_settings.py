"""Processes understand what the charts tell them, and start with it."""

from pathlib import Path

import pytest

from auth_service.settings import AuthSettings
from booking.settings import BookingSettings
from chassis.settings import ServiceSettings
from ops.releases import ENVIRONMENTS

from .manifests import Manifest, of_kind, rendered

SETTINGS: dict[str, type[ServiceSettings]] = {
    "auth-service": AuthSettings,
    "booking-service": BookingSettings,
    "config-service": ServiceSettings,
}
# Read by others than the settings: where secrets are, and what boto3 wants to know.
OTHERS = {"UBERTRUCK_SECRETS_DIR", "AWS_DEFAULT_REGION", "PGSSLMODE", "PGSSLROOTCERT"}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("service", SETTINGS)
def test_every_setting_is_one_that_the_service_reads(
    environment: str, service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = rendered()[f"{environment}/{service}"]
    told = of_kind(made, "ConfigMap")[service]["data"]
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    mount_secrets(made, service, tmp_path)
    monkeypatch.setenv("UBERTRUCK_SECRETS_DIR", str(tmp_path))
    monkeypatch.setenv("UBERTRUCK_COLOUR", "green")

    settings = SETTINGS[service].model_validate({})
    assert settings.environment == environment
    assert settings.database_url.get_secret_value().startswith("postgresql+asyncpg://")
    assert settings.trusted_proxies == 2
    known = {f"UBERTRUCK_{name.upper()}" for name in type(settings).model_fields}
    assert set(told) - OTHERS <= known


def mount_secrets(manifests: list[Manifest], service: str, folder: Path) -> None:
    """The files of the runtime role's secret, as External Secrets would fill them in."""
    secret = of_kind(manifests, "ExternalSecret")[f"{service}-runtime"]["spec"]
    for name, text in secret["target"]["template"]["data"].items():
        (folder / name).write_text(text)


@pytest.mark.parametrize("service", SETTINGS)
def test_files_that_a_setting_names_are_mounted(service: str) -> None:
    made = rendered()[f"production/{service}"]
    told = of_kind(made, "ConfigMap")[service]["data"]
    secret = of_kind(made, "ExternalSecret")[f"{service}-runtime"]["spec"]
    for name, value in told.items():
        if name.endswith("_FILE"):
            folder, _, file = value.rpartition("/")
            assert folder == told["UBERTRUCK_SECRETS_DIR"]
            assert file in secret["target"]["template"]["data"]
