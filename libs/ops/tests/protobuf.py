"""Secrets as helm sends them: in Kubernetes' protobuf form, of which this reads what helm uses."""

import base64
from collections import defaultdict
from typing import Any

PREFIX = b"k8s\0"
# Numbers of fields in k8s.io/api/core/v1 Secret, and in the ObjectMeta within.
METADATA, DATA, TYPE = 1, 2, 3
NAME, NAMESPACE, RESOURCE_VERSION, LABELS = 1, 3, 6, 11


def secret(body: bytes) -> dict[str, Any]:
    """The Secret of a request's body."""
    assert body.startswith(PREFIX)
    # An envelope: the kind, then the object's own bytes.
    fields = _fields(_fields(body.removeprefix(PREFIX))[2][0])
    metadata = _fields(fields[METADATA][0])
    found: dict[str, Any] = {
        "name": metadata[NAME][0].decode(),
        "labels": {key: value.decode() for key, value in _map(metadata[LABELS]).items()},
    }
    if metadata[RESOURCE_VERSION] and metadata[RESOURCE_VERSION][0]:
        found["resourceVersion"] = metadata[RESOURCE_VERSION][0].decode()
    data = {key: base64.b64encode(value).decode() for key, value in _map(fields[DATA]).items()}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": found,
        "type": fields[TYPE][0].decode(),
        "data": data,
    }


def _map(entries: list[bytes]) -> dict[str, bytes]:
    pairs = [_fields(entry) for entry in entries]
    return {pair[1][0].decode(): pair[2][0] for pair in pairs}


def _fields(message: bytes) -> defaultdict[int, list[bytes]]:
    """The fields with a length, by number; numbers among them are passed over."""
    found: defaultdict[int, list[bytes]] = defaultdict(list)
    position = 0
    while position < len(message):
        tag, position = _number(message, position)
        value, position = _number(message, position)
        if tag & 7 == 2:
            found[tag >> 3].append(message[position : position + value])
            position += value
    return found


def _number(message: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[position]
        position += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, position
