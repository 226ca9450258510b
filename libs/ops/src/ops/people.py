"""The demo people of a platform on one machine: who they are and how they log in.

Their passwords stand in `people.json` for everybody to read, since the platform listens on loopback
only and its environment is `dev`. The secrets of second factors are made for each installation.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from contracts.permissions import TenantKind, mfa_required
from ops.errors import OpsError


@dataclass(frozen=True, kw_only=True)
class Company:
    """A tenant."""

    name: str
    kind: TenantKind


@dataclass(frozen=True, kw_only=True)
class Person:
    """`alias` is what `ubertruck token --as` takes."""

    alias: str
    company: Company
    roles: tuple[str, ...]
    password: str

    @property
    def username(self) -> str:
        """The name to log in with."""
        return f"{self.alias}@demo"

    @property
    def has_second_factor(self) -> bool:
        """Whether logging in takes a code."""
        return mfa_required(self.roles)


@cache
def everybody() -> tuple[Person, ...]:
    """All demo people."""
    return tuple(_read(json.loads(files("ops").joinpath("people.json").read_text())))


def find(alias: str) -> Person:
    """The person of this alias; OpsError when there is none."""
    for person in everybody():
        if person.alias == alias:
            return person
    names = ", ".join(person.alias for person in everybody())
    raise OpsError(f"There is no demo user {alias}. There are: {names}.", code=2)


def with_second_factor() -> list[str]:
    """The usernames of those who need a code."""
    return [person.username for person in everybody() if person.has_second_factor]


def _read(companies: list[dict[str, Any]]) -> Iterator[Person]:
    for entry in companies:
        company = Company(name=entry["name"], kind=entry["kind"])
        for person in entry["people"]:
            yield Person(
                alias=person["alias"],
                company=company,
                roles=tuple(person["roles"]),
                password=person["password"],
            )
