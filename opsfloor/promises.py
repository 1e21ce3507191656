"""Promises that the floor's histograms cannot be read at."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterable, Sequence

from shared.contracts.message import Message
from shared.contracts.reference import BusinessType


def between_edges(entries: Iterable[Message], edges: Sequence[float]) -> list[str]:
    """Every promised time that is no edge of the turnaround, a sentence each with its remedy. Units: seconds, rising."""
    return [
        f"business type {entry.id}: {name} {seconds:g} is no edge of the turnaround's histogram, so that the share in time "
        f"can be read at {_around(seconds, edges)} only. Late cases are counted exactly all the same; for the histogram "
        "too, promise one of those, or add the edge to MINUTES in services/audit/controls/metrics.py"
        for entry in entries
        if isinstance(entry, BusinessType)
        for name, seconds in (("sla_seconds", entry.sla_seconds), ("sla_urgent_seconds", entry.sla_urgent_seconds))
        if seconds and seconds not in edges
    ]


def _around(seconds: float, edges: Sequence[float]) -> str:
    place = bisect(edges, seconds)
    return " and ".join(f"{edge:g}" for edge in edges[max(0, place - 1) : place + 1])
