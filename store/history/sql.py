"""History in SQLite or PostgreSQL: rows, and the words of what was said beside them."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from store.history.database import Database
from store.history.holder import is_gone
from store.history.record import FIELDS, Page, Query, Record, Sound, Work
from store.history.tables import FIRST, JOBS, WORK, record, row

COUNTED = 100_000
"""Up to which a page's `total` is counted."""
FOUND = 10_000
"""Up to which what a search found is counted."""
SAID = 50_000
"""In SQLite, the newest jobs with the words searched for, among which the other filters choose."""


class Sql:
    def __init__(self, url: str) -> None:
        self._database = Database(url)
        self.shared = not self._database.is_sqlite

    def write(self, records: Sequence[Record]) -> None:
        with self._database.writing() as connection:
            connection.execute(self._upsert(), [row(each) for each in records])

    def get(self, id: str) -> Record | None:
        with self._database.reading() as connection:
            found = connection.execute(sa.select(JOBS).where(JOBS.c.id == id)).mappings().first()
        return None if found is None else record(found)

    def page(self, query: Query) -> Page:
        wanted = sa.select(JOBS.c.seq).where(*self._conditions(query))
        most = FOUND if query.search else COUNTED
        skip = (query.page - 1) * query.page_size
        newest = wanted.order_by(JOBS.c.seq.desc()).limit(query.page_size).offset(skip).subquery()
        rows = sa.select(JOBS).where(JOBS.c.seq.in_(sa.select(newest.c.seq))).order_by(JOBS.c.seq.desc())
        counted = sa.select(sa.func.count()).select_from(wanted.limit(most + 1).subquery())
        with self._database.reading() as connection:
            found = connection.execute(rows).mappings().all()
            total = connection.execute(counted).scalar_one()
            cut = self._cut(connection, query)
        told = (f"Of the jobs with these words only the newest {SAID:,} were looked through.",) if cut else ()
        return Page(tuple(map(record, found)), min(total, most), more=cut or total > most, warnings=told)

    def _cut(self, connection: sa.Connection, query: Query) -> bool:
        """Whether other filters may have missed jobs that were said too long ago."""
        if not self._database.is_sqlite or query == Query(query.page, query.page_size, search=query.search):
            return False
        if not query.search:
            return False
        said = sa.select(JOBS.c.seq).where(self._said(query.search)).subquery()
        return bool(connection.execute(sa.select(sa.func.count()).select_from(said)).scalar_one() >= SAID)

    def forget(self, before: float, limit: int) -> int:
        old = sa.select(JOBS.c.seq).where(JOBS.c.created < before).order_by(JOBS.c.created).limit(limit)
        kept_work = sa.select(WORK.c.id)
        with self._database.writing() as connection:
            statement = sa.delete(JOBS).where(JOBS.c.seq.in_(old), JOBS.c.id.not_in(kept_work))
            return connection.execute(statement).rowcount

    def accept(self, record: Record, work: Work, holder: str, until: float) -> None:
        held = {"id": record.id, "input": work.input, "holder": holder, "until": until, "begun": 1}
        with self._database.writing() as connection:
            connection.execute(self._upsert(), [row(record)])
            connection.execute(sa.delete(WORK).where(WORK.c.id == record.id))
            connection.execute(sa.insert(WORK), [held])

    def claim(self, holder: str, until: float, now: float, limit: int) -> list[Work]:
        with self._database.writing() as connection:
            holders = connection.execute(sa.select(WORK.c.holder).distinct()).scalars()
            gone = [each for each in holders if each != holder and is_gone(each)]
            free = sa.or_(WORK.c.until < now, WORK.c.holder.in_(gone))
            taken = sa.select(WORK).where(free).order_by(WORK.c.until).limit(limit).with_for_update(skip_locked=True)
            found = connection.execute(taken).mappings().all()
            ids = [each["id"] for each in found]
            mine = {"holder": holder, "until": until, "begun": WORK.c.begun + 1}
            connection.execute(sa.update(WORK).where(WORK.c.id.in_(ids)).values(mine))
            wished = set(connection.execute(self._wished(ids)).scalars())
        return [Work(each["id"], each["input"], each["begun"] + 1, each["id"] not in wished) for each in found]

    def renew(self, ids: Iterable[str], holder: str, until: float) -> None:
        self._hold(ids, holder, until)

    def release(self, ids: Iterable[str], holder: str) -> None:
        self._hold(ids, holder, -1.0)

    def settle(self, id: str, audio: str) -> None:
        with self._database.writing() as connection:
            if audio:
                unkept = sa.update(JOBS).where(JOBS.c.id == id, JOBS.c.audio == "")
                connection.execute(unkept.values(audio=audio))
            connection.execute(sa.delete(WORK).where(WORK.c.id == id))

    def wish(self, id: str) -> None:
        with self._database.writing() as connection:
            connection.execute(sa.update(JOBS).where(JOBS.c.id == id).values(wished=True))

    def wished(self, ids: Iterable[str]) -> set[str]:
        with self._database.reading() as connection:
            return set(connection.execute(self._wished(ids)).scalars())

    def stale(self, before: float, keep_bytes: float, limit: int) -> list[Sound]:
        """The oldest first. What is over is found by adding up from the newest."""
        kept = sa.and_(JOBS.c.audio != "", JOBS.c.ended.is_not(None))
        above = sa.func.sum(JOBS.c.bytes).over(order_by=(JOBS.c.ended.desc(), JOBS.c.seq.desc()))
        summed = sa.select(JOBS.c.id, JOBS.c.audio, JOBS.c.created, JOBS.c.ended, above.label("above")).where(kept)
        rows = summed.subquery()
        over = sa.select(rows.c.id, rows.c.audio, rows.c.created).where(
            sa.or_(rows.c.ended < before, rows.c.above > keep_bytes)
        )
        with self._database.reading() as connection:
            found = connection.execute(over.order_by(rows.c.ended).limit(limit)).all()
        return [Sound(id, audio, created) for id, audio, created in found]

    def silenced(self, ids: Iterable[str]) -> None:
        with self._database.writing() as connection:
            connection.execute(sa.update(JOBS).where(JOBS.c.id.in_(list(ids))).values(audio=""))

    def close(self) -> None:
        self._database.close()

    def _hold(self, ids: Iterable[str], holder: str, until: float) -> None:
        mine = sa.update(WORK).where(WORK.c.id.in_(list(ids)), WORK.c.holder == holder)
        with self._database.writing() as connection:
            connection.execute(mine.values(until=until))

    def _wished(self, ids: Iterable[str]) -> sa.Select[Any]:
        return sa.select(JOBS.c.id).where(JOBS.c.id.in_(list(ids)), JOBS.c.wished)

    def _upsert(self) -> Any:
        insert = (sqlite.insert if self._database.is_sqlite else postgresql.insert)(JOBS)
        later = {name: insert.excluded[name] for name in FIELDS if name not in FIRST}
        return insert.on_conflict_do_update(index_elements=["id"], set_=later)

    def _conditions(self, query: Query) -> list[Any]:
        asked = {"state": query.state, "model": query.model, "voice": query.voice, "batch": query.batch}
        found = [self._column(name, query) == value for name, value in asked.items() if value]
        if query.batch:  # the index holds only rows of a batch, and must see that no other is asked for
            found.append(JOBS.c.batch != "")
        return [*found, self._said(query.search)] if query.search else found

    def _column(self, name: str, query: Query) -> Any:
        """What a search found is looked at row by row: the plus keeps SQLite from walking an index instead."""
        walked = self._database.is_sqlite and query.search
        return sa.literal_column(f"+jobs.{name}", sa.Text) if walked else JOBS.c[name]

    def _said(self, search: str) -> Any:
        words = re.findall(r"\w+", search.lower())
        if not words:
            return sa.false()
        if self._database.is_sqlite:
            match = " ".join(f'"{word}"' for word in words) + "*"
            text = sa.text(f"SELECT rowid FROM words WHERE words MATCH :match ORDER BY rowid DESC LIMIT {SAID}")
            return JOBS.c.seq.in_(text.bindparams(match=match).columns(rowid=sa.Integer))
        match = " & ".join(words) + ":*"
        return sa.literal_column("jobs.words").op("@@")(sa.func.to_tsquery("simple", match))
