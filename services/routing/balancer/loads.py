"""Which team may do which work, and how full teams and their scarce skills would be with it: arrays, no solver."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.routing.balancer.terms import BANDS, Demand, SharesByKind, TeamNow
from services.routing.kinds import may_see

Vector = NDArray[np.float64]
Numbers = NDArray[np.int64]

SCARCE: Final = ((1.0, 0.0), BANDS[-1])
"""As `BANDS`, of a skill that not all of a team hold: only what its people cannot do in the hour waits."""
HOURS_MIN: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Loads:
    """What can be full: teams, or the scarce skills in them.

    Shape:   one entry per load, by team and work type; `of_pair` one per pair, -1 where the pair fills none of these.
    Units:   `people` and `waiting` in hours; `hour_late` in points for each minute that an hour of work waits.
    """

    team: Numbers
    work_type: Sequence[str | None]
    people: Vector
    waiting: Vector
    cost: Vector
    hour_late: Vector
    of_pair: Numbers
    bands: tuple[tuple[float, float], ...]

    def hours(self, pairs: Pairs, shares: Vector) -> Vector:
        """The hours of work of each load with these shares, what waits included."""
        mine = self.of_pair >= 0
        given = np.bincount(self.of_pair[mine], (pairs.hours * shares)[mine], len(self.people))
        return self.waiting + given

    def filled(self, hours: Vector) -> Vector:
        """How full each load is."""
        return np.asarray(hours / self.people)

    def late(self, hours: Vector) -> Vector:
        """What so many hours of work are expected to cost each. Units: points."""
        total, below = np.zeros(len(self)), 0.0
        for upto, minutes in self.bands:
            within = np.clip(hours - below * self.people, 0.0, (upto - below) * self.people)
            total += minutes * within * self.hour_late
            below = upto
        return total

    def __len__(self) -> int:
        return len(self.people)


@dataclass(frozen=True, slots=True)
class Pairs:
    """Each kind of work with each team that may do it.

    Shape:   one entry per pair, by kind, then by team.
    Units:   `hours` of work, if the team got all of the kind.
    """

    demands: Sequence[Demand]
    teams: Sequence[TeamNow]
    demand: Numbers
    team: Numbers
    hours: Vector
    items: Vector  # of the pair's whole kind
    skills: Skills

    @classmethod
    def of(cls, demands: Sequence[Demand], teams: Sequence[TeamNow]) -> Pairs:
        """The pairs of demands in the order of their kinds and teams in the order of their names."""
        found = np.fromiter(chain.from_iterable(_pairs(demands, teams)), dtype=float).reshape(-1, 5)
        demand, team = found[:, 0].astype(np.int64), found[:, 1].astype(np.int64)
        order = np.lexsort((team, demand))
        demand, team, (people, seconds, waiting) = demand[order], team[order], found[order, 2:].T.copy()
        items = np.array([demand.items for demand in demands])[demand]
        return cls(demands, teams, demand, team, items * seconds / 3600.0, items, Skills(people, seconds, waiting))

    def __len__(self) -> int:
        return len(self.hours)

    def shares(self, by_kind: SharesByKind) -> Vector:
        """Shares by name, as an entry per pair."""
        place = {team.team_id: number for number, team in enumerate(self.teams)}
        found = np.zeros((len(self.demands), len(self.teams)))
        for row, demand in enumerate(self.demands):
            for team_id, share in by_kind.get(demand.kind, {}).items():
                if team_id in place:
                    found[row, place[team_id]] = share
        return np.asarray(found[self.demand, self.team])

    def by_kind(self, shares: Vector, worth: float) -> SharesByKind:
        """Shares by name, those below `worth` left out, summing to 1."""
        found: dict[int, dict[str, float]] = {}
        for pair in np.flatnonzero(shares > worth).tolist():
            by_team = found.setdefault(int(self.demand[pair]), {})
            by_team[self.teams[int(self.team[pair])].team_id] = float(shares[pair])
        return {self.demands[demand].kind: _summing_to_one(by_team) for demand, by_team in found.items()}

    def whole_teams(self) -> Loads:
        """The teams that may do any of the work, as loads."""
        costs = np.array([demand.cost for demand in self.demands])[self.demand]
        numbers, of_pair = np.unique(self.team, return_inverse=True)
        items = np.bincount(of_pair, self.items)
        cost = np.bincount(of_pair, self.items * costs) / items
        per_hour = items / np.maximum(np.bincount(of_pair, self.hours), HOURS_MIN)
        mine = [self.teams[number] for number in numbers.tolist()]
        return Loads(
            numbers,
            [None] * len(mine),
            np.array([team.people for team in mine]),
            np.array([team.waiting for team in mine]),
            cost,
            per_hour * cost,
            of_pair,
            BANDS,
        )

    def scarce_skills(self) -> Loads:
        """The work types that only some of a team's people hold, as loads."""
        types = sorted({demand.kind.work_type for demand in self.demands})
        place = {name: number for number, name in enumerate(types)}
        type_of = np.array([place[demand.kind.work_type] for demand in self.demands], dtype=np.int64)
        scarce = np.flatnonzero(self.skills.people < np.array([team.people for team in self.teams])[self.team])
        keys = self.team[scarce] * len(types) + type_of[self.demand[scarce]]
        groups, first, group = np.unique(keys, return_index=True, return_inverse=True)
        of_pair = np.full(len(self), -1, dtype=np.int64)
        of_pair[scarce] = group
        cost = np.zeros(len(groups))
        np.maximum.at(cost, group, np.array([demand.cost for demand in self.demands])[self.demand[scarce]])
        pair = scarce[first]
        return Loads(
            groups // len(types),
            [types[number] for number in (groups % len(types)).tolist()],
            self.skills.people[pair],
            self.skills.waiting[pair],
            cost,
            3600.0 / self.skills.seconds[pair] * cost,
            of_pair,
            SCARCE,
        )


def _summing_to_one(shares: Mapping[str, float]) -> Mapping[str, float]:
    total = sum(shares.values())
    return {name: share / total for name, share in shares.items()}


@dataclass(frozen=True, slots=True)
class Skills:
    """Of each pair, who holds its work type in its team. Units: people, seconds per item, hours."""

    people: Vector
    seconds: Vector
    waiting: Vector


def _pairs(demands: Sequence[Demand], teams: Sequence[TeamNow]) -> Iterator[tuple[int, int, float, float, float]]:
    """Number of the demand, number of the team, and the skill's people, seconds and waiting hours."""
    asked: dict[str, list[int]] = {}
    for number, demand in enumerate(demands):
        asked.setdefault(demand.kind.work_type, []).append(number)
    seen: dict[tuple[bool, frozenset[str]], Mapping[str, Sequence[int]]] = {}
    for number, team in enumerate(teams):
        sees = team.outside, team.data_classes
        if sees not in seen:
            seen[sees] = {
                work_type: [one for one in numbers if may_see(demands[one].kind, *sees)]
                for work_type, numbers in asked.items()
            }
        may_see_of, barred = seen[sees], team.barred
        for work_type, (people, seconds, waiting) in team.skills.items():
            for one in may_see_of.get(work_type, ()):
                if not barred or demands[one].kind not in barred:
                    yield one, number, people, seconds, waiting
