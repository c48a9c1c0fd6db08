"""Brings a database to the shape that this version knows, once, however many workers start at the same time.

The lock and every step are in one transaction: who comes second waits, and finds nothing to do. A database that a
later version has changed is left as it is: steps only add.
"""

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory

FOLDER = Path(__file__).parent / "migrations"
LOCK = 7_417_553_208_311
"""Names the lock in PostgreSQL: any number, and always the same."""


def migrate(connection: sa.Connection) -> None:
    """In the connection's transaction, which is a writing one."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    script = ScriptDirectory(str(FOLDER))
    context = MigrationContext.configure(connection, opts={"fn": lambda at, _: _steps(script, at)})
    with Operations.context(context):
        context.run_migrations()


def _steps(script: ScriptDirectory, at: Any) -> Any:
    known = {each.revision for each in script.walk_revisions()}
    return script._upgrade_revs("head", at) if set(at) <= known else []
