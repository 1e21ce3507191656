"""When branches hand in documents: in clumps (compound Poisson), with the peaks of a banking day."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

OPEN_MINUTE: Final = 8 * 60 + 30
CLOSE_MINUTE: Final = 17 * 60 + 30
CUT_OFF_MINUTE: Final = 17 * 60 + 15
LAST_MINUTE: Final = CUT_OFF_MINUTE - 3
CLUMP_MEAN: Final = 3.0
BUSIEST: Final = 2.4
URGENT: Final = 0.05


@dataclass(frozen=True, slots=True)
class Arrival:
    """One document handed in at an instant of the floor's clock. `clump`: how many were scanned in one go with it."""

    at: datetime
    branch_id: str
    business_type: str
    urgent: bool
    clump: int


def intensity(minute: float) -> float:
    """How busy a minute of the day is, against a quiet one: peaks 09:30–11:30 and 14:30–16:30, a spike before cut-off."""
    if 9.5 * 60 <= minute < 11.5 * 60 or 14.5 * 60 <= minute < 16.5 * 60:
        return 1.9
    if CUT_OFF_MINUTE - 45 <= minute < CUT_OFF_MINUTE:
        return BUSIEST
    return 0.6 if 12 * 60 <= minute < 13.5 * 60 else 1.0


def arrivals(
    count: int, day: datetime, branches: Sequence[str], shares: dict[str, float], draw: random.Random
) -> list[Arrival]:
    """Exactly `count` arrivals of one day in order. `day` is midnight, in the bank's zone."""
    found: list[Arrival] = []
    while len(found) < count:
        found += _clump(day, branches, shares, draw)
    return sorted(found[:count], key=lambda arrival: (arrival.at, arrival.branch_id))


def _clump(day: datetime, branches: Sequence[str], shares: dict[str, float], draw: random.Random) -> Iterator[Arrival]:
    minute = _minute(draw)
    branch_id = draw.choice(branches)
    clump = 1 + int(draw.expovariate(1 / (CLUMP_MEAN - 1)))
    for _ in range(clump):
        minute = min(minute + draw.expovariate(1 / 0.3), LAST_MINUTE)
        business_type = draw.choices(list(shares), weights=list(shares.values()))[0]
        yield Arrival(day + timedelta(minutes=minute), branch_id, business_type, draw.random() < URGENT, clump)


def _minute(draw: random.Random) -> float:
    while True:  # rejection: at most every fourth draw is kept, none for ever
        minute = draw.uniform(OPEN_MINUTE, LAST_MINUTE)
        if draw.random() * BUSIEST <= intensity(minute):
            return minute
