"""What may follow a released schema: optional fields added, and nothing else."""

from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, create_model

from contracts.schemas import breaks, example_of, schema_of


class Inner(BaseModel):
    amount: int


class Goods(StrEnum):
    COAL = "coal"


class Released(BaseModel):
    """As released."""

    name: str
    note: str | None = None
    inner: Inner
    goods: Goods
    parts: tuple[Inner, ...]
    kind: Literal["a", "b"]
    share: Annotated[float, Field(ge=0)]


RELEASED = schema_of(Released)


def changed(**fields: Any) -> dict[str, Any]:
    kept: dict[str, Any] = {n: (f.annotation, f) for n, f in Released.model_fields.items()}
    return made({name: field for name, field in (kept | fields).items() if field is not None})


def made(fields: dict[str, Any]) -> dict[str, Any]:
    return schema_of(create_model("Released", **fields))


class Richer(BaseModel):
    amount: int
    currency: str = "INR"


class Poorer(BaseModel):
    pass


class Renamed(BaseModel):
    amount_paise: int


class MoreGoods(StrEnum):
    COAL = "coal"
    SAND = "sand"


def test_the_same_follows_itself() -> None:
    assert breaks(RELEASED, changed()) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"added": (str | None, None)},
        {"added": (Inner | None, None)},
        {"inner": (Richer, ...)},
        {"parts": (tuple[Richer, ...], ...)},
        {"name": (str, Field(description="For people", examples=["x"]))},
    ],
)
def test_optional_fields_and_better_texts_may_follow(fields: dict[str, Any]) -> None:
    assert breaks(RELEASED, changed(**fields)) == []


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"name": None}, "data.name is gone"),
        ({"note": None}, "data.note is gone"),
        ({"added": (str, ...)}, "data.added is newly required"),
        ({"note": (str | None, ...)}, "data.note is newly required"),
        ({"name": (str, "")}, "data.name is required no more"),
        ({"name": (int, ...)}, "data.name: type was string and is integer"),
        ({"inner": (Poorer, ...)}, "data.inner.amount is gone"),
        ({"inner": (Renamed, ...)}, "data.inner.amount_paise is newly required"),
        ({"parts": (tuple[Renamed, ...], ...)}, "data.parts[].amount is gone"),
        ({"parts": (Inner, ...)}, "data.parts: type was array and is object"),
        ({"goods": (MoreGoods, ...)}, "data.goods: enum was ['coal'] and is ['coal', 'sand']"),
        ({"kind": (Literal["a"], ...)}, "data.kind: enum was ['a', 'b'] and is None"),
        ({"share": (float, Field(ge=0, le=1))}, "data.share: maximum was None and is 1"),
        ({"note": (int | None, None)}, "data.note: type was string and is integer"),
        ({"note": (str | None, "none")}, "data.note: default was None and is none"),
    ],
)
def test_anything_else_may_not(fields: dict[str, Any], why: str) -> None:
    assert why in breaks(RELEASED, changed(**fields))


names = st.from_regex(r"\A[a-z]{1,6}\Z")
kinds = st.sampled_from([int, str, bool, list[int], Inner, Goods])


@pytest.mark.untraced
@given(st.dictionaries(names, kinds, min_size=1), st.dictionaries(names, kinds), st.data())
def test_adding_optional_fields_is_the_only_way(
    old: dict[str, Any], new: dict[str, Any], data: st.DataObject
) -> None:
    released: dict[str, Any] = {name: (kind, ...) for name, kind in old.items()}
    before = made(released)
    added: dict[str, Any] = {
        name: (kind | None, None) for name, kind in new.items() if name not in old
    }
    assert breaks(before, made({**released, **added})) == []
    name = data.draw(st.sampled_from(sorted(old)))
    rest = {key: field for key, field in released.items() if key != name}
    assert f"data.{name} is gone" in breaks(before, made(rest))


def test_a_field_without_an_example_is_noticed() -> None:
    with pytest.raises(ValueError, match="Nothing in it is an example"):
        example_of(schema_of(Inner))
