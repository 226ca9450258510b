"""First prices and fees: what config-service brings as examples, put in as the demo operator."""

import json
import time
from collections.abc import Mapping
from importlib.resources import files

import httpx

from ops import api
from ops.people import find
from ops.services import ENVIRONMENT
from ops.sessions import Sessions
from ops.state import StateFolder

PATHS = ("pricing", "cancellation", "trips")
TICKET = "CHG-00000001"
PRECONDITION_FAILED = 412
UNAVAILABLE = 503
PATIENCE = 20.0
PAUSE = 0.2


def put_unless_there(folder: StateFolder, *, auth_url: str, config_url: str) -> None:
    """Put the examples where nothing is; OpsError when they are refused.

    It asks the services themselves, so that values are there before anybody can ask for one.
    """
    sessions = Sessions(folder, auth_url)
    headers = {
        "authorization": f"Bearer {sessions.access_token(find('operator'))}",
        "if-none-match": "*",
    }
    with api.client(config_url) as client:
        for path in PATHS:
            text = files("config_service").joinpath(f"seeds/booking-{path}.json").read_text()
            body = {"data": json.loads(text), "change_ticket": TICKET}
            url = f"/v1/config/booking/{ENVIRONMENT}/{path}"
            response = put_when_ready(client, url, body, headers)
            if response.status_code != PRECONDITION_FAILED:
                api.accepted(response, f"Putting in the first {path}")


def put_when_ready(
    client: httpx.Client,
    url: str,
    body: Mapping[str, object],
    headers: Mapping[str, str],
    *,
    patience: float = PATIENCE,
) -> httpx.Response:
    """The answer to a PUT, asked again for `patience` seconds as long as it is 503.

    Started together with identity, config-service may not know the keys of its tokens yet.
    """
    deadline = time.monotonic() + patience
    while True:
        response = client.put(url, json=body, headers=headers)
        if response.status_code != UNAVAILABLE or time.monotonic() >= deadline:
            return response
        time.sleep(PAUSE)
