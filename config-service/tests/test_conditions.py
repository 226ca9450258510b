from typing import Final

import cel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from config_service.conditions import MAX_NESTING, condition_fault
from contracts.booking import Material
from contracts.pricing import MAX_CONDITION_LENGTH, SURGE_OPERATORS, SURGE_VARIABLES

COUNTS: Final = ("hour", "weekday", "month")
MEASURES: Final = tuple(SURGE_VARIABLES.keys() - {"material", *COUNTS})


@pytest.mark.parametrize(
    "condition",
    [
        "true",
        "!false",
        "hour >= 22 || hour < 5",
        "weekday in [6, 7]",
        "material == 'coal'",
        'material in ["coal", "grain"] && month in [4, 5]',
        "!(quantity_mt > 500) && distance_km<=99.5",
        "pickup_lng < -5.25",
        "(hour < 5) == (weekday == 7)",
        "!!true",
        "5 < hour",
        "quantity_mt == distance_km",
        " \t\nhour\n==\n3 ",
        "(" * (MAX_NESTING - 1) + "true" + ")" * (MAX_NESTING - 1),
    ],
)
def test_condition(condition: str) -> None:
    assert condition_fault(condition) is None


@pytest.mark.parametrize(
    ("condition", "fault"),
    [
        ("", "is not a CEL expression"),
        ("hour >", "is not a CEL expression"),
        ("hour = 3", "is not a CEL expression"),
        ("hour in ()", "is not a CEL expression"),
        ("'coal", "is not a CEL expression"),
        ("(" * 2000 + "true" + ")" * 2000, "is not a CEL expression"),
        ("wheels > 3", "names wheels, which no booking has"),
        ("size(material) > 3", "names size, which no booking has"),
        ("null == null", "names null, which no booking has"),
        ("material == 'cole'", "names 'cole', which is no material"),
        ("hour", "is not true or false"),
        ("[1, 2]", "is not true or false"),
        ("'coal'", "is not true or false"),
        ("hour > 25 && material > 5", "can't have a text > a number"),
        ("false && hour == 'coal'", "can't have a number == a text"),
        ("material < 'coal'", "can't have a text < a text"),
        ("true < false", "can't have true or false < true or false"),
        ("hour in 5", "can't have a number in a number"),
        ("hour in ['coal']", "can't have a number in a list of texts"),
        ("material in [1]", "can't have a text in a list of numbers"),
        ("[1] == [1]", "can't have a list of numbers == a list of numbers"),
        ("true in [1]", "can't have true or false in a list of numbers"),
        ("hour in [1, 'coal']", "has a list of different kinds"),
        ("hour in [month]", "can't have 'month' where a value belongs"),
        ("hour in []", "can't have ']' where a value belongs"),
        ("hour && true", "joins what is not true or false"),
        ("true || material", "joins what is not true or false"),
        ("!hour == 3", "can't negate a number"),
        ("hour < 5 < 6", "can't be read from '<' on"),
        ("hour -3 == 1", "can't be read from '-3' on"),
        ("hour + 1 == 2", "has something at character 6 that no condition may hold"),
        ("hour / 0 == 1", "has something at character 6 that no condition may hold"),
        ("-hour < 3", "has something at character 1 that no condition may hold"),
        ("material.size() > 3", "has something at character 9 that no condition may hold"),
        ("hour > 2 ? true : false", "has something at character 10 that no condition may hold"),
        ("hour == 3 // note", "has something at character 11 that no condition may hold"),
        ("hour == 3u", "has something at character 9 that no condition may hold"),
        ("hour == 0x10", "has something at character 9 that no condition may hold"),
        ("quantity_mt > 1e3", "has something at character 15 that no condition may hold"),
        ("hour < 9999999999999999", "has something at character 8 that no condition may hold"),
        ("material == r'coal'", "names r, which no booking has"),
        ("[1].exists(hour, hour == 1)", "has something at character 4 that no condition may hold"),
        ("[1, 2][0] == 1", "can't be read from '[' on"),
        ("(" * 20 + "true" + ")" * 20, "is nested deeper than 20 levels"),
    ],
)
def test_what_is_no_condition(condition: str, fault: str) -> None:
    assert condition_fault(condition) == fault


def test_every_variable_may_be_named() -> None:
    for name in SURGE_VARIABLES:
        literal = "'sand'" if name == "material" else "3"
        assert condition_fault(f"{name} == {literal}") is None


SITUATIONS: st.SearchStrategy[dict[str, object]] = st.fixed_dictionaries(
    {
        "material": st.sampled_from([str(material) for material in Material]),
        **{name: st.integers(0, 31) for name in COUNTS},
        **{name: st.floats(-180, 4000) for name in MEASURES},
    }
)
NUMBERS = st.sampled_from([*COUNTS, *MEASURES]) | st.one_of(
    st.integers(-9999, 9999), st.decimals(-999, 999, places=3, allow_nan=False)
).map(str)
TEXTS = st.sampled_from(["material", *(f"'{material}'" for material in Material)])
LITERALS = st.lists(st.integers(-9, 99).map(str), min_size=1, max_size=4).map(", ".join)
SIGNS = ("&&", "||", "==", "!=", "<=", "in", *"()[],<>!'\".+-*/%?:& ")
WORDS = ("true", "1", "2.5", "'coal'", "null", "has(", ".map(hour, hour)", "1u", "\\", "é")
TOKENS = st.sampled_from([*SURGE_VARIABLES, *SIGNS, *WORDS])


@st.composite
def conditions(draw: st.DrawFn, depth: int = 3) -> str:
    """A condition by its grammar."""
    shapes = ["number", "text", "member", "constant"] + (
        ["and", "or", "not", "equal"] * (depth > 0)
    )
    match draw(st.sampled_from(shapes)):
        case "number":
            sign = draw(st.sampled_from(["<", "<=", ">", ">=", "==", "!="]))
            return f"{draw(NUMBERS)} {sign} {draw(NUMBERS)}"
        case "text":
            return f"{draw(TEXTS)} {draw(st.sampled_from(['==', '!=']))} {draw(TEXTS)}"
        case "member":
            return f"{draw(NUMBERS)} in [{draw(LITERALS)}]"
        case "not":
            return f"!({draw(conditions(depth - 1))})"
        case "constant":
            return draw(st.sampled_from(["true", "false"]))
        case joined:
            sign = {"and": "&&", "or": "||", "equal": "=="}[joined]
            return f"({draw(conditions(depth - 1))}) {sign} ({draw(conditions(depth - 1))})"


@given(conditions(), SITUATIONS)
def test_conditions_of_the_grammar_pass_and_never_fail(
    condition: str, situation: dict[str, object]
) -> None:
    if len(condition) <= MAX_CONDITION_LENGTH:
        assert condition_fault(condition) is None
        assert_never_fails(condition, situation)


@given(st.lists(TOKENS, max_size=12).map(" ".join), SITUATIONS)
def test_whatever_passes_never_fails(condition: str, situation: dict[str, object]) -> None:
    if condition_fault(condition) is None:
        assert_never_fails(condition, situation)


def assert_never_fails(condition: str, situation: dict[str, object]) -> None:
    program = cel.compile(condition)
    assert set(program.variables()) <= SURGE_VARIABLES.keys()
    assert set(program.functions()) <= SURGE_OPERATORS
    assert isinstance(program.execute(situation), bool)


@given(st.text(max_size=60))
def test_nonsense_is_refused_in_words(condition: str) -> None:
    fault = condition_fault(condition)
    assert fault is None or fault
