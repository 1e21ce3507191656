"""Which series a panel has room for: the worst first, by the panel's limits; of the rest, how they stand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, zip_longest
from typing import Final

from deploy.grafana.questions import Question
from opsfloor.console.asking import Series
from opsfloor.console.words import NOTHING, Verdict, judged, told

ROOM: Final = 6  # a panel of `WIDTH` columns names that many series
WIDTH: Final = 8
URGENCY: Final[tuple[Verdict, ...]] = ("bad", "watch", "good", "")


def named(series: Sequence[Series], question: Question) -> list[Series]:
    """The series that the panel names, in their order.

    Holds:   none that is left out stands worse than one that is named; without limits those with the most are named, of
             each query its share; what is told no more gives way to what is.
    """
    room = ROOM * max(1, question.width // WIDTH)
    ranked = sorted(series, key=lambda one: _standing(one, question)) if _side(question) else _in_turn(series)
    chosen = {id(one) for one in ranked[:room]}
    return [one for one in series if id(one) in chosen]


def worst_first(series: Iterable[Series], question: Question) -> list[Series]:
    """In the order of reading: what is bad, what is to be watched, each the worst first; what is well keeps its place."""

    def place(one: Series) -> tuple[bool, int, float]:
        verdict = "" if one.over else judged(one.last, question, one.query)
        worse = verdict in ("bad", "watch")
        return one.over, URGENCY.index(verdict), -_side(question) * one.last if worse else 0.0

    return sorted(series, key=place)


def left_out(series: Sequence[Series], shown: Sequence[Series], question: Question) -> str:
    """How many more there are, and how they stand; nothing when all are shown."""
    ids = {id(one) for one in shown}
    rest = [one for one in series if id(one) not in ids]
    told_now = [one for one in rest if not one.over]
    parts = [_stand(told_now, question)] if told_now else []
    if len(told_now) < len(rest):
        parts.append(f"{len(rest) - len(told_now)} told no more")
    return f"and {len(rest)} more: {', '.join(parts)}" if rest else ""


def _stand(rest: Sequence[Series], question: Question) -> str:
    if not _side(question):
        calm = all(abs(value) < NOTHING for one in rest for _, value in one.points)
        return "0 all along" if calm else f"at most {told(max(one.last for one in rest), question.unit)} now"
    verdicts = [judged(one.last, question, one.query) for one in rest]
    counts = [(verdicts.count(verdict), verdict) for verdict in URGENCY if verdict in verdicts]
    return f"all {verdicts[0]}" if len(counts) == 1 else ", ".join(f"{count} {verdict}" for count, verdict in counts)


def _standing(one: Series, question: Question) -> tuple[bool, int, int, float]:
    side = _side(question)
    worst = max((value for _, value in one.points), key=lambda value: side * value)
    now, ever = judged(one.last, question, one.query), judged(worst, question, one.query)
    return one.over, URGENCY.index(now), URGENCY.index(ever), -side * one.last


def _in_turn(series: Sequence[Series]) -> list[Series]:
    ranked = sorted(series, key=lambda one: (one.over, -one.last, -one.highest))
    queries = sorted({one.query for one in series})
    rows = zip_longest(*([one for one in ranked if one.query == query] for query in queries))
    return [one for one in chain.from_iterable(rows) if one is not None]


def _side(question: Question) -> int:
    """1 when more is worse, -1 when less is, 0 without limits."""
    if question.warns_at is None or question.bad_at is None:
        return 0
    return 1 if question.warns_at <= question.bad_at else -1
