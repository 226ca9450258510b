"""Tenants, for administrators."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Response

from auth_service import tenants
from auth_service.endpoints.common import (
    CHANGES,
    ETAG,
    READS,
    WRITES,
    Caller,
    FromClient,
    InRealm,
    SeenVersion,
)
from auth_service.models import Tenant
from auth_service.schemas import TenantChange, TenantCreate, TenantView
from chassis.access import Grant, requires
from chassis.db import Session
from chassis.errors import Conflict, NotFound, problems
from chassis.etags import etag
from chassis.idempotency import IdempotentRoute
from chassis.pagination import CursorParam, Limit, Page

router = APIRouter(prefix="/auth/tenants", tags=["administration"], route_class=IdempotentRoute)

Creator = Annotated[Grant, requires("tenant", "create")]
Reader = Annotated[Grant, requires("tenant", "read")]
Writer = Annotated[Grant, requires("tenant", "update")]


@router.post(
    "",
    status_code=201,
    response_model=TenantView,
    responses={**problems(*WRITES, NotFound, Conflict), 201: {"headers": ETAG}},
)
async def create_tenant(
    tx: Session,
    realm: InRealm,
    _caller: Caller,
    grant: Creator,
    client: FromClient,
    body: TenantCreate,
    response: Response,
) -> Tenant:
    """Create a tenant, active at once. Honours Idempotency-Key."""
    tenant = await tenants.create_tenant(tx, realm=realm, grant=grant, wanted=body, client=client)
    response.headers["ETag"] = etag(tenant.version)
    return tenant


@router.get("", responses=problems(*READS))
async def list_tenants(
    tx: Session, _caller: Caller, grant: Reader, cursor: CursorParam = None, limit: Limit = 50
) -> Page[TenantView]:
    """List tenants, newest first; for a tenant's administrator, the own one."""
    return await tenants.list_tenants(tx, grant=grant, cursor=cursor, limit=limit)


@router.get(
    "/{tenant_id}",
    response_model=TenantView,
    responses={**problems(*READS, NotFound), 200: {"headers": ETAG}},
)
async def find_tenant(
    tx: Session, _caller: Caller, grant: Reader, tenant_id: UUID, response: Response
) -> Tenant:
    """Read a tenant."""
    tenant = await tenants.find_tenant(tx, grant=grant, tenant_id=tenant_id)
    response.headers["ETag"] = etag(tenant.version)
    return tenant


@router.patch(
    "/{tenant_id}",
    response_model=TenantView,
    responses={**problems(*CHANGES, Conflict), 200: {"headers": ETAG}},
)
async def change_tenant(
    tx: Session,
    realm: InRealm,
    _caller: Caller,
    grant: Writer,
    client: FromClient,
    seen: SeenVersion,
    tenant_id: UUID,
    body: TenantChange,
    response: Response,
) -> Tenant:
    """Rename, suspend or activate a tenant. Suspending ends the sessions of all its users."""
    tenant = await tenants.change_tenant(
        tx,
        realm=realm,
        grant=grant,
        tenant_id=tenant_id,
        wanted=body,
        seen=seen,
        client=client,
    )
    response.headers["ETag"] = etag(tenant.version)
    return tenant
