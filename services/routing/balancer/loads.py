"""Which team may do which work, and how full teams and their scarce skills would be with it: arrays, no solver."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

import numpy as np

from services.routing.balancer.lateness import Numbers, Stair, Vector, Work, stair_of_skills, stair_of_teams
from services.routing.balancer.terms import Demand, SharesByKind, TeamNow
from services.routing.kinds import may_see

HOURS_MIN: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Loads:
    """What can be full: teams, or the scarce skills in them.

    Shape:   one entry per load, by team and work type; `of_pair` one per pair, -1 where the pair fills none of these.
    Units:   `people` and `waiting` in hours; `cost` in points per late minute, in the mean.
    """

    team: Numbers
    work_type: Sequence[str | None]
    people: Vector
    waiting: Vector
    cost: Vector
    stair: Stair
    of_pair: Numbers

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
        return self.stair.cost(hours, self.people, self.stair.points)

    def late_minutes(self, hours: Vector) -> Vector:
        """How late they are expected to be. Units: item-minutes."""
        return self.stair.cost(hours, self.people, self.stair.minutes)

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
        found = np.fromiter(chain.from_iterable(_pairs(demands, teams)), dtype=float).reshape(-1, 6)
        demand, team = found[:, 0].astype(np.int64), found[:, 1].astype(np.int64)
        order = np.lexsort((team, demand))
        demand, team, skills = demand[order], team[order], Skills(*found[order, 2:].T.copy())
        items = np.array([demand.items for demand in demands])[demand]
        return cls(demands, teams, demand, team, items * skills.seconds / 3600.0, items, skills)

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
        numbers, of_pair = np.unique(self.team, return_inverse=True)
        mine = [self.teams[number] for number in numbers.tolist()]
        people = np.array([team.people for team in mine])
        return Loads(
            numbers,
            [None] * len(mine),
            people,
            np.array([team.waiting for team in mine]),
            np.bincount(of_pair, self.items * self._cost) / np.bincount(of_pair, self.items),
            stair_of_teams(self.work_of(of_pair), people),
            of_pair,
        )

    def scarce_skills(self) -> Loads:
        """The work types that only some of a team's people hold, as loads."""
        types, type_of = self._types()
        scarce = np.flatnonzero(self.skills.people < np.array([team.people for team in self.teams])[self.team])
        keys = self.team[scarce] * len(types) + type_of[scarce]
        groups, first, group = np.unique(keys, return_index=True, return_inverse=True)
        of_pair = np.full(len(self), -1, dtype=np.int64)
        of_pair[scarce] = group
        cost = np.zeros(len(groups))
        np.maximum.at(cost, group, self._cost[scarce])
        slack = np.full(len(groups), np.inf)
        np.minimum.at(slack, group, self._slack[scarce])
        pair = scarce[first]
        return Loads(
            groups // len(types),
            [types[number] for number in (groups % len(types)).tolist()],
            self.skills.people[pair],
            self.skills.waiting[pair],
            cost,
            stair_of_skills(slack, 3600.0 / self.skills.seconds[pair], cost),
            of_pair,
        )

    def _types(self) -> tuple[list[str], Numbers]:
        """The work types by name, and the number of each pair's."""
        types = sorted({demand.kind.work_type for demand in self.demands})
        place = {name: number for number, name in enumerate(types)}
        return types, np.array([place[demand.kind.work_type] for demand in self.demands], dtype=np.int64)[self.demand]

    @property
    def _cost(self) -> Vector:
        """Of each pair. Units: points per late minute."""
        return np.array([demand.cost for demand in self.demands])[self.demand]

    @property
    def _slack(self) -> Vector:
        """How long what comes of each pair may wait. Units: minutes."""
        return np.array([demand.slack for demand in self.demands])[self.demand]

    def work_of(self, team: Numbers) -> Work:
        """What may come to each team, and what waits there.

        Holds:   what comes is reckoned as if each kind came to all teams that may do it evenly, so that it stands still when
                 shares and people move. What waits has less slack by its age; of a kind that nobody there may do, or that
                 was not heard of, it is taken to be in time.
        """
        coming = self.hours / np.bincount(self.demand)[self.demand]
        types, type_of = self._types()
        _, alike = np.unique(team * len(types) + type_of, return_inverse=True)  # pairs whose work waits as one
        waiting = self.skills.waiting * self.hours / np.maximum(np.bincount(alike, self.hours), HOURS_MIN)[alike]
        numbers = np.unique(self.team)
        others = np.array([self.teams[number].waiting for number in numbers.tolist()]) - np.bincount(team, waiting)
        nothing = np.zeros(len(numbers))
        return Work(
            load=np.concatenate([team, team, np.arange(len(numbers))]),
            hours=np.concatenate([coming, waiting, np.maximum(others, 0.0)]),
            slack=np.concatenate([self._slack, self._slack - self.skills.age, nothing + np.inf]),
            per_hour=np.concatenate([3600.0 / self.skills.seconds, 3600.0 / self.skills.seconds, nothing]),
            cost=np.concatenate([self._cost, self._cost, nothing]),
        )


def _summing_to_one(shares: Mapping[str, float]) -> Mapping[str, float]:
    total = sum(shares.values())
    return {name: share / total for name, share in shares.items()}


@dataclass(frozen=True, slots=True)
class Skills:
    """Of each pair, who holds its work type in its team, and what waits. Units: people, seconds per item, hours, minutes."""

    people: Vector
    seconds: Vector
    waiting: Vector
    age: Vector


def _pairs(
    demands: Sequence[Demand], teams: Sequence[TeamNow]
) -> Iterator[tuple[int, int, float, float, float, float]]:
    """Number of the demand, number of the team, and the skill."""
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
        for work_type, skill in team.skills.items():
            for one in may_see_of.get(work_type, ()):
                if not barred or demands[one].kind not in barred:
                    yield one, number, *skill
