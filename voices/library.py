"""The voices that people keep: found by id, ready to speak with, changed under the rules.

Nothing here computes on the event loop. A worker knows of others' changes within `watch_seconds`; a busy one
looks around in the background, so that nobody waits for it.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from basics.audio import Samples
from basics.clock import Clock, SystemClock
from basics.errors import Failure
from basics.settings import Settings
from store.objects import Objects
from voices.adopting import adopted
from voices.census import Census, Seen, still
from voices.conditionals import FILE_BYTES, anew, read
from voices.describing import FOUND, described, sound_of, voice_of
from voices.dropped import Dropped
from voices.kept import Kept
from voices.ledger import Change, Ledger, exists
from voices.record import Origin, Record, is_id
from voices.reference import Limits, Reference, fingerprint
from voices.transcribing import DEAF, Scribe, Transcriber
from voices.voice import Voice

log = logging.getLogger("worker.voices")

MEMORY_BYTES = 64 << 20
"""Of recordings as engines hear them: 30 s are 2.9 MB."""
READ_TRIES = 10
"""How often a recording is looked for anew when its voice is replaced while it is read."""
WAIT_SECONDS = 60.0
"""How long a job waits for the transcript that its model reads."""
HELD = "-"
"""In place of a recording's name: it is in memory only."""


class Known(Protocol):
    """All that casting asks of a library."""

    async def get(self, id: str) -> Voice | None:
        """The voice with this id, or None."""
        ...

    async def written(self, id: str, most_seconds: float) -> Voice | None:
        """For a model that hears so much and reads what is said there: waits for what can be found out of that."""
        ...


class NoLibrary:
    async def get(self, id: str) -> Voice | None:
        return None

    async def written(self, id: str, most_seconds: float) -> Voice | None:
        return None


@dataclass(frozen=True, slots=True)
class Rules:
    watch_seconds: float = 5.0
    reference_bytes: int = 50_000_000
    limits: Limits = field(default_factory=Limits)
    require_consent: bool = False

    @classmethod
    def of(cls, settings: Settings) -> "Rules":
        return cls(
            settings.watch_seconds,
            round(settings.reference_mb * 1e6),
            Limits(settings.reference_seconds),
            settings.require_consent,
        )


class _Gone(Exception):
    """Deleted while it was read."""


class Library:
    def __init__(
        self,
        objects: Objects,
        rules: Rules = Rules(),
        clock: Clock | None = None,
        gone: Callable[[str], None] = lambda digest: None,
        transcriber: Transcriber = DEAF,
    ) -> None:
        """`gone` hears the digest of each voice that is no more."""
        self.rules = rules
        self._objects = objects
        self._gone = gone
        self._transcriber = transcriber
        self._scribe = Scribe(transcriber, self._whole, self._amend)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._voices: Kept[tuple[str, str], Voice] = Kept(MEMORY_BYTES, _size_bytes)
        self._census = Census(objects, clock or SystemClock(), self._forget)
        self._ledger = Ledger(objects, self._census)
        self._behind: asyncio.Task[None] | None = None
        self._held: dict[str, tuple[Record, Reference]] = {}
        """By id, voices made from files in a place that takes nothing."""

    async def get(self, id: str) -> Voice | None:
        """Ready to speak with. Raises `voice_unusable`, `consent_required`, and what a recording is refused for."""
        if not is_id(id):
            return None
        record = await self.record(id)
        if record is None:
            return None
        self._check(record)
        try:
            return await self._voices.get((id, record.reading), partial(asyncio.to_thread, self._load, record))
        except _Gone:
            return None

    async def written(self, id: str, most_seconds: float) -> Voice | None:
        """Raises `busy` where the transcript is still being written when the patience ends."""
        record = await self.record(id)
        owes = record is not None and not record.conditionals and self._scribe.owes(record, most_seconds)
        if record is not None and owes and not await self._scribe.finish(record, WAIT_SECONDS):
            raise Failure("busy", f"What is said in `{id}` is still being written down.", field="voice")
        return await self.get(id)

    async def record(self, id: str) -> Record | None:
        """As it is used: a file that somebody put there becomes a voice now."""
        await self._current()
        seen = self._census.find(id) if is_id(id) else None
        fresh = seen is None and self._census.file(id) is not None
        if seen is None and is_id(id):
            seen = await asyncio.to_thread(self._new, id)
        if seen is None:
            return None
        if seen.record is None:
            raise Failure("voice_unusable", f"The voice `{id}` has a voice.json that cannot be read.", field="voice")
        self._scribe.take_up(seen.record, now=fresh)
        return seen.record

    async def records(self) -> list[Record]:
        """All there are, by id. What somebody put there and nobody used yet has only a name."""
        await self._current()
        found = {id: _bare(file) for id, file in self._census.files().items()}
        found |= {id: seen.record for id, seen in self._census.voices().items() if seen.record is not None}
        for record in found.values():
            self._scribe.take_up(record)
        return [found[id] for id in sorted(found)]

    def derived(self, id: str) -> tuple[str, ...]:
        """What engines derived from it, as of the last look."""
        return self._census.derived(id)

    async def check_free(self, id: str) -> None:
        """Raises `voice_exists`, before any work is done on a new voice."""
        await self._current()
        if self._census.find(id) or self._census.file(id) or await asyncio.to_thread(self._census.look, id):
            raise exists(id)

    async def create(self, record: Record, reference: Reference, replace: bool = False) -> Record:
        if not replace:
            await self.check_free(record.id)
        fresh = await asyncio.to_thread(described, record, reference, self._transcriber.ready())
        made = await asyncio.to_thread(self._ledger.create, fresh, sound_of(reference), replace)
        self._scribe.take_up(made, now=True)
        return made

    async def create_from_conditionals(self, id: str, data: bytes, replace: bool = False) -> Record:
        """Chatterbox's own file, judged and kept as one that somebody put there: it has an id and nothing else."""
        if not replace:
            await self.check_free(id)
        judged = await asyncio.to_thread(anew, id, data)
        await asyncio.to_thread(self._ledger.place, id, f"{id}.safetensors", judged, replace)
        await asyncio.to_thread(self._census.refresh)
        if (made := await self.record(id)) is None:
            raise unknown(id)  # deleted meanwhile
        return made

    async def update(self, id: str, change: Change, reference: Reference | None = None) -> Record:
        known = await self.record(id)
        if known is None:
            raise unknown(id)
        _check_recorded(known)
        if known.audio == HELD:
            raise Failure("storage_failed", "The place where voices are kept takes no changes.", retryable=False)
        if reference is None:
            record = await asyncio.to_thread(self._ledger.update, id, change)
        else:
            bare = Record(id=id, language=change(known).language)
            fresh = await asyncio.to_thread(described, bare, reference, self._transcriber.ready())
            found = {name: getattr(fresh, name) for name in FOUND}
            anew: Change = lambda record: change(record.model_copy(update=found))  # noqa: E731
            record = await asyncio.to_thread(self._ledger.update, id, anew, sound_of(reference))
        if record is None:
            raise unknown(id)
        self._scribe.take_up(record, now=reference is not None)
        return record

    async def delete(self, id: str) -> None:
        await self._current()
        if not (is_id(id) and await asyncio.to_thread(self._ledger.delete, id)):
            raise unknown(id)
        await asyncio.to_thread(self._census.refresh)

    async def sound(self, id: str) -> tuple[Record, Samples, int]:
        """The whole kept recording."""
        record = await self.record(id)
        if record is None:
            raise unknown(id)
        _check_recorded(record)
        try:
            return await asyncio.to_thread(self._whole, record)
        except _Gone:
            raise unknown(id) from None

    async def close(self) -> None:
        """What is being written down stays undone; another worker takes it up."""
        await self._scribe.close()

    def _check(self, record: Record) -> None:
        if not record.conditionals:
            _check_recorded(record)
        if self.rules.require_consent and not record.consent:
            raise no_consent(f"The voice `{record.id}` has none.", "voice")

    async def _current(self) -> None:
        """A look half as old as may be is renewed behind the asker's back; an older one while they wait."""
        self._loop = asyncio.get_running_loop()
        age, most = self._census.age(), self.rules.watch_seconds
        if age >= most:
            await asyncio.to_thread(self._refresh, most)
        elif age >= most / 2 and (self._behind is None or self._behind.done()):
            self._behind = asyncio.ensure_future(asyncio.to_thread(self._refresh, most / 2))

    def _refresh(self, older_than: float) -> None:
        """A store that cannot be listed now does not take away the voices that are known."""
        try:
            self._census.refresh(older_than)
            for id in self._census.abandoned():
                self._ledger.clear_abandoned(id)
        except Failure as failure:
            if self._census.age() == float("inf"):
                raise
            log.warning("library_unreachable", extra={"code": failure.code})
            self._census.postpone()

    def _new(self, id: str) -> Seen | None:
        """One that somebody made since the last look, or that lies there as a file."""
        file = self._census.file(id)
        if file is None:
            seen = self._census.look(id)
            return seen if seen is not None and still(seen, None) else None
        if file.audio is None:
            return Seen(_bare(file), "")
        return self._adopt(file)

    def _adopt(self, file: Dropped) -> Seen:
        held = self._held.get(file.id)
        if held is not None and held[0].origin == file.origin:
            return Seen(held[0], "")
        record, reference = adopted(file, self._objects, self.rules.reference_bytes, self.rules.limits)
        record = described(record, reference, self._transcriber.ready())
        try:
            return Seen(self._ledger.adopt(record, sound_of(reference)), "")
        except Failure as failure:
            if failure.code != "storage_failed":
                raise
            log.warning("voice_not_kept", extra={"voice": file.id})
            parts = {"audio": HELD, "sha256": reference.sha256, "sample_rate": reference.rate}
            self._held[file.id] = record.model_copy(update=parts), reference
            return Seen(self._held[file.id][0], "")

    def _load(self, record: Record) -> Voice:
        if record.conditionals:
            data, _ = self._objects.get(record.conditionals, FILE_BYTES)
            conditionals = read(record.id, record.conditionals, data)
            return Voice(record.id, "library", record.digest, record.language, conditionals=conditionals)
        return voice_of(*self._whole(record))

    def _amend(self, id: str, change: Change) -> Record | None:
        held = self._held.get(id)
        if held is None:
            return self._ledger.amend(id, change)
        self._held[id] = change(held[0]), held[1]
        return self._held[id][0]

    def _whole(self, record: Record) -> tuple[Record, Samples, int]:
        if record.audio == HELD:
            reference = self._held[record.id][1]
            return record, reference.samples, reference.rate
        for _ in range(READ_TRIES):
            try:
                samples, rate = self._ledger.sound(record)
            except Failure as failure:
                if failure.code != "not_found":
                    raise
                seen = self._census.look(record.id)  # replaced or deleted since it was read?
                if seen is None:
                    raise _Gone from None
                if seen.record is None or seen.record.audio == record.audio:
                    break
                record = seen.record
                continue
            if record.sha256 and fingerprint(samples, rate) != record.sha256:
                raise Failure("voice_unusable", f"The recording of `{record.id}` is not the one that was kept.")
            return record, samples, rate
        raise Failure("voice_unusable", f"The recording of the voice `{record.id}` is missing.", field="voice")

    def _forget(self, record: Record) -> None:
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._voices.drop, lambda key: key[0] == record.id)
            loop.call_soon_threadsafe(self._gone, record.digest)


def unknown(id: str) -> Failure:
    return Failure("unknown_voice", f"The library has no voice `{id[:64]}`.", field="id")


def no_consent(why: str, field: str) -> Failure:
    return Failure(
        "consent_required",
        f"This worker asks for a consent record with each voice (REQUIRE_CONSENT). {why}",
        field=field,
        hint="Send `consent` with `voices.create`, or add it with `voices.update`.",
    )


def _check_recorded(record: Record) -> None:
    if record.conditionals:
        raise Failure(
            "voice_unusable",
            f"`{record.id}` is a file of Chatterbox's conditionals: it has no recording to hear or to change.",
            field="voice",
            hint="Create a voice from the recording they were made from.",
        )
    if not record.audio:
        raise Failure("voice_unusable", f"The voice `{record.id}` has no recording.", field="voice")


def _bare(file: Dropped) -> Record:
    if file.audio is None and file.conditionals is not None:
        origin = Origin(audio=(file.conditionals.key, file.conditionals.etag))
        return Record(id=file.id, name=file.id, origin=origin, conditionals=file.conditionals.key)
    state = "given" if file.text is not None else "none"
    return Record(id=file.id, name=file.id, transcript_state=state, origin=file.origin)


def _size_bytes(voice: Voice) -> int:
    parts = voice.conditionals or {}
    return sum(part.nbytes for part in (voice.samples, *parts.values()) if part is not None)
