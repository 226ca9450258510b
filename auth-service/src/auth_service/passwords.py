"""Which passwords are good enough. Length and guessability count; composition doesn't."""

import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Final

from chassis.errors import Invalid

MIN_ALONE: Final = 15
MIN_WITH_SECOND_FACTOR: Final = 12
MAX: Final = 128

# What is left when everything guessable is cut out must still be this long and this varied.
_MIN_RESIDUE: Final = 6
_MIN_DISTINCT: Final = 4
_MIN_RUN: Final = 3
_LEET: Final = str.maketrans("013457@$!", "oleastasi")


class WeakPassword(Invalid):
    """The new password is too short, too long or too easy to guess."""

    type = "weak-password"
    title = "Password not acceptable"


def normalise(password: str) -> str:
    """The form that is hashed, so that the same password typed on two keyboards is the same."""
    return unicodedata.normalize("NFKC", password)


def check(password: str, *, second_factor: bool, context: Iterable[str]) -> None:
    """Raise WeakPassword unless it may be used; it must not lean on the names in `context`."""
    shown = normalise(password)
    least = MIN_WITH_SECOND_FACTOR if second_factor else MIN_ALONE
    if len(shown) < least:
        raise WeakPassword(f"A password needs at least {least} characters.")
    if len(shown) > MAX:
        raise WeakPassword(f"A password has at most {MAX} characters.")
    if _guessable(shown, context):
        raise WeakPassword("This password is easy to guess: it is made of common words or names.")


def _guessable(password: str, context: Iterable[str]) -> bool:
    words = sorted(_common_words() | _parts(context), key=len, reverse=True)
    plain = password.casefold()
    residues = (_residue(text, words) for text in (plain, plain.translate(_LEET)))
    return any(len(left) < _MIN_RESIDUE or len(set(left)) < _MIN_DISTINCT for left in residues)


def _residue(text: str, words: list[str]) -> str:
    for word in words:
        text = text.replace(word, "")
    return re.sub(r"\s", "", _without_runs(text))


def _without_runs(text: str) -> str:
    """Cut out `aaa`, `abc` and `321`: stretches whose code points step by one same -1, 0 or 1."""
    kept: list[str] = []
    start = 0
    while start < len(text):
        end = _run_end(text, start)
        if end - start < _MIN_RUN:
            end = start + 1
            kept.append(text[start])
        start = end
    return "".join(kept)


def _run_end(text: str, start: int) -> int:
    end = start + 1
    if end == len(text):
        return end
    step = ord(text[end]) - ord(text[start])
    if abs(step) > 1:
        return end
    while end < len(text) and ord(text[end]) - ord(text[end - 1]) == step:
        end += 1
    return end


def _parts(context: Iterable[str]) -> set[str]:
    names = (normalise(name).casefold() for name in context)
    return {part for name in names for part in re.split(r"[\W_]+", name) if len(part) >= _MIN_RUN}


@cache
def _common_words() -> frozenset[str]:
    listed = files("auth_service").joinpath("common_words.txt").read_text("utf-8")
    return frozenset(listed.split())
