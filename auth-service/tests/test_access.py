"""The role table, its page, and how chassis reads it, say the same."""

from pathlib import Path

import pytest

from chassis.access import AccessPolicy
from contracts.permissions import FIELDS, OPEN_SCOPES, ROLES, as_markdown, scope_of

PAGE = Path(__file__).parents[2] / "docs" / "access.md"
PERMISSIONS = sorted({permission for role in ROLES.values() for permission in role.permissions})


def test_the_page_holds_the_table() -> None:
    assert as_markdown() in PAGE.read_text()


@pytest.mark.parametrize("permission", [*PERMISSIONS, "booking:write", "fleet:read", "x", "*:*:x"])
def test_chassis_reads_permissions_as_the_table_means_them(permission: str) -> None:
    resource, action, qualifier = (*permission.split(":"), "", "")[:3]
    field = qualifier if qualifier in FIELDS else None
    scope = AccessPolicy(OPEN_SCOPES).scope_of((permission,), resource, action, field)
    assert (scope.value if scope else None) == scope_of(permission)
