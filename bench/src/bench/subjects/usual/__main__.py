"""`python -m bench.subjects.usual`."""

from typing import Final

from bench.subjects.usual.app import NAME, create_app
from booking.settings import BookingSettings
from chassis.serve import Service, main

SERVICE: Final = Service(
    name=NAME,
    settings=BookingSettings,  # pyright: ignore[reportArgumentType] - its fields come from the environment
    app=create_app,
    jobs=lambda _settings, _database: (),
    code_revision=1,
)

if __name__ == "__main__":
    main(SERVICE, ["api"])
