"""Both rate limits of the running gateway."""

from collections.abc import Generator

import pytest

from mesh.description import Cors, RateLimit, Route

from .gateway import Gateway, describe, eventually, running
from .keys import SigningKey, key_set
from .problem import assert_problem
from .stub import Stub, answer

BURST = 3
ORIGIN = "https://app.example"


@pytest.fixture
def limited(
    tmp_path_factory: pytest.TempPathFactory, service: Stub, issuer: Stub, key: SigningKey
) -> Generator[Gateway]:
    """POST /v1/orders is limited for each client, everything else is not."""
    edge = describe(
        tmp_path_factory.mktemp("limited"),
        service,
        issuer,
        routes=(
            Route(
                upstream="service",
                path="/v1/orders",
                methods=("POST",),
                client_limit=RateLimit(per_second=1, burst=BURST),
            ),
            Route(upstream="service", prefix="/v1"),
        ),
    )
    with running(edge, jwks=key_set(key)) as started:
        yield started


@pytest.fixture
def flooded(
    tmp_path_factory: pytest.TempPathFactory, service: Stub, issuer: Stub, key: SigningKey
) -> Generator[Gateway]:
    """A gateway with a very low limit over all."""
    edge = describe(
        tmp_path_factory.mktemp("flooded"),
        service,
        issuer,
        rate_limit=RateLimit(per_second=1, burst=BURST),
        cors=Cors(origins=(ORIGIN,)),
    )
    with running(edge, jwks=key_set(key)) as started:
        yield started


def spend(gateway: Gateway, token: str, **options: object) -> int:
    """Post until it is refused; gives how many came through before."""
    accepted = 0
    while gateway.call("POST", "/v1/orders", token=token, **options).status_code == 200:
        accepted += 1
    return accepted


def test_each_client_has_a_limit_of_its_own(limited: Gateway, key: SigningKey) -> None:
    alice, bob = key.token(sub="alice"), key.token(sub="bob")
    assert spend(limited, alice) >= BURST
    assert limited.call("POST", "/v1/orders", token=bob).status_code == 200
    eventually(lambda: limited.call("POST", "/v1/orders", token=alice).status_code == 200)


def test_the_refusal_tells_the_numbers(limited: Gateway, key: SigningKey) -> None:
    token = key.token()
    spend(limited, token)
    refused = eventually(
        lambda: (
            found
            if (found := limited.call("POST", "/v1/orders", token=token)).status_code == 429
            else None
        )
    )
    problem = assert_problem(refused, 429, "too-many-requests")
    assert problem["quotaLimit"] == BURST
    assert problem["quotaRemaining"] == 0
    assert problem["retryAfter"] == 1
    assert refused.headers["retry-after"] == "1"
    assert refused.headers["x-ratelimit-limit"] == str(BURST)
    assert refused.headers["x-ratelimit-remaining"] == "0"
    assert refused.headers["x-ratelimit-reset"] == "1"
    assert "x-edge-limit" not in refused.headers


def test_an_accepted_request_tells_what_is_left(limited: Gateway, key: SigningKey) -> None:
    accepted = limited.call("POST", "/v1/orders", token=key.token())
    assert accepted.headers["x-ratelimit-limit"] == str(BURST)
    assert accepted.headers["x-ratelimit-remaining"] == str(BURST - 1)


def test_no_header_of_the_request_gives_a_fresh_bucket(limited: Gateway, key: SigningKey) -> None:
    spend(limited, key.token())
    names = ("x-user-id", "x-client-id", "x-subject", "x-forwarded-for", "x-ratelimit-limit")
    statuses = {
        limited.call(
            "POST",
            "/v1/orders",
            token=key.token(jti=str(turn)),
            headers={name: str(turn) for name in (*names, "x-edge-limit", "cookie")},
        ).status_code
        for turn in range(10)
    }
    assert 429 in statuses


def test_other_requests_are_not_limited(limited: Gateway, key: SigningKey) -> None:
    token = key.token()
    spend(limited, token)
    for _ in range(BURST * 3):
        assert limited.call("GET", "/v1/orders", token=token).status_code == 200
        assert limited.call("POST", "/v1/others", token=token).status_code == 200


def test_a_429_of_a_service_passes_untouched(
    limited: Gateway, key: SigningKey, service: Stub
) -> None:
    service.answers["/v1/busy"] = lambda handler: answer(
        handler, 429, b'{"own": true}', retry_after="7"
    )
    busy = limited.call("GET", "/v1/busy", token=key.token())
    assert busy.status_code == 429
    assert busy.json() == {"own": True}
    assert busy.headers["retry-after"] == "7"


def test_the_limit_over_all_comes_before_the_token(flooded: Gateway) -> None:
    def refused() -> bool:
        return flooded.call("GET", "/v1/things", token="garbage").status_code == 429

    eventually(refused)
    answers = [flooded.call("GET", "/v1/things", token="garbage") for _ in range(20)]
    problem = assert_problem(
        next(one for one in answers if one.status_code == 429), 429, "too-many-requests"
    )
    assert problem["quotaLimit"] == BURST
    assert problem["quotaRemaining"] == 0
    assert problem["retryAfter"] == 1


def test_a_page_of_ours_can_read_the_refusal(flooded: Gateway) -> None:
    refused = eventually(
        lambda: (
            found
            if (found := flooded.call("GET", "/open/door", headers={"origin": ORIGIN})).status_code
            == 429
            else None
        )
    )
    assert refused.headers["access-control-allow-origin"] == ORIGIN
    assert "retry-after" in refused.headers["access-control-expose-headers"]


def test_health_is_never_refused(flooded: Gateway) -> None:
    for _ in range(BURST * 3):
        assert flooded.call("GET", "/edge/healthz").status_code == 200
