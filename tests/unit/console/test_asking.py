"""What the page asks Prometheus, and what it makes of the answers."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from itertools import pairwise

import httpx
import pytest

from deploy.grafana.questions import Board, Question, one
from opsfloor.console import asking
from opsfloor.console.asking import Figures, Prometheus, PrometheusAwayError, Series
from opsfloor.console.screen import LINES, chart

BOARD = Board(
    "b",
    "B",
    "Well?",
    (
        Question("How full?", one('full{type=~"$type"}', "{{team}}, {{ step }}"), "s", "number"),
        Question("How much?", one("much", "all"), "short", bad_at=9, warns_at=1),
    ),
    ("type", "label_values(promise_seconds, business_type)"),
)
FULL = [
    {"metric": {"team": "south", "step": "entry"}, "value": [10, "2.5"]},
    {"metric": {"team": "north", "step": "entry"}, "value": [10, "NaN"]},
]
MUCH = [{"metric": {}, "values": [[0, "1"], [15, "NaN"], [30, "4"], [45, "3"]]}]
SERVICES = ("intake", "audit", "routing", "vendor", "balancer")
AGE = [{"metric": {}, "value": [10, "7"]}]


class Answering:
    """A Prometheus that answers what it is asked, and notes it."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.age = AGE
        self.heard = list(SERVICES)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        query = request.url.params.get("query", "")
        self.asked.append(query or request.url.path)
        match request.url.path:
            case "/api/v1/alerts":
                found: object = {"alerts": [_alert("B", "ticket"), _alert("A", "page"), _alert("C", "page", "pending")]}
            case "/api/v1/label/business_type/values":
                found = ["loan", "cheque"]
            case "/api/v1/query_range":
                found = {"resultType": "matrix", "result": MUCH}
            case _:
                known = {asking.LAST_SCRAPE: self.age, asking.HEARD.expr: [_heard(service) for service in self.heard]}
                found = {"resultType": "vector", "result": known.get(query, FULL)}
        return httpx.Response(200, text=json.dumps({"status": "success", "data": found}))


def _heard(service: str) -> dict[str, object]:
    return {"metric": {"job": service}, "value": [10, "1"]}


def _alert(name: str, severity: str, state: str = "firing") -> dict[str, object]:
    return {"labels": {"alertname": name, "severity": severity}, "annotations": {"summary": f"{name}!"}, "state": state}


def at(answering: Callable[[httpx.Request], httpx.Response]) -> Prometheus:
    """A Prometheus behind the page's own client."""
    return Prometheus("http://prometheus.test", httpx.MockTransport(answering))


async def test_a_board_is_answered_question_by_question() -> None:
    """Legends carry the labels, values that are none are left out, alerts that fire come pages first."""
    figures = await at(Answering()).board(BOARD)
    numbers, lines = figures.answers
    assert [(one.name, one.points) for one in numbers.series] == [("south, entry", ((10.0, 2.5),))]
    assert [(one.name, one.last, one.highest) for one in lines.series] == [("all", 3.0, 4.0)]
    assert [(one.name, one.severity) for one in figures.firing] == [("A", "page"), ("B", "ticket")]
    assert figures.age_seconds == 7
    assert not figures.stale


async def test_a_choice_stands_in_the_place_of_the_variable() -> None:
    """Everything when nothing was chosen; what may be chosen is asked of Prometheus."""
    answering = Answering()
    prometheus = at(answering)
    assert await prometheus.choices(BOARD) == ["cheque", "loan"]
    await prometheus.board(BOARD)
    await prometheus.board(BOARD, "loan")
    assert {'full{type=~".*"}', 'full{type=~"loan"}'} <= set(answering.asked)


async def test_ten_browsers_ask_once() -> None:
    """However many look at the wall, Prometheus answers one of them."""
    answering = Answering()
    prometheus = at(answering)
    await asyncio.gather(*(prometheus.board(BOARD) for _ in range(10)))
    assert answering.asked.count("much") == 1


async def test_figures_are_stale_when_no_service_was_heard() -> None:
    """Prometheus answers from what it has; the page must say when that is old."""
    answering = Answering()
    answering.age = []
    assert (await at(answering).board(BOARD)).stale
    assert Figures(0, (), age_seconds=asking.STALE_SECONDS + 1).stale


async def test_a_service_of_which_no_process_answers_is_named() -> None:
    """The others answer, so the figures are not old: what it alone told is missing."""
    answering = Answering()
    assert (await at(answering).board(BOARD)).silent == ()
    answering.heard = ["audit", "intake", "vendor"]
    figures = await at(answering).board(BOARD)
    assert not figures.stale
    assert figures.silent == ("routing", "balancer")


async def test_a_line_whose_last_point_is_of_before_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prometheus gives the hour's points of a process that died in it: its last figure is not now's."""
    over = []
    for now in (60.0, 100.0):
        monkeypatch.setattr(time, "time", lambda now=now: now)
        line = (await at(Answering()).board(BOARD)).answers[1].series[0]
        assert line.points[-1] == (45.0, 3.0)
        over.append(line.over)
    assert over == [False, True]


async def test_a_prometheus_that_is_away_or_refuses_is_named() -> None:
    """The message tells where it was asked and what came."""

    def refusing(request: httpx.Request) -> httpx.Response:
        return httpx.Response(400, text='{"status": "error", "error": "parse error"}')

    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(PrometheusAwayError, match="parse error"):
        await at(refusing).board(BOARD)
    with pytest.raises(PrometheusAwayError, match=r"http://prometheus\.test does not answer"):
        await at(away).board(BOARD)


async def test_a_chart_shows_the_limits_that_matter() -> None:
    """A limit far above everything would press the lines flat."""
    lines = (await at(Answering()).board(BOARD)).answers[1]
    drawn = chart(lines.series, lines.question)
    assert drawn["series"][0]["data"] == [[0, 1.0], [30_000, 4.0], [45_000, 3.0]]
    assert drawn["series"][0]["markLine"]["data"] == [{"yAxis": 1}]


def test_lines_beside_each_other_differ_in_colour_and_in_dash() -> None:
    """Also where there are only two; and no two of a panel are drawn alike."""
    assert len(set(LINES)) == len(LINES)
    assert all(one[0] != two[0] and one[1] != two[1] for one, two in pairwise(LINES))


@pytest.mark.parametrize(("highest", "unit"), [(170.0, "' s'"), (300.0, "' min'")])
def test_an_axis_is_marked_in_one_unit(highest: float, unit: str) -> None:
    """Seconds, or minutes where it reaches that far: never both; and its first and last hour stay in the picture."""
    drawn = chart([Series("a", ((0.0, 1.0), (15.0, highest)))], Question("How long?", one("x"), "s"))
    assert unit in drawn["yAxis"]["axisLabel"][":formatter"]
    assert "?" not in drawn["yAxis"]["axisLabel"][":formatter"]
    assert (drawn["xAxis"]["axisLabel"]["alignMinLabel"], drawn["xAxis"]["axisLabel"]["alignMaxLabel"]) == (
        "left",
        "right",
    )
