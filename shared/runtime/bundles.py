"""A bundle: facts of one kind that stand one after another on a lane, in one record of the bus.

A record costs the bus and every client that reads it far more than the fact in it; an evacuation tells hundreds of facts
at once. A bundle changes nothing of what is told: whoever reads the bus gets each fact as if it had come alone. It is made once,
before the batch is committed, and lies in the outbox as it goes out. Its facts say much the same, so that a compressed one has a
tenth of their size.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from itertools import groupby
from typing import Final

import lz4.block
import ormsgpack

from shared.contracts.registry import WITHOUT_LANES
from shared.runtime.headers import alone, event_id_of, header_of, own_part, shared_part, stands_as_told
from shared.runtime.log import Outgoing, Record
from shared.runtime.store import LaneOut, OutboxRow

FACTS_MAX: Final = 100  # in one record
BYTES_MAX: Final = 256 * 1024  # of the bodies in one record: a quarter of what a broker takes unless told otherwise
BESIDE_MAX: Final = BYTES_MAX // 2  # bytes of what stands beside them
EXPANDED_BYTES_MAX: Final = 2 * BYTES_MAX  # of a bundle with its keys and headers
COUNT: Final = "facts"  # the header that makes a record a bundle: how many facts are in it
_CONTENT: Final = "content-type"
PLAIN: Final = (_CONTENT, b"application/vnd.opsfloor.facts+msgpack")
COMPRESSED: Final = (_CONTENT, b"application/vnd.opsfloor.facts+msgpack+lz4")
BYTES_ALONE: Final = {bytes}
UNREADABLE: Final = (ormsgpack.MsgpackDecodeError, lz4.block.LZ4BlockError, TypeError, ValueError)  # or of another form


def rows_in_bundles(rows: Iterable[OutboxRow], topics: AbstractSet[str], *, compressed: bool) -> Iterator[OutboxRow]:
    """The rows of a batch, lane by lane, those of the named topics in bundles."""
    by_lane: dict[LaneOut, list[OutboxRow]] = {}
    for row in rows:
        by_lane.setdefault(row.lane, []).append(row)
    for lane, run in by_lane.items():
        if lane[1] not in topics:
            yield from run
            continue
        last = run[0].sequence - 1
        for record in bundled([row.record for row in run], compressed=compressed):
            facts = facts_in(record)
            last += facts
            yield OutboxRow(lane, last, record, facts)


def facts_in(record: Outgoing) -> int:
    """How many facts a record to write holds."""
    name, count = record.headers[-1] if record.headers else ("", b"")
    return int(count) if name == COUNT else 1


def bundled(rows: Sequence[Outgoing], *, compressed: bool = True) -> list[Outgoing]:
    """The rows of one place, runs of alike ones as one record each.

    Holds:   facts are alike whose headers differ only in what `Own` names and in their sequence; what has no lane, or
             no body, goes alone. The record's key is that of its first fact.
    """
    found: list[Outgoing] = []
    for _, run in groupby(rows, _likeness):
        for part in _parts(list(run)):
            found.append(part[0] if len(part) == 1 else _bundle(part, compressed))
    return found


def _likeness(row: Outgoing) -> tuple[object, ...]:
    return (shared_part(row.headers), row.timestamp_ms) if row.value is not None else (id(row),)


def _parts(run: Sequence[Outgoing]) -> Iterator[Sequence[Outgoing]]:
    """The run in pieces within the limits; a fact without a lane is a piece by itself."""
    if not shared_part(run[0].headers):
        yield from ([row] for row in run)
        return
    part, size, beside = list[Outgoing](), 0, 0
    for row in run:
        body, own = len(row.value or b""), _beside(row)
        size, beside = size + body, beside + own
        if part and (len(part) == FACTS_MAX or size > BYTES_MAX or beside > BESIDE_MAX):
            yield part
            part, size, beside = [], body, own
        part.append(row)
    yield part


def _beside(row: Outgoing) -> int:
    """Bytes of what a bundle holds of a fact beside its body: who is outside chooses how long the id of a cause is."""
    return len(row.key) + sum(map(len, own_part(row.headers)))


def _bundle(part: Sequence[Outgoing], compressed: bool) -> Outgoing:
    first = part[0]
    packed = ormsgpack.packb([(row.key, row.value, own_part(row.headers)) for row in part])
    content = COMPRESSED if compressed else PLAIN
    headers = tuple(content if name == _CONTENT else (name, value) for name, value in first.headers)
    value = lz4.block.compress(packed) if compressed else packed
    return Outgoing(first.key, value, (*headers, (COUNT, b"%d" % len(part))), first.timestamp_ms)


def facts_of(record: Record) -> Sequence[Record]:
    """What a record of the bus brings: itself, or, if it is a bundle, each of its facts as if it had come alone.

    Holds:   all but the last say how many follow in the same record. A bundle that cannot be unpacked comes as it is,
             for its reader to park; the facts in it are then missing on their lane. So does what calls itself one on a
             topic that others than shards write.
    """
    if not record.headers or record.headers[-1][0] != COUNT or record.value is None or record.topic in WITHOUT_LANES:
        return (record,)
    try:
        rows = ormsgpack.unpackb(_expanded(record.value) if COMPRESSED in record.headers else record.value)
        return list(_unbundled(record, rows))
    except UNREADABLE:
        return (record,)


def _expanded(value: bytes) -> bytes:
    """What was compressed, whose size stands before it. Errors: `LZ4BlockError`, also for more than a bundle may have."""
    if int.from_bytes(value[:4], "little") > EXPANDED_BYTES_MAX:
        raise lz4.block.LZ4BlockError(f"Expected at most {EXPANDED_BYTES_MAX} bytes")
    return bytes(lz4.block.decompress(value))


def _unbundled(record: Record, rows: Sequence[tuple[bytes, bytes, Sequence[bytes]]]) -> Iterator[Record]:
    topic, partition, offset, _, _, headers, timestamp_ms, _ = record
    if not stands_as_told(headers[:-1]):
        raise ValueError(f"Expected the headers of a fact, and {COUNT}, found others")
    source, first = header_of(headers, "ce_source"), int(header_of(headers, "sequence"))
    last = len(rows) - 1
    for number, (key, value, own) in enumerate(rows):
        if set(map(type, (key, value, *own))) != BYTES_ALONE:
            raise TypeError("Expected bytes alone in a bundle")
        sequence = first + number
        event_id = event_id_of(source, (topic, partition), sequence)
        told = alone(headers, event_id, sequence, own)
        yield Record(topic, partition, offset, key, value, told, timestamp_ms, last - number)


def all_facts(records: Iterable[Record]) -> Iterator[Record]:
    """What many records of the bus bring, in their order."""
    for record in records:
        yield from facts_of(record)
