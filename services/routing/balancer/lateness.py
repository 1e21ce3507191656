"""How long work waits at a team so full, and what of that is lateness: arrays, no solver."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.routing.balancer.terms import TIMELY_WEIGHT, WAITS

Vector = NDArray[np.float64]
Numbers = NDArray[np.int64]

SKILL_FULL: Final = 1.0
"""Up to which saturation a skill that not all of a team hold makes nobody wait."""
DEARER: Final = 4
"""So often a team's bands begin anew beyond an hour's work: where what waits becomes dearer by the most."""
NOTHING: Final = 1e-12  # saturation: work that fills no more is none
NARROW: Final = 1e-6  # saturation: a band of no more has no width
BEYOND: Final = 3.0  # saturation: over so much more the last band is taken in the mean
RISES: Final = tuple((upto, above, above - below) for (upto, below), (_, above) in pairwise(WAITS))
"""Beyond which saturation a further item waits how many minutes, and how many more than below."""


@dataclass(frozen=True, slots=True)
class Stair:
    """What an hour of work more costs each load, by the band that it falls in.

    Shape:   loads × bands, all of them.
    Units:   `begins` as saturation; `points` is what is made least, `minutes` item-minutes of lateness.
    Holds:   no band costs fewer points than the one below it, so that the lower ones are filled first; the first costs
             nothing. Bands may have no width.
    """

    begins: NDArray[np.float64]
    points: NDArray[np.float64]
    minutes: NDArray[np.float64]

    @property
    def ends(self) -> NDArray[np.float64]:
        """Up to which saturation each band goes."""
        return np.column_stack([self.begins[:, 1:], np.full(len(self.begins), np.inf)])

    def but(self, load: int, other: Stair) -> Stair:
        """The same but for one load, whose stair is the other one's first."""
        found = [of.copy() for of in (self.begins, self.points, self.minutes)]
        for of, its in zip(found, (other.begins, other.points, other.minutes), strict=True):
            of[load] = its[0]
        return Stair(*found)

    def cost(self, hours: Vector, people: Vector, each: NDArray[np.float64]) -> Vector:
        """What so many hours of work cost each load, by what `each` hour of a band does: `points` or `minutes`."""
        beyond = np.maximum(hours[:, None] - people[:, None] * self.begins, 0.0)
        return np.asarray(np.einsum("lb,lb->l", beyond, np.diff(each, prepend=0.0)))


@dataclass(frozen=True, slots=True)
class Work:
    """Pieces of work that wait, or will.

    Shape:   an entry per piece, of whichever load.
    Units:   hours; `slack` in minutes, `per_hour` in items, `cost` in points per late minute of an item.
    """

    load: Numbers
    hours: Vector
    slack: Vector
    per_hour: Vector
    cost: Vector

    def of_load(self, load: int) -> Work:
        """That of one load alone."""
        mine = self.load == load
        alone = np.zeros(np.count_nonzero(mine), dtype=np.int64)
        return Work(alone, self.hours[mine], self.slack[mine], self.per_hour[mine], self.cost[mine])


def stair_of_teams(work: Work, people: Vector) -> Stair:
    """What an hour of each team's work costs by band, by what of it may wait.

    Holds:   of what is as dear as the rest or dearer, the wait is that of a team as full as without the rest, as the desks
             let those wait for whom it costs least.
    Source:  conservation of work under priorities: whoever is served first sees the others not at all.
    """
    filled = work.hours / people[work.load]
    some = np.flatnonzero(filled > NOTHING)
    late = [late_part(wait, work.slack[some]) for _, wait, _ in RISES]
    dear = (work.per_hour * work.cost)[some] * weighed(late[-1])
    order = np.argsort(work.load[some] + dear / (1.0 + 2.0 * dear.max()), kind="stable")  # by load, by price: below 1
    pieces = some[order]
    mix = _Mix.of(work.load[pieces], filled[pieces], len(people))
    cheaper = mix.cheaper(dear[order])
    first = np.tile([0.0, *(upto for upto, _ in WAITS[:-1])], (len(people), 1))
    more = np.maximum(WAITS[0][0] + cheaper, 1.0), 1.0 + cheaper  # dearer work waits, and is left over
    begins = np.column_stack([first, np.sort(np.column_stack(more), axis=1)])
    found, per_hour, cost = np.zeros((*begins.shape, 2)), work.per_hour[pieces], work.cost[pieces]
    for part, (begin, _, rise) in zip(late, RISES, strict=True):
        each = np.column_stack([cost * weighed(part[order]), part[order]])
        found += mix.mean(each * (rise * per_hour)[:, None], begins - begin)
    return Stair(begins, np.maximum.accumulate(found[:, :, 0], axis=1), found[:, :, 1])


def stair_of_skills(slack: Vector, per_hour: Vector, cost: Vector) -> Stair:
    """What an hour of work costs that the people of each scarce skill do not do: all of it is alike.

    Shape:   an entry per skill.
    """
    wait = WAITS[-1][1]
    late = late_part(wait, slack)
    points, minutes = wait * per_hour * cost * weighed(late), wait * per_hour * late
    nothing = np.zeros(len(slack))
    return Stair(*(np.column_stack([nothing, one]) for one in (nothing + SKILL_FULL, points, minutes)))


@dataclass(frozen=True, slots=True)
class _Mix:
    """The work of teams, that of each by what its wait costs, the cheapest first.

    Shape:   `load`, `filled` and `ends` an entry per piece of work; `total`, `before` and `last` one per team.
    Units:   as saturation; `ends` and `before` as if all work of all teams lay in a row. `last` are numbers of pieces.
    """

    load: Numbers
    filled: Vector
    ends: Vector
    total: Vector
    before: Vector
    last: Numbers

    @classmethod
    def of(cls, load: Numbers, filled: Vector, teams: int) -> _Mix:
        ends, last = np.cumsum(filled), np.cumsum(np.bincount(load, minlength=teams)) - 1
        before = np.r_[0.0, ends[last][:-1]]
        return cls(load, filled, ends, ends[last] - before, before, last)

    def cheaper(self, price: Vector) -> NDArray[np.float64]:
        """How much work is cheaper than the next, where the price rises most. Shape: teams × `DEARER`; all work fills it up."""
        rises = np.where(np.diff(self.load, append=-1) == 0, np.diff(price, append=0.0), 0.0)  # behind each piece
        order = np.argsort(self.load - rises / (1.0 + 2.0 * price.max()), kind="stable")
        load = self.load[order]
        place = np.arange(len(load)) - np.flatnonzero(np.diff(load, prepend=-1))[load]
        most = (place < DEARER) & (rises[order] > 0.0)
        ends = self.ends[order] - self.before[load]
        found = np.repeat(self.total[:, None], DEARER, axis=1)
        found[load[most], place[most]] = ends[most]
        return found

    def mean(self, each: NDArray[np.float64], begins: NDArray[np.float64]) -> NDArray[np.float64]:
        """What `each` hour costs in the mean of each band's part, which is of the cheapest where the band `begins` at 0.

        Shape:   pieces × costs and teams × bands in, teams × bands × costs out.
        Holds:   the dearest stands for what a band has beyond all that there is.
        """
        ends = np.column_stack([begins, begins[:, -1] + BEYOND])
        edges = np.maximum(ends, 0.0)
        inside = np.minimum(edges, self.total[:, None])
        at = self.before[:, None] + inside
        piece = np.minimum(np.searchsorted(self.ends, at), self.last[:, None])
        behind = (
            np.cumsum(each * self.filled[:, None], axis=0)[piece] - each[piece] * (self.ends[piece] - at)[:, :, None]
        )
        cost = behind + (edges - inside)[:, :, None] * each[self.last][:, None, :]
        widths = np.diff(ends, axis=1)[:, :, None]
        return np.asarray(np.where(widths > NARROW, np.diff(cost, axis=1), 0.0) / np.maximum(widths, NARROW))


def late_part(wait: float, slack: Vector) -> Vector:
    """What part of a wait is lateness, in the mean. Units: minutes, both.

    Source:  the wait in a busy queue is about exponential, in M/M/c exactly so for whoever waits at all: of one of mean
             w, w·e^(-s/w) outlasts a slack s.
    """
    return np.asarray(np.exp(-np.maximum(slack, 0.0) / wait))


def weighed(late: Vector) -> Vector:
    """What a minute of waiting weighs of which such a part is late: the rest by `TIMELY_WEIGHT`."""
    return np.asarray(late + TIMELY_WEIGHT * (1.0 - late))
