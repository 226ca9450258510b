"""The second half of a restore: finished when it was whole, dropped when it wasn't."""

from pathlib import Path

import pytest

from ops import replacing
from ops.state import StateFolder, write_json

from .scripts import folder_in


def with_data(folder: StateFolder, content: str) -> StateFolder:
    folder.postgres.mkdir(parents=True)
    (folder.postgres / "data").write_text(content)
    (folder.secrets / "key").write_text(content)
    folder.postgres.with_suffix(".pgpass").write_text(content)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    """Data, and what is to take their place."""
    present = with_data(folder_in(tmp_path), "old")
    write_json(present.prepared_file, {})
    write_json(present.sessions_file, {})
    present.keys_file.write_text("old")
    site = replacing.site_of(present)
    site.prepare()
    with_data(site, "new")
    return present


def contents(folder: StateFolder) -> set[str]:
    files = (
        folder.postgres / "data",
        folder.secrets / "key",
        folder.postgres.with_suffix(".pgpass"),
    )
    return {file.read_text() for file in files}


def test_what_is_whole_takes_the_place(folder: StateFolder) -> None:
    replacing.say_whole(replacing.site_of(folder))
    replacing.replace_if_whole(folder)
    assert contents(folder) == {"new"}
    assert not replacing.site_of(folder).root.exists()
    left = (folder.prepared_file, folder.sessions_file, folder.keys_file)
    assert not any(path.exists() for path in left)


def test_what_is_not_whole_is_dropped(folder: StateFolder) -> None:
    replacing.replace_if_whole(folder)
    assert contents(folder) == {"old"}
    assert not replacing.site_of(folder).root.exists()


def test_one_that_was_killed_half_way_is_finished(
    folder: StateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    replacing.say_whole(replacing.site_of(folder))

    def killed(path: Path, target: Path) -> None:
        if path.name == "secrets":
            raise KeyboardInterrupt
        path.replace(target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", killed)
        with pytest.raises(KeyboardInterrupt):
            replacing.replace_if_whole(folder)
    replacing.replace_if_whole(folder)
    assert contents(folder) == {"new"}


def test_nothing_to_do_is_nothing(tmp_path: Path) -> None:
    present = with_data(folder_in(tmp_path), "old")
    replacing.replace_if_whole(present)
    assert contents(present) == {"old"}
