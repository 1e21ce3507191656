"""Asking Prometheus a board's questions, over HTTP, all at once."""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import httpx

from deploy.grafana.questions import Board, Query, Question
from opsfloor.floor import BALANCER, SERVICES

SPAN_SECONDS: Final = 3_600.0
STEP_SECONDS: Final = 15.0
ENDED_SECONDS: Final = 2 * STEP_SECONDS  # a line whose last point is older has ended
STALE_SECONDS: Final = 60.0  # four scrapes missed
FRESH_SECONDS: Final = 4.0  # figures younger than this are not asked for again
TIMEOUT_SECONDS: Final = 5.0
LAST_SCRAPE: Final = "time() - max(timestamp(opsfloor_service_info))"  # of a plain series: else it would be now
HEARD: Final = Query("count by (job) (up == 1)", "{{job}}")  # a job is a service, as for every rule
_LABEL: Final = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_VALUES_OF: Final = re.compile(r"label_values\((\w+),\s*(\w+)\)")


class PrometheusAwayError(Exception):
    """Prometheus does not answer, or does not understand. The message says so."""


@dataclass(frozen=True, slots=True)
class Series:
    """One line of an answer.

    Shape:   points in the order of time; the last one alone where a number was asked for; `query` is the place of its
             query among the question's; `over` when its last point is of before: nobody tells it any more.
    """

    name: str
    points: tuple[tuple[float, float], ...]
    query: int = 0
    over: bool = False

    @property
    def last(self) -> float:
        """The newest value."""
        return self.points[-1][1]

    @property
    def highest(self) -> float:
        """The highest value of the span."""
        return max(value for _, value in self.points)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one question."""

    question: Question
    series: tuple[Series, ...]


@dataclass(frozen=True, slots=True)
class Firing:
    """An alert that somebody is called for."""

    name: str
    severity: str
    about: str


@dataclass(frozen=True, slots=True)
class Figures:
    """A board's answers at one moment. Units: wall-clock seconds; `age_seconds` since a service was last heard.

    Shape:   `silent` are the services of which no process answers Prometheus.
    Holds:   `age_seconds` is none when no service answers Prometheus any more.
    """

    asked_at: float
    answers: tuple[Answer, ...]
    firing: tuple[Firing, ...] = ()
    age_seconds: float | None = None
    silent: tuple[str, ...] = ()

    @property
    def stale(self) -> bool:
        """Too old to act on."""
        return self.age_seconds is None or self.age_seconds > STALE_SECONDS


@dataclass
class _Held:
    """The last figures of one board, and who asks for the next: one for all browsers."""

    figures: Figures | None = None
    asking: asyncio.Lock = field(default_factory=asyncio.Lock)


class Prometheus:
    """A Prometheus at a URL."""

    def __init__(self, url: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.url: Final = url
        self._client: Final = httpx.AsyncClient(base_url=url, timeout=TIMEOUT_SECONDS, transport=transport)
        self._held: Final[dict[tuple[str, str], _Held]] = {}

    async def board(self, board: Board, chosen: str = "") -> Figures:
        """The board's figures now, `chosen` in the place of its variable.

        Holds:   however many browsers look, Prometheus is asked for a board once in `FRESH_SECONDS`.
        Errors:  `PrometheusAwayError`.
        """
        held = self._held.setdefault((board.uid, chosen), _Held())
        async with held.asking:
            if held.figures is None or time.time() - held.figures.asked_at >= FRESH_SECONDS:
                held.figures = await self._ask(board, chosen)
            return held.figures

    async def choices(self, board: Board) -> list[str]:
        """What a reader may put in the place of the board's variable. Errors: `PrometheusAwayError`."""
        found = _VALUES_OF.fullmatch(board.variable[1]) if board.variable else None
        if found is None:
            return []
        metric, label = found.groups()
        return sorted(await self._get(f"/api/v1/label/{label}/values", {"match[]": metric}))

    async def close(self) -> None:
        """Let the connections go."""
        await self._client.aclose()

    async def _ask(self, board: Board, chosen: str) -> Figures:
        now = time.time()
        answers, ages, heard, firing = await asyncio.gather(
            asyncio.gather(*(self._answer(question, board, chosen, now) for question in board.panels)),
            self._instant(Query(LAST_SCRAPE), now),
            self._instant(HEARD, now),
            self._firing(),
        )
        names = {one.name for one in heard}
        silent = tuple(service for service in (*SERVICES, BALANCER) if service not in names)
        return Figures(now, tuple(answers), firing, ages[0].last if ages else None, silent)

    async def _answer(self, question: Question, board: Board, chosen: str, now: float) -> Answer:
        queries = [Query(filled(query.expr, board, chosen), query.legend) for query in question.queries]
        ask = self._range if question.shape == "line" else self._instant
        found = await asyncio.gather(*(ask(query, now) for query in queries))
        return Answer(question, tuple(replace(one, query=place) for place, each in enumerate(found) for one in each))

    async def _instant(self, query: Query, now: float) -> list[Series]:
        found = await self._get("/api/v1/query", {"query": query.expr, "time": f"{now:.3f}"})
        if found["resultType"] == "scalar":
            return _series(query, [{"metric": {}, "values": [found["result"]]}])
        return _series(query, [{**each, "values": [each["value"]]} for each in found["result"]])

    async def _range(self, query: Query, now: float) -> list[Series]:
        end = now - now % STEP_SECONDS  # the same moments each time, so that a line does not tremble
        span = {"start": f"{end - SPAN_SECONDS:.0f}", "end": f"{end:.0f}", "step": f"{STEP_SECONDS:.0f}"}
        found = await self._get("/api/v1/query_range", {"query": query.expr, **span})
        return [replace(one, over=one.points[-1][0] < end - ENDED_SECONDS) for one in _series(query, found["result"])]

    async def _firing(self) -> tuple[Firing, ...]:
        found = await self._get("/api/v1/alerts", {})
        told = {
            Firing(
                each["labels"]["alertname"],
                each["labels"].get("severity", ""),
                each["annotations"].get("summary", ""),
            )
            for each in found["alerts"]
            if each["state"] == "firing"
        }
        return tuple(sorted(told, key=lambda one: (one.severity != "page", one.name, one.about)))

    async def _get(self, path: str, words: Mapping[str, str]) -> Any:
        try:
            answer = await self._client.get(path, params=dict(words))
            body = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise PrometheusAwayError(f"Prometheus at {self.url} does not answer ({type(error).__name__})") from error
        if body.get("status") != "success":
            raise PrometheusAwayError(f"Prometheus at {self.url} refused {path}: {body.get('error', answer.text)}")
        return body["data"]


def filled(expr: str, board: Board, chosen: str) -> str:
    """The expression with the reader's choice in it; everything when nothing was chosen."""
    return expr.replace(f"${board.variable[0]}", chosen or ".*") if board.variable else expr


def _series(query: Query, rows: Sequence[Mapping[str, Any]]) -> list[Series]:
    found = []
    for row in rows:
        points = tuple((float(at), float(value)) for at, value in row["values"])
        known = tuple((at, value) for at, value in points if not math.isnan(value))
        if known:
            found.append(Series(_name(query.legend, row["metric"]), known))
    return sorted(found, key=lambda series: series.name)


def _name(legend: str, labels: Mapping[str, str]) -> str:
    return _LABEL.sub(lambda found: labels.get(found.group(1), ""), legend)
