"""The small grammar of Envoy's configuration: typed extensions, durations, header options."""

from pathlib import Path

TYPE_URL = "type.googleapis.com/envoy."

Json = dict[str, object]


def typed(message: str, **fields: object) -> Json:
    """A message that names its type; `message` is its full name without `envoy.`."""
    return {"@type": TYPE_URL + message, **fields}


def extension(name: str, message: str, **fields: object) -> Json:
    """A named extension (a filter, a monitor, an access log) with its typed configuration."""
    return {"name": name, "typed_config": typed(message, **fields)}


def duration(seconds: float) -> str:
    """Seconds as protobuf's JSON writes a duration, to the millisecond."""
    return f"{seconds:.3f}s"


def set_header(name: str, value: str) -> Json:
    """Set a header, whatever it was."""
    return {
        "header": {"key": name, "value": value},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    }


def socket_address(host: str, port: int) -> Json:
    """A TCP address."""
    return {"socket_address": {"address": host, "port_value": port}}


def always() -> Json:
    """All requests, for settings that take a fraction."""
    return {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}


def watched(path: Path) -> Json:
    """A source of configuration that Envoy reads again whenever the file is replaced."""
    return {
        "path_config_source": {
            "path": str(path),
            "watched_directory": {"path": str(path.parent)},
        },
        "resource_api_version": "V3",
    }
