"""The first prices: what config-service brings as an example, put in as the demo operator."""

import json
from importlib.resources import files

from ops import api
from ops.people import find
from ops.services import ENVIRONMENT
from ops.sessions import Sessions

PATH = f"/v1/config/booking/{ENVIRONMENT}/pricing"
TICKET = "CHG-00000001"
PRECONDITION_FAILED = 412


def put_unless_there(url: str, sessions: Sessions) -> None:
    """Put the example prices where none are; OpsError when the platform refuses them."""
    text = files("config_service").joinpath("seeds/booking-pricing.json").read_text()
    body = {"data": json.loads(text), "change_ticket": TICKET}
    headers = {
        "authorization": f"Bearer {sessions.access_token(find('operator'))}",
        "if-none-match": "*",
    }
    with api.client(url) as client:
        response = client.put(PATH, json=body, headers=headers)
    if response.status_code != PRECONDITION_FAILED:
        api.accepted(response, "Putting in the first prices")
