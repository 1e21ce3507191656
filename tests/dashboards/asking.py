"""Asking a Prometheus what the panels ask, and judging its answers."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from deploy.grafana.boards import BOARDS
from deploy.grafana.questions import Board, Query, Question
from opsfloor.floor import BALANCER, SERVICES

EMPTY_BY_DESIGN: Mapping[str, str] = json.loads(Path(__file__).with_name("empty-by-design.json").read_text())
"""Panels, as `dashboard: title`, that a plain day leaves empty, and why. `test_rare_cases` makes each one's case."""
VARIABLES: Mapping[str, tuple[str, ...]] = {"type": (".*",), "service": (*SERVICES, BALANCER)}


@dataclass(slots=True)
class Answers:
    """What one panel's queries have given so far: how often anything, and the extremes of the values."""

    board: str
    question: Question
    filled: set[str] = field(default_factory=set)
    lowest: float = math.inf
    highest: float = -math.inf

    def take(self, expr: str, values: list[float]) -> None:
        """Count one answer in; a quantile of nothing is no value."""
        told = [value for value in values if not math.isnan(value)]
        if told:
            self.filled.add(expr)
            self.lowest, self.highest = min(self.lowest, *told), max(self.highest, *told)

    @property
    def complete(self) -> bool:
        """Every query of the panel has given data at least once, for at least one value of its variable."""
        return all(any(filled in self.filled for filled in expressions(query)) for query in self.question.queries)

    @property
    def plausible(self) -> bool:
        """Every value lay in the range that the panel calls plausible."""
        return self.question.lowest <= self.lowest and self.highest <= self.question.plausible_to


def expressions(query: Query) -> list[str]:
    """The query with every value of its variable filled in."""
    found = [query.expr]
    for name, values in VARIABLES.items():
        found = [
            expr.replace(f"${name}", value) for expr in found for value in (values if f"${name}" in expr else ("",))
        ]
    return found


def panels() -> list[Answers]:
    """One empty set of answers per panel."""
    return [Answers(board.uid, question) for board, question in _questions()]


def _questions() -> Iterator[tuple[Board, Question]]:
    for board in BOARDS:
        for question in board.panels:
            yield board, question


def ask(prometheus: httpx.Client, expr: str) -> list[float]:
    """The values that Prometheus answers now. Errors: `AssertionError` when it does not understand the query."""
    answer = prometheus.post("/api/v1/query", data={"query": expr})
    assert answer.status_code == httpx.codes.OK, f"Expected {expr} to be understood, found {answer.text}"
    result = answer.json()["data"]
    samples = [result["result"]] if result["resultType"] == "scalar" else [each["value"] for each in result["result"]]
    return [float(value) for _, value in samples]


def traces(prometheus: httpx.Client, query: Query, begun: float, ended: float) -> set[str]:
    """The traces that the query's figures point to, as Grafana asks for them beside a line. Units: Unix seconds."""
    span = {"start": f"{begun:.3f}", "end": f"{ended:.3f}"}
    found: set[str] = set()
    for expr in expressions(query):
        answer = prometheus.post("/api/v1/query_exemplars", data={"query": expr, **span})
        assert answer.status_code == httpx.codes.OK, f"Expected {expr} to be understood, found {answer.text}"
        found |= {each["labels"]["trace_id"] for series in answer.json()["data"] for each in series["exemplars"]}
    return found


def ask_all(prometheus: httpx.Client, found: list[Answers]) -> None:
    """Ask every panel once."""
    for answers in found:
        for query in answers.question.queries:
            for expr in expressions(query):
                answers.take(expr, ask(prometheus, expr))
