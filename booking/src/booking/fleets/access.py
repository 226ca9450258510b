"""Whose trucks and drivers a caller reaches, and what the database's refusals mean."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from sqlalchemy import ColumnElement, false, true
from sqlalchemy.exc import IntegrityError

from booking.fleets.models import Driver, Truck
from chassis.access import Grant, Scope
from chassis.errors import DomainError


def reached_by(grant: Grant, table: type[Truck | Driver]) -> ColumnElement[bool]:
    """Which rows a grant reaches, as a condition for the query."""
    match grant.scope:
        case Scope.ALL:
            return true()
        case Scope.TENANT:
            return table.tenant_id == grant.principal.tenant_id
        case Scope.OWN | Scope.ASSIGNED:
            # A fleet's things are the fleet's, and nobody's in particular.
            return false()


@asynccontextmanager
async def refused_as(refusals: Mapping[str, type[DomainError]]) -> AsyncGenerator[None]:
    """Raise the error that stands for the constraint by which the database refuses."""
    try:
        yield
    except IntegrityError as error:
        cause = error.orig.__cause__ if error.orig is not None else None
        refusal = refusals.get(getattr(cause, "constraint_name", ""))
        if refusal is None:
            raise
        raise refusal from error
