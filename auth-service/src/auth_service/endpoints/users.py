"""Users, for administrators."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from auth_service import users
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
from auth_service.schemas import UserChange, UserCreate, UserView
from chassis.access import Grant, requires
from chassis.errors import Conflict, Invalid, NotFound, problems
from chassis.etags import etag
from chassis.pagination import CursorParam, Limit, Page
from chassis.routing import StrictRoute

router = APIRouter(prefix="/auth/users", tags=["administration"], route_class=StrictRoute)

Creator = Annotated[Grant, requires("user", "create")]
Reader = Annotated[Grant, requires("user", "read")]
Writer = Annotated[Grant, requires("user", "update")]


@router.post(
    "",
    status_code=201,
    responses={**problems(*WRITES, NotFound, Conflict, Invalid), 201: {"headers": ETAG}},
)
async def create_user(
    realm: InRealm,
    _caller: Caller,
    grant: Creator,
    client: FromClient,
    body: UserCreate,
    response: Response,
) -> UserView:
    """Create a user, active at once.

    The username is what makes it safe to repeat: the second time it is taken (409).
    """
    user = await users.create_user(realm=realm, grant=grant, wanted=body, client=client)
    response.headers["ETag"] = etag(user.version)
    return user


@router.get("", responses=problems(*READS))
async def list_users(
    realm: InRealm,
    _caller: Caller,
    grant: Reader,
    tenant_id: Annotated[UUID | None, Query(description="Only users of this tenant")] = None,
    cursor: CursorParam = None,
    limit: Limit = 50,
) -> Page[UserView]:
    """List users, newest first; for a tenant's administrator, those of the own tenant."""
    return await users.list_users(
        realm=realm, grant=grant, tenant_id=tenant_id, cursor=cursor, limit=limit
    )


@router.get("/{user_id}", responses={**problems(*READS, NotFound), 200: {"headers": ETAG}})
async def find_user(
    realm: InRealm, _caller: Caller, grant: Reader, user_id: UUID, response: Response
) -> UserView:
    """Read a user."""
    user = await users.find_user(realm=realm, grant=grant, user_id=user_id)
    response.headers["ETag"] = etag(user.version)
    return user


@router.patch(
    "/{user_id}", responses={**problems(*CHANGES, Conflict, Invalid), 200: {"headers": ETAG}}
)
async def change_user(
    realm: InRealm,
    _caller: Caller,
    grant: Writer,
    client: FromClient,
    seen: SeenVersion,
    user_id: UUID,
    body: UserChange,
    response: Response,
) -> UserView:
    """Change roles, status, password, second factor or device of somebody else.

    Each of these ends the user's sessions.
    """
    user = await users.change_user(
        realm=realm, grant=grant, user_id=user_id, wanted=body, seen=seen, client=client
    )
    response.headers["ETag"] = etag(user.version)
    return user
