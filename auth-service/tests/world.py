"""The service under test, with people in it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from argon2 import PasswordHasher
from sqlalchemy import select, text

from auth_service import opaque, totp
from auth_service.enrolment import totp_credential
from auth_service.keys import PURPOSE
from auth_service.models import (
    RecoveryCode,
    ServiceClient,
    SigningKey,
    Tenant,
    User,
    UserSession,
)
from auth_service.realm import Realm
from auth_service.settings import AuthSettings
from auth_service.users import new_user
from chassis.ids import new_id
from chassis.testing.issuer import key_pair
from chassis.tokens import public_jwk
from contracts.permissions import TenantKind

PASSWORD = "velvet otter rides at dawn"
WRONG = "velvet otter rides at dusk"
HOME = "203.0.113.7"
ELSEWHERE = "198.51.100.9"
PHONE = "phone-0123456789"


class Clock:
    """Stands still at the real time of its making until a test moves it."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **span: float) -> None:
        self.now += timedelta(**span)


def cheap_settings(master_key_file: Path, **changes: Any) -> AuthSettings:
    return AuthSettings.model_validate(
        {
            "database_url": "postgresql+asyncpg://nobody@127.0.0.1/unused",
            "master_key_file": master_key_file,
            "argon2_memory_kib": 8,
            "argon2_rounds": 1,
            "signing_key_bits": 2048,
            "source_free_failures": 12,
            "admin_networks": [f"{HOME}/32", "127.0.0.0/8"],
            **changes,
        }
    )


@cache
def cheap_hash(password: str) -> str:
    return PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(password)


async def add_signing_key(realm: Realm, name: str = "test") -> str:
    """A key that signs now, without the cost of making one."""
    private, public = key_pair(name)
    now = realm.clock()
    async with realm.database.begin() as tx:
        tx.add(
            SigningKey(
                kid=name,
                sealed_private=realm.vault.seal(private.encode(), purpose=PURPOSE, owner=name),
                public_jwk=public_jwk(public, kid=name),
                created_at=now,
                activates_at=now,
            )
        )
    return name


@dataclass(frozen=True, kw_only=True)
class Somebody:
    """A user, and what only that user knows."""

    id: UUID
    tenant_id: UUID
    username: str
    totp_secret: str | None = None
    recovery_code: str | None = None


@dataclass(frozen=True, kw_only=True)
class World:
    http: httpx.AsyncClient
    realm: Realm
    clock: Clock

    async def tenant(self, kind: TenantKind = "shipper", name: str = "") -> Tenant:
        now = self.realm.clock()
        tenant_id = new_id()
        tenant = Tenant(
            id=tenant_id,
            name=name or f"{kind} {tenant_id}",
            kind=kind,
            created_at=now,
            updated_at=now,
        )
        async with self.realm.database.begin() as tx:
            tx.add(tenant)
        return tenant

    async def user(
        self,
        *roles: str,
        tenant: Tenant | None = None,
        username: str = "",
        second_factor: bool = False,
    ) -> Somebody:
        """A user with these roles, of a fitting tenant; a shipper unless told otherwise."""
        held = list(roles) or ["shipper"]
        tenant = tenant or await self._tenant_for(held)
        name = username or f"u-{new_id()}"
        user = new_user(self.realm, tenant, username=name, hashed=cheap_hash(PASSWORD), roles=held)
        secret = totp.new_secret() if second_factor else None
        code = opaque.new_recovery_codes()[0] if second_factor else None
        async with self.realm.database.begin() as tx:
            tx.add(user)
            await tx.flush()
            if secret and code:
                credential = totp_credential(self.realm, user.id, secret)
                credential.confirmed_at, credential.last_step = self.realm.clock(), totp.NO_STEP
                hashed = opaque.recovery_digest(code)
                now = self.realm.clock()
                tx.add(credential)
                tx.add(RecoveryCode(user_id=user.id, code_hash=hashed, created_at=now))
        return Somebody(
            id=user.id,
            tenant_id=tenant.id,
            username=name,
            totp_secret=secret,
            recovery_code=code,
        )

    async def service(self, client_id: str, secret: str) -> ServiceClient:
        platform = await self.platform()
        now = self.realm.clock()
        client = ServiceClient(
            id=new_id(),
            client_id=client_id,
            tenant_id=platform.id,
            secret_hash=opaque.digest(secret),
            roles=["service"],
            created_at=now,
            updated_at=now,
        )
        async with self.realm.database.begin() as tx:
            tx.add(client)
        return client

    async def platform(self) -> Tenant:
        async with self.realm.database.begin() as tx:
            found = await tx.scalar(select(Tenant).where(Tenant.kind == "platform"))
        return found or await self.tenant("platform")

    async def _tenant_for(self, roles: list[str]) -> Tenant:
        kind = _kind_for(roles)
        return await (self.platform() if kind == "platform" else self.tenant(kind))

    async def post(
        self,
        path: str,
        body: object = None,
        *,
        token: str | None = None,
        device: str | None = None,
        source: str = HOME,
        **headers: str,
    ) -> httpx.Response:
        sent = {"X-Forwarded-For": source, **headers}
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        if device is not None:
            sent["X-Device-Id"] = device
        return await self.http.post(path, json=body, headers=sent)

    async def get(self, path: str, token: str, **params: Any) -> httpx.Response:
        return await self.http.get(
            path, params=params, headers={"Authorization": f"Bearer {token}"}
        )

    async def patch(
        self, path: str, body: object, *, token: str, version: int = 1
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}", "If-Match": f'"{version}"'}
        return await self.http.patch(path, json=body, headers=headers)

    async def login(
        self,
        somebody: Somebody | str,
        password: str = PASSWORD,
        *,
        device: str | None = None,
        source: str = HOME,
    ) -> httpx.Response:
        username = somebody if isinstance(somebody, str) else somebody.username
        body = {"username": username, "password": password}
        return await self.post("/auth/login", body, device=device, source=source)

    async def refresh(
        self, token: str, *, device: str | None = None, source: str = HOME
    ) -> httpx.Response:
        body = {"refresh_token": token}
        return await self.post("/auth/refresh", body, device=device, source=source)

    async def answer(
        self, challenge: str, code: str, *, device: str | None = None, source: str = HOME
    ) -> httpx.Response:
        body = {"challenge": challenge, "code": code}
        return await self.post("/auth/mfa", body, device=device, source=source)

    async def challenge(self, somebody: Somebody) -> str:
        answer = await self.login(somebody)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["challenge"])

    def code(self, secret: str | None, *, steps: int = 0) -> str:
        """The code that an app shows now, or some steps of 30 s from now."""
        assert secret is not None
        return totp.code_at(secret, self.clock() + timedelta(seconds=steps * totp.STEP_SECONDS))

    async def tokens(self, somebody: Somebody, *, device: str | None = None) -> dict[str, Any]:
        """Tokens of somebody who logs in, second factor included."""
        answer = await self.login(somebody, device=device)
        assert answer.status_code == 200, answer.text
        if "challenge" in answer.json():
            # Each code is good once, and a test may log in several times.
            self.clock.advance(seconds=totp.STEP_SECONDS)
            code = self.code(somebody.totp_secret)
            answer = await self.answer(answer.json()["challenge"], code, device=device)
            assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def token(self, *roles: str, tenant: Tenant | None = None) -> str:
        """An access token of a new user with these roles."""
        second_factor = _kind_for(list(roles)) == "platform" or "admin" in roles
        somebody = await self.user(*roles, tenant=tenant, second_factor=second_factor)
        return str((await self.tokens(somebody))["access_token"])

    async def sessions(self, somebody: Somebody) -> list[UserSession]:
        """All sessions, oldest first."""
        wanted = select(UserSession).where(UserSession.user_id == somebody.id)
        async with self.realm.database.begin() as tx:
            rows = await tx.scalars(wanted.order_by(UserSession.created_at, UserSession.id))
            return list(rows.all())

    async def stored(self, somebody: Somebody) -> User:
        async with self.realm.database.begin() as tx:
            return await tx.get_one(User, somebody.id)

    async def audited(self, somebody: Somebody | None = None) -> list[tuple[str, str]]:
        """Actions and outcomes in the audit, oldest first; of one user if named."""
        statement = text("SELECT action, outcome, target FROM audit_log ORDER BY id")
        async with self.realm.database.begin() as tx:
            rows = (await tx.execute(statement)).all()
        wanted = None if somebody is None else f"user/{somebody.id}"
        return [(row.action, row.outcome) for row in rows if wanted in (None, row.target)]


def problem(answer: httpx.Response) -> str:
    """The slug of a problem document."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return str(answer.json()["type"]).removeprefix("https://ubertruck.in/problems/")


def _kind_for(roles: list[str]) -> TenantKind:
    if {"super_admin", "operator", "finance"} & set(roles):
        return "platform"
    return "fleet" if {"driver", "fleet_owner"} & set(roles) else "shipper"
