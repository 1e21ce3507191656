"""How each work type would stand when the floor's queues are worked off: who may take it, how long it waits, what is late.

A fluid calculation by sorts of work: of each sort of a work type (`sorts.py`) only those count who may be given it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from services.routing.emergency.floor import FloorNow, holds, of_class
from services.routing.kinds import Kind
from shared.contracts.reference import Team
from shared.contracts.reroute import RerouteScope, RerouteTerms, TakerForecast
from shared.contracts.routing import LoadByWorkType
from shared.reroutes import MOVES_QUEUE

WHOLE: Final = RerouteScope()
STEPS: Final = ("entry", "arbitration", "review", "authorisation")


@dataclass(frozen=True, slots=True)
class SortOutlook:
    """How one sort of a work type stands.

    Units:   items of it that wait, and of those the `stranded` ones, which nobody works off where they lie, by the
             proportions of the work type; `kept` from everybody who could do it, a share of what comes; people; seconds
             that the last of it waits, `None`: for ever, and that the last of what is worked off where it lies waits.
    """

    queued: float
    stranded: float
    kept: float
    people: float
    wait_seconds: float | None
    there_seconds: float


@dataclass(frozen=True, slots=True)
class Outlook:
    """How a work type stands when teams are open for it to some shares.

    Units:   `people` present and able, rounded; `nobody` is told before rounding; `wait_seconds` of the last that
             waits, `None`: for ever. `moves` of the `queued` leave their teams.
    Holds:   a sort that nobody may be given waits for ever, whoever is there for the others; `grade` is the highest of
             those people.
    """

    queued: int
    moves: int
    people: int
    nobody: bool
    wait_seconds: float | None
    misses: int
    takers: tuple[TakerForecast, ...]
    sorts: Mapping[Kind, SortOutlook]
    grade: int


class Prospect:
    """The floor as it is, or with terms in force.

    Holds:   what all its work types have in common is worked out once; of a `scope` that narrows by data class or region
             only what it means is looked at, as far as sorts and the number of branches tell.
    """

    def __init__(self, floor: FloorNow, terms: RerouteTerms | None = None, scope: RerouteScope = WHOLE) -> None:
        self._floor: Final = floor
        self._terms: Final = terms
        self._scope: Final = scope
        self._part: Final = floor.region_share(scope.regions)
        self._teams: Final = floor.teams()
        self._takers: Final[dict[Kind, frozenset[str]]] = {}

    def outlook(self, work_type: str) -> Outlook:
        """How one work type stands."""
        kinds = [kind for kind in self._floor.mix(work_type) if of_class(self._scope, kind)]
        open_to = {kind: {team.id: self._open_share(team, kind) for team in self._teams} for kind in kinds}
        open_share = {team.id: self._most_open(team, open_to) for team in self._teams}
        parts = [(team, part) for team in self._teams for part in _queued(self._floor, team, work_type)]
        oldest = max((_age(self._floor, part) for _, part in parts), default=0.0)
        allowed = seconds_allowed(self._floor, work_type)
        sorts = {kind: self._sort(kind, parts, open_to[kind]) for kind in kinds}
        takers = [
            TakerForecast(team_id=team.id, people=able)
            for team in self._teams
            if open_share[team.id] > 0 and (able := max(self._floor.able_for(team, kind) for kind in kinds)) > 0
        ]
        people = sum(taker.people * open_share[taker.team_id] for taker in takers)
        return Outlook(
            queued=round(sum(sort.queued for sort in sorts.values())),
            moves=round(sum(part.queued * self._moving(team, work_type) for team, part in parts)),
            people=round(people),
            nobody=people <= 0,
            wait_seconds=_longest(sorts.values()),
            misses=round(sum(_late(sort, oldest, allowed) for sort in sorts.values())),
            takers=tuple(takers),
            sorts=sorts,
            grade=max(
                (self._floor.highest_grade(team, work_type) for team in self._teams if open_share[team.id] > 0),
                default=-1,
            ),
        )

    def _open_share(self, team: Team, kind: Kind) -> float:
        kept, terms = self._kept_share(team, kind), self._terms
        return min(kept, 1 - terms.percent / 100) if terms is not None and holds(terms, team, kind) else kept

    def _kept_share(self, team: Team, kind: Kind) -> float:
        """To what share the team is open but for these terms."""
        return 1 - self._floor.held_back(team, kind, self._scope.regions)

    def _most_open(self, team: Team, open_to: Mapping[Kind, Mapping[str, float]]) -> float:
        """The share to which the team is open for some sort that its people may be given."""
        shares = (by_team[team.id] for kind, by_team in open_to.items() if self._floor.able_for(team, kind))
        return max(shares, default=0.0)

    def _moving(self, team: Team, work_type: str) -> float:
        """What part of the work type leaves of what waits at the team: of the regions that are meant, all that is held."""
        if self._terms is None or self._terms.effect not in MOVES_QUEUE:
            return 0.0
        mix = self._floor.mix_at(team, work_type).items()
        return self._part * sum(share for kind, share in mix if moves(self._terms, team, kind))

    def _sort(
        self, kind: Kind, parts: Sequence[tuple[Team, LoadByWorkType]], open_share: Mapping[str, float]
    ) -> SortOutlook:
        able = {team.id: count for team in self._teams if (count := self._floor.able_for(team, kind)) > 0}
        people = sum(count * open_share[team_id] for team_id, count in able.items())
        kept = 1.0 - max((open_share[team_id] for team_id in able), default=0.0)
        mixes = [(team, part.queued * self._floor.mix_at(team, kind.work_type).get(kind, 0.0)) for team, part in parts]
        there = [(team, items * self._part) for team, items in mixes]
        queued = sum(items for _, items in there)
        stranded = kept * sum(items for team, items in there if not self._worked_off(kind, team))
        there_seconds = max(self._there(kind, able, [team for team, items in there if items > 0]), default=0.0)
        wait = self._wait(kind, able, open_share, there_seconds)
        if wait is None and queued > stranded == 0:  # nothing new comes to anybody; what lies there has its people
            wait = round(there_seconds, 1)
        return SortOutlook(queued, stranded, kept, people, wait, there_seconds)

    def _worked_off(self, kind: Kind, team: Team) -> bool:
        """What lies there of the sort stays, and has somebody there."""
        return not moves(self._terms, team, kind) and self._floor.able_for(team, kind) > 0

    def _there(self, kind: Kind, able: Mapping[str, int], holding: Sequence[Team]) -> Iterator[float]:
        """How long what stays at a team is worked off by its own people, however much of what is new the team takes."""
        for team in holding:
            if team.id in able and not moves(self._terms, team, kind):
                yield self._stays[team.id] / able[team.id]

    def _wait(
        self, kind: Kind, able: Mapping[str, int], open_share: Mapping[str, float], there_seconds: float
    ) -> float | None:
        """How long the last of the sort waits: the last where it lies, or the last of all if all were shared out evenly.

        Holds:   terms that move nothing that waits leave what lies at a team to wait as long as without them, and make nothing
                 sooner; what comes goes to fewer, so that all waits longer by as much as sharing out takes those longer.
        """
        pooled = self._pooled(able, open_share)
        if pooled is None:
            return None
        if self._terms is None or self._terms.effect in MOVES_QUEUE:
            return round(max(pooled, there_seconds), 1)
        before = self._pooled(able, {team.id: self._kept_share(team, kind) for team in self._teams}) or 0.0
        return round(max(before, there_seconds) + max(0.0, pooled - before), 1)

    def _pooled(self, able: Mapping[str, int], open_share: Mapping[str, float]) -> float | None:
        """How long all that waits takes those who take of it, shared out evenly; `None` where nobody does.

        Holds:   a team counts with its people and its whole backlog, both to the share to which it is open, and with all
                 that comes to people who may do this, whatever it is.
        """
        people = sum(count * open_share[team_id] for team_id, count in able.items())
        if people <= 0:
            return None
        takers = frozenset(team_id for team_id in able if open_share[team_id] > 0)
        backlog = sum(seconds for other, seconds in self._leaves.items() if not takers.isdisjoint(self._takes(other)))
        backlog += sum(self._stays[team_id] * open_share[team_id] for team_id in able)
        return backlog / people

    @cached_property
    def _leaves(self) -> Mapping[Kind, float]:
        """The work that leaves its teams, in standard seconds by sort."""
        found: dict[Kind, float] = {}
        for team in self._teams if self._terms is not None and self._terms.effect in MOVES_QUEUE else ():
            for part in _all_queued(self._floor, team):
                for kind, share in self._floor.mix_at(team, part.work_type).items():
                    if moves(self._terms, team, kind):
                        found[kind] = found.get(kind, 0.0) + part.standard_seconds * share * self._part
        return found

    @cached_property
    def _stays(self) -> Mapping[str, float]:
        """The work that stays where it is, in standard seconds by team."""
        return {
            team.id: sum(
                part.standard_seconds * (1.0 - self._moving(team, part.work_type))
                for part in _all_queued(self._floor, team)
            )
            for team in self._teams
        }

    def _takes(self, kind: Kind) -> frozenset[str]:
        """The teams to which work of the sort comes that leaves others."""
        known = self._takers.get(kind)
        if known is None:
            terms = self._terms
            known = self._takers[kind] = frozenset(
                team.id
                for team in self._teams
                if not (terms is not None and holds(terms, team, kind)) and self._floor.able_for(team, kind)
            )
        return known


def moves(terms: RerouteTerms | None, team: Team, kind: Kind) -> bool:
    """What waits of this sort at the team leaves it."""
    return terms is not None and terms.effect in MOVES_QUEUE and holds(terms, team, kind)


def _late(sort: SortOutlook, oldest_seconds: float, allowed_seconds: float) -> float:
    """How many of the sort end too late.

    Holds:   what nobody may be given and nobody works off where it lies is late, whoever is there for the rest.
    """
    wait_seconds = sort.there_seconds if sort.wait_seconds is None else sort.wait_seconds
    return sort.stranded + misses(sort.queued - sort.stranded, oldest_seconds, wait_seconds, allowed_seconds)


def _longest(sorts: Iterable[SortOutlook]) -> float | None:
    """How long the last waits. Holds: where nothing waits, sorts that have nobody say nothing beside those that have."""
    told = list(sorts)
    those = [sort for sort in told if sort.queued > 0] or [sort for sort in told if sort.people > 0]
    waits = [sort.wait_seconds for sort in those]
    return None if not waits or None in waits else max(wait for wait in waits if wait is not None)


def misses(count: float, oldest_seconds: float, wait_seconds: float | None, allowed_seconds: float) -> float:
    """How many of the queue end too late, if ages fall evenly from the oldest to now and waits rise evenly to the last.

    Holds:   the item at share x of the queue is `oldest * (1 - x) + wait * x` old when it is done.
    """
    if wait_seconds is None:
        return count
    slope = wait_seconds - oldest_seconds
    if slope == 0:
        return count if oldest_seconds > allowed_seconds else 0.0
    crossing = min(1.0, max(0.0, (allowed_seconds - oldest_seconds) / slope))
    return count * (1 - crossing if slope > 0 else crossing)


def _queued(floor: FloorNow, team: Team, work_type: str) -> Iterator[LoadByWorkType]:
    load = floor.load(team.id)
    if load is not None:
        yield from (part for part in load.queued if part.work_type == work_type)


def _all_queued(floor: FloorNow, team: Team) -> Sequence[LoadByWorkType]:
    load = floor.load(team.id)
    return () if load is None else load.queued


def _age(floor: FloorNow, part: LoadByWorkType) -> float:
    oldest = part.oldest_requested_at
    return 0.0 if oldest is None else max(0.0, (floor.now - oldest).total_seconds())


def seconds_allowed(floor: FloorNow, work_type: str) -> float:
    """The service level less the standard time of this and the later steps; of work never heard of, an hour."""
    business_type, _, step = work_type.rpartition("/")
    template = floor.book.reference.business_types.get(business_type)
    if template is None:
        return 3600.0
    later = STEPS[STEPS.index(step) :] if step in STEPS else ()
    standard: float = sum(getattr(template.standard, name) for name in later)
    return max(0.0, template.sla_seconds - standard)
