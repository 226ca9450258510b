from collections.abc import Iterator
from pathlib import Path

import pytest

from .gateway import Gateway, describe, running
from .keys import SigningKey, key_set, signing_key
from .stub import Stub


@pytest.fixture(scope="session")
def key() -> SigningKey:
    return signing_key("first")


@pytest.fixture(scope="module")
def issuer(key: SigningKey) -> Iterator[Stub]:
    with Stub(key_set(key)) as stub:
        yield stub


@pytest.fixture(scope="module")
def service() -> Iterator[Stub]:
    with Stub() as stub:
        yield stub


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gateway")


@pytest.fixture(scope="module")
def gateway(folder: Path, service: Stub, issuer: Stub, key: SigningKey) -> Iterator[Gateway]:
    """One for all tests of a module that need nothing special."""
    with running(describe(folder, service, issuer), jwks=key_set(key)) as started:
        yield started
