"""A model of the store in one process, for unit tests and the seeded simulation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from shared.runtime.errors import InvariantError, TransientError
from shared.runtime.log import Place
from shared.runtime.memory_log import Pause, no_pause
from shared.runtime.store import Batch, Claim, JournalRow, LaneIn, LaneOut, OutboxRow, RowKey, TimerKey, TimerRow


@dataclass(slots=True)
class StoreFaults:
    """`refuse_commits`: so many fail and write nothing; `lose_acknowledgements`: so many are written and fail."""

    refuse_commits: int = 0
    lose_acknowledgements: int = 0


@dataclass(slots=True)
class Part:
    """One processor's rows."""

    epochs: dict[int, int] = field(default_factory=dict)
    next_offsets: dict[tuple[int, str], int] = field(default_factory=dict)
    lanes_in: dict[LaneIn, int] = field(default_factory=dict)
    lanes_out: dict[LaneOut, int] = field(default_factory=dict)
    outbox: dict[tuple[LaneOut, int], OutboxRow] = field(default_factory=dict)
    timers: dict[TimerKey, TimerRow] = field(default_factory=dict)
    rows: dict[RowKey, bytes] = field(default_factory=dict)
    journal: dict[tuple[int, str], list[JournalRow]] = field(default_factory=dict)


class MemoryDatabase:
    """What stands in the database: it outlives the processes that write to it.

    Holds:   with `keep_batches`, `committed` lists every batch that was written, in order, with its processor.
    """

    def __init__(self, pause: Pause = no_pause, *, keep_batches: bool = False) -> None:
        self.parts: Final[dict[str, Part]] = {}
        self.faults: Final = StoreFaults()
        self.at_seam: Pause = pause
        self.keep_batches: Final = keep_batches
        self.committed: Final[list[tuple[str, Batch]]] = []

    def store(self, processor: str) -> MemoryStore:
        """One processor's view."""
        return MemoryStore(self, processor)


def epoch_holds(part: Part, shard: int, epoch: int) -> bool:
    """The condition that every transaction carries: nobody has claimed the shard since."""
    return part.epochs.get(shard, 0) == epoch


class MemoryStore:
    """One processor's part of a `MemoryDatabase`."""

    def __init__(self, database: MemoryDatabase, processor: str) -> None:
        self._database: Final = database
        self._processor: Final = processor
        self._part: Final = database.parts.setdefault(processor, Part())

    async def claim(self, shards: Sequence[int]) -> Mapping[int, Claim]:
        await self._database.at_seam("store.claim")
        claims = {}
        for shard in shards:
            self._part.epochs[shard] = self._part.epochs.get(shard, 0) + 1
            claims[shard] = self._claim(shard)
        return claims

    def _claim(self, shard: int) -> Claim:
        part = self._part
        offsets: dict[Place, int] = {(t, shard): at for (s, t), at in part.next_offsets.items() if s == shard}
        unpublished = sorted((k for k in part.outbox if k[0][0] == shard), key=lambda k: k)
        return Claim(
            epoch=part.epochs[shard],
            next_offsets=offsets,
            lanes_in={(source, topic): at for (s, source, topic), at in part.lanes_in.items() if s == shard},
            lanes_out={(topic, p): at for (s, topic, p), at in part.lanes_out.items() if s == shard},
            unpublished=[part.outbox[key] for key in unpublished],
            timers=[timer for key, timer in part.timers.items() if key[0] == shard],
        )

    async def load(self, keys: Sequence[tuple[int, str]]) -> Mapping[tuple[int, str], Mapping[str, bytes]]:
        await self._database.at_seam("store.load")
        wanted, found = set(keys), dict[tuple[int, str], dict[str, bytes]]()
        for (shard, key, part), body in self._part.rows.items():
            if (shard, key) in wanted:
                found.setdefault((shard, key), {})[part] = body
        return found

    async def load_shard(self, shard: int) -> Mapping[str, Mapping[str, bytes]]:
        await self._database.at_seam("store.load")
        found: dict[str, dict[str, bytes]] = {}
        for (owner, key, part), body in self._part.rows.items():
            if owner == shard:
                found.setdefault(key, {})[part] = body
        return found

    async def journal_length(self, keys: Sequence[tuple[int, str]]) -> Mapping[tuple[int, str], int]:
        return {key: len(self._part.journal[key]) for key in keys if key in self._part.journal}

    async def commit(self, batch: Batch) -> frozenset[int]:
        faults = self._database.faults
        await self._database.at_seam("store.commit.before")
        if faults.refuse_commits:
            faults.refuse_commits -= 1
            raise TransientError("Expected the database to answer, found it away")
        lost = frozenset(s for s, epoch in batch.epochs.items() if not epoch_holds(self._part, s, epoch))
        if lost:
            return lost
        self._check(batch)
        self._write(batch)
        if self._database.keep_batches:
            self._database.committed.append((self._processor, batch))
        if faults.lose_acknowledgements:
            faults.lose_acknowledgements -= 1
            raise TransientError("Expected the commit's answer, found the connection gone")
        await self._database.at_seam("store.commit.after")
        return frozenset()

    def _check(self, batch: Batch) -> None:
        """Refuse the impossible before anything is written, as a transaction would."""
        sent: set[tuple[LaneOut, int]] = set()
        for row in batch.outbox:
            if (row.lane, row.sequence) in sent or (row.lane, row.sequence) in self._part.outbox:
                raise InvariantError(f"Expected lane {row.lane} to have no sequence {row.sequence} yet")
            sent.add((row.lane, row.sequence))
        lengths: dict[tuple[int, str], int] = {}
        for entry in batch.journal:
            of = (entry.shard, entry.key)
            expected = lengths.get(of, len(self._part.journal.get(of, ()))) + 1
            if entry.number != expected:
                raise InvariantError(f"Expected fact {expected} of {entry.key}, found {entry.number}")
            lengths[of] = expected

    def _write(self, batch: Batch) -> None:
        part = self._part
        for key, body in batch.rows.items():
            if body is None:
                part.rows.pop(key, None)
            else:
                part.rows[key] = body
        for row in batch.outbox:
            part.outbox[(row.lane, row.sequence)] = row
        for entry in batch.journal:
            part.journal.setdefault((entry.shard, entry.key), []).append(entry)
        for timer_key, timer in batch.timers.items():
            if timer is None:
                part.timers.pop(timer_key, None)
            else:
                part.timers[timer_key] = timer
        part.next_offsets.update(batch.next_offsets)
        part.lanes_in.update(batch.lanes_in)
        part.lanes_out.update(batch.lanes_out)
        for lane, sequence in batch.published.items():
            for row_key in [k for k in part.outbox if k[0] == lane and k[1] <= sequence]:
                del part.outbox[row_key]
