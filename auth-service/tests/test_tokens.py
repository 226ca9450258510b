"""What a token says, and which tokens are believed."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

from chassis.testing.issuer import key_pair
from chassis.tokens import Signer, TokenVerifier
from contracts.permissions import ROLES, permissions_of

from .world import HOME, PHONE, World, problem

Forgery = Callable[[str], str]


def decoded(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    header, payload, _ = token.split(".")
    return _part(header), _part(payload)


def _part(text: str) -> dict[str, Any]:
    return dict(json.loads(base64.urlsafe_b64decode(text + "==")))


def encoded(part: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


async def test_claims_are_those_of_the_specification(world: World) -> None:
    tenant = await world.tenant("fleet")
    owner = await world.user("fleet_owner", "admin", tenant=tenant, second_factor=True)
    tokens = await world.tokens(owner, device=PHONE)
    header, claims = decoded(tokens["access_token"])
    [session] = await world.sessions(owner)
    assert header == {"alg": "RS256", "typ": "JWT", "kid": "test"}
    issued_at = int(world.clock().timestamp())
    UUID(claims.pop("jti"))
    assert claims == {
        "sub": str(owner.id),
        "iss": "https://auth.ubertruck.com",
        "aud": ["api.ubertruck.com"],
        "exp": issued_at + 600,
        "iat": issued_at,
        "tenant_id": str(tenant.id),
        "roles": ["fleet_owner", "admin"],
        "permissions": [
            "tenant:read:tenant",
            "user:*:tenant",
            "fleet:*",
            "booking:read",
            "payment:read",
            "tracking:read",
        ],
        "metadata": {
            "ip_address": HOME,
            "device_id": PHONE,
            "session_id": str(session.id),
        },
    }


async def test_every_role_can_log_in_and_call(world: World) -> None:
    for role in ROLES.keys() - {"service"}:
        somebody = await world.user(role, second_factor=ROLES[role].mfa_required)
        tokens = await world.tokens(somebody, device=PHONE)
        me = (await world.get("/auth/me", tokens["access_token"])).json()
        assert me["roles"] == [role]
        assert me["permissions"] == list(permissions_of([role]))


async def test_every_token_has_an_id_of_its_own(world: World) -> None:
    shipper = await world.user()
    tokens = [await world.tokens(shipper) for _ in range(3)]
    assert len({decoded(t["access_token"])[1]["jti"] for t in tokens}) == 3


async def test_a_token_never_outlives_its_session(world: World) -> None:
    operator = await world.user("operator", second_factor=True)
    tokens = await world.tokens(operator)
    world.clock.advance(hours=11, minutes=58)
    refreshed = (await world.refresh(tokens["refresh_token"])).json()
    assert refreshed["expires_in"] == 120
    assert refreshed["refresh_expires_in"] == 120


async def test_chassis_reads_what_this_service_writes(world: World) -> None:
    driver = await world.user("driver")
    tokens = await world.tokens(driver, device=PHONE)
    keys = world.realm.keys
    settings = world.realm.settings
    verifier = TokenVerifier(keys, issuer=settings.token_issuer, audience=settings.token_audience)
    principal = await verifier.verify(tokens["access_token"])
    assert principal.subject == str(driver.id)
    assert principal.tenant_id == driver.tenant_id
    assert principal.roles == ("driver",)
    assert principal.permissions == ROLES["driver"].permissions
    assert principal.device_id == PHONE


def without_signature(token: str) -> str:
    header, claims = decoded(token)
    return f"{encoded(header | {'alg': 'none'})}.{encoded(claims)}."


def with_hs256(token: str) -> str:
    header, claims = decoded(token)
    signed = f"{encoded(header | {'alg': 'HS256'})}.{encoded(claims)}"
    mac = hmac.digest(key_pair("test")[1].encode(), signed.encode(), hashlib.sha256)
    return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def by_another_key(token: str) -> str:
    private, _ = key_pair("stranger")
    return Signer(private_key_pem=private, kid="test").sign(decoded(token)[1])


def header_with(**changes: str) -> Forgery:
    def forge(token: str) -> str:
        header, rest = decoded(token)[0], token.partition(".")[2]
        return f"{encoded(header | changes)}.{rest}"

    return forge


def with_more_rights(token: str) -> str:
    header, _, signature = token.split(".")
    claims = decoded(token)[1] | {"roles": ["super_admin"], "permissions": ["*:*"]}
    return f"{header}.{encoded(claims)}.{signature}"


def cut_short(token: str) -> str:
    return token[:-4]


def drawn_out(token: str) -> str:
    return f"{token}A"


FORGERIES: list[Forgery] = [
    without_signature,
    with_hs256,
    by_another_key,
    with_more_rights,
    cut_short,
    drawn_out,
    header_with(kid="unknown"),
    header_with(kid="../../etc/passwd"),
    header_with(kid="' OR 1=1 --"),
    header_with(jku="https://evil.example/jwks"),
    header_with(typ="at+jwt"),
]


async def test_forged_tokens_are_refused(world: World) -> None:
    tokens = await world.tokens(await world.user())
    for forge in FORGERIES:
        answer = await world.get("/auth/me", forge(tokens["access_token"]))
        assert (answer.status_code, problem(answer)) == (401, "bad-token"), forge
        assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_what_is_no_token_is_refused(world: World) -> None:
    for token in ("", "a", "a.b.c", "." * 10_000):
        answer = await world.get("/auth/me", token)
        assert answer.status_code == 401
        assert problem(answer) in ("bad-token", "unauthorized")


async def test_signed_but_for_somewhere_else(world: World) -> None:
    tokens = await world.tokens(await world.user())
    claims = decoded(tokens["access_token"])[1]
    signer = Signer(private_key_pem=key_pair("test")[0], kid="test")
    assert (await world.get("/auth/me", signer.sign(claims))).status_code == 200
    for changes in (
        {"iss": "https://evil.example"},
        {"aud": ["other"]},
        {"exp": 1},
        {"tenant_id": "none"},
        {"roles": "super_admin"},
    ):
        answer = await world.get("/auth/me", signer.sign(claims | changes))
        assert problem(answer) == "bad-token", changes


async def test_headers_that_claim_an_identity_are_not_believed(world: World) -> None:
    answer = await world.http.get("/auth/me", headers={"X-User-Id": "1", "X-Roles": "super_admin"})
    assert answer.status_code == 401
