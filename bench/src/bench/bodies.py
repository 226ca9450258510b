"""What is booked: bodies as clients send them, the same ones in every run."""

import json
from collections.abc import Sequence
from itertools import product

from contracts.booking import Material

# A prime, so that tokens and bodies taken in turn meet in every combination.
BODIES = 61

_PLACES = (
    (23.7957, 86.4304, "Jharia coalfield, siding 7, Dhanbad"),
    (22.5726, 88.3639, "Budge Budge power station, Kolkata"),
    (21.2514, 81.6296, "Siltara steel yard, gate 4, Raipur"),
    (21.1458, 79.0882, "Butibori industrial area, Nagpur"),
    (15.1394, 76.9214, "Donimalai iron ore mine, Ballari"),
    (15.4909, 73.8278, "Mormugao harbour, berth 9, Goa"),
    (26.2389, 73.0243, "Sojat limestone quarry, Jodhpur"),
    (28.6139, 77.2090, "Okhla cement depot, New Delhi"),
    (30.9010, 75.8573, "Khanna grain market, Ludhiana"),
    (19.0760, 72.8777, "Sewri fertilizer godown, Mumbai"),
    (17.6868, 83.2185, "Gangavaram port, Visakhapatnam"),
    (13.0827, 80.2707, "Ennore coal berth, Chennai"),
)
_QUANTITIES = (1, 12.5, 27, 40.25, 96, 120.5, 250, 333.333, 500, 760, 1000)


def bodies(count: int = BODIES) -> Sequence[bytes]:
    """The first `count` bodies of `POST /v1/booking`; no two are alike."""
    ways = [(a, b) for a, b in product(_PLACES, repeat=2) if a != b]
    return [_body(number, ways[number * 7 % len(ways)]) for number in range(count)]


def _body(number: int, way: tuple[tuple[float, float, str], tuple[float, float, str]]) -> bytes:
    materials = tuple(Material)
    document = {
        "pickup_location": _location(way[0]),
        "drop_location": _location(way[1]),
        "material_type": materials[number % len(materials)],
        "quantity_mt": _QUANTITIES[number % len(_QUANTITIES)],
    }
    return json.dumps(document, separators=(",", ":")).encode()


def _location(place: tuple[float, float, str]) -> dict[str, object]:
    lat, lng, address = place
    return {"lat": lat, "lng": lng, "address": address}
