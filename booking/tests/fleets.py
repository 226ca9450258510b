"""Fleets for tests: what is sent, and rows that tests put into the database themselves."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any
from uuid import uuid4

import httpx

from booking.fleets.kinds import DocumentKind, TruckType
from booking.fleets.models import Driver, Truck, TruckDocument
from chassis.ids import new_id

from .factories import Caller

FLEET = ("fleet:*", "booking:read", "payment:read", "tracking:read")
FAR = date(2090, 1, 1)
_numbers = count(1)


def registration() -> str:
    return f"JH10AB{next(_numbers):04d}"


def licence() -> str:
    return f"JH102011{next(_numbers):07d}"


def new_truck(**changes: Any) -> dict[str, Any]:
    return {
        "registration_number": registration(),
        "truck_type": "tipper",
        "capacity_mt": 25.5,
        "materials": ["coal", "sand"],
        **changes,
    }


def new_driver(**changes: Any) -> dict[str, Any]:
    return {
        "name": "Ramesh Kumar",
        "phone": "+919876543210",
        "licence_number": licence(),
        "licence_classes": ["HMV"],
        "licence_expires_on": "2090-01-01",
        **changes,
    }


def absence(begin: datetime, hours: float = 8, reason: str = "maintenance") -> Mapping[str, str]:
    until = begin + timedelta(hours=hours)
    return {"reason": reason, "begin": begin.isoformat(), "until": until.isoformat()}


def member(**changes: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    values = {"id": new_id(), "tenant_id": uuid4(), "version": 1}
    return {**values, "created_at": now, "updated_at": now, "retired_at": None, **changes}


def truck_row(*, expires_on: date = FAR, **changes: Any) -> Truck:
    """A truck with all its documents."""
    values = {
        "registration_number": registration(),
        "truck_type": TruckType.TIPPER,
        "capacity_mt": Decimal("25.5"),
        "materials": ["coal", "sand"],
        "states": [],
        "documents": [
            TruckDocument(kind=kind, number=f"{kind}-1", expires_on=expires_on)
            for kind in DocumentKind
        ],
    }
    return Truck(**{**values, **member(**changes)})


def driver_row(**changes: Any) -> Driver:
    values = {
        "name": "Ramesh Kumar",
        "phone": "+919876543210",
        "licence_number": licence(),
        "licence_classes": ["HMV"],
        "licence_expires_on": FAR,
        "subject": None,
    }
    return Driver(**{**values, **member(**changes)})


async def send(
    caller: Caller, method: str, path: str, body: object = None, **headers: str
) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await caller.client.request(method, path, headers={**caller.headers, **named}, json=body)


async def registered(caller: Caller, what: str = "truck", **changes: Any) -> dict[str, Any]:
    """A truck or driver of the caller's fleet, as answered."""
    body = new_truck(**changes) if what == "truck" else new_driver(**changes)
    response = await caller.post(f"/v1/{what}s", body)
    assert response.status_code == 201, response.text
    return response.json()
