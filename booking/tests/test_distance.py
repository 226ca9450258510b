import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booking.distance import MEAN_EARTH_RADIUS_M, STEP_M, GreatCircle, Point, great_circle_m

DELHI = Point(28.6139, 77.2090)
MUMBAI = Point(19.0760, 72.8777)

points = st.builds(
    Point,
    st.floats(-90, 90, allow_nan=False),
    st.floats(-180, 180, allow_nan=False),
)
road = GreatCircle(road_factor=Decimal("1.3"))


@pytest.mark.parametrize(
    ("a", "b", "part_of_circle"),
    [
        (Point(0, 0), Point(0, 1), 1 / 360),
        (Point(0, 0), Point(1, 0), 1 / 360),
        (Point(0, 179.5), Point(0, -179.5), 1 / 360),
        (Point(90, 0), Point(-90, 0), 1 / 2),
        (Point(0, 0), Point(0, 180), 1 / 2),
        (Point(10, 20), Point(-10, -160), 1 / 2),
        (Point(0, 0), Point(90, 123), 1 / 4),
    ],
)
def test_known_arcs(a: Point, b: Point, part_of_circle: float) -> None:
    circle = 2 * math.pi * MEAN_EARTH_RADIUS_M
    assert great_circle_m(a, b) == pytest.approx(circle * part_of_circle, abs=0.5)


def test_delhi_to_mumbai_by_road() -> None:
    assert road.between(DELHI, MUMBAI) == 1_492_500
    assert road.method == "great-circle*1.3"


def test_longitude_means_nothing_at_a_pole() -> None:
    assert road.between(Point(90, 0), Point(90, 120)) == 0


def test_halves_of_a_step_go_up() -> None:
    straight = Decimal(great_circle_m(DELHI, MUMBAI))
    just_under = GreatCircle(road_factor=Decimal("149.99") / straight)
    just_over = GreatCircle(road_factor=Decimal("150.01") / straight)
    assert just_under.between(DELHI, MUMBAI) == 100
    assert just_over.between(DELHI, MUMBAI) == 200


@given(points, points)
def test_any_two_points_have_a_distance(a: Point, b: Point) -> None:
    metres = road.between(a, b)
    half_circle = math.pi * MEAN_EARTH_RADIUS_M
    assert 0 <= metres <= half_circle * 1.3 + STEP_M
    assert metres % STEP_M == 0
    assert metres == road.between(b, a)


@given(points)
def test_nothing_lies_between_a_point_and_itself(a: Point) -> None:
    assert road.between(a, a) == 0
