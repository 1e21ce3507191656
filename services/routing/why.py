"""Routing's decisions about one item in sentences, and made again from what their facts tell. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.routing.again import ROUNDED, Again, Known, assign_again
from services.routing.eligibility import most_telling
from services.routing.placement.choice import NEVER, detail_of, finish_within, pick, seed_of, wait_for
from shared.contracts.message import Message
from shared.contracts.routing import (
    AssignmentDeclined,
    AssignmentExpired,
    AssignmentRevoked,
    Candidate,
    HeadConsidered,
    WorkAssigned,
    WorkClosed,
    WorkHeldBack,
    WorkPlaced,
    WorkRecalled,
    WorkReleased,
    WorkUnplaceable,
)
from shared.contracts.work import WorkOrder


@dataclass(frozen=True, slots=True)
class Told:
    """One thing that happened to the item. Holds: `again` only for what the code decided, not for what a person picked."""

    at: datetime | None
    what: str
    because: tuple[str, ...] = ()
    again: Again | None = None


def about(fact: Message, work_item_id: str) -> bool:
    """The fact is about the item."""
    if isinstance(fact, WorkPlaced):
        return fact.order.work_item_id == work_item_id
    return getattr(fact, "work_item_id", None) == work_item_id


def tell(facts: Sequence[Message], known: Known | None = None) -> Iterator[Told]:
    """What happened, in the order of the facts; what is of no interest here is passed over.

    Holds:   a desk's choice is weighed again with the order of the last placing at its team, where the facts begin so early.
    """
    orders: dict[str, WorkOrder] = {}  # by team
    for fact in facts:
        if isinstance(fact, WorkPlaced):
            orders[fact.team_id] = fact.order
        told = _assigned(fact, orders.get(fact.team_id), known) if isinstance(fact, WorkAssigned) else _told(fact)
        if told is not None:
            yield told


def _told(fact: Message) -> Told | None:
    match fact:
        case WorkPlaced():
            return _placed(fact)
        case WorkHeldBack():
            return _held_back(fact)
        case WorkUnplaceable():
            details = (*_removed(fact.considered), *_by_boards(fact))
            told = f"Nobody anywhere may do it now ({fact.reason}): {fact.detail}"
            return Told(fact.at, told, details, refuse_again(fact))
        case WorkReleased():
            moved = f" by reroute {fact.reroute_id}" if fact.reroute_id else ""
            roles = f"; with another role on the case: {', '.join(fact.barred)}" if fact.barred else ""
            return Told(fact.at, f"{fact.team_id} gave it back{moved} ({fact.reason}){roles}")
        case WorkRecalled():
            return Told(None, f"Placement took it back from {fact.team_id}: {fact.reason}")
        case AssignmentDeclined():
            return Told(fact.at, f"{fact.operator_id} declined it: {fact.reason}")
        case AssignmentExpired():
            return Told(fact.at, f"The lease of {fact.operator_id} ran out; the attempt counts no more")
        case AssignmentRevoked():
            return Told(fact.at, f"{fact.team_id} took it back from {fact.operator_id} ({fact.reason})")
        case WorkClosed():
            return Told(fact.at, f"Closed: {fact.outcome}")
    return None


# ------------------------------------------------------------------- placement


def _placed(fact: WorkPlaced) -> Told:
    return Told(
        fact.placed_at,
        f"Placement gave it to {fact.team_id} (placing {fact.placing})",
        (*_drawing(fact), *_open(fact), *_removed(fact.considered), *_lateness(fact), *_by_boards(fact)),
        place_again(fact),
    )


def _by_boards(fact: WorkPlaced | WorkUnplaceable | WorkAssigned) -> Iterator[str]:
    """How far what the bank allows had been read then: which rules, standings and reroutes the decision knew."""
    if fact.boards is not None:
        told = ((name, at) for name, at in fact.boards if at is not None)
        read = ", ".join(f"{name} {at:%Y-%m-%d %H:%M:%S}" for name, at in told)
        yield f"by the boards as of: {f'{read} (UTC, by the clocks of the machines)' if read else 'nothing told'}"


def _drawing(fact: WorkPlaced) -> Iterator[str]:
    drawn = [_share(candidate) for candidate in fact.considered if candidate.drawn]
    by = (
        "evenly, as no plan had shares for a team that was open"
        if fact.plan_made_at is None
        else f"by the plan of {fact.plan_made_at:%H:%M:%S}"
    )
    yield f"drawn {by}, from seed {fact.draw_seed}: {' and '.join(drawn)}"
    if fact.plan_made_at is not None and fact.plan_made_at > fact.placed_at:
        ahead = (fact.plan_made_at - fact.placed_at).total_seconds()
        yield f"the balancer's clock was {ahead:.0f} s or more ahead, or its plan came after the batch had looked at its own"
    if fact.avoided is not None:
        yield f"{fact.avoided} had given it back and was to be drawn only if there was no other"


def _share(candidate: Candidate) -> str:
    return candidate.team_id if candidate.share is None else f"{candidate.team_id} ({candidate.share:.0%} of the plan)"


def _open(fact: WorkPlaced) -> Iterator[str]:
    for candidate in fact.considered:
        if candidate.removed_by is None and candidate.expected_wait_seconds is not None:
            sent = f", {candidate.sent_since_seconds:.0f} s sent since" if candidate.sent_since_seconds else ""
            chosen = "chosen: " if candidate.team_id == fact.team_id else "" if candidate.drawn else _undrawn(candidate)
            load = "no load told" if candidate.load_version is None else f"load {candidate.load_version}"
            yield (
                f"{chosen}{candidate.team_id} would begin in {candidate.expected_wait_seconds:.0f} s{_takes(candidate)}: "
                f"{candidate.backlog_seconds:.0f} s of work waiting{sent}, {_there(candidate)} ({load})"
            )


def _undrawn(candidate: Candidate) -> str:
    if candidate.kept_out_by is None:
        return "not drawn: "
    return f"not drawn, as the item is not of its part of the work by the limit of {candidate.kept_out_by}: "


def _takes(candidate: Candidate) -> str:
    return "" if candidate.item_seconds is None else f" and take {candidate.item_seconds:.0f} s"


def _there(candidate: Candidate) -> str:
    if candidate.own_seconds is None:
        return f"{candidate.eligible_present} present who may do it"
    own = f"{candidate.own_seconds:.0f} s of all that is of its own type"
    return f"{own}; {candidate.in_hand} in hand, {candidate.present} present, {candidate.eligible_present} of them may do it"


def _removed(considered: Sequence[Candidate]) -> Iterator[str]:
    for candidate in considered:
        if candidate.removed_by is not None:
            order = f" by reroute {candidate.reroute_id}" if candidate.reroute_id else ""
            yield f"removed: {candidate.team_id} ({candidate.removed_by}{order})"


def _lateness(fact: WorkPlaced) -> Iterator[str]:
    if fact.late_seconds > 0:
        yield f"a predicted miss: late by {fact.late_seconds:.0f} s even there, as it looked"


def place_again(fact: WorkPlaced) -> Again:
    """Run placement's choice again over the candidates that the fact tells of."""
    expected = seed_of(fact.order.work_item_id, fact.placing)
    if fact.draw_seed != expected:
        return Again(False, f"the seed of the draw should be {expected}")
    waits = [
        (candidate, _wait_again(candidate, fact.order.standard_seconds))
        for candidate in fact.considered
        if candidate.removed_by is None
    ]
    if all(candidate.kept_out_by is not None for candidate, _ in waits):
        return Again(False, "the fact tells of no team that could be chosen")
    for candidate, _ in waits:
        if candidate.team_id in fact.order.excluded_teams:
            return Again(False, f"the order keeps {candidate.team_id} from it")
    for candidate, wait in waits:
        if wait not in (None, candidate.expected_wait_seconds):
            return Again(False, f"by what the fact tells of it, {candidate.team_id} would begin in {wait:.1f} s")
    untouched = [_untouched(candidate, fact.order.standard_seconds) for candidate in fact.considered]
    picked = pick(untouched, fact.draw_seed, fact.avoided, finish_within(fact.order, fact.placed_at))
    drawn = {candidate.team_id for candidate in fact.considered if candidate.drawn}
    again = {candidate.team_id for candidate in picked.candidates if candidate.drawn}
    same = (picked.team_id, picked.late_seconds, again) == (fact.team_id, fact.late_seconds, drawn)
    by = (
        "waits as the fact tells them, without their parts"
        if any(wait is None for _, wait in waits)
        else "the waits made again too"
    )
    return Again(same, f"{picked.team_id}, of {' and '.join(sorted(again))}; {by}")


def refuse_again(fact: WorkUnplaceable) -> Again:
    """Find again what tells most of why nobody may do it, from what removed each team."""
    removed = [candidate.removed_by for candidate in fact.considered if candidate.removed_by is not None]
    if len(removed) < len(fact.considered):
        return Again(False, "the fact tells of a team that could be chosen")
    reason = most_telling(removed)
    same = (reason, detail_of(reason, fact.order, fact.barred)) == (fact.reason, fact.detail)
    return Again(same, f"{reason} tells most, of {len(removed)} teams that the fact tells of")


def _untouched(candidate: Candidate, standard_seconds: float) -> Candidate:
    """As it was before the draw; in a fact of before they told it, every team was taken to work at the standard pace."""
    item_seconds = standard_seconds if candidate.item_seconds is None else candidate.item_seconds
    return candidate.model_copy(update={"drawn": False, "item_seconds": item_seconds})


def _wait_again(candidate: Candidate, standard_seconds: float) -> float | None:
    """The expected wait, of what the fact tells; `None` in a fact of before the parts of the wait were told."""
    own, in_hand, present = candidate.own_seconds, candidate.in_hand, candidate.present
    if own is None or in_hand is None or present is None:
        return None
    if not 0 < candidate.eligible_present <= present:
        return NEVER
    queued = candidate.backlog_seconds + candidate.sent_since_seconds
    return wait_for(queued, own, in_hand, standard_seconds, present, candidate.eligible_present)


# ------------------------------------------------------------------------ desk


def _assigned(fact: WorkAssigned, order: WorkOrder | None, known: Known | None) -> Told:
    best = [_term(head) for head in fact.considered]
    return Told(
        fact.at,
        f"{fact.team_id} gave it to {fact.operator_id} (attempt {fact.attempt}): {fact.why}",
        (*best, *_by_boards(fact)),
        assign_again(fact, order, known) if fact.picked is None else None,
    )


def _term(head: HeadConsidered) -> str:
    barred = f"passed over ({head.removed_by}): " if head.removed_by else ""
    stays = ", more for staying on the same type" if head.stays else ""
    return (
        f"{barred}{head.work_item_id} of {head.work_type}: index {head.index:.3f} = {head.slope_per_minute:.3f} points "
        f"per minute of delay × {head.rate_per_hour:.1f} items an hour{stays}; "
        f"slack {head.slack_seconds:.0f} s, age {head.age_seconds:.0f} s"
    )


def _held_back(fact: WorkHeldBack) -> Told:
    return Told(
        fact.at,
        f"{fact.team_id} kept {fact.operator_id} free instead of giving it to them: the {fact.awaited_step} of urgent case "
        f"{fact.awaited_case_id} should come in {fact.awaited_seconds:.0f} s",
        (
            f"somebody else would be free for that only {fact.spared_seconds:.0f} s later, at "
            f"{fact.awaited_slope_per_minute:.3f} points per minute of delay",
            f"this waits meanwhile, at {fact.slope_per_minute:.3f} points per minute × {fact.crowd:.1f} waiting for each "
            "person there",
        ),
        hold_again(fact),
    )


def hold_again(fact: WorkHeldBack) -> Again:
    """Weigh what is spared against what is delayed again."""
    spared = fact.spared_seconds * fact.awaited_slope_per_minute
    delayed = fact.awaited_seconds * fact.slope_per_minute * fact.crowd
    same = spared > 0 and spared > delayed * (1.0 - ROUNDED)
    return Again(same, f"{spared / 60:.3f} points spared against {delayed / 60:.3f}")
