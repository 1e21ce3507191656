"""The shell of a processor: claim, fetch, decide, commit, publish; and when in doubt, claim again."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import structlog

from shared.runtime import metrics
from shared.runtime.boards import Boards, views_of
from shared.runtime.bundles import bundles_of
from shared.runtime.clock import Clock
from shared.runtime.engine import Engine, FuseBlownError, Limits, Read, Taken, Tally
from shared.runtime.errors import InvariantError, RecordLostError, TransientError
from shared.runtime.headers import correlation_of, header_of
from shared.runtime.hops import oldest_by_topic
from shared.runtime.log import GroupReader, Log, Outgoing, Place, Publisher, Record, group_of
from shared.runtime.processor import Processor, TimerFired
from shared.runtime.shard import GapFoundError, Shard
from shared.runtime.store import Batch, Claim, LaneOut, OutboxRow, Store
from shared.runtime.tracing import Exemplar, Tracing

BACKOFF_SECONDS: Final = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
WAIT_SECONDS_MAX: Final = 0.1
IDLE_TURNS_MAX: Final = 5  # then what was published is noted without waiting for a batch
STALL_SECONDS: Final = 30.0
BLIND_SECONDS: Final = (
    12.0  # without a look at the bus: longer than a broker's restart, shorter than a person's patience
)
GATHER_RECORDS: Final = 300  # after a batch that read and told fewer …
GATHER_SECONDS_MAX: Final = 0.1  # … let records gather, no longer than this,
GATHER_FACTOR: Final = 1.0  # as long as the batch took, so that a busy machine makes larger batches
PATIENCE_SECONDS: Final = 1.0  # real ones, of alarms that let the process do first what it is behind with
LOOKS_ON_SECONDS: Final = 1.0  # between two notes that something outside is still looked at
LOOKING_SECONDS_MAX: Final = 600.0  # that a batch may look at what is outside before it counts as standing still
TURN_SECONDS: Final = 0.1  # what a large batch may take: what is urgent waits for the one under way
CALM_SECONDS: Final = 300.0  # without a restart of the bus client; then it is watched as closely as at first
RESTARTS_MAX: Final = 3  # so often each restart of the bus client is given twice the time of the one before
RECLAIM_SECONDS: Final = 2.0  # a shard lost to another owner is claimed again if the group still says it is ours


def poisoned(row: OutboxRow, doubtful: set[int]) -> bool:
    """A publish error poisons every lane of its shard until the shard is claimed again."""
    return row.lane[0] in doubtful


def went_back(processor: str, inlets: Mapping[Place, int], read: Mapping[Place, int]) -> None:
    """Refuse a store that is not as far as it was: whatever it forgot would be decided a second time.

    Errors:  `InvariantError` names the places.
    """
    behind = [f"{topic}/{n}: {inlets.get((topic, n), 0)}, was {at}" for (topic, n), at in sorted(read.items())
              if (topic, n) in inlets and inlets[(topic, n)] < at]  # fmt: skip
    if behind:
        raise InvariantError(
            f"Expected the database of {processor} to be as far as it was, found {'; '.join(behind[:3])}. Remedy: it was "
            "put back to an earlier point, or belongs to another floor; stop every service, then `opsfloor restore`, which looks, "
            "and `opsfloor restore --write`"
        )


def gather_seconds(turn_seconds: float, least: float) -> float:
    """How long to let records gather after a small batch that took so long, and at least."""
    return max(least, min(GATHER_FACTOR * turn_seconds, GATHER_SECONDS_MAX))


_log: Final = structlog.get_logger("opsfloor.runner")


@dataclass(slots=True)
class Progress:
    """What the watchdog and `/health` look at. Units: monotonic seconds."""

    ready: bool = False
    at_work: bool = False  # a batch is being decided or written
    failed: str = ""
    last_cycle: float = field(default_factory=time.monotonic)
    last_progress: float = field(default_factory=time.monotonic)
    lag_records: int = 0


class Runner:
    """Runs one processor over the shards that the group gives to this process.

    Holds:   a fact is published only after its batch is committed, in lane order, one publication at a time; while one
             is under way the next batch may be decided and committed. After a publish error, a lost lease or an
             unknown outcome the shards concerned are claimed again, which publishes what is left in the outbox.
    Errors:  `InvariantError` ends it: a gap, a blown fuse, an impossible state.
    """

    def __init__(
        self,
        processor: Processor,
        log: Log,
        store: Store,
        boards: Boards,
        clock: Clock,
        limits: Limits | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        tracing: Tracing | None = None,
    ) -> None:
        self.processor: Final = processor if tracing is None else tracing.over(processor)
        self._tracing: Final = tracing  # none: nobody listens
        self.progress: Final = Progress()
        self.engine: Engine | None = None
        self.behind = False  # more waits than one batch takes
        self.beside: Sequence[Runner] = (self,)  # the runners of this process
        self._log_port: Final = log
        self._store: Final = store
        self._boards: Final = boards
        self._views: Final = views_of(boards, (spec.name for spec in processor.boards))
        self._clock: Final = clock
        self._limits: Final = limits or Limits()
        self._name: Final = processor.full_name
        self._rank: Final = {topic.name: rank for rank, topic in enumerate(processor.inputs)}
        self._bundling: Final = {topic.name for topic in processor.outputs if topic.bundled and self._limits.bundles}
        self._publisher: Final[Publisher] = log.publisher()
        self._reader: GroupReader = self._new_reader()
        self._mutex: Final = asyncio.Lock()  # a batch and a change of ownership never overlap
        self._ahead: list[Read] = []  # fetched and decoded while the batch before was at work
        self._pending: list[OutboxRow] = []
        self._published: dict[LaneOut, int] = {}
        self._on_the_way: frozenset[int] = frozenset()  # shards of which the publication under way has facts
        self._doubtful: set[int] = set()  # shards to claim again before the next batch
        self._lost: dict[int, float] = {}  # shards found to have another owner → when to claim them again
        self._read: dict[Place, int] = {}  # how far it has seen commits go, its own and those of owners before it
        self._monotonic: Final = monotonic
        self._looked_at = monotonic()  # when the bus was last seen
        self._restarts = 0  # of the bus client, without calm in between
        self._restarted_at = -math.inf
        self._stopping = False
        self._idle_turns = 0
        self._turn_seconds = 0.0  # what the last batch took, without waiting for its records
        self._turn_facts = 0  # how many it told
        self._record_seconds = 0.0  # what the last large batch took for each of its records
        self._oldest_ms: int | None = None  # the stamp of the oldest record of the batch at work
        self._went_alone = False  # the last batch was of urgent records only
        self._tick_at = 0.0  # when the alarms are looked at next

    def _new_reader(self) -> GroupReader:
        topics = [topic.name for topic in self.processor.inputs]
        return self._log_port.group_reader(group_of(self.processor.name), topics, self._claimed, self._dropped)

    # -------------------------------------------------------------- life

    async def start(self) -> None:
        """Learn the partition count, start the clients, join the group."""
        partitions = {
            await self._log_port.partitions(t.name) for t in (*self.processor.inputs, *self.processor.outputs)
        }
        if len(partitions) != 1:
            raise InvariantError(f"Expected equal partition counts on all topics of {self._name}, found {partitions}")
        self.engine = Engine(self.processor, partitions.pop(), self._limits, self._bundling)
        metrics.begin(self._name)
        await self._publisher.start()
        await self._reader.start()
        self.progress.ready = True

    async def run(self) -> None:
        """Work until `stop`: one batch after the other, the last one's facts going out meanwhile."""
        flushing: asyncio.Task[None] | None = None
        try:
            while not self._stopping:
                reads = await self._batch()
                if flushing is not None:
                    await flushing
                flushing = asyncio.create_task(self.flush()) if self._pending else None
                if self.lets_gather(len(reads)):
                    await asyncio.sleep(self.gathers_for)
        finally:
            if flushing is not None:
                await flushing

    def lets_gather(self, records: int) -> bool:
        """Whether, after a batch of so many records, the next ones are let gather: not when it had, or told, many."""
        return not self._ahead and not self.behind and records > 0 and max(records, self._turn_facts) < GATHER_RECORDS

    @property
    def gathers_for(self) -> float:
        """How long the next records are let gather. Units: seconds."""
        return gather_seconds(self._turn_seconds, max(self._limits.gather_seconds, self.processor.gather_seconds))

    async def _batch(self) -> list[Read]:
        """One batch; while a large one is decided and written, what comes next is read."""
        reads = await self._gather()
        large = len(reads) >= self._limits.ahead_records_min
        looking = asyncio.create_task(self.look_ahead()) if large and not self._ahead else None
        try:
            await self._work(reads)
        finally:
            if looking is not None:
                await looking
        return reads

    def stop(self) -> None:
        """Ask `run` to end after the batch under way."""
        self._stopping = True

    async def close(self) -> None:
        """Drain: publish what is committed, note it, leave the group."""
        self.progress.ready = False
        await self._reader.stop()
        await self._publisher.stop()

    # -------------------------------------------------------------- one turn

    async def cycle(self) -> int:
        """One batch: fetch, decide, commit. Its facts wait in `flush`'s queue. Returns how many records were read."""
        reads = await self._gather()
        await self._work(reads)
        return len(reads)

    async def _gather(self) -> list[Read]:
        """The next batch: what was read ahead, filled up with what has come."""
        if self._doubtful or self._lost:
            await self.heal()
        self.progress.last_cycle = time.monotonic()
        metrics.LAST_TURN.labels(self._name).set_to_current_time()
        ahead, self._ahead = self._ahead, []
        room = self._room()
        if len(ahead) >= self._limits.ahead_records_min:
            records = await self._reader.at_hand(max(room // 2, room - len(ahead)))
        else:
            wait_seconds = 0.0 if ahead else self._wait_seconds()
            records = await self._fetched(max(1, room - len(ahead)), wait_seconds)
        reads = sorted(ahead + await self._decoded(records), key=lambda read: self._rank[read.record.topic])
        return self._cut(reads, room)

    async def _fetched(self, records_max: int, wait_seconds: float) -> list[Record]:
        try:
            return await self._reader.fetch(records_max, wait_seconds)
        except RecordLostError:  # retention was faster than the reader: no lane tells it, there is nothing to read
            metrics.GAPS.labels(self._name).inc()
            raise

    def _cut(self, reads: Sequence[Read], room: int) -> list[Read]:
        """What of the reads, the most urgent first, the batch takes; the rest waits for the next one.

        Holds:   what is urgent goes alone before a bulk of what is less so, but only every other time, and then a
                 quarter of the batch is kept for the bulk: neither waits for ever.
        """
        first = self._rank[reads[0].record.topic] if reads else 0
        urgent = sum(self._rank[read.record.topic] == first for read in reads)
        rest = len(reads) - urgent
        self._went_alone = not self._went_alone and rest >= self._limits.ahead_records_min
        kept = 0 if self._went_alone else min(rest, max(room // 4, room - urgent))
        taken = min(urgent, room - kept)
        self._ahead = [*reads[taken:urgent], *reads[urgent + kept :]]
        self.behind = len(reads) >= room
        return [*reads[:taken], *reads[urgent : urgent + kept]]

    def _room(self) -> int:
        """How many records a batch may have: so many that it takes no longer than `TURN_SECONDS`, as far as is known.

        Holds:   never fewer than `room_records_min`: on a busy machine that would make it busier. Few when each may take
                 seconds: a batch that outlasts the group's patience goes to another process, again and again.
        """
        if self.processor.records_max:
            return min(self._limits.batch_records_max, self.processor.records_max)
        fits = int(TURN_SECONDS / self._record_seconds) if self._record_seconds else self._limits.batch_records_max
        return min(self._limits.batch_records_max, max(self._limits.room_records_min, fits))

    async def _decoded(self, records: Sequence[Record]) -> list[Read]:
        """Decode records, of the owners that their shards have now; whatever else is to be done goes first."""
        owners = dict(self._engine.shards)  # no await since the hand-out
        reads: list[Read] = []
        for start in range(0, len(records), self._limits.slice_records):
            if start:
                await self._log_port.pause(0)
            reads += self._engine.read(records[start : start + self._limits.slice_records], owners)
        return reads

    async def look_ahead(self) -> None:
        """Read what comes next while a batch is decided and written: the database's work hides the reading.

        Holds:   ended before the next batch is fetched. What is handed out here of a shard that must be claimed again is
                 left by `Engine.take`, as the claim's seek brings it again.
        """
        self._ahead = await self._decoded(await self._reader.at_hand(self._room()))

    async def _work(self, reads: Sequence[Read]) -> None:
        began = self._monotonic()
        async with self._mutex:
            self.progress.at_work = True
            self._oldest_ms = min((read.record.timestamp_ms for read in reads), default=None)
            try:
                await self._turn(reads)
            finally:
                self.progress.at_work, self._oldest_ms = False, None
        self._turn_seconds = self._monotonic() - began
        if len(reads) >= self._limits.ahead_records_min:
            self._record_seconds = self._turn_seconds / len(reads)

    async def _turn(self, reads: Sequence[Read]) -> None:
        started = time.perf_counter()
        batch, tally = Batch(), Tally()
        if self._tracing is not None:
            self._tracing.began()
        try:
            await self._decide(reads, batch, tally)
            self._turn_facts = tally.facts
            self._idle_turns = 0 if batch.epochs else self._idle_turns + 1
            if batch.epochs or (self._published and self._idle_turns >= IDLE_TURNS_MAX):
                await self._commit(batch, tally, started)
                self._measure_hops([read.record for read in reads])
        except TransientError as error:
            metrics.RETRIES.labels(self._name).inc()
            _log.warning("dependency away", processor=self._name, reason=str(error))
            self._doubt(self._engine.shards)
        except GapFoundError:
            metrics.GAPS.labels(self._name).inc()
            raise

    async def _decide(self, reads: Sequence[Read], batch: Batch, tally: Tally) -> None:
        engine, now = self._engine, self._clock.now()
        engine.wall_ms = self._clock.wall_ms()
        taken = engine.take(reads, batch, tally, now)
        if self._monotonic() >= self._tick_at or engine.woken_by(self._boards.versions):
            self._tick_at = self._monotonic() + self._limits.timer_tick_seconds
            taken += engine.timers(now, self._boards.versions, batch, tally, self._patience())
        if not taken:
            return
        await self._load(taken)
        for start in range(0, len(taken), self._limits.slice_records):
            if start:  # a large batch must not keep the process from everything else that it does
                await self._log_port.pause(0)
            part = taken[start : start + self._limits.slice_records]
            await self._observe(part)
            before = time.perf_counter()
            engine.decide(part, now, self._views, batch, tally, self._boards.changed_ms)
            metrics.DECISION_SECONDS.labels(self._name).observe((time.perf_counter() - before) / len(part))

    def _patience(self) -> timedelta:
        """How much later patient alarms are due: not at all, unless a processor of this process is behind."""
        if not any(runner.behind for runner in self.beside):
            return timedelta()
        return timedelta(seconds=PATIENCE_SECONDS / self._clock.real_seconds(1.0))

    async def _load(self, taken: Sequence[Taken]) -> None:
        keys = self._engine.missing(taken)
        metrics.STATES.labels(self._name, "memory").inc(len(taken) - len(keys))
        if not keys:
            return
        metrics.STATES.labels(self._name, "store").inc(len(keys))
        rows = await self._store.load(keys)
        lengths = await self._store.journal_length(keys) if self.processor.journal else {}
        for shard, key in keys:
            self._engine.put(shard, key, rows.get((shard, key), {}), lengths.get((shard, key), 0))

    async def _observe(self, taken: Sequence[Taken]) -> None:
        if self.processor.observe is None:
            return
        items = [(item, item.event) for item in taken if not isinstance(item.event, TimerFired)]
        looking = self.processor.observe([event for _, event in items], self._views)
        found = await (self._looked(asyncio.ensure_future(looking)) if self.processor.records_max else looking)
        for (item, _), observed in zip(items, found, strict=True):
            item.observed = observed

    async def _looked(self, looking: asyncio.Future[Sequence[Any]]) -> Sequence[Any]:
        """Wait for what is found outside. Holds: meanwhile the runner is at work, for `LOOKING_SECONDS_MAX` at most."""
        end = time.monotonic() + LOOKING_SECONDS_MAX
        try:
            while not (await asyncio.wait({looking}, timeout=LOOKS_ON_SECONDS))[0]:
                if time.monotonic() < end:
                    self.progress.last_cycle = self.progress.last_progress = time.monotonic()
            return looking.result()
        finally:
            looking.cancel()

    async def _commit(self, batch: Batch, tally: Tally, started: float) -> None:
        self._note_published(batch, frozenset(self._engine.shards))
        batch.outbox += bundles_of(batch.told, self._engine.wall_ms, compressed=self._limits.compressed_bundles)
        before = time.perf_counter()
        lost = await self._store.commit(batch)
        after = time.perf_counter()
        if lost:
            metrics.LOST.labels(self._name).inc(len(lost))
            _log.warning("shards have another owner", processor=self._name, shards=sorted(lost))
            for number in lost:
                self._forget(number)
                self._lost[number] = self._monotonic() + RECLAIM_SECONDS
            self._doubt(set(batch.epochs) - lost)
            return
        self._read.update({(topic, shard): at for (shard, topic), at in batch.next_offsets.items()})
        self._pending.extend(batch.outbox)
        self._engine.evict()
        exemplar = None if self._tracing is None else self._tracing.committed(tally, after - before)
        if self.processor.measure is not None and tally.decided:
            self.processor.measure(tally.decided, self._clock.now())
        self.progress.last_progress = time.monotonic()
        self._count(tally, after - before, after - started, exemplar)
        if tally.blown:
            metrics.FUSES.labels(self._name).inc()
            raise FuseBlownError(tally.blown)

    def _note_published(self, batch: Batch, shards: frozenset[int]) -> None:
        for lane in [lane for lane in self._published if lane[0] in shards]:
            batch.published[lane] = self._published.pop(lane)
            batch.epochs[lane[0]] = self._engine.shards[lane[0]].epoch

    async def flush(self) -> None:
        """Publish what is committed and not yet out, in lane order; shards of a failed place are claimed again."""
        rows = [row for row in self._pending if not poisoned(row, self._doubtful)]
        self._pending = []
        self._on_the_way = frozenset(row.lane[0] for row in rows)
        failed = await self._publish(rows)
        self._on_the_way = frozenset()
        self._doubt(failed)
        metrics.UNPUBLISHED.labels(self._name).set(len(self._pending))

    async def _publish(self, rows: Sequence[OutboxRow]) -> set[int]:
        if not rows:
            return set()
        places: dict[Place, list[Outgoing]] = {}
        reached: dict[LaneOut, int] = {}
        for row in rows:
            places.setdefault((row.lane[1], row.lane[2]), []).append(row.record)
            reached[row.lane] = row.sequence
        before = time.perf_counter()
        failures = await self._publisher.publish(places)
        seconds = time.perf_counter() - before
        exemplar = None
        if self._tracing is not None:
            exemplar = self._tracing.exemplar(header_of(rows[-1].record.headers, "traceparent").decode())
        metrics.PUBLISH_SECONDS.labels(self._name).observe(seconds, exemplar)
        for place, reason in failures.items():
            metrics.PUBLISH_ERRORS.labels(self._name).inc()
            _log.warning("publish failed", processor=self._name, topic=place[0], partition=place[1], reason=reason)
        failed: set[int] = set()
        for lane, sequence in reached.items():
            if (lane[1], lane[2]) in failures:
                failed.add(lane[0])
            else:
                self._published[lane] = sequence
        metrics.PUBLISHED.labels(self._name).inc(sum(row.facts for row in rows) if not failures else 0)
        return failed

    # -------------------------------------------------------------- ownership

    def _doubt(self, shards: Mapping[int, Shard] | set[int]) -> None:
        """Nothing more goes out for these shards until they are claimed again: their lanes are poisoned."""
        doubtful = set(shards)
        if doubtful:
            self._doubtful |= doubtful
            self._pending = [row for row in self._pending if not poisoned(row, doubtful)]

    def _forget(self, number: int) -> None:
        self._engine.shards.pop(number, None)
        self._doubtful.discard(number)
        self._pending = [row for row in self._pending if row.lane[0] != number]
        for lane in [lane for lane in self._published if lane[0] == number]:
            del self._published[lane]
        metrics.OWNED.labels(self._name).set(len(self._engine.shards))

    async def heal(self) -> None:
        """Claim the doubtful shards again and read on from what the store says.

        A shard whose commit found another owner is claimed again too, a little later, unless the group has taken it away
        meanwhile: the other owner may have been one whom the group had already put out.
        """
        await self._ask_for_lost()
        async with self._mutex:
            now = self._monotonic()
            shards = self._doubtful & set(self._engine.shards) | {n for n, at in self._lost.items() if at <= now}
            self._doubtful = set()
            if shards:
                starts = await self._claim(frozenset(shards))
                await self._reader.seek(starts)

    async def _ask_for_lost(self) -> None:
        """Leave a lost shard alone for another while unless the group itself takes this process for a member.

        Why:     one that is slow learns late that it was put out. It would take its shards from those who have them now,
                 and they again from it, for as long as the machine is busy.
        """
        now = self._monotonic()
        due = {number for number, at in self._lost.items() if at <= now}
        read = {place: at for place, at in self._read.items() if place[1] in due}
        if read and not await self._reader.hint(read):
            self._lost.update(dict.fromkeys(due & set(self._lost), self._monotonic() + RECLAIM_SECONDS))

    async def _claimed(self, shards: frozenset[int]) -> Mapping[Place, int]:
        async with self._mutex:
            return await self._claim(shards)

    async def _dropped(self, shards: frozenset[int]) -> None:
        async with self._mutex:
            for number in shards:
                self._lost.pop(number, None)
            failed = await self._publish(self._take_pending(shards))
            if failed:
                _log.warning("left for the next owner to publish", processor=self._name, shards=sorted(failed))
            await self._last_note(shards & frozenset(self._engine.shards))
            for number in shards:
                self._forget(number)

    async def _last_note(self, shards: frozenset[int]) -> None:
        batch = Batch()
        self._note_published(batch, shards)
        try:
            if batch.published:
                await self._store.commit(batch)
        except TransientError as error:
            _log.warning("the next owner will publish again", processor=self._name, reason=str(error))

    def _take_pending(self, shards: frozenset[int]) -> list[OutboxRow]:
        """What may still go out of these shards: nothing that would overtake facts which are on their way."""
        barred = self._doubtful | self._on_the_way
        mine = [row for row in self._pending if row.lane[0] in shards and row.lane[0] not in barred]
        self._pending = [row for row in self._pending if row.lane[0] not in shards]
        return mine

    async def _claim(self, shards: frozenset[int]) -> Mapping[Place, int]:
        """Take the shards, publish what the outbox holds of them, start with nothing else in memory."""
        starts: dict[Place, int] = {}
        attempt = 0
        todo = shards
        while todo and not self._stopping:
            for number in todo:
                self._forget(number)
                self._lost.pop(number, None)
            try:
                claims = await self._store.claim(sorted(todo))
                for number, claim in claims.items():
                    starts.update(await self._open(number, claim))
                todo = frozenset(await self._publish([row for claim in claims.values() for row in claim.unpublished]))
            except TransientError as error:
                metrics.RETRIES.labels(self._name).inc()
                _log.warning("cannot claim yet", processor=self._name, reason=str(error))
            if todo:
                await self._pause(attempt)
                attempt += 1
        self._expect_whole_fuse(shards)
        return starts

    def _expect_whole_fuse(self, shards: frozenset[int]) -> None:
        """What the batch that blew the fuse told is out by now. Errors: `FuseBlownError`; whoever watches is told again."""
        try:
            self._engine.expect_whole_fuse(shards & frozenset(self._engine.shards))
        except FuseBlownError:
            metrics.FUSES.labels(self._name).inc()
            raise

    async def _open(self, number: int, claim: Claim) -> Mapping[Place, int]:
        starts = {(t.name, number): claim.next_offsets.get((t.name, number), 0) for t in self.processor.inputs}
        went_back(self._name, starts, self._read)
        self._read.update({place: at for place, at in claim.next_offsets.items() if place in starts})
        shard = Shard(number, claim)
        self._engine.shards[number] = shard
        metrics.CLAIMS.labels(self._name).inc()
        metrics.OWNED.labels(self._name).set(len(self._engine.shards))
        if self.processor.keep_in_memory:
            everything = await self._store.load_shard(number)
            keys = [(number, key) for key in everything]
            lengths = await self._store.journal_length(keys) if self.processor.journal else {}
            for key, rows in everything.items():
                self._engine.put(number, key, rows, lengths.get((number, key), 0))
        _log.info("claimed", processor=self._name, shard=number, epoch=claim.epoch, unpublished=len(claim.unpublished))
        return starts

    async def _pause(self, attempt: int) -> None:
        await self._log_port.pause(BACKOFF_SECONDS[min(attempt, len(BACKOFF_SECONDS) - 1)])

    # -------------------------------------------------------------- watching

    @property
    def _engine(self) -> Engine:
        if self.engine is None:
            raise InvariantError(f"Expected {self._name} to be started")
        return self.engine

    def _wait_seconds(self) -> float:
        engine = self._engine
        if any(shard.alarms.pending for shard in engine.shards.values()):
            return 0.0
        at = engine.next_timer_at()
        if at is None:
            return WAIT_SECONDS_MAX
        seconds = self._clock.real_seconds((at - self._clock.now()).total_seconds())
        return min(max(seconds, self._tick_at - self._monotonic(), 0.002), WAIT_SECONDS_MAX)

    async def watch(self) -> None:
        """Compare progress with lag; restart the bus client when it has died silently. Call every few seconds.

        Errors:  `TransientError` when the bus cannot be looked at. A client that cannot see for `BLIND_SECONDS` is
                 restarted as well: it may be the client, not the bus, that is gone.
        """
        try:
            await self._look()
        except TransientError:
            if self._monotonic() - self._looked_at > BLIND_SECONDS * self._leniency():
                await self._restart("the bus client cannot see the bus: it is restarted")
            raise
        if self.progress.lag_records == 0:
            self.progress.last_progress = time.monotonic()
        elif time.monotonic() - self.progress.last_progress > STALL_SECONDS * self._leniency():
            await self._restart("no progress with records waiting: the bus client is restarted")

    async def _look(self) -> None:
        ends = await self._reader.ends()
        self._looked_at = self._monotonic()
        lag = 0
        for place, end in ends.items():
            shard = self._engine.shards.get(place[1])
            lag += max(0, end - shard.next_offsets.get(place, 0)) if shard is not None else 0
        self.progress.lag_records = lag
        await self._reader.hint({place: at for place, at in self._read.items() if place[1] in self._engine.shards})
        metrics.LAG_RECORDS.labels(self._name).set(lag)
        if not lag:  # nothing follows that would tell how far behind it is
            metrics.LAG_SECONDS.labels(self._name).set(0.0)
        elif self._oldest_ms is not None:  # nor does a batch before it ends
            metrics.LAG_SECONDS.labels(self._name).set(max(0.0, (self._clock.wall_ms() - self._oldest_ms) / 1000))

    def _leniency(self) -> int:
        """How much longer than at first a bus client is waited for: one that is only slow gets slower by each restart."""
        calm = self._monotonic() - self._restarted_at > CALM_SECONDS
        return 1 if calm else 2 ** min(self._restarts, RESTARTS_MAX)

    async def _restart(self, why: str) -> None:
        _log.error(why, processor=self._name)
        self._restarts = 1 if self._leniency() == 1 else self._restarts + 1
        self._restarted_at = self._monotonic()
        metrics.RESTARTS.labels(self._name).inc()
        self.progress.last_progress = time.monotonic()
        self._looked_at = self._monotonic()
        old, self._reader = self._reader, self._new_reader()
        await old.stop()
        await self._reader.start()

    def _measure_hops(self, records: Sequence[Record]) -> None:
        now = self._clock.now()
        for topic, hop in oldest_by_topic(records).items():
            exemplar = None if self._tracing is None else self._tracing.exemplar(hop.traceparent)
            metrics.HOP.labels(self._name, topic).observe(max(0.0, (now - hop.at).total_seconds()), exemplar)

    def _count(self, tally: Tally, commit_seconds: float, batch_seconds: float, exemplar: Exemplar | None) -> None:
        name = self._name
        if tally.records:
            metrics.RECORDS.labels(name).inc(tally.records)
        for kind, count in tally.kinds.items():
            metrics.EVENTS.labels(name, kind).inc(count)
        for counter, count in (
            (metrics.DUPLICATES, tally.duplicates),
            (metrics.PARKED, tally.parked),
            (metrics.REJECTED, tally.rejected),
            (metrics.TIMERS, tally.timers),
        ):
            if count:
                counter.labels(name).inc(count)
        if not tally.records and not tally.timers:
            return
        metrics.FUSE_SHARE.labels(name).set(self._engine.unreadable_share)
        metrics.COMMIT_SECONDS.labels(name).observe(commit_seconds, exemplar)
        metrics.BATCH_SECONDS.labels(name).observe(batch_seconds, exemplar)
        metrics.BATCH_EVENTS.labels(name).observe(tally.events + tally.timers, exemplar)
        lag = 0.0 if tally.oldest_ms is None else max(0.0, (self._clock.wall_ms() - tally.oldest_ms) / 1000)
        metrics.LAG_SECONDS.labels(name).set(lag)
        metrics.UNPUBLISHED.labels(name).set(len(self._pending))
        if tally.timers:
            metrics.TIMERS_LATE.labels(name).observe(max(0.0, tally.late_seconds), exemplar)
        metrics.ENTITIES.labels(name).set(sum(len(s.entities) for s in self._engine.shards.values()))
        _log.info(
            "batch",
            processor=name,
            records=tally.records,
            events=tally.events,
            timers=tally.timers,
            facts=tally.facts,
            duplicates=tally.duplicates,
            parked=tally.parked,
            rejected=tally.rejected,
            commit_ms=round(commit_seconds * 1000, 2),
            batch_ms=round(batch_seconds * 1000, 2),
            lag_s=round(lag, 3),
            about=list(dict.fromkeys(correlation_of(fact) or fact.key for fact in tally.decided)),
        )
