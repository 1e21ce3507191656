"""What is known of what comes: the last minutes, the kind of day, the time of day."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.routing.balancer.arrivals import MEMORY_SECONDS, QUARTERS, Arrivals, Calendar
from services.routing.kinds import Kind
from shared.contracts.reference import FloorLimits, Shift
from shared.contracts.routing import ArrivalsLearned
from shared.reference.shifts import day_kind
from tests.support.examples import share_of
from tests.unit.routing.floor import NOW, order, rates_told

SINCE = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)  # 10:00 in Shanghai, a Monday
ENTRY = Kind("transfer/entry")
WEEK = Shift(id="day", label="Day", begins="09:00", ends="17:30")
CALENDAR = Calendar.of(FloorLimits(id="floor"), (WEEK,))


def hear(arrivals: Arrivals, per_hour: float, seconds: float, since: datetime = SINCE) -> datetime:
    """Evenly spaced arrivals for so long; returns the instant when they end."""
    for n in range(int(per_hour * seconds / 3600)):
        arrivals.heard(ENTRY, since + timedelta(seconds=(n + 0.5) * 3600 / per_hour), 20.0)
    return since + timedelta(seconds=seconds)


@settings(max_examples=share_of(50))
@given(st.floats(20, 5000), st.floats(400, 20_000))
def test_a_steady_rate_is_found_however_short_the_watch(per_hour: float, seconds: float) -> None:
    """What was not watched is not taken for quiet."""
    arrivals = Arrivals(SINCE)
    now = hear(arrivals, per_hour, seconds)
    allowed = 0.02 * per_hour + 2 * 3600 / min(seconds, MEMORY_SECONDS)  # an item more or less
    assert arrivals.recent_per_hour(ENTRY, now) == pytest.approx(per_hour, abs=allowed)


def test_what_came_long_ago_fades() -> None:
    """A quarter of an hour of silence leaves 1/e of the rate."""
    arrivals = Arrivals(SINCE)
    now = hear(arrivals, 600, 7200)
    before = arrivals.recent_per_hour(ENTRY, now)
    after = arrivals.recent_per_hour(ENTRY, now + timedelta(seconds=MEMORY_SECONDS))
    assert after == pytest.approx(before / 2.71828, rel=0.01)


def test_a_new_process_goes_on_from_what_the_last_plan_said() -> None:
    """Resumed at 600 an hour, it says 600 at once, and what it hears itself afterwards moves it on."""
    arrivals = Arrivals(SINCE)
    arrivals.resume(rates_told({ENTRY: 600.0}, SINCE - timedelta(seconds=3)))
    assert arrivals.recent_per_hour(ENTRY, SINCE) == pytest.approx(600, rel=0.01)
    now = hear(arrivals, 1200, 6 * MEMORY_SECONDS)
    assert arrivals.recent_per_hour(ENTRY, now) == pytest.approx(1200, rel=0.01)


def test_a_plan_told_after_this_process_began_weighs_as_in_the_process_that_told_it() -> None:
    """A second balancer reads its boards while the first goes on telling plans: both say the same of the last minutes."""
    first, second = Arrivals(SINCE), Arrivals(SINCE + timedelta(seconds=100))
    told_at = hear(first, 3600, 108)
    rate = round(first.recent_per_hour(ENTRY, told_at), 2)
    second.resume(rates_told({ENTRY: rate}, told_at).model_copy(update={"counted_since": SINCE}))
    for seconds in (0, 30, 300):
        at = told_at + timedelta(seconds=seconds)
        assert second.recent_per_hour(ENTRY, at) == pytest.approx(first.recent_per_hour(ENTRY, at), rel=1e-4)


def test_an_outage_that_nobody_heard_is_not_taken_for_quiet() -> None:
    """Nor is what was before it taken for what comes now: the kinds are known, and what comes is counted anew."""
    arrivals = Arrivals(SINCE)
    told = rates_told({ENTRY: 600.0}, SINCE - timedelta(minutes=30))
    arrivals.resume(told.model_copy(update={"counted_since": told.made_at - timedelta(hours=1)}), heard_since=False)
    assert (arrivals.kinds(), arrivals.counted_since) == ([ENTRY], SINCE)
    assert arrivals.recent_per_hour(ENTRY, SINCE) == 0.0
    for begun in range(3):
        now = hear(arrivals, 1200, 60, SINCE + timedelta(seconds=60 * begun))
        assert arrivals.recent_per_hour(ENTRY, now) == pytest.approx(1200, rel=0.02)


def test_what_is_heard_late_weighs_as_in_its_turn() -> None:
    """The first hour's items come after the second hour's."""
    in_turn, late = Arrivals(SINCE), Arrivals(SINCE)
    now = hear(in_turn, 600, 7200)
    hear(late, 600, 3600, SINCE + timedelta(hours=1))
    hear(late, 600, 3600)
    assert late.recent_per_hour(ENTRY, now) == pytest.approx(in_turn.recent_per_hour(ENTRY, now), rel=0.001)


def test_what_was_heard_already_is_not_overruled_by_an_old_plan() -> None:
    """Own ears first."""
    arrivals = Arrivals(SINCE)
    now = hear(arrivals, 900, 3600)
    arrivals.resume(rates_told({ENTRY: 1.0}, now))
    assert arrivals.recent_per_hour(ENTRY, now) == pytest.approx(900, rel=0.03)


def test_a_quarter_watched_from_end_to_end_teaches() -> None:
    """Of 10:00 to 10:35 at 420 an hour both quarters are learned, the one that has just begun is not."""
    arrivals = Arrivals(SINCE)
    told: list[ArrivalsLearned] = []
    for minute in range(35):
        told += arrivals.turn(SINCE + timedelta(minutes=minute), CALENDAR)
        hear(arrivals, 420, 60, SINCE + timedelta(minutes=minute))
    assert len(told) == 2
    learned = told[-1]
    assert (learned.day_kind, Kind.told(learned)) == ("working", ENTRY)
    assert learned.per_hour[40:43] == (420.0, 420.0, None)
    assert sum(rate is not None for rate in learned.per_hour) == 2


def test_a_quarter_watched_in_part_teaches_nothing() -> None:
    """Begun at 10:05, the quarter until 10:15 is left out."""
    begun = SINCE + timedelta(minutes=5)
    arrivals = Arrivals(begun)
    list(arrivals.turn(begun, CALENDAR))
    hear(arrivals, 420, 600, begun)
    assert list(arrivals.turn(SINCE + timedelta(minutes=16), CALENDAR)) == []


def test_quarters_nobody_watched_teach_nothing() -> None:
    """A process that stood still for an hour does not take it for a quiet hour."""
    arrivals = Arrivals(SINCE)
    list(arrivals.turn(SINCE, CALENDAR))
    hear(arrivals, 420, 60)
    assert list(arrivals.turn(SINCE + timedelta(hours=1), CALENDAR)) == []


def test_another_day_of_the_kind_moves_the_profile_by_a_third() -> None:
    """100 an hour on Monday, 200 on Tuesday: 130 is expected on Wednesday."""
    arrivals = Arrivals(SINCE)
    told: list[ArrivalsLearned] = []
    for day, per_hour in enumerate((100, 200)):
        since = SINCE + timedelta(days=day)
        told += arrivals.turn(since, CALENDAR)
        hear(arrivals, per_hour, 900, since)
        told += arrivals.turn(since + timedelta(minutes=15), CALENDAR)
    assert [profile.per_hour[40] for profile in told] == [100.0, 130.0]
    fresh = Arrivals(SINCE + timedelta(days=2))
    for profile in told:
        fresh.remember(profile)
    fresh.resume(rates_told({ENTRY: 130.0}, SINCE + timedelta(days=2)))
    assert fresh.coming(ENTRY, SINCE + timedelta(days=2), CALENDAR) == pytest.approx(130, rel=0.01)


def test_a_busy_morning_is_expected_to_pass() -> None:
    """Twice as busy as such days are: the coming hour is expected between once and twice its usual."""
    profile: list[float | None] = [100.0] * QUARTERS
    arrivals = Arrivals(SINCE)
    arrivals.remember(learned(profile))
    arrivals.resume(rates_told({ENTRY: 200.0}, SINCE))
    assert 150 < arrivals.coming(ENTRY, SINCE, CALENDAR) < 195


def test_the_spike_before_the_cut_off_is_expected_before_it_comes() -> None:
    """At 10:00, with 300 an hour usual from 10:30 on and 100 before, more than the last minutes' 100 is expected."""
    profile: list[float | None] = [100.0 if quarter < 42 else 300.0 for quarter in range(QUARTERS)]
    arrivals = Arrivals(SINCE)
    arrivals.remember(learned(profile))
    arrivals.resume(rates_told({ENTRY: 100.0}, SINCE))
    assert arrivals.coming(ENTRY, SINCE, CALENDAR) == pytest.approx(200, rel=0.01)


def learned(profile: list[float | None]) -> ArrivalsLearned:
    """A working day's profile of entry work."""
    return ArrivalsLearned(day_kind="working", work_type=ENTRY.work_type, at=SINCE, per_hour=tuple(profile))


@pytest.mark.parametrize(
    ("day", "kind"),
    [
        (date(2026, 3, 2), "working"),
        (date(2026, 3, 7), "off"),  # a Saturday
        (date(2026, 3, 10), "peak"),  # salaries
        (date(2026, 3, 31), "peak"),
        (date(2026, 2, 28), "off"),  # the month's last day, but a Saturday
        (date(2026, 4, 30), "peak"),
    ],
)
def test_days_are_told_apart(day: date, kind: str) -> None:
    """Off when no shift is worked, a peak by its place in the month, else a working day."""
    assert day_kind(day, (WEEK,), (5, 10, 15, 31)) == kind


def test_slack_is_the_mean_of_what_came_lately() -> None:
    """What came a quarter of an hour before weighs 1/e; what is heard late as if in its turn; quiet changes nothing."""
    in_turn, late = Arrivals(SINCE), Arrivals(SINCE)
    assert in_turn.slack(ENTRY, SINCE) is None
    then = SINCE + timedelta(seconds=MEMORY_SECONDS)
    for arrivals, heard in ((in_turn, ((SINCE, 10.0), (then, 40.0))), (late, ((then, 40.0), (SINCE, 10.0)))):
        for at, slack in heard:
            arrivals.heard(ENTRY, at, slack)
        assert arrivals.slack(ENTRY, then) == pytest.approx((10.0 / math.e + 40.0) / (1.0 / math.e + 1.0))


@pytest.mark.parametrize("heard_since", [True, False])
def test_slack_goes_on_from_what_the_last_plan_said(heard_since: bool) -> None:
    """It weighs as what it was heard of; after an outage what comes first counts alone."""
    arrivals, told = Arrivals(SINCE), rates_told({ENTRY: 600.0}, SINCE - timedelta(seconds=3))
    part = told.work[0].model_copy(update={"recent_slack_minutes": 20.0})
    arrivals.resume(told.model_copy(update={"work": (part,)}), heard_since=heard_since)
    assert arrivals.slack(ENTRY, SINCE) == (20.0 if heard_since else None)
    arrivals.heard(ENTRY, SINCE, 30.0)
    assert arrivals.slack(ENTRY, SINCE) == (pytest.approx(20.0 + 10.0 / 151, abs=0.01) if heard_since else 30.0)


def test_slack_is_unknown_of_what_an_earlier_release_told() -> None:
    """Until the first item is heard."""
    arrivals = Arrivals(SINCE)
    arrivals.resume(rates_told({ENTRY: 600.0}, SINCE - timedelta(seconds=3)))
    assert arrivals.slack(ENTRY, SINCE) is None
    arrivals.heard(ENTRY, SINCE, 30.0)
    assert arrivals.slack(ENTRY, SINCE) == 30.0


def test_an_item_asked_for_has_its_slack_over_all_steps() -> None:
    """Due in 1,000 s, takes 30, and 100 behind it, which wait twice as long in front: 670 s."""
    arrivals = Arrivals(NOW)
    arrivals.asked(order(due_seconds=1000, standard_seconds=30, later_seconds=100))
    assert arrivals.slack(Kind.of(order()), NOW) == pytest.approx(670 / 60)


def test_the_slack_of_yesterday_is_not_that_of_this_morning() -> None:
    """An hour and a quarter after the last item it is not known any more; the next one is all that is known."""
    arrivals = Arrivals(SINCE)
    arrivals.heard(ENTRY, SINCE, 5.0)
    assert arrivals.slack(ENTRY, SINCE + timedelta(minutes=60)) == 5.0
    assert arrivals.slack(ENTRY, SINCE + timedelta(minutes=75)) is None
    morning = SINCE + timedelta(hours=15)
    arrivals.heard(ENTRY, morning, 120.0)
    assert arrivals.slack(ENTRY, morning) == pytest.approx(120.0)
