"""The plan for the floor as the boards show it. Pure: boards, arrivals and the instant in, one plan out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from services.routing.balancer.arrivals import AHEAD, QUARTER, Arrivals, Calendar
from services.routing.balancer.programme import Footing, solve
from services.routing.balancer.terms import Bounds, Demand, Hurt, Shares, Skill, TeamNow
from services.routing.boards import LoadView, PlanView
from services.routing.delay import closings
from services.routing.eligibility import Rulebook
from services.routing.kinds import Kind
from services.routing.limits import share_limits
from shared.contracts.reference import BusinessType, Team
from shared.contracts.routing import (
    BoundRelaxed,
    HeardTo,
    LimitPlanned,
    LoadSnapshot,
    PlanMade,
    PlannedWork,
    Relief,
    TeamPlanned,
    TeamShare,
)
from shared.reference.board import ReferenceView
from shared.reroutes import RerouteView, covers_team, covers_work_type, share_now

UNEXPECTED: Final = 0.25  # who is at the desk although the calendar expects nobody counts for a quarter of an hour
PEOPLE_MIN: Final = 0.05  # a team with fewer in the mean of the hour is closed
BARRED_SHARE: Final = 0.5  # a reroute that holds more of a kind than this away keeps the plan from counting on the team
SLACK_STIRS: Final = 0.2  # of what the last plan reckoned with: a slack that differs by less is taken for the same
SLACK_STIRS_MIN: Final = 1.0  # minute
GOOD_PLANS: Final = 60  # a plan is good for so many intervals at least, however fast the floor's clock runs
DIGITS: Final = 4
RESUMED_DIGITS: Final = 6  # of what another balancer goes on from: so many that what it expects is the same


@dataclass(frozen=True, slots=True)
class FloorNow:
    """What the planner sees."""

    book: Rulebook
    loads: LoadView
    reroutes: RerouteView
    now: datetime

    @classmethod
    def of(cls, boards: Mapping[str, Any], now: datetime) -> FloorNow:
        """The floor as the boards show it at an instant."""
        return cls(Rulebook.of(boards), boards["load"], boards["reroutes"], now)


def make_plan(
    floor: FloorNow,
    arrivals: Arrivals,
    last: PlanView,
    made_by: str,
    interval_seconds: float,
    reliefs_told: bool = True,
    heard: Sequence[HeardTo] = (),
    footing: Footing | None = None,
    known_at: datetime | None = None,
) -> PlanMade:
    """The plan for the coming hour; without its reliefs where nobody reads them.

    Units:   `interval_seconds` is how soon the next plan follows, by the floor's clock. `heard` is where the arrivals end, and
             `known_at` is the instant up to which arrivals were heard, `None`: `floor.now`. What is expected follows from it;
             what is told of the last minutes is of `floor.now`, as whoever goes on from this plan hears the rest itself.
    Holds:   the same boards, arrivals and instant give the same plan; a last plan that is in force no more is no memory;
             `footing` makes plans sooner, and no other.
    """
    reference, last = floor.book.reference, last.in_force(floor.now)
    calendar, known = calendar_of(reference), floor.now if known_at is None else known_at
    kinds = arrivals.kinds()
    before = {Kind.told(part): part for part in last.plan.work} if last.plan else {}
    was = {kind: part.coming_per_hour for kind, part in before.items()}
    coming = {kind: arrivals.settled(kind, known, calendar, was.get(kind, 0.0)) for kind in kinds}
    recent = {kind: arrivals.slack(kind, known) for kind in kinds}
    slack = {kind: _slack(recent[kind], kind, before.get(kind), reference, floor.now) for kind in kinds}
    demands = [Demand(kind, items, _cost(kind, reference), slack[kind] or 0.0) for kind, items in coming.items()]
    teams = list(teams_now(floor, kinds))
    shares = solve(demands, teams, bounds_of(reference), last.shares, reliefs_told, footing)
    good = timedelta(seconds=max(reference.limits.plan_good_seconds, GOOD_PLANS * interval_seconds))
    return PlanMade(
        made_at=floor.now,
        made_by=made_by,
        good_until=floor.now + good,
        work=tuple(
            PlannedWork(
                **kind._asdict(),
                recent_per_hour=round(arrivals.recent_per_hour(kind, floor.now), RESUMED_DIGITS),
                coming_per_hour=round(coming[kind], 2),
                recent_slack_minutes=_rounded(recent[kind], RESUMED_DIGITS),
                slack_minutes=slack[kind],
                shares=tuple(TeamShare(team_id=team, share=share) for team, share in _sorted(shares, kind)),
            )
            for kind in kinds
        ),
        teams=tuple(
            TeamPlanned(
                team_id=team.team_id,
                people=round(team.people, 2),
                saturation=round(shares.by_team[team.team_id], DIGITS),
            )
            for team in teams
        ),
        saturation=round(shares.saturation, DIGITS),
        lateness_minutes=round(shares.late_minutes, 1),
        relaxed=tuple(
            BoundRelaxed(reason=one.reason, name=one.name, by=round(one.by, DIGITS)) for one in shares.relaxed
        ),
        reliefs=tuple(_told(hurt, reference) for hurt in shares.hurts),
        counted_since=arrivals.counted_since,
        heard=tuple(heard),
        limits=tuple(_limits(reference, coming, shares)),
    )


def _limits(reference: ReferenceView, coming: Mapping[Kind, float], shares: Shares) -> Iterator[LimitPlanned]:
    """What the plan gives to whom a limit is set, of all the work that it shares out."""
    total = sum(items for kind, items in coming.items() if kind in shares.by_kind)
    limits = share_limits(reference) if total else ()
    for limit in limits:
        teams = {team.id for team in reference.teams.values() if limit.counts(team)}
        theirs = sum(
            coming[kind] * share
            for kind, of_kind in shares.by_kind.items()
            for team, share in of_kind.items()
            if team in teams
        )
        yield LimitPlanned(limit=limit.kind, name=limit.name, bound=limit.bound, planned=round(theirs / total, DIGITS))


def calendar_of(reference: ReferenceView) -> Calendar:
    """The bank's days by its reference data."""
    kept: Calendar | None = reference.derived.get(__name__)
    if kept is None:
        kept = Calendar.of(reference.limits, tuple(reference.shifts.values()))
        reference.derived[__name__] = kept
    return kept


def bounds_of(reference: ReferenceView) -> Bounds:
    """What contracts promise and the bank allows."""
    limits = share_limits(reference)
    minimum, maximum, centre = (
        {limit.name: limit.bound for limit in limits if limit.kind == kind}
        for kind in ("provider_minimum", "provider_maximum", "centre_maximum")
    )
    return Bounds(minimum, maximum, centre)


def teams_now(floor: FloorNow, kinds: Sequence[Kind]) -> Iterator[TeamNow]:
    """The open teams, with their people in the mean of the coming hour and the work that they have."""
    held = bool(floor.reroutes.acting)
    for team_id, team in sorted(floor.book.reference.teams.items()):
        load, provider = floor.loads.get(team_id), floor.book.provider_of(team_id)
        if load is None or provider is None:
            continue
        told = _told_by(load, floor.book.reference)
        if told.people < PEOPLE_MIN:
            continue
        yield TeamNow(
            team_id=team_id,
            provider_id=provider.id,
            centre_id=team.centre_id,
            people=told.people,
            skills=told.skills,
            waiting=told.waiting,
            outside=provider.outside,
            data_classes=frozenset(provider.data_classes),
            barred=frozenset(kind for kind in kinds if held and _barred(kind, team, floor)),
        )


class _Told(NamedTuple):
    """What a desk's load says of its people and skills, and all that waits there. Units: people, hours."""

    load: LoadSnapshot
    people: float
    skills: Mapping[str, Skill]
    waiting: float


def _told_by(load: LoadSnapshot, reference: ReferenceView) -> _Told:
    """Worked out once for each load that a desk tells."""
    key = __name__, load.team_id
    known: _Told | None = reference.derived.get(key)
    if known is None or known.load is not load:
        waiting = waiting_of(load)
        known = _Told(load, people_of(load), skills_of(load, waiting), sum(waiting.values()))
        reference.derived[key] = known
    return known


def people_of(load: LoadSnapshot) -> float:
    """The team's people in the mean of the coming hour: by the calendar, else who is there."""
    if not load.expected_people_by_hour:
        return float(len(load.present))
    return max(load.expected_people_by_hour[0], UNEXPECTED * len(load.present))


def waiting_of(load: LoadSnapshot) -> Mapping[str, float]:
    """The work that waits, by work type. Units: hours, as the team's people take."""
    return {work_type: seconds / 3600.0 for work_type, seconds in load.seconds_by_work_type.items()}


def ages_of(load: LoadSnapshot) -> Mapping[str, float]:
    """How old what waits is in the mean, by work type: half as old as the oldest, as it came evenly. Units: minutes."""
    return {
        part.work_type: max((load.at - part.oldest_requested_at).total_seconds(), 0.0) / 120.0
        for part in load.queued
        if part.oldest_requested_at is not None
    }


def skills_of(load: LoadSnapshot, waiting: Mapping[str, float]) -> Mapping[str, Skill]:
    """The people by work type, how long each takes them, and what waits for them."""
    ages = ages_of(load)

    def skill(work_type: str, people: float, seconds: float) -> Skill:
        return Skill(people, seconds, waiting.get(work_type, 0.0), ages.get(work_type, 0.0))

    counts = UNEXPECTED if load.expected_people_by_hour else 1.0
    found = {one.work_type: skill(one.work_type, counts * one.present, one.learned_seconds) for one in load.capacity}
    for coming in load.expected:
        known = found.get(coming.work_type)
        people = max(coming.people_by_hour[0], 0.0 if known is None else known.people)
        found[coming.work_type] = skill(coming.work_type, people, coming.learned_seconds)
    return {work_type: skill for work_type, skill in found.items() if skill.people >= PEOPLE_MIN and skill.seconds > 0}


def _barred(kind: Kind, team: Team, floor: FloorNow) -> bool:
    """A reroute holds most of the kind away from the team. What it holds in part, placement heeds item by item."""
    return any(
        share_now(order, floor.now) > BARRED_SHARE
        and order.terms.effect != "local"
        and covers_team(order.terms.scope, team)
        and covers_work_type(order.terms.scope, kind.work_type)
        and (not order.terms.scope.data_classes or kind.data_class in order.terms.scope.data_classes)
        and not order.terms.scope.regions
        for order in floor.reroutes.acting.values()
    )


def _cost(kind: Kind, reference: ReferenceView) -> float:
    template = _template(kind, reference)
    return 1.0 if template is None else template.delay.late_per_minute


def _template(kind: Kind, reference: ReferenceView) -> BusinessType | None:
    return reference.business_types.get(kind.work_type.rpartition("/")[0])


def _slack(
    recent: float | None, kind: Kind, last: PlannedWork | None, reference: ReferenceView, now: datetime
) -> float | None:
    """How long what comes in the hour may wait and be in time, in the mean; none: not known. Units: minutes.

    Holds:   as what came in the last minutes, a whole service level where hardly any did; but no longer than until the rail
             closes: a cut-off counts before it is there. What the last plan reckoned with stays while the two differ by no
             more than `SLACK_STIRS` of it.
    """
    template = _template(kind, reference)
    if recent is None:
        if template is None:
            return None
        recent = template.sla_seconds / 60.0
    closes = frozenset[datetime]() if template is None else closings(template, reference.limits.time_zone, now)
    instants = [now + ahead * QUARTER for ahead in range(AHEAD)]
    left = [
        min(((at - instant).total_seconds() / 60.0 for at in closes if at > instant), default=recent)
        for instant in instants
    ]
    found = sum(min(recent, minutes) for minutes in left) / AHEAD
    told = None if last is None else last.slack_minutes
    if told is not None and abs(found - told) <= max(SLACK_STIRS * abs(told), SLACK_STIRS_MIN):
        return told
    return _rounded(found, 1)


def _rounded(minutes: float | None, digits: int) -> float | None:
    return None if minutes is None else round(minutes, digits)


def _sorted(shares: Shares, kind: Kind) -> list[tuple[str, float]]:
    return sorted(shares.by_kind.get(kind, {}).items())


def _told(hurt: Hurt, reference: ReferenceView) -> Relief:
    team = reference.teams.get(hurt.team_id)
    where = hurt.team_id if team is None else team.label
    what = "any work" if hurt.work_type is None else _label(hurt.work_type, reference)
    words = (
        f"another operator for {what} at {where} would save up to {hurt.saves:,.0f} minutes of lateness this hour, "
        f"{hurt.worth:,.0f} points by their cost"
    )
    return Relief(team_id=hurt.team_id, work_type=hurt.work_type, saves_minutes=round(hurt.saves, 1), words=words)


def _label(work_type: str, reference: ReferenceView) -> str:
    business_type, _, step = work_type.rpartition("/")
    template = reference.business_types.get(business_type)
    return f"{business_type if template is None else template.label} ({step})"
