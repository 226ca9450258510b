from collections.abc import Iterable

from sqlalchemy.orm import DeclarativeBase

from chassis.db import COLUMN_TYPES, new_metadata


class Base(DeclarativeBase):
    """The tables of this service."""

    metadata = new_metadata()
    type_annotation_map = COLUMN_TYPES


def one_of(column: str, values: Iterable[str]) -> str:
    """SQL that holds when the column has one of these values."""
    return f"{column} IN ({_literals(values)})"


def subset_of(column: str, values: Iterable[str]) -> str:
    """SQL that holds when every element of the array column is one of these values."""
    return f"{column} <@ ARRAY[{_literals(values)}]::text[]"


def _literals(values: Iterable[str]) -> str:
    return ", ".join(f"'{value}'" for value in values)
