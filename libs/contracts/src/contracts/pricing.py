"""What a surge condition may say: config-service checks it when written, booking evaluates it.

A condition is a CEL expression that gives a boolean. It may name `SURGE_VARIABLES`, use
`SURGE_OPERATORS`, and nothing else: no arithmetic, no functions, no macros. So it can neither loop
nor divide by zero, and what it costs is bounded by its length.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

SURGE_VARIABLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "material": "what is moved, as in the booking: `coal`, `iron_ore`, … (string)",
        "quantity_mt": "how much is moved, metric tons (double)",
        "distance_km": "length of the road from pickup to drop, kilometres (double)",
        "hour": "hour in India when the price is made, 0 to 23 (int)",
        "weekday": "day in India when the price is made, 1 Monday to 7 Sunday (int)",
        "month": "month in India when the price is made, 1 to 12 (int)",
        "pickup_lat": "latitude of the pickup, degrees north (double)",
        "pickup_lng": "longitude of the pickup, degrees east (double)",
        "drop_lat": "latitude of the drop, degrees north (double)",
        "drop_lng": "longitude of the drop, degrees east (double)",
    }
)

# Under the names by which CEL knows them: == != < <= > >= && || ! in, and - as a sign
SURGE_OPERATORS: Final = frozenset(
    {"_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_", "_&&_", "_||_", "!_", "@in", "-_"}
)

MAX_CONDITION_LENGTH: Final = 500
MAX_TRIGGERS: Final = 50

# Where booking tries a pricing configuration on past bookings, `{"data": ...}`.
DRY_RUN_PATH: Final = "/v1/pricing/dry-run"
