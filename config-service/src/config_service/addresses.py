"""Where a configuration lives: service, environment and path."""

from typing import Annotated, Final, Literal, NamedTuple, get_args

from pydantic import AfterValidator, Field

ServiceName = Literal["booking", "tracking", "payment", "notification", "auth", "edge"]
EnvironmentName = Literal["dev", "staging", "production"]

SERVICES: Final[tuple[str, ...]] = get_args(ServiceName)
ENVIRONMENTS: Final[tuple[str, ...]] = get_args(EnvironmentName)

PATH_LENGTH: Final = 255
_SEGMENT = "[a-z0-9][a-z0-9_.-]*"
PATH_PATTERN: Final = f"^{_SEGMENT}(/{_SEGMENT})*$"

# They follow a path in an address of the API, so a path that held one could be read in two ways.
RESERVED_SEGMENTS: Final = frozenset({"history", "versions", "rollback", "proposals", "approvals"})


class Address(NamedTuple):
    """The name of one configuration."""

    service: str
    environment: str
    path: str

    @property
    def needs_approval(self) -> bool:
        """Whether a change takes a second person."""
        return self.environment == "production"

    def columns(self) -> dict[str, str]:
        """As the columns of a row."""
        return {
            "service_name": self.service,
            "environment": self.environment,
            "config_path": self.path,
        }

    def __str__(self) -> str:
        return "/".join(self)


def _without_reserved_segments(path: str) -> str:
    found = RESERVED_SEGMENTS.intersection(path.split("/"))
    if found:
        raise ValueError(f"{', '.join(sorted(found))} can't be a segment of a path")
    return path


ConfigPath = Annotated[
    str,
    Field(
        max_length=PATH_LENGTH,
        pattern=PATH_PATTERN,
        description="Segments joined by slashes, such as `pricing` or `limits/coal`",
        examples=["pricing"],
    ),
    AfterValidator(_without_reserved_segments),
]
