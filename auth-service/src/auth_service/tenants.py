"""Administration of tenants."""

from uuid import UUID

from sqlalchemy import Select, false, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from auth_service import journal
from auth_service.client import Client
from auth_service.grants import end_sessions
from auth_service.models import Tenant, User
from auth_service.realm import Realm
from auth_service.schemas import TenantChange, TenantCreate, TenantView
from chassis.access import Grant, Scope
from chassis.errors import Conflict, NotFound
from chassis.etags import IfMatch
from chassis.ids import new_id
from chassis.pagination import Key, Page, keyset, page_of


class TenantNameTaken(Conflict):
    """Another tenant has this name."""

    type = "tenant-name-taken"
    title = "A tenant of this name exists"


class OwnTenant(Conflict):
    """Suspending the own tenant would lock the caller out."""

    type = "own-tenant"
    title = "You belong to this tenant"


async def create_tenant(
    tx: AsyncSession, *, realm: Realm, grant: Grant, wanted: TenantCreate, client: Client
) -> Tenant:
    """A new, active tenant; only for who may see all of them."""
    if grant.scope is not Scope.ALL:
        raise NotFound
    now = realm.clock()
    tenant = Tenant(id=new_id(), name=wanted.name, kind=wanted.kind, created_at=now, updated_at=now)
    tx.add(tenant)
    await _flush(tx)
    await _audit(tx, "tenant.create", grant, tenant, client, kind=tenant.kind)
    return tenant


async def list_tenants(
    tx: AsyncSession, *, grant: Grant, cursor: str | None, limit: int
) -> Page[TenantView]:
    """The tenants that the caller may see, newest first."""
    statement = keyset(
        visible(grant), at=Tenant.created_at, row_id=Tenant.id, cursor=cursor, limit=limit
    )
    return page_of(
        (await tx.scalars(statement)).all(),
        limit=limit,
        key=lambda row: Key(row.created_at, row.id),
        render=TenantView.model_validate,
    )


async def find_tenant(tx: AsyncSession, *, grant: Grant, tenant_id: UUID) -> Tenant:
    """A tenant that the caller may see; raises NotFound for others as for none."""
    tenant = await tx.scalar(visible(grant).where(Tenant.id == tenant_id))
    if tenant is None:
        raise NotFound
    return tenant


async def change_tenant(
    tx: AsyncSession,
    *,
    realm: Realm,
    grant: Grant,
    tenant_id: UUID,
    wanted: TenantChange,
    seen: IfMatch,
    client: Client,
) -> Tenant:
    """Rename, suspend or activate. Suspending ends every session of the tenant's users."""
    tenant = await tx.scalar(visible(grant).where(Tenant.id == tenant_id).with_for_update())
    if tenant is None:
        raise NotFound
    seen.require(tenant.version)
    if wanted.status == "suspended" and tenant.id == grant.principal.tenant_id:
        raise OwnTenant
    now = realm.clock()
    tenant.name = wanted.name or tenant.name
    tenant.status = wanted.status or tenant.status
    tenant.version += 1
    tenant.updated_at = now
    await _flush(tx)
    if wanted.status == "suspended":
        users = (await tx.scalars(select(User.id).where(User.tenant_id == tenant.id))).all()
        await end_sessions(tx, users, reason="suspended", now=now)
    changed = sorted(wanted.model_fields_set)
    await _audit(tx, "tenant.change", grant, tenant, client, changed=changed, status=tenant.status)
    return tenant


def visible(grant: Grant) -> Select[Tenant]:
    """The tenants within the grant's scope."""
    match grant.scope:
        case Scope.ALL:
            return select(Tenant)
        case Scope.TENANT:
            return select(Tenant).where(Tenant.id == grant.principal.tenant_id)
        case _:
            return select(Tenant).where(false())


async def _flush(tx: AsyncSession) -> None:
    try:
        await tx.flush()
    except IntegrityError as error:
        raise TenantNameTaken from error


async def _audit(
    tx: AsyncSession,
    action: str,
    grant: Grant,
    tenant: Tenant,
    client: Client,
    **details: object,
) -> None:
    await journal.administered(
        tx,
        action,
        principal=grant.principal,
        target=f"tenant/{tenant.id}",
        tenant_id=tenant.id,
        client=client,
        **details,
    )
