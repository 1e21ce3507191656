"""What the runbook's pages quote: words of the log that are really written, panels that the dashboards really have."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from deploy.grafana.boards import BOARDS
from deploy.grafana.questions import Board
from deploy.prometheus.alerts import ALERTS, Alert
from deploy.prometheus.instruments import PACKAGES, ROOT
from deploy.prometheus.rules import recordings

RUNBOOK = ROOT / "docs" / "runbook"
PAGES = sorted(page for page in RUNBOOK.glob("[A-Z]*.md") if page.stem != "README")
COMMANDS = ("opsfloor ", "make ")
GAP = "…"
"""What stands for a value, in a page and in the code's formatted words."""


def points(page: Path) -> list[str]:
    """The paragraphs and the points of lists of a page, each on one line."""
    return [" ".join(each.split()) for each in re.split(r"\n\s*\n|\n(?=\d\. |- |#)|(?<=#)\n", page.read_text())]


def quoted(text: str) -> Iterator[str]:
    """What stands between backticks and is more than one word."""
    yield from (each for each in re.findall(r"`([^`]+)`", text) if " " in each and not each.startswith(COMMANDS))


def _quotes() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        yield from ((page.stem, words) for point in points(page) for words in quoted(point))


@cache
def written() -> tuple[str, ...]:
    """What the services say: each log line's event, and each message of an error or of a table, values as gaps."""
    found: list[str] = []
    for package in (*PACKAGES, "opsfloor"):
        for file in sorted((ROOT / package).rglob("*.py")):
            found += _said(ast.parse(file.read_text()))
    return tuple(found)


def _said(module: ast.Module) -> Iterator[str]:
    for node in ast.walk(module):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in ("debug", "info", "warning", "error", "exception") or name[:1].isupper() or name == "_restart":
                yield from (text for each in node.args if (text := _text(each)))


def _text(node: ast.AST) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(_text(each) or GAP for each in parts)
        case _:
            return ""


@pytest.mark.parametrize(("page", "words"), sorted(set(_quotes())))
def test_the_words_that_a_page_quotes_are_written(page: str, words: str) -> None:
    """Whoever searches the log for them at night finds them."""
    pattern = re.compile(".*".join(re.escape(part) for part in words.split(GAP)))
    assert any(pattern.search(each) for each in written()), f"Expected a log line or message with «{words}»"


@pytest.mark.parametrize("page", ["CoreBankContradicts", "SubmissionConflict", "DependencyAway", "ShardStandsStill"])
def test_a_page_that_sends_to_the_log_says_what_stands_there(page: str) -> None:
    """The look at quotes sees them: none of these pages is passed over."""
    assert [words for name, words in _quotes() if name == page]


def _boards() -> dict[str, Board]:
    return {board.title.removeprefix("Opsfloor: "): board for board in BOARDS}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_that_sends_to_a_dashboard_names_a_panel_that_is_on_it(page: Path) -> None:
    """Each dashboard named goes before one of its panels, and each panel after its dashboard, by its very title."""
    for point in points(page):
        board, panels = None, 1
        for words in re.findall(r"«([^»]+)»", point):
            if words in _boards():
                assert panels, f"Expected a panel of «{board}», found none in {point}"
                board, panels = words, 0
            elif words.endswith("?"):
                assert board is not None, f"Expected the dashboard of «{words}» before it"
                assert words in {panel.title for panel in _boards()[board].panels}, f"«{board}» has no «{words}»"
                panels += 1
        assert panels, f"Expected a panel of «{board}» in {point}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_figure_that_a_page_names_is_on_the_dashboard_that_it_names(page: Path) -> None:
    """Or the page says to ask Prometheus itself."""
    for point in points(page):
        named = set(re.findall(r"\bopsfloor_\w+", point))
        boards = [board for name, board in _boards().items() if f"«{name}»" in point]
        shown = set().union(
            *(figures(query.expr) for board in boards for each in board.panels for query in each.queries)
        )
        assert named <= shown or "Prometheus" in point, f"Expected {named - shown} on a dashboard that the page names"


SEEN_OTHERWISE = {"CoreBankSilent": "its dashboard shows how much is asked and answered, not when it last was"}


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_an_alert_leads_to_a_dashboard_that_shows_what_it_is_told_by(alert: Alert) -> None:
    """At least one of its figures is there, be it by a recording rule."""
    (board,) = (board for board in BOARDS if board.uid == alert.board)
    shown = set().union(*(figures(query.expr) for panel in board.panels for query in panel.queries))
    assert bool(figures(alert.expr) & shown) != (alert.name in SEEN_OTHERWISE)


def figures(expr: str) -> set[str]:
    """The instruments that a query asks for, also through recording rules; `up` is one."""
    names = set(re.findall(r"\b(?:[a-z]+:)?opsfloor_\w+(?::\w+)?|\bup\b", expr))
    rules = recordings()
    plain = {name.removesuffix("_bucket") for name in names if name not in rules}
    return plain.union(*(figures(re.sub(rf"\b{re.escape(name)}\b", "", rules[name])) for name in names & set(rules)))
