"""Envoy's own interface, of which only what looks and drains is open."""

from mesh.description import Admin
from mesh.proto import Json, socket_address

# Whoever reaches it may look and drain, not stop the process or turn up its log.
_PATHS = (
    r"/(clusters|drain_listeners|healthcheck/(fail|ok)|listeners|memory|ready|server_info"
    r"|stats(/prometheus)?)(\?.*)?"
)


def admin_interface(admin: Admin) -> Json:
    """The part of a bootstrap that opens it."""
    address = (
        {"pipe": {"path": str(admin.socket), "mode": 0o600}}
        if admin.listen is None
        else socket_address(admin.listen.host, admin.listen.port)
    )
    return {
        "address": address,
        "ignore_global_conn_limit": True,
        "allow_paths": [{"safe_regex": {"regex": _PATHS}}],
    }
