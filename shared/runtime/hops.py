"""How old the records of a batch are by their own word: the CloudEvents time that their writer gave them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from shared.runtime.log import Headers, Record


def oldest_by_topic(records: Sequence[Record]) -> Mapping[str, datetime]:
    """The CloudEvents time of the record with the oldest stamp of each topic; topics whose record tells none are left out.

    Holds:   one record per topic is looked at, whatever the size of the batch.
    """
    oldest: dict[str, Record] = {}
    for record in records:
        known = oldest.get(record.topic)
        if known is None or record.timestamp_ms < known.timestamp_ms:
            oldest[record.topic] = record
    told = ((topic, told_at(record.headers)) for topic, record in oldest.items())
    return {topic: at for topic, at in told if at is not None}


def told_at(headers: Headers) -> datetime | None:
    """The instant in `ce_time`, or none when it is missing, unreadable or without a zone: a figure is not worth a park."""
    for name, value in headers:
        if name == "ce_time":
            try:
                at = datetime.fromisoformat(value.decode("ascii"))
            except ValueError:
                return None
            return at if at.tzinfo is not None else None
    return None
