"""Could the rest of the floor carry a drill? Asked before a drill begins; nobody overrides the answer for practice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Final

from services.routing.emergency.floor import FloorNow, holds
from services.routing.emergency.safety import ASSERTIONS
from services.routing.emergency.sorts import sort_words
from services.routing.kinds import Kind
from shared.contracts.reference import Team
from shared.contracts.reroute import Preview, RerouteTerms

FAILED: Final = "CAPACITY_CHECK_FAILED"
HOUR_SECONDS: Final = 3600.0


def capacity_fault(preview: Preview, terms: RerouteTerms, floor: FloorNow, *, must_know: bool = False) -> str | None:
    """Why the drill must not be held, in a sentence; `None` when it may. `FAILED` stands before what the rest could not carry.

    Holds:   a safety rule is broken, overridable or not; somebody's work would have no people; more misses are predicted
             of what waits; or what comes would load the rest beyond the floor's limit. What comes the balancer's plan
             tells: `must_know` refuses without one, for drills that nobody has looked at. A rule that says when a reroute
             may begin speaks of the hour and not of who is left.
    """
    rules = floor.book.reference.reroute_rules
    untimely = next((one.detail for one in preview.broken_rules if rules[one.rule_id].form not in ASSERTIONS), None)
    fault = _of_the_preview(preview, floor) or _of_what_comes(terms, floor, must_know)
    return untimely if fault is None else f"{FAILED}: {fault}"


def _of_the_preview(preview: Preview, floor: FloorNow) -> str | None:
    rules, misses_max = floor.book.reference.reroute_rules, floor.book.reference.limits.drill_misses_max
    few = [one.detail for one in preview.broken_rules if rules[one.rule_id].form in ASSERTIONS]
    if few:
        return few[0]
    if preview.dead_ends:
        return f"Expected somebody left for {', '.join(preview.dead_ends)}, found nobody."
    added = sum(skill.misses_with - skill.misses_without for skill in preview.skills)
    return None if added <= misses_max else f"Expected at most {misses_max} more predicted misses, found {added}."


def _of_what_comes(terms: RerouteTerms, floor: FloorNow, must_know: bool) -> str | None:
    coming = floor.coming_by_kind()
    if coming is None:
        return "Expected a plan that is still good, to know what comes, found none." if must_know else None
    load_max = floor.book.reference.limits.drill_load_max
    before, left = _Crew.of(floor, None, coming), _Crew.of(floor, terms, coming)
    for name, group in _groups(coming):
        people = left.count(group)
        load = sum(coming[kind] * left.seconds(kind) for kind in group) / HOUR_SECONDS
        if people < before.count(group) and load > load_max * people:
            able = f"{load_max * people:.2f} of the {people} people left for {name} ({load_max:.0%})"
            return f"Expected work coming for at most {able}, found for {load:.2f}."
    return None


def _groups(coming: Collection[Kind]) -> Iterator[tuple[str, Set[Kind]]]:
    """Work that must find people: each type, each sort of it, each step, all; people who can do several count in each."""
    types, steps = defaultdict[str, set[Kind]](set), defaultdict[str, set[Kind]](set)
    for kind in sorted(coming):
        types[kind.work_type].add(kind)
        steps[kind.work_type.rpartition("/")[2]].add(kind)
    yield from sorted(types.items())
    yield from ((sort_words(kind), {kind}) for kind in sorted(coming) if len(types[kind.work_type]) > 1)
    yield from sorted(steps.items())
    yield "all work", set(coming)


@dataclass(frozen=True, slots=True)
class _Crew:
    """Who of all present may be given what, less what the orders in force and the terms, if any, keep away from them."""

    floor: FloorNow
    terms: RerouteTerms | None
    kinds_by_person: Mapping[str, Set[Kind]]

    @classmethod
    def of(cls, floor: FloorNow, terms: RerouteTerms | None, coming: Collection[Kind]) -> _Crew:
        """Everybody present."""
        kinds: dict[str, Set[Kind]] = {}
        for team in floor.teams():
            load = floor.load(team.id)
            there = {kind for kind in coming if floor.able_for(team, kind) and _open(floor, terms, team, kind)}
            for person in () if load is None else load.present:
                mine = set(floor.may_do(team, person))
                kinds[person] = {kind for kind in there if kind.work_type in mine}
        return cls(floor, terms, kinds)

    def count(self, group: Set[Kind]) -> int:
        """How many may be given something of the group."""
        return sum(1 for kinds in self.kinds_by_person.values() if kinds & group)

    def seconds(self, kind: Kind) -> float:
        """How long one item takes them: as their desks have learned, else the standard time; never heard of: nothing."""
        told = [
            (part.present, part.learned_seconds)
            for team in self.floor.teams()
            if (load := self.floor.load(team.id)) is not None and _open(self.floor, self.terms, team, kind)
            for part in load.capacity
            if part.work_type == kind.work_type
        ]
        people = sum(present for present, _ in told)
        if people:
            return sum(present * seconds for present, seconds in told) / people
        return self.floor.book.reference.standard_seconds(kind.work_type) or 0.0


def _open(floor: FloorNow, terms: RerouteTerms | None, team: Team, kind: Kind) -> bool:
    return floor.held_back(team, kind) < 1 and not (terms is not None and holds(terms, team, kind))
