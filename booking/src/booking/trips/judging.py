"""What endpoints judge trips by, as they ask for it in their signatures."""

from typing import Annotated, cast

from fastapi import Depends, Request

from booking.trips.access import Road


async def _road(request: Request) -> Road:
    return cast(Road, request.app.state.road)


async def _km_per_day(road: Annotated[Road, Depends(_road)]) -> int:
    return road.rules.current().rules.km_per_day


Judged = Annotated[Road, Depends(_road)]
# 503 `configuration-unavailable` when there are no rules.
KmPerDay = Annotated[int, Depends(_km_per_day)]
