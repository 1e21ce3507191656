"""A slow machine plays the same day in more time, and nobody waits for ever."""

from __future__ import annotations

import pytest

from deploy.demo.pace import DAY_SECONDS, SECONDS_MAX, SUBMISSIONS, TURNS_PER_SECOND, day_seconds, turns_per_second


@pytest.mark.parametrize(
    ("submissions", "speed", "seconds"),
    [
        (SUBMISSIONS, 1.0, DAY_SECONDS),
        (SUBMISSIONS, 3.0, DAY_SECONDS),
        (150, 3.0, DAY_SECONDS),
        (SUBMISSIONS, 0.5, 2 * DAY_SECONDS),
        (2 * SUBMISSIONS, 1.0, 2 * DAY_SECONDS),
        (SUBMISSIONS, 0.01, SECONDS_MAX),
        (SUBMISSIONS, 0.0, SECONDS_MAX),
    ],
)
def test_the_slower_the_longer(submissions: int, speed: float, seconds: float) -> None:
    """In proportion, never shorter than on a quick machine, never longer than somebody watches."""
    assert day_seconds(submissions, speed * TURNS_PER_SECOND) == seconds


def test_the_machine_is_asked() -> None:
    """Whatever it answers, it is a speed."""
    assert turns_per_second(0.05) > 0.0
