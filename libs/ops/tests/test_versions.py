"""Which code somebody means by a version, and that it is kept."""

import subprocess
from pathlib import Path

import pytest

from ops import versions
from ops.errors import OpsError
from ops.rollout.ports import Colour
from ops.state import StateFolder
from ops.versions import (
    INSTALLED,
    Active,
    Code,
    find,
    read_actives,
    require_source,
    write_actives,
)

from .scripts import folder_in


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    return folder_in(tmp_path)


def source_in(path: Path) -> Path:
    for package in ("booking/src/booking", "libs/chassis/src/chassis"):
        (path / package).mkdir(parents=True)
    (path / "booking/src/booking/__main__.py").touch()
    return path


def test_what_is_installed_has_no_source(folder: StateFolder) -> None:
    assert find(folder, INSTALLED, "booking") == Code()
    assert Code().python_path == ""


def test_a_folder_is_taken_with_all_that_it_brings(folder: StateFolder, tmp_path: Path) -> None:
    source = source_in(tmp_path / "source")
    code = find(folder, str(source), "booking")
    assert code == Code(str(source), source)
    assert code.python_path == f"{source}/booking/src:{source}/libs/chassis/src"


@pytest.mark.parametrize("version", ["no-such-branch", "--help", "HEAD:README.md", "a..b", ""])
def test_what_is_no_version_is_refused_in_a_sentence(folder: StateFolder, version: str) -> None:
    with pytest.raises(OpsError, match=r"neither a folder nor a revision|no source of") as refused:
        find(folder, version, "nothing")
    assert refused.value.code == 2


def test_a_source_without_the_service_is_refused(tmp_path: Path) -> None:
    source = source_in(tmp_path / "source")
    with pytest.raises(OpsError, match="no source of auth_service in"):
        require_source(Code("x", source), "auth_service")


def test_what_is_active_is_kept(folder: StateFolder) -> None:
    assert read_actives(folder) == {}
    actives = {
        "booking": Active(Colour.GREEN, Code("abc", Path("/abc"))),
        "auth": Active(Colour.BLUE, Code()),
    }
    write_actives(folder, actives)
    assert read_actives(folder) == actives


def test_a_revision_is_laid_out_once_and_means_the_same_later(
    folder: StateFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = source_in(tmp_path / "checkout")
    git = ["git", "-C", str(root), "-c", "user.name=x", "-c", "user.email=x@example.org"]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run([*git, *arguments], check=True)  # noqa: S603 - our own command
    monkeypatch.setattr(versions, "ROOT", root)
    code = find(folder, "HEAD", "booking")
    assert code.source == folder.versions / code.version
    assert len(code.version) == 40
    assert [*folder.versions.iterdir()] == [code.source]
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "second"], check=True)  # noqa: S603 - our own command
    assert find(folder, code.version, "booking") == code
    assert find(folder, "HEAD", "booking") != code
