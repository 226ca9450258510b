"""The side of the callee: a listener before each process, which guards its pool."""

from mesh.appmesh.nodes import Listener
from mesh.appmesh.rules import listener_seconds
from mesh.clusters import discovery
from mesh.dataplane.hops import ATTEMPTS, CONNECT, UNBOUNDED, breakers, http_options, listener
from mesh.dataplane.stats import FIRST_ATTEMPTS
from mesh.description import Description, Endpoint, Name
from mesh.proto import Json, duration, socket_address


class Instance(Description):
    """A process of a virtual node: where it listens itself, and where it is called."""

    name: Name
    node: str
    application: Endpoint
    ingress: Endpoint

    @property
    def cluster(self) -> str:
        """The name of its cluster and of its listener."""
        return f"ingress_{self.name}"


def ingress_listener(instance: Instance, described: Listener, problem_base: str) -> Json:
    """Everything goes to the process, for as long as its node allows."""
    route: Json = {
        "cluster": instance.cluster,
        "timeout": duration(listener_seconds(described)),
    }
    timeout = described.timeout.http if described.timeout else None
    if timeout and timeout.idle:
        route["idle_timeout"] = duration(timeout.idle.seconds)
    return listener(
        instance.cluster,
        instance.ingress,
        problem_base,
        route_config={
            "name": instance.cluster,
            "virtual_hosts": [
                {
                    "name": f"{instance.node}/{instance.name}",
                    "domains": ["*"],
                    "virtual_clusters": [_first_attempts()],
                    "routes": [{"name": instance.name, "match": {"prefix": "/"}, "route": route}],
                }
            ],
        },
    )


def _first_attempts() -> Json:
    """What is counted by itself: requests, without those that are sent once more."""
    once = {"safe_regex": {"regex": "1?"}}
    header = {"name": ATTEMPTS, "string_match": once, "treat_missing_header_as_empty": True}
    return {"name": FIRST_ATTEMPTS, "headers": [header]}


def ingress_cluster(instance: Instance, described: Listener) -> Json:
    """The process behind its connection pool."""
    pool = described.connection_pool.http if described.connection_pool else None
    at = socket_address(instance.application.host, instance.application.port)
    return {
        "name": instance.cluster,
        **discovery((instance.application,)),
        "connect_timeout": CONNECT,
        "load_assignment": {
            "cluster_name": instance.cluster,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": at}}]}],
        },
        "typed_extension_protocol_options": http_options(),
        "circuit_breakers": breakers(pool.max_connections, pool.max_pending_requests or UNBOUNDED)
        if pool
        else breakers(),
    }
