"""A processor's shards brought up from what they told the bus, after their database went back to an earlier point.

Every move of a state is a published fact, so the facts beyond the tables are folded as they were told; nothing is decided
a second time that anybody has heard of. What was committed and never published was heard by nobody: its events are read
again. An event of which only some facts went out is decided again and completed when that agrees with what is known.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any, Final

from shared.contracts.message import Message
from shared.runtime.engine import Engine, Limits, Taken, Tally
from shared.runtime.errors import ContractError, InvariantError, in_words
from shared.runtime.headers import Cause, body_of, origin_of, source_of
from shared.runtime.log import Origin, Place, Record, partition_of
from shared.runtime.processor import Event, Processor, Rejection, Situation, TimerFired
from shared.runtime.shard import ADOPTS, MARKS, Shard, gap_on_lane, take_from_lane
from shared.runtime.store import Batch, Claim, JournalRow, Store

LOADED_AT_ONCE: Final = 1_000
WITHOUT_FUSE: Final = Limits(fuse_share=math.inf)
"""A fuse is for who reads on by itself; here a person has said up to where."""
IMPOSSIBLE: Final = (AttributeError, LookupError, TypeError, ValueError, InvariantError)
"""What a state that has lost its past says to the next fact."""
IN_FLIGHT: Final = (
    2  # batches whose facts may be on their way when a process ends: one going out, one committed meanwhile
)


@dataclass(frozen=True, slots=True)
class Told:
    """One published fact. Holds: `turn` is epoch, event, fact, facts, as the header says."""

    turn: tuple[int, int, int, int]
    origin: Origin
    cause: str
    at: datetime
    record: Record

    @property
    def event(self) -> tuple[int, int]:
        return self.turn[:2]

    @property
    def place(self) -> Place:
        return (self.record.topic, self.record.partition)


@dataclass(frozen=True, slots=True)
class Lack:
    """Something that the bus cannot tell, or tells twice. Holds: `entity` is empty when nobody knows whose it was."""

    processor: str
    shard: int
    topic: str
    entity: str
    detail: str


@dataclass(slots=True)
class Recovered:
    """What one processor's recovery came to. Holds: one batch per shard, each written at once or not at all."""

    batches: list[Batch] = field(default_factory=list)
    folded: int = 0
    completed: int = 0
    redelivered: int = 0
    lacks: list[Lack] = field(default_factory=list)


def told_by(record: Record) -> Told | None:
    """The fact that a record is, or `None` for a record from outside. Errors: `ContractError`."""
    origin = origin_of(record)
    if not origin.sequence:
        return None
    headers = dict(record.headers)
    try:
        epoch, event, fact, facts = (int(part) for part in headers["turn"].split(b"."))
        at = datetime.fromisoformat(headers["ce_time"].decode())
    except (KeyError, ValueError) as error:
        raise ContractError(
            f"Expected headers turn and ce_time on a fact of a shard, found {in_words(error)}"
        ) from error
    return Told((epoch, event, fact, facts), origin, headers.get("causationid", b"").decode(), at, record)


class Bus:
    """What was found on the bus: a processor's facts beyond its tables, and its inputs beyond its inlets."""

    def __init__(self) -> None:
        self.facts: Final[dict[str, dict[tuple[Place, int], Told]]] = defaultdict(dict)  # by source
        self.ends: Final[dict[tuple[str, Place], int]] = {}  # the last sequence of each lane
        self.twice: Final[list[Told]] = []
        self.inputs: Final[dict[Place, list[Record]]] = defaultdict(list)
        self.gone: Final[
            dict[Place, tuple[int, int]]
        ] = {}  # of an input: where to go on from, and its first record now

    def take_fact(self, record: Record, beyond: Mapping[tuple[str, Place], int]) -> None:
        """Note a record of an output topic; `beyond` is the last sequence that the tables know, by source and place."""
        told = told_by(record)
        if told is None:
            return
        lane = (told.origin.source, told.place)
        self.ends[lane] = max(told.origin.sequence, self.ends.get(lane, 0))
        if told.origin.sequence > beyond.get(lane, 0):
            first = self.facts[told.origin.source].setdefault((told.place, told.origin.sequence), told)
            if first.record.value != record.value:
                self.twice.append(told)

    def epoch(self, source: str) -> int:
        """The highest epoch in which a source has told something."""
        return max((told.turn[0] for told in self.facts[source].values()), default=0)


async def recover(
    processor: Processor,
    store: Store,
    bus: Bus,
    claims: Mapping[int, Claim],
    views: Mapping[str, Any],
    now: datetime,
) -> Recovered:
    """Everything that brings the tables up to the bus, not yet written. `claims` are of all shards: looked at, or made."""
    engine, found = Engine(processor, len(claims), WITHOUT_FUSE), Recovered()
    engine.wall_ms = int(now.timestamp() * 1000)
    engine.shards = {number: Shard(number, claim) for number, claim in claims.items()}
    for number, claim in claims.items():
        source = source_of(processor.service, processor.name, number)
        batch = Batch({number: claim.epoch})
        for (writer, place), end in bus.ends.items():
            if writer == source:
                batch.published[(number, *place)] = end
        course = _Course(engine, engine.shards[number], store, bus, views, now, found, batch)
        await course.run(sorted(bus.facts[source].values(), key=lambda told: told.turn))
        found.batches.append(batch)
    return found


class _Course:
    """One shard's way from its tables to the bus."""

    def __init__(
        self,
        engine: Engine,
        shard: Shard,
        store: Store,
        bus: Bus,
        views: Mapping[str, Any],
        now: datetime,
        found: Recovered,
        batch: Batch,
    ) -> None:
        self._engine: Final = engine
        self._processor: Final = engine.processor
        self._shard: Final = shard
        self._store: Final = store
        self._views: Final = views
        self._now: Final = now
        self._found: Final = found
        self._batch: Final = batch
        self._known: Final = bus.facts[source_of(self._processor.service, self._processor.name, shard.number)]
        self._gone: Final = bus.gone
        self._twice: Final = [told for told in bus.twice if told.origin.source == self._source]
        topics = [topic.name for topic in self._processor.inputs]
        self._inputs: Final = {(topic, shard.number): bus.inputs.get((topic, shard.number), []) for topic in topics}
        self._at: Final = dict.fromkeys(self._inputs, 0)  # how many records of each input are behind
        self._by_id: Final[dict[str, list[tuple[Place, int]]]] = {}  # where each event lies, in order
        for place, records in self._inputs.items():
            for index, record in enumerate(records):
                for name in _names(record):
                    self._by_id.setdefault(name, []).append((place, index))
        self._causes: Final = {told.cause for told in self._known.values()}
        self._torn: Final[set[str]] = set()  # entities whose facts do not fit what is left of them

    @property
    def _source(self) -> str:
        return source_of(self._processor.service, self._processor.name, self._shard.number)

    def _pass_over_the_gone(self) -> None:
        """List what retention has taken of the inputs and go on behind it, whatever the lanes say next there."""
        shard, batch = self._shard, self._batch
        for topic, number in sorted(self._gone.keys() & self._inputs.keys()):
            start, first = self._gone[(topic, number)]
            self._found.lacks.append(
                Lack(self._processor.full_name, number, topic, "", f"offsets {start} to {first - 1} are gone")
            )
            shard.next_offsets[(topic, number)] = first
            batch.next_offsets[(number, topic)] = first
            lanes = [lane for lane in shard.lanes_in if lane[1] == topic and lane[0] not in MARKS]
            for lane, value in ((ADOPTS, topic), 1), *((lane, 0) for lane in lanes):
                shard.lanes_in[lane] = value
                batch.lanes_in[(number, *lane)] = value

    async def run(self, facts: Sequence[Told]) -> None:
        for told in self._twice:
            self._lack(told, "", f"sequence {told.origin.sequence} was told twice with different words: somebody worked "
                       "on the restored tables before they were brought up")  # fmt: skip
        self._lack_holes()
        self._pass_over_the_gone()
        events: dict[tuple[int, int], list[Told]] = {}
        for told in facts:
            events.setdefault(told.event, []).append(told)
        self._move_lanes(facts)
        keys = (self._entity(told, self._first_of(told[0].cause)) for told in events.values() if not _parked(told[0]))
        await self._at_hand(key for key in keys if key is not None)
        hole = _first_hole(events)
        for event, together in events.items():
            record = await self._read_up_to(together[0].cause, doubtful=hole is not None and event >= hole)
            await self._event(together, record)

    def _move_lanes(self, facts: Iterable[Told]) -> None:
        """What is told from now on comes after everything that is known."""
        for told in facts:
            last = max(told.origin.sequence, self._shard.lanes_out.get(told.place, 0))
            self._shard.lanes_out[told.place] = last
            self._batch.lanes_out[(self._shard.number, *told.place)] = last

    # ------------------------------------------------------------------ facts

    def _lack_holes(self) -> None:
        """A lane that goes on beyond what is known of it has lost records."""
        reached: dict[Place, int] = {}
        for place, sequence in sorted(self._known):
            due = reached.get(place, self._shard.lanes_out.get(place, 0)) + 1
            if sequence > due:
                told = self._known[(place, sequence)]
                self._lack(told, "", f"facts {due} to {sequence - 1} of {self._source} are gone, before {told.at}")
            reached[place] = sequence

    async def _event(self, told: Sequence[Told], record: Record | None) -> None:
        """Fold one event's facts; complete them when some were not published."""
        first = told[0]
        if _parked(first):
            return
        key = self._entity(told, record)
        if key is None:
            for each in told:
                self._lack(each, "", f"{each.origin.kind} follows from {each.cause}, which is no longer on the bus")
            return
        if key in self._torn:
            return
        try:
            if len(told) == first.turn[3]:
                self._fold_all(key, told)
                self._found.folded += 1
            else:
                await self._complete(key, told, record)
        except IMPOSSIBLE as error:
            await self._tear(key, first, error)

    def _entity(self, told: Sequence[Told], record: Record | None) -> str | None:
        """Whose facts they are: by the event that they follow from, or, when it is gone from the bus, by what they say."""
        event = self._event_of(told[0].cause, record)
        if isinstance(event, TimerFired):
            return event.key
        if event is not None:
            return self._processor.key(event)
        named = (self._processor.owner(body_of(each.record, each.origin.kind)) for each in told)
        return next((key for key in named if key is not None), None)

    async def _tear(self, key: str, told: Told, error: Exception) -> None:
        """Leave an entity as its tables have it: something that came before is gone, and the rest does not fit without it."""
        number, batch = self._shard.number, self._batch
        self._torn.add(key)
        batch.rows = {of: body for of, body in batch.rows.items() if of[:2] != (number, key)}
        batch.timers = {of: row for of, row in batch.timers.items() if of[:2] != (number, key)}
        batch.journal = [row for row in batch.journal if row.key != key]
        del self._shard.entities[key]
        await self._at_hand([key])
        self._lack(told, key, f"{told.origin.kind} at {told.at} does not fit what is left of it ({error!r}): it is as the "
                   "restored tables have it")  # fmt: skip

    def _event_of(self, cause: str, record: Record | None) -> Event | None:
        prefix = f"timer/{self._processor.name}/"
        if cause.startswith(prefix):
            key, name, due = cause.removeprefix(prefix).rsplit("/", 2)
            return TimerFired(key, name, datetime.fromisoformat(due))
        return None if record is None else body_of(record, origin_of(record).kind)

    def _first_of(self, event_id: str) -> Record | None:
        place, index = self._by_id.get(event_id, [(("", 0), -1)])[0]
        return None if index < 0 else self._inputs[place][index]

    async def _at_hand(self, keys: Iterable[str]) -> None:
        """Load the entities that are not in memory yet."""
        number, entities = self._shard.number, self._shard.entities
        missing = [(number, key) for key in dict.fromkeys(keys) if key not in entities]
        for start in range(0, len(missing), LOADED_AT_ONCE):
            some = missing[start : start + LOADED_AT_ONCE]
            rows = await self._store.load(some)
            lengths = await self._store.journal_length(some) if self._processor.journal else {}
            for of in some:
                self._engine.put(number, of[1], rows.get(of, {}), lengths.get(of, 0))

    def _fold_all(self, key: str, told: Iterable[Told]) -> None:
        for each in told:
            self._fold(key, each)
        self._engine.put_away(self._shard, key, self._batch)

    def _fold(self, key: str, told: Told) -> None:
        entity = self._shard.entities[key]
        entity.state = self._processor.apply(entity.state, body_of(told.record, told.origin.kind))
        if self._processor.journal:
            entity.journal_length += 1
            body = told.record.value or b""
            self._batch.journal.append(
                JournalRow(
                    self._shard.number, key, entity.journal_length, told.at, told.origin.kind, body, told.cause
                )
            )  # fmt: skip

    # ------------------------------------------------------------- half an event

    async def _complete(self, key: str, told: Sequence[Told], record: Record | None) -> None:
        """Decide again what was told in part, at its own time; when the known part agrees, the rest goes out too."""
        known = {each.turn[2]: each for each in told}
        if self._event_of(told[0].cause, record) is None:
            raise LookupError(f"of {told[0].turn[3]} facts only {sorted(known)} are on the bus, {told[0].cause} is not")
        decided = await self._decide(key, told[0], record)
        if len(decided) != told[0].turn[3] or not all(self._same(decided[n - 1], each) for n, each in known.items()):
            kinds = ", ".join(fact.kind_name() for fact in decided) or "nothing"
            self._fold_all(key, told)
            self._lack(
                told[0], key, f"only facts {sorted(known)} of {told[0].turn[3]} that followed from {told[0].cause} at "
                f"{told[0].at} are on the bus; decided again, it would be: {kinds}",
            )  # fmt: skip
            return
        self._found.completed += 1
        for number, fact in enumerate(decided, 1):
            if number in known:
                self._fold(key, known[number])
            else:
                self._engine.tell(self._shard, key, fact, _cause(told[0].cause, record), told[0].at, self._batch,
                                  (*told[0].event, number, len(decided)))  # fmt: skip
        self._engine.put_away(self._shard, key, self._batch)

    async def _decide(self, key: str, told: Told, record: Record | None) -> Sequence[Message]:
        event = self._event_of(told.cause, record)
        observed = None
        if self._processor.observe is not None and isinstance(event, Message):
            observed = (await self._processor.observe([event], self._views))[0]
        traceparent = _cause(told.cause, record).traceparent
        situation = Situation(told.at, self._shard.number, told.cause, self._views, observed, traceparent)
        state = self._shard.entities[key].state
        decided = self._processor.decide(state, event, situation)
        return self._processor.refuse(state, event, decided, situation) if isinstance(decided, Rejection) else decided

    def _same(self, fact: Message, told: Told) -> bool:
        place = (fact.topic.name, partition_of(fact.key.encode(), self._engine.partitions))
        return place == told.place and fact.to_json() == told.record.value

    # ------------------------------------------------------------------ inputs

    async def _read_up_to(self, event_id: str, *, doubtful: bool) -> Record | None:
        """Move the inlet of an event past it. What lies before it and may have been lost is decided on the way.

        Holds:   who is outside may send one id several times, with other content too: the next that is not behind is
                 meant, as each of them was answered in its turn. None for a timer, and for what is gone from the bus.
        """
        lies = self._by_id.get(event_id, [])
        if not lies:
            return None
        place, until = next((at for at in lies if at[1] >= self._at[at[0]]), lies[-1])
        while self._at[place] <= until:
            record = self._inputs[place][self._at[place]]
            self._at[place] += 1
            self._lack_before(record)
            if doubtful and not self._causes & set(_names(record)):
                await self._decide_now(record)
            else:
                self._pass_over(record)
        return self._inputs[place][until]

    def _lack_before(self, record: Record) -> None:
        """List what a lane has lost before this record, and go on behind it."""
        try:
            origin = origin_of(record)
        except ContractError:
            return
        lane = (origin.source, record.topic)
        last = self._shard.lanes_in.get(lane, 0)
        adopts = last == 0 and self._shard.lanes_in.get((ADOPTS, record.topic), 0)
        if not origin.sequence or not gap_on_lane(last, origin.sequence) or adopts:
            return
        gone = f"facts {last + 1} to {origin.sequence - 1} of {origin.source} are gone, before offset {record.offset}"
        self._found.lacks.append(
            Lack(self._processor.full_name, self._shard.number, record.topic, "", f"{gone}: nobody has read them")
        )
        self._shard.lanes_in[lane] = origin.sequence - 1

    async def _decide_now(self, record: Record) -> None:
        self._found.redelivered += 1
        tally = Tally()
        taken = self._engine.take(self._engine.read([record]), self._batch, tally, self._now)
        for item in taken:
            await self._at_hand([item.key])
            await self._observe(item)
        self._engine.decide(taken, self._now, self._views, self._batch, tally, {})

    async def _observe(self, item: Taken) -> None:
        if self._processor.observe is not None and isinstance(item.event, Message):
            item.observed = (await self._processor.observe([item.event], self._views))[0]

    def _pass_over(self, record: Record) -> None:
        """Count a record as read, on its inlet and on its lane."""
        shard, batch, place = self._shard, self._batch, (record.topic, record.partition)
        if place not in shard.next_offsets and record.offset > 0:
            shard.lanes_in[(ADOPTS, record.topic)] = 1
            batch.lanes_in[(shard.number, ADOPTS, record.topic)] = 1
        shard.next_offsets[place] = record.next_offset
        batch.next_offsets[(shard.number, record.topic)] = record.next_offset
        try:
            origin = origin_of(record)
            if origin.sequence and take_from_lane(shard, origin, record.topic, record.offset):
                batch.lanes_in[(shard.number, origin.source, record.topic)] = origin.sequence
        except ContractError:
            return

    def _lack(self, told: Told, key: str, detail: str) -> None:
        self._found.lacks.append(
            Lack(self._processor.full_name, self._shard.number, told.record.topic, key, detail)
        )  # fmt: skip


def _cause(event_id: str, record: Record | None) -> Cause:
    origin = None if record is None else origin_of(record)
    return Cause(event_id, origin.correlation if origin else "", origin.traceparent if origin else "")


def _names(record: Record) -> Iterator[str]:
    """What a fact may call the record that it follows from: its event's id, or its spot when it could not be read."""
    yield record.spot
    try:
        yield origin_of(record).event_id
    except ContractError:
        return


def _parked(told: Told) -> bool:
    """A dead letter belongs to no entity."""
    return told.record.topic.endswith(".dlq")


def _first_hole(events: Mapping[tuple[int, int], Sequence[Told]]) -> tuple[int, int] | None:
    """The first event from which on not every one may be known; all facts of the ones before it were published.

    Holds:   events of an epoch are numbered without holes, and a claim publishes what an earlier epoch left. When all
             that is known may have been on its way at the end, something may be missing before the first.
    """
    if not events:
        return None
    ordered = sorted(events)
    if len({told[0].at for told in events.values()}) <= IN_FLIGHT:
        return ordered[0]
    for (epoch, event), (next_epoch, next_event) in pairwise(ordered):
        if next_event != (event + 1 if next_epoch == epoch else 1):
            return (next_epoch, next_event)
    return None
