from collections.abc import Iterator

import httpx
import pytest

from ops import api, first_values


def asked_until(statuses: Iterator[int], *, patience: float) -> int:
    transport = httpx.MockTransport(lambda _request: httpx.Response(next(statuses)))
    with api.client("http://config", transport) as client:
        return first_values.put_when_ready(client, "/", {}, {}, patience=patience).status_code


@pytest.mark.parametrize("last", [200, 412, 403])
def test_values_are_put_again_until_tokens_can_be_checked(
    monkeypatch: pytest.MonkeyPatch, last: int
) -> None:
    monkeypatch.setattr(first_values, "PAUSE", 0.001)
    statuses = iter([503, 503, last])
    assert asked_until(statuses, patience=60) == last
    assert not list(statuses)


def test_it_is_not_asked_for_ever() -> None:
    assert asked_until(iter([503]), patience=0) == 503
