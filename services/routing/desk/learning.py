"""How long people take, learned from what the desk itself saw. Pure: figures in, figures out.

A handling time is what the floor measured, from the item taken in hand to its result, and not what the operator's client
reports: the figure decides who gets which work and how full a team counts, so nobody may set it for themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from services.routing.rows import row

ONE: Final = 1_000_000
"""The unit of what is kept: millionths. Sums of whole numbers are exact in any order, so that a desk that is read from
its rows knows to the last digit what the desk knew that folded the facts."""

TEAM_PRIOR: Final = 20  # results: so much the standard time weighs against what the team has shown
OPERATOR_PRIOR: Final = 8  # results: so much the team's pace weighs against what one operator has shown
KEPT_PER_ITEM: Final = 0.995  # of the evidence at each further result: the last 200 speak
HALVED_AFTER: Final = timedelta(days=60)  # evidence of somebody who has not done the work for so long counts half
BEYOND: Final = 3  # a time longer or shorter than expected by more than this factor counts as this factor
PACE_MIN: Final = ONE // 50
PACE_MAX: Final = ONE * 50


@row
class Pace:
    """What one operator's results at this desk say about one work type.

    Units:   millionths. `evidence` counts results, faded; `total` sums their paces, faded alike; a pace is the time
             taken over the standard time, so that it stays true when the standard time is set anew.
    """

    operator_id: str
    work_type: str
    at: datetime
    evidence: int = 0
    total: int = 0


class Paces:
    """The paces of a desk's people. Moved only by `put`, which the desk's `apply` calls.

    Holds:   the team's figures are the sums over its people's.
    """

    def __init__(self) -> None:
        self.version = 0  # counts what was learned
        self.by_person: Final[dict[tuple[str, str], Pace]] = {}  # (operator id, work type)
        self.learned_at: Final[dict[str, int]] = {}  # work type → the version in which it was last learned about
        self._by_type: Final[dict[str, dict[str, Pace]]] = {}  # the same by work type and operator
        self._team: Final[dict[str, tuple[int, int]]] = {}  # work type → evidence, total
        self._team_pace: Final[dict[str, int]] = {}  # work type → what that comes to
        self._means: Final[dict[str, tuple[tuple[str, ...], float]]] = {}  # work type → people, what was found of them

    def put(self, pace: Pace) -> None:
        """Take the pace in its new condition."""
        key = pace.operator_id, pace.work_type
        old = self.by_person.get(key)
        evidence, total = self._team.get(pace.work_type, (0, 0))
        if old is not None:
            evidence, total = evidence - old.evidence, total - old.total
        shown = self._team[pace.work_type] = evidence + pace.evidence, total + pace.total
        self._team_pace[pace.work_type] = shrunk(*shown, TEAM_PRIOR, ONE)
        self.version += 1
        self.learned_at[pace.work_type] = self.version
        self.by_person[key] = pace
        self._by_type.setdefault(pace.work_type, {})[pace.operator_id] = pace
        self._means.pop(pace.work_type, None)

    def of_team(self, work_type: str) -> int:
        """The team's pace: what it has shown, drawn to the standard time while that is little. Units: millionths."""
        return self._team_pace.get(work_type, ONE)

    def of(self, operator_id: str, work_type: str) -> int:
        """The operator's pace: what they have shown, drawn to the team's while that is little. Units: millionths."""
        known = self._by_type.get(work_type)
        if known is None:
            return ONE
        team, own = self._team_pace[work_type], known.get(operator_id)
        return team if own is None else shrunk(own.evidence, own.total, OPERATOR_PRIOR, team)

    def mean(self, operator_ids: Iterable[str], work_type: str) -> float:
        """The mean pace of these people; of nobody, the team's. Units: 1 is the standard time."""
        people, known = tuple(operator_ids), self._means.get(work_type)
        if known is None or (known[0] is not people and known[0] != people):
            paces = self._of_all(people, work_type)
            known = people, (sum(paces) / len(paces) if paces else self.of_team(work_type)) / ONE
            self._means[work_type] = known
        return known[1]

    def _of_all(self, people: Sequence[str], work_type: str) -> Sequence[int]:
        """As `of`, of each."""
        shown, team = self._by_type.get(work_type, {}), self.of_team(work_type)
        found = [shown.get(operator_id) for operator_id in people]
        return [team if own is None else shrunk(own.evidence, own.total, OPERATOR_PRIOR, team) for own in found]

    def after(self, operator_id: str, work_type: str, taken: timedelta, standard_seconds: float, at: datetime) -> Pace:
        """The operator's pace with one more result.

        Holds:   a time beyond `BEYOND` times what was expected, or below that part of it, counts as the bound: a lunch
                 break over an open item is no handling time. With three the bound leaves the mean of exponential
                 times where it is (1/3 + e^(-1/3) - e^(-3) = 1.0000), and that of narrower ones all the more.
        """
        expected = self.of(operator_id, work_type)
        seen = round(taken.total_seconds() / standard_seconds * ONE)
        counted = min(max(seen, expected // BEYOND, PACE_MIN), expected * BEYOND, PACE_MAX)
        known = self.by_person.get((operator_id, work_type)) or Pace(operator_id, work_type, at)
        kept = KEPT_PER_ITEM * (HALVED_AFTER / (HALVED_AFTER + max(at - known.at, timedelta())))
        evidence, total = round(known.evidence * kept) + ONE, round(known.total * kept) + counted
        return Pace(operator_id, work_type, at, evidence, total)


def shrunk(evidence: int, total: int, prior: int, expected: int) -> int:
    """A mean of what was shown and of `prior` further results of the expected pace."""
    return (prior * expected + total) * ONE // (prior * ONE + evidence)
