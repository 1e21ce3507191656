"""The truth as the runtime sees it. `PostgresStore` and `MemoryStore` keep the same promises, proved by one suite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol

from shared.runtime.headers import OwnPart
from shared.runtime.log import Headers, Outgoing, Place

RowKey = tuple[int, str, str]  # shard, entity key, part
LaneIn = tuple[int, str, str]  # shard, ce_source, topic
LaneOut = tuple[int, str, int]  # shard, topic, partition
TimerKey = tuple[int, str, str]  # shard, entity key, timer name


class OutboxRow(NamedTuple):
    """A record of committed facts on its way to the bus.

    Holds:   facts have dense sequences per lane from 1; `sequence` is that of the last of the `facts` in the record.
    """

    lane: LaneOut
    sequence: int
    record: Outgoing
    facts: int = 1

    @property
    def first_sequence(self) -> int:
        """Of the first fact in the record."""
        return self.sequence - self.facts + 1


Packed = tuple[bytes, bytes, OwnPart]
"""A fact as it lies in a bundle: its key, its body, and what of its headers is its own."""


class Told(NamedTuple):
    """A fact that is to go out in a bundle: most of its headers are never written out."""

    kind: tuple[str, bytes]  # the header that names it
    at: bytes  # RFC 3339
    packed: Packed


@dataclass(slots=True)
class Run:
    """What one batch tells on one lane, in its order. Holds: sequences are dense from `first_sequence`."""

    source: bytes
    first_sequence: int
    facts: list[Told] = field(default_factory=list)


class TimerRow(NamedTuple):
    """A wake-up of one entity. `due_at` is `None` when only a board's change wakes it."""

    key: TimerKey
    due_at: datetime | None
    boards: frozenset[str] = frozenset()


class JournalRow(NamedTuple):
    """One fact of an entity, kept for ever. Holds: `number` is dense per (processor, key) from 1."""

    shard: int
    key: str
    number: int
    at: datetime
    kind: str
    body: bytes
    cause: str


@dataclass(frozen=True, slots=True)
class Claim:
    """What the new owner of a shard starts from."""

    epoch: int
    next_offsets: Mapping[Place, int]
    lanes_in: Mapping[tuple[str, str], int]  # (ce_source, topic) → last sequence taken
    lanes_out: Mapping[Place, int]  # place → last sequence committed
    unpublished: Sequence[OutboxRow]  # in lane order
    timers: Sequence[TimerRow]


@dataclass(slots=True)
class Batch:
    """Everything that one batch changes, written in one transaction or not at all.

    Holds:   `epochs` are the writer's shards; `published` and `next_offsets` are absolute, so they never go back; `told`
             is for the outbox too, once it has gone into bundles.
    """

    epochs: dict[int, int] = field(default_factory=dict)
    rows: dict[RowKey, bytes | None] = field(default_factory=dict)
    outbox: list[OutboxRow] = field(default_factory=list)
    told: dict[LaneOut, Run] = field(default_factory=dict)
    journal: list[JournalRow] = field(default_factory=list)
    timers: dict[TimerKey, TimerRow | None] = field(default_factory=dict)
    next_offsets: dict[tuple[int, str], int] = field(default_factory=dict)  # (shard, topic): the inlet
    lanes_in: dict[LaneIn, int] = field(default_factory=dict)
    lanes_out: dict[LaneOut, int] = field(default_factory=dict)
    published: dict[LaneOut, int] = field(default_factory=dict)  # acknowledged by the bus up to here


class Store(Protocol):
    """One processor's part of the truth: `processor` and its state table are given at construction.

    Errors:  `TransientError` when the database is away or the outcome of a transaction is unknown.
    """

    async def claim(self, shards: Sequence[int]) -> Mapping[int, Claim]:
        """Take the shards: each epoch goes up by one, so that every earlier owner's next commit fails."""

    async def load(self, keys: Sequence[tuple[int, str]]) -> Mapping[tuple[int, str], Mapping[str, bytes]]:
        """The rows (part → body) of each (shard, entity key) that has any."""

    async def load_shard(self, shard: int) -> Mapping[str, Mapping[str, bytes]]:
        """The rows of every entity of a shard: entity key → part → body. For processors kept in memory."""

    async def journal_length(self, keys: Sequence[tuple[int, str]]) -> Mapping[tuple[int, str], int]:
        """How many facts the journal holds of each entity that has any."""

    async def commit(self, batch: Batch) -> frozenset[int]:
        """Write the batch if every epoch in it still holds. Returns the lost shards; when any is lost, nothing is
        written. What a batch put on a lane is removed with it once `published` has reached its last fact there."""
        ...


__all__ = [
    "Batch",
    "Claim",
    "Headers",
    "JournalRow",
    "LaneIn",
    "LaneOut",
    "OutboxRow",
    "RowKey",
    "Store",
    "TimerKey",
    "TimerRow",
]
