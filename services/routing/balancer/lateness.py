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

TEAM_BANDS: Final = (0.0, *(upto for upto, _ in WAITS[:-1]), 1.15, 1.3, 1.5, 1.75, 2.0, 2.5, 3.0)
"""Where the bands of a team's saturation begin; what is beyond the last is as in the one below."""
SKILL_BANDS: Final = (0.0, 1.0)
"""The same of a skill that not all of a team hold: only what its people cannot do in the hour waits, and all of it is alike."""
RISES: Final = tuple((upto, above, above - below) for (upto, below), (_, above) in pairwise(WAITS))
"""Beyond which saturation a further item waits how many minutes, and how many more than below."""


@dataclass(frozen=True, slots=True)
class Stair:
    """What an hour of work more costs each load, by the band that it falls in.

    Shape:   an entry per band in `begins`; `points` and `minutes` loads × bands.
    Units:   `begins` as saturation; `points` is what is made least, `minutes` item-minutes of lateness.
    Holds:   no band costs fewer points than the one below it, so that the lower ones are filled first.
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


def stair_of_teams(work: Work, people: Vector) -> Stair:
    """What an hour of each team's work costs by band, by what of it may wait.

    Holds:   of what is as dear as the rest or dearer, the wait is that of a team as full as without the rest, as the desks
             let those wait for whom it costs least.
    Source:  conservation of work under priorities: whoever is served first sees the others not at all.
    """
    late = [late_part(wait, work.slack) for _, wait, _ in RISES]
    dear = work.per_hour * work.cost * weighed(late[-1])
    order = np.argsort(work.load + dear / (1.0 + 2.0 * dear.max()), kind="stable")  # by load, then by price: below 1
    filled = work.hours / people[work.load]
    total = np.bincount(work.load, filled).astype(np.float64)
    mix = _Mix(filled[order], total, np.cumsum(np.bincount(work.load)) - 1)
    shape = len(people), len(TEAM_BANDS)
    points, minutes = np.zeros(shape), np.zeros(shape)
    for part, (begins, _, rise) in zip(late, RISES, strict=True):
        points += mix.mean((rise * work.per_hour * work.cost * weighed(part))[order], begins)
        minutes += mix.mean((rise * work.per_hour * part)[order], begins)
    return Stair(TEAM_BANDS, np.maximum.accumulate(points, axis=1), minutes)


def stair_of_skills(slack: Vector, per_hour: Vector, cost: Vector) -> Stair:
    """What an hour of work costs that the people of each scarce skill do not do. Shape: an entry per skill."""
    wait = WAITS[-1][1]
    late = late_part(wait, slack)
    points, minutes = wait * per_hour * cost * weighed(late), wait * per_hour * late
    return Stair(SKILL_BANDS, *(np.column_stack([np.zeros(len(one)), one]) for one in (points, minutes)))


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
