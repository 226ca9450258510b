"""Who gets which secret of a composed platform."""

import json
import stat
from pathlib import Path

from auth_service.seed import read_seed
from auth_service.vault import Vault
from chassis.settings import ServiceSettings
from ops.compose import secrets
from ops.services import SERVICES
from ops.state import StateFolder

from ..scripts import folder_in


def handed_out(folder: StateFolder, root: Path) -> dict[str, str]:
    """Every file by `volume/name`."""
    secrets.hand_out(folder, root)
    return {str(p.relative_to(root)): p.read_text() for p in root.rglob("*") if p.is_file()}


def test_each_process_gets_what_it_needs_and_no_more(tmp_path: Path) -> None:
    files = handed_out(folder_in(tmp_path), tmp_path / "secrets")
    urls = {f"{service.virtual}/ubertruck_database_url" for service in SERVICES}
    migrators = {f"{service.virtual}-migrator/ubertruck_database_url" for service in SERVICES}
    assert set(files) == urls | migrators | {
        "postgres/password",
        "people/seed.json",
        "auth-service/auth-master-key",
        "booking-service/client-secret",
        "booking-service/ubertruck_bus_url",
    }
    for name, text in files.items():
        if name.endswith("_url"):
            role = "_migrator:" if "-migrator/" in name else "_runtime:"
            assert role in text
            ServiceSettings.model_validate({"database_url": text.strip()})


def test_they_stay_the_same_and_are_private(tmp_path: Path) -> None:
    folder, root = folder_in(tmp_path), tmp_path / "secrets"
    first = handed_out(folder, root)
    assert handed_out(folder, root) == first
    for file in root.rglob("*"):
        if file.is_file():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_auth_service_takes_them(tmp_path: Path) -> None:
    root = tmp_path / "secrets"
    files = handed_out(folder_in(tmp_path), root)
    seed = read_seed(root / "people" / "seed.json")
    [client] = seed.clients
    assert client.secret.get_secret_value() == files["booking-service/client-secret"].strip()
    assert Vault.from_file(root / "auth-service" / "auth-master-key")
    assert json.loads(files["people/seed.json"])["users"]
