"""What managers would see of a simulated day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from services.routing.simulator.confidence import Interval, of_replications
from services.routing.simulator.floor import Played
from shared.contracts.reference import Operator, Provider, Team

FIGURES: Final[Mapping[str, str]] = {
    "on_time": "on-time share",
    "tardiness_mean": "tardiness, mean, min",
    "tardiness_p99": "tardiness, p99, min",
    "turnaround_p50": "turnaround, p50, min",
    "turnaround_p90": "turnaround, p90, min",
    "turnaround_p99": "turnaround, p99, min",
    "utilisation": "utilisation",
    "fairness": "fairness",
}
LEFT_OVER: Final = "left_over"  # beside `FIGURES`: told where there are any
OUTSIDE: Final = "outside_share"  # beside them too: of all items, what vendors did
CONFIDENCE: Final = 0.95


def figures_of(played: Played) -> dict[str, float]:
    """The figures of one day.

    Holds:   cases left over count as late until the last event of the day; utilisation is the part of the paid time
             until closing that work began in it takes; fairness is Jain's index of the operators' utilisations: 1 when
             all are equally busy.
    Units:   minutes and shares; `left_over` in cases; `outside_share` of all items that were begun.
    """
    last = max((course.ended or 0.0 for course in played.cases), default=0.0)
    ended = np.array([last if course.ended is None else course.ended for course in played.cases])
    left = np.array([course.ended is None for course in played.cases])
    arrived = np.array([course.case.arrives for course in played.cases])
    due = np.array([course.case.due for course in played.cases])
    late = np.maximum(ended - due, 0.0) / 60
    turnaround = (ended - arrived) / 60
    utilisation, fairness = _people(played)
    return {
        "on_time": float(np.mean((late == 0) & ~left)),
        "tardiness_mean": float(late.mean()),
        "tardiness_p99": float(np.quantile(late, 0.99)),
        **{f"turnaround_p{p}": float(np.quantile(turnaround, p / 100)) for p in (50, 90, 99)},
        "utilisation": utilisation,
        "fairness": fairness,
        LEFT_OVER: float(left.sum()),
        OUTSIDE: _outside(played),
    }


def _outside(played: Played) -> float:
    entries = played.day.reference
    vendors = {one.id for one in entries if isinstance(one, Provider) and one.outside}
    teams = {one.id for one in entries if isinstance(one, Team) and one.provider_id in vendors}
    people = {one.id for one in entries if isinstance(one, Operator) and one.team_id in teams}
    done = [item.operator_id in people for item in played.items if item.began is not None]
    return sum(done) / len(done) if done else 0.0


def _people(played: Played) -> tuple[float, float]:
    closes = played.day.closes
    busy = dict.fromkeys(played.day.people, 0.0)
    for item in played.items:
        if item.operator_id is not None and item.began is not None and item.began < closes:
            busy[item.operator_id] += min(item.ended or closes, closes) - item.began
    paid = {name: person.seconds_until(closes) for name, person in played.day.people.items()}
    shares = np.array([busy[name] / seconds for name, seconds in paid.items() if seconds > 0])
    total = float(sum(paid.values()))
    if total == 0 or not shares.any():
        return 0.0, 1.0
    return sum(busy.values()) / total, float(shares.sum() ** 2 / (len(shares) * (shares**2).sum()))


def over_days(days: Sequence[Mapping[str, float]]) -> dict[str, Interval]:
    """Each figure over independent days."""
    return {name: of_replications([day[name] for day in days], CONFIDENCE) for name in days[0]}
