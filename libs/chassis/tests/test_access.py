import pytest

from chassis.access import AccessPolicy, Scope, widest

POLICY = AccessPolicy({"*:*": "all", "booking:*": "tenant", "booking:read": "assigned"})


@pytest.mark.parametrize(
    ("permissions", "wanted", "scope"),
    [
        (["booking:*"], ("booking", "cancel"), Scope.TENANT),
        (["booking:read"], ("booking", "read"), Scope.ASSIGNED),
        (["booking:read", "booking:read:own"], ("booking", "read"), Scope.ASSIGNED),
        (["booking:read:all", "booking:*"], ("booking", "read"), Scope.ALL),
        (["*:*"], ("anything", "at-all"), Scope.ALL),
        (["*:read:tenant"], ("booking", "read"), Scope.TENANT),
        (["booking:read"], ("booking", "write"), None),
        (["booking"], ("booking", "read"), None),
        (["booking:read:all:more"], ("booking", "read"), None),
        (["payment:read"], ("payment", "read"), None),
        (["booking:read:everything"], ("booking", "read"), None),
        (["Booking:Read:all"], ("booking", "read"), None),
        ([""], ("booking", "read"), None),
        ([], ("booking", "read"), None),
    ],
)
def test_the_widest_scope_that_the_permissions_give(
    permissions: list[str], wanted: tuple[str, str], scope: Scope | None
) -> None:
    assert POLICY.scope_of(tuple(permissions), *wanted) is scope


def test_a_field_is_reached_only_by_its_name() -> None:
    held = ("trip:update:status",)
    assert POLICY.scope_of(held, "trip", "update", "status") is Scope.ASSIGNED
    assert POLICY.scope_of(held, "trip", "update", "weight") is None
    assert POLICY.scope_of(held, "trip", "update") is None


def test_of_two_ways_the_wider_counts() -> None:
    assert widest(Scope.ASSIGNED, Scope.TENANT) is Scope.TENANT
    assert widest(None, Scope.ASSIGNED) is Scope.ASSIGNED
    assert widest(None, None) is None
