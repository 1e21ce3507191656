"""How committed facts lie in the outbox: the facts that one batch puts on one lane are a run, and a run is one row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import ormsgpack

from shared.runtime.bundles import facts_in
from shared.runtime.log import Outgoing
from shared.runtime.store import LaneOut, OutboxRow

Run = tuple[int, str, int, int, int, bytes]  # the lane; first and last sequence; the records, packed


def runs_of(rows: Iterable[OutboxRow]) -> list[Run]:
    """The runs of one batch, one for each lane.

    Holds:   the rows of a lane stand in their order and are dense, as an engine writes them.
    """
    by_lane: dict[LaneOut, list[OutboxRow]] = {}
    for row in rows:
        by_lane.setdefault(row.lane, []).append(row)
    return [
        (*lane, run[0].first_sequence, run[-1].sequence, pack(row.record for row in run))
        for lane, run in by_lane.items()
    ]


def rows_of(run: Run) -> Iterator[OutboxRow]:
    """The reverse of `runs_of`, for one run."""
    shard, topic, partition, first, _, records = run
    last = first - 1
    for record in unpack(records):
        facts = facts_in(record)
        last += facts
        yield OutboxRow((shard, topic, partition), last, record, facts)


def pack(records: Iterable[Outgoing]) -> bytes:
    """Records as MessagePack, which knows bytes: an array of [key, value, headers, timestamp]."""
    return ormsgpack.packb([tuple(record) for record in records])


def unpack(packed: bytes) -> Iterator[Outgoing]:
    """The reverse of `pack`."""
    for key, value, headers, timestamp_ms in ormsgpack.unpackb(packed):
        yield Outgoing(key, value, tuple((name, content) for name, content in headers), timestamp_ms)
