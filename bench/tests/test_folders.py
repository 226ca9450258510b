import os
import time
from pathlib import Path

import pytest

from bench import folders
from bench.errors import BenchError
from bench.folders import PREFIX, filesystem_of, temporary_folder

MOUNTS = [
    "/dev/vda / ext4 rw 0 0",
    "tmpfs /tmp tmpfs rw 0 0",
    "/dev/vdb /tmp/disk xfs rw 0 0",
]


@pytest.fixture(autouse=True)
def parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where folders are made, on a disk whatever the tests run on."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    (tmp_path / "mounts").write_text("/dev/vda / ext4 rw 0 0\n")
    monkeypatch.setattr(folders, "MOUNTS", tmp_path / "mounts")
    return tmp_path


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/var/tmp", "ext4"), ("/tmp", "tmpfs"), ("/tmp/x/y", "tmpfs"), ("/tmp/disk/x", "xfs")],  # noqa: S108 - only names
)
def test_knows_what_a_folder_lies_on(path: str, kind: str) -> None:
    assert filesystem_of(Path(path), MOUNTS) == kind


def test_the_folder_is_gone_in_the_end(parent: Path) -> None:
    with temporary_folder() as folder:
        assert folder.parent == parent
        (folder / "data").mkdir()
    assert not folder.exists()


def test_also_when_the_run_failed() -> None:
    with pytest.raises(KeyError), temporary_folder() as folder:
        raise KeyError
    assert not folder.exists()


def test_memory_is_no_place_for_it(parent: Path) -> None:
    (parent / "mounts").write_text(f"tmpfs {parent} tmpfs rw 0 0\n")
    with pytest.raises(BenchError, match=r"is memory \(tmpfs\).*TMPDIR"), temporary_folder():
        pass


def test_a_place_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", "/nowhere")
    with pytest.raises(BenchError, match="No such file or directory"), temporary_folder():
        pass


def test_what_a_killed_run_left_behind_goes_and_what_is_in_use_stays(parent: Path) -> None:
    dead, young = parent / f"{PREFIX}dead", parent / f"{PREFIX}young"
    for folder in (dead, young):
        folder.mkdir()
        (folder / "data").write_text("much")
    hours_ago = time.time() - 7200
    os.utime(dead, (hours_ago, hours_ago))
    with temporary_folder() as used:
        os.utime(used, (hours_ago, hours_ago))
        with temporary_folder():
            assert used.exists()
    assert not dead.exists()
    assert young.exists()
