import pytest
from pydantic import TypeAdapter, ValidationError

from config_service.addresses import RESERVED_SEGMENTS, Address, ConfigPath

PATHS: TypeAdapter[str] = TypeAdapter(ConfigPath)


@pytest.mark.parametrize(
    "path", ["pricing", "limits/coal", "a/b/c", "v2.1/rates_new-x", "0", "x" * 255, "a..b"]
)
def test_path(path: str) -> None:
    assert PATHS.validate_python(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/pricing",
        "pricing/",
        "a//b",
        "..",
        "a/../b",
        ".hidden",
        "a/.b",
        "Pricing",
        "a b",
        "a\n",
        "a\x00",
        "é",
        "a%2fb",
        "a\\b",
        "-a",
        "x" * 256,
    ],
)
def test_no_path(path: str) -> None:
    with pytest.raises(ValidationError):
        PATHS.validate_python(path)


@pytest.mark.parametrize("word", sorted(RESERVED_SEGMENTS))
@pytest.mark.parametrize("path", ["{}", "{}/1", "a/{}", "a/{}/b"])
def test_reserved_segment(path: str, word: str) -> None:
    with pytest.raises(ValidationError, match="can't be a segment"):
        PATHS.validate_python(path.format(word))


@pytest.mark.parametrize("word", sorted(RESERVED_SEGMENTS))
def test_reserved_word_inside_a_segment(word: str) -> None:
    assert PATHS.validate_python(f"{word}-2") == f"{word}-2"


@pytest.mark.parametrize(
    ("environment", "expected"), [("dev", False), ("staging", False), ("production", True)]
)
def test_only_production_needs_approval(environment: str, expected: bool) -> None:
    assert Address("booking", environment, "pricing").needs_approval is expected


def test_address_reads_as_it_is_called() -> None:
    assert str(Address("booking", "dev", "limits/coal")) == "booking/dev/limits/coal"
