"""The day that was, played again in virtual time under another way of dealing: what would it have come to?"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from deploy.demo.operators import LUNCH_SECONDS, SPREAD
from services.routing.simulator.day import Case, Day, Task
from services.routing.simulator.day import Person as Simulated
from services.routing.simulator.figures import figures_of
from services.routing.simulator.floor import Dealing, Floor
from services.routing.simulator.policies import POLICIES, KnownDealing
from services.routing.simulator.real import RealDealing
from shared.contracts.audit import CaseStarted
from shared.contracts.message import Step
from shared.contracts.reference import BusinessType, FloorLimits, ReferenceEntry, Tier

LOAD_SECONDS: Final = 2.0  # the demo's own intervals are drawn out for its fast clock; a bank's are not
STEP_SECONDS: Final = 600.0  # of the day, after which it tells how far it is
FOREVER: Final = float("inf")
NOBODY: Final = Tier(below_minor=None, authorisers=0)


@dataclass(frozen=True, slots=True)
class AtWork:
    """One person of the day. Units: `pace` multiplies the standard time."""

    operator_id: str
    pace: float
    lunch_at: datetime | None


@dataclass(frozen=True, slots=True)
class SameDay:
    """On-time shares, 0 to 1, of one day under two ways of dealing, both in virtual time."""

    ours: float
    round_robin: float


def play_again(
    started: Iterable[CaseStarted],
    reference: Sequence[ReferenceEntry],
    people: Sequence[AtWork],
    opens: datetime,
    seed: int,
    tell: Callable[[float], None] = lambda done: None,
) -> SameDay:
    """The same cases and people, dealt by the floor's own code and by round robin; `tell` hears the share that is done."""
    day = day_again(started, reference, people, opens, seed)
    return SameDay(
        _on_time(day, RealDealing(), lambda done: tell(done / 2)),
        _on_time(day, KnownDealing(POLICIES["round robin"]), lambda done: tell((1 + done) / 2)),
    )


def _on_time(day: Day, dealing: Dealing, tell: Callable[[float], None]) -> float:
    floor = Floor(day, dealing)
    played, until = floor.play(0.0), 0.0
    while not floor.at_rest and until < day.closes:
        until += STEP_SECONDS
        floor.agenda.run(until)
        tell(min(1.0, until / day.closes))
    floor.agenda.run()
    tell(1.0)
    return figures_of(played)["on_time"]


def day_again(
    started: Iterable[CaseStarted],
    reference: Sequence[ReferenceEntry],
    people: Sequence[AtWork],
    opens: datetime,
    seed: int,
) -> Day:
    """What came in when, by whom it could be done, drawn anew only where the floor does not tell: sizes of items."""
    templates = {entry.id: entry for entry in reference if isinstance(entry, BusinessType)}
    limits = FloorLimits(id="floor", load_seconds=LOAD_SECONDS)
    entries = (*(entry for entry in reference if not isinstance(entry, FloorLimits)), limits)
    cases = sorted(
        (_case(one, templates, opens, seed) for one in started), key=lambda case: (case.arrives, case.case_id)
    )
    staff = {one.operator_id: _person(one, opens) for one in people}
    closes = max((case.arrives for case in cases), default=0.0)
    return Day(opens, closes, entries, staff, tuple(cases))


def _person(one: AtWork, opens: datetime) -> Simulated:
    if one.lunch_at is None:
        return Simulated(one.operator_id, ((0.0, FOREVER),), one.pace)
    lunch = (one.lunch_at - opens).total_seconds()
    return Simulated(one.operator_id, ((0.0, lunch), (lunch + LUNCH_SECONDS, FOREVER)), one.pace)


def _case(one: CaseStarted, templates: Mapping[str, BusinessType], opens: datetime, seed: int) -> Case:
    template = one.template or templates[one.business_type]
    draw = random.Random(f"{seed}/{one.case_id}")
    standard = template.standard

    def task(
        role: str, step: Step, seconds: float, field: str | None = None, vendor: bool = False, grade: int = 0
    ) -> Task:
        size = draw.lognormvariate(0, SPREAD)
        return Task(role, step, seconds, size, field=field, in_house_only=not vendor, grade_min=grade)

    keyed = tuple(
        task(f"entry-{keying}", "entry", standard.entry, field.name, keying in field.vendor_keyings)
        for field in template.fields
        for keying in range(1, field.keyings + 1)
    )
    stages: list[tuple[Task, ...]] = [keyed]
    if template.review:
        stages.append((task("review", "review", standard.review),))
    tier = _tier(template, None if one.declared_amount is None else one.declared_amount.amount_minor)
    for number in range(1, tier.authorisers + 1):
        stages.append((task(f"authorisation-{number}", "authorisation", standard.authorisation, grade=tier.grade_min),))
    return Case(
        case_id=one.case_id,
        business_type=one.business_type,
        arrives=(one.received_at - opens) / timedelta(seconds=1),
        due=(one.due_at - opens) / timedelta(seconds=1),
        stages=tuple(stages),
        branch_id=one.branch_id,
        urgent=one.urgent,
    )


def _tier(template: BusinessType, amount_minor: int | None) -> Tier:
    if not template.tiers:
        return NOBODY
    below = (
        t
        for t in template.tiers
        if amount_minor is not None and (t.below_minor is None or amount_minor < t.below_minor)
    )
    return next(below, template.tiers[-1])
