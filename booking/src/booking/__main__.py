"""`python -m booking api | worker | migrate | openapi`."""

from booking.app import NAME, create_app, create_jobs
from booking.events import HANDLERS
from booking.settings import BookingSettings
from chassis.serve import Service, main

SERVICE = Service(
    name=NAME,
    settings=BookingSettings,  # pyright: ignore[reportArgumentType] - its fields come from the environment
    app=create_app,
    jobs=create_jobs,
    code_revision=15,
    handlers=HANDLERS,
)

if __name__ == "__main__":
    main(SERVICE)
