"""What time does to a reroute: it expires, starts, comes back step by step, is over."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from math import ceil
from typing import Any, Final

from services.routing.emergency.bounds import in_utc
from services.routing.emergency.capacity import capacity_fault
from services.routing.emergency.drills import floor_tallies
from services.routing.emergency.floor import FloorNow
from services.routing.emergency.health import nobody_expected, staffed_teams, tallies_of, unwell
from services.routing.emergency.preview import drift_between, preview_of
from services.routing.emergency.safety import broken_by_staying, fixed, overlaps, rivals, same_hold, unnamed
from services.routing.emergency.state import OVER, OrderBook, Phase, phase_of, step_ends_at
from shared.contracts.reroute import (
    BREAK_GLASS_MINUTES_MAX,
    DRILL_MINUTES_MAX,
    HOURS_MAX,
    BrokenRule,
    Preview,
    RerouteDrifted,
    RerouteFact,
    RerouteFellBack,
    RerouteOrder,
    RerouteOver,
    RerouteReturning,
    RerouteStarted,
    RerouteTerms,
)
from shared.reference.board import ReferenceView
from shared.reroutes import IN_FORCE, over_at, ramp_of
from shared.runtime.errors import InvariantError
from shared.runtime.processor import Rejection, Situation

TO_KEEP: Final = "a reroute in force to keep for longer"

Course = Callable[[OrderBook, RerouteOrder, Situation], Sequence[RerouteFact]]


def floor_of(book: OrderBook, situation: Situation, terms: RerouteTerms | None = None) -> FloorNow:
    """The floor now, with the book's own orders, which it knows before any board does: those of the hour at which the terms
    begin."""
    begins = None if terms is None else terms.starts_at
    return FloorNow.of(situation.boards, book.orders.values(), situation.now, begins)


def past(book: OrderBook) -> list[RerouteOrder]:
    """The reroutes that are over, the last first."""
    over = (order for order in book.orders.values() if phase_of(order) in OVER)
    return sorted(over, key=lambda o: (o.over_at or o.proposed_at, o.reroute_id), reverse=True)


def in_earnest(book: OrderBook) -> str | None:
    """Why this is no time for a drill: something is in force already; `None` when nothing is."""
    for order in book.open_orders():
        if order.phase in IN_FORCE:
            return f"Expected no reroute in force while a drill begins, found {order.reroute_id}."
    return None


def twin_fault(book: OrderBook, terms: RerouteTerms, now: datetime) -> str | None:
    """Why these terms must not come into force: the same is held by another order when they begin; `None` when it is not.

    Holds:   an order may be kept for longer than it was to last: what begins after it is looked at again when it begins. A
             broken glass holds nobody up who agrees on the same by two: theirs goes on when its half hour is over.
    """
    begins = max(terms.starts_at or now, now)
    for other in book.open_orders():
        over = over_at(other)
        meets = other.phase in IN_FORCE and same_hold(other.terms, terms) and (over is None or begins < over)
        if meets and not other.break_glass:
            return f"Expected no equal reroute, found {other.reroute_id} in force; extend that one."
    return None


def stay_breach(
    book: OrderBook, order: RerouteOrder, until: datetime, named: Collection[str], situation: Situation
) -> Rejection | None:
    """Why the order must not stay until then, or be taken again as it comes back, beside the others in force; `None` when it
    may.

    Holds:   the rules that are `named` do not bar, but for those that nobody overrides; of a drill every rule bars.
    """
    if order.terms.drill:
        fault = drill_stay_fault(order, until, floor_of(book, situation).without(order.reroute_id))
        return None if fault is None else Rejection("drill_breaks_rule", fault)
    broken = broken_now(book, order, situation)
    return fixed(broken) or unnamed(broken, named)


def drill_stay_fault(order: RerouteOrder, until: datetime, others: FloorNow) -> str | None:
    """Why a drill must not stay until then, in a sentence; `None` when it may. `others` is the floor without it."""
    rest = order.terms.model_copy(update={"minutes": ceil((until - others.now) / timedelta(minutes=1))})
    return capacity_fault(preview_of(rest, others), rest, others)


def longer(order: RerouteOrder, minutes: int, now: datetime) -> datetime | Rejection:
    """Until when an order in force would hold, kept so many minutes longer; or why nobody may keep it so.

    Holds:   counted from its end, or from now when it has begun to return; what is over by its own instants stays over.
    """
    if order.ends_at is None or order.last_end_at is None:
        raise InvariantError(f"Expected {order.reroute_id} in force to have an end, found none")
    over = over_at(order)
    if over is not None and over <= now:
        detail = f"Expected {TO_KEEP}, found {order.reroute_id} over since {in_utc(over)}; propose it anew."
        return Rejection("wrong_phase", detail)
    ends_at = max(order.ends_at, now) + timedelta(minutes=minutes)
    if ends_at > order.last_end_at:
        return Rejection(
            "too_long",
            f"Expected an end by {in_utc(order.last_end_at)}, found {in_utc(ends_at)}; {_instead_of_more(order)}.",
        )
    if order.terms.drill and ends_at > _began(order) + timedelta(minutes=DRILL_MINUTES_MAX):
        return Rejection(
            "drill_minutes",
            f"Expected a drill of at most {DRILL_MINUTES_MAX} minutes, found an end at {in_utc(ends_at)}; extend it by less, "
            "or propose in earnest what is to stay.",
        )
    return ends_at


def _instead_of_more(order: RerouteOrder) -> str:
    """Why it is not kept for so long, and what to do."""
    if order.break_glass:
        return f"one person alone holds for at most {BREAK_GLASS_MINUTES_MAX} minutes: propose it with a second one"
    return f"nothing holds for more than {HOURS_MAX} hours, its return counted in: extend it by less, or propose it anew for after it"


def asks_the_rules(order: RerouteOrder, until: datetime) -> bool:
    """Whether the rules have a word on keeping it until then: for longer than was agreed, or anew as it comes back."""
    return until > agreed_end(order) or order.phase == "returning"


def agreed_end(order: RerouteOrder) -> datetime:
    """Until when who approved it agreed that it is in force."""
    return _began(order) + timedelta(minutes=order.terms.minutes)


def _began(order: RerouteOrder) -> datetime:
    if order.started_at is None:
        raise InvariantError(f"Expected {order.reroute_id} in force to have started, found that it did not")
    return order.started_at


def broken_now(book: OrderBook, order: RerouteOrder, situation: Situation) -> list[BrokenRule]:
    """The rules that the order breaks at this moment by being in force, beside the others."""
    return broken_by_staying(order.terms, floor_of(book, situation).without(order.reroute_id))


def begin(order: RerouteOrder, floor: FloorNow) -> RerouteStarted:
    """The order comes in force now, for its minutes.

    Holds:   the steps of the return count into the longest time: after 72 hours, of a broken glass after 30 minutes, all is
             back.
    """
    now = floor.now
    longest = timedelta(minutes=BREAK_GLASS_MINUTES_MAX) if order.break_glass else timedelta(hours=HOURS_MAX)
    last_end_at = max(now, now + longest - ramp_of(order))
    ends_at = min(now + timedelta(minutes=order.terms.minutes), last_end_at)
    begun = order.model_copy(update={"started_at": now, "phase": "active", "ends_at": ends_at})
    return RerouteStarted(
        reroute_id=order.reroute_id,
        at=now,
        ends_at=ends_at,
        last_end_at=last_end_at,
        review_opened=order.break_glass,
        drill_tallies=floor_tallies(floor) if order.terms.drill else (),
        staffed_teams=staffed_teams(order.terms, floor),
        overlaps=overlaps(begun, floor.in_force, floor.teams(), now),
    )


def asked_again(order: RerouteOrder, drift: str, preview: Preview, situation: Situation) -> RerouteDrifted:
    """The floor is not as approved: show what it is now, and wait for an approval of that."""
    view: ReferenceView = situation.boards["reference"]
    return RerouteDrifted(
        reroute_id=order.reroute_id,
        at=situation.now,
        detail=drift,
        preview=preview,
        approve_by=situation.now + timedelta(seconds=view.limits.reroute_approval_seconds),
    )


def coming_back(order: RerouteOrder, by: str | None, reason: str, floor: FloorNow) -> RerouteReturning:
    """The first step of the return begins now, or began when its end came, should that have been seen too late."""
    tallies = tallies_of(order.terms, floor)
    return RerouteReturning(
        reroute_id=order.reroute_id,
        at=floor.now,
        by=by,
        reason=reason,
        ends_at=min(floor.now, order.ends_at or floor.now),
        steps_done=1,
        held_percent=order.return_held[0] if order.return_held else 0,
        tallies=tallies,
        return_tallies=tallies,
    )


# ------------------------------------------------------------------ by the hour


def approval_late(book: OrderBook, order: RerouteOrder, situation: Situation) -> Sequence[RerouteFact]:
    """Nobody approved it in time."""
    return (_over(order, "expired", "Nobody approved it in time.", situation),)


def start(book: OrderBook, order: RerouteOrder, situation: Situation) -> Sequence[RerouteFact]:
    """Its hour has come: it starts if the floor is as approved, asks again if not, and is given up when too late.

    Holds:   a drill that the rest could not carry now is given up. Who signed the calendar saw no preview, so that for
             them the floor cannot have moved away from one: the check of capacity is what they agreed to.
    """
    if order.execute_by is None:
        raise InvariantError(f"Expected the approved {order.reroute_id} to have an hour to start by, found none")
    if situation.now >= order.execute_by:
        return (_over(order, "expired", "It could not start in time after its approval.", situation),)
    fault = twin_fault(book, order.terms, situation.now)
    if fault is not None:
        return (_over(order, "refused", fault, situation),)
    floor = floor_of(book, situation, order.terms)
    now_preview = preview_of(order.terms, floor, past(book))
    view: ReferenceView = situation.boards["reference"]
    if order.terms.drill:
        fault = in_earnest(book)
        if fault is not None:
            return (_over(order, "expired", fault, situation),)
        fault = capacity_fault(now_preview, order.terms, floor, must_know=order.approved_beforehand)
        if fault is not None:
            return (_over(order, "refused", fault, situation),)
    drift = drift_between(order.preview, now_preview, view.limits.reroute_drift_max)
    if drift is not None and not order.approved_beforehand:
        return (asked_again(order, drift, now_preview, situation),)
    return (begin(order, floor),)


def come_back(book: OrderBook, order: RerouteOrder, situation: Situation) -> Sequence[RerouteFact]:
    """Its end has come: the first step of the return. The instants are the order's own, however late this is seen."""
    return (coming_back(order, None, "its end has come", floor_of(book, situation)),)


def step_back(book: OrderBook, order: RerouteOrder, situation: Situation) -> Sequence[RerouteFact]:
    """A step of the return is done: the next if the scope is well, in force again if not, over after the last.

    Holds:   a look that comes late judges nobody: data planes went on by the clock, and what was silent meanwhile may
             have been the floor and not the scope. An order that is over by its own instants is judged, so that it is on
             record, and never taken up again: its work is back, as was promised. Nor is one past a rule that nobody
             overrode: others may hold the rest by now, so its return goes on.
    """
    floor = floor_of(book, situation)
    view: ReferenceView = situation.boards["reference"]
    late = _looked_late(order, situation.now)
    fault = None if late else unwell(order, floor)
    if fault is not None and _is_over(order, situation.now):
        fault = f"{fault} It is over and not taken again: all work is back; propose it anew if it is still needed."
    elif fault is not None and order.last_end_at is not None and situation.now < order.last_end_at:
        again = situation.now + timedelta(seconds=view.limits.reroute_fall_back_seconds)
        ends_at = min(again, order.last_end_at)
        barred = stay_breach(book, order, ends_at, order.overridden_rules, situation)
        if barred is None:
            return (RerouteFellBack(reroute_id=order.reroute_id, at=situation.now, detail=fault, ends_at=ends_at),)
        fault = f"{fault} It is not taken again: {barred.detail}"
    held = f"{_held_by_others(order, floor)}{'' if late else nobody_expected(order, floor)}"
    if order.return_steps_done >= len(order.return_held):
        well = f"All work is back{held}. Nobody could look in time." if late else f"All work is back{held}."
        over = _over(order, "ended", fault or well, situation)
        return (over.model_copy(update={"not_well": fault is not None}),)
    well = "nobody could look in time; it goes by the clock" if late else f"the scope is well{held}"
    return (
        RerouteReturning(
            reroute_id=order.reroute_id,
            at=situation.now,
            reason=fault or well,
            ends_at=order.ends_at or situation.now,
            steps_done=order.return_steps_done + 1,
            held_percent=order.return_held[order.return_steps_done],
            tallies=tallies_of(order.terms, floor),
            return_tallies=order.return_tallies,
            not_well=fault is not None,
        ),
    )


def _held_by_others(order: RerouteOrder, floor: FloorNow) -> str:
    """What does not come back for it, since another order holds it, in words to be added; none: nothing."""
    others = rivals(order, floor.in_force, floor.teams())
    names = ", ".join(sorted(other.reroute_id for other in others))
    return f", but for what {names} {'holds' if len(others) == 1 else 'hold'} of it" if others else ""


def _is_over(order: RerouteOrder, now: datetime) -> bool:
    """Data planes have let go of all of it."""
    over = over_at(order)
    return over is not None and over <= now


def _looked_late(order: RerouteOrder, now: datetime) -> bool:
    """The step has been done for half as long as a step lasts."""
    done_at = step_ends_at(order)
    return done_at is not None and (now - done_at).total_seconds() > order.return_step_seconds / 2


COURSE: Final[Mapping[Phase, Course]] = {
    Phase.PROPOSED: approval_late,
    Phase.APPROVED: start,
    Phase.ACTIVE: come_back,
    Phase.RETURNING: step_back,
}
"""What time does in each phase that is not the end."""


def _over(order: RerouteOrder, outcome: Any, detail: str, situation: Situation) -> RerouteOver:
    return RerouteOver(reroute_id=order.reroute_id, at=situation.now, outcome=outcome, detail=detail)
