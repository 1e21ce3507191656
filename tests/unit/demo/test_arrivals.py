"""Branches hand in clumps, with the peaks of a banking day."""

from __future__ import annotations

import random
from datetime import datetime
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.demo.arrivals import CUT_OFF_MINUTE, LAST_MINUTE, OPEN_MINUTE, Arrival, arrivals, intensity

DAY = datetime(2026, 3, 2, tzinfo=ZoneInfo("Asia/Shanghai"))
BRANCHES = [f"branch-{number:02d}" for number in range(1, 11)]
SHARES = {"corporate-transfer": 0.6, "cheque-deposit": 0.4}


def day(count: int, seed: int) -> list[Arrival]:
    """The arrivals of one day."""
    return arrivals(count, DAY, BRANCHES, SHARES, random.Random(seed))


def minute(arrival: Arrival) -> float:
    """Its minute of the day."""
    return (arrival.at - DAY).total_seconds() / 60


@given(count=st.integers(0, 200), seed=st.integers(0, 2**32))
@settings(max_examples=50)
def test_a_day_has_exactly_its_arrivals_in_order_while_the_bank_is_open(count: int, seed: int) -> None:
    """As many as asked for, sorted, none before opening, none too late for the cut-off; the same seed, the same day."""
    found = day(count, seed)
    assert len(found) == count
    assert found == sorted(found, key=lambda arrival: arrival.at)
    assert all(OPEN_MINUTE <= minute(arrival) <= LAST_MINUTE < CUT_OFF_MINUTE for arrival in found)
    assert found == day(count, seed)


def test_peaks_are_busier_than_the_quiet_hours() -> None:
    """The morning peak brings clearly more per minute than lunch, and the last quarter before cut-off more still."""
    found = [minute(arrival) for arrival in day(6000, 1)]

    def per_minute(begin: float, end: float) -> float:
        return sum(begin <= at < end for at in found) / (end - begin)

    assert per_minute(9.5 * 60, 11.5 * 60) > 2 * per_minute(12 * 60, 13.5 * 60)
    assert per_minute(14.5 * 60, 16.5 * 60) > 2 * per_minute(12 * 60, 13.5 * 60)
    assert per_minute(CUT_OFF_MINUTE - 45, CUT_OFF_MINUTE - 3) > per_minute(13.5 * 60, 14.5 * 60) * 1.5


def test_arrivals_are_clumped() -> None:
    """Counts per minute and branch vary more than those of independent arrivals (variance above the mean)."""
    found = day(4000, 2)
    counts: dict[tuple[str, int], int] = {
        (branch, at): 0 for branch in BRANCHES for at in range(OPEN_MINUTE, int(LAST_MINUTE))
    }
    for arrival in found:
        counts[arrival.branch_id, min(int(minute(arrival)), int(LAST_MINUTE) - 1)] += 1
    mean = sum(counts.values()) / len(counts)
    variance = sum((count - mean) ** 2 for count in counts.values()) / len(counts)
    assert variance > 1.5 * mean
    assert 1 < sum(arrival.clump for arrival in found) / len(found) < 10


def test_business_types_come_in_their_shares() -> None:
    """About six of ten are transfers."""
    found = day(3000, 3)
    assert abs(sum(arrival.business_type == "corporate-transfer" for arrival in found) / 3000 - 0.6) < 0.05


def test_the_spike_is_the_busiest_time() -> None:
    """Nothing is busier than the three quarters of an hour before the cut-off."""
    assert max(range(OPEN_MINUTE, CUT_OFF_MINUTE), key=intensity) >= CUT_OFF_MINUTE - 45
