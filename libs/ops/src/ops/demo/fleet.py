"""Trucks and drivers for the demo. Each time new ones, since those of before may still be busy."""

from datetime import UTC, datetime, timedelta
from random import SystemRandom
from typing import Any

from booking.fleets.kinds import DocumentKind
from ops.demo.facts import TruckFacts
from ops.demo.people import People

_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
_NAMES = ("Ramesh Mahto", "Suresh Yadav", "Abdul Karim")
_random = SystemRandom()


def register_trucks(people: People, alias: str, *, count: int, load_mt: float) -> list[TruckFacts]:
    """So many trucks of the person's fleet, ready for the road, each with a driver."""
    return [_register(people, alias, number, load_mt) for number in range(count)]


def _register(people: People, alias: str, number: int, load_mt: float) -> TruckFacts:
    good_until = (datetime.now(UTC) + timedelta(days=365)).date().isoformat()
    truck = people.post(alias, "/v1/trucks", _truck(load_mt))
    for kind in DocumentKind:
        paper = {"number": f"DEMO-{_digits(8)}", "expires_on": good_until}
        own = f"/v1/trucks/{truck['truck_id']}"
        truck = people.put(alias, f"{own}/documents/{kind}", paper, of=own, seen=truck["version"])
    driver = people.post(
        alias,
        "/v1/drivers",
        {
            "name": _NAMES[number % len(_NAMES)],
            "phone": f"+919{_digits(9)}",
            "licence_number": f"JH102015{_digits(7)}",
            "licence_classes": ["HMV"],
            "licence_expires_on": good_until,
        },
    )
    return TruckFacts(
        registration=truck["registration_number"],
        truck_id=truck["truck_id"],
        tenant_id=truck["tenant_id"],
        driver_id=driver["driver_id"],
        load_mt=load_mt,
    )


def _truck(load_mt: float) -> dict[str, Any]:
    series = "".join(_random.choices(_LETTERS, k=2))
    return {
        "registration_number": f"JH10{series}{_random.randint(1, 9999):04}",
        "truck_type": "tipper",
        "capacity_mt": load_mt,
        "materials": ["coal"],
    }


def _digits(count: int) -> str:
    return "".join(_random.choices("0123456789", k=count))
