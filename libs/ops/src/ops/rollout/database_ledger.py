"""The ledger of rollouts in a database: an audit row and an event in one transaction."""

from collections.abc import Sequence

from sqlalchemy.exc import SQLAlchemyError

from chassis.db import Database, DatabaseUnavailable
from chassis.recording import record
from ops.errors import OpsError
from ops.rollout.deeds import deed_of
from ops.rollout.state import Record


class DatabaseLedger:
    """A `Ledger` in the database at `url`, as the runtime role of its service."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def write(self, records: Sequence[Record]) -> None:
        """See `Ledger`."""
        database = Database.connect(self._url, name="rollout", pool_size=1)
        try:
            await record(database, [deed_of(one) for one in records])
        except DatabaseUnavailable as error:
            raise OpsError("Postgres doesn't answer.") from error
        except SQLAlchemyError as error:
            raise OpsError(f"Postgres refuses it ({type(error).__name__}).") from error
        finally:
            await database.dispose()
