"""Figures in words, and whether they are good."""

from __future__ import annotations

import math

import pytest

from deploy.grafana.boards import BOARDS
from deploy.grafana.questions import Query, Question, one
from opsfloor.console.words import figure, judged, told


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (0, "s", "0 s"),
        (0.0000423, "s", "42 µs"),
        (0.0423, "s", "42 ms"),
        (7.46, "s", "7.5 s"),
        (59.2, "s", "59 s"),
        (199.7, "s", "3 min 20 s"),
        (3_599.8, "s", "60 min"),
        (5_400, "s", "1 h 30 min"),
        (-90, "s", "−1 min 30 s"),
        (200_000, "s", "2 d 8 h"),
        (12, "m", "12 min"),
        (0.9731, "percentunit", "97.3 %"),
        (12.345, "cpm", "12.3 / min"),
        (0.5, "cps", "0.5 / s"),
        (12_345.6, "short", "12\N{THIN SPACE}346"),
        (2.84e-14, "short", "0"),
        (-2.84e-14, "cpm", "0 / min"),
        (3_145_728, "bytes", "3 MiB"),
        (math.nan, "s", "none"),
    ],
)
def test_a_value_is_told_in_about_three_figures(value: float, unit: str, expected: str) -> None:
    """The unit stands with it, and large ones are broken down as people say them."""
    assert told(value, unit) == expected


def test_every_unit_of_the_boards_is_told() -> None:
    """A unit that the page does not know would be shown as a bare count."""
    bare = told(0.5, "short")
    units = {question.unit for board in BOARDS for question in board.panels} - {"short"}
    assert {unit for unit in units if told(0.5, unit) == bare} == set()


def test_more_is_worse_or_less_is_worse_as_the_limits_stand() -> None:
    """A queue is bad above its limit, an on-time share below it; at the limit it is reached."""
    queue = Question("q", one("x"), "s", warns_at=300, bad_at=900)
    assert [judged(value, queue) for value in (299, 300, 900)] == ["good", "watch", "bad"]
    share = Question("q", one("x"), "percentunit", warns_at=0.99, bad_at=0.95)
    assert [judged(value, share) for value in (1, 0.99, 0.95)] == ["good", "watch", "bad"]
    assert judged(1, Question("q", one("x"), "s")) == ""


def test_a_cut_off_that_has_passed_is_told_and_not_judged() -> None:
    """From its rail's closing until midnight nothing is bad of it; before, little time left is."""
    rail = Question("q", one("x"), "s", warns_at=3_600, bad_at=900, lowest=-86_400, passed="closed")
    assert (figure(-15_060, rail), judged(-15_060, rail)) == ("closed 4 h 11 min ago", "")
    assert (figure(600, rail), judged(600, rail)) == ("10 min", "bad")
    order = Question("q", one("x"), "s", warns_at=3_600, bad_at=900)
    assert (figure(-90, order), judged(-90, order)) == ("−1 min 30 s", "bad")


def test_a_query_has_limits_of_its_own() -> None:
    """One page is bad, one ticket is to be watched."""
    calls = Question(
        "q", (Query("pages", "pages", (1, 1)), Query("tickets", "tickets")), "short", warns_at=1, bad_at=20
    )
    assert [judged(1, calls, query) for query in (0, 1)] == ["bad", "watch"]
    assert judged(0, calls, 0) == "good"
