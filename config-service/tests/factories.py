"""People who change configuration, and what they write."""

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, cast
from uuid import uuid4

import httpx

from chassis.errors import DomainError
from chassis.testing.issuer import Issuer
from config_service.addresses import Address
from contracts.permissions import ROLES

DEV = Address("booking", "dev", "limits/coal")
PRODUCTION = Address("booking", "production", "limits/coal")
PRICING = Address("booking", "dev", "pricing")
CANCELLATION = Address("booking", "dev", "cancellation")
TRIPS = Address("booking", "dev", "trips")
TICKET = "CHG-20260001"
OTHER_TICKET = "CHG-20260002"

Body = Mapping[str, object]


def pricing(**changes: Any) -> dict[str, Any]:
    """The pricing document that the service ships, with some members replaced."""
    return {**seed("pricing"), **changes}


def seed(path: str) -> dict[str, Any]:
    """A document of booking's that the service ships."""
    file = files("config_service").joinpath("seeds", f"booking-{path}.json")
    return json.loads(file.read_text("utf-8"))


def url_of(address: Address, *more: str) -> str:
    return "/".join(("/v1/config", *address, *more))


def a_put(data: object, *, ticket: str = TICKET) -> dict[str, object]:
    """As the body of a PUT; with `action` also that of a proposal."""
    return {"data": data, "change_ticket": ticket}


def to_put(data: object, *, ticket: str = TICKET) -> dict[str, object]:
    return {"action": "put", **a_put(data, ticket=ticket)}


def to_delete(*, ticket: str = TICKET) -> dict[str, object]:
    return {"action": "delete", "change_ticket": ticket}


def to_roll_back(to_version: int, *, ticket: str = TICKET) -> dict[str, object]:
    return {"action": "rollback", "to_version": to_version, "change_ticket": ticket}


def error_type(answer: httpx.Response) -> str:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    document = answer.json()
    assert document["status"] == answer.status_code
    slug: str = document["type"].rpartition("/")[2]
    return slug


def faults_in(refused: DomainError) -> list[tuple[str, str, str]]:
    """Pointer, message and code of each fault that a refusal tells of."""
    errors = cast("list[dict[str, str]]", refused.extensions["errors"])
    return [(error["pointer"], error["message"], error["code"]) for error in errors]


class Person:
    """Somebody with a role, at the keyboard. Writes follow a look at what is active."""

    def __init__(self, client: httpx.AsyncClient, issuer: Issuer, role: str = "operator") -> None:
        self.client = client
        self.user_id = str(uuid4())
        self.headers = issuer.bearer(
            roles=[role], permissions=ROLES[role].permissions, subject=self.user_id
        )

    async def send(
        self,
        method: str,
        url: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        sent = {**self.headers, **(headers or {})}
        if body is None:
            return await self.client.request(method, url, headers=sent)
        return await self.client.request(method, url, headers=sent, json=body)

    async def get(
        self, address: Address, *more: str, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        return await self.send("GET", url_of(address, *more), headers=headers)

    async def seen(self, address: Address) -> dict[str, str]:
        """The precondition for a write that follows a look at what is active now."""
        found = await self.get(address)
        if found.status_code == 404:
            return {"If-None-Match": "*"}
        return {"If-Match": found.raise_for_status().headers["etag"]}

    async def write(
        self,
        method: str,
        url: str,
        body: Body,
        address: Address,
        headers: Mapping[str, str] | None,
    ) -> httpx.Response:
        preconditions = await self.seen(address) if headers is None else headers
        return await self.send(method, url, body, preconditions)

    async def put(
        self,
        address: Address,
        data: object,
        *,
        ticket: str = TICKET,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        body = {"data": data, "change_ticket": ticket, **_with(token)}
        return await self.write("PUT", url_of(address), body, address, headers)

    async def delete(
        self,
        address: Address,
        *,
        ticket: str = TICKET,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        body = {"change_ticket": ticket, **_with(token)}
        return await self.write("DELETE", url_of(address), body, address, headers)

    async def roll_back(
        self,
        address: Address,
        to_version: int,
        *,
        ticket: str = TICKET,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        body: Body = {"to_version": to_version, "change_ticket": ticket, **_with(token)}
        return await self.write("POST", url_of(address, "rollback"), body, address, headers)

    async def propose(
        self, address: Address, wish: Body, *, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        return await self.write("POST", url_of(address, "proposals"), wish, address, headers)

    async def look_at(self, address: Address, proposal: Mapping[str, Any]) -> httpx.Response:
        return await self.get(address, "proposals", str(proposal["proposal_id"]))

    async def approve(
        self, address: Address, proposal: Mapping[str, Any], *, checksum: str | None = None
    ) -> httpx.Response:
        url = url_of(address, "proposals", str(proposal["proposal_id"]), "approve")
        return await self.send("POST", url, {"checksum": checksum or proposal["checksum"]})


def _with(token: str | None) -> dict[str, str]:
    return {} if token is None else {"approval_token": token}


async def approved(author: Person, approver: Person, address: Address, wish: Body) -> str:
    """The token that the approver issues for what the author proposes."""
    proposal = (await author.propose(address, wish)).raise_for_status().json()
    (await approver.look_at(address, proposal)).raise_for_status()
    issued = (await approver.approve(address, proposal)).raise_for_status()
    token: str = issued.json()["approval_token"]
    return token


async def in_production(
    author: Person, approver: Person, data: object, address: Address = PRODUCTION
) -> httpx.Response:
    """Content put into production the way it must be done."""
    token = await approved(author, approver, address, to_put(data))
    return (await author.put(address, data, token=token)).raise_for_status()
