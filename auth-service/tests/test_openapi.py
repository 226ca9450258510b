"""The OpenAPI document, and whether the service keeps to it whatever is sent."""

from typing import Any

import pytest

from .world import World

DOCUMENTED = {
    "/auth/login": {"200", "400", "401", "403", "413", "415", "422", "429", "503"},
    "/auth/mfa": {"200", "400", "401", "403", "409", "413", "415", "422", "429", "503"},
    "/auth/refresh": {"200", "400", "401", "403", "413", "415", "422", "429", "503"},
    "/auth/token": {"200", "400", "401", "413", "415", "422", "429", "503"},
}


@pytest.fixture
async def document(world: World) -> dict[str, Any]:
    app: Any = world.http._transport  # pyright: ignore[reportPrivateUsage] - the app of this client
    return dict(app.app.openapi())


@pytest.mark.parametrize("path", DOCUMENTED)
async def test_every_answer_is_documented(document: dict[str, Any], path: str) -> None:
    assert document["paths"][path]["post"]["responses"].keys() == DOCUMENTED[path]


async def test_errors_are_problems(document: dict[str, Any]) -> None:
    for operations in document["paths"].values():
        for operation in operations.values():
            for status, answer in operation["responses"].items():
                if status >= "400":
                    assert answer["content"].keys() == {"application/problem+json"}
