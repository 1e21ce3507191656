"""The drill calendar as people read it: what comes when, what came of it, and what no drill proves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime

from pydantic import BaseModel, ConfigDict

from services.routing.emergency.report import phase_now, scope_words
from shared.contracts.reference import DrillEntry
from shared.contracts.reroute import DrillOutcome, RerouteOrder, RerouteScope
from shared.reference.board import ReferenceView
from shared.reference.drills import next_start, scope_of, unsigned_because
from shared.reroutes import Point, Proof, RerouteView, held_percent, points_of, unproved_because


class DrillView(BaseModel):
    """One drill: which reroute it was, and what came of it.

    Holds:   no outcome while it is not over; `phase` goes by its own instants where the book has not noted yet that it comes
             back, or is over.
    """

    model_config = ConfigDict(frozen=True)

    reroute_id: str
    phase: str
    starts_at: datetime | None
    over_at: datetime | None
    outcome: DrillOutcome | None


class EntryView(BaseModel):
    """One entry of the calendar.

    Holds:   `next_at` is when it begins next, none when every day ahead is blocked; `unsigned_because` says why its
             drills wait for an approval like any other reroute; `under_way` is announced or in force now.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    label: str
    scope: RerouteScope
    scope_words: str
    minutes: int
    every_weeks: int
    weekdays: tuple[str, ...]
    begins: str
    owner: str
    signed_by: str
    signed_on: date
    unsigned_because: str | None
    next_at: datetime | None
    under_way: DrillView | None
    last: DrillView | None


class PointView(BaseModel):
    """A centre or a vendor, and whether a recent drill proves that the floor can do without it.

    Holds:   `unproved_because` is none exactly when `proved`; `last` is the last drill that is over, whoever asked.
    """

    model_config = ConfigDict(frozen=True)

    noun: str
    id: str
    label: str
    proved: bool
    unproved_because: str | None
    passed_at: datetime | None
    entries: tuple[str, ...]
    last: DrillView | None


class DrillsView(BaseModel):
    """The drill calendar. Units: `begins` is local time of `time_zone`, `proof_days` how long a passed drill counts."""

    model_config = ConfigDict(frozen=True)

    at: datetime
    time_zone: str
    proof_days: float
    entries: tuple[EntryView, ...]
    points: tuple[PointView, ...]


def to_prove(reference: ReferenceView) -> Iterator[Point]:
    """What the floor must be able to do without: each centre and each vendor, by id."""
    yield from (("centre", name) for name in sorted(reference.centres))
    yield from (("provider", name) for name in sorted(reference.providers) if reference.providers[name].outside)


def drills_view(
    reference: ReferenceView, reroutes: RerouteView, orders: Sequence[RerouteOrder], now: datetime
) -> DrillsView:
    """The calendar at one instant; `orders` are the reroutes at hand, in the order of proposal."""
    entries = [reference.drills[name] for name in sorted(reference.drills)]
    return DrillsView(
        at=now,
        time_zone=reference.limits.time_zone,
        proof_days=reference.limits.drill_proof_days,
        entries=tuple(_entry(entry, reference, orders, now) for entry in entries),
        points=tuple(_point(point, reference, reroutes.proofs.get(point), now) for point in to_prove(reference)),
    )


def _entry(entry: DrillEntry, reference: ReferenceView, orders: Sequence[RerouteOrder], now: datetime) -> EntryView:
    mine = [order for order in orders if order.drill_entry == entry.id]
    return EntryView(
        **entry.model_dump(include=set(EntryView.model_fields)),
        scope=scope_of(entry),
        scope_words=scope_words(scope_of(entry)),
        unsigned_because=unsigned_because(entry, reference),
        next_at=next_start(entry, now, reference),
        under_way=next((_drill(order, now) for order in mine if order.over_at is None), None),
        last=next((_drill(order, now) for order in reversed(mine) if order.over_at is not None), None),
    )


def _point(point: Point, reference: ReferenceView, proof: Proof | None, now: datetime) -> PointView:
    noun, name = point
    why = unproved_because(proof, reference.limits.drill_proof_days, now)
    labels = reference.centres if noun == "centre" else reference.providers
    return PointView(
        noun=noun,
        id=name,
        label=labels[name].label,
        proved=why is None,
        unproved_because=why,
        passed_at=None if proof is None else proof.passed_at,
        entries=tuple(sorted(e.id for e in reference.drills.values() if point in points_of(scope_of(e)))),
        last=None if proof is None else _drill(proof.last, now),
    )


def _drill(order: RerouteOrder, now: datetime) -> DrillView:
    return DrillView(
        reroute_id=order.reroute_id,
        phase=phase_now(order, held_percent(order, now)),
        starts_at=order.started_at or order.terms.starts_at,
        over_at=order.over_at,
        outcome=order.drill_outcome,
    )
