"""Where boot settings come from."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from chassis.migrations import url_from_environment
from chassis.serve import settings_sentence
from chassis.settings import SECRETS_DIR, ServiceSettings

URL = "UBERTRUCK_DATABASE_URL"


def read() -> ServiceSettings:
    return ServiceSettings.model_validate({})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "ubertruck_database_url").write_text("postgresql+asyncpg://file/x\n")
    (tmp_path / "client-secret").write_text("not a setting")
    monkeypatch.delenv(URL, raising=False)
    monkeypatch.setenv(SECRETS_DIR, str(tmp_path))
    return tmp_path


def test_secrets_may_stand_in_files(folder: Path) -> None:
    assert read().database_url.get_secret_value() == "postgresql+asyncpg://file/x"
    assert url_from_environment() == "postgresql+asyncpg://file/x"
    (folder / "ubertruck_database_url").unlink()
    assert url_from_environment() is None


def test_the_environment_wins_over_files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert folder.is_dir()
    monkeypatch.setenv(URL, "postgresql+asyncpg://environment/x")
    assert read().database_url.get_secret_value() == "postgresql+asyncpg://environment/x"
    assert url_from_environment() == "postgresql+asyncpg://environment/x"


def test_without_a_folder_there_is_only_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SECRETS_DIR, raising=False)
    monkeypatch.setenv(URL, "postgresql+asyncpg://environment/x")
    assert read().database_url.get_secret_value() == "postgresql+asyncpg://environment/x"


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "key",
        "postgresql://a:key@b/c",
        "postgresql+asyncpg://a:key@b:x/c",
        "mysql+aiomysql://a:key@b/c",
        "postgresql+asyncpg://a:key@b",
    ],
)
def test_what_is_no_address_of_a_database_is_refused_unseen(
    wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(URL, wrong)
    with pytest.raises(ValidationError, match="it is no address like") as refusal:
        read()
    assert "key" not in settings_sentence(refusal.value)
