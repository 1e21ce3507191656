"""A panel is a question: what is asked, of which figures, in which unit, and which answers are good."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Shape = Literal["line", "number", "bars"]

HIGHEST: Final[Mapping[str, float]] = {
    "s": 86_400.0,
    "m": 10_000.0,
    "cpm": 1_000_000.0,
    "cps": 100_000.0,
    "reqps": 10_000.0,
    "bytes": 64e9,
    "percentunit": 20.0,
    "short": 1_000_000.0,
}
"""What no panel of a unit shows on any floor, unless it says otherwise: a day's wait, twenty times full, a million waiting."""
# Okabe and Ito's colours: told apart by people who see red and green alike, and on a grey print.
GOOD, WARNING, BAD = "#0072B2", "#E69F00", "#D55E00"
UNTRACED: Final = (
    "opsfloor_reroute_approval_seconds",  # between people's clicks, in a trace each
    "opsfloor_reroute_effect_seconds",
    "opsfloor_shard_decision_seconds",  # a mean, of no one case
)


@dataclass(frozen=True, slots=True)
class Query:
    """One PromQL expression and how its series are named in the legend.

    Holds:   `limits`, what warns and what is bad, go before the question's.
    """

    expr: str
    legend: str = ""
    limits: tuple[float, float] | None = None

    @property
    def points_to_traces(self) -> bool:
        """A histogram's points carry the trace of what fell there, where tracing is on."""
        return "_bucket" in self.expr and not any(name in self.expr for name in UNTRACED)


@dataclass(frozen=True, slots=True)
class Question:
    """One panel.

    Holds:   `warns_at` and `bad_at` are the promised limits: with `warns_at` below `bad_at` more is worse, the other way
             round less is worse; `lowest` and `highest` are what is plausible at all, else what `HIGHEST` says of the unit;
             `empty_because` says why no data are right on a calm day; `passed` is what a time left below 0 is called where
             that is no fault: it is not judged then.
    Units:   Grafana's: `s`, `percentunit`, `cpm` (per minute), `cps` and `reqps` (per second), `m` (minutes), `bytes`,
             `short` (a count).
    """

    title: str
    queries: tuple[Query, ...]
    unit: str
    shape: Shape = "line"
    warns_at: float | None = None
    bad_at: float | None = None
    lowest: float = 0.0
    highest: float | None = None
    width: int = 8
    about: str = ""
    empty_because: str = ""
    passed: str = ""

    @property
    def plausible_to(self) -> float:
        """The highest value that can be right."""
        return HIGHEST[self.unit] if self.highest is None else self.highest


@dataclass(frozen=True, slots=True)
class Board:
    """One dashboard: a question as a whole, and its panels. `variable` is chosen by the reader."""

    uid: str
    title: str
    question: str
    panels: tuple[Question, ...]
    variable: tuple[str, str] | None = None  # name, PromQL of its values


def one(expr: str, legend: str = "") -> tuple[Query, ...]:
    """A panel's only query."""
    return (Query(expr, legend),)


def measured(expr: str, service: str) -> str:
    """The expression while a process of the service answers, else nothing: what nobody measures is not well.

    Holds:   a rate stands for its whole window after the last process has died, and `or vector(0)` for ever.
    """
    return f'({expr})\nand on () max(up{{job="{service}"}}) == 1'


def quantile(share: float, name: str, by: str, where: str = "") -> str:
    """A quantile of a histogram over five minutes, per label."""
    labels = f"{{{where}}}" if where else ""
    return f"histogram_quantile({share:g}, sum by (le, {by}) (rate({name}_bucket{labels}[5m])))"


def counted(name: str, by: str) -> str:
    """How often in the last hour, per label, of what happened at all. Holds: whole, as what is rare is counted."""
    return f"round(sum by ({by}) (increase({name}[1h]))) > 0"


def per_minute(name: str, by: str = "", where: str = "") -> str:
    """How often per minute, over five minutes, summed per label."""
    labels = f"{{{where}}}" if where else ""
    grouped = f" by ({by})" if by else ""
    return f"60 * sum{grouped} (rate({name}{labels}[5m]))"
