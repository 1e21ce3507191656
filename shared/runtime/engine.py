"""The heart of a batch, without I/O: records in, decisions made, one `Batch` out for the store."""

from __future__ import annotations

import base64
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from shared.contracts.message import Message
from shared.contracts.ops import RecordParked
from shared.contracts.registry import CONTRACTS, WITHOUT_LANES
from shared.runtime.errors import ContractError, InvariantError
from shared.runtime.headers import (
    Cause,
    body_of,
    event_id_of,
    headers_for,
    origin_of,
    own_of,
    source_of,
    told_kind,
    turn_of,
)
from shared.runtime.log import Origin, Outgoing, Place, Record, partition_of
from shared.runtime.processor import Alarm, Event, Processor, Rejection, Situation, TimerFired, derived_id
from shared.runtime.shard import ADOPTS, BLOWN, SPARED, Entity, Shard, take_from_lane
from shared.runtime.store import Batch, JournalRow, OutboxRow, Run, TimerRow, Told

FAULTS_MAX: Final = 3  # of one row, that are told
ENTITIES_MAX: Final = 50_000  # states at hand per shard, least recently used first out


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one processor's shell. Units: records, share of records, real seconds."""

    batch_records_max: int = 1_000
    ahead_records_min: int = 100  # after so many the next ones are read while these are decided and written
    room_records_min: int = 500  # in a batch, however slow: with fewer its own cost outweighs that of its records
    gather_seconds: float = 0.004  # after a small batch, at least: fewer transactions and requests for a little latency
    slice_records: int = 100  # decoded, or decided, between two looks at what else this process has to do
    timers_max: int = 500
    timer_tick_seconds: float = (
        0.1  # real time between looks at the alarms: a floor that runs fast must not spin on them
    )
    entities_max: int = ENTITIES_MAX
    bundles: bool = True  # several facts may go out in one record: no process of a release that cannot read it is left
    compressed_bundles: bool = True  # and they may be compressed
    fuse_window: int = 500
    fuse_share: float = 0.2
    fuse_parked_min: int = 25


def unlike_its_row(processor: Processor, key: str, error: ValidationError) -> str:
    """Why a state cannot be made of its rows, for whoever changed it; what stands in the row is not told."""
    found = "; ".join(
        f"{'.'.join(map(str, each['loc'])) or 'it'}: {each['msg']}"
        for each in error.errors(include_url=False, include_input=False)[:FAULTS_MAX]
    )
    return (
        f"Expected the row of {key} in the table {processor.table.name} of {processor.full_name} to be read as {error.title}, "
        f"found {found}. Remedy: rows of earlier releases stay as they were: give each field a default that is right for "
        "them, or rewrite them in a step (docs/adding-a-processor.md, «Changing a state later»)"
    )


class FuseBlownError(InvariantError):
    """Too large a share of what was read cannot be decoded: something upstream is broken.

    Holds:   the batch that blew the fuse is committed, and with it what it parked and that it is blown: whoever claims the
             shard stops at once, until somebody resets it. What lay in the log by then does not blow it again.
    """


def to_reset(processor: str) -> str:
    """What to do about a blown fuse. Its page is docs/runbook/FuseBlown.md."""
    return (
        "Remedy: `opsfloor dlq list`, stop or mend the writer, then "
        f"`opsfloor dlq reset-fuse {processor} --actor you --reason why`, and start again"
    )


class Read(NamedTuple):
    """A record as far as it speaks for itself: reading it needs no state, so that it may be done ahead.

    Holds:   `shard` is who owned its partition when it was handed out; `event` is `None` for a kind that the processor
             passes over, and for a record that cannot be read, of which `fault` says why. One that strays can be read,
             but lies on another partition than its key's.
    """

    record: Record
    shard: Shard | None
    origin: Origin | None
    event: Message | None
    fault: str
    strays: bool = False


def home_of(record: Record, message: Message, partitions: int) -> int:
    """The partition on which the record belongs. Holds: a fact of a shard lies where its lane is."""
    if record.topic not in WITHOUT_LANES:
        return record.partition
    return partition_of(message.key.encode(), partitions)


def strays_from(record: Record, message: Message, partitions: int) -> str:
    """Why a record is not taken that another shard knows about: two shards would each take the same key for a new one.
    Empty when it lies where it belongs."""
    home = home_of(record, message, partitions)
    if home == record.partition:
        return ""
    return (
        f"Expected {message.kind_name()} of key {message.key} on partition {home}, found it on {record.partition}: whoever "
        "wrote it must let Kafka's own partitioner (murmur2 of the key) choose; sent again, it goes where it belongs"
    )


@dataclass(slots=True)
class Taken:
    """One event on its way to a decision."""

    shard: Shard
    key: str
    event: Event
    cause: Cause
    observed: Any = None


@dataclass(slots=True)
class Tally:
    """What happened in a batch, for metrics and the canonical log line."""

    records: int = 0
    events: int = 0
    timers: int = 0
    duplicates: int = 0
    skipped: int = 0
    parked: int = 0
    blown: str = ""  # why the fuse blew in this batch, in a sentence
    rejected: int = 0
    facts: int = 0
    oldest_ms: int | None = None
    late_seconds: float = 0.0  # of the alarm that fired latest
    kinds: dict[str, int] = field(default_factory=dict)
    decided: list[Message] = field(default_factory=list)


class Engine:
    """One processor's decisions over the shards that this process owns.

    Holds:   what it tells on the topics of `bundling` is in the batch's `told`, everything else in its outbox.
    """

    def __init__(
        self, processor: Processor, partitions: int, limits: Limits, bundling: AbstractSet[str] = frozenset()
    ) -> None:
        self.processor: Final = processor
        self.limits: Final = limits
        self.shards: dict[int, Shard] = {}
        self.wall_ms = 0  # the stamp of what this batch writes; set before each batch
        self.partitions: Final = partitions
        self._bundling: Final = bundling
        self._fuse: deque[bool] = deque(maxlen=limits.fuse_window)
        self._sources: dict[int, bytes] = {}
        self._stamp: tuple[datetime | None, bytes] = (None, b"")  # the batch's instant, as its facts tell it
        self._outputs: Final = {topic.name for topic in processor.outputs}

    # ------------------------------------------------------------------ taking

    def read(self, records: Iterable[Record], owners: Mapping[int, Shard] | None = None) -> list[Read]:
        """Decode records. `owners` are the shards at the moment when the records were handed out; without: now."""
        owners = self.shards if owners is None else owners
        return [self._read(record, owners.get(record.partition)) for record in records]

    def _read(self, record: Record, shard: Shard | None) -> Read:
        origin, takes = None, self.processor.takes
        try:
            origin = origin_of(record)
            if takes and origin.kind not in takes and origin.kind in CONTRACTS:
                return Read(record, shard, origin, None, "")
            event = body_of(record, origin.kind, self.processor.forms.get(origin.kind))
            strays = strays_from(record, event, self.partitions)
            return Read(record, shard, origin, None if strays else event, strays, bool(strays))
        except ContractError as error:
            return Read(record, shard, origin, None, str(error))

    def take(self, reads: Iterable[Read], batch: Batch, tally: Tally, now: datetime) -> list[Taken]:
        """Take what is new of the records of owned shards, in order; park what cannot be read.

        Holds:   a record that was handed out to an earlier owner of its shard, be it this process, is left: whoever
                 claims a shard reads on from what the store says, and so gets it again.
        """
        taken: list[Taken] = []
        for read in reads:
            record, shard = read.record, read.shard
            if shard is None or self.shards.get(record.partition) is not shard:
                continue
            place = (record.topic, record.partition)
            expected = shard.next_offsets.get(place)
            if expected is None and record.offset > 0:
                shard.lanes_in[(ADOPTS, record.topic)] = 1
                batch.lanes_in[(shard.number, ADOPTS, record.topic)] = 1
            if expected is not None and record.offset < expected:
                continue
            tally.records += 1
            event = self._take_one(shard, read, batch, tally, now)
            shard.next_offsets[place] = record.next_offset
            batch.epochs[shard.number] = shard.epoch
            batch.next_offsets[(shard.number, record.topic)] = record.next_offset
            if event is not None:
                taken.append(event)
        return taken

    def _take_one(self, shard: Shard, read: Read, batch: Batch, tally: Tally, now: datetime) -> Taken | None:
        record, origin = read.record, read.origin
        if tally.oldest_ms is None or record.timestamp_ms < tally.oldest_ms:
            tally.oldest_ms = record.timestamp_ms
        if origin is not None and origin.sequence:
            if not take_from_lane(shard, origin, record.topic, record.offset):
                tally.duplicates += 1
                return None
            batch.lanes_in[(shard.number, origin.source, record.topic)] = origin.sequence
        self._watch_fuse(shard, read, batch, tally)
        if read.fault or origin is None:
            tally.parked += 1
            self._park(shard, record, read.fault, batch, tally, now)
            return None
        event = read.event
        key = None if event is None else self.processor.key(event)
        if event is None or key is None:
            tally.skipped += 1
            return None
        tally.events += 1
        tally.kinds[origin.kind] = tally.kinds.get(origin.kind, 0) + 1
        cause = Cause(origin.event_id, origin.correlation, origin.traceparent)
        return Taken(shard, key, event, cause)

    def timers(
        self,
        now: datetime,
        boards: Mapping[str, int],
        batch: Batch,
        tally: Tally,
        patience: timedelta = timedelta(),
    ) -> list[Taken]:
        """The alarms that are due, patient ones so much later, as events."""
        taken: list[Taken] = []
        for shard in self.shards.values():
            for fired in shard.alarms.due(now, boards, self.limits.timers_max, patience):
                batch.epochs[shard.number] = shard.epoch
                event_id = f"timer/{self.processor.name}/{fired.key}/{fired.name}/{fired.due_at.isoformat()}"
                taken.append(Taken(shard, fired.key, fired, Cause(event_id, "", "")))
        tally.timers += len(taken)
        late = max(
            ((now - item.event.due_at).total_seconds() for item in taken if isinstance(item.event, TimerFired)),
            default=0.0,
        )
        tally.late_seconds = max(tally.late_seconds, late)
        return taken

    @property
    def unreadable_share(self) -> float:
        """The share of the last records that could not be read."""
        return sum(self._fuse) / len(self._fuse) if self._fuse else 0.0

    def _watch_fuse(self, shard: Shard, read: Read, batch: Batch, tally: Tally) -> None:
        record, parked = read.record, bool(read.fault) and not read.strays  # which is one writer's matter
        if parked and record.offset < shard.lanes_in.get((SPARED, record.topic), 0):
            return
        self._fuse.append(parked)
        count = sum(self._fuse) if parked and not tally.blown else 0
        if count >= self.limits.fuse_parked_min and count >= self.limits.fuse_share * len(self._fuse):
            shard.lanes_in[(BLOWN, record.topic)] = record.next_offset
            batch.lanes_in[(shard.number, BLOWN, record.topic)] = record.next_offset
            tally.blown = (
                f"Expected at most {self.limits.fuse_share:.0%} of the last {len(self._fuse)} records unreadable, "
                f"found {count}: {self.processor.full_name} stops behind the batch that it parked. "
                f"{to_reset(self.processor.full_name)}"
            )

    def expect_whole_fuse(self, shards: Iterable[int]) -> None:
        """Refuse shards at which the fuse is blown. Errors: `FuseBlownError` names the topics."""
        blown = {topic for number in shards for topic in self.shards[number].blown()}
        if blown:
            raise FuseBlownError(
                f"Expected nobody to have left the fuse of {self.processor.full_name} blown, found it blown at "
                f"{', '.join(sorted(blown))}: nothing is read until somebody has looked. {to_reset(self.processor.full_name)}"
            )

    def _park(self, shard: Shard, record: Record, reason: str, batch: Batch, tally: Tally, now: datetime) -> None:
        parked = RecordParked(
            parked_id=derived_id(self.processor.full_name, *record.spot.rsplit("/", 2)),
            processor=self.processor.full_name,
            origin_topic=record.topic,
            origin_partition=record.partition,
            origin_offset=record.offset,
            raw_key=base64.b64encode(record.key or b"").decode(),
            raw_value=base64.b64encode(record.value or b"").decode(),
            has_key=record.key is not None,
            has_value=record.value is not None,
            raw_headers=tuple((name, base64.b64encode(value).decode()) for name, value in record.headers),
            reason=reason[:1_000],
            at=now,
        )
        place = (f"{record.topic}.dlq", record.partition)
        cause = Cause(record.spot, "", "")
        shard.turns += 1
        turn = turn_of(shard.epoch, shard.turns, 1, 1)
        self._write(shard, place, parked, record.key or b"", cause, now, batch, turn)
        tally.facts += 1

    # ---------------------------------------------------------------- deciding

    def missing(self, taken: Sequence[Taken]) -> list[tuple[int, str]]:
        """The entities that must be loaded before these events can be decided."""
        return list({(t.shard.number, t.key): None for t in taken if t.key not in t.shard.entities})

    def put(self, shard_number: int, key: str, rows: Mapping[str, bytes], journal_length: int) -> None:
        """Take an entity's stored rows into memory.

        Errors:  `InvariantError` names the field of a row that this code cannot read, as one of a release before.
        """
        try:
            state = self.processor.table.read(key, rows)
        except ValidationError as error:
            raise InvariantError(unlike_its_row(self.processor, key, error)) from error
        self.shards[shard_number].entities[key] = Entity(state, journal_length)

    def decide(
        self,
        taken: Sequence[Taken],
        now: datetime,
        boards: Mapping[str, Any],
        batch: Batch,
        tally: Tally,
        as_of: Mapping[str, int],
    ) -> None:
        """Decide and fold every event in order, then write what changed into the batch."""
        touched: dict[tuple[int, str], Shard] = {}
        moved: set[tuple[int, str]] = set()
        for item in taken:
            entity = (item.shard.number, item.key)
            touched[entity] = item.shard
            if self._decide_one(item, now, boards, batch, tally, as_of):
                moved.add(entity)
        for (number, key), shard in touched.items():
            self.put_away(shard, key, batch, moved=(number, key) in moved)
        for item in taken:
            if isinstance(item.event, TimerFired):
                item.shard.alarms.rearm(item.event)

    def _decide_one(
        self,
        item: Taken,
        now: datetime,
        boards: Mapping[str, Any],
        batch: Batch,
        tally: Tally,
        as_of: Mapping[str, int],
    ) -> int:
        """Returns how many facts followed: without one the entity stands as it stood."""
        entity = item.shard.entities[item.key]
        situation = Situation(
            now, item.shard.number, item.cause.event_id, boards, item.observed, item.cause.traceparent, as_of
        )
        decided = self.processor.decide(entity.state, item.event, situation)
        if isinstance(decided, Rejection):
            tally.rejected += 1
            decided = self.processor.refuse(entity.state, item.event, decided, situation)
        shard, facts = item.shard, len(decided)
        shard.turns += 1 if facts else 0
        for number, fact in enumerate(decided, 1):
            self.tell(shard, item.key, fact, item.cause, now, batch, (shard.epoch, shard.turns, number, facts))
        tally.facts += facts
        tally.decided += decided
        return facts

    def tell(
        self,
        shard: Shard,
        entity_key: str,
        fact: Message,
        cause: Cause,
        now: datetime,
        batch: Batch,
        turn: tuple[int, int, int, int],
    ) -> None:
        """Fold one decided fact into its entity and put it on its lane."""
        if fact.topic.name not in self._outputs:
            raise InvariantError(
                f"Expected {self.processor.full_name} to write only its topics, found {fact.topic.name}"
            )
        entity = shard.entities[entity_key]
        known = self.processor.trace(entity.state, fact)
        entity.state = self.processor.apply(entity.state, fact)
        key = fact.key.encode()
        place = (fact.topic.name, partition_of(key, self.partitions))
        body = self._write(shard, place, fact, key, cause, now, batch, turn_of(*turn), known)
        if self.processor.journal:
            entity.journal_length += 1
            number, kind = entity.journal_length, fact.kind_name()
            batch.journal.append(JournalRow(shard.number, entity_key, number, now, kind, body, cause.event_id))

    def put_away(self, shard: Shard, key: str, batch: Batch, *, moved: bool = True) -> None:
        """Write what changed of an entity into the batch: its rows, if a fact has moved it, and its alarms."""
        entity = shard.entities[key]
        shard.entities.move_to_end(key)
        for part, body in self.processor.table.write(entity.state).items() if moved else ():
            batch.rows[(shard.number, key, part)] = body
        wanted = self.processor.alarms(entity.state)
        for name, alarm in shard.alarms.replace(key, wanted).items():
            timer = (shard.number, key, name)
            batch.timers[timer] = _row(timer, alarm)

    def _write(
        self,
        shard: Shard,
        place: Place,
        fact: Message,
        key: bytes,
        cause: Cause,
        now: datetime,
        batch: Batch,
        turn: bytes,
        known: str = "",
    ) -> bytes:
        sequence, lane = shard.next_sequence(place), (shard.number, *place)
        source, at, body = self._source(shard.number), self._told_at(now), fact.to_json()
        batch.lanes_out[lane] = sequence
        if place[0] in self._bundling:
            run = batch.told.get(lane)
            if run is None:
                run = batch.told[lane] = Run(source, sequence)
            run.facts.append(Told(told_kind(fact), at, (key, body, own_of(fact, source, cause, turn, known))))
            return body
        event_id = event_id_of(source, place, sequence)
        headers = headers_for(fact, event_id, source, sequence, at, cause, turn, known)
        batch.outbox.append(OutboxRow(lane, sequence, Outgoing(key, body, headers, self.wall_ms)))
        return body

    def _told_at(self, now: datetime) -> bytes:
        if self._stamp[0] is not now:
            self._stamp = (now, now.isoformat().encode())
        return self._stamp[1]

    def _source(self, shard: int) -> bytes:
        source = self._sources.get(shard)
        if source is None:
            source = source_of(self.processor.service, self.processor.name, shard).encode()
            self._sources[shard] = source
        return source

    # ------------------------------------------------------------------ memory

    def woken_by(self, boards: Mapping[str, int]) -> bool:
        """Whether a board that somebody waits on has changed, or woken entities still wait for their turn."""
        return any(shard.alarms.woken_by(boards) for shard in self.shards.values())

    def evict(self) -> None:
        """Let go of the states least recently used; only ever after their batch is committed."""
        if self.processor.keep_in_memory:
            return
        for shard in self.shards.values():
            while len(shard.entities) > self.limits.entities_max:
                shard.entities.popitem(last=False)

    def next_timer_at(self) -> datetime | None:
        """The earliest alarm of all owned shards."""
        instants = [at for shard in self.shards.values() if (at := shard.alarms.next_at()) is not None]
        return min(instants, default=None)


def _row(timer: tuple[int, str, str], alarm: Alarm | None) -> TimerRow | None:
    return None if alarm is None else TimerRow(timer, alarm.at, alarm.boards)
