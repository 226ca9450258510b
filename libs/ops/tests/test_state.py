"""The state folder: made, locked, written to without half-written files."""

import stat
from pathlib import Path

import pytest

from ops.errors import OpsError
from ops.state import StateFolder, read_json, write_atomically, write_json

from .scripts import folder_in


def test_folders_are_open_to_their_owner_alone(tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    for path in (folder.secrets, folder.run, folder.logs):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert stat.S_IMODE(folder.root.stat().st_mode) in (0o700, 0o711)
    folder.prepare()


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OpsError, match=r"can't be written \(Not a directory\)\. Name another"):
        StateFolder(tmp_path / "file" / "state").prepare()


def test_a_folder_that_cannot_be_written_is_a_sentence() -> None:
    with pytest.raises(OpsError, match="can't be written"):
        StateFolder(Path("/proc/ubertruck")).prepare()


def test_only_one_platform_at_a_time(tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    refused = pytest.raises(OpsError, match=r"already runs on .* \(process \d+\)")
    with folder.lock(), refused, folder.lock():
        pass
    with folder.lock():
        pass


def test_files_are_replaced_in_one_step(tmp_path: Path) -> None:
    target = tmp_path / "file"
    write_atomically(target, b"old")
    write_atomically(target, b"new")
    assert target.read_bytes() == b"new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [target]


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        write_atomically(tmp_path / "folder", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff"])
def test_json_that_is_no_object_reads_as_empty(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file.json").write_bytes(content)
    assert read_json(tmp_path / "file.json") == {}


def test_json_comes_back(tmp_path: Path) -> None:
    write_json(tmp_path / "file.json", {"edge": 8080})
    assert read_json(tmp_path / "file.json") == {"edge": 8080}
    assert read_json(tmp_path / "missing.json") == {}
