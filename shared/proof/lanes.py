"""What shards have told each other, by their tables and by the bus: nothing is there that was not told, and what was told is taken,
or waits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from shared.contracts import intake
from shared.contracts.registry import TOPICS
from shared.proof.cases import LOST, Finding
from shared.runtime.errors import ContractError
from shared.runtime.headers import origin_of
from shared.runtime.log import Place, Record
from shared.runtime.shard import ADOPTS, MARKS


class Lane(NamedTuple):
    """Who tells, where."""

    source: str
    topic: str
    partition: int

    @property
    def place(self) -> Place:
        return (self.topic, self.partition)

    def __str__(self) -> str:
        return f"{self.source} → {self.topic}[{self.partition}]"


@dataclass(slots=True)
class Lanes:
    """The lanes of a floor at one instant.

    Shape:   `reads` are the topics by reader, whether it has begun or not; `told` is the last sequence that a lane's writer
             committed, `published` the last that is on the bus for certain; `taken` goes by reader and lane, `read_to` (the next
             offset) by reader and place.
    """

    reads: Mapping[str, frozenset[str]]
    told: dict[Lane, int] = field(default_factory=dict)
    published: dict[Lane, int] = field(default_factory=dict)
    taken: dict[tuple[str, Lane], int] = field(default_factory=dict)
    read_to: dict[tuple[str, Place], int] = field(default_factory=dict)

    def pairs(self) -> Iterator[tuple[str, Lane]]:
        """Every reader with every lane that it reads."""
        for reader, topics in sorted(self.reads.items()):
            for lane in sorted(self.told):
                if lane.topic in topics:
                    yield reader, lane

    def waiting(self) -> dict[tuple[str, Lane], int]:
        """How many facts each reader has not taken yet."""
        behind = {(reader, lane): self.told[lane] - self._has(reader, lane) for reader, lane in self.pairs()}
        return {pair: facts for pair, facts in behind.items() if facts > 0}

    def adopted(self, reader: str, place: Place) -> bool:
        """Whether the reader began in the middle of the topic: what came before it is nobody's loss."""
        return (reader, Lane(ADOPTS, *place)) in self.taken

    def _has(self, reader: str, lane: Lane) -> int:
        return self.taken.get((reader, lane), 0)


@dataclass(slots=True)
class Seen:
    """What the bus itself tells: where its places end, and of the last records of each what stands on which lane.

    Shape:   `last` is the highest sequence seen of a lane; `cases` is where each case that intake told of stands.
    """

    ends: Mapping[Place, int]
    last: dict[Lane, int] = field(default_factory=dict)
    cases: dict[str, tuple[Lane, int]] = field(default_factory=dict)

    def take(self, records: Iterable[Record]) -> None:
        """Take what was read, in any order. Of what came from outside, or cannot be read, no lane is known."""
        for record in records:
            try:
                origin = origin_of(record)
            except ContractError:
                continue
            if not origin.sequence:
                continue
            lane = Lane(origin.source, record.topic, record.partition)
            self.last[lane] = max(origin.sequence, self.last.get(lane, 0))
            if record.topic == intake.CASE.name:
                self.cases[origin.correlation] = (lane, origin.sequence)


BEYOND: Final = "published is committed"
DEAD: Final = ".dlq"  # how the name of a topic of dead letters ends


def judge_lanes(before: Lanes, ends: Mapping[Place, int], after: Lanes) -> Iterator[Finding]:
    """What a reader has that nobody told, and what it will never get.

    Holds:   `ends` are of the bus, asked for after `before` was read and before `after` was: what was published by then lies
             below them, so that who has read up to there has it, whether the floor runs or stands still.
    """
    for (reader, lane), has in before.taken.items():
        if lane.source not in MARKS and has > before.told.get(lane, 0):
            yield Finding(BEYOND, f"{lane}: {reader} has {has}, its writer committed {before.told.get(lane, 0)}")
    for reader, lane in before.pairs():
        has, due = after.taken.get((reader, lane), 0), before.published[lane]
        read_up = after.read_to.get((reader, lane.place), 0) >= ends.get(lane.place, 0)
        if has < due and read_up and not (has == 0 and after.adopted(reader, lane.place)):
            yield Finding(LOST, f"{lane}: {reader} has read all there is and has {has} of {due} facts")


def judge_bus(before: Lanes, seen: Seen, after: Lanes) -> Iterator[Finding]:
    """What the bus tells and no table knows, and what tables know and the bus never had, or has no more.

    Holds:   the bus was asked after `before` was read and before `after` was. Of a compacted topic the last record of a lane may
             be gone by right.
    """
    for lane, told in seen.last.items():
        if told > after.told.get(lane, 0):
            yield Finding(BEYOND, f"{lane}: the bus has {told}, its writer committed {after.told.get(lane, 0)}")
        elif told < before.published.get(lane, 0) and not TOPICS[lane.topic.removesuffix(DEAD)].compacted:
            yield Finding(LOST, f"{lane}: its writer published {before.published[lane]}, the bus ends with {told}")
    for lane, published in before.published.items():
        if published and not seen.ends.get(lane.place, 0):
            yield Finding(LOST, f"{lane}: its writer published {published}, the bus never had any")
    for (reader, (topic, partition)), read_to in before.read_to.items():
        if read_to > (end := seen.ends.get((topic, partition), 0)):
            yield Finding(LOST, f"{topic}[{partition}]: {reader} has read to {read_to}, the bus ends at {end}")
