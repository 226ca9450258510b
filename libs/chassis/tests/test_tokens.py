import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis import tokens
from chassis.testing.issuer import AUDIENCE, ISSUER, Issuer
from chassis.tokens import BadKey, BadToken, TokenVerifier, build_key, public_jwk


def verifier(issuer: Issuer) -> TokenVerifier:
    return TokenVerifier(issuer, issuer=ISSUER, audience=AUDIENCE)


def encode(document: object) -> str:
    raw = json.dumps(document).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def with_header(token: str, **changes: Any) -> str:
    header, payload, signature = token.split(".")
    padded = header + "=" * (-len(header) % 4)
    document = {**json.loads(base64.urlsafe_b64decode(padded)), **changes}
    return f"{encode(document)}.{payload}.{signature}"


def unsigned(issuer: Issuer) -> str:
    return f"{encode({'alg': 'none', 'typ': 'JWT', 'kid': issuer.kid})}.{encode(issuer.claims())}."


def signed_with_the_public_key(issuer: Issuer) -> str:
    signed = (
        f"{encode({'alg': 'HS256', 'typ': 'JWT', 'kid': issuer.kid})}.{encode(issuer.claims())}"
    )
    digest = hmac.new(issuer.public_pem.encode(), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def resigned_by_another(issuer: Issuer) -> str:
    return tokens.sign(issuer.claims(), private_key_pem=Issuer("other").private_pem, kid=issuer.kid)


def tampered(issuer: Issuer) -> str:
    header, _, signature = issuer.token().split(".")
    return f"{header}.{encode(issuer.claims(roles=['super_admin']))}.{signature}"


FORGERIES: dict[str, Callable[[Issuer], str]] = {
    "alg none": unsigned,
    "HS256 with the public key": signed_with_the_public_key,
    "signed by another": resigned_by_another,
    "payload changed": tampered,
    "unknown kid": lambda issuer: with_header(issuer.token(), kid="unknown"),
    "kid is a path": lambda issuer: with_header(issuer.token(), kid="../../dev/null"),
    "kid is a number": lambda issuer: with_header(issuer.token(), kid=1),
    "no kid": lambda issuer: with_header(issuer.token(), kid=None),
    "jku": lambda issuer: with_header(issuer.token(), jku="https://evil.example/jwks"),
    "crit": lambda issuer: with_header(issuer.token(), crit=["exp"]),
    "another typ": lambda issuer: with_header(issuer.token(), typ="at+jwt"),
    "RS512": lambda issuer: with_header(issuer.token(), alg="RS512"),
    "expired": lambda issuer: issuer.token(lifetime=-tokens.LEEWAY_SECONDS - 2),
    "another issuer": lambda issuer: issuer.token(iss="https://evil.example"),
    "another audience": lambda issuer: issuer.token(aud=["elsewhere"]),
    "no tenant": lambda issuer: no_claim(issuer, "tenant_id"),
    "no expiry": lambda issuer: no_claim(issuer, "exp"),
    "no jti": lambda issuer: no_claim(issuer, "jti"),
    "permissions are text": lambda issuer: with_claims(issuer, permissions="booking:*"),
    "tenant is no UUID": lambda issuer: with_claims(issuer, tenant_id="1 OR 1=1"),
    "metadata is a list": lambda issuer: with_claims(issuer, metadata=[1]),
    "empty": lambda _: "",
    "two parts": lambda _: "a.b",
    "not text": lambda _: "\u0000.\u2603.x",
    "nested": lambda _: f"{base64.urlsafe_b64encode(b'[' * 5000).decode()}.e30.x",
}


def no_claim(issuer: Issuer, name: str) -> str:
    claims = issuer.claims()
    del claims[name]
    return tokens.sign(claims, private_key_pem=issuer.private_pem, kid=issuer.kid)


def with_claims(issuer: Issuer, **claims: Any) -> str:
    signed = {**issuer.claims(), **claims}
    return tokens.sign(signed, private_key_pem=issuer.private_pem, kid=issuer.kid)


async def test_a_good_token_speaks_for_its_principal() -> None:
    issuer = Issuer()
    token = issuer.token(
        subject="u1",
        permissions=["booking:*"],
        metadata={"ip_address": None, "device_id": "d1", "session_id": "s1"},
    )
    principal = await verifier(issuer).verify(token)
    assert principal.subject == "u1"
    assert principal.permissions == ("booking:*",)
    assert (principal.device_id, principal.session_id) == ("d1", "s1")


@pytest.mark.parametrize("kind", FORGERIES)
async def test_a_forged_token_is_refused(kind: str) -> None:
    issuer = Issuer()
    checked = verifier(issuer)
    await checked.verify(issuer.token())
    with pytest.raises(BadToken):
        await checked.verify(FORGERIES[kind](issuer))


@lru_cache
def one_token() -> tuple[Issuer, str]:
    issuer = Issuer()
    return issuer, issuer.token()


@given(position=st.integers(0, 10_000), replacement=st.characters(codec="ascii"))
async def test_no_single_change_is_accepted(position: int, replacement: str) -> None:
    issuer, token = one_token()
    index = position % len(token)
    changed = token[:index] + replacement + token[index + 1 :]
    # The last character of a part has bits that say nothing; decoders may ignore them.
    if changed == token or index + 1 == len(token) or token[index + 1] == ".":
        return
    with pytest.raises(BadToken):
        await verifier(issuer).verify(changed)


async def test_an_unknown_kid_asks_for_keys_once() -> None:
    issuer = Issuer()
    with pytest.raises(BadToken):
        await verifier(issuer).verify(with_header(issuer.token(), kid="next"))
    assert issuer.refreshes == 1


async def test_retiring_a_key_forgets_its_tokens() -> None:
    issuer = Issuer()
    checked = verifier(issuer)
    token = issuer.token()
    await checked.verify(token)
    issuer.retire()
    with pytest.raises(BadToken):
        await checked.verify(token)


async def test_the_memory_never_outlives_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    issuer = Issuer()
    checked = verifier(issuer)
    token = issuer.token(lifetime=30)
    await checked.verify(token)
    later = time.time() + 30 + tokens.LEEWAY_SECONDS + 2
    monkeypatch.setattr(time, "time", lambda: later)
    issuer.retire()
    with pytest.raises(BadToken):
        await checked.verify(token)


async def test_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "CACHE_TOKENS", 2)
    issuer = Issuer()
    checked = verifier(issuer)
    remembered = [issuer.token() for _ in range(4)]
    for token in remembered:
        await checked.verify(token)
    assert len(vars(checked)["_cache"]) == 2


def test_keys_of_other_kinds_are_refused() -> None:
    good = public_jwk(Issuer().public_pem, kid="k")
    for change in ({"kty": "oct"}, {"alg": "HS256"}, {"use": "enc"}, {"n": "!"}, {"n": "AQAB"}):
        with pytest.raises(BadKey):
            build_key({**good, **change})
