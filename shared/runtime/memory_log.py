"""A bus in one process, for unit tests and the seeded simulation. Keeps the promises of `shared.runtime.log`.

Its methods never wait by themselves: each awaits `pause` at the named seams, so that a simulator can hold, fail or end
a coroutine there.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from shared.runtime.bundles import facts_of
from shared.runtime.errors import ContractError
from shared.runtime.log import Claimed, Dropped, Outgoing, Place, Record, room_for

Pause = Callable[[str], Awaitable[None]]


async def no_pause(seam: str) -> None:
    """Go straight on."""


@dataclass(slots=True)
class Faults:
    """What the bus does wrong. A simulator arms them; each is spent when it strikes.

    `refuse_publishes`: so many publications fail before anything is written;
    `cut_publishes`: so many are written up to their middle and reported failed;
    `lose_acknowledgements`: so many are written and reported failed all the same.
    """

    refuse_publishes: int = 0
    cut_publishes: int = 0
    lose_acknowledgements: int = 0


class MemoryLog:
    """Partitions, offsets, consumer groups with rebalances; several readers in one process.

    Holds:   `records` are the facts of each place, those of a bundle one by one: they share its offset.
    """

    def __init__(self, partitions: int, topics: Sequence[str], pause: Pause = no_pause) -> None:
        self.count: Final = partitions
        self.records: Final[dict[Place, list[Record]]] = {(t, p): [] for t in topics for p in range(partitions)}
        self.groups: Final[dict[str, Group]] = {}
        self.faults: Final = Faults()
        self.hints: Final[dict[tuple[str, Place], int]] = {}
        self.at_seam: Pause = pause

    def append(self, place: Place, outgoing: Outgoing) -> Record:
        """Write one record at the end of a place, as any producer may."""
        rows = self.records[place]
        key, value, headers, timestamp_ms = outgoing
        record = Record(place[0], place[1], self.end(place), key, value, headers, timestamp_ms)
        rows.extend(facts_of(record))
        return record

    def end(self, place: Place) -> int:
        """The offset of the next record."""
        rows = self.records[place]
        return rows[-1].offset + 1 if rows else 0

    def index_of(self, place: Place, offset: int) -> int:
        """Where among a place's facts the record of this offset begins."""
        return bisect_left(self.records[place], offset, key=lambda record: record.offset)

    def group_reader(self, group: str, topics: Sequence[str], claimed: Claimed, dropped: Dropped) -> MemoryReader:
        return MemoryReader(
            self, self.groups.setdefault(group, Group(self.count)), group, tuple(topics), claimed, dropped
        )

    def tail(self, topics: Sequence[str], *, gather_seconds: float = 0.0) -> MemoryTail:
        return MemoryTail(self, topics)

    def publisher(self) -> MemoryPublisher:
        return MemoryPublisher(self)

    async def pause(self, seconds: float) -> None:
        await self.at_seam("pause")

    async def partitions(self, topic: str) -> int:
        if (topic, 0) not in self.records:
            raise ContractError(f"Expected a topic {topic}, found none")
        return self.count


@dataclass(slots=True)
class Group:
    """Who owns which partition number. Holds: members in order of joining; numbers dealt out in ranges."""

    partitions: int
    members: list[MemoryReader] = field(default_factory=list)
    generation: int = 0

    def change(self) -> None:
        """Members have changed: a new generation; each member learns of it at its next fetch."""
        self.generation += 1

    def share_of(self, member: MemoryReader) -> frozenset[int]:
        """The numbers that a member owns in this generation."""
        if member not in self.members:
            return frozenset()
        index, count = self.members.index(member), len(self.members)
        return frozenset(n for n in range(self.partitions) if n * count // self.partitions == index)


class MemoryReader:
    """One member of a group. A member that is put out without being told goes on reading: a zombie."""

    def __init__(
        self, log: MemoryLog, group: Group, name: str, topics: tuple[str, ...], claimed: Claimed, dropped: Dropped
    ) -> None:
        self._log: Final = log
        self._group: Final = group
        self._name: Final = name
        self._topics: Final = topics
        self._claimed: Final = claimed
        self._dropped: Final = dropped
        self._generation = -1
        self._owned: frozenset[int] = frozenset()
        self._positions: dict[Place, int] = {}  # among the facts of the place
        self._turn = 0
        self.isolated = False  # hears nothing of rebalances: a paused process that wakes up as a zombie

    async def start(self) -> None:
        self._group.members.append(self)
        self._group.change()
        await self._settle()

    async def fetch(self, records_max: int, wait_seconds: float) -> list[Record]:
        await self._log.at_seam("log.fetch")
        if not self.isolated:
            await self._settle()
        return self._next(records_max)

    def _next(self, records_max: int) -> list[Record]:
        taken: list[Record] = []
        self._turn += 1
        for topic in self._topics:
            taken += self._next_of(topic, room_for(topic, self._topics, records_max - len(taken)))
        return taken

    def _next_of(self, topic: str, room: int) -> list[Record]:
        taken: list[Record] = []
        places = sorted(place for place in self._positions if place[0] == topic)
        turned = [places[(self._turn + index) % len(places)] for index in range(len(places))]
        for place, part in [(p, -(-room // len(turned))) for p in turned] + [(p, room) for p in turned]:
            rows = self._log.records[place]
            start = self._positions[place]
            found = rows[start : start + min(part, room - len(taken))]
            self._positions[place] = start + len(found)
            taken += found
        return taken

    async def at_hand(self, records_max: int) -> list[Record]:
        await self._log.at_seam("log.at_hand")
        if not self.isolated and self._generation != self._group.generation:
            return []
        return self._next(records_max)

    async def _settle(self) -> None:
        if self._generation == self._group.generation:
            return
        self._generation = self._group.generation
        share = self._group.share_of(self)
        gone, new = self._owned - share, share - self._owned
        self._owned = share
        self._positions = {place: at for place, at in self._positions.items() if place[1] in share}
        if gone:
            await self._dropped(gone)
        if new:
            starts = await self._claimed(new)
            for topic in self._topics:
                for number in new:
                    place = (topic, number)
                    self._positions[place] = self._log.index_of(place, starts.get(place, 0))

    async def seek(self, starts: Mapping[Place, int]) -> None:
        for place, at in starts.items():
            if place in self._positions:
                self._positions[place] = self._log.index_of(place, at)

    def step_back(self, count: int) -> None:
        """Deliver the last `count` records of every place again."""
        self._positions = {place: max(0, at - count) for place, at in self._positions.items()}

    async def hint(self, offsets: Mapping[Place, int]) -> bool:
        if self not in self._group.members or self._generation != self._group.generation:
            return False
        for place, offset in offsets.items():
            self._log.hints[(self._name, place)] = offset
        return True

    async def ends(self) -> Mapping[Place, int]:
        return {place: self._log.end(place) for place in self._positions}

    async def stop(self) -> None:
        owned, self._owned, self._positions = self._owned, frozenset(), {}
        if owned:
            await self._dropped(owned)
        self.vanish()

    def vanish(self) -> None:
        """Leave without a word, as a dead process does when its session times out."""
        if self in self._group.members:
            self._group.members.remove(self)
            self._group.change()


class MemoryTail:
    """Reads everything of some topics from the beginning."""

    def __init__(self, log: MemoryLog, topics: Sequence[str]) -> None:
        self._log: Final = log
        self._places: Final = [place for place in sorted(log.records) if place[0] in topics]
        self._positions: Final = dict.fromkeys(self._places, 0)
        self._ends: dict[Place, int] = {}

    async def start(self) -> None:
        self._ends = {place: len(self._log.records[place]) for place in self._places}

    async def ready(self) -> bool:
        return all(self._positions[place] >= end for place, end in self._ends.items())

    async def fetch(self, records_max: int, wait_seconds: float) -> list[Record]:
        await self._log.at_seam("tail.fetch")
        taken: list[Record] = []
        for place in self._places:
            start = self._positions[place]
            found = self._log.records[place][start : start + records_max - len(taken)]
            self._positions[place] = start + len(found)
            taken += found
        return taken

    async def stop(self) -> None:
        return None


class MemoryPublisher:
    """Writes in order; a faulty publication fails whole or after it was written."""

    def __init__(self, log: MemoryLog) -> None:
        self._log: Final = log

    async def start(self) -> None:
        return None

    async def publish(self, batch: Mapping[Place, Sequence[Outgoing]]) -> Mapping[Place, str]:
        await self._log.at_seam("log.publish.before")
        failed: dict[Place, str] = {}
        for place, rows in batch.items():
            count, reason = self._outcome(place, len(rows))
            for row in rows[:count]:
                self._log.append(place, row)
            if reason:
                failed[place] = reason
        await self._log.at_seam("log.publish.after")
        return failed

    def _outcome(self, place: Place, count: int) -> tuple[int, str]:
        """How many records are written, and why that counts as a failure; no reason when it does not."""
        faults = self._log.faults
        if place not in self._log.records:
            return 0, f"Expected a topic {place[0]} with a partition {place[1]}, found none"
        if faults.refuse_publishes:
            faults.refuse_publishes -= 1
            return 0, "refused before it was written"
        if faults.cut_publishes:
            faults.cut_publishes -= 1
            return count // 2, "written in part"
        if faults.lose_acknowledgements:
            faults.lose_acknowledgements -= 1
            return count, "written, but the acknowledgement was lost"
        return count, ""

    async def stop(self) -> None:
        return None
