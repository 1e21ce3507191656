"""Records as a runner puts them into bundles, from records that were written out one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shared.runtime.bundles import bundles_of
from shared.runtime.headers import header_of, own_part, stands_as_told
from shared.runtime.log import Outgoing
from shared.runtime.store import LaneOut, OutboxRow, Run, Told


def rows_in_bundles(rows: Sequence[OutboxRow], *, compressed: bool = True) -> Iterator[OutboxRow]:
    """The rows of some lanes, lane by lane. Holds: each is a fact on a lane, all of them have the same stamp."""
    told: dict[LaneOut, Run] = {}
    for lane, sequence, (key, value, headers, _), _ in rows:
        run = told.setdefault(lane, Run(header_of(headers, "ce_source"), sequence))
        run.facts.append(Told(headers[2], headers[5][1], (key or b"", value or b"", own_part(headers))))
    return bundles_of(told, rows[0].record.timestamp_ms, compressed=compressed)


def bundled(facts: Sequence[Outgoing], *, compressed: bool = True) -> list[Outgoing]:
    """The facts of one lane in bundles."""
    if not all(stands_as_told(fact.headers) for fact in facts):
        raise ValueError("Expected facts on a lane, found others")
    _, topic, partition, first = header_of(facts[0].headers, "ce_id").decode().rsplit("/", 3)
    lane = 0, topic, int(partition)
    rows = [OutboxRow(lane, sequence, fact) for sequence, fact in enumerate(facts, int(first))]
    return [row.record for row in rows_in_bundles(rows, compressed=compressed)]
