"""The plainest days: one team or a few, equal people, Poisson arrivals, for answers known in closed form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np

from services.routing.simulator.chance import stream
from services.routing.simulator.day import Case, Day, Person, Task
from services.routing.simulator.line import CustomerClass
from shared.contracts.reference import FloorLimits, Operator, Provider, ReferenceEntry, Team

BEGINS_AT: Final = datetime(2026, 3, 2, tzinfo=UTC)
FOREVER: Final = float("inf")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of work beside its customers. Units: `due` in seconds after the request; it may lie before it."""

    name: str
    customers: CustomerClass
    due: float = 1e6


def plain_day(kinds: Sequence[Kind], people: int, cases: int, seed: int, extra: Sequence[ReferenceEntry] = ()) -> Day:
    """So many one-task cases before one team whose people may all do everything. Units: seconds."""
    rates = np.array([kind.customers.rate for kind in kinds])
    arrived = stream(seed, "arrivals").exponential(1 / rates.sum(), cases).cumsum().tolist()
    drawn = stream(seed, "classes").choice(len(kinds), cases, p=rates / rates.sum()).tolist()
    size = stream(seed, "sizes").exponential(1.0, cases).tolist()
    patience = stream(seed, "patience").exponential(1.0, cases).tolist()
    found = []
    for number, at in enumerate(arrived):
        kind = kinds[drawn[number]]
        mean = kind.customers.patience
        found.append(
            Case(
                case_id=str(number),
                business_type=kind.name,
                arrives=at,
                due=at + kind.due,
                stages=((Task("entry-1", "entry", kind.customers.service, size[number]),),),
                gives_up=None if mean is None else at + mean * patience[number],
            )
        )
    ids = [f"person-{number:03}" for number in range(people)]
    work_types = tuple(f"{kind.name}/entry" for kind in kinds)
    reference: tuple[ReferenceEntry, ...] = (
        FloorLimits(id="floor", work_lease_seconds_min=1e6, load_seconds=60.0, stay_bonus=0.0, hold_seconds_max=0.0),
        Provider(id="bank", label="Bank", outside=False, data_classes=("internal",)),
        Team(id="team", label="Team", centre_id="centre", provider_id="bank"),
        *(Operator(id=one, name=one, team_id="team", work_types=work_types) for one in ids),
        *extra,
    )
    persons = {one: Person(one, ((0.0, FOREVER),)) for one in ids}
    return Day(BEGINS_AT, arrived[-1], reference, persons, tuple(found))
