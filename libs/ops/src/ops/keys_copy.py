"""Keeps the edge's copy of auth-service's public keys fresh, for when auth-service is away."""

from contextlib import suppress

from mesh.description import TokenChecks
from mesh.tokens import BadKeys, write_checks
from ops.edge import KEYS_PATH
from ops.http_probe import fetch
from ops.services import AUTH, Layout
from ops.state import write_atomically


async def refresh(layout: Layout, checks: TokenChecks) -> bool:
    """Take over the keys that are published now; False when there are none to be had."""
    document = await fetch(layout.api_port(AUTH), KEYS_PATH)
    with suppress(BadKeys):
        if document is not None:
            write_checks(checks, document)
            write_atomically(layout.folder.keys_file, document)
            return True
    return False


def take_last(layout: Layout, checks: TokenChecks) -> None:
    """Before Envoy starts: the keys of the last run, if there was one."""
    try:
        write_checks(checks, layout.folder.keys_file.read_bytes())
    except (FileNotFoundError, BadKeys):
        write_checks(checks, None)
