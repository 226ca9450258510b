"""One JSON line for each request, without query, token or cookie."""

from pathlib import Path

from mesh.proto import Json, typed
from mesh.tokens import METADATA, PAYLOAD

_LINE = {
    "time": "%START_TIME(%Y-%m-%dT%H:%M:%S.%3fZ)%",
    "service": "edge",
    "method": "%REQ(:METHOD)%",
    "path": "%PATH(NQ:PATH):256%",
    "status": "%RESPONSE_CODE%",
    "details": "%RESPONSE_CODE_DETAILS%",
    "flags": "%RESPONSE_FLAGS%",
    "duration_ms": "%DURATION%",
    "upstream_ms": "%RESPONSE_DURATION%",
    "route": "%ROUTE_NAME%",
    "upstream": "%UPSTREAM_CLUSTER%",
    "bytes_in": "%BYTES_RECEIVED%",
    "bytes_out": "%BYTES_SENT%",
    "protocol": "%PROTOCOL%",
    "client": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    "subject": f"%DYNAMIC_METADATA({METADATA}:{PAYLOAD}:sub)%",
    "request_id": "%REQ(X-REQUEST-ID)%",
    "traceparent": "%REQ(TRACEPARENT):64%",
    "user_agent": "%REQ(USER-AGENT):128%",
}


def access_log(path: Path | None) -> Json:
    """To the file, or to standard output. The gateway's own health checks are left out."""
    log_format = {"json_format": _LINE, "omit_empty_values": True}
    if path is None:
        sink = typed("extensions.access_loggers.stream.v3.StdoutAccessLog", log_format=log_format)
        name = "envoy.access_loggers.stdout"
    else:
        sink = typed(
            "extensions.access_loggers.file.v3.FileAccessLog", path=str(path), log_format=log_format
        )
        name = "envoy.access_loggers.file"
    return {"name": name, "filter": {"not_health_check_filter": {}}, "typed_config": sink}
