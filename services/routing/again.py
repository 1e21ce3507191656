"""A desk's choice made again from its fact, from the item's order, and from the reference data while it is the same. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.routing.delay import DelayTerms, closings, slack_of, terms_by
from services.routing.desk.dealing import LONGEST_READY
from services.routing.desk.learning import ONE, PACE_MAX, PACE_MIN
from services.routing.eligibility import excluded, unqualified
from shared.contracts.reference import BusinessType
from shared.contracts.routing import HeadConsidered, WorkAssigned
from shared.contracts.work import WorkOrder
from shared.reference.board import ReferenceView

ROUNDED = 2e-6  # terms travel with six digits
SECONDS_ROUNDED = 0.051  # slack and age with one
SLOPE_EXACT = 1e-5  # of a slope: what the ends of a rounded slack may leave out


@dataclass(frozen=True, slots=True)
class Again:
    """A decision made again from its fact. Holds: `found` says in a sentence what came out, and what was taken as told."""

    same: bool
    found: str


@dataclass(frozen=True, slots=True)
class Known:
    """The reference data at hand. Holds: `as_of` is the latest stamp of its records, by the machines' clocks, as facts tell it."""

    view: ReferenceView
    as_of: datetime | None


def assign_again(fact: WorkAssigned, order: WorkOrder | None = None, known: Known | None = None) -> Again:
    """Weigh the items that the fact tells of again: the largest index among those that could be given.

    Holds:   each index is made again from slope and rate; the item's own age and, with its `order`, its slack; where
             `known` is the reference data that the fact's boards name, each slope from slack, age and delay terms too.
             Rates are taken as told, within what a pace can be; and so is who was ready longest.
    """
    could = [head for head in fact.considered if head.removed_by is None]
    mine = next((head for head in could if head.work_item_id == fact.work_item_id), None)
    if mine is None:
        return Again(False, "the fact does not tell the item's own terms")
    order = order if order is not None and order.work_item_id == fact.work_item_id else None
    same_data = known is not None and known.as_of is not None and _read(fact) == known.as_of
    faults = [*_faults(fact, mine), *(_faults_by_order(fact, mine, order) if order else ())]
    if known is not None and same_data:
        faults += _faults_by_reference(fact, order, known.view)
    if faults:
        return Again(False, faults[0])
    best = max(could, key=lambda head: (head.index, -head.slack_seconds, head.age_seconds))
    same = best.work_item_id == fact.work_item_id or best.index - mine.index <= ROUNDED * best.index
    weighed = f"{(mine if same else best).work_item_id}, of {len(could)} that could be given"
    if fact.why.startswith(LONGEST_READY):
        weighed = f"{weighed}; that {fact.operator_id} was ready longest as told"
    return Again(same, f"{weighed}; {_by(fact, known, same_data)}")


def _read(fact: WorkAssigned) -> datetime | None:
    return None if fact.boards is None else fact.boards.reference


def _by(fact: WorkAssigned, known: Known | None, same_data: bool) -> str:
    """What was made again, and what was taken as told and why."""
    then = _read(fact)
    if known is None:
        return "slopes and rates as told: no reference data at hand"
    if then is None:
        return "slopes and rates as told: the fact does not say by which reference data"
    if not same_data:
        now = "none" if known.as_of is None else f"of {known.as_of:%Y-%m-%d %H:%M:%S}"
        return (
            f"slopes and rates as told: the reference data has changed since {then:%Y-%m-%d %H:%M:%S}, at hand is {now}"
        )
    untold = sorted({head.work_type for head in fact.considered if _template(head, known.view) is None})
    but = f" but those of {', '.join(untold)}, which no template describes" if untold else ""
    return f"the slopes made again too{but}; rates as told"


# --------------------------------------------------------------- the fact alone


def _faults(fact: WorkAssigned, mine: HeadConsidered) -> Iterator[str]:
    """What does not follow, of the fact alone."""
    for head in fact.considered:
        if not _follows(head):
            yield f"the index of {head.work_item_id} does not follow from its terms"
    stays = [head for head in fact.considered if head.stays]
    if stays:
        yield from _staying_faults(stays, fact.considered)
    if mine.work_type != f"{fact.business_type}/{fact.step}":
        yield f"the item is of {fact.business_type}/{fact.step}, and was weighed as of {mine.work_type}"
    age = max((fact.at - fact.requested_at).total_seconds(), 0.0)
    if abs(age - mine.age_seconds) > SECONDS_ROUNDED:
        yield f"{mine.work_item_id} was {age:.1f} s old"


def _bare(head: HeadConsidered) -> float:
    return head.slope_per_minute * head.rate_per_hour / 60.0


def _allowed(head: HeadConsidered) -> float:
    return ROUNDED * max(1.0, head.slope_per_minute, head.rate_per_hour)


def _follows(head: HeadConsidered) -> bool:
    """The index is slope times rate; what stays on the same type has more, by how much is looked at beside the others."""
    more = head.index - _bare(head)
    return more >= -_allowed(head) if head.stays else abs(more) <= _allowed(head)


def _staying_faults(stays: Sequence[HeadConsidered], considered: Sequence[HeadConsidered]) -> Iterator[str]:
    """What was done last is of one type, and all of that type have the same bonus."""
    types = {head.work_type for head in stays}
    if len(types) > 1 or any(head.work_type in types and not head.stays for head in considered):
        yield "the bonus for staying is not that of one type"
    told = [head for head in stays if _bare(head) > 0.0]
    least = max(((head.index - _allowed(head)) / _bare(head) for head in told), default=1.0)
    most = min(((head.index + _allowed(head)) / _bare(head) for head in told), default=1.0)
    if least > most:
        yield "the bonus for staying is not the same for all that stay"


# ---------------------------------------------------------------- the item's order


def _faults_by_order(fact: WorkAssigned, mine: HeadConsidered, order: WorkOrder) -> Iterator[str]:
    """What contradicts the order that placement gave to the team."""
    if (order.work_type, order.requested_at) != (f"{fact.business_type}/{fact.step}", fact.requested_at):
        yield f"the order is of {order.work_type}, requested at {order.requested_at:%H:%M:%S}"
    slack = slack_of(order, fact.at)
    if abs(slack - mine.slack_seconds) > SECONDS_ROUNDED:
        yield f"by its order, {mine.work_item_id} had a slack of {slack:.1f} s"
    if fact.operator_id in order.excluded_operators or fact.team_id in order.excluded_teams:
        yield f"the order keeps {fact.operator_id} of {fact.team_id} from it"


# ------------------------------------------------------------- the reference data


def _faults_by_reference(fact: WorkAssigned, order: WorkOrder | None, view: ReferenceView) -> Iterator[str]:
    """What the reference data that the decision knew does not allow."""
    operator, team = view.operators.get(fact.operator_id), view.teams.get(fact.team_id)
    if operator is None or operator.team_id != fact.team_id:
        yield f"the reference data knows no operator {fact.operator_id} in {fact.team_id}"
        return
    if team is None or team.provider_id != fact.provider_id or fact.provider_id not in view.providers:
        yield f"the reference data knows no team {fact.team_id} of {fact.provider_id}"
    if order is not None and (unqualified(order, operator) or excluded(order, operator)):
        yield f"by the reference data, {fact.operator_id} may not do it"
    rates: dict[str, float] = {}
    for head in fact.considered:
        if head.work_type not in operator.work_types:
            yield f"{fact.operator_id} does not hold {head.work_type}"
        yield from _bonus_faults(head, view.limits.stay_bonus)
        template = _template(head, view)
        if template is not None:
            yield from _slope_faults(head, template, fact, order, view)
        standard = view.standard_seconds(head.work_type)
        if standard is not None:
            yield from _rate_faults(head, standard)
            if rates.setdefault(head.work_type, head.rate_per_hour) != head.rate_per_hour:
                yield f"two rates are told of {head.work_type}"


def _template(head: HeadConsidered, view: ReferenceView) -> BusinessType | None:
    return view.business_types.get(head.work_type.rpartition("/")[0])


def _slope_faults(
    head: HeadConsidered, template: BusinessType, fact: WorkAssigned, order: WorkOrder | None, view: ReferenceView
) -> Iterator[str]:
    slopes = [*_slopes(head, template, fact, order, view)]
    if not any(least <= head.slope_per_minute <= most for least, most in slopes):
        found = " or ".join(dict.fromkeys(f"{(least + most) / 2:.3f}" for least, most in slopes))
        yield f"by the reference data, the slope of {head.work_item_id} is {found} points per minute"


def _rate_faults(head: HeadConsidered, standard_seconds: float) -> Iterator[str]:
    """A rate beyond what a pace can be."""
    usual = 3600.0 / standard_seconds
    least, most = usual * ONE / PACE_MAX, usual * ONE / PACE_MIN
    if not least - _rounding(least, ROUNDED) <= head.rate_per_hour <= most + _rounding(most, ROUNDED):
        yield f"nobody can do {head.rate_per_hour:.1f} items of {head.work_type} an hour"


def _bonus_faults(head: HeadConsidered, bonus: float) -> Iterator[str]:
    if head.stays and abs(head.index - _bare(head) * (1.0 + bonus)) > _allowed(head) * (1.0 + bonus):
        yield f"the bonus for staying is {bonus:g}, and the index of {head.work_item_id} has another"


def _slopes(
    head: HeadConsidered, template: BusinessType, fact: WorkAssigned, order: WorkOrder | None, view: ReferenceView
) -> Iterator[tuple[float, float]]:
    """The least and the most that the slope can have been.

    Units:   points per minute.
    Holds:   the item's own, when its order is known, to the last digit told; of another item the fact does not tell
             whether it was urgent, or due at the closing of its rail, and tells slack and age rounded.
    """
    if order is not None and head.work_item_id == order.work_item_id:
        closes = order.due_at in closings(template, view.limits.time_zone, fact.at)
        age = max((fact.at - order.requested_at).total_seconds(), 0.0)
        slope = 60.0 * terms_by(template, order.urgent)[closes].slope(age, slack_of(order, fact.at))
        yield slope - _rounding(slope, ROUNDED), slope + _rounding(slope, ROUNDED)
        return
    for urgent in (False, True):
        for terms in dict.fromkeys(terms_by(template, urgent)[: 1 if template.cut_off is None else 2]):
            least, most = _between(terms, head)
            yield least - _rounding(least, SLOPE_EXACT), most + _rounding(most, SLOPE_EXACT)


def _rounding(figure: float, share: float) -> float:
    return ROUNDED + share * figure


def _between(terms: DelayTerms, head: HeadConsidered) -> tuple[float, float]:
    """Of all slacks and ages that are told so, the least and the largest slope: at the ends, at the steepest point or at due."""
    slack = head.slack_seconds
    steepest = 0.0 if terms.steepest_us is None else terms.steepest_us / 1e6
    turns = (slack - SECONDS_ROUNDED, slack + SECONDS_ROUNDED, steepest, 0.0)
    slacks = [one for one in turns if abs(one - slack) <= SECONDS_ROUNDED * 1.01]
    youngest, oldest = max(head.age_seconds - SECONDS_ROUNDED, 0.0), head.age_seconds + SECONDS_ROUNDED
    return (
        60.0 * min(terms.slope(youngest, one) for one in slacks),
        60.0 * max(terms.slope(oldest, one) for one in slacks),
    )
