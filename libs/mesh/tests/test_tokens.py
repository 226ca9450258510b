"""The watched file of the token checks."""

import json
import os
from errno import ENOSPC
from pathlib import Path
from typing import Any

import pytest

from mesh.tokens import BadKeys, write_checks

from .gateway import token_checks
from .keys import key_set, signing_key

KEY = signing_key("first")


def providers(path: Path) -> dict[str, Any]:
    (resource,) = json.loads(path.read_text())["resources"]
    return resource["typed_config"]["providers"]


def copied(path: Path) -> list[dict[str, Any]]:
    return json.loads(providers(path)["copy"]["local_jwks"]["inline_string"])["keys"]


def test_the_copy_is_asked_first(tmp_path: Path) -> None:
    checks = token_checks(tmp_path)
    assert checks.file
    write_checks(checks, key_set(KEY))
    assert copied(checks.file) == [KEY.jwk()]
    (resource,) = json.loads(checks.file.read_text())["resources"]
    (requirement,) = resource["typed_config"]["requirement_map"].values()
    names = [one["provider_name"] for one in requirement["requires_any"]["requirements"]]
    assert names == ["copy", "live", "fresh"]


def test_every_source_checks_the_same(tmp_path: Path) -> None:
    checks = token_checks(tmp_path)
    assert checks.file
    write_checks(checks, key_set(KEY))
    for provider in providers(checks.file).values():
        assert provider["issuer"] == checks.issuer
        assert provider["audiences"] == [checks.audience]
        assert provider["clock_skew_seconds"] == 30
        assert provider["require_expiration"] is True
        assert provider["forward"] is True
        assert provider["jwt_cache_config"]["jwt_cache_size"] == 1000
        assert provider["from_headers"] == [{"name": "Authorization", "value_prefix": "Bearer "}]


def test_without_keys_there_is_no_copy(tmp_path: Path) -> None:
    checks = token_checks(tmp_path)
    assert checks.file
    assert write_checks(checks, None)
    assert set(providers(checks.file)) == {"live", "fresh"}


def test_writing_the_same_again_changes_nothing(tmp_path: Path) -> None:
    checks = token_checks(tmp_path)
    assert write_checks(checks, key_set(KEY))
    assert not write_checks(checks, key_set(KEY).encode())
    assert write_checks(checks, key_set(KEY, signing_key("second")))


def test_only_rsa_keys_for_rs256_are_taken_over(tmp_path: Path) -> None:
    checks = token_checks(tmp_path)
    assert checks.file
    others = [
        {"kty": "oct", "alg": "HS256", "kid": "a", "k": "c2VjcmV0"},
        {"kty": "EC", "alg": "ES256", "kid": "b", "crv": "P-256", "x": "a", "y": "b"},
        KEY.jwk() | {"alg": "RS512"},
        {name: value for name, value in KEY.jwk().items() if name != "alg"},
        KEY.jwk() | {"use": "enc"},
        "nonsense",
    ]
    write_checks(checks, json.dumps({"keys": [*others, KEY.jwk() | {"d": "private"}]}))
    assert copied(checks.file) == [KEY.jwk()]


@pytest.mark.parametrize("jwks", ["", "garbage", "[]", "{}", '{"keys": []}', '{"keys": [{}]}'])
def test_a_bad_key_set_leaves_the_file_alone(jwks: str, tmp_path: Path) -> None:
    checks = token_checks(tmp_path)
    assert checks.file
    write_checks(checks, key_set(KEY))
    with pytest.raises(BadKeys):
        write_checks(checks, jwks)
    assert copied(checks.file) == [KEY.jwk()]
    assert list(checks.file.parent.iterdir()) == [checks.file]


def test_checks_without_a_file_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no file"):
        write_checks(token_checks(tmp_path, file=None), None)


def test_a_folder_that_is_not_there_leaves_nothing_behind(tmp_path: Path) -> None:
    checks = token_checks(tmp_path, file=tmp_path / "none" / "checks.json")
    with pytest.raises(FileNotFoundError):
        write_checks(checks, None)


def test_a_full_disk_leaves_the_file_alone_and_no_rubbish(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = token_checks(tmp_path)
    assert checks.file
    write_checks(checks, key_set(KEY))

    def full(descriptor: int) -> None:
        raise OSError(ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_checks(checks, key_set(signing_key("second")))
    assert copied(checks.file) == [KEY.jwk()]
    assert list(checks.file.parent.iterdir()) == [checks.file]
