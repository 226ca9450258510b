"""What is done once for a data folder, and again only when what it was made from changed.

Roles, databases, migrations, demo tenants and prices are all safe to repeat; a note with the digest
of what they were made from saves repeating them at every start.
"""

import hashlib
import sys
from pathlib import Path

import chassis
import ops
from ops.child import Command
from ops.environment import base_environment
from ops.errand import run_to_end
from ops.services import Layout
from ops.stale import mark
from ops.state import StateFolder, read_json, write_json
from ops.versions import Code

MIGRATIONS = Path(chassis.__file__).parents[4] / "migrations"


def is_done(folder: StateFolder) -> bool:
    """Whether everything was made from what is there now."""
    return read_json(folder.prepared_file).get("digest") == _digest(folder)


def note_done(folder: StateFolder) -> None:
    """Keep in mind that everything is made."""
    write_json(folder.prepared_file, {"digest": _digest(folder)})


def forget(folder: StateFolder) -> None:
    """Make everything again at the next start, and keep nothing that came out of other data."""
    for file in (folder.prepared_file, folder.sessions_file, folder.keys_file):
        file.unlink(missing_ok=True)


def is_ahead(code: Code, database: str) -> bool:
    """Whether a version brings migrations of a database that aren't known here."""
    if code.source is None:
        return False
    here, there = (
        {file.name for file in (root / database / "versions").glob("*.py")}
        for root in (MIGRATIONS, code.source / MIGRATIONS.name)
    )
    return not there <= here


async def migrate(layout: Layout, code: Code | None = None) -> None:
    """Make or mend roles, databases and tables, by what is installed or by another version.

    ErrandError says what stands in the way.
    """
    folder = layout.folder
    python_path = "" if code is None else code.python_path
    command = Command(
        argv=[sys.executable, "-m", "ops.prepare", str(folder.root), str(layout.ports["postgres"])],
        env=base_environment(python_path=python_path) | mark(folder),
        log=folder.log_of("migrations"),
    )
    await run_to_end("Migrating the databases", command)


def _digest(folder: StateFolder) -> str:
    ours = Path(ops.__file__).parent
    sources = [
        *sorted(MIGRATIONS.rglob("*.py")),
        *sorted(folder.secrets.iterdir()),
        *(ours / name for name in ("people.json", "prepare.py", "first_values.py", "services.py")),
    ]
    digest = hashlib.sha256()
    for source in sources:
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()
