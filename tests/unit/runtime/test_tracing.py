"""Spans of the real runner over the models of bus and store, received over OTLP/HTTP; and whose trace a fact belongs to."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import cast

import httpx
import pytest
from fastapi import APIRouter

from shared.contracts import core
from shared.contracts.core import PostingConfirmed
from shared.http.app import build_app
from shared.http.server import HttpServer
from shared.http.tokens import Issuer, Verifier
from shared.http.traced import TracedRequests
from shared.runtime.boards import Boards
from shared.runtime.clock import RealClock
from shared.runtime.commands import CommandPublisher
from shared.runtime.headers import origin_of, outside_headers
from shared.runtime.kafka_log import KafkaLog
from shared.runtime.log import Outgoing
from shared.runtime.memory_log import MemoryLog
from shared.runtime.otlp_tracing import CLOSE_SECONDS, Spans
from shared.runtime.runner import Runner
from shared.runtime.tracing import REQUEST, exemplar_of, from_outside, remember, trace_of
from tests.support.span_receiver import ReceivedSpan, SpanReceiver, receiving
from tests.unit.http.test_app import KEY, Health
from tests.unit.runtime.test_runner import IN, NOW, OUT, PROCESSOR, Bench, turn

BRANCH = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
AS_PROMETHEUS_ASKS = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
TRACE, BRANCH_SPAN = BRANCH[3:35], BRANCH[36:52]


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[SpanReceiver]:
    with receiving() as found:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", found.endpoint)
        yield found
    remember({})


def send(bench: Bench, reference: str, traceparent: bytes) -> None:
    """A record from outside, with whatever somebody thought a traceparent is."""
    message = PostingConfirmed(posting_id="p", case_id="c-1", core_reference=reference, booked_at=NOW)
    headers = dict(outside_headers(message, "/outside", f"o-{reference}", NOW)) | {"traceparent": traceparent}
    bench.log.append((IN.name, 0), Outgoing(b"c-1", message.model_dump_json().encode(), tuple(headers.items()), 0))


def written(bench: Bench) -> list[str]:
    """The traceparents of what was published."""
    return [dict(record.headers)["traceparent"].decode() for record in bench.log.records[(OUT.name, 0)]]


async def traced(bench: Bench, spans: Spans) -> Runner:
    store = bench.database.store("counting")
    runner = Runner(PROCESSOR, bench.log, store, Boards(()), bench.clock, bench.limits, tracing=spans.tracing())
    await runner.start()
    return runner


def decisions(spans: list[ReceivedSpan]) -> list[ReceivedSpan]:
    return [span for span in spans if not span.name.startswith("batch ")]


async def test_a_branchs_trace_goes_through_a_decision_to_its_fact_and_over_the_wire(receiver: SpanReceiver) -> None:
    """The fact names the decision's span, the decision's parent is the branch's span, and both link to the batch."""
    bench, spans = Bench(), Spans.over_otlp("test", "one")
    send(bench, "a", BRANCH.encode())
    await turn(await traced(bench, spans))
    await asyncio.to_thread(spans.close)
    (fact,) = written(bench)
    (batch,) = [span for span in receiver.spans if span.name == "batch test/counting"]
    (decision,) = decisions(receiver.spans)
    assert receiver.paths == ["/v1/traces"]
    assert (decision.service, decision.name) == ("opsfloor-test", "test/counting core.posting-confirmed.v1")
    assert fact == f"00-{TRACE}-{decision.span_id}-01"
    assert (decision.trace_id, decision.parent_id) == (TRACE, BRANCH_SPAN)
    assert decision.links == ((batch.trace_id, batch.span_id),)
    assert decision.attributes["opsfloor.case_id"] == "c-1"
    assert decision.attributes["opsfloor.outcome"] == "decided"
    assert decision.attributes["opsfloor.facts"] == ["intake.submission-accepted.v1"]
    assert (batch.attributes["opsfloor.records"], batch.attributes["opsfloor.facts"]) == (1, 1)
    assert batch.began_ns <= decision.began_ns <= decision.ended_ns <= batch.ended_ns


async def test_a_refusal_says_its_code(receiver: SpanReceiver) -> None:
    bench, spans = Bench(), Spans.over_otlp("test", "one")
    send(bench, "refuse", BRANCH.encode())
    await turn(await traced(bench, spans))
    await asyncio.to_thread(spans.close)
    (decision,) = decisions(receiver.spans)
    assert decision.attributes["opsfloor.outcome"] == "refused"


async def test_what_was_not_committed_has_no_span_and_decided_again_it_has_the_same(receiver: SpanReceiver) -> None:
    """A commit that is refused tells nothing; the span of the decision that counts is named in its fact."""
    bench, spans = Bench(), Spans.over_otlp("test", "one")
    send(bench, "a", BRANCH.encode())
    bench.database.faults.refuse_commits = 1
    runner = await traced(bench, spans)
    for _ in range(4):
        await turn(runner)
    await asyncio.to_thread(spans.close)
    (decision,) = decisions(receiver.spans)
    assert [fact[36:52] for fact in written(bench)] == [decision.span_id]


async def test_with_and_without_a_listener_the_same_headers_are_written(receiver: SpanReceiver) -> None:
    """Whether somebody listens changes nothing on the bus: services with and without work together."""
    heard, unheard, spans = Bench(), Bench(), Spans.over_otlp("test", "one")
    for bench in (heard, unheard):
        send(bench, "a", BRANCH.encode())
        bench.send("sleep", case="c-2")
    await turn(await traced(heard, spans))
    await turn(await unheard.runner())
    await asyncio.to_thread(spans.close)
    assert len(written(heard)) == 2
    assert heard.log.records[(OUT.name, 0)] == unheard.log.records[(OUT.name, 0)]


@pytest.mark.parametrize("junk", [b"", b"\xff\xfe", b"00-abc", b"00-" + b"0" * 32 + b"-b7ad6b7169203331-01", b"x" * 55])
async def test_a_traceparent_that_is_none_begins_a_new_trace_and_parks_nothing(junk: bytes) -> None:
    """As W3C asks: what cannot be read is ignored. A case is never refused for its trace."""
    bench = Bench()
    send(bench, "a", junk)
    await turn(await bench.runner())
    (fact,) = written(bench)
    assert from_outside(fact.encode()) == fact
    assert fact[3:35] == trace_of("c-1")


async def test_a_trace_that_an_older_release_passed_on_unread_stops_nobody(receiver: SpanReceiver) -> None:
    """On a lane a traceparent is taken as it is; one that is none has no span, and the work goes on."""
    bench, spans = Bench(), Spans.over_otlp("test", "one")
    bench.send("a", sequence=1)
    (old,) = bench.log.records[(IN.name, 0)]
    bench.log.records[(IN.name, 0)].clear()
    headers = tuple((dict(old.headers) | {"traceparent": b"00-what a branch wrote"}).items())
    bench.log.append((IN.name, 0), Outgoing(b"c-1", old.value, headers, 0))
    await turn(await traced(bench, spans))
    await asyncio.to_thread(spans.close)
    assert len(written(bench)) == 1
    assert decisions(receiver.spans) == []


async def test_figures_point_to_the_traces_behind_them_when_asked_for_openmetrics(receiver: SpanReceiver) -> None:
    """The hop points to its record's trace, the batch to its own, a case's figure to the case's."""
    bench, spans = Bench(), Spans.over_otlp("test", "one")
    send(bench, "a", BRANCH.encode())
    await turn(await traced(bench, spans))
    asks = {"authorization": f"Bearer {Issuer(KEY).issue('prometheus', 'service')}", "accept": AS_PROMETHEUS_ASKS}
    async with face(spans, APIRouter()) as client:
        answer = await client.get("/metrics", headers=asks)
    told = answer.text.splitlines()
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    hops = [line for line in told if line.startswith("opsfloor_shard_hop_seconds_bucket{") and "test/counting" in line]
    await asyncio.to_thread(spans.close)
    (batch,) = [span for span in receiver.spans if span.name.startswith("batch ")]
    assert any(f'# {{trace_id="{TRACE}"}}' in line for line in hops)
    assert any(
        line.startswith("opsfloor_shard_batch_seconds_bucket{") and f'# {{trace_id="{batch.trace_id}"}}' in line
        for line in told
    )
    assert exemplar_of("c-1") == {"trace_id": TRACE}
    assert exemplar_of("c-2") is None


async def test_what_the_sampler_leaves_out_is_neither_sent_nor_pointed_to(
    receiver: SpanReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sampler goes by the trace's id, so that every service keeps the same cases."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0")
    remember({})
    bench, spans = Bench(), Spans.over_otlp("test", "one")
    send(bench, "a", BRANCH.encode())
    await turn(await traced(bench, spans))
    await asyncio.to_thread(spans.close)
    assert receiver.spans == []
    assert written(bench)[0][3:35] == TRACE
    assert exemplar_of("c-1") is None


async def test_a_receiver_that_is_away_delays_neither_batch_nor_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    """The floor never waits for its traces."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    bench, spans = Bench(), Spans.over_otlp("test", "one")
    runner = await traced(bench, spans)
    for number in range(20):
        bench.send(f"r-{number}")
        await turn(runner)
    assert len(written(bench)) == 20
    began = time.monotonic()
    await asyncio.to_thread(spans.close)
    assert time.monotonic() - began < 2 * CLOSE_SECONDS  # the exporter itself would try for ten


@asynccontextmanager
async def face(spans: Spans, router: APIRouter) -> AsyncIterator[httpx.AsyncClient]:
    app = build_app(
        "tested",
        Verifier(KEY.public_key()),
        [(router, ("auditor",))],
        Health(),
        traced=lambda inner: TracedRequests(inner, spans.tracer),
    )
    async with (
        HttpServer(app, "127.0.0.1", 0) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        yield client


async def test_a_request_has_a_span_and_what_it_publishes_is_in_its_trace(receiver: SpanReceiver) -> None:
    """By its route's template; a caller's own trace goes on; who has no token gets none."""
    spans, router = Spans.over_otlp("test", "one"), APIRouter()

    log = MemoryLog(1, [core.POSTING.name])
    commands = CommandPublisher(cast(KafkaLog, log), log.publisher(), "/tested/http", RealClock())

    @router.get("/cases/{case_id}")
    async def one(case_id: str) -> None:
        await commands.publish(
            PostingConfirmed(posting_id="p", case_id=case_id, core_reference="r", booked_at=NOW), "e"
        )

    token = Issuer(KEY).issue("somebody", "auditor")
    async with face(spans, router) as client:
        await client.get("/cases/c-9", headers={"authorization": f"Bearer {token}", "traceparent": BRANCH})
        await client.get("/cases/c-9", headers={"traceparent": BRANCH})
        await client.get("/health")
    await asyncio.to_thread(spans.close)
    (span,) = receiver.spans
    assert (span.name, span.trace_id, span.parent_id) == ("GET /cases/{case_id}", TRACE, BRANCH_SPAN)
    assert span.attributes["http.response.status_code"] == 200
    (published,) = log.records[(core.POSTING.name, 0)]
    assert origin_of(published).traceparent == f"00-{TRACE}-{span.span_id}-01"
    assert REQUEST.get() == ""


@pytest.mark.long
def test_without_an_endpoint_nothing_of_opentelemetry_is_loaded() -> None:
    """Off costs nothing, not even the import."""
    said = subprocess.run(
        [sys.executable, "-c", "import sys, shared.runtime.host; print('opentelemetry.sdk' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == "False"
