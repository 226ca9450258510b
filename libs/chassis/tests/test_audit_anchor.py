from hashlib import sha256
from pathlib import Path

import pytest

from chassis.audit_anchor import FileAnchor
from chassis.audit_chain import START, Link


def link(seq: int, content: str = "") -> Link:
    return Link(seq, sha256(f"{seq} {content}".encode()).digest())


@pytest.fixture
def anchor(tmp_path: Path) -> FileAnchor:
    return FileAnchor.within(tmp_path / "state", "booking")


def test_without_a_file_nothing_is_anchored(anchor: FileAnchor) -> None:
    assert anchor.last() == START
    assert anchor.size() == 0
    assert list(anchor.links(anchor.size())) == []


def test_what_is_appended_is_kept(anchor: FileAnchor) -> None:
    for seq in (3, 7, 9):
        anchor.append(link(seq))
    assert anchor.last() == link(9)
    assert list(anchor.links(anchor.size())) == [link(3), link(7), link(9)]


def test_the_furthest_link_counts_not_the_latest(anchor: FileAnchor) -> None:
    anchor.append(link(9))
    anchor.append(link(7))
    assert anchor.last() == link(9)


def test_a_rewind_voids_what_was_beyond(anchor: FileAnchor) -> None:
    for seq in (3, 7, 9):
        anchor.append(link(seq))
    anchor.append(link(3), rewound=True)
    assert anchor.last() == link(3)
    anchor.append(link(8, "again"))
    assert anchor.last() == link(8, "again")
    assert list(anchor.links(anchor.size())) == [link(3), link(3), link(8, "again")]


def test_two_rewinds(anchor: FileAnchor) -> None:
    for seq in (3, 7):
        anchor.append(link(seq))
    anchor.append(link(5), rewound=True)
    anchor.append(link(6))
    anchor.append(START, rewound=True)
    assert anchor.last() == START
    assert list(anchor.links(anchor.size())) == [START]


def test_a_line_cut_short_is_skipped(anchor: FileAnchor, tmp_path: Path) -> None:
    anchor.append(link(3))
    path = tmp_path / "state" / "audit-anchor-booking.log"
    with path.open("ab") as file:
        file.write(b"5 abcdef")
    assert anchor.last() == link(3)
    anchor.append(link(6))
    assert list(anchor.links(anchor.size())) == [link(3), link(6)]


def test_only_the_first_bytes_are_read_when_asked(anchor: FileAnchor) -> None:
    anchor.append(link(3))
    size = anchor.size()
    anchor.append(link(6))
    assert list(anchor.links(size)) == [link(3)]


def test_the_end_of_a_long_file_is_enough(anchor: FileAnchor, tmp_path: Path) -> None:
    anchor.append(link(1))
    path = tmp_path / "state" / "audit-anchor-booking.log"
    with path.open("a") as file:
        file.writelines(f"{seq} {link(seq).digest.hex()} now\n" for seq in range(2, 2001))
    assert anchor.last() == link(2000)
    assert sum(1 for _ in anchor.links(anchor.size())) == 2000
