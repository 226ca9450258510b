"""Where a request comes from, by what the edge says and nobody else."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from starlette.requests import Request

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

NOWHERE: Final = IPv6Address("::")
_IPV6_SITE: Final = 64


def client_address(request: Request, *, trusted_proxies: int) -> Address:
    """The client's address.

    Each proxy of ours appends the address that it saw to `x-forwarded-for`, so the entry that
    counts stands `trusted_proxies` from the right; what is left of it was written by the client.
    With no proxy, or a header too short to have passed them, it is the peer of the connection.
    """
    lines = request.headers.getlist("x-forwarded-for")
    entries = [entry.strip() for line in lines for entry in line.split(",")]
    peer = request.client.host if request.client else ""
    if 0 < trusted_proxies <= len(entries):
        return _parse(entries[-trusted_proxies]) or _parse(peer) or NOWHERE
    return _parse(peer) or NOWHERE


def throttle_key(address: Address) -> str:
    """What counts as one source: an IPv4 address, or the /64 that a site is given in IPv6."""
    if isinstance(address, IPv6Address):
        return str(ip_network((address, _IPV6_SITE), strict=False))
    return str(address)


def _parse(text: str) -> Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
