"""Surge conditions: checked when written, so that none can fail when a booking is priced.

A condition is a small part of CEL: comparisons, membership in a list, and logic, over the surge
variables. CEL itself finds a wrong type only when it gets there, and `false && anything` never
does; so the kinds of all parts are worked out here, by a grammar that knows nothing else:

    condition  = conjunction { "||" conjunction }
    conjunction = relation { "&&" relation }
    relation   = operand [ ("==" | "!=" | "<" | "<=" | ">" | ">=" | "in") operand ]
    operand    = { "!" } ( variable | number | text | "true" | "false" | list | "(" condition ")" )
    list       = "[" ( number | text ) { "," ( number | text ) } "]"
"""

import enum
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from contracts.booking import Material
from contracts.pricing import SURGE_VARIABLES

MAX_NESTING: Final = 20

_MATERIALS: Final = frozenset[str](Material)
_ORDER: Final = frozenset({"<", "<=", ">", ">="})
_EQUALITY: Final = frozenset({"==", "!="})
_RELATIONS: Final = _ORDER | _EQUALITY | {"in"}
_TOKEN: Final = re.compile(
    r"(?P<number>-?[0-9]{1,15}(?:\.[0-9]{1,15})?)(?![\w.])"
    r"|(?P<text>'[^'\"\\\s]*'|\"[^'\"\\\s]*\")"
    r"|(?P<name>[a-zA-Z_][a-zA-Z0-9_]*)"
    r"|(?P<sign>&&|\|\||[=!<>]=|[<>!()\[\],])"
    r"|(?P<space>[ \t\r\n]+)",
    re.ASCII,
)


class _Kind(enum.Enum):
    """What a part of a condition stands for."""

    BOOL = "true or false"
    NUMBER = "a number"
    TEXT = "a text"
    NUMBERS = "a list of numbers"
    TEXTS = "a list of texts"


_LISTS: Final = {_Kind.NUMBER: _Kind.NUMBERS, _Kind.TEXT: _Kind.TEXTS}
_VARIABLES: Final = {
    name: _Kind.TEXT if name == "material" else _Kind.NUMBER for name in SURGE_VARIABLES
}


class _Token(NamedTuple):
    kind: str
    text: str


class _Fault(Exception):
    """What is wrong, as the end of a sentence that begins with the condition."""


def condition_fault(condition: str) -> str | None:
    """What is wrong with a condition, as the end of a sentence; None when nothing is."""
    # Imported only where there is a condition: the package loads its command line too, which
    # costs each process 13 MiB and half a second of start.
    import cel

    try:
        cel.compile(condition)
        _Reader(condition).read()
    except ValueError:
        return "is not a CEL expression"
    except _Fault as fault:
        return str(fault)
    return None


class _Reader:
    """Reads one condition from left to right."""

    def __init__(self, condition: str) -> None:
        self._tokens = _tokens(condition)
        self._next = next(self._tokens)
        self._depth = 0

    def read(self) -> None:
        kind = self._condition()
        _demand(self._next.kind == "end", f"can't be read from {self._next.text!r} on")
        _demand(kind is _Kind.BOOL, "is not true or false")

    def _condition(self) -> _Kind:
        self._depth += 1
        _demand(self._depth <= MAX_NESTING, f"is nested deeper than {MAX_NESTING} levels")
        kind = self._conjunction()
        while self._skip("||"):
            _demand_logic(kind, self._conjunction())
        self._depth -= 1
        return kind

    def _conjunction(self) -> _Kind:
        kind = self._relation()
        while self._skip("&&"):
            _demand_logic(kind, self._relation())
        return kind

    def _relation(self) -> _Kind:
        left = self._operand()
        operator = self._next.text
        if self._next.kind not in ("sign", "name") or operator not in _RELATIONS:
            return left
        self._take()
        right = self._operand()
        fits = _fits(left, operator, right)
        _demand(fits, f"can't have {left.value} {operator} {right.value}")
        return _Kind.BOOL

    def _operand(self) -> _Kind:
        negated = False
        while self._skip("!"):
            negated = True
        kind = self._primary()
        _demand(not negated or kind is _Kind.BOOL, f"can't negate {kind.value}")
        return kind

    def _primary(self) -> _Kind:
        if self._skip("("):
            kind = self._condition()
            self._expect(")")
            return kind
        if self._skip("["):
            return self._list()
        if self._next.kind == "name":
            return _kind_of_name(self._take().text)
        return self._literal()

    def _list(self) -> _Kind:
        kind = self._literal()
        while self._skip(","):
            _demand(self._literal() is kind, "has a list of different kinds")
        self._expect("]")
        return _LISTS[kind]

    def _literal(self) -> _Kind:
        token = self._take()
        if token.kind == "text":
            name = token.text[1:-1]
            _demand(name in _MATERIALS, f"names {name!r}, which is no material")
            return _Kind.TEXT
        _demand(token.kind == "number", f"can't have {token.text!r} where a value belongs")
        return _Kind.NUMBER

    def _take(self) -> _Token:
        taken = self._next
        self._next = next(self._tokens, taken)
        return taken

    def _skip(self, sign: str) -> bool:
        found = self._next == ("sign", sign)
        if found:
            self._take()
        return found

    def _expect(self, sign: str) -> None:
        _demand(self._skip(sign), f"lacks {sign!r} before {self._next.text!r}")


def _tokens(condition: str) -> Iterator[_Token]:
    place = 0
    while place < len(condition):
        match = _TOKEN.match(condition, place)
        if match is None:
            raise _Fault(f"has something at character {place + 1} that no condition may hold")
        if match.lastgroup and match.lastgroup != "space":
            yield _Token(match.lastgroup, match[0])
        place = match.end()
    yield _Token("end", "the end")


def _kind_of_name(name: str) -> _Kind:
    if name in ("true", "false"):
        return _Kind.BOOL
    _demand(name in _VARIABLES, f"names {name}, which no booking has")
    return _VARIABLES[name]


def _fits(left: _Kind, operator: str, right: _Kind) -> bool:
    if operator in _ORDER:
        return left is right is _Kind.NUMBER
    if operator in _EQUALITY:
        return left is right and left in (_Kind.BOOL, _Kind.NUMBER, _Kind.TEXT)
    return _LISTS.get(left) is right


def _demand_logic(*kinds: _Kind) -> None:
    _demand(all(kind is _Kind.BOOL for kind in kinds), "joins what is not true or false")


def _demand(holds: bool, otherwise: str) -> None:
    if not holds:
        raise _Fault(otherwise)
