"""A board on the screen: its panels, drawn once, and what they show, renewed while somebody looks."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from nicegui import ui

from deploy.grafana.questions import BAD, GOOD, WARNING, Board, Question
from opsfloor.console.asking import Answer, Figures, Firing, Series
from opsfloor.console.choosing import left_out, named, worst_first
from opsfloor.console.elements import words
from opsfloor.console.words import SIGNS, Verdict, figure, judged, told

CALLS_MAX: Final = 5  # of the alerts that fire; the rest is counted
READING: Final = "reading …"
TEXT_PX: Final = 12.0  # of a chart, where the page's own size is not known
CLASS: Final[dict[Verdict, str]] = {"good": "good", "watch": "watch", "bad": "bad", "": "plain"}
# Okabe and Ito's colours and, for who cannot tell them apart, dashes; the last value stands beside each name.
COLORS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES: Final = ("solid", "dashed", "dotted")
LINES: Final = tuple((COLORS[n % len(COLORS)], DASHES[n % len(DASHES)]) for n in range(len(COLORS) * len(DASHES)))
MINUTES_FROM: Final = 180.0  # seconds; an axis that reaches there is marked in minutes, all of it
_TIMES: Final = {"formatter": {"hour": "{HH}:{mm}", "minute": "{HH}:{mm}", "second": "{HH}:{mm}:{ss}"}}
_INSIDE: Final = {"alignMinLabel": "left", "alignMaxLabel": "right"}  # the first and the last mark stay in the picture
# in JavaScript: an axis chooses its own marks
_AXES: Final = {
    "bytes": "value => Math.round(value / 1048576) + ' MiB'",
    "percentunit": "value => +(100 * value).toPrecision(3) + ' %'",
    "s": "value => value + ' s'",
}
_MINUTES: Final = "value => +(value / 60).toPrecision(3) + ' min'"
STYLE: Final = f"""
html {{ font-size: clamp(14px, 0.9vw, 34px); }}
body {{ background: #f4f5f7; color: #1b1f24; font-size: 1rem; line-height: 1.4; }}
.nicegui-content {{ padding: 0.6rem; gap: 0.6rem; max-width: none; width: 100%; }}
.board {{ display: grid; gap: 0.6rem; width: 100%; grid-template-columns: repeat(auto-fit, minmax(max(19rem, 24%), 1fr)); }}
.panel {{ background: #fff; border: 1px solid #d0d7de; border-radius: 0.3rem; padding: 0.6rem 0.8rem; min-height: 9rem; }}
.panel h2 {{ font-size: 1rem; font-weight: 600; line-height: 1.25; margin: 0 0 0.35rem; }}
.panel .about, .panel .empty {{ font-size: 0.8rem; color: #57606a; margin: 0.2rem 0 0; }}
.panel table {{ width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }}
.panel th {{ text-align: left; font-weight: 400; padding: 0.1rem 0.5rem 0.1rem 0; overflow-wrap: anywhere; }}
.panel td {{ text-align: right; white-space: nowrap; padding: 0.1rem 0 0.1rem 0.7rem; }}
.panel .bars th {{ font-size: 0.85rem; }}
.panel .number td {{ font-size: 1.35rem; font-weight: 600; }}
.panel .line {{ font-size: 0.8rem; line-height: 1.25; }}
.id {{ white-space: nowrap; }} .endless {{ overflow-wrap: anywhere; }}
.verdict {{ border-radius: 0.25rem; padding: 0 0.35rem; font-size: 0.8rem; font-weight: 600; margin-left: 0.5rem; }}
.verdict.good {{ background: {GOOD}; color: #fff; }}
.verdict.watch {{ background: {WARNING}; color: #000; }}
.verdict.bad {{ background: {BAD}; color: #000; }}
.bar {{ height: 0.45rem; background: #e6e9ed; border-radius: 0.2rem; min-width: 3rem; }}
.bar div {{ height: 100%; border-radius: 0.2rem; background: #57606a; }}
.bar .good {{ background: {GOOD}; }} .bar .watch {{ background: {WARNING}; }} .bar .bad {{ background: {BAD}; }}
.swatch {{ display: inline-block; width: 1.6rem; height: 0; border-top: 0.2rem solid; margin-right: 0.4rem; vertical-align: middle; }}
.top {{ width: 100%; display: flex; flex-wrap: wrap; gap: 0.3rem 1.2rem; align-items: baseline; }}
.top h1 {{ font-size: 1.35rem; font-weight: 700; margin: 0; line-height: 1.3; }}
nav a {{ margin-right: 0.9rem; color: #0b4f87; }} nav a[aria-current] {{ font-weight: 700; color: #1b1f24; }}
.told {{ margin-left: auto; font-variant-numeric: tabular-nums; }}
.stale {{ background: {BAD}; color: #000; font-weight: 700; padding: 0.3rem 0.8rem; border-radius: 0.3rem; width: 100%; }}
.firing {{ width: 100%; margin: 0; padding: 0.3rem 0.8rem; background: #fff; border-left: 0.4rem solid {BAD}; list-style: none; }}
"""


class Panel:
    """One question on the screen."""

    def __init__(self, question: Question) -> None:
        self._question: Final = question
        with ui.element("section").classes("panel").props(f'aria-label="{question.title}"'):
            words("h2", question.title)
            self._body: Final = ui.element("div").classes("w-full")
            with self._body:
                words("p", READING).classes("about")
            if question.about:
                words("p", question.about).classes("about")
        self._chart: ui.echart | None = None
        self._rows: ui.element | None = None
        self.text_px = TEXT_PX

    def show(self, answer: Answer, silent: Sequence[str] = ()) -> None:
        """Show this answer in the place of the one before; `silent` services may be why there is none."""
        if self._question.shape == "line" and answer.series:
            self._show_lines(answer.series)
            return
        self._body.clear()
        self._chart = None
        with self._body:
            if answer.series:
                self._numbers(answer.series)
            else:
                words("p", nothing(self._question, silent)).classes("empty")

    def _numbers(self, series: Sequence[Series]) -> None:
        most = max(*(one.last for one in series), self._question.bad_at or 0.0)
        shown = worst_first(named(series, self._question), self._question)
        with ui.element("table").classes(self._question.shape):
            for one in shown:
                verdict = judged(one.last, self._question, one.query)
                with ui.element("tr"):
                    words("th", one.name).props('scope="row"')
                    if self._question.shape == "bars":
                        with ui.element("td").style("width: 15%"):
                            _bar(one.last, most, verdict)
                    with ui.element("td"):
                        words("span", figure(one.last, self._question))
                        if verdict:
                            words("span", f"{SIGNS[verdict]} {verdict}").classes(f"verdict {CLASS[verdict]}")
        self._more(series, shown)

    def _show_lines(self, series: Sequence[Series]) -> None:
        shown = named(series, self._question)
        options = chart(shown, self._question, self.text_px)
        if self._chart is None:
            self._body.clear()
            with self._body:
                self._chart = ui.echart(options, renderer="svg").classes("w-full").style("height: 5.25rem")
                self._chart.props(f'role="img" aria-label="Line chart: {self._question.title}"')
                self._rows = ui.element("div").classes("w-full")
        else:
            self._chart.options.clear()
            self._chart.options.update(options)
            self._chart.update()
        if self._rows is not None:
            self._rows.clear()
            with self._rows:
                self._legend(shown)
                self._more(series, shown)

    def _more(self, series: Sequence[Series], shown: Sequence[Series]) -> None:
        if text := left_out(series, shown, self._question):
            words("p", text).classes("empty")

    def _legend(self, series: Sequence[Series]) -> None:
        with ui.element("table").classes("line"):
            with ui.element("tr"):
                words("th", "").props('aria-hidden="true"')
                words("td", "now")
                words("td", "highest")
            styles = {id(one): style for one, style in zip(series, LINES, strict=False)}
            for one in worst_first(series, self._question):
                with ui.element("tr"):
                    with ui.element("th").props('scope="row"'):
                        color, dash = styles[id(one)]
                        ui.element("span").classes("swatch").style(f"border-color: {color}; border-top-style: {dash}")
                        words("span", one.name)
                    with ui.element("td"):
                        self._now(one)
                    words("td", told(one.highest, self._question.unit))

    def _now(self, one: Series) -> None:
        if one.over:
            words("span", f"ended {_clock(one.points[-1][0], '%H:%M')}")
            return
        words("span", figure(one.last, self._question))
        verdict = judged(one.last, self._question, one.query)
        if verdict in ("watch", "bad"):
            words("span", f"{SIGNS[verdict]} {verdict}").classes(f"verdict {CLASS[verdict]}")


def nothing(question: Question, silent: Sequence[str] = ()) -> str:
    """Why a panel shows nothing: no reason of a calm day while a service does not answer."""
    if silent:
        return f"no data, and no answer from {', '.join(silent)}"
    return question.empty_because or "no data"


def chart(series: Sequence[Series], question: Question, text_px: float = TEXT_PX) -> dict[str, Any]:
    """The lines of a panel for ECharts: the last hour, the promised limits as thin lines."""
    limits = [value for value in (question.warns_at, question.bad_at) if value is not None]
    lines = [
        {
            "type": "line",
            "name": one.name,
            "showSymbol": False,
            "animation": False,
            "data": [[round(at * 1_000), value] for at, value in one.points],
            "lineStyle": {"color": color, "type": dash, "width": text_px / 6},
            "itemStyle": {"color": color},
        }
        for one, (color, dash) in zip(series, LINES, strict=False)
    ]
    highest = max(one.highest for one in series)
    if lines and limits:
        lines[0]["markLine"] = {
            "silent": True,
            "symbol": "none",
            "label": {"show": False},
            "lineStyle": {"color": "#57606a", "type": "dotted", "width": 1},
            "data": [{"yAxis": limit} for limit in limits if limit <= 2 * highest],
        }
    return {
        "animation": False,
        "grid": {"left": text_px, "right": 2 * text_px, "top": text_px, "bottom": 4, "containLabel": True},
        "textStyle": {"fontSize": text_px},
        "xAxis": {
            "type": "time",
            "splitNumber": 3,
            "axisLabel": {"fontSize": text_px, "hideOverlap": True, **_TIMES, **_INSIDE},
        },
        "yAxis": {
            "type": "value",
            "min": 0 if min(_lowest(one) for one in series) >= 0 else None,
            "splitNumber": 3,
            "axisLabel": {"fontSize": text_px, **_marks(question.unit, highest)},
        },
        "tooltip": {"trigger": "axis", "textStyle": {"fontSize": text_px}},
        "series": lines,
    }


def _marks(unit: str, highest: float) -> dict[str, str]:
    """How the marks of an axis are written: all of them in the same unit."""
    how = _MINUTES if unit == "s" and highest >= MINUTES_FROM else _AXES.get(unit)
    return {} if how is None else {":formatter": how}


class Screen:
    """One board in one browser."""

    def __init__(self, board: Board, boards: Sequence[Board], path_of: Callable[[Board], str]) -> None:
        ui.add_css(STYLE)
        ui.page_title(f"{board.title}: {board.question}")
        with ui.element("header").classes("top"):
            words("h1", board.question)
            with ui.element("nav").props('aria-label="Boards"'):
                for other in boards:
                    link = ui.link(other.title.removeprefix("Opsfloor: "), path_of(other))
                    if other is board:
                        link.props('aria-current="page"')
                ui.link("Control room", "/control")
            self._told: Final = ui.label(READING).classes("told")
        self._stale: Final = ui.label().classes("stale").props('role="alert"')
        self._stale.set_visibility(False)
        self._firing: Final = ui.element("div").classes("w-full")
        self.tools: Final = ui.element("div")
        with ui.element("div").classes("board"):  # inside of the page's own `main`
            self._panels: Final = [Panel(question) for question in board.panels]
        self._shown_at = 0.0
        self._calls: tuple[Firing, ...] = ()

    def fit(self, root_px: float) -> None:
        """Draw charts in the size of the page's own text: a wall's is larger than a desk's."""
        for panel in self._panels:
            panel.text_px = 0.75 * root_px

    def show(self, figures: Figures) -> None:
        """Show these figures, and how old they are."""
        self._tell_age(figures)
        if figures.asked_at == self._shown_at:
            return
        self._shown_at = figures.asked_at
        for panel, answer in zip(self._panels, figures.answers, strict=True):
            panel.show(answer, figures.silent)
        self._call(figures.firing)

    def away(self, why: str) -> None:
        """There are no new figures: say so over those that still stand there."""
        shown = f" What stands below is from {_clock(self._shown_at)}." if self._shown_at else ""
        self._warn(f"■ No new figures: {why}.{shown}")

    def _tell_age(self, figures: Figures) -> None:
        self._told.set_text(f"{_clock(time.time())}, figures of {_clock(figures.asked_at)}")
        if figures.age_seconds is None:
            self._warn("■ STALE: no service of the floor answers Prometheus.")
        elif figures.stale:
            self._warn(f"■ STALE: the services were last heard {told(figures.age_seconds, 's')} ago.")
        elif figures.silent:
            self._warn(f"■ No answer from {', '.join(figures.silent)}: what only they tell is missing below.")
        else:
            self._warn("")

    def _warn(self, words: str) -> None:
        self._stale.set_text(words)
        self._stale.set_visibility(bool(words))

    def _call(self, firing: tuple[Firing, ...]) -> None:
        if firing == self._calls:
            return
        self._calls = firing
        self._firing.clear()
        with self._firing:
            if firing:
                with ui.element("ul").classes("firing").props('aria-label="Alerts that fire"'):
                    for alert in firing[:CALLS_MAX]:
                        with ui.element("li"):
                            words("strong", f"{SIGNS['bad']} {alert.severity}: ")
                            ui.link(alert.name, f"/runbook/{alert.name}")
                            words("span", f" {alert.about}")
                    if len(firing) > CALLS_MAX:
                        words("li", f"and {len(firing) - CALLS_MAX} more that fire")


def _bar(value: float, most: float, verdict: Verdict) -> None:
    share = 100 * max(0.0, value) / most if most > 0 else 0.0
    with ui.element("div").classes("bar").props('aria-hidden="true"'):
        ui.element("div").classes(CLASS[verdict]).style(f"width: {min(100.0, share):.1f}%")


def _lowest(series: Series) -> float:
    return min(value for _, value in series.points)


def _clock(at: float, how: str = "%H:%M:%S %Z") -> str:
    return f"{datetime.fromtimestamp(at, UTC).astimezone():{how}}"
