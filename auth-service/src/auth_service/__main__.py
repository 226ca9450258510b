"""`python -m auth_service api | worker | migrate | openapi | keys … | seed FILE | …`."""

import sys

from auth_service.app import create_app, create_jobs
from auth_service.cli import COMMANDS, run_command
from auth_service.settings import AuthSettings
from auth_service.vault import Vault, VaultError
from chassis.serve import EXIT_POINTLESS, Service, fail, main
from chassis.settings import ServiceSettings


def _settings() -> ServiceSettings:
    settings = AuthSettings()  # pyright: ignore[reportCallIssue] - from the environment
    try:
        Vault.from_file(settings.master_key_file)
    except VaultError as error:
        fail(str(error), EXIT_POINTLESS)
    return settings


SERVICE = Service(
    name="auth-service", settings=_settings, app=create_app, jobs=create_jobs, code_revision=1
)

if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in COMMANDS:
        run_command(sys.argv[1:])
    main(SERVICE)
