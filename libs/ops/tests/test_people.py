"""The demo people: whom auth-service will take, with secrets of this installation."""

import json
import stat
from pathlib import Path

from auth_service.passwords import check
from auth_service.seed import read_seed
from contracts.permissions import roles_of
from ops import seeds
from ops.people import everybody, with_second_factor
from ops.services import Layout
from ops.state import StateFolder

from .scripts import folder_in


def layout_in(folder: StateFolder) -> Layout:
    return Layout.of(folder, {})


def content_in(folder: StateFolder) -> object:
    return seeds.content(folder, layout_in(folder).credentials.client_secret_files)


def test_everybody_may_hold_their_roles_and_has_a_good_password() -> None:
    for person in everybody():
        assert set(person.roles) <= set(roles_of(person.company.kind))
        check(
            person.password,
            second_factor=person.has_second_factor,
            context=[person.username, person.company.name],
        )


def test_everybody_has_a_name_and_a_password_of_their_own() -> None:
    people = everybody()
    assert len({person.username for person in people}) == len(people)
    assert len({person.password for person in people}) == len(people)


def test_auth_service_can_read_the_seed(tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    file = tmp_path / "seed.json"
    file.write_text(json.dumps(content_in(folder)))
    seed = read_seed(file)
    assert {tenant.name for tenant in seed.tenants} == {p.company.name for p in everybody()}
    protected = {user.username for user in seed.users if user.totp_secret is not None}
    assert protected == set(with_second_factor())
    assert [client.client_id for client in seed.clients] == ["booking"]


def test_secrets_stay_the_same_and_are_private(tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    first = content_in(folder)
    assert content_in(folder) == first
    for file in folder.secrets.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_installations_share_no_secret(tmp_path: Path) -> None:
    one, other = (layout_in(folder_in(tmp_path / name)).credentials for name in "ab")
    assert set(one.database.values()).isdisjoint(other.database.values())
    assert one.master_key_file.read_text() != other.master_key_file.read_text()
