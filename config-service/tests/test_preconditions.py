import pytest

from config_service.errors import ConfigurationChanged, VersionUnnamed
from config_service.preconditions import Precondition


@pytest.mark.parametrize(
    ("if_match", "if_none_match"),
    [(None, None), ("", ""), ("*", None), (" * ", '"3-a"'), (None, '"3-a"')],
)
def test_write_that_names_no_version(if_match: str | None, if_none_match: str | None) -> None:
    with pytest.raises(VersionUnnamed):
        Precondition.read(if_match, if_none_match)


@pytest.mark.parametrize(
    ("if_match", "if_none_match", "active"),
    [
        ('"3-a"', None, "3-a"),
        (' "2-b" , "3-a" ', None, "3-a"),
        ('W/"3-a", "3-a"', None, "3-a"),
        (None, "*", None),
        ("*", "*", None),
    ],
)
def test_write_that_may_go_on(
    if_match: str | None, if_none_match: str | None, active: str | None
) -> None:
    Precondition.read(if_match, if_none_match).check(active)


@pytest.mark.parametrize(
    ("if_match", "if_none_match", "active"),
    [
        ('"3-a"', None, "4-b"),
        ('"3-a"', None, None),
        ('W/"3-a"', None, "3-a"),
        ("3-a", None, "3-a"),
        ('"3-A"', None, "3-a"),
        (None, "*", "3-a"),
        ('"3-a"', "*", "3-a"),
    ],
)
def test_write_that_comes_too_late(
    if_match: str | None, if_none_match: str | None, active: str | None
) -> None:
    with pytest.raises(ConfigurationChanged):
        Precondition.read(if_match, if_none_match).check(active)
