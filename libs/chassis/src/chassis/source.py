"""Where a request comes from, by what our own proxies say and nobody else."""

from ipaddress import IPv4Address, IPv6Address, ip_address

from starlette.requests import Request

Address = IPv4Address | IPv6Address


def client_address(request: Request, *, trusted_proxies: int) -> Address | None:
    """The client's address; None when there is none, as behind a Unix socket.

    Each proxy of ours appends the address that it saw to `x-forwarded-for`, so the entry that
    counts stands `trusted_proxies` from the right; what is left of it was written by the client.
    With no proxy, or a header too short to have passed them, it is the peer of the connection.
    """
    lines = request.headers.getlist("x-forwarded-for")
    entries = [entry.strip() for line in lines for entry in line.split(",")]
    peer = _parse(request.client.host) if request.client else None
    if 0 < trusted_proxies <= len(entries):
        return _parse(entries[-trusted_proxies]) or peer
    return peer


def _parse(text: str) -> Address | None:
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
