"""Where the running gateway has its keys from: outages, restarts and rotation."""

from pathlib import Path

from mesh.tokens import write_checks

from .gateway import Gateway, describe, eventually, read_answer, running, token_checks
from .keys import SigningKey, key_set, signing_key
from .problem import assert_problem
from .stub import Stub

OLD = signing_key("first")
NEW = signing_key("second")


def status(gateway: Gateway, token: str) -> int:
    return gateway.call("GET", "/v1/things", token=token).status_code


def test_the_issuers_keys_are_fetched(tmp_path: Path, service: Stub) -> None:
    with Stub(key_set(OLD)) as issuer, running(describe(tmp_path, service, issuer)) as gateway:
        assert status(gateway, OLD.token()) == 200
        assert issuer.fetches >= 1


def test_fetched_keys_outlive_the_issuer(tmp_path: Path, service: Stub) -> None:
    with Stub(key_set(OLD)) as issuer, running(describe(tmp_path, service, issuer)) as gateway:
        eventually(lambda: issuer.fetches)
        assert status(gateway, OLD.token()) == 200
        issuer.stop()
        assert status(gateway, OLD.token(sub="another")) == 200
        assert status(gateway, NEW.token()) == 401


def test_a_restart_without_the_issuer_goes_on_with_the_copy(tmp_path: Path, service: Stub) -> None:
    edge = describe(tmp_path, service, Stub.closed())
    for write in (True, False):
        with running(edge, jwks=key_set(OLD), write=write) as gateway:
            assert status(gateway, OLD.token()) == 200
            assert_problem(gateway.call("GET", "/v1/things", token="x"), 401, "unauthorized")
            answer = gateway.call("GET", "/v1/things", token=NEW.token())
            assert_problem(answer, 401, "unauthorized")


def test_without_any_keys_nobody_gets_in(tmp_path: Path, service: Stub) -> None:
    with running(describe(tmp_path, service, Stub.closed())) as gateway:
        answer = gateway.call("GET", "/v1/things", token=OLD.token())
        assert_problem(answer, 401, "unauthorized")
        assert gateway.call("GET", "/open/door").status_code == 200


def test_an_unreadable_file_opens_nothing(tmp_path: Path, service: Stub) -> None:
    edge = describe(tmp_path, service, Stub.closed())
    assert edge.tokens.file
    edge.tokens.file.write_text("garbage")
    with running(edge, write=False) as gateway:
        assert status(gateway, OLD.token()) == 401
        assert write_checks(edge.tokens, key_set(OLD))
        gateway.wait_for_keys(OLD.token())


def test_checks_without_a_file_stand_on_the_issuer(tmp_path: Path, service: Stub) -> None:
    with Stub(key_set(OLD)) as issuer:
        checks = token_checks(tmp_path, file=None)
        with running(describe(tmp_path, service, issuer, tokens=checks)) as gateway:
            assert status(gateway, OLD.token()) == 200
            assert status(gateway, NEW.token()) == 401


def test_rotation_refuses_no_valid_token(tmp_path: Path, service: Stub) -> None:
    """The new key is published and used at once, and only afterwards does the copy follow."""
    with Stub(key_set(OLD)) as issuer:
        edge = describe(tmp_path, service, issuer)
        with running(edge, jwks=key_set(OLD)) as gateway:
            old, new = OLD.token(), NEW.token()
            assert status(gateway, old) == 200
            issuer.jwks = key_set(NEW, OLD)
            assert status(gateway, new) == 200
            assert status(gateway, old) == 200
            write_checks(edge.tokens, key_set(NEW, OLD))
            for turn in range(50):
                assert status(gateway, new) == 200
                assert status(gateway, OLD.token(sub=f"user {turn}")) == 200


def test_a_retired_key_ends_at_once_and_connections_stay(tmp_path: Path, service: Stub) -> None:
    with Stub(key_set(OLD, NEW)) as issuer:
        edge = describe(tmp_path, service, issuer)
        with (
            running(edge, jwks=key_set(OLD, NEW)) as gateway,
            gateway.connection() as connection,
        ):
            request = b"GET /open/door HTTP/1.1\r\nHost: a\r\n\r\n"
            connection.sendall(request)
            assert read_answer(connection).status_code == 200
            old = OLD.token()
            assert status(gateway, old) == 200
            issuer.jwks = key_set(NEW)
            write_checks(edge.tokens, key_set(NEW))
            gateway.wait_for_keys(old, 401)
            assert status(gateway, NEW.token()) == 200
            connection.sendall(request)
            assert read_answer(connection).status_code == 200


def test_a_broken_file_changes_nothing_while_running(tmp_path: Path, service: Stub) -> None:
    edge = describe(tmp_path, service, Stub.closed())
    with running(edge, jwks=key_set(OLD)) as gateway:
        assert edge.tokens.file
        half = edge.tokens.file.with_name("half")
        half.write_text(edge.tokens.file.read_text()[:100])
        half.replace(edge.tokens.file)
        log = tmp_path / "envoy.log"
        eventually(lambda: "config update failure" in log.read_text())
        assert status(gateway, OLD.token(sub="after")) == 200


def test_a_flood_of_unknown_keys_is_no_flood_for_the_issuer(
    gateway: Gateway, issuer: Stub, key: SigningKey
) -> None:
    before = issuer.fetches
    for turn in range(200):
        assert status(gateway, NEW.token(sub=f"user {turn}")) == 401
    assert issuer.fetches - before < 100
    assert status(gateway, key.token()) == 200
