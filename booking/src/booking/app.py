"""The one place where booking is put together."""

from collections.abc import Sequence
from datetime import timedelta

from fastapi import FastAPI

from booking.distance import GreatCircle
from booking.endpoints import Offer, router
from booking.service import Pricer
from booking.settings import BookingSettings
from booking.tariff import PricingSource, Tariffs
from chassis.app import Resource
from chassis.app import create_app as assemble
from chassis.db import Database
from chassis.tokens import KeySource
from contracts.permissions import OPEN_SCOPES


def create_app(
    settings: BookingSettings,
    database: Database,
    *,
    source: PricingSource,
    keys: KeySource | None = None,
    resources: Sequence[Resource] = (),
) -> FastAPI:
    """Booking over this database, with the prices that `source` knows."""
    app = assemble(
        name="booking",
        title="Booking",
        description="Quotes and bookings of bulk freight. Money is in paise.",
        settings=settings,
        database=database,
        routers=[router],
        open_scopes=OPEN_SCOPES,
        keys=keys,
        resources=resources,
    )
    app.state.offer = Offer(
        pricer=Pricer(
            tariffs=Tariffs(source), distance=GreatCircle(road_factor=settings.road_factor)
        ),
        quote_validity=timedelta(minutes=settings.quote_minutes),
    )
    return app
