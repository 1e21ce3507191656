"""Charts of simulated days: what is drawn, and where."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from opsfloor import charts
from opsfloor.comparing import DEALINGS, AtLoad
from services.routing.simulator.confidence import Interval


def at(load: float, half: float = 0.0) -> AtLoad:
    figures = {name: {"on_time": Interval(0.9 + number / 100, half)} for number, name in enumerate(DEALINGS)}
    return AtLoad(load, 1000.0, figures, {}, Interval(1.0, 0.0), 4)


def drawn(*loads: AtLoad) -> Axes:
    (axes,) = charts.comparison(loads, "a day").axes
    return axes


@pytest.mark.parametrize("loads", [(0.9,), (0.8, 0.9, 0.95)])
def test_every_policy_is_to_be_seen_at_one_load_as_at_several(loads: tuple[float, ...]) -> None:
    """A day without chance has intervals without width, and one load no line: there are markers, each at its figure."""
    lines = [line for line in drawn(*map(at, loads)).get_lines() if line.get_marker() not in ("None", "_", "|")]
    assert len(lines) == len(DEALINGS)
    seen = [float(np.asarray(line.get_ydata())[0]) for line in lines]
    assert seen == pytest.approx([90.0 + number for number in range(len(DEALINGS))])


def test_a_small_load_is_not_told_as_none() -> None:
    """Two digits, as many as it takes below a hundredth."""
    assert [at(load).label for load in (0.9, 0.05, 0.0001)] == ["0.90", "0.05", "0.0001"]


def test_every_policy_is_named() -> None:
    """Beside its point at one load, in the legend at several."""
    names = {label.get_text() for label in drawn(at(0.9)).get_xticklabels()}
    assert names == set(DEALINGS)
    legend = drawn(at(0.8), at(0.9)).get_legend()
    assert legend is not None
    assert {text.get_text() for text in legend.get_texts()} == {*DEALINGS, "clairvoyant bound"}


@pytest.mark.parametrize("loads", [(0.9,), (0.8, 0.9)])
def test_nothing_is_drawn_above_all_cases(loads: tuple[float, ...]) -> None:
    """The axis ends at 100 %, and so do whiskers."""
    axes = drawn(*(at(load, half=0.2) for load in loads))
    assert axes.get_ylim()[1] == 100.0
    tops = [
        segment[:, 1].max()
        for whiskers in axes.collections
        if isinstance(whiskers, LineCollection)
        for segment in whiskers.get_segments()
    ]
    assert max(tops) <= 100.0


def test_the_last_half_hour_of_staffing_is_as_wide_as_the_others() -> None:
    """Who is there from 17:00 on is there until 17:30."""
    (axes,) = charts.staffing({"16:30": {"needed": 4.0}, "17:00": {"needed": 2.0}}, "a day").axes
    (line,) = axes.get_lines()
    assert np.asarray(line.get_xydata()).tolist() == [[0.0, 4.0], [1.0, 2.0], [2.0, 2.0]]


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_the_same_chart_gives_the_same_bytes(kind: str, tmp_path: Path) -> None:
    """A chart that is checked in changes only when a figure does."""
    files = [tmp_path / f"{number}.{kind}" for number in range(2)]
    for file in files:
        charts.save(charts.comparison([at(0.9, 0.01)], "a day"), file)
    assert files[0].read_bytes() == files[1].read_bytes()
