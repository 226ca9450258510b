"""Access tokens of shippers who exist only here, signed by the running platform's own key."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from uuid import NAMESPACE_URL, UUID, uuid5

from auth_service.client import Client
from auth_service.grants import access_claims
from auth_service.keys import SigningKeys
from auth_service.settings import AuthSettings
from auth_service.vault import Vault
from chassis.db import Database
from chassis.tokens import Signer
from ops.ports import LOOPBACK
from ops.services import AUDIENCE, AUTH, ISSUER, Layout

SHIPPERS = 200
LIFETIME = timedelta(hours=6)
ROLES = ("shipper",)


@dataclass(frozen=True, kw_only=True)
class Shipper:
    """Somebody who books, and the company that the bookings belong to."""

    subject: UUID
    tenant_id: UUID


@dataclass(frozen=True, kw_only=True)
class Token:
    """A bearer token and whom it speaks for."""

    shipper: Shipper
    text: str


def shipper(number: int) -> Shipper:
    """The same shipper for the same number, in every run; each in a tenant of its own."""
    return Shipper(subject=_name(f"shipper/{number}"), tenant_id=_name(f"tenant/{number}"))


async def mint(
    layout: Layout, *, count: int = SHIPPERS, lifetime: timedelta = LIFETIME
) -> Sequence[Token]:
    """One token each for the first `count` shippers; edge and services believe them.

    The platform has to have run on the layout's folder once, and Postgres has to run now.
    """
    return await mint_for(layout, [shipper(number) for number in range(count)], lifetime=lifetime)


async def mint_for(
    layout: Layout,
    people: Sequence[Shipper],
    *,
    roles: Sequence[str] = ROLES,
    lifetime: timedelta = LIFETIME,
) -> Sequence[Token]:
    """One token each for these people, in these roles; see `mint`."""
    url = layout.database_url(AUTH)
    settings = AuthSettings.model_validate(
        {"database_url": url, "token_issuer": ISSUER, "token_audience": AUDIENCE}
    )
    database = Database.connect(url, name="bench", pool_size=1)
    try:
        vault = Vault.from_file(layout.credentials.master_key_file)
        signer = await signer_of(database, vault)
    finally:
        await database.dispose()

    def sign(who: Shipper) -> str:
        return signer.sign(claims_of(who, settings=settings, roles=roles, lifetime=lifetime))

    return [Token(shipper=who, text=sign(who)) for who in people]


async def signer_of(database: Database, vault: Vault) -> Signer:
    """The key that auth-service signs with now, out of its database."""
    keys = SigningKeys(database, clock=lambda: datetime.now(UTC))
    await keys.look()
    return await keys.signer(vault)


def claims_of(
    who: Shipper,
    *,
    settings: AuthSettings,
    roles: Sequence[str] = ROLES,
    lifetime: timedelta,
) -> Mapping[str, object]:
    """What auth-service would say of somebody in these roles after a login."""
    return access_claims(
        settings=settings,
        subject=who.subject,
        tenant_id=who.tenant_id,
        roles=roles,
        client=Client(address=IPv4Address(LOOPBACK)),
        session_id=_name(f"session/{who.subject}"),
        issued_at=datetime.now(UTC),
        life=lifetime,
    )


def _name(path: str) -> UUID:
    return uuid5(NAMESPACE_URL, f"https://bench.ubertruck.in/{path}")
