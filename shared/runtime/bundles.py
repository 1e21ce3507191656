"""A bundle: facts of one kind that stand one after another on a lane, in one record of the bus.

A record costs the bus and every client that reads it far more than the fact in it; an evacuation tells hundreds of facts
at once. A bundle changes nothing of what is told: whoever reads the bus gets each fact as if it had come alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final

import ormsgpack

from shared.runtime.headers import Own, alone, event_id_of, header_of, own_part, shared_part
from shared.runtime.log import Outgoing, Record

FACTS_MAX: Final = 100  # in one record
BYTES_MAX: Final = 256 * 1024  # of the bodies in one record: a quarter of what a broker takes unless told otherwise
COUNT: Final = "facts"  # the header that makes a record a bundle: how many facts are in it
CONTENT: Final = ("content-type", b"application/vnd.opsfloor.facts+msgpack")


def bundled(rows: Sequence[Outgoing]) -> list[Outgoing]:
    """The rows of one place, runs of alike ones as one record each.

    Holds:   facts are alike whose headers differ only in what `Own` names and in their sequence; what has no lane, or
             no body, goes alone. The record's key is that of its first fact.
    """
    found: list[Outgoing] = []
    for _, run in groupby(rows, _likeness):
        for part in _parts(list(run)):
            found.append(part[0] if len(part) == 1 else _bundle(part))
    return found


def _likeness(row: Outgoing) -> tuple[object, ...]:
    return (shared_part(row.headers), row.timestamp_ms) if row.value is not None else (id(row),)


def _parts(run: Sequence[Outgoing]) -> Iterator[Sequence[Outgoing]]:
    """The run in pieces within the limits; a fact without a lane is a piece by itself."""
    if not shared_part(run[0].headers):
        yield from ([row] for row in run)
        return
    part, size = list[Outgoing](), 0
    for row in run:
        size += len(row.value or b"")
        if part and (len(part) == FACTS_MAX or size > BYTES_MAX):
            yield part
            part, size = [], len(row.value or b"")
        part.append(row)
    yield part


def _bundle(part: Sequence[Outgoing]) -> Outgoing:
    first = part[0]
    packed = ormsgpack.packb([(row.key, row.value, own_part(row.headers)) for row in part])
    headers = tuple(CONTENT if name == CONTENT[0] else (name, value) for name, value in first.headers)
    return Outgoing(first.key, packed, (*headers, (COUNT, b"%d" % len(part))), first.timestamp_ms)


def facts_of(record: Record) -> Sequence[Record]:
    """What a record of the bus brings: itself, or, if it is a bundle, each of its facts as if it had come alone.

    Holds:   all but the last say how many follow in the same record. A bundle that cannot be unpacked comes as it is,
             for its reader to park; the facts in it are then missing on their lane.
    """
    if not record.headers or record.headers[-1][0] != COUNT or record.value is None:
        return (record,)
    try:
        rows = ormsgpack.unpackb(record.value)
    except ormsgpack.MsgpackDecodeError:
        return (record,)
    return list(_unbundled(record, rows))


def _unbundled(record: Record, rows: Sequence[Sequence[bytes]]) -> Iterator[Record]:
    topic, partition, offset, _, _, headers, timestamp_ms, _ = record
    source, first = header_of(headers, "ce_source"), int(header_of(headers, "sequence"))
    last = len(rows) - 1
    for number, (key, value, own) in enumerate(rows):
        sequence = first + number
        event_id = event_id_of(source, (topic, partition), sequence)
        told = alone(headers, event_id, sequence, Own(*own))
        yield Record(topic, partition, offset, key, value, told, timestamp_ms, last - number)


def all_facts(records: Iterable[Record]) -> Iterator[Record]:
    """What many records of the bus bring, in their order."""
    for record in records:
        yield from facts_of(record)
