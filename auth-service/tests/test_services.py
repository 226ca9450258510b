"""Client credentials, keys and discovery."""

import base64
import secrets
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from chassis.client_credentials import ClientCredentials
from chassis.tokens import TokenVerifier

from .world import ELSEWHERE, HOME, World, problem

SECRET = secrets.token_urlsafe(32)
FORM = {"grant_type": "client_credentials"}


async def ask(
    world: World,
    form: dict[str, Any] | None = None,
    *,
    auth: tuple[str, str] | None = None,
    source: str = HOME,
) -> httpx.Response:
    return await world.http.post(
        "/auth/token",
        data=FORM if form is None else form,
        auth=auth or httpx.USE_CLIENT_DEFAULT,
        headers={"X-Forwarded-For": source},
    )


async def test_a_service_gets_a_token_by_basic_or_form(world: World) -> None:
    service = await world.service("booking", SECRET)
    by_basic = await ask(world, auth=("booking", SECRET))
    by_form = await ask(world, {**FORM, "client_id": "booking", "client_secret": SECRET})
    for answer in (by_basic, by_form):
        assert answer.status_code == 200, answer.text
        assert answer.headers["cache-control"] == "no-store"
        body = answer.json()
        assert body.keys() == {"access_token", "token_type", "expires_in"}
        settings = world.realm.settings
        verifier = TokenVerifier(
            world.realm.keys, issuer=settings.token_issuer, audience=settings.token_audience
        )
        principal = await verifier.verify(body["access_token"])
        assert principal.subject == str(service.id)
        assert principal.tenant_id == service.tenant_id
        assert principal.roles == ("service",)
        assert principal.permissions == ("config:read:all",)
        assert principal.session_id is None
    assert await world.audited() == [("service.token", "allowed")] * 2


async def test_chassis_client_gets_its_token_here(world: World, tmp_path: Any) -> None:
    await world.service("booking", SECRET)
    secret_file = tmp_path / "secret"
    secret_file.write_text(SECRET)
    credentials = ClientCredentials(
        token_url="http://test/auth/token",
        client_id="booking",
        secret_file=secret_file,
        transport=world.http._transport,  # pyright: ignore[reportPrivateUsage] - of this client
    )
    assert await credentials()


@pytest.mark.parametrize(
    "auth",
    [
        ("booking", "wrong"),
        ("unknown", SECRET),
        ("", ""),
        ("booking", ""),
        ("' OR 1=1 --", SECRET),
        ("book%00ing", SECRET),
    ],
)
async def test_wrong_credentials(world: World, auth: tuple[str, str]) -> None:
    await world.service("booking", SECRET)
    answer = await ask(world, auth=auth)
    assert (answer.status_code, problem(answer)) == (401, "invalid-client")
    assert answer.json()["error"] == "invalid_client"
    assert answer.headers["www-authenticate"].startswith("Basic ")


async def test_a_suspended_service_gets_nothing(world: World) -> None:
    service = await world.service("booking", SECRET)
    async with world.realm.database.begin() as tx:
        (await tx.merge(service)).status = "suspended"
    assert problem(await ask(world, auth=("booking", SECRET))) == "invalid-client"


async def test_guessing_slows_down_the_guesser_and_not_the_service(world: World) -> None:
    await world.service("booking", SECRET)
    for _ in range(6):
        wrong = await ask(world, auth=("booking", "wrong"), source=ELSEWHERE)
        assert problem(wrong) == "invalid-client"
    blocked = await ask(world, auth=("booking", SECRET), source=ELSEWHERE)
    assert (blocked.status_code, problem(blocked)) == (429, "too-many-attempts")
    assert (await ask(world, auth=("booking", SECRET))).status_code == 200


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"scope": "all"}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": ["client_credentials", "client_credentials"]}, "invalid_request"),
        ({**FORM, "client_id": "booking"}, "invalid_request"),
        ({f"f{n}": "x" for n in range(30)}, "invalid_request"),
    ],
)
async def test_malformed_requests(world: World, form: dict[str, Any], error: str) -> None:
    answer = await ask(world, form)
    assert answer.status_code == 400
    assert problem(answer)
    assert answer.json()["error"] == error


async def test_credentials_twice(world: World) -> None:
    form = {**FORM, "client_id": "booking", "client_secret": SECRET}
    assert problem(await ask(world, form, auth=("booking", SECRET))) == "invalid-token-request"


@pytest.mark.parametrize(
    ("authorization", "status"),
    [("Bearer abc", 401), ("Basic !!!", 401), ("Basic " + "/" * 8, 401), ("Basic", 401)],
)
async def test_malformed_authorization(world: World, authorization: str, status: int) -> None:
    headers = {"Authorization": authorization}
    answer = await world.http.post("/auth/token", data=FORM, headers=headers)
    assert answer.status_code == status
    assert answer.json()["error"] == "invalid_client"


async def test_basic_is_form_encoded(world: World) -> None:
    await world.service("booking", "odd secret: 50%+1 of everything, and more")
    secret = quote("odd secret: 50%+1 of everything, and more", safe="")
    encoded = base64.b64encode(f"booking:{secret}".encode()).decode()
    headers = {"Authorization": f"Basic {encoded}"}
    answer = await world.http.post("/auth/token", data=FORM, headers=headers)
    assert answer.status_code == 200


@pytest.mark.parametrize("content", [b"grant_type=%ff", b"\xff", b"a;b", b"grant_type=%00"])
async def test_bytes_that_are_no_form(world: World, content: bytes) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await world.http.post("/auth/token", content=content, headers=headers)
    assert answer.status_code == 400


async def test_json_is_no_form(world: World) -> None:
    assert (await world.http.post("/auth/token", json=FORM)).status_code == 415


async def test_a_service_is_no_person(world: World) -> None:
    await world.service("booking", SECRET)
    token = (await ask(world, auth=("booking", SECRET))).json()["access_token"]
    answer = await world.get("/auth/me", token)
    assert (answer.status_code, problem(answer)) == (403, "persons-only")
    assert (await world.get("/auth/users", token)).status_code == 403


async def test_published_keys_hold_no_private_part(world: World) -> None:
    answer = await world.http.get("/auth/jwks.json")
    assert answer.headers["cache-control"] == "public, max-age=60"
    [key] = answer.json()["keys"]
    assert key.keys() == {"kty", "use", "alg", "kid", "n", "e"}
    assert (key["kty"], key["use"], key["alg"], key["kid"]) == ("RSA", "sig", "RS256", "test")


async def test_discovery(world: World) -> None:
    answer = await world.http.get("/.well-known/openid-configuration")
    assert answer.json() == {
        "issuer": "https://auth.ubertruck.com",
        "jwks_uri": "https://auth.ubertruck.com/auth/jwks.json",
        "token_endpoint": "https://auth.ubertruck.com/auth/token",
        "response_types_supported": [],
        "grant_types_supported": ["client_credentials"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
    }
