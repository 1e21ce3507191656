"""The drill calendar: what it holds now and what comes next. It is reference data; nothing of it is asked of anybody."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from services.routing.emergency import course
from services.routing.emergency.capacity import capacity_fault
from services.routing.emergency.drills import hour_gone
from services.routing.emergency.floor import FloorNow
from services.routing.emergency.preview import preview_of
from services.routing.emergency.state import OPEN_MAX, OrderBook, hour_after
from shared.contracts.message import Message
from shared.contracts.reference import DrillEntry
from shared.contracts.reroute import (
    DrillDue,
    DrillsPlanned,
    RerouteApproved,
    RerouteFact,
    RerouteOver,
    RerouteProposed,
    RerouteTerms,
)
from shared.reference.board import ReferenceView
from shared.reference.drills import next_start, scope_of, unsigned_because
from shared.runtime.processor import Situation

NOT_SIGNED: Final = "not signed"


def hour_marked(book: OrderBook, floor: FloorNow) -> tuple[Message, ...]:
    """The tally of the hour that has gone by; of nothing, at the first look."""
    marked_at = book.almanac.marked_at
    return (hour_gone(book, floor),) if marked_at is None or hour_after(marked_at) <= floor.now else ()


def planned(book: OrderBook, view: ReferenceView, now: datetime) -> tuple[Message, ...]:
    """The next drill of each entry, when that is not what the book has already."""
    due = tuple(one for entry_id in sorted(view.drills) if (one := _next(view.drills[entry_id], view, now)) is not None)
    return (DrillsPlanned(at=now, due=due),) if due != book.almanac.due else ()


def _next(entry: DrillEntry, view: ReferenceView, now: datetime) -> DrillDue | None:
    notice = timedelta(minutes=entry.notice_minutes)
    starts_at = next_start(entry, now + notice, view)
    if starts_at is None:
        return None
    return DrillDue(entry_id=entry.id, propose_at=starts_at - notice, starts_at=starts_at)


def due_now(book: OrderBook, view: ReferenceView, now: datetime) -> Iterator[tuple[DrillEntry, DrillDue]]:
    """The drills to be proposed now, by entry. What the calendar no longer says is not held."""
    for due in book.almanac.due:
        entry = view.drills.get(due.entry_id)
        if entry is not None and due.propose_at <= now and name_of(due) not in book.orders:
            yield entry, due


def name_of(due: DrillDue) -> str:
    """The reroute's id: the same drill is never held twice."""
    return f"drill-{due.entry_id}-{due.starts_at:%Y%m%dT%H%M}"


def hold(book: OrderBook, entry: DrillEntry, due: DrillDue, situation: Situation) -> tuple[RerouteFact, ...]:
    """Propose the drill, and approve it as it was signed beforehand; one that cannot be held says why and is over.

    Holds:   an entry whose signatures no longer hold is a proposal like any other and waits for somebody to approve it.
    """
    view: ReferenceView = situation.boards["reference"]
    unsigned = unsigned_because(entry, view)
    terms = _terms(entry, due, unsigned)
    floor = course.floor_of(book, situation, terms)
    preview = preview_of(terms, floor, course.past(book))
    proposed = RerouteProposed(
        reroute_id=name_of(due),
        at=situation.now,
        by=entry.owner,
        source="calendar",
        terms=terms,
        preview=preview,
        approve_by=due.starts_at,
        return_step_seconds=view.limits.reroute_return_step_seconds,
        drill_entry=entry.id,
    )
    execute_by = due.starts_at + timedelta(seconds=view.limits.reroute_execution_seconds)
    barred = _not_held(book, execute_by, situation.now)
    if barred is not None:
        return proposed, _over(due, "expired", barred, situation)
    fault = capacity_fault(preview, terms, floor, must_know=True)
    if fault is not None:
        return proposed, _over(due, "refused", fault, situation)
    if unsigned is not None:
        return (proposed,)
    approved = RerouteApproved(
        reroute_id=proposed.reroute_id,
        at=situation.now,
        by=entry.signed_by,
        reason=f"signed beforehand in the drill calendar, {entry.signed_on}",
        preview_sha256=preview.sha256,
        overridden_rules=(),
        execute_by=execute_by,
        beforehand=True,
    )
    return proposed, approved


def _terms(entry: DrillEntry, due: DrillDue, unsigned: str | None) -> RerouteTerms:
    why = entry.label if unsigned is None else f"{entry.label} ({NOT_SIGNED}: {unsigned})"
    return RerouteTerms(
        effect="drain",
        scope=scope_of(entry),
        minutes=entry.minutes,
        starts_at=due.starts_at,
        drill=True,
        reason=f"drill calendar: {why}"[:500],
    )


def _not_held(book: OrderBook, execute_by: datetime, now: datetime) -> str | None:
    if now >= execute_by:
        return f"Expected to hold the drill by {execute_by:%H:%M:%S} UTC, but nobody was awake to begin it."
    if len(book.open_orders()) >= OPEN_MAX:
        return f"Expected fewer than {OPEN_MAX} open reroutes."
    return course.in_earnest(book)


def _over(due: DrillDue, outcome: str, detail: str, situation: Situation) -> RerouteOver:
    return RerouteOver.model_validate(
        {"reroute_id": name_of(due), "at": situation.now, "outcome": outcome, "detail": detail}
    )
