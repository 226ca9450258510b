import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import PreconditionFailed, PreconditionRequired
from chassis.etags import IfMatch, IfNoneMatch, etag


@pytest.mark.parametrize("header", ['"7"', '"6", "7"', ' "7" ', 'W/"6","7"'])
def test_a_seen_version_may_be_written_over(header: str) -> None:
    IfMatch.read(header).require(7)


@pytest.mark.parametrize("header", ['"6"', 'W/"7"', "7", '"77"', '"', "W/"])
def test_another_version_is_412(header: str) -> None:
    with pytest.raises(PreconditionFailed):
        IfMatch.read(header).require(7)


@pytest.mark.parametrize("header", [None, "", " ", "*"])
def test_no_version_is_428(header: str | None) -> None:
    with pytest.raises(PreconditionRequired):
        IfMatch.read(header)


@pytest.mark.parametrize("header", ['"7"', 'W/"7"', "*", '"6", W/"7"'])
def test_what_a_caller_has_needs_no_sending(header: str) -> None:
    assert IfNoneMatch.read(header).has(7)


@pytest.mark.parametrize("header", [None, "", '"6"', "7"])
def test_what_a_caller_lacks_is_sent(header: str | None) -> None:
    assert not IfNoneMatch.read(header).has(7)


@given(st.uuids())
def test_a_tag_that_we_make_is_read_back(opaque: object) -> None:
    IfMatch.read(etag(opaque)).require(opaque)


@given(st.text(max_size=100))
def test_no_header_breaks_the_reading(header: str) -> None:
    IfNoneMatch.read(header)
