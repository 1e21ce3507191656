"""A turn of the balancer and its span, received over OTLP/HTTP."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, cast

import pytest
from prometheus_client import REGISTRY
from prometheus_client.exposition import choose_encoder

from services.routing.balancer.app import Turning
from services.routing.balancer.balance import Balance
from services.routing.balancer.metrics import NOT_DUE
from services.routing.balancer.turn import NAME, Turn
from shared.contracts.message import Message
from shared.contracts.routing import ARRIVALS, PLAN
from shared.runtime.clock import SetClock
from shared.runtime.commands import CommandPublisher
from shared.runtime.errors import TransientError
from shared.runtime.headers import origin_of
from shared.runtime.host import Publish
from shared.runtime.kafka_log import KafkaLog
from shared.runtime.memory_log import MemoryLog
from shared.runtime.otlp_tracing import Spans
from shared.runtime.pieces import Pieces, unheard
from shared.runtime.tracing import REQUEST
from tests.support.span_receiver import ReceivedSpan, SpanReceiver, receiving
from tests.unit.routing.floor import NOW
from tests.unit.routing.test_planner import asked, desk, views
from tests.unit.sight.facts import shown

LATER = NOW + timedelta(seconds=600)


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[SpanReceiver]:
    with receiving() as found:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", found.endpoint)
        yield found


def balance(people: int = 2, arrivals: int = 600) -> Balance:
    """A balancer that has heard so much, over a floor with so many people."""
    found = Balance(views(desk("north", people)) if people else views(), "balancer-1", NOW)
    for n in range(arrivals):
        found.hear(asked(n))
    return found


def turn(over: Balance, pieces: Pieces = unheard) -> Turn:
    return Turn(over, SetClock(LATER), "one", pieces)


def bus() -> tuple[MemoryLog, Publish]:
    log = MemoryLog(1, [PLAN.name, ARRIVALS.name])
    clock = SetClock(LATER)
    return log, CommandPublisher(cast(KafkaLog, log), log.publisher(), "/opsfloor/routing/balancer", clock).publish


async def away(message: Message, event_id: str) -> None:
    raise TransientError("Expected the bus, found it away")


async def spans_after(receiver: SpanReceiver, over: Balance, publish: Publish) -> list[ReceivedSpan]:
    spans = Spans.over_otlp("balancer", "one")
    await turn(over, spans.piece).plan(publish)
    await asyncio.to_thread(spans.close)
    return receiver.spans


async def test_a_plan_has_a_span_and_is_published_below_it(receiver: SpanReceiver) -> None:
    """A trace of its own; the record on the bus names the span, and the span says what the plan says."""
    log, publish = bus()
    (span,) = await spans_after(receiver, balance(), publish)
    (record,) = log.records[(PLAN.name, 0)]
    assert (span.service, span.name, span.parent_id) == ("opsfloor-balancer", NAME, "")
    assert origin_of(record).traceparent == f"00-{span.trace_id}-{span.span_id}-01"
    assert span.attributes["opsfloor.outcome"] == "decided"
    assert "routing.plan-made.v1" in span.attributes["opsfloor.facts"]
    assert span.attributes["opsfloor.heard"] == 600
    assert (span.attributes["opsfloor.kinds"], span.attributes["opsfloor.teams"]) == (1, 1)
    assert span.attributes["opsfloor.saturation"] > 0
    assert 0 < span.attributes["opsfloor.solve_seconds"] * 1e9 < span.ended_ns - span.began_ns
    assert REQUEST.get() == ""


async def test_the_time_to_solve_points_to_the_plans_trace(receiver: SpanReceiver) -> None:
    (span,) = await spans_after(receiver, balance(), bus()[1])
    encode, _ = choose_encoder("application/openmetrics-text; version=1.0.0")
    told = encode(REGISTRY).decode().splitlines()
    assert any(
        line.startswith("opsfloor_plan_solve_seconds_bucket{") and f'# {{trace_id="{span.trace_id}"}}' in line
        for line in told
    )


async def test_a_plan_that_the_bus_did_not_take_says_so(receiver: SpanReceiver) -> None:
    """The last word counts: it was decided, and nobody was told."""
    before = shown("opsfloor_plans_failed_total", reason="bus")
    (span,) = await spans_after(receiver, balance(), away)
    assert span.attributes["opsfloor.outcome"] == "bus"
    assert "away" in span.attributes["opsfloor.reason"]
    assert shown("opsfloor_plans_failed_total", reason="bus") == before + 1


async def test_a_solver_without_an_answer_says_so(receiver: SpanReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """No plan, and the span says why; nothing is published."""

    def unsolved(*_: Any) -> None:
        raise ArithmeticError("Expected an optimum, found none")

    log, publish = bus()
    over = balance()
    monkeypatch.setattr(over, "plan", unsolved)
    (span,) = await spans_after(receiver, over, publish)
    assert span.attributes["opsfloor.outcome"] == "solver"
    assert log.records[(PLAN.name, 0)] == []


async def test_a_turn_that_tells_nothing_has_no_span(receiver: SpanReceiver) -> None:
    """A floor at night: a span a second of nothing would bury the others."""
    _, publish = bus()
    assert await spans_after(receiver, balance(people=0, arrivals=0), publish) == []


async def test_what_the_sampler_leaves_out_is_not_told(receiver: SpanReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sampler rules here as well, and the plan is made all the same."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    log, publish = bus()
    assert await spans_after(receiver, balance(), publish) == []
    assert len(log.records[(PLAN.name, 0)]) == 1


async def test_with_and_without_a_listener_the_same_plan_is_published(receiver: SpanReceiver) -> None:
    """Only the trace that the record names is another."""
    (heard, hears), (alone, publishes) = bus(), bus()
    await spans_after(receiver, balance(), hears)
    assert await turn(balance()).plan(publishes) == ""
    one, other = heard.records[(PLAN.name, 0)][0], alone.records[(PLAN.name, 0)][0]
    assert one.value == other.value
    assert dict(one.headers) | {"traceparent": b""} == dict(other.headers) | {"traceparent": b""}


async def test_a_balancer_whose_plans_reach_nobody_is_not_ready() -> None:
    """It says why to whoever asks, and is ready again with the next plan that is told."""

    async def away(message: Message, event_id: str) -> None:
        raise TransientError("Expected a broker")

    turning = Turning(boards_ready=True)
    turning.hindered = await turn(balance()).plan(away)
    assert turning.ready() == (False, ["the bus is away: plans are not told"])
    turning.hindered = await turn(balance()).plan(bus()[1])
    assert turning.ready() == (True, [])


async def test_a_turn_without_a_plan_says_whether_one_was_due() -> None:
    """At night none is, and the turn tells so; a plan that is made, or that nobody was told, is no such turn."""
    name = "opsfloor_plan_not_due_timestamp_seconds"
    NOT_DUE.set(0)
    await turn(balance()).plan(bus()[1])
    await turn(balance()).plan(away)
    assert shown(name) == 0
    before = time.time()
    await turn(balance(people=0)).plan(bus()[1])
    assert before <= shown(name) <= time.time()


@pytest.mark.long
def test_without_an_endpoint_the_balancer_loads_nothing_of_opentelemetry() -> None:
    """Off costs nothing, not even the import."""
    said = subprocess.run(
        [sys.executable, "-c", "import sys, services.routing.balancer.app; print('opentelemetry.sdk' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == "False"
