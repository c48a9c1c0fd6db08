"""Jobs, what was said in them, and work that was accepted and is not done."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

SEARCHED = ("state", "model", "voice", "batch")
RARE = {"batch": " WHERE batch <> ''"}
"""Which of a column's values its index holds, where it is not all of them."""


def upgrade() -> None:
    op.create_table(
        "jobs",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("op", *SEARCHED, "text", "code", "message")),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("audio", "format", "usage", "worker", "place")),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("started", sa.Double),
        sa.Column("ended", sa.Double),
        sa.Column("duration", sa.Double, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("wished", sa.Boolean, nullable=False, server_default=sa.false()),
    )
    for name in SEARCHED:
        op.execute(f"CREATE INDEX jobs_{name} ON jobs ({name}, seq){RARE.get(name, '')}")
    op.create_index("jobs_created", "jobs", ["created"])
    op.execute("CREATE INDEX jobs_audio ON jobs (ended, bytes) WHERE audio <> ''")
    op.create_table(
        "work",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("input", sa.Text, nullable=False),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("until", sa.Double, nullable=False),
        sa.Column("begun", sa.Integer, nullable=False),
    )
    op.create_index("work_until", "work", ["until"])
    for statement in WORDS[op.get_bind().dialect.name]:
        op.execute(statement)


WORDS = {
    "sqlite": (
        "CREATE VIRTUAL TABLE words USING fts5(text, content='jobs', content_rowid='seq', tokenize='unicode61')",
        "CREATE TRIGGER jobs_said AFTER INSERT ON jobs BEGIN "
        "INSERT INTO words(rowid, text) VALUES (new.seq, new.text); END",
        "CREATE TRIGGER jobs_unsaid AFTER DELETE ON jobs BEGIN "
        "INSERT INTO words(words, rowid, text) VALUES ('delete', old.seq, old.text); END",
        "CREATE TRIGGER jobs_resaid AFTER UPDATE OF text ON jobs WHEN old.text IS NOT new.text BEGIN "
        "INSERT INTO words(words, rowid, text) VALUES ('delete', old.seq, old.text); "
        "INSERT INTO words(rowid, text) VALUES (new.seq, new.text); END",
    ),
    "postgresql": (
        "ALTER TABLE jobs ADD COLUMN words tsvector "
        "GENERATED ALWAYS AS (to_tsvector('simple', left(text, 100000))) STORED",
        "CREATE INDEX jobs_words ON jobs USING gin (words)",
    ),
}
