"""Which tokens the running gateway believes."""

import json
import time
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives import hashes

from .gateway import Gateway
from .keys import SigningKey, claims, encode, hmac_signed, segments, signing_key
from .problem import assert_problem
from .stub import Stub

Forge = Callable[[SigningKey], str]


def header(alg: str, kid: str, **more: object) -> dict[str, object]:
    return {"alg": alg, "typ": "JWT", "kid": kid, **more}


def tampered(key: SigningKey) -> str:
    head, _, signature = key.token().split(".")
    return f"{head}.{encode(json.dumps(claims(sub='admin')).encode())}.{signature}"


def hmac_over(secret: Callable[[SigningKey], bytes]) -> Forge:
    return lambda key: hmac_signed(secret(key), header("HS256", key.kid), claims())


def signed_by_stranger(**members: object) -> Forge:
    stranger = signing_key("stranger")
    return lambda key: stranger.signed(header("RS256", key.kid, **members), claims())


FORGED: dict[str, Forge] = {
    "alg none": lambda key: segments(header("none", key.kid), claims()) + ".",
    "alg None": lambda key: segments(header("None", key.kid), claims()) + ".",
    "alg none, real signature": lambda key: key.signed(header("none", key.kid), claims()),
    "HS256 with the public key": hmac_over(SigningKey.public_pem),
    "HS256 with the modulus": hmac_over(lambda key: key.jwk()["n"].encode()),
    "HS256 with nothing": hmac_over(lambda _: b""),
    "RS384": lambda key: key.signed(header("RS384", key.kid), claims(), hashes.SHA384()),
    "RS512": lambda key: key.signed(header("RS512", key.kid), claims(), hashes.SHA512()),
    "PS256": lambda key: key.signed_pss(header("PS256", key.kid), claims()),
    "PSS named RS256": lambda key: key.signed_pss(header("RS256", key.kid), claims()),
    "ES256": lambda key: key.signed(header("ES256", key.kid), claims()),
    "no alg": lambda key: key.signed({"typ": "JWT", "kid": key.kid}, claims()),
    "unknown kid": lambda _: signing_key("stranger").token(),
    "another's signature": signed_by_stranger(),
    "own key set": signed_by_stranger(jku="http://127.0.0.1:1/keys.json"),
    "own key": signed_by_stranger(jwk=signing_key("stranger").jwk()),
    "changed claims": tampered,
    "expired": lambda key: key.token(exp=int(time.time()) - 31),
    "no expiry": lambda key: key.token(exp=None),
    "not yet": lambda key: key.token(nbf=int(time.time()) + 60),
    "wrong audience": lambda key: key.token(aud=["elsewhere"]),
    "no audience": lambda key: key.token(aud=None),
    "wrong issuer": lambda key: key.token(iss="https://evil.example"),
    "no issuer": lambda key: key.token(iss=None),
    "no signature": lambda key: key.token().rpartition(".")[0] + ".",
    "two parts": lambda key: key.token().rpartition(".")[0],
    "garbage": lambda _: "garbage",
}


@pytest.mark.parametrize("name", FORGED)
def test_forged_tokens_are_refused(
    name: str, gateway: Gateway, key: SigningKey, service: Stub
) -> None:
    before = len(service.seen)
    answer = gateway.call("GET", "/v1/things", token=FORGED[name](key))
    assert_problem(answer, 401, "unauthorized")
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert len(service.seen) == before


@pytest.mark.parametrize(
    "authorization",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"authorization": "Basic YTpi"}, id="another scheme"),
        pytest.param({"authorization": "Bearer"}, id="no token"),
    ],
)
def test_a_route_needs_a_token(authorization: dict[str, str], gateway: Gateway) -> None:
    assert_problem(gateway.call("GET", "/v1/things", headers=authorization), 401, "unauthorized")


def test_a_token_in_the_query_counts_for_nothing(gateway: Gateway, key: SigningKey) -> None:
    answer = gateway.call("GET", "/v1/things", params={"access_token": key.token()})
    assert_problem(answer, 401, "unauthorized")


def test_of_two_tokens_both_must_be_good(gateway: Gateway, key: SigningKey) -> None:
    good, bad = key.token(), signing_key("stranger").token()
    for pair in ((good, bad), (bad, good)):
        lines = "".join(f"Authorization: Bearer {token}\r\n" for token in pair)
        answer = gateway.raw(f"GET /v1/things HTTP/1.1\r\nHost: a\r\n{lines}\r\n".encode())
        assert_problem(answer, 401, "unauthorized")


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="plain"),
        pytest.param({"aud": "platform"}, id="audience not in a list"),
        pytest.param({"aud": ["elsewhere", "platform"]}, id="one audience of two"),
    ],
)
def test_a_good_token_is_passed_on(
    changes: dict[str, object], gateway: Gateway, key: SigningKey, service: Stub
) -> None:
    token = key.token(**changes)
    assert gateway.call("GET", "/v1/things", token=token).status_code == 200
    assert service.last.header("authorization") == [f"Bearer {token}"]


def test_a_token_that_expired_within_the_clock_skew_is_passed_on(
    gateway: Gateway, key: SigningKey
) -> None:
    token = key.token(exp=int(time.time()) - 5)
    assert gateway.call("GET", "/v1/things", token=token).status_code == 200


def test_an_open_route_asks_for_nothing_and_looks_at_nothing(gateway: Gateway) -> None:
    assert gateway.call("GET", "/open/door").status_code == 200
    assert gateway.call("GET", "/open/door", token="garbage").status_code == 200


def test_what_no_route_takes_is_404_with_and_without_token(
    gateway: Gateway, key: SigningKey
) -> None:
    assert_problem(gateway.call("GET", "/elsewhere"), 404, "not-found")
    assert_problem(gateway.call("GET", "/elsewhere", token=key.token()), 404, "not-found")
    assert_problem(gateway.call("GET", "/v1x", token=key.token()), 404, "not-found")
