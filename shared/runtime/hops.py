"""How old the records of a batch are by their own word: the CloudEvents time that their writer gave them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.runtime.log import Headers, Record
from shared.runtime.tracing import from_outside


@dataclass(frozen=True, slots=True)
class Hop:
    """When a record was told, and the trace that it belongs to; empty when it tells none."""

    at: datetime
    traceparent: str


def oldest_by_topic(records: Sequence[Record]) -> Mapping[str, Hop]:
    """The CloudEvents time of the record with the oldest stamp of each topic; topics whose record tells none are left out.

    Holds:   one record per topic is looked at, whatever the size of the batch.
    """
    oldest: dict[str, Record] = {}
    for record in records:
        known = oldest.get(record.topic)
        if known is None or record.timestamp_ms < known.timestamp_ms:
            oldest[record.topic] = record
    told = ((topic, hop_of(record.headers)) for topic, record in oldest.items())
    return {topic: hop for topic, hop in told if hop is not None}


def hop_of(headers: Headers) -> Hop | None:
    """What `ce_time` says, or none when it is missing, unreadable or without a zone: a figure is not worth a park."""
    found = dict(headers)
    try:
        at = datetime.fromisoformat(found.get("ce_time", b"").decode("ascii"))
    except ValueError:
        return None
    return Hop(at, from_outside(found.get("traceparent", b""))) if at.tzinfo is not None else None
