"""The limit of bodies. A body is read whole before a service hears of it, so none waits for one."""

from mesh.proto import Json, extension, typed

FILTER = "envoy.filters.http.buffer"

_TYPE = "extensions.filters.http.buffer.v3."


def body_limit(size: int) -> Json:
    """Bodies over `size` bytes are 413."""
    return extension(FILTER, _TYPE + "Buffer", max_request_bytes=size)


def body_ignored() -> Json:
    """What a route says whose answer depends on no body."""
    return typed(_TYPE + "BufferPerRoute", disabled=True)
