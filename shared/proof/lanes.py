"""What shards have told each other, by their tables: nothing is taken that was not told, and what was told is taken, or waits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from shared.proof.cases import LOST, Finding
from shared.runtime.log import Place
from shared.runtime.shard import ADOPTS


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

    Shape:   `told` is the last sequence that a lane's writer committed, `published` the last that is on the bus for certain;
             `taken` goes by reader and lane, `read_to` (the next offset) by reader and place.
    """

    told: dict[Lane, int] = field(default_factory=dict)
    published: dict[Lane, int] = field(default_factory=dict)
    taken: dict[tuple[str, Lane], int] = field(default_factory=dict)
    read_to: dict[tuple[str, Place], int] = field(default_factory=dict)

    def pairs(self) -> Iterator[tuple[str, Lane]]:
        """Every reader with every lane that it reads."""
        topics_by_reader: dict[str, set[str]] = {}
        for reader, (topic, _) in self.read_to:
            topics_by_reader.setdefault(reader, set()).add(topic)
        for reader, topics in sorted(topics_by_reader.items()):
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


BEYOND: Final = "published is committed"


def judge_lanes(before: Lanes, ends: Mapping[Place, int], after: Lanes) -> Iterator[Finding]:
    """What a reader has that nobody told, and what it will never get.

    Holds:   `ends` are of the bus, asked for after `before` was read and before `after` was: what was published by then lies
             below them, so that who has read up to there has it, whether the floor runs or stands still.
    """
    for reader, lane in before.pairs():
        if before.taken.get((reader, lane), 0) > before.told[lane]:
            yield Finding(
                BEYOND, f"{lane}: {reader} has {before.taken[reader, lane]}, its writer committed {before.told[lane]}"
            )
        has, due = after.taken.get((reader, lane), 0), before.published[lane]
        read_up = after.read_to.get((reader, lane.place), 0) >= ends.get(lane.place, 0)
        if has < due and read_up and not (has == 0 and after.adopted(reader, lane.place)):
            yield Finding(LOST, f"{lane}: {reader} has read all there is and has {has} of {due} facts")
