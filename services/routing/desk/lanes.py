"""The waiting items of one work type in the orders in which they are looked at, and what is kept of a look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final

from sortedcontainers import SortedList

from services.routing.delay import DelayTerms
from services.routing.rows import row

if TYPE_CHECKING:
    from services.routing.desk.state import DeskItem

SECOND: Final = 1_000_000  # microseconds
EVER_US: Final = 1 << 62  # after every instant

Turn = tuple[int, int, str]  # latest start, requested at (both microseconds since 1970), work item id
Age = tuple[int, str]  # requested at, work item id
Beginning = tuple[Turn, DelayTerms, int]
"""Where a way into a lane begins: the item, its delay terms, and 1 for the way towards later starts, -1 for earlier."""


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

    def terms_of(self, turn: Turn, items: Mapping[str, DeskItem]) -> DelayTerms:
        """The delay terms of one item: most rails never close, and then it need not be looked at."""
        return self.at_closing if self.closings and items[turn[2]].order.due_at in self.closings else self.usual

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


@row
class Crest:
    """A slope that no item of a lane rises above for a while: most lanes need no other look.

    Holds:   for the kind that it was found by, while the lane's first by turn and its oldest stay the same.
    Units:   instants in microseconds since 1970; points per second.
    """

    kind: Kind
    standard: float  # of the kind
    by: object
    first: Turn
    oldest: Age
    since_us: int
    until_us: int
    slope: float


@row
class Look:
    """Where the ways into a lane begin: at its head, and past the steepest point also on both sides of that.

    Holds:   for its kind and between its instants, while nothing comes or goes at the head or between `before` and
             `after`, the items next to the steepest point.
    """

    kind: Kind
    since_us: int
    until_us: int
    first: Turn
    before: Turn | None
    after: Turn | None
    beginnings: tuple[Beginning, ...]

    def stands(self, turn: Turn) -> bool:
        """What comes or goes at this turn leaves the ways where they begin."""
        if turn <= self.first:
            return False
        return self.before is None or turn < self.before or (self.after is not None and turn > self.after)


@dataclass(slots=True)
class Lane:
    """Waiting items in two orders: by turn, and by when they were requested."""

    turns: SortedList = field(default_factory=SortedList)  # of turns
    ages: SortedList = field(default_factory=SortedList)  # of ages
    turn_by_id: dict[str, Turn] = field(default_factory=dict)
    crest: Crest | None = field(default=None, compare=False)
    look: Look | None = field(default=None, compare=False)

    def add(self, turn: Turn) -> None:
        self.turns.add(turn)
        self.ages.add(turn[1:])
        self.turn_by_id[turn[2]] = turn
        self._forget(turn)

    def remove(self, work_item_id: str) -> None:
        turn = self.turn_by_id.pop(work_item_id)
        self.turns.remove(turn)
        self.ages.remove(turn[1:])
        self._forget(turn)

    def _forget(self, turn: Turn) -> None:
        """What came or went at this turn may have changed what is kept of a look."""
        if self.crest is not None and (turn <= self.crest.first or turn[1:] <= self.crest.oldest):
            self.crest = None
        if self.look is not None and not self.look.stands(turn):
            self.look = None

    def beside(self, turn: Turn, step: int) -> Turn | None:
        """The next turn after this one, or before it."""
        position: int = self.turns.bisect_left(turn) + step
        beside: Turn | None = self.turns[position] if 0 <= position < len(self.turns) else None
        return beside

    def looked(self, kind: Kind, now_us: int, items: Mapping[str, DeskItem]) -> Look:
        """Where the ways into the lane begin now, as found before if that still holds."""
        known = self.look
        if known is None or known.kind is not kind or not known.since_us < now_us <= known.until_us:
            known = self.look = self._look(kind, now_us, items)
        return known

    def _look(self, kind: Kind, now_us: int, items: Mapping[str, DeskItem]) -> Look:
        turns, steepest = self.turns, kind.usual.steepest_us
        first: Turn = turns[0]
        head = first, kind.terms_of(first, items), 1
        if steepest is None or first[0] >= now_us + steepest:
            until_us = EVER_US if steepest is None else first[0] - steepest
            return Look(kind, -EVER_US, until_us, first, None, None, (head,))
        middle: int = turns.bisect_left((now_us + steepest,))
        before: Turn = turns[middle - 1]
        downward = before, kind.terms_of(before, items), -1
        if middle == len(turns):
            return Look(kind, before[0] - steepest, EVER_US, first, before, None, (head, downward))
        after: Turn = turns[middle]
        upward = after, kind.terms_of(after, items), 1
        return Look(kind, before[0] - steepest, after[0] - steepest, first, before, after, (head, downward, upward))
