"""What routing counts: queues, ages, assignment latency, what could not be placed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from shared.contracts import routing
from shared.contracts.message import Message

_LATENCY: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600)
QUEUED: Final = Gauge("opsfloor_desk_queue_items", "Items that wait at a desk", ["team", "work_type"])
OLDEST: Final = Gauge("opsfloor_desk_oldest_seconds", "Age of the oldest waiting item", ["team", "work_type"])
IN_HAND: Final = Gauge("opsfloor_desk_in_hand_items", "Items offered or in hand", ["team"])
PRESENT: Final = Gauge("opsfloor_desk_present_operators", "Operators signed on", ["team"])
ASSIGNED: Final = Histogram(
    "opsfloor_assignment_latency_seconds", "From requested to assigned", ["step"], buckets=_LATENCY
)
ATTEMPTS: Final = Counter("opsfloor_assignments_total", "What became of assignments", ["outcome"])
PLACED: Final = Counter("opsfloor_items_placed_total", "Items placed", ["team", "step"])
UNPLACEABLE: Final = Counter("opsfloor_items_unplaceable_total", "Items that nobody may do now", ["reason"])
COMPLETED: Final = Counter("opsfloor_items_completed_total", "Items completed", ["team", "step"])
HANDLED: Final = Histogram(
    "opsfloor_item_handle_seconds", "Handling time", ["step"], buckets=(5, 10, 20, 30, 45, 60, 90, 120, 180, 300, 600)
)


def measure(facts: Sequence[Message], now: datetime) -> None:
    """Count what was decided; the last load snapshot of a team sets its gauges."""
    for fact in facts:
        match fact:
            case routing.WorkPlaced():
                PLACED.labels(fact.team_id, fact.order.step).inc()
            case routing.WorkUnplaceable():
                UNPLACEABLE.labels(fact.reason).inc()
            case routing.WorkAssigned():
                ASSIGNED.labels(fact.step).observe(max(0.0, (fact.at - fact.requested_at).total_seconds()))
                ATTEMPTS.labels("assigned").inc()
            case routing.AssignmentDeclined():
                ATTEMPTS.labels("declined").inc()
            case routing.AssignmentExpired():
                ATTEMPTS.labels("expired").inc()
            case routing.WorkCompleted():
                COMPLETED.labels(fact.team_id, fact.step).inc()
                HANDLED.labels(fact.step).observe(fact.handle_seconds)
            case routing.LoadSnapshot():
                _load(fact)
            case _:
                continue


_seen: Final[dict[str, set[str]]] = {}


def _load(snapshot: routing.LoadSnapshot) -> None:
    team = snapshot.team_id
    IN_HAND.labels(team).set(snapshot.in_hand)
    PRESENT.labels(team).set(len(snapshot.present))
    known = _seen.setdefault(team, set())
    for gone in known - {load.work_type for load in snapshot.queued}:
        QUEUED.labels(team, gone).set(0)
        OLDEST.labels(team, gone).set(0)
    for load in snapshot.queued:
        known.add(load.work_type)
        QUEUED.labels(team, load.work_type).set(load.queued)
        oldest = load.oldest_requested_at
        OLDEST.labels(team, load.work_type).set(0 if oldest is None else (snapshot.at - oldest).total_seconds())
