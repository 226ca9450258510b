"""The backup's file: whole or refused."""

import io
import json
import stat
import tarfile
from pathlib import Path

import pytest

from ops import archive
from ops.errors import OpsError


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    """An archive of two members."""
    (tmp_path / "a").write_bytes(b"alpha" * 1000)
    (tmp_path / "b").write_bytes(b"")
    target = tmp_path / "backup.tar"
    archive.write(target, {"databases/a.dump": tmp_path / "a", "secrets/b": tmp_path / "b"})
    return target


def tar_of(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return path


def manifest(files: dict[str, str], version: int = archive.FORMAT) -> bytes:
    return json.dumps({"format": version, "files": files}).encode()


def test_members_come_back(backup: Path, tmp_path: Path) -> None:
    names = archive.read(backup, tmp_path / "out")
    assert names == ["databases/a.dump", "secrets/b"]
    assert (tmp_path / "out/databases/a.dump").read_bytes() == b"alpha" * 1000
    assert stat.S_IMODE((tmp_path / "out/secrets/b").stat().st_mode) == 0o600


def test_only_the_owner_reads_it(backup: Path) -> None:
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600


def test_a_flipped_bit_is_noticed(backup: Path, tmp_path: Path) -> None:
    content = bytearray(backup.read_bytes())
    content[content.index(b"alphaalpha")] ^= 1
    backup.write_bytes(content)
    with pytest.raises(archive.BadArchive, match=r"databases/a\.dump has another digest"):
        archive.read(backup, tmp_path / "out")


@pytest.mark.parametrize("kept", [0, 100, 600, 3000])
def test_a_cut_file_is_noticed(backup: Path, tmp_path: Path, kept: int) -> None:
    backup.write_bytes(backup.read_bytes()[:kept])
    with pytest.raises(OpsError):
        archive.read(backup, tmp_path / "out")


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"manifest.json": b"{"},
        {"manifest.json": b"[]"},
        {"other": b"{}"},
        {"manifest.json": manifest({}, version=99)},
        {"manifest.json": manifest({"secrets/b": "0"})},
        {"manifest.json": manifest({}), "secrets/more": b"x"},
        {"manifest.json": manifest({"../outside": "0"}), "../outside": b"x"},
        {"manifest.json": manifest({"/etc/passwd": "0"}), "/etc/passwd": b"x"},
        {"manifest.json": manifest({"secrets/../../x": "0"}), "secrets/../../x": b"x"},
    ],
)
def test_what_is_no_backup_is_refused(tmp_path: Path, members: dict[str, bytes]) -> None:
    source = tar_of(tmp_path / "strange.tar", members)
    with pytest.raises(archive.BadArchive, match="strange"):
        archive.read(source, tmp_path / "out")
    assert not (tmp_path / "outside").exists()


def test_a_folder_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "strange.tar"
    with tarfile.open(source, "w") as tar:
        content = manifest({"secrets/b": "0"})
        entry = tarfile.TarInfo("manifest.json")
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
        link = tarfile.TarInfo("secrets/b")
        link.type = tarfile.DIRTYPE
        tar.addfile(link)
    with pytest.raises(archive.BadArchive, match="secrets/b is missing"):
        archive.read(source, tmp_path / "out")


def test_a_file_that_is_missing_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(OpsError, match=r"none\.tar can't be read \(No such file"):
        archive.read(tmp_path / "none.tar", tmp_path / "out")


def test_a_place_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(OpsError, match="can't be written"):
        archive.write(tmp_path / "no" / "backup.tar", {})
    (tmp_path / "folder").mkdir()
    with pytest.raises(OpsError, match="can't be written"):
        archive.write(tmp_path / "folder", {})
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
