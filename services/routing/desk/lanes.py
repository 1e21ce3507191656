"""The waiting items of one work type in the orders in which they are looked at, and what bounds their slopes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

from sortedcontainers import SortedList

from services.routing.delay import DelayTerms

SECOND: Final = 1_000_000  # microseconds

Turn = tuple[int, int, str]  # latest start, requested at (both microseconds since 1970), work item id
Age = tuple[int, str]  # requested at, work item id


@dataclass(frozen=True, slots=True)
class Kind:
    """The delay terms that the ordinary, or the urgent, items of a work type share in one hour.

    Holds:   an item is due at the closing of the rail when its due instant is one of `closings`, else usually;
             `standard` is the standard time per item, in seconds.
    """

    standard: float
    usual: DelayTerms
    at_closing: DelayTerms
    closings: frozenset[datetime]

    def slope_max(self, first: Turn, until_us: int) -> float:
        """A bound of what slack adds to the slope, until an instant, of an item of this turn and of all later ones.

        Holds:   until the steepest point the slope only rises; after it, it is bounded, and then rises again.
        """
        slack, steepest = (first[0] - until_us) / SECOND, self.usual.steepest_us
        most = self.usual.slope(0.0, slack)
        if self.at_closing is not self.usual:
            most = max(most, self.at_closing.slope(0.0, slack))
        may_be_steepest = steepest is not None and first[0] < until_us + steepest
        return max(most, self.at_closing.slope_max) if may_be_steepest else most


class Crest(NamedTuple):
    """A slope that no item of a lane rises above for a while: most lanes need no other look.

    Holds:   for the kind that it was found by, while the lane's first by turn and its oldest stay the same.
    Units:   instants in microseconds since 1970; points per second.
    """

    kind: Kind
    by: object
    first: Turn
    oldest: Age
    since_us: int
    until_us: int
    slope: float


@dataclass(slots=True)
class Lane:
    """Waiting items in two orders: by turn, and by when they were requested."""

    turns: SortedList = field(default_factory=SortedList)  # of turns
    ages: SortedList = field(default_factory=SortedList)  # of ages
    crest: Crest | None = field(default=None, compare=False)

    def add(self, turn: Turn) -> None:
        self.turns.add(turn)
        self.ages.add(turn[1:])
        if self.crest is not None and (turn < self.crest.first or turn[1:] < self.crest.oldest):
            self.crest = None

    def remove(self, turn: Turn) -> None:
        self.turns.remove(turn)
        self.ages.remove(turn[1:])
        if self.crest is not None and (turn == self.crest.first or turn[1:] == self.crest.oldest):
            self.crest = None
