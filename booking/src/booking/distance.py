"""How far a truck has to drive: behind a protocol, since a road network may answer one day."""

import math
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Final, NamedTuple, Protocol

# Arithmetic mean radius of the GRS 80 ellipsoid, (2a + b) / 3: H. Moritz, "Geodetic Reference
# System 1980", Journal of Geodesy 74 (2000).
MEAN_EARTH_RADIUS_M: Final = 6_371_008.8

# Freight is priced by tenths of a kilometre; more digits would claim what an estimate can't know.
STEP_M: Final = 100


class Point(NamedTuple):
    """WGS 84 degrees: north and east are positive."""

    lat: float
    lng: float


class Distance(Protocol):
    """Measures roads.

    Synchronous and pure: an implementation that asks a network has to do so before the
    transaction begins, and then gives this a table of answers.
    """

    @property
    def method(self) -> str:
        """What a price keeps to say how its distance was measured, parameters included."""
        ...

    def between(self, pickup: Point, drop: Point) -> int:
        """Length of the road in metres, a multiple of `STEP_M`; 0 when it is nearer 0 than that."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class GreatCircle:
    """The shortest line over the globe, times a factor for the bends of real roads."""

    road_factor: Decimal

    @property
    def method(self) -> str:
        return f"great-circle*{self.road_factor}"

    def between(self, pickup: Point, drop: Point) -> int:
        steps = Decimal(great_circle_m(pickup, drop)) * self.road_factor / STEP_M
        return int(steps.to_integral_value(rounding=ROUND_HALF_UP)) * STEP_M


def great_circle_m(a: Point, b: Point) -> float:
    """Metres over a sphere of the mean radius, by the haversine formula."""
    lat_a, lat_b = math.radians(a.lat), math.radians(b.lat)
    half_lat = (lat_b - lat_a) / 2
    half_lng = math.radians(b.lng - a.lng) / 2
    chord = math.sin(half_lat) ** 2 + math.cos(lat_a) * math.cos(lat_b) * math.sin(half_lng) ** 2
    # Rounding may carry opposite points a hair over 1, where asin is undefined.
    return 2 * MEAN_EARTH_RADIUS_M * math.asin(math.sqrt(min(1.0, chord)))
