"""The one place where booking is put together."""

import hmac
import secrets
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

from fastapi import FastAPI

from booking.assignment.endpoints import router as board
from booking.assignment.rest import expire_rests
from booking.bids.endpoints import router as bids
from booking.bids.lapse import lapse_bids
from booking.cancellation import CANCELLATION, CancellationTerms
from booking.distance import GreatCircle
from booking.dry_run_endpoints import router as dry_run
from booking.endpoints import Offer, hot, router
from booking.expiry import Expiry, Patience
from booking.fleets.driver_endpoints import router as drivers
from booking.fleets.expiry import tell_expired
from booking.fleets.truck_endpoints import router as trucks
from booking.models import BOOKINGS
from booking.service import Pricer
from booking.settings import booking_settings
from booking.tariff import PRICING, ConfigSource, Tariffs
from booking.trips.access import Road
from booking.trips.bill_endpoints import router as eway_bills
from booking.trips.endpoints import codes as trip_codes
from booking.trips.endpoints import router as trip_steps
from booking.trips.loss_endpoints import router as losses
from booking.trips.no_shows import call_off_no_shows
from booking.trips.read_endpoints import router as trips
from booking.trips.rules import TRIPS, RulesInForce
from chassis.app import Resource
from chassis.app import create_app as assemble
from chassis.audit_anchor import FileAnchor
from chassis.client_credentials import ClientCredentials
from chassis.config_client import ConfigClient
from chassis.db import Database
from chassis.group_commit import GroupCommit
from chassis.partitions import maintain_partitions
from chassis.sealer import Sealer
from chassis.settings import ServiceSettings
from chassis.tokens import KeySource
from chassis.worker import Job
from contracts.permissions import OPEN_SCOPES

NAME: Final = "booking"
SEAL_SECONDS: Final = 1.0
UPKEEP_SECONDS: Final = 3600.0
EXPIRY_SECONDS: Final = 30.0
DOCUMENTS_SECONDS: Final = 600.0


def create_app(
    settings: ServiceSettings,
    database: Database,
    *,
    keys: KeySource | None = None,
    source: ConfigSource | None = None,
) -> FastAPI:
    """Booking over this database; `source` stands in for config-service."""
    own = booking_settings(settings)
    resources: list[Resource] = []
    if source is None:
        source = client = _config_client(own)
        resources.append(lambda: client.running(PRICING, CANCELLATION, TRIPS))
    commits = GroupCommit(database, BOOKINGS)
    resources.append(commits.running)
    app = assemble(
        name=NAME,
        title="Booking",
        description="Quotes and bookings of bulk freight. Money is in paise.",
        settings=own,
        database=database,
        routers=[
            router,
            hot,
            trucks,
            drivers,
            dry_run,
            trips,
            trip_steps,
            trip_codes,
            eway_bills,
            losses,
            board,
            bids,
        ],
        open_scopes=OPEN_SCOPES,
        keys=keys,
        resources=resources,
    )
    rules = RulesInForce(source)
    app.state.offer = Offer(
        pricer=Pricer(tariffs=Tariffs(source), distance=GreatCircle(road_factor=own.road_factor)),
        takes=rules.trip_time,
        cancellation=CancellationTerms(source),
        quote_validity=timedelta(minutes=own.quote_minutes),
        commits=commits,
    )
    app.state.road = Road(rules=rules, code_key=code_key(own.client_secret_file))
    return app


def create_jobs(settings: ServiceSettings, database: Database) -> Sequence[Job]:
    """What the worker does: seal audits, keep partitions, end what is over, tell of documents."""
    own = booking_settings(settings)
    patience = Patience(
        payment=timedelta(hours=own.payment_hours), cover=timedelta(days=own.cover_days)
    )
    sealer = Sealer(database, anchor=FileAnchor.within(settings.state_dir, NAME))

    async def upkeep() -> bool:
        return await maintain_partitions(database)

    async def expired_documents() -> bool:
        return await tell_expired(database)

    async def bids_over() -> bool:
        return await lapse_bids(database)

    async def rests() -> bool:
        return await expire_rests(database, patience)

    async def no_shows() -> bool:
        return await call_off_no_shows(database)

    return [
        Job(name="seal-audit", interval=SEAL_SECONDS, run=sealer.run),
        Job(name="maintain-partitions", interval=UPKEEP_SECONDS, run=upkeep),
        Job(name="expire-bookings", interval=EXPIRY_SECONDS, run=Expiry(database, patience).run),
        Job(name="lapse-bids", interval=EXPIRY_SECONDS, run=bids_over),
        Job(name="call-off-no-shows", interval=EXPIRY_SECONDS, run=no_shows),
        Job(name="expire-rests", interval=EXPIRY_SECONDS, run=rests),
        Job(name="expired-documents", interval=DOCUMENTS_SECONDS, run=expired_documents),
    ]


def code_key(secret: Path | None) -> bytes:
    """The key of one-time codes, from this service's own secret, which all its processes share.

    Without one, as in tests, codes are good for this process only.
    """
    if secret is None:
        return secrets.token_bytes(32)
    return hmac.digest(secret.read_bytes().strip(), b"ubertruck one-time codes of trips", "sha256")


def _config_client(settings: ServiceSettings) -> ConfigClient:
    return ConfigClient(
        settings.config_url,
        service=NAME,
        environment=settings.environment,
        token=ClientCredentials.from_settings(settings),
        cache_dir=settings.state_dir,
    )
