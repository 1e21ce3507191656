"""The floor's next minutes on virtual time, from its boards as they are: the real placement and the real desks.

Boards know queues by team and work type, who is present and how fast they are, what the plan expects; from these a short
day is made, the same for every way in which it is then played.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import cycle
from typing import Any, Final, cast

from services.routing.boards import PLAN_BOARD, LoadView, PlanView
from services.routing.eligibility import Rulebook
from services.routing.kinds import Kind
from services.routing.simulator.day import Case, Day, Person, Task
from services.routing.simulator.floor import Floor
from services.routing.simulator.real import RealDealing
from shared.contracts.message import Step
from shared.contracts.reference import Branch, ReferenceEntry
from shared.contracts.reroute import Preview, RerouteOrder, RerouteTerms
from shared.contracts.routing import LoadByWorkType, LoadSnapshot
from shared.reference.board import ReferenceView
from shared.reroutes import REROUTE_BOARD, RerouteView, sent_back

WAITING_MAX: Final = 600  # items; of more the oldest are played
COMING_MAX: Final = 500  # of more, so much shorter a time is played
MINUTES_MAX: Final = 30.0
LOAD_SECONDS: Final = 10.0  # desks tell their load so often, which costs most of the running time
TOLD_SECONDS: Final = 5  # of the day's, between two calls of `tell` where nothing gets done
LEASE_SECONDS: Final = 4 * 3600.0  # everybody finishes what they have
FOREVER: Final = float("inf")
GOLDEN: Final = 0.6180339887  # multiples of it fill 0 to 1 evenly, whatever their number
STANDARD_SECONDS: Final = 60.0  # of work never heard of
ALLOWED_SECONDS: Final = 3600.0
STEPS: Final[tuple[Step, ...]] = ("entry", "arbitration", "review", "authorisation")


@dataclass(frozen=True, slots=True)
class Now:
    """What a short day is made of.

    Holds:   boards as a situation has them; `mixes` are the sorts of what waits, by team and work type, as shares;
             `in_force` are orders that hold work back.
    """

    reference: ReferenceView
    standing: Any
    loads: LoadView
    mixes: Mapping[tuple[str, str], Mapping[Kind, float]]
    plan: PlanView
    in_force: tuple[RerouteOrder, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class Ahead:
    """A short day that can be played. Units: `minutes` of it; `left_out` items that wait now and are not played."""

    day: Day
    minutes: float
    left_out: int
    branches: Mapping[str, Branch]
    boards: Mapping[str, Any]
    orders: tuple[RerouteOrder, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """What a played day came to. Units: items; `late` ended too late, or are overdue and still wait."""

    done: int
    late: int
    waiting: int


def ahead_of(now: Now, minutes: float, size: float = 1.0) -> Ahead:
    """The day from now on: what waits, the oldest first; what the plan expects; who is present, until it ends.

    Units:   `size` is the part of all that is played at most, of items and of time.
    """
    waiting = sorted(_waiting(now), key=lambda case: (case.due, case.case_id))[: round(WAITING_MAX * size)]
    left_out = sum(part.queued for load in now.loads.values() for part in load.queued) - len(waiting)
    per_minute = sum(rate for _, rate in _coming(now)) / 60
    played = min(minutes, MINUTES_MAX * size, COMING_MAX * size / per_minute if per_minute else FOREVER)
    coming = sorted(_arrivals(now, played * 60), key=lambda case: case.arrives)
    day = Day(now.at, played * 60, tuple(_entries(now.reference)), _people(now), (*waiting, *coming))
    loads = {team: load.model_copy(update={"version": 0}) for team, load in now.loads.items()}
    boards = {"standing": now.standing, "load": loads, PLAN_BOARD.name: _lasting(now, played)}
    return Ahead(day, played, left_out, dict(now.reference.branches), boards, now.in_force)


def play(ahead: Ahead, terms: RerouteTerms | None, tell: Callable[[int], None] = lambda done: None) -> Seen:
    """Play the day, with the terms in force from its first moment, or without them; `tell` may end it by raising."""
    reroutes: RerouteView = REROUTE_BOARD.empty()
    begins = ahead.day.begins_at
    proposed = () if terms is None else (in_force(terms, begins),)
    for order in (*ahead.orders, *proposed):
        REROUTE_BOARD.fold(reroutes, order.key, order)
    boards = {**ahead.boards, "load": dict(ahead.boards["load"]), REROUTE_BOARD.name: reroutes}
    cases = tuple(case for case in ahead.day.cases if not _done_by_branches(case, reroutes, ahead))
    day = Day(begins, ahead.day.closes, ahead.day.reference, ahead.day.people, cases)
    floor = Floor(day, RealDealing(boards=boards, loads_a_plan=None), tell)
    for second in range(0, int(ahead.minutes * 60), TOLD_SECONDS):
        floor.agenda.at(float(second), tell, 0)  # where nothing gets done, too
    items = floor.play(until=ahead.minutes * 60).items
    ended = [item for item in items if item.ended is not None]
    late = sum((item.ended or ahead.minutes * 60) > item.case.case.due for item in items)
    return Seen(len(ended), late, sum(item.began is None for item in items))


def in_force(terms: RerouteTerms, at: datetime) -> RerouteOrder:
    """The terms as an order that began at this instant."""
    nothing = Preview(
        taken_at=at,
        sha256="",
        items_moving=0,
        in_hand_moving=0,
        skills=(),
        dead_ends=(),
        broken_rules=(),
        also_in_force=(),
    )
    return RerouteOrder(
        reroute_id="looked-ahead",
        version=1,
        phase="active",
        terms=terms,
        proposed_by="nobody",
        proposed_at=at,
        approve_by=at,
        preview=nothing,
        started_at=at,
        ends_at=at + timedelta(minutes=terms.minutes),
    )


def _entries(reference: ReferenceView) -> Iterator[ReferenceEntry]:
    nouns = reference.business_types, reference.centres, reference.providers, reference.teams, reference.operators
    for entries in (*nouns, reference.branches, reference.shifts):
        yield from cast(Mapping[str, ReferenceEntry], entries).values()
    limits = {"load_seconds": LOAD_SECONDS, "work_lease_seconds_min": LEASE_SECONDS, "id": "floor"}
    yield reference.limits.model_copy(update=limits)


def _lasting(now: Now, minutes: float) -> PlanView:
    """The plan as it stands, good until the day's end: here nobody makes another."""
    view: PlanView = PLAN_BOARD.empty()
    plan = now.plan.plan
    if plan is not None and plan.good_until >= now.at:
        lasting = plan.model_copy(update={"good_until": now.at + timedelta(minutes=minutes + 1)})
        PLAN_BOARD.fold(view, plan.key, lasting)
    return view


# ------------------------------------------------------------------------------ people


def _people(now: Now) -> dict[str, Person]:
    """Who is present, at the pace that their desk has learned of its people for each work type."""
    book = Rulebook(now.reference, now.standing)
    found = {}
    for team_id, load in sorted(now.loads.items()):
        pace = dict(_paces(now.reference, load))
        for operator_id in load.present:
            if book.member(team_id, operator_id) is not None:
                found[operator_id] = Person(operator_id, ((0.0, FOREVER),), 1.0, pace)
    return found


def _paces(reference: ReferenceView, load: LoadSnapshot) -> Iterator[tuple[str, float]]:
    for part in load.capacity:
        standard = reference.standard_seconds(part.work_type)
        if standard and part.learned_seconds:
            yield part.work_type, part.learned_seconds / standard


# -------------------------------------------------------------------------------- work


def _waiting(now: Now) -> Iterator[Case]:
    """One case for each item that waits, its age spread evenly from the oldest to now, the branches in turn.

    Holds:   of each sort as many as its share of the work type at the team.
    """
    branches = cycle(sorted(now.reference.branches) or ["branch"])
    for team_id, load in sorted(now.loads.items()):
        for part in load.queued if team_id in now.reference.teams else ():
            mix = sorted(now.mixes[team_id, part.work_type].items())
            for number in range(min(part.queued, WAITING_MAX)):
                age = _age(now, part) * (1 - number / part.queued)
                kind = _kind_at((number * GOLDEN) % 1.0, mix)
                name = f"{team_id}/{part.work_type}/{number}"
                yield _case(now.reference, kind, name, next(branches), 0.0, -age, team_id)


def _age(now: Now, part: LoadByWorkType) -> float:
    oldest = part.oldest_requested_at
    return 0.0 if oldest is None else max(0.0, (now.at - oldest).total_seconds())


def _kind_at(point: float, mix: Sequence[tuple[Kind, float]]) -> Kind:
    """The sort in whose part of 0 to 1 the point lies."""
    for kind, share in mix:
        point -= share
        if point < 0:
            return kind
    return mix[-1][0]


def _coming(now: Now) -> Iterator[tuple[Kind, float]]:
    """What a plan that is still good expects. Units: items per hour."""
    plan = now.plan.plan
    if plan is not None and now.at <= plan.good_until:
        yield from ((Kind.told(part), part.coming_per_hour) for part in plan.work)


def _arrivals(now: Now, seconds: float) -> Iterator[Case]:
    """What comes, evenly spread, the branches in turn."""
    branches = cycle(sorted(now.reference.branches) or ["branch"])
    for kind, rate in _coming(now):
        for number in range(round(rate * seconds / 3600)):
            at = (number + 0.5) * 3600 / rate
            name = f"coming/{kind.work_type}/{kind.in_house_only}/{kind.data_class}/{number}"
            yield _case(now.reference, kind, name, next(branches), at, at, None)


def _case(
    reference: ReferenceView,
    kind: Kind,
    name: str,
    branch_id: str,
    arrives: float,
    asked: float,
    waits_at: str | None,
) -> Case:
    """A case of one task, due so that its later steps still have their standard time. Units: seconds from now."""
    business_type, _, step = kind.work_type.rpartition("/")
    template = reference.business_types.get(business_type)
    standard = reference.standard_seconds(kind.work_type) or STANDARD_SECONDS
    later = STEPS[STEPS.index(step) + 1 :] if template is not None and step in STEPS else ()
    allowed = ALLOWED_SECONDS if template is None else template.sla_seconds
    due = asked + max(0.0, allowed - sum(getattr(template.standard, one) for one in later if template is not None))
    task = Task(step, cast(Step, step), standard, in_house_only=kind.in_house_only, data_class=kind.data_class)
    return Case(name, business_type, arrives, due, ((task,),), branch_id=branch_id, waits_at=waits_at)


def _done_by_branches(case: Case, reroutes: RerouteView, ahead: Ahead) -> bool:
    """A local order sends it back to its branch, as reception would: what comes, never what waits."""
    branch = ahead.branches.get(case.branch_id)
    if branch is None or case.waits_at is not None:
        return False
    return sent_back(reroutes, case.case_id, case.business_type, branch, ahead.day.begins_at) is not None
