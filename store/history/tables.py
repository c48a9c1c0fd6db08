"""The tables as queries name them, and how a record becomes a row. `migrations/` makes them."""

import json
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from basics.errors import printable
from store.history.record import FIELDS, Record

META = sa.MetaData()
JOBS = sa.Table(
    "jobs",
    META,
    sa.Column("seq", sa.BigInteger, primary_key=True),
    *(sa.Column(name, sa.Text) for name in ("id", "op", "state", "model", "voice", "batch", "text", "code", "message")),
    *(sa.Column(name, sa.Text) for name in ("audio", "format", "usage", "worker", "place")),
    *(sa.Column(name, sa.Double) for name in ("created", "started", "ended", "duration")),
    sa.Column("bytes", sa.BigInteger),
    sa.Column("wished", sa.Boolean),
)
WORK = sa.Table(
    "work",
    META,
    *(sa.Column(name, sa.Text) for name in ("id", "input", "holder")),
    sa.Column("until", sa.Double),
    sa.Column("begun", sa.Integer),
)
FIRST = {"id", "created", "batch"}
"""What a job's first record says for good."""


def row(record: Record) -> dict[str, Any]:
    """PostgreSQL takes no NUL, and no encoding takes half a surrogate pair."""
    plain = {name: value for name, value in record.as_dict().items() if name != "usage"}
    told = {
        name: printable(value).replace("\0", "") if isinstance(value, str) else value for name, value in plain.items()
    }
    return told | {"usage": json.dumps(dict(record.usage)).replace("\\u0000", "")}


def record(found: Mapping[Any, Any]) -> Record:
    return Record.of_dict({name: found[name] for name in FIELDS} | {"usage": json.loads(found["usage"])})
