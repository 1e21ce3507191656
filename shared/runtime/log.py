"""The bus as the runtime sees it. `KafkaLog` and `MemoryLog` keep the same promises, proved by one suite."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import lru_cache
from struct import Struct
from typing import NamedTuple, Protocol

Headers = tuple[tuple[str, bytes], ...]
Place = tuple[str, int]  # topic, partition


class Origin(NamedTuple):
    """Where a record came from, as its headers tell.

    Holds:   `sequence` is 0 for a record from outside (branches, people), which has no lane.
    """

    kind: str
    source: str
    sequence: int
    event_id: str
    correlation: str
    traceparent: str


class Record(NamedTuple):
    """One record as read, or one fact of a bundle as if it had come alone.

    Units:   `timestamp_ms` since the epoch. `more` facts of the same record of the bus follow; `origin` is what the headers
             say of a fact of a bundle, which knows it without reading them.
    """

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp_ms: int
    more: int = 0
    origin: Origin | None = None

    @property
    def next_offset(self) -> int:
        """Where to read on once this is taken: at the same record of the bus as long as facts of it follow."""
        return self.offset if self.more else self.offset + 1

    @property
    def spot(self) -> str:
        """A name for the place where it lies, whatever is in it."""
        spot = f"{self.topic}/{self.partition}/{self.offset}"
        return f"{spot}-{self.more}" if self.more else spot


class Outgoing(NamedTuple):
    """One record to write; its place was chosen when its fact was committed."""

    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp_ms: int


Claimed = Callable[[frozenset[int]], Awaitable[Mapping[Place, int]]]
"""Partition numbers newly mine → where to start reading, per place; a place that is left out starts at its beginning.
Called before any of their records is handed out."""
Dropped = Callable[[frozenset[int]], Awaitable[None]]
"""Partition numbers about to go: finish what is under way."""


def room_for(topic: str, topics: Sequence[str], left: int) -> int:
    """How many of the `left` records of a hand-out may be of this topic: all, when no less urgent one follows.

    Holds:   the topics stand by urgency, and each takes its part in turn; a quarter is kept for those that follow, so
             that the most urgent, however much of it comes, never keeps the rest from coming on.
    """
    return left if topic == topics[-1] else min(left, max(1, left * 3 // 4))


class GroupReader(Protocol):
    """A member of a consumer group over topics with equal partition counts; it owns whole partition numbers.

    Holds:   what has come is handed out in the order of the topics, the most urgent first (see `room_for`), and of each
             place of a topic an equal part before more of any: a bulk on one place keeps nothing waiting on another.
    """

    async def start(self) -> None:
        """Join the group. `claimed`/`dropped`, given at construction, are called on every change of ownership."""

    async def fetch(self, records_max: int, wait_seconds: float) -> list[Record]:
        """The next records of owned places, in order per place; an empty list when nothing came in time."""

    async def at_hand(self, records_max: int) -> list[Record]:
        """The next records as far as they have come already: waits for none, and changes no ownership."""

    async def seek(self, starts: Mapping[Place, int]) -> None:
        """Read these places again from here."""

    async def hint(self, offsets: Mapping[Place, int]) -> bool:
        """Tell the broker how far the group is, for lag tools only. Whether it was taken: never from who is put out."""

    async def ends(self) -> Mapping[Place, int]:
        """The end offset of every owned place. Errors: `TransientError` when the bus cannot be seen."""

    async def stop(self) -> None:
        """Leave the group; `dropped` is called first."""


class Tail(Protocol):
    """Reads all partitions of some topics from the beginning, without a group: what boards are fed from."""

    async def start(self) -> None: ...

    async def ready(self) -> bool:
        """Everything that was there at the start has been handed out."""

    async def fetch(self, records_max: int, wait_seconds: float) -> list[Record]: ...

    async def stop(self) -> None: ...


class Publisher(Protocol):
    """Writes records. Order holds per place, also over errors: after one nothing later of that place is written."""

    async def start(self) -> None: ...

    async def publish(self, batch: Mapping[Place, Sequence[Outgoing]]) -> Mapping[Place, str]:
        """Write all, wait for all acknowledgements (`acks=all`). Returns the places that failed, with the reason."""

    async def stop(self) -> None: ...


class Log(Protocol):
    """A bus: makes readers, tails and publishers, and knows how many partitions the floor has."""

    def group_reader(self, group: str, topics: Sequence[str], claimed: Claimed, dropped: Dropped) -> GroupReader: ...

    def tail(self, topics: Sequence[str], *, gather_seconds: float = 0.0) -> Tail:
        """A tail; one in no hurry asks again only so long after it was given something: what comes meanwhile gathers."""

    def publisher(self) -> Publisher: ...

    async def pause(self, seconds: float) -> None:
        """Wait before trying again. Here because only the bus knows whether time is real."""

    async def partitions(self, topic: str) -> int:
        """How many partitions a topic has. Errors: `TransientError`: the bus is away; `ContractError`: no such topic."""


@lru_cache(maxsize=64)
def _words(count: int) -> Callable[[bytes], tuple[int, ...]]:
    """Reads so many words of 32 bits, the lowest byte first."""
    return Struct(f"<{count}I").unpack_from


def murmur2(data: bytes) -> int:
    """Kafka's murmur2 (Java client's default partitioner), 32 bits."""
    length, m = len(data), 0x5BD1E995
    h = 0x9747B28C ^ length
    for k in _words(length >> 2)(data):
        k = (k * m) & 0xFFFFFFFF
        h = ((h * m) & 0xFFFFFFFF) ^ (((k ^ (k >> 24)) * m) & 0xFFFFFFFF)
    rest = data[length & ~3 :]
    if rest:
        h = ((h ^ int.from_bytes(rest, "little")) * m) & 0xFFFFFFFF
    h = ((h ^ (h >> 13)) * m) & 0xFFFFFFFF
    return h ^ (h >> 15)


def group_of(processor: str) -> str:
    """The consumer group of a processor."""
    return f"opsfloor-{processor}"


@lru_cache(maxsize=65_536)  # a case's key comes back with each of its facts
def partition_of(key: bytes, partitions: int) -> int:
    """The partition that Kafka's default partitioner gives a key."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions
