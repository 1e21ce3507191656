"""The dashboards: current, few panels, questions as titles, only metrics that exist, limits that are promised."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from opentelemetry.trace import SpanContext

from deploy.grafana.boards import BOARDS, SILENT
from deploy.grafana.dashboards import FOLDER, SOURCE, document, main
from deploy.grafana.questions import BAD, GOOD, WARNING, Board, Query, Question
from deploy.prometheus.alerts import ALERTS
from deploy.prometheus.instruments import instruments
from deploy.prometheus.rules import recordings
from shared.runtime.otlp_tracing import exemplar
from tests.unit.sight.test_alerts import known_names
from tests.unit.sight.test_runbook_words import figures

PANELS_MAX = 12
OWN = {"process_resident_memory_bytes", "process_cpu_seconds_total"}
UNITS = {"s", "m", "percentunit", "cpm", "cps", "reqps", "bytes", "short"}


def questions() -> Iterator[tuple[Board, Question]]:
    """Every panel with its dashboard."""
    for board in BOARDS:
        for question in board.panels:
            yield board, question


def test_the_dashboards_are_current(tmp_path: Path) -> None:
    """The committed JSON is what the questions say, byte for byte; what is stale is refused, with the remedy."""
    assert main(["check"]) == 0, "Remedy: python -m deploy.grafana.dashboards write"
    assert sorted(file.stem for file in FOLDER.glob("*.json")) == sorted(board.uid for board in BOARDS)
    assert main(["check"], tmp_path) == 1
    assert main(["write"], tmp_path) == 0
    assert main(["check"], tmp_path) == 0
    (tmp_path / "opsfloor-stray.json").write_text("")
    assert main(["check"], tmp_path) == 1


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_a_dashboard_answers_one_question_with_few_panels(board: Board) -> None:
    """A question as a whole, questions as titles, at most twelve panels, links to the others and to the runbook."""
    body = json.loads(document(board))
    assert board.question.endswith("?")
    assert 5 <= len(board.panels) <= PANELS_MAX
    assert [panel["title"] for panel in body["panels"]] == [panel.title for panel in board.panels]
    assert {link["title"] for link in body["links"]} == {"Other dashboards", "Runbook"}


@pytest.mark.parametrize(("board", "question"), tuple(questions()), ids=lambda each: getattr(each, "title", ""))
def test_a_panel_is_a_question_with_a_unit(board: Board, question: Question) -> None:
    """A title that asks, a unit that Grafana knows, a plausible range, both limits or none."""
    assert question.title.endswith("?")
    assert question.unit in UNITS
    assert question.lowest < question.plausible_to < float("inf")
    assert (question.warns_at is None) == (question.bad_at is None)
    assert question.width in (8, 16, 24)


def unit_told(expr: str) -> str | None:
    """The unit that a query's figures have by their names and by what is done to them; none where one is divided by another."""
    found = re.findall(r"[a-z_:]*[a-z]+_[a-z_:0-9]+[a-z0-9]", re.sub(r"by \([^)]*\)|\{[^}]*\}", "", expr))
    name = next((each for each in found if not each.startswith(("histogram_quantile", "label_"))), "")
    if expr.endswith("/ 60") and "_seconds" in name:
        return "m"
    if " / " in expr:
        return None
    if name.endswith("_total"):
        return "cpm" if expr.startswith("60 * ") else "cps" if "rate(" in expr else "short"
    if re.search(r":(ratio|share)", name):
        return "percentunit"
    if name in recordings():
        return unit_told(recordings()[name])
    plain = name.removesuffix("_bucket")
    units = {"_seconds": "s", "_bytes": "bytes", "_ratio": "percentunit"}
    return next((unit for ending, unit in units.items() if plain.endswith(ending)), "short")


def test_a_figure_that_outlives_its_process_is_told_only_while_somebody_measures() -> None:
    """A rate stands for its window, a 0 for ever: a wall must not call well what nobody measures."""
    lasting = ("rate(", "increase(", ":ratio_rate", ":rate", "vector(0)")
    judged = [
        (question.title, query.expr)
        for _, question in questions()
        for query in question.queries
        if question.shape != "line" and question.warns_at is not None
    ]
    heard = ("and on () max(up", f"unless on () {SILENT}", f"count({SILENT})")
    lasts = [(title, expr) for title, expr in judged if any(each in expr for each in lasting)]
    assert [title for title, expr in lasts if not any(each in expr for each in heard)] == []


def test_a_query_with_limits_of_its_own_has_its_own_colours() -> None:
    """One page is bad where one ticket is not: Grafana colours that query by its limits."""
    calls = Question("Is it?", (Query("p", "pages", (1, 2)), Query("t", "tickets")), "short", "number", 1, 20)
    (panel,) = json.loads(document(Board("u", "t", "q?", (calls,))))["panels"]
    (override,) = panel["fieldConfig"]["overrides"]
    assert override["matcher"] == {"id": "byFrameRefID", "options": "A"}
    (colours,) = override["properties"]
    assert [step["value"] for step in colours["value"]["steps"]] == [None, 1, 2]
    assert [step["value"] for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]] == [None, 1, 20]


def test_a_panels_unit_is_that_of_its_figures() -> None:
    """Seconds are shown as seconds, shares as shares, what is counted per minute as that: a wrong unit is a wrong answer."""
    same = {"reqps": "cps"}
    wrong = {
        (board.uid, question.title, question.unit): told
        for board, question in questions()
        for query in question.queries
        if (told := unit_told(query.expr)) not in (None, same.get(question.unit, question.unit))
    }
    assert wrong == {("opsfloor-service", "How much of a processor?", "percentunit"): "cps"}, (
        "seconds per second: a share"
    )


@pytest.mark.parametrize(
    ("expr", "unit"),
    [
        ("60 * sum (rate(opsfloor_cases_total[5m]))", "cpm"),
        ("sum by (processor) (rate(opsfloor_shard_events_total[5m]))", "cps"),
        ("histogram_quantile(0.9, sum by (le) (rate(opsfloor_shard_batch_seconds_bucket[5m])))", "s"),
        ("sum by (team) (opsfloor_desk_backlog_standard_seconds) / 60", "m"),
        ("max by (team) (opsfloor_desk_saturation_ratio)", "percentunit"),
        ("provider:opsfloor_items_completed:share1h", "percentunit"),
        ("sum(increase(opsfloor_drills_total[28d]))", "short"),
        ("process_resident_memory_bytes", "bytes"),
    ],
)
def test_a_wrong_unit_would_be_seen(expr: str, unit: str) -> None:
    """What the look at units makes of a query."""
    assert unit_told(expr) == unit


@pytest.mark.parametrize(("board", "question"), tuple(questions()), ids=lambda each: getattr(each, "title", ""))
def test_a_panel_asks_only_for_what_exists(board: Board, question: Question) -> None:
    """Every metric of a query is an instrument, a recording rule or Prometheus's own; every variable is the board's."""
    for query in question.queries:
        named = set(re.findall(r"(?:[a-z_]+:)?(?:opsfloor|process|python)_[a-z_:0-9]+[a-z0-9]", query.expr))
        assert named <= known_names() | OWN | {"ALERTS", "up"}
        variables = set(re.findall(r"\$(\w+)", query.expr))
        assert variables <= ({board.variable[0]} if board.variable else set())


def test_one_service_shows_that_service_alone() -> None:
    """Another one's figures under its name would be taken for its own."""
    board = next(board for board in BOARDS if board.uid == "opsfloor-service")
    everybodys = [query.expr for panel in board.panels for query in panel.queries if 'job="$service"' not in query.expr]
    assert everybodys == []


NOT_OF_THE_BALANCER = ("opsfloor_shard_", "opsfloor_database_", "opsfloor_workbench_")


def test_one_service_says_why_the_balancer_lacks_what_the_others_have() -> None:
    """It owns no shard, keeps no database and answers no click: whoever chooses it reads no bare «no data»."""
    board = next(board for board in BOARDS if board.uid == "opsfloor-service")
    lacks = [each for each in board.panels if any(name in each.queries[0].expr for name in NOT_OF_THE_BALANCER)]
    assert len(lacks) >= len(NOT_OF_THE_BALANCER)
    assert [each.title for each in lacks if not each.empty_because] == []


def _named_without_a_panel() -> list[str]:
    rows = re.findall(r"^\| (`opsfloor_\w+`.*?) \|", (FOLDER.parent / "README.md").read_text(), re.MULTILINE)
    return re.findall(r"`(opsfloor_\w+)`", " ".join(rows))


def test_every_metric_is_shown_or_in_a_rule_or_it_is_said_why_not() -> None:
    """A new one gets a panel or an alert, else a line in deploy/grafana/README.md; what has one has no line there."""
    asked = [query.expr for _, question in questions() for query in question.queries]
    seen = set().union(*(figures(expr) for expr in (*asked, *recordings().values(), *(alert.expr for alert in ALERTS))))
    assert sorted(_named_without_a_panel()) == sorted({each.name for each in instruments()} - seen)


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_every_line_of_a_histogram_asks_for_exemplars(board: Board) -> None:
    """A point beside the line leads to the trace of a case that was so slow; other panels ask for none."""
    for panel, question in zip(json.loads(document(board))["panels"], board.panels, strict=True):
        asks = [target.get("exemplar", False) for target in panel["targets"]]
        assert asks == [question.shape == "line" and query.points_to_traces for query in question.queries]


def test_exemplars_lead_to_a_store_of_traces_that_is_provisioned() -> None:
    """By the label that exemplars carry, to a data source whose kind and address compose gives Grafana."""
    text = (FOLDER.parent / "provisioning" / "datasources" / "opsfloor.yaml").read_text()
    metrics, traces = yaml.safe_load(text)["datasources"]
    (leads,) = metrics["jsonData"]["exemplarTraceIdDestinations"]
    assert metrics["uid"] == SOURCE.uid
    assert leads["datasourceUid"] == traces["uid"]
    assert {leads["name"]} == set(exemplar(SpanContext(1, 1, is_remote=False)))
    grafana = yaml.safe_load((FOLDER.parents[1] / "compose" / "compose.yaml").read_text())["services"]["grafana"]
    assert set(re.findall(r"\$\{(\w+)\}", text)) <= set(grafana["environment"])


def test_alerts_look_at_dashboards_that_exist() -> None:
    """Whoever is called is sent to a page that is there."""
    assert {alert.board for alert in ALERTS} <= {board.uid for board in BOARDS}


def test_colours_are_told_apart_by_everybody() -> None:
    """Good, warning and bad differ in lightness, not only in hue: also for the colour-blind and on a grey print."""
    lights = [_lightness(colour) for colour in (GOOD, BAD, WARNING)]
    assert all(later - earlier > 0.05 for earlier, later in pairwise(lights))
    used = set(re.findall(r'"color": "([^"]+)"', "".join(document(board) for board in BOARDS)))
    assert used <= {GOOD, WARNING, BAD}


def _lightness(colour: str) -> float:
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return float(0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2)
