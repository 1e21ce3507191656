"""Charts of simulated days, as SVG or PNG by the file's name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from opsfloor.comparing import OURS, AtLoad
from services.routing.simulator.confidence import Interval

SIZE: Final = (9.0, 5.2)
QUIET: Final = "#8a8a8a"
LOUD: Final = ("#b3331d", "#1d5cb3")
ALL: Final = 100.0  # percent
BOUND: Final = "clairvoyant bound"
BLACK: Final[Mapping[str, Any]] = {
    "color": "black",
    "linewidth": 2.0,
    "clip_on": False,
    "zorder": 3,
}  # also on the edge
MARKERS: Final = "osv^D<>P"
STYLES: Final = ("-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)))


def save(figure: Figure, file: Path) -> None:
    """Write the chart; the same chart gives the same bytes."""
    with mpl.rc_context({"svg.hashsalt": "opsfloor", "svg.fonttype": "none"}):
        figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None)


def comparison(found: Sequence[AtLoad], title: str) -> Figure:
    """On-time share of each policy with its interval, and the bound: lines over the loads, of one load side by side."""
    figure = Figure(figsize=SIZE, layout="constrained")
    axes = figure.add_subplot()
    if len(found) == 1:
        _side_by_side(axes, found[0])
    else:
        _over_loads(axes, found)
    axes.set_ylabel("cases on time, %")
    axes.set_ylim(top=ALL)
    axes.set_title(title)
    axes.legend(fontsize="small")
    axes.grid(alpha=0.3)
    return figure


def _over_loads(axes: Axes, found: Sequence[AtLoad]) -> None:
    loads = [at.load for at in found]
    for number, name in enumerate(found[0].figures):
        ones = [at.figures[name]["on_time"] for at in found]
        means, whiskers = _drawn(ones)
        colour, quiet = _colour(name), name not in OURS
        axes.errorbar(
            loads,
            means,
            whiskers,
            label=name,
            color=colour,
            linestyle=STYLES[number % len(STYLES)] if quiet else "-",
            linewidth=1.2 if quiet else 2.4,
            marker=MARKERS[number % len(MARKERS)],
            capsize=3,
            clip_on=False,
        )
    bound = [at.bound.mean * ALL for at in found]
    axes.plot(loads, bound, label=BOUND, **BLACK)
    axes.set_xlabel("load: work that comes in, over paid time")


def _side_by_side(axes: Axes, at: AtLoad) -> None:
    for number, (name, figures) in enumerate(at.figures.items()):
        means, whiskers = _drawn([figures["on_time"]])
        axes.errorbar([number], means, whiskers, color=_colour(name), marker="o", capsize=4, clip_on=False)
    axes.axhline(at.bound.mean * ALL, label=BOUND, **BLACK)
    axes.set_xticks(range(len(at.figures)), list(at.figures), rotation=30, ha="right", fontsize="small")
    axes.set_xlabel(f"load {at.label}: work that comes in, over paid time")


def _colour(policy: str) -> str:
    return LOUD[list(OURS).index(policy) % len(LOUD)] if policy in OURS else QUIET


def _drawn(ones: Sequence[Interval]) -> tuple[list[float], list[list[float]]]:
    """Means, and whiskers down and up. Units: percent. Holds: nothing is drawn above all cases or below none."""
    means = [one.mean * ALL for one in ones]
    down = [min(one.half * ALL, mean) for one, mean in zip(ones, means, strict=True)]
    up = [min(one.half * ALL, ALL - mean) for one, mean in zip(ones, means, strict=True)]
    return means, [down, up]


def staffing(by_half_hour: Mapping[str, Mapping[str, float]], title: str) -> Figure:
    """Over the day: what is offered, who is needed, who is rostered."""
    figure = Figure(figsize=SIZE, layout="constrained")
    axes = figure.add_subplot()
    clocks = list(by_half_hour)
    edges = range(len(clocks) + 1)  # the last half hour has an end too
    for name, style in zip(next(iter(by_half_hour.values())), STYLES, strict=False):
        people = [by_half_hour[clock][name] for clock in clocks]
        axes.step(edges, [*people, people[-1]], where="post", linestyle=style, label=name)
    axes.set_xticks(range(len(clocks)), clocks, rotation=60, fontsize="small")
    axes.set_ylabel("people of the bank's own teams")
    axes.set_title(title)
    axes.set_ylim(bottom=0)
    axes.legend(fontsize="small")
    axes.grid(alpha=0.3)
    return figure
