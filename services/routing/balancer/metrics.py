"""What the balancer counts, and the levels that are read off the plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from services.routing.boards import PlanView
from shared.contracts.routing import PlanMade
from shared.runtime.levels import Level, Read, Reading

_EVERYWHERE: Final = "; the whole floor, the same from every process"
SOLVED: Final = Histogram(
    "opsfloor_plan_solve_seconds",
    "From the boards to the plan",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
MADE: Final = Counter("opsfloor_plans_made_total", "Plans published by this process")
FAILED: Final = Counter("opsfloor_plans_failed_total", "Plans that could not be made or published", ["reason"])
for _reason in ("solver", "bus"):
    FAILED.labels(_reason)  # there from 0 on, so that the first one shows as a rise
NOT_DUE: Final = Gauge(
    "opsfloor_plan_not_due_timestamp_seconds",
    "When this process last found no plan due: nobody is there to work, or nothing is known of what comes",
)
HEARD: Final = Counter("opsfloor_plan_arrivals_total", "Items asked for that the balancer has heard of")
REFUSED: Final = Counter("opsfloor_plan_records_refused_total", "Records that the balancer could not read")
LISTENERS: Final = Counter(
    "opsfloor_plan_listener_restarts_total", "Times that Faust gave up hearing of arrivals and was begun anew"
)
AGE: Final = Level("opsfloor_plan_age_seconds", f"How old the last plan is{_EVERYWHERE}")
SATURATION: Final = Level(
    "opsfloor_plan_saturation_ratio",
    f"Work that a team has and will get in the coming hour, over what its people can do{_EVERYWHERE}",
    ("team",),
)
LATENESS: Final = Level(
    "opsfloor_plan_lateness_seconds",
    f"Lateness that the plan expects of the coming hour's work, summed over all items{_EVERYWHERE}",
)
RELIEF: Final = Level(
    "opsfloor_plan_relief_seconds",
    f"Lateness in the coming hour, summed over all items, that one more person would save at most, where it hurts most{_EVERYWHERE}",
    ("team", "work_type"),
)
ANY_WORK: Final = "any"
RELAXED: Final = Level(
    "opsfloor_plan_bound_relaxed_ratio",
    f"By how much of all work the plan in force cannot keep a bound; none for one that it keeps{_EVERYWHERE}",
    ("reason", "bound"),
)


def plan_levels(view: PlanView, now: Callable[[], datetime]) -> Read:
    """Read the plan in force, and how old the last one is: that grows with the clock, whether or not a balancer lives.

    Holds:   of a plan past its `good_until` the age alone is told: nobody draws by it, and what it expected is over.
    """

    def read() -> Iterator[Reading]:
        instant = now()
        if view.plan is not None:
            yield AGE, (), max(0.0, (instant - view.plan.made_at).total_seconds())
        in_force = view.in_force(instant).plan
        if in_force is not None:
            yield from _of(in_force)

    return read


def _of(plan: PlanMade) -> Iterator[Reading]:
    for team in plan.teams:
        yield SATURATION, (team.team_id,), team.saturation
    yield LATENESS, (), 60.0 * plan.lateness_minutes
    for relief in plan.reliefs:
        yield RELIEF, (relief.team_id, relief.work_type or ANY_WORK), 60.0 * relief.saves_minutes
    for bound in plan.relaxed:
        if bound.reason != "nobody_eligible":
            yield RELAXED, (bound.reason, bound.name), bound.by
