"""A day that begins with the floor as it is now: for previews of what a change would do in the next hour.

From boards alone, so that any process that has them can ask: what waits where is known by work type and count, not by item.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final, cast

import numpy as np

from services.routing.boards import LoadView
from services.routing.simulator.chance import stream
from services.routing.simulator.day import Case, Day, Person, Task
from shared.contracts.message import Step
from shared.contracts.reference import Operator, ReferenceEntry
from shared.contracts.routing import LoadByWorkType, LoadSnapshot
from shared.reference.board import ReferenceView

SERVICE_LEVEL: Final = 3600.0  # seconds, of work whose template is not known
STANDARD: Final = 60.0
FOREVER: Final = float("inf")


def day_from(
    reference: ReferenceView,
    loads: LoadView,
    arrivals: Mapping[str, float],
    now: datetime,
    horizon: float,
    seed: int = 1,
) -> Day:
    """What lies at the desks now, who is there, and what is expected to come until the horizon.

    Shape:   one-task cases; what is queued waits at its team, what comes is still to be placed.
    Units:   arrivals in items per second by work type; the horizon in seconds.
    Holds:   everybody present stays; who is busy comes free within the time of one item. Play it with
             `Floor(day, RealDealing(boards=…)).play()`, once with the boards as they are and once with the change.
    """
    people = dict(_people(reference, loads, seed))
    waiting = [case for load in _in_order(loads) for case in _waiting(reference, load, now)]
    coming = list(_coming(reference, arrivals, horizon, seed))
    entries = (*_organisation(reference), *(reference.operators[one] for one in people))
    return Day(
        now, horizon, entries, people, (*waiting, *sorted(coming, key=lambda case: (case.arrives, case.case_id)))
    )


def _in_order(loads: LoadView) -> list[LoadSnapshot]:
    return [loads[team_id] for team_id in sorted(loads)]


def _organisation(reference: ReferenceView) -> Iterator[ReferenceEntry]:
    yield reference.limits
    for entries in (reference.providers, reference.centres, reference.teams, reference.business_types):
        yield from cast(Mapping[str, ReferenceEntry], entries).values()


def _people(reference: ReferenceView, loads: LoadView, seed: int) -> Iterator[tuple[str, Person]]:
    free_in = stream(seed, "busy")
    for load in _in_order(loads):
        paces = {
            one.work_type: one.learned_seconds / (reference.standard_seconds(one.work_type) or one.learned_seconds)
            for one in load.capacity
            if one.learned_seconds > 0
        }
        for number, operator_id in enumerate(load.present):
            operator: Operator | None = reference.operators.get(operator_id)
            if operator is not None:
                begins = float(free_in.random()) * STANDARD if number < load.in_hand else 0.0
                yield operator_id, Person(operator_id, ((begins, FOREVER),), pace=paces)


def _waiting(reference: ReferenceView, load: LoadSnapshot, now: datetime) -> Iterator[Case]:
    for part in load.queued:
        oldest = part.oldest_requested_at or now
        for number in range(part.queued):
            age = (now - oldest).total_seconds() * (1 - number / part.queued)
            level = _service_level(reference, part.work_type)
            yield _case(
                f"{load.team_id}/{part.work_type}/{number}",
                part.work_type,
                _each(part),
                (0.0, level - age),
                _outside(reference, load.team_id),
                load.team_id,
            )


def _each(part: LoadByWorkType) -> float:
    return max(part.standard_seconds / part.queued, 1.0)


def _coming(reference: ReferenceView, arrivals: Mapping[str, float], horizon: float, seed: int) -> Iterator[Case]:
    for work_type, rate in sorted(arrivals.items()):
        draw = stream(seed, f"coming {work_type}")
        count = int(draw.poisson(rate * horizon))
        standard = reference.standard_seconds(work_type) or STANDARD
        for number, at in enumerate(np.sort(draw.random(count) * horizon).tolist()):
            due = at + _service_level(reference, work_type)
            vendor = work_type.endswith("/entry") and number % 2 == 0
            yield _case(f"new/{work_type}/{number}", work_type, standard, (at, due), vendor, None)


def _case(
    case_id: str, work_type: str, standard: float, between: tuple[float, float], vendor: bool, team_id: str | None
) -> Case:
    business_type, _, step = work_type.rpartition("/")
    task = Task(step, cast(Step, step), standard, in_house_only=not vendor)
    return Case(case_id, business_type, between[0], between[1], ((task,),), waits_at=team_id)


def _service_level(reference: ReferenceView, work_type: str) -> float:
    template = reference.business_types.get(work_type.rpartition("/")[0])
    return SERVICE_LEVEL if template is None else template.sla_seconds


def _outside(reference: ReferenceView, team_id: str) -> bool:
    team = reference.teams.get(team_id)
    provider = None if team is None else reference.providers.get(team.provider_id)
    return provider is not None and provider.outside
