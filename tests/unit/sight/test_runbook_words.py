"""What the runbook's pages quote: words of the log that are really written, panels that the dashboards really have."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from deploy.prometheus.instruments import PACKAGES, ROOT

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
