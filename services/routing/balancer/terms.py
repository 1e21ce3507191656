"""What the programme is asked, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from services.routing.kinds import Kind, may_see

Reason = Literal["centre_maximum", "provider_minimum", "provider_maximum", "nobody_eligible"]
SharesByKind = Mapping[Kind, Mapping[str, float]]

WAITS: Final[tuple[tuple[float, float], ...]] = ((0.7, 0.0), (0.85, 0.2), (0.95, 1.0), (1.0, 5.0), (float("inf"), 30.0))
"""Up to which saturation of a team a further item costs how many minutes of waiting in the hour, in the mean. Beyond an hour's
work it is half an hour: whoever ends more items through the hour takes each off the queue so much sooner. Queues grow before
a team is full, so the last hours cost before that. What of it is lateness follows from the slack (`lateness.late_part`)."""

TIMELY_WEIGHT: Final = 0.01
"""What a minute of waiting weighs that makes nobody late, against a late one: so little that it only decides between ways by
which as much is late, and no team is filled while another that could do the work at once stands idle."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What of one kind of work comes in the hour.

    Units:   items per hour; `cost` in points per late minute; `slack` is how many minutes an item may wait, when it comes,
             and still be in time over all the steps behind it.
    """

    kind: Kind
    items: float
    cost: float = 1.0
    slack: float = 0.0


class Skill(NamedTuple):
    """A team's people for one work type, how long they take, and what waits.

    Units:   people, seconds per item, hours; `age` in minutes, of what waits in the mean.
    """

    people: float
    seconds: float
    waiting: float = 0.0
    age: float = 0.0


@dataclass(frozen=True, slots=True)
class TeamNow:
    """A team that is open. Units: people in the mean of the hour; `waiting` in hours of work that it has already."""

    team_id: str
    provider_id: str
    centre_id: str
    people: float
    skills: Mapping[str, Skill]
    waiting: float = 0.0
    outside: bool = False
    data_classes: frozenset[str] = frozenset({"internal"})
    barred: frozenset[Kind] = frozenset()  # a reroute holds it away

    def may_do(self, kind: Kind) -> bool:
        """Somebody of the team holds the work type, and its provider may see the work."""
        seen = may_see(kind, self.outside, self.data_classes)
        return seen and kind.work_type in self.skills and kind not in self.barred


@dataclass(frozen=True, slots=True)
class Bounds:
    """Shares of all work, counted in items: what contracts promise and what the bank allows. Units: 0 to 1."""

    provider_minimum: Mapping[str, float] = field(default_factory=dict)
    provider_maximum: Mapping[str, float] = field(default_factory=dict)
    centre_maximum: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Relaxed:
    """A bound that could not be kept, and by how much of all work (for `nobody_eligible`: items per hour)."""

    reason: Reason
    name: str
    by: float


@dataclass(frozen=True, slots=True)
class Hurt:
    """What one more person would save. Units: item-minutes of lateness in the hour; `worth` in points, as `tardiness` is."""

    team_id: str
    work_type: str | None
    saves: float
    worth: float


@dataclass(frozen=True, slots=True)
class Shares:
    """The answer.

    Holds:   the shares of a kind sum to 1, or it is relaxed as `nobody_eligible` and has none; `saturation` is of the
             fullest team or scarce skill; `hurts` the most first.
    Units:   `tardiness` in points, which is what is made least, what waits without being late included (`TIMELY_WEIGHT`);
             `late_minutes` are expected item-minutes of lateness in the hour.
    """

    by_kind: SharesByKind
    by_team: Mapping[str, float]
    saturation: float
    tardiness: float
    late_minutes: float = 0.0
    relaxed: tuple[Relaxed, ...] = ()
    hurts: tuple[Hurt, ...] = ()
