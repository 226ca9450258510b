"""Setting the weights of a service in its manifests."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.appmesh.manifests import UnknownName
from mesh.dataplane.splits import outgoing
from mesh.dataplane.weights import BadWeights, weights_of, with_weights

from .shop import FRONT, shop

SHOP = shop()
STOCK: tuple[str, ...] = ("stock-blue", "stock-green")
weights = st.tuples(st.integers(0, 100), st.integers(0, 100)).filter(any)


@given(weights)
def test_what_is_set_is_read_and_nothing_else_changes(pair: tuple[int, int]) -> None:
    wanted = dict(zip(STOCK, pair, strict=True))
    changed = with_weights(SHOP, "stock-service", wanted)
    assert weights_of(changed, "stock-service") == wanted
    assert with_weights(changed, "stock-service", weights_of(SHOP, "stock-service")) == SHOP
    for before, after in zip(outgoing(SHOP, FRONT), outgoing(changed, FRONT), strict=True):
        for one, other in zip(before.splits, after.splits, strict=True):
            assert (one.match, one.timeout, one.retries) == (
                other.match,
                other.timeout,
                other.retries,
            )
            assert [share.cluster for share in one.shares] == [
                share.cluster for share in other.shares
            ]


def test_a_route_that_pins_requests_stays() -> None:
    changed = with_weights(SHOP, "stock-service", {"stock-blue": 100, "stock-green": 0})
    pinned = outgoing(changed, FRONT)[0].splits[0]
    assert [(share.cluster, share.weight) for share in pinned.shares] == [
        ("egress_front_stock-green", 100)
    ]


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"stock-blue": 100},
        {"stock-blue": 50, "stock-green": 50, "stock-red": 0},
        {"stock-blue": 0, "stock-green": 0},
        {"stock-blue": -1, "stock-green": 100},
        {"stock-blue": 101, "stock-green": 0},
    ],
)
def test_weights_that_mean_nothing_are_refused(wanted: dict[str, int]) -> None:
    with pytest.raises(BadWeights):
        with_weights(SHOP, "stock-service", wanted)


@pytest.mark.parametrize("name", ["nothing", "database-service"])
def test_only_services_with_routes_have_weights(name: str) -> None:
    with pytest.raises(UnknownName):
        weights_of(SHOP, name)
