"""What a reroute would do to the floor as it is now: a fluid calculation over the boards, the same for everybody."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from services.routing.emergency.floor import FloorNow, holds, touched_teams
from services.routing.emergency.safety import broken_rules
from services.routing.emergency.shares import limit_forecasts
from shared.contracts.reference import Team
from shared.contracts.reroute import (
    LimitForecast,
    Preview,
    RerouteOrder,
    RerouteTerms,
    SkillForecast,
    TakerForecast,
)
from shared.contracts.routing import LoadByWorkType
from shared.reroutes import MOVES_QUEUE

ITEMS_TOLERATED: Final = 50  # drift below this is noise, whatever share of the preview it is
SHARE_TOLERATED: Final = 0.02  # of all work; a limit newly broken by less is noise
STEPS: Final = ("entry", "arbitration", "review", "authorisation")


def preview_of(terms: RerouteTerms, floor: FloorNow, past: Sequence[RerouteOrder] = ()) -> Preview:
    """What the terms would do now.

    Shape:   one forecast per work type that waits in the scope or that somebody present there may do, by name.
    Holds:   a scope that narrows by region or data class is counted as if all work of its types were meant: boards
             know no more, and a preview errs on the side of more;
             people are shared by all work of their team, so a wait is the teams' whole backlog over all who are there.
    Errors:  never raises; nobody there gives no wait and a dead end.
    """
    skills = tuple(_forecast(terms, floor, work_type) for work_type in _work_types(terms, floor))
    scope_teams = touched_teams(terms.scope, floor.teams())
    in_hand = sum(load.in_hand for team in scope_teams if (load := floor.load(team.id)) is not None)
    bare = Preview(
        taken_at=floor.now,
        sha256="",
        items_moving=sum(skill.moves for skill in skills),
        in_hand_moving=in_hand if terms.effect == "recall" else 0,
        skills=skills,
        dead_ends=tuple(skill.work_type for skill in skills if skill.dead_end),
        broken_rules=tuple(broken_rules(terms, floor, past)),
        also_in_force=tuple(sorted(order.reroute_id for order in floor.in_force)),
        limits=tuple(limit_forecasts(terms, floor)),
        submissions_back=_submissions_back(terms, floor),
    )
    return bare.model_copy(update={"sha256": hash_of(bare)})


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
    return round(per_hour * terms.minutes / 60)


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
    return sorted(work_type for work_type in found if _meant(terms, work_type))


def _meant(terms: RerouteTerms, work_type: str) -> bool:
    scope = terms.scope
    return (not scope.work_types or work_type in scope.work_types) and (
        not scope.business_types or work_type.rpartition("/")[0] in scope.business_types
    )


def _forecast(terms: RerouteTerms, floor: FloorNow, work_type: str) -> SkillForecast:
    share = terms.percent / 100
    without = _open_shares(floor, work_type)
    with_it = {
        team.id: min(without[team.id], 1 - share) if holds(terms, team, work_type) else without[team.id]
        for team in floor.teams()
    }
    moving = [
        part for team in floor.teams() if moves(terms, team, work_type) for part in _queued(floor, team, work_type)
    ]
    before = _outlook(floor, work_type, without, None)
    after = _outlook(floor, work_type, with_it, terms)
    return SkillForecast(
        work_type=work_type,
        moves=sum(part.queued for part in moving),
        queued=before.queued,
        people_without=before.people,
        people_with=after.people,
        takers=tuple(_takers(floor, work_type, with_it)),
        wait_seconds_without=before.wait_seconds,
        wait_seconds_with=after.wait_seconds,
        misses_without=before.misses,
        misses_with=after.misses,
        dead_end=after.nobody and (not before.nobody or before.queued > 0),
    )


@dataclass(frozen=True, slots=True)
class Outlook:
    """How a work type stands when teams are open for it to some shares.

    Units:   `people` present and able, rounded; `nobody` is told before rounding; `wait_seconds` of the last that
             waits, `None`: for ever.
    """

    queued: int
    people: int
    nobody: bool
    wait_seconds: float | None
    misses: int


def outlook_now(floor: FloorNow, work_type: str) -> Outlook:
    """How a work type stands as the floor is, with the orders in force."""
    return _outlook(floor, work_type, _open_shares(floor, work_type), None)


def _open_shares(floor: FloorNow, work_type: str) -> dict[str, float]:
    return {team.id: 1 - floor.held_back(team, work_type) for team in floor.teams()}


def moves(terms: RerouteTerms | None, team: Team, work_type: str) -> bool:
    """What waits of this at the team leaves it."""
    return terms is not None and terms.effect in MOVES_QUEUE and holds(terms, team, work_type)


def _outlook(floor: FloorNow, work_type: str, open_share: dict[str, float], terms: RerouteTerms | None) -> Outlook:
    parts = [part for team in floor.teams() for part in _queued(floor, team, work_type)]
    people = _people(floor, work_type, open_share)
    count = sum(part.queued for part in parts)
    oldest = max((_age(floor, part) for part in parts), default=0.0)
    wait = _wait(floor, work_type, open_share, people, terms)
    late = misses(count, oldest, wait, _seconds_allowed(floor, work_type))
    return Outlook(count, round(people), people <= 0, wait, late)


def misses(count: int, oldest_seconds: float, wait_seconds: float | None, allowed_seconds: float) -> int:
    """How many of the queue end too late, if ages fall evenly from the oldest to now and waits rise evenly to the last.

    Holds:   the item at share x of the queue is `oldest * (1 - x) + wait * x` old when it is done.
    """
    if wait_seconds is None:
        return count
    slope = wait_seconds - oldest_seconds
    if slope == 0:
        return count if oldest_seconds > allowed_seconds else 0
    crossing = min(1.0, max(0.0, (allowed_seconds - oldest_seconds) / slope))
    return round(count * (1 - crossing if slope > 0 else crossing))


def _queued(floor: FloorNow, team: Team, work_type: str) -> Iterator[LoadByWorkType]:
    load = floor.load(team.id)
    if load is not None:
        yield from (part for part in load.queued if part.work_type == work_type)


def _people(floor: FloorNow, work_type: str, open_share: dict[str, float]) -> float:
    return sum(floor.able(team, work_type) * open_share[team.id] for team in floor.teams())


def _takers(floor: FloorNow, work_type: str, open_share: dict[str, float]) -> Iterator[TakerForecast]:
    for team in floor.teams():
        people = floor.able(team, work_type)
        if people and open_share[team.id] > 0:
            yield TakerForecast(team_id=team.id, people=people)


def _wait(
    floor: FloorNow, work_type: str, open_share: dict[str, float], people: float, terms: RerouteTerms | None
) -> float | None:
    """How long the last of the work type waits, when these terms are in force (none: as it is).

    Holds:   a team counts with its people and its whole backlog, both to the share to which it is open, and with all
             that comes to people who may do this, whatever it is. What stays at a team that takes nothing new is worked
             off by its own people: the last of all is the last there or the last elsewhere.
    """
    if people <= 0:
        return None
    backlog, behind = _moved_seconds(floor, work_type, open_share, terms), [0.0]
    for team in floor.teams():
        able = floor.able(team, work_type)
        if not able:
            continue
        stays = sum(
            part.standard_seconds for part in _all_queued(floor, team) if not moves(terms, team, part.work_type)
        )
        backlog += stays * open_share[team.id]
        if open_share[team.id] < 1 and not moves(terms, team, work_type) and any(_queued(floor, team, work_type)):
            behind.append(stays / able)
    return round(max(backlog / people, *behind), 1)


def _moved_seconds(floor: FloorNow, work_type: str, open_share: dict[str, float], terms: RerouteTerms | None) -> float:
    """The work that leaves its teams and comes to somebody who may do the work type."""
    if terms is None or terms.effect not in MOVES_QUEUE:
        return 0.0
    takers = [team for team in floor.teams() if open_share[team.id] > 0 and floor.able(team, work_type)]
    coming: dict[str, bool] = {}  # by work type, whether any of them takes it

    def comes(other: str) -> bool:
        if other not in coming:
            coming[other] = any(not holds(terms, team, other) and floor.able(team, other) for team in takers)
        return coming[other]

    return sum(
        part.standard_seconds
        for team in touched_teams(terms.scope, floor.teams())
        for part in _all_queued(floor, team)
        if moves(terms, team, part.work_type) and comes(part.work_type)
    )


def _all_queued(floor: FloorNow, team: Team) -> Sequence[LoadByWorkType]:
    load = floor.load(team.id)
    return () if load is None else load.queued


def _age(floor: FloorNow, part: LoadByWorkType) -> float:
    oldest = part.oldest_requested_at
    return 0.0 if oldest is None else max(0.0, (floor.now - oldest).total_seconds())


def _seconds_allowed(floor: FloorNow, work_type: str) -> float:
    """The service level less the standard time of this and the later steps; of work never heard of, an hour."""
    business_type, _, step = work_type.rpartition("/")
    template = floor.book.reference.business_types.get(business_type)
    if template is None:
        return 3600.0
    later = STEPS[STEPS.index(step) :] if step in STEPS else ()
    standard: float = sum(getattr(template.standard, name) for name in later)
    return max(0.0, template.sla_seconds - standard)
