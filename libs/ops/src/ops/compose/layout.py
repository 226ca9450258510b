"""Where everything is in docker-compose.yml. A test holds the file to it."""

from pathlib import Path
from typing import Final
from urllib.parse import quote

from mesh.description import Endpoint
from ops.services import EDGE_NODE, SERVICES, Service

# Volumes, each at the same place in every container that has it.
STATE: Final = Path("/var/lib/ubertruck")
SECRETS: Final = Path("/secrets")
EDGE: Final = Path("/etc/edge")
MESH: Final = Path("/etc/mesh")

# Users of the images.
OURS: Final = 10001
POSTGRES: Final = 999
ENVOY: Final = 101

EVERYWHERE: Final = "0.0.0.0"  # noqa: S104 - of a container; compose publishes the edge alone
ADMIN: Final = Path("/tmp/envoy.sock")  # noqa: S108 - of a container with one process
PORT: Final = 8080
PROBES: Final = 9090
SUPERUSER: Final = "postgres"
_FIRST_EGRESS: Final = 15000
_FIRST_INGRESS: Final = 16000

CALLERS: Final = (EDGE_NODE, *(service.node for service in SERVICES))


def egress(node: str) -> Endpoint:
    """Where a virtual node calls others, as others see it: at the container of the mesh."""
    return Endpoint(host="mesh", port=_FIRST_EGRESS + CALLERS.index(node))


def ingress(service: Service) -> Endpoint:
    """Where the mesh passes on to a service, inside of its own container."""
    return Endpoint(host="127.0.0.1", port=_FIRST_INGRESS + SERVICES.index(service))


def api(service: Service) -> Endpoint:
    """Where a service's api listens."""
    return Endpoint(host=service.virtual, port=PORT)


def database_url(role: str, password: str, database: str) -> str:
    """`postgresql+asyncpg://…` of a role."""
    return f"postgresql+asyncpg://{role}:{quote(password)}@postgres:5432/{database}"
