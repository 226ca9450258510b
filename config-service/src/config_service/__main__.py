"""`python -m config_service api | worker | migrate | openapi`."""

from chassis.serve import Service, main
from chassis.settings import ServiceSettings
from config_service.app import create_app, create_jobs

SERVICE = Service(
    name="config-service",
    settings=ServiceSettings,  # pyright: ignore[reportArgumentType] - its fields come from the environment
    app=create_app,
    jobs=create_jobs,
    code_revision=1,
)

if __name__ == "__main__":
    main(SERVICE)
