"""The OpenAPI document tells the truth, whatever is sent."""

import pytest

from chassis.testing.conformance import CHOSEN, LONG, QUICK, Case, document_of, each_operation, send
from config_service.app import create_app
from config_service.errors import ApprovalUnknown, ProposalUnseen

from .factories import DEV, Person, to_put

pytestmark = pytest.mark.untraced

operation = each_operation(
    document_of(create_app),
    # A path takes slashes: PUT on `…/rollback` is PUT on a path with a reserved word, 422.
    checks={"unsupported_method": {"enabled": False}},
)


@CHOSEN.parametrize()
@QUICK
async def test_it_holds(case: Case, author: Person) -> None:
    await check(case, author)


@pytest.mark.nightly
@CHOSEN.parametrize()
@LONG
async def test_it_holds_for_long(case: Case, author: Person) -> None:
    await check(case, author)


async def check(case: Case, author: Person) -> None:
    await aim(case, author)
    case.validate_response(await send(case, author.client, headers=author.headers))


async def aim(case: Case, author: Person) -> None:
    """Requests that could meet something do: the address and the precondition are good ones."""
    path = str(case.path_parameters.get("path", "")) if case.path_parameters else ""
    if len(path) % 2 == 0 or case.meta.generation.mode.is_negative:
        return
    case.path_parameters.update(service=DEV.service, environment=DEV.environment, path=DEV.path)
    await author.put(DEV, {"tons": 1})
    if "proposal_id" in case.path_parameters:
        proposal = (await author.propose(DEV, to_put({"tons": 2}))).json()
        case.path_parameters["proposal_id"] = proposal["proposal_id"]
    if case.method != "GET":
        case.headers = {**(case.headers or {}), **await author.seen(DEV)}


def test_document_names_every_refusal() -> None:
    paths = document_of(create_app)["paths"]
    put = paths["/v1/config/{service}/{environment}/{path}"]["put"]["responses"]
    assert {"200", "401", "403", "409", "412", "422", "428"} <= put.keys()
    approve = paths["/v1/config/{service}/{environment}/{path}/proposals/{proposal_id}/approve"]
    assert str(ProposalUnseen.status) in approve["post"]["responses"]
    assert str(ApprovalUnknown.status) in put
    get = paths["/v1/config/{service}/{environment}/{path}"]["get"]
    assert [parameter["name"] for parameter in get["parameters"]] == [
        "service",
        "environment",
        "path",
        "If-None-Match",
    ]
    assert "304" in get["responses"]
