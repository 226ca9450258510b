"""What all kinds of App Mesh objects are made of."""

from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

API_GROUP = "appmesh.k8s.aws"
API_VERSION = f"{API_GROUP}/v1beta2"

Port = Annotated[int, Field(ge=1, le=65535)]
Protocol = Literal["http", "tcp"]
Text = Annotated[str, Field(min_length=1, max_length=255)]


class Key(NamedTuple):
    """What an object is found by among those of its kind."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


class Part(BaseModel):
    """Immutable, named as in the manifests, and without keys or conversions that aren't declared.

    The cluster drops keys that it doesn't know, silently; here they are errors.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, alias_generator=to_camel, validate_by_alias=True
    )


class Metadata(Part):
    """`namespace` is empty for what belongs to the whole cluster."""

    name: str = Field(min_length=1)
    namespace: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}

    @property
    def key(self) -> Key:
        return Key(self.namespace, self.name)


class Duration(Part):
    """A time; 0 means that there is no limit, where one is meant."""

    unit: Literal["s", "ms"]
    value: int = Field(ge=0)

    @property
    def seconds(self) -> float:
        return self.value if self.unit == "s" else self.value / 1000


class Ref(Part):
    """A name of another object, in the own namespace unless it says otherwise."""

    name: str = Field(min_length=1)
    namespace: str | None = None

    def key(self, own: str) -> Key:
        """What it points to, seen from the namespace `own`."""
        return Key(own if self.namespace is None else self.namespace, self.name)


class PortMapping(Part):
    port: Port
    protocol: Protocol


class LabelRule(Part):
    key: str
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    values: tuple[str, ...] = ()


class Selector(Part):
    """Which pods or namespaces are meant, by their labels."""

    match_labels: dict[str, str] = {}
    match_expressions: tuple[LabelRule, ...] = ()


class HttpTimeout(Part):
    per_request: Duration | None = None
    idle: Duration | None = None


class TcpTimeout(Part):
    idle: Duration | None = None


def given(part: BaseModel, *names: str) -> list[str]:
    """Which of these fields have a value, for parts of which exactly one may."""
    return [name for name in names if getattr(part, name) is not None]


def exactly_one(part: BaseModel, *names: str) -> None:
    """ValueError unless exactly one of these fields has a value."""
    if len(given(part, *names)) != 1:
        raise ValueError(f"takes exactly one of {', '.join(to_camel(name) for name in names)}")
