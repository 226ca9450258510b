"""Log files: the end of them, what was said last, cutting, following."""

from pathlib import Path

import pytest

from ops import logfiles


def test_the_last_lines_of_a_long_file(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("".join(f"line {n} {'x' * 90}\n" for n in range(5000)))
    assert [line.split()[1] for line in logfiles.tail(log, 3)] == ["4997", "4998", "4999"]
    assert len(logfiles.tail(log, 10_000)) == 5000
    assert logfiles.tail(tmp_path / "none", 3) == []


def test_lines_from_before_a_start_are_left_out(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("old\n")
    since = logfiles.size(log)
    assert logfiles.tail(log, 5, since=since) == []
    log.write_text("old\nnew\n")
    assert logfiles.tail(log, 5, since=since) == ["new"]
    log.write_text("x\n")
    assert logfiles.tail(log, 5, since=since) == ["x"]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([], "it said nothing"),
        (["one", "two ", " "], "two"),
        (['{"level": "error", "message": "no database"}'], "no database"),
        (['{"level": "error"}'], '{"level": "error"}'),
        (["[1]"], "[1]"),
    ],
)
def test_last_words(lines: list[str], words: str) -> None:
    assert logfiles.last_words(lines) == words


def test_a_file_that_grew_too_long_is_cut_while_it_is_written(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"old\n" * 10)
        assert not logfiles.cut(log, largest=40)
        writer.write(b"old\n")
        assert logfiles.cut(log, largest=40)
        writer.write(b"new\n")
    assert log.read_bytes() == b"new\n"
    assert (tmp_path / "log.1").read_bytes() == b"old\n" * 11
    assert not logfiles.cut(tmp_path / "none")


def test_following_sees_new_lines_whole_and_survives_a_cut(tmp_path: Path) -> None:
    log = tmp_path / "log"
    follower = logfiles.Follower(log)
    assert follower.new_lines() == []
    append(log, "ha")
    assert follower.new_lines() == []
    append(log, "lf\nnext\n")
    assert follower.new_lines() == ["half", "next"]
    logfiles.cut(log, largest=1)
    append(log, "new\n")
    assert follower.new_lines() == ["new"]
    assert follower.new_lines() == []


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)
