"""People who change configuration, and what they write."""

import json
from importlib.resources import files
from typing import Any
from uuid import uuid4

import httpx

from chassis.testing.issuer import Issuer
from config_service.addresses import Address
from config_service.callers import Caller
from config_service.plans import Wish
from contracts.permissions import ROLES

DEV = Address("booking", "dev", "limits/coal")
PRODUCTION = Address("booking", "production", "limits/coal")
TICKET = "CHG-20260001"


def pricing(**changes: Any) -> dict[str, Any]:
    """The pricing document that the service ships, with some members replaced."""
    text = files("config_service").joinpath("seeds", "booking-pricing.json").read_text("utf-8")
    return {**json.loads(text), **changes}


def a_caller(user_id: str = "asha") -> Caller:
    return Caller(user_id, "192.0.2.7")


def a_wish(address: Address = DEV, **changes: Any) -> Wish:
    members: dict[str, Any] = {
        "address": address,
        "action": "put",
        "change_ticket": TICKET,
        "data": {"tons": 20},
        **changes,
    }
    return Wish(**members)


def url_of(address: Address, *more: str) -> str:
    return "/".join(("/v1/config", *address, *more))


class Person:
    """Somebody with a role, at the keyboard."""

    def __init__(self, client: httpx.AsyncClient, issuer: Issuer, role: str = "operator") -> None:
        self.client = client
        self.user_id = str(uuid4())
        permissions = ROLES[role].permissions
        self.headers = issuer.bearer(
            roles=[role], permissions=permissions, subject=self.user_id, tenant_id=uuid4()
        )

    async def send(
        self, method: str, url: str, body: object = None, **headers: str
    ) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.request(method, url, json=body, headers={**self.headers, **named})

    async def get(self, address: Address, *more: str, **headers: str) -> httpx.Response:
        return await self.client.get(
            url_of(address, *more),
            headers={
                **self.headers,
                **{name.replace("_", "-"): value for name, value in headers.items()},
            },
        )

    async def seen(self, address: Address) -> dict[str, str]:
        """The precondition for a write that follows a look at what is active now."""
        found = await self.get(address)
        return {"If_Match": found.headers["etag"]} if found.is_success else {"If_None_Match": "*"}

    async def put(
        self,
        address: Address,
        data: object,
        *,
        ticket: str = TICKET,
        token: str | None = None,
        **headers: str,
    ) -> httpx.Response:
        body = {"data": data, "change_ticket": ticket}
        return await self._write("PUT", address, body, token, headers)

    async def delete(
        self, address: Address, *, ticket: str = TICKET, token: str | None = None, **headers: str
    ) -> httpx.Response:
        return await self._write("DELETE", address, {"change_ticket": ticket}, token, headers)

    async def roll_back(
        self,
        address: Address,
        to_version: int,
        *,
        ticket: str = TICKET,
        token: str | None = None,
        **headers: str,
    ) -> httpx.Response:
        body = {"to_version": to_version, "change_ticket": ticket}
        return await self._write("POST", address, body, token, headers, "rollback")

    async def propose(
        self,
        address: Address,
        *,
        ticket: str = TICKET,
        headers: dict[str, str] | None = None,
        **wish: object,
    ) -> httpx.Response:
        body = {"action": "put", "change_ticket": ticket, **wish}
        return await self._write("POST", address, body, None, headers or {}, "proposals")

    async def look_at(self, address: Address, proposal_id: str) -> httpx.Response:
        return await self.get(address, "proposals", proposal_id)

    async def approve(self, address: Address, proposal: dict[str, Any]) -> httpx.Response:
        url = url_of(address, "proposals", proposal["proposal_id"], "approve")
        return await self.send("POST", url, {"checksum": proposal["checksum"]})

    async def _write(
        self,
        method: str,
        address: Address,
        body: dict[str, object],
        token: str | None,
        headers: dict[str, str],
        *more: str,
    ) -> httpx.Response:
        if token is not None:
            body = {**body, "approval_token": token}
        preconditions = headers or await self.seen(address)
        return await self.send(method, url_of(address, *more), body, **preconditions)


async def approved(author: Person, approver: Person, address: Address, **wish: object) -> str:
    """The token that the approver issues for what the author proposes."""
    proposal = (await author.propose(address, **wish)).raise_for_status().json()
    (await approver.look_at(address, proposal["proposal_id"])).raise_for_status()
    issued = (await approver.approve(address, proposal)).raise_for_status()
    token: str = issued.json()["approval_token"]
    return token
