import pytest

from contracts.permissions import (
    FIELDS,
    OPEN_SCOPES,
    ROLES,
    SCOPES,
    SENSITIVE,
    TENANT_KINDS,
    Role,
    as_markdown,
    covers,
    mfa_required,
    permissions_of,
    roles_of,
    scope_of,
)

EVERY_PERMISSION = sorted({p for role in ROLES.values() for p in role.permissions})


@pytest.mark.parametrize("permission", EVERY_PERMISSION)
def test_every_permission_of_the_table_grants_something(permission: str) -> None:
    assert scope_of(permission) in SCOPES


@pytest.mark.parametrize("permission", OPEN_SCOPES)
def test_no_open_scope_is_left_over(permission: str) -> None:
    assert permission in EVERY_PERMISSION


@pytest.mark.parametrize(
    ("permission", "scope"),
    [
        ("*:*", "all"),
        ("booking:*", "tenant"),
        ("booking:read", "assigned"),
        ("payment:read:own", "own"),
        ("trip:update:status", "assigned"),
        ("tracking:write:location", "assigned"),
        ("config:read:all", "all"),
    ],
)
def test_scope(permission: str, scope: str) -> None:
    assert scope_of(permission) == scope


@pytest.mark.parametrize(
    "permission",
    ["booking:write", "booking", "", "a:b:c", "a:b:own:all", "*:read", "booking:read:", "x:*"],
)
def test_unknown_means_no(permission: str) -> None:
    assert scope_of(permission) is None
    assert not covers(permission, "booking", "read")


def test_wildcards_cover_their_side_only() -> None:
    assert covers("*:*", "anything", "erase")
    assert covers("booking:*", "booking", "cancel")
    assert not covers("booking:*", "payment", "read")
    assert not covers("booking:read", "booking", "create")


@pytest.mark.parametrize("role", ROLES.values(), ids=ROLES)
def test_whoever_may_do_something_sensitive_shows_a_second_factor(role: Role) -> None:
    sensitive = any(covers(p, *deed) for p in role.permissions for deed in SENSITIVE)
    assert role.mfa_required or not sensitive


def test_specification_roles_keep_their_strings() -> None:
    assert ROLES["super_admin"].permissions == ("*:*",)
    assert ROLES["fleet_owner"].permissions == (
        "fleet:*",
        "booking:read",
        "payment:read",
        "tracking:read",
    )
    assert ROLES["driver"].permissions == (
        "trip:read:assigned",
        "trip:update:status",
        "tracking:write:location",
    )
    assert ROLES["shipper"].permissions == ("booking:*", "payment:read:own", "tracking:read:own")


def test_specification_rules() -> None:
    assert ROLES["super_admin"].ip_allow_list
    assert ROLES["fleet_owner"].max_sessions == 3
    assert ROLES["driver"].device_binding
    assert ROLES["shipper"].credit_check


def test_permissions_of_several_roles_stand_once_in_the_order_of_the_table() -> None:
    assert permissions_of(["fleet_owner", "admin", "fleet_owner", "no such role"]) == (
        "tenant:read:tenant",
        "user:*:tenant",
        "fleet:*",
        "booking:read",
        "payment:read",
        "tracking:read",
    )


def test_one_role_with_mfa_demands_it() -> None:
    assert mfa_required(["fleet_owner", "admin"])
    assert not mfa_required(["fleet_owner", "no such role"])


def test_a_role_belongs_to_known_kinds_of_tenant() -> None:
    assert {name for kind in TENANT_KINDS for name in roles_of(kind)} == ROLES.keys() - {"service"}
    assert roles_of("shipper") == ("admin", "shipper")


def test_fields_and_scopes_never_meet() -> None:
    assert FIELDS.isdisjoint(SCOPES)


def test_markdown_names_every_role_and_permission() -> None:
    text = as_markdown()
    assert all(f"| `{name}` | {role.description} |" in text for name, role in ROLES.items())
    assert all(f"| `{p}` | {scope_of(p)} |" in text for p in EVERY_PERMISSION)
    assert "| `fleet_owner` | Runs a fleet | fleet |  |  | 3 |  |  |" in text
