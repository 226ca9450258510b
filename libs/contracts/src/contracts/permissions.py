"""Roles, and what each of them may do.

A permission is written `resource:action[:qualifier]`. `*` stands for every resource or every
action. The qualifier is a scope (`own`, `assigned`, `tenant`, `all`: whose rows) or a field
(`status`, `location`: which part of an assigned row). A permission without a qualifier takes its
scope from `OPEN_SCOPES`; one that stands nowhere in that table grants nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, get_args

ScopeName = Literal["own", "assigned", "tenant", "all"]
TenantKind = Literal["shipper", "fleet", "platform"]

SCOPES: Final[tuple[ScopeName, ...]] = get_args(ScopeName)
TENANT_KINDS: Final[tuple[TenantKind, ...]] = get_args(TenantKind)
FIELDS: Final = frozenset({"status", "location"})

OPEN_SCOPES: Final[Mapping[str, ScopeName]] = MappingProxyType(
    {
        "*:*": "all",
        "fleet:*": "tenant",
        "booking:*": "tenant",
        "booking:read": "assigned",
        "payment:read": "tenant",
        "tracking:read": "tenant",
    }
)

# Whoever may do one of these must have shown a second factor.
SENSITIVE: Final = frozenset(
    {
        ("payment", "refund"),
        ("payment", "settle"),
        ("config", "write"),
        ("config", "approve"),
        ("user", "erase"),
        ("rollout", "promote"),
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Role:
    """One row of the role table.

    `tenant_kinds` says whose users may hold the role; it is empty for a role that only a service
    client holds. `max_sessions` counts sessions of one user that are alive at once.
    """

    name: str
    description: str
    permissions: tuple[str, ...]
    tenant_kinds: tuple[TenantKind, ...]
    mfa_required: bool = False
    max_sessions: int | None = None
    device_binding: bool = False
    ip_allow_list: bool = False
    credit_check: bool = False


_TABLE = (
    Role(
        name="super_admin",
        description="Runs the platform; may do everything",
        permissions=("*:*",),
        tenant_kinds=("platform",),
        mfa_required=True,
        ip_allow_list=True,
    ),
    Role(
        name="operator",
        description="Changes configuration, rolls out, handles dead letters",
        permissions=(
            "config:read:all",
            "config:write:all",
            "config:approve:all",
            "rollout:*:all",
            "deadletter:*:all",
            "audit:read:all",
            "trip:assign:all",
        ),
        tenant_kinds=("platform",),
        mfa_required=True,
    ),
    Role(
        name="finance",
        description="Refunds and settles",
        permissions=(
            "booking:read:all",
            "payment:read:all",
            "payment:refund:all",
            "payment:settle:all",
        ),
        tenant_kinds=("platform",),
        mfa_required=True,
    ),
    Role(
        name="admin",
        description="Keeps the users of one tenant",
        permissions=("tenant:read:tenant", "user:*:tenant"),
        tenant_kinds=("shipper", "fleet"),
        mfa_required=True,
    ),
    Role(
        name="fleet_owner",
        description="Runs a fleet",
        permissions=("fleet:*", "booking:read", "payment:read", "tracking:read"),
        tenant_kinds=("fleet",),
        max_sessions=3,
    ),
    Role(
        name="driver",
        description="Drives a truck, with the mobile app",
        permissions=("trip:read:assigned", "trip:update:status", "tracking:write:location"),
        tenant_kinds=("fleet",),
        device_binding=True,
    ),
    Role(
        name="shipper",
        description="Books transport",
        permissions=("booking:*", "payment:read:own", "tracking:read:own"),
        tenant_kinds=("shipper",),
        credit_check=True,
    ),
    Role(
        name="service",
        description="A service acting by itself",
        permissions=("config:read:all",),
        tenant_kinds=(),
    ),
)

ROLES: Final[Mapping[str, Role]] = MappingProxyType({role.name: role for role in _TABLE})


def scope_of(permission: str) -> ScopeName | None:
    """The scope that a permission grants, or None when it grants nothing."""
    match permission.split(":"):
        case [_, _]:
            return OPEN_SCOPES.get(permission)
        case [_, _, ("own" | "assigned" | "tenant" | "all") as scope]:
            return scope
        case [_, _, field] if field in FIELDS:
            return "assigned"
        case _:
            return None


def covers(permission: str, resource: str, action: str) -> bool:
    """Whether a permission speaks of this action on this resource, wildcards included."""
    if scope_of(permission) is None:
        return False
    named, allowed = permission.split(":")[:2]
    return named in ("*", resource) and allowed in ("*", action)


def permissions_of(roles: Iterable[str]) -> tuple[str, ...]:
    """Every permission of these roles once, in the order of the table; unknown roles add none."""
    held = set(roles)
    found = [p for role in _TABLE if role.name in held for p in role.permissions]
    return tuple(dict.fromkeys(found))


def roles_of(kind: TenantKind) -> tuple[str, ...]:
    """The names of the roles that users of such a tenant may hold."""
    return tuple(role.name for role in _TABLE if kind in role.tenant_kinds)


def mfa_required(roles: Iterable[str]) -> bool:
    """Whether one of these roles demands a second factor."""
    return any(ROLES[name].mfa_required for name in roles if name in ROLES)


def as_markdown() -> str:
    """The role table as two Markdown tables: the rules of each role, and its permissions."""
    return "\n".join((*_rules_table(), "", *_permissions_table(), ""))


def _rules_table() -> list[str]:
    rows = [
        (
            f"`{role.name}`",
            role.description,
            ", ".join(role.tenant_kinds) or "none",
            *(_mark(rule) for rule in (role.mfa_required, role.device_binding)),
            str(role.max_sessions or ""),
            *(_mark(rule) for rule in (role.ip_allow_list, role.credit_check)),
        )
        for role in _TABLE
    ]
    heads = ("Role", "What for", "Tenants", "Second factor", "Bound device")
    return _table((*heads, "Sessions at most", "Address list", "Credit check"), rows)


def _permissions_table() -> list[str]:
    rows = [
        (f"`{role.name}`", f"`{permission}`", scope_of(permission) or "nothing")
        for role in _TABLE
        for permission in role.permissions
    ]
    return _table(("Role", "Permission", "Scope"), rows)


def _table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    lines = [heads, tuple("---" for _ in heads), *rows]
    return ["| " + " | ".join(cells) + " |" for cells in lines]


def _mark(rule: bool) -> str:
    return "yes" if rule else ""
