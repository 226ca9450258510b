"""The demo companies, people and service clients, as auth-service reads them from a file."""

from collections.abc import Mapping
from pathlib import Path

from ops.credentials import ensure_totp
from ops.errand import run_to_end
from ops.people import everybody, with_second_factor
from ops.services import AUTH, Layout
from ops.state import StateFolder, write_json


async def plant(layout: Layout) -> None:
    """Let auth-service make those that are missing; ErrandError when it can't."""
    file = layout.folder.secrets / "seed.json"
    write_json(file, content(layout.folder, layout.credentials.client_secret_files))
    command = layout.command(AUTH, "seed", str(file), process="seed")
    await run_to_end("Making the demo people", command)


def content(folder: StateFolder, client_secret_files: Mapping[str, Path]) -> Mapping[str, object]:
    """What the file says."""
    companies = {person.company: None for person in everybody()}
    return {
        "tenants": [{"name": company.name, "kind": company.kind} for company in companies],
        "users": _users(folder),
        "clients": [
            {"client_id": client, "secret": file.read_text().strip()}
            for client, file in client_secret_files.items()
        ],
    }


def _users(folder: StateFolder) -> list[Mapping[str, object]]:
    secrets = ensure_totp(folder, with_second_factor())
    return [
        {
            "tenant": person.company.name,
            "username": person.username,
            "password": person.password,
            "roles": person.roles,
            "totp_secret": secrets.get(person.username),
        }
        for person in everybody()
    ]
