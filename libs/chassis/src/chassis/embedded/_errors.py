"""The one error of this package."""


class EmbeddedPostgresError(Exception):
    """Postgres can't do what was asked. The message is one sentence for a person."""
