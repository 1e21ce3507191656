"""Charts of simulated days, as SVG or PNG by the file's name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import matplotlib as mpl
from matplotlib.figure import Figure

from opsfloor.comparing import OURS, AtLoad

SIZE: Final = (9.0, 5.2)
QUIET: Final = "#8a8a8a"
LOUD: Final = ("#b3331d", "#1d5cb3")
STYLES: Final = ("-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)))


def save(figure: Figure, file: Path) -> None:
    """Write the chart; the same chart gives the same bytes."""
    with mpl.rc_context({"svg.hashsalt": "opsfloor", "svg.fonttype": "none"}):
        figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None)


def comparison(found: Sequence[AtLoad], title: str) -> Figure:
    """On-time share over load, a line per policy with its interval, and the bound."""
    figure = Figure(figsize=SIZE, layout="constrained")
    axes = figure.add_subplot()
    loads = [at.load for at in found]
    style = 0
    for name in found[0].figures:
        ones = [at.figures[name]["on_time"] for at in found]
        ours = list(OURS).index(name) if name in OURS else None
        colour = QUIET if ours is None else LOUD[ours % len(LOUD)]
        axes.errorbar(
            loads,
            [one.mean * 100 for one in ones],
            [one.half * 100 for one in ones],
            label=name,
            color=colour,
            linestyle=STYLES[style % len(STYLES)] if ours is None else "-",
            linewidth=1.2 if ours is None else 2.4,
            capsize=3,
        )
        style += ours is None
    axes.plot(loads, [at.bound.mean * 100 for at in found], color="black", marker="_", label="clairvoyant bound")
    axes.set_xlabel("load: work that comes in, over paid time")
    axes.set_ylabel("cases on time, %")
    axes.set_title(title)
    axes.legend(fontsize="small")
    axes.grid(alpha=0.3)
    return figure


def staffing(by_half_hour: Mapping[str, Mapping[str, float]], title: str) -> Figure:
    """Over the day: what is offered, who is needed, who is rostered."""
    figure = Figure(figsize=SIZE, layout="constrained")
    axes = figure.add_subplot()
    clocks = list(by_half_hour)
    for name, style in zip(next(iter(by_half_hour.values())), STYLES, strict=False):
        axes.step(
            range(len(clocks)),
            [by_half_hour[clock][name] for clock in clocks],
            where="post",
            linestyle=style,
            label=name,
        )
    axes.set_xticks(range(len(clocks)), clocks, rotation=60, fontsize="small")
    axes.set_ylabel("people of the bank's own teams")
    axes.set_title(title)
    axes.set_ylim(bottom=0)
    axes.legend(fontsize="small")
    axes.grid(alpha=0.3)
    return figure
