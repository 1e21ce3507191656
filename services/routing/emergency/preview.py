"""What a reroute would do to the floor as it is now: a fluid calculation over the boards, the same for everybody."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from typing import Final

from services.routing.emergency.floor import FloorNow, of_class, touched_teams
from services.routing.emergency.outlook import Outlook, Prospect
from services.routing.emergency.safety import broken_rules
from services.routing.emergency.shares import limit_forecasts
from services.routing.emergency.sorts import grade_words, grades_asked, sort_words
from shared.contracts.reroute import (
    LimitForecast,
    Preview,
    RerouteOrder,
    RerouteScope,
    RerouteTerms,
    SkillForecast,
    SortForecast,
)

ITEMS_TOLERATED: Final = 50  # drift below this is noise, whatever share of the preview it is
PART_MIN: Final = 1e-6  # of a sort; less of it without anybody is rounding
SHARE_TOLERATED: Final = 0.02  # of all work; a limit newly broken by less is noise


def preview_of(terms: RerouteTerms, floor: FloorNow, past: Sequence[RerouteOrder] = ()) -> Preview:
    """What the terms would do to what waits now, beside the orders that hold when they begin.

    Shape:   one forecast per work type that waits in the scope or that somebody present there may do, by name.
    Holds:   a scope that narrows by data class goes by the sorts of each type and their proportions, one by region by the
             number of branches; of such a scope the forecasts are of what it means, not of whole types;
             people are shared by all work of their team, so a wait is the teams' whole backlog over all who are there, and
             of what stays at a team no less than its own backlog over its own people, without the terms and with them;
             each sort of a work type is looked at by itself (`sorts.py`), and one that nobody may be given is told.
    Errors:  never raises; nobody there gives no wait and a dead end.
    """
    before, after = Prospect(floor, scope=terms.scope), Prospect(floor, terms, terms.scope)
    skills = tuple(
        _forecast(
            name, before.outlook(name), after.outlook(name), grades_asked(floor.book.reference, name), terms.scope
        )
        for name in _work_types(terms, floor)
    )
    scope_teams = touched_teams(terms.scope, floor.teams())
    in_hand = sum(load.in_hand for team in scope_teams if (load := floor.load(team.id)) is not None)
    bare = Preview(
        taken_at=floor.now,
        sha256="",
        items_moving=sum(skill.moves for skill in skills),
        in_hand_moving=in_hand if terms.effect == "recall" else 0,
        skills=skills,
        dead_ends=tuple(end for skill in skills for end in _dead_ends(skill)),
        broken_rules=tuple(broken_rules(terms, floor, past)),
        also_in_force=tuple(sorted(order.reroute_id for order in floor.in_force)),
        limits=tuple(limit_forecasts(terms, floor)),
        submissions_back=_submissions_back(terms, floor),
    )
    return bare.model_copy(update={"sha256": hash_of(bare)})


def _dead_ends(skill: SkillForecast) -> Iterator[str]:
    """The whole work type, or the sorts of it that would have nobody."""
    if skill.dead_end:
        yield skill.work_type
    yield from (sort.sort for sort in skill.dead_sorts)


def _submissions_back(terms: RerouteTerms, floor: FloorNow) -> int | None:
    """What comes to be keyed until it ends, in submissions: each asks for all keyings of all of its type's fields."""
    coming = floor.coming_per_hour() if terms.effect == "local" else None
    if coming is None:
        return None
    per_hour = sum(
        coming.get(work_type, 0.0) / sum(field.keyings for field in template.fields)
        for name, template in floor.book.reference.business_types.items()
        if _meant(terms, work_type := f"{name}/entry")
    )
    return round(per_hour * terms.minutes / 60 * floor.region_share(terms.scope.regions))


def hash_of(preview: Preview) -> str:
    """What an approver agrees to: everything but the instant at which it was taken."""
    return hashlib.sha256(preview.model_dump_json(exclude={"taken_at", "sha256"}).encode()).hexdigest()


def drift_between(approved: Preview, now: Preview, drift_max: float) -> str | None:
    """How the floor has moved away from what was approved, in a sentence; `None` while it is near enough.

    Units:   `drift_max` is a share of the approved figure; below `ITEMS_TOLERATED` items nothing counts.
    Holds:   a floor on which fewer will be late than was agreed to is no reason to wait: the emergency goes on meanwhile.
    """
    ends = sorted(set(now.dead_ends) - set(approved.dead_ends))
    if ends:
        return f"Expected somebody left for {', '.join(ends)} as approved, found nobody."
    rules = sorted({rule.rule_id for rule in now.broken_rules} - {rule.rule_id for rule in approved.broken_rules})
    if rules:
        return f"Expected no more rules broken than approved, found {', '.join(rules)}."
    limits = sorted(
        {_name(one) for one in now.limits if _clearly_broken(one)} - {_name(one) for one in _broken(approved)}
    )
    if limits:
        return f"Expected no more limits broken than approved, found {', '.join(limits)}."
    moving = abs(now.items_moving - approved.items_moving)
    for what, before, after, off in (
        ("items to move", approved.items_moving, now.items_moving, moving),
        ("predicted misses", _misses(approved), _misses(now), _misses(now) - _misses(approved)),
    ):
        if off > max(ITEMS_TOLERATED, drift_max * before):
            return f"Expected about {before} {what} as approved, found {after}."
    return None


def _broken(preview: Preview) -> Iterator[LimitForecast]:
    return (limit for limit in preview.limits if limit.broken)


def _clearly_broken(limit: LimitForecast) -> bool:
    """By more than a share that wavers from minute to minute would."""
    return limit.broken and limit.share_with is not None and abs(limit.share_with - limit.bound) > SHARE_TOLERATED


def _name(limit: LimitForecast) -> str:
    return f"{limit.limit} of {limit.name}"


def _misses(preview: Preview) -> int:
    return sum(skill.misses_with for skill in preview.skills)


def _work_types(terms: RerouteTerms, floor: FloorNow) -> list[str]:
    found: set[str] = set()
    for team in touched_teams(terms.scope, floor.teams()):
        load = floor.load(team.id)
        if load is not None:
            found |= {part.work_type for part in load.queued}
            people = (floor.book.member(team.id, person) for person in load.present)
            found |= {work_type for person in people if person is not None for work_type in person.work_types}
    return sorted(
        work_type
        for work_type in found
        if _meant(terms, work_type) and any(of_class(terms.scope, kind) for kind in floor.mix(work_type))
    )


def _meant(terms: RerouteTerms, work_type: str) -> bool:
    scope = terms.scope
    return (not scope.work_types or work_type in scope.work_types) and (
        not scope.business_types or work_type.rpartition("/")[0] in scope.business_types
    )


def _forecast(
    work_type: str, before: Outlook, after: Outlook, grades: Sequence[int], scope: RerouteScope
) -> SkillForecast:
    """Holds: what has nobody with the order is told, unless it has nobody without it either and none of it waits; as a
    whole type only where the scope means whole types."""
    whole = not scope.data_classes and not scope.regions
    dead = whole and after.nobody and (not before.nobody or before.queued > 0)
    return SkillForecast(
        work_type=work_type,
        moves=after.moves,
        queued=before.queued,
        people_without=before.people,
        people_with=after.people,
        takers=after.takers,
        wait_seconds_without=before.wait_seconds,
        wait_seconds_with=after.wait_seconds,
        misses_without=before.misses,
        misses_with=after.misses,
        dead_end=dead,
        dead_sorts=()
        if dead
        else (*_dead_sorts(before, after, scope), *_dead_grades(work_type, before, after, grades)),
    )


def _dead_sorts(before: Outlook, after: Outlook, scope: RerouteScope) -> Iterator[SortForecast]:
    """Sorts that have nobody, and those of which everybody who could do them keeps a share away.

    Holds:   who is chosen at a share is chosen for all teams, so what the least of them keeps away nobody may be given;
             part of an item counts as one.
    """
    had = {kind for kind, sort in before.sorts.items() if sort.people > 0 or sort.queued > 0}
    for kind, sort in sorted(after.sorts.items()):
        whole = sort.people <= 0
        if kind in had and (whole or sort.kept > before.sorts[kind].kept + PART_MIN):
            name = sort_words(kind) if len(after.sorts) > 1 or scope.data_classes else kind.work_type
            where = f" of {', '.join(scope.regions)}" if scope.regions else ""
            yield SortForecast(
                sort=f"{'' if whole else 'part of '}{name}{where}",
                in_house_only=kind.in_house_only,
                data_class=kind.data_class,
                items=math.ceil(round(sort.stranded, 6)),
                part=1.0 if whole else round(sort.kept, 4),
            )


def _dead_grades(work_type: str, before: Outlook, after: Outlook, grades: Sequence[int]) -> Iterator[SortForecast]:
    """Grades that some of the work asks for and that the order takes the last people of; how much asks, nobody knows."""
    kind = next(iter(after.sorts))
    for grade in grades:
        if after.grade < grade <= before.grade:
            yield SortForecast(
                sort=grade_words(work_type, grade),
                in_house_only=kind.in_house_only,
                data_class=kind.data_class,
                grade_min=grade,
            )
