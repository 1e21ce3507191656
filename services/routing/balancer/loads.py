"""Which team may do which work, and how full teams and their scarce skills would be with it: arrays, no solver."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.routing.balancer.terms import TIMELY_WEIGHT, WAITS, Demand, SharesByKind, TeamNow
from services.routing.kinds import may_see

Vector = NDArray[np.float64]
Numbers = NDArray[np.int64]

TEAM_BANDS: Final = (0.0, *(upto for upto, _ in WAITS[:-1]), 1.15, 1.3, 1.5, 1.75, 2.0, 2.5, 3.0)
"""Where the bands of a team's saturation begin; what is beyond the last is as in the one below."""
SKILL_BANDS: Final = (0.0, 1.0)
"""The same of a skill that not all of a team hold: only what its people cannot do in the hour waits, and all of it is alike."""
RISES: Final = tuple((upto, above, above - below) for (upto, below), (_, above) in pairwise(WAITS))
"""Beyond which saturation a further item waits how many minutes, and how many more than below."""
HOURS_MIN: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Stair:
    """What an hour of work more costs each load, by the band that it falls in.

    Shape:   an entry per band in `begins`; `points` and `minutes` loads × bands.
    Units:   `begins` as saturation; `points` is what is made least, `minutes` item-minutes of lateness.
    Holds:   no band costs less than the one below it, so that the lower ones are filled first.
    """

    begins: tuple[float, ...]
    points: NDArray[np.float64]
    minutes: NDArray[np.float64]

    @property
    def ends(self) -> tuple[float, ...]:
        """Up to which saturation each band goes."""
        return *self.begins[1:], float("inf")

    def cost(self, hours: Vector, people: Vector, each: NDArray[np.float64]) -> Vector:
        """What so many hours of work cost each load, by what `each` hour of a band does: `points` or `minutes`."""
        beyond = np.maximum(hours[:, None] - people[:, None] * self.begins, 0.0)
        return np.asarray(np.einsum("lb,lb->l", beyond, np.diff(each, prepend=0.0)))


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

    def late_minutes(self, hours: Vector, joined: Vector | float = 0.0) -> Vector:
        """How late they are expected to be, when somebody has joined. Units: item-minutes."""
        return self.stair.cost(hours, self.people + joined, self.stair.minutes)

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
        costs = np.array([demand.cost for demand in self.demands])[self.demand]
        numbers, of_pair = np.unique(self.team, return_inverse=True)
        mine = [self.teams[number] for number in numbers.tolist()]
        people = np.array([team.people for team in mine])
        return Loads(
            numbers,
            [None] * len(mine),
            people,
            np.array([team.waiting for team in mine]),
            np.bincount(of_pair, self.items * costs) / np.bincount(of_pair, self.items),
            self._mixed(of_pair, people),
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
        np.maximum.at(cost, group, np.array([demand.cost for demand in self.demands])[self.demand[scarce]])
        slack = np.full(len(groups), np.inf)
        np.minimum.at(slack, group, self._slack[scarce])
        pair = scarce[first]
        wait, per_hour = WAITS[-1][1], 3600.0 / self.skills.seconds[pair]
        late = late_part(wait, slack)
        each = [wait * per_hour * cost * weighed(late), wait * per_hour * late]
        return Loads(
            groups // len(types),
            [types[number] for number in (groups % len(types)).tolist()],
            self.skills.people[pair],
            self.skills.waiting[pair],
            cost,
            Stair(SKILL_BANDS, *(np.column_stack([np.zeros(len(one)), one]) for one in each)),
            of_pair,
        )

    def _types(self) -> tuple[list[str], Numbers]:
        """The work types by name, and the number of each pair's."""
        types = sorted({demand.kind.work_type for demand in self.demands})
        place = {name: number for number, name in enumerate(types)}
        return types, np.array([place[demand.kind.work_type] for demand in self.demands], dtype=np.int64)[self.demand]

    @property
    def _slack(self) -> Vector:
        """How long what comes of each pair may wait. Units: minutes."""
        return np.array([demand.slack for demand in self.demands])[self.demand]

    def _mixed(self, team: Numbers, people: Vector) -> Stair:
        """What an hour of each team's work costs by band, by what of it may wait.

        Holds:   of what is as dear as the rest or dearer, the wait is that of a team as full as without the rest, as the
                 desks let those wait for whom it costs least. Reckoned with is what waits at the team, its slack less by
                 its age, and what comes, as if each kind came to the teams that may do it by their people, so that it stands
                 still when shares move.
        Source:  conservation of work under priorities: whoever is served first sees the others not at all.
        """
        costs = np.array([demand.cost for demand in self.demands])[self.demand]
        coming = self.hours * people[team] / np.bincount(self.demand, people[team])[self.demand]
        types, type_of = self._types()
        _, alike = np.unique(team * len(types) + type_of, return_inverse=True)  # pairs whose work waits as one
        waiting = self.skills.waiting * self.hours / np.maximum(np.bincount(alike, self.hours), HOURS_MIN)[alike]
        slack = np.concatenate([self._slack, self._slack - self.skills.age])
        per_hour, costs, load = (np.tile(one, 2) for one in (3600.0 / self.skills.seconds, costs, team))
        filled = np.concatenate([coming, waiting]) / people[load]
        late = [late_part(wait, slack) for _, wait, _ in RISES]
        dear = per_hour * costs * weighed(late[-1])
        order = np.argsort(load + dear / (1.0 + 2.0 * dear.max()), kind="stable")  # by load, then by price: below 1
        total = np.bincount(load, filled).astype(np.float64)
        mix = _Mix(filled[order], total, np.cumsum(np.bincount(load)) - 1)
        shape = len(people), len(TEAM_BANDS)
        points, minutes = np.zeros(shape), np.zeros(shape)
        for part, (begins, _, rise) in zip(late, RISES, strict=True):
            points += mix.mean((rise * per_hour * costs * weighed(part))[order], begins)
            minutes += mix.mean((rise * per_hour * part)[order], begins)
        return Stair(TEAM_BANDS, np.maximum.accumulate(points, axis=1), minutes)


@dataclass(frozen=True, slots=True)
class _Mix:
    """The work of teams, that of each by what its wait costs, the cheapest first.

    Shape:   `filled` an entry per piece of work; `total` and `last`, the number of its last piece, one per team.
    Units:   as saturation.
    """

    filled: Vector
    total: Vector
    last: Numbers

    def mean(self, each: Vector, begins: float) -> NDArray[np.float64]:
        """What `each` hour costs in the mean of each band's part, which begins with the cheapest at this saturation.

        Shape:   teams × bands. Holds: the dearest stands for what a band has beyond all that there is.
        """
        edges = np.maximum(np.array((*TEAM_BANDS, 2 * TEAM_BANDS[-1])) - begins, 0.0)
        inside = np.minimum(edges, self.total[:, None])
        before = np.cumsum(self.total) - self.total
        sums, ends = (np.r_[0.0, np.cumsum(one)] for one in (each * self.filled, self.filled))
        cost = np.interp(before[:, None] + inside, ends, sums) + (edges - inside) * each[self.last][:, None]
        widths = np.diff((*TEAM_BANDS, 2 * TEAM_BANDS[-1]))
        return np.asarray(np.diff(cost, axis=1) / widths)


def late_part(wait: float, slack: Vector) -> Vector:
    """What part of a wait is lateness, in the mean. Units: minutes, both.

    Source:  the wait in a busy queue is about exponential, in M/M/c exactly so for whoever waits at all: of one of mean
             w, w·e^(-s/w) outlasts a slack s.
    """
    return np.asarray(np.exp(-np.maximum(slack, 0.0) / wait))


def weighed(late: Vector) -> Vector:
    """What a minute of waiting weighs of which such a part is late: the rest by `TIMELY_WEIGHT`."""
    return np.asarray(late + TIMELY_WEIGHT * (1.0 - late))


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
