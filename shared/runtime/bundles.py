"""A bundle: facts of one kind that stand one after another on a lane, in one record of the bus.

A record costs the bus and every client that reads it far more than the fact in it; an evacuation tells hundreds of facts
at once. A bundle changes nothing of what is told: whoever reads the bus gets each fact as if it had come alone. It is made once,
before the batch is committed, and lies in the outbox as it goes out. Its facts say much the same, so that a compressed one has a
tenth of their size.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, groupby
from operator import itemgetter
from typing import Final

import lz4.block
import ormsgpack

from shared.contracts.registry import WITHOUT_LANES
from shared.runtime.headers import event_id_of, header_of, stands_as_told, told_headers
from shared.runtime.log import Origin, Outgoing, Record
from shared.runtime.store import LaneOut, OutboxRow, Packed, Run

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


def bundles_of(told: Mapping[LaneOut, Run], timestamp_ms: int, *, compressed: bool) -> Iterator[OutboxRow]:
    """What a batch tells, lane by lane, runs of alike facts as one record each. The record's key is that of its first fact.

    Holds:   facts are alike whose headers differ only in what `Own` names and in their sequence.
    """
    for lane, run in told.items():
        sequence = run.first_sequence
        for alike, facts in groupby(run.facts, _LIKENESS):
            for part in _parts([fact.packed for fact in facts]):
                record = _record(lane, run.source, sequence, alike, part, timestamp_ms, compressed)
                sequence += len(part)
                yield OutboxRow(lane, sequence - 1, record, len(part))


_LIKENESS: Final = itemgetter(0, 1)  # kind and instant


def facts_in(record: Outgoing) -> int:
    """How many facts a record to write holds."""
    name, count = record.headers[-1] if record.headers else ("", b"")
    return int(count) if name == COUNT else 1


def _parts(run: Sequence[Packed]) -> Iterator[Sequence[Packed]]:
    """The run in pieces within the limits: nearly always as many facts as a record may have."""
    start = 0
    while start < len(run):
        part = run[start : start + FACTS_MAX]
        if not _fits(part):
            part = _within(part)
        yield part
        start += len(part)


def _fits(part: Sequence[Packed]) -> bool:
    keys, bodies, own = zip(*part, strict=True)
    beside = sum(map(len, keys)) + sum(map(len, chain.from_iterable(own)))
    return sum(map(len, bodies)) <= BYTES_MAX and beside <= BESIDE_MAX


def _within(run: Sequence[Packed]) -> Sequence[Packed]:
    """As many of the first as fit, at least one: who is outside chooses how long the id of a cause is."""
    size, beside = 0, 0
    for number, (key, body, own) in enumerate(run):
        size, beside = size + len(body), beside + len(key) + sum(map(len, own))
        if number and (size > BYTES_MAX or beside > BESIDE_MAX):
            return run[:number]
    return run


def _record(
    lane: LaneOut,
    source: bytes,
    sequence: int,
    alike: tuple[tuple[str, bytes], bytes],
    part: Sequence[Packed],
    timestamp_ms: int,
    compressed: bool,
) -> Outgoing:
    """One fact as it goes alone, several as a bundle. `sequence` is that of the first."""
    (kind, at), (key, body, own) = alike, part[0]
    headers = told_headers(kind, source, event_id_of(source, lane[1:], sequence), at, sequence, own)
    if len(part) == 1:
        return Outgoing(key, body, headers, timestamp_ms)
    packed = ormsgpack.packb(part)
    content = COMPRESSED if compressed else PLAIN
    shared = tuple(content if name == _CONTENT else (name, value) for name, value in headers)
    value = lz4.block.compress(packed) if compressed else packed
    return Outgoing(key, value, (*shared, (COUNT, b"%d" % len(part))), timestamp_ms)


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
    topic, partition, offset, _, _, headers, timestamp_ms, _, _ = record
    if not stands_as_told(headers[:-1]):
        raise ValueError(f"Expected the headers of a fact, and {COUNT}, found others")
    keys, values, owns = zip(*rows, strict=True)
    if set(map(type, chain(keys, values, chain.from_iterable(owns)))) != BYTES_ALONE:
        raise TypeError("Expected bytes alone in a bundle")
    source, at, kind = header_of(headers, "ce_source"), headers[5][1], headers[2]
    writer, told_as, place = source.decode(), kind[1].decode(), (topic, partition)
    first, more = int(header_of(headers, "sequence")), len(rows)
    for sequence, (key, value, own) in enumerate(rows, first):
        _, correlation, _, traceparent = own
        more -= 1
        event_id = event_id_of(source, place, sequence)
        told = told_headers(kind, source, event_id, at, sequence, own)
        origin = Origin(told_as, writer, sequence, event_id.decode(), correlation.decode(), traceparent.decode())
        yield Record(topic, partition, offset, key, value, told, timestamp_ms, more, origin)


def all_facts(records: Iterable[Record]) -> Iterator[Record]:
    """What many records of the bus bring, in their order."""
    for record in records:
        yield from facts_of(record)
