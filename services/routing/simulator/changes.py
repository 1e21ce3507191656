"""One change to a day, for the question what would have been."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from zlib import crc32

from services.routing.simulator.day import Case, Day, Person, Task
from shared.contracts.reference import BusinessType, Operator, Provider, ReferenceEntry

Change = Callable[[Day], Day]


def team_closed(team_id: str) -> Change:
    """Nobody of the team comes."""

    def change(day: Day) -> Day:
        gone = {one.id for one in day.reference if isinstance(one, Operator) and one.team_id == team_id}
        return replace(day, people={name: person for name, person in day.people.items() if name not in gone})

    return change


def people_added(team_id: str, count: int) -> Change:
    """So many more in the team: each with a colleague's skills and hours, and an even pace."""

    def change(day: Day) -> Day:
        team = [one for one in day.reference if isinstance(one, Operator) and one.team_id == team_id]
        models = [team[number % len(team)] for number in range(count)]
        added = [one.model_copy(update={"id": f"{team_id}-added-{n + 1:02}"}) for n, one in enumerate(models)]
        people = {one.id: Person(one.id, day.people[model.id].shifts) for one, model in zip(added, models, strict=True)}
        return replace(day, reference=(*day.reference, *added), people={**day.people, **people})

    return change


def standard_set(work_type: str, seconds: float) -> Change:
    """The work takes another standard time, and in truth as much more or less."""
    business_type, _, step = work_type.rpartition("/")

    def task(case: Case, one: Task) -> Task:
        same = (one.business_type or case.business_type) == business_type and one.step == step
        return replace(one, standard_seconds=seconds) if same else one

    def template(entry: ReferenceEntry) -> ReferenceEntry:
        if not isinstance(entry, BusinessType) or entry.id != business_type:
            return entry
        return entry.model_copy(update={"standard": entry.standard.model_copy(update={step: seconds})})

    def change(day: Day) -> Day:
        changed = replace(day, reference=tuple(template(entry) for entry in day.reference))
        return _each_task(changed, task)

    return change


def cost_set(business_type: str, points_per_minute: float) -> Change:
    """Lateness of a business type costs so much more or less; nothing else changes."""

    def template(entry: ReferenceEntry) -> ReferenceEntry:
        if not isinstance(entry, BusinessType) or entry.id != business_type:
            return entry
        delay = entry.delay.model_copy(update={"late_per_minute": points_per_minute})
        return entry.model_copy(update={"delay": delay})

    return lambda day: replace(day, reference=tuple(template(entry) for entry in day.reference))


def vendor_share_set(share: float) -> Change:
    """Of the keyings that vendors may do, only this share is open to them; which, follows from the case's id."""

    def task(case: Case, one: Task) -> Task:
        closed = crc32(f"{case.case_id}/{one.role}".encode()) / 2**32 >= share
        return replace(one, in_house_only=one.in_house_only or closed)

    return lambda day: _each_task(day, task)


def contract_set(provider_id: str, minimum: float | None, maximum: float | None) -> Change:
    """The plan keeps other bounds for a provider. Units: shares of all items; none: no such bound."""

    def bounded(entry: ReferenceEntry) -> ReferenceEntry:
        if not isinstance(entry, Provider) or entry.id != provider_id:
            return entry
        return entry.model_copy(update={"share_minimum": minimum, "share_maximum": maximum})

    return lambda day: replace(day, reference=tuple(map(bounded, day.reference)))


def _each_task(day: Day, task: Callable[[Case, Task], Task]) -> Day:
    """The day with every task changed, that of a case's arbitration too, which is done only if a keying slips."""

    def changed(case: Case) -> Case:
        stages = tuple(tuple(task(case, one) for one in stage) for stage in case.stages)
        return replace(case, stages=stages, arbitration=case.arbitration and task(case, case.arbitration))

    return replace(day, cases=tuple(map(changed, day.cases)))
