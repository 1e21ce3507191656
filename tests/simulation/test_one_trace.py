"""One case through all real processors, listened to: one trace from the branch's event to the posting, and beyond."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared.contracts import audit, branch
from shared.contracts.message import Message
from shared.runtime.clock import SetClock
from shared.runtime.headers import body_of, correlation_of, origin_of
from shared.runtime.log import Outgoing, Record
from shared.runtime.otlp_tracing import OtlpTracing, Spans
from shared.runtime.tracing import remember
from tests.simulation.run import SERVICES, START, Run
from tests.simulation.stage import Stage
from tests.simulation.world import World, image

BRANCH = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
ROUNDS_MAX = 400


class Diligent(random.Random):
    """Nobody errs, refuses or walks away."""

    def random(self) -> float:
        return 0.5


class Listening:
    """Everything that the processors of a floor tell."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self._spans: dict[str, Spans] = {}

    def to(self, service: str) -> OtlpTracing:
        """A listener to one processor; as in life, all of a service tell into one place."""
        if service not in self._spans:
            self._spans[service] = Spans(service, "one", SimpleSpanProcessor(self.exporter))
        return self._spans[service].tracing()


class Day:
    """A calm day on which one branch hands in one document, with a trace of its own."""

    def __init__(self) -> None:
        listening = Listening()
        self.exporter = listening.exporter
        self.stage = Stage(SetClock(START), image(), lambda: 500, listening.to)
        self.world = World(self.stage, Diligent())

    def play(self) -> None:
        self.world.publish_reference()
        for service in SERVICES:
            self.stage.spawn(service)
        self.world.everybody_signs_on()
        self.world.hire()
        self._round(2)
        self.world.submit()
        self._give_the_branch_its_own_trace()
        for _ in range(ROUNDS_MAX):
            self._round(1)
            self.world.work(diligent=True)
            self.world.book(diligent=True)
            if any(isinstance(message, audit.CasePosted) for _, message in self.records(audit.CASE.name)):
                self._round(6)
                return
        raise AssertionError("Expected a posted case, found none")

    def _round(self, count: int) -> None:
        for _ in range(count):
            for process in self.stage.processes:
                process.complete()
            self.stage.clock.move(2)

    def _give_the_branch_its_own_trace(self) -> None:
        for place, records in self.stage.log.records.items():
            if place[0] == branch.SUBMISSION.name:
                for old in [records.pop() for _ in list(records)]:
                    headers = tuple((dict(old.headers) | {"traceparent": BRANCH.encode()}).items())
                    self.stage.log.append(place, Outgoing(old.key or b"", old.value, headers, old.timestamp_ms))

    def records(self, topic: str = "") -> Iterator[tuple[Record, Message]]:
        for place, records in self.stage.log.records.items():
            if place[0] == topic or (not topic and not place[0].endswith(".dlq")):
                for record in records:
                    yield record, body_of(record, origin_of(record).kind)

    def spans(self) -> Mapping[str, ReadableSpan]:
        """The spans of the branch's trace, by id."""
        trace_id = int(BRANCH[3:35], 16)
        found = [span for span in self.exporter.get_finished_spans() if span.context.trace_id == trace_id]
        return {f"{span.context.span_id:016x}": span for span in found}


@pytest.fixture(scope="module")
def day() -> Iterator[Day]:
    found = Day()
    found.play()
    yield found
    remember({})


def test_every_fact_about_the_case_is_in_the_branchs_trace(day: Day) -> None:
    """Though people's commands and alarms, whose traces are others, stand between its steps."""
    facts = [(record, message) for record, message in day.records() if correlation_of(message)]
    inside = [(record, message) for record, message in facts if origin_of(record).sequence]
    strange = [m.kind_name() for record, m in inside if origin_of(record).traceparent[3:35] != BRANCH[3:35]]
    kinds = {message.kind_name() for _, message in inside}
    assert strange == []
    assert {"audit.posting-requested.v1", "routing.work-completed.v1", "routing.work-assigned.v1"} <= kinds
    assert {"audit.case-posted.v1", "intake.case-opened.v1", "vendor.keying-judged.v1"} <= kinds


def test_spans_of_all_four_services_are_one_tree_below_the_branchs_event(day: Day) -> None:
    """Each span's parent is another span of the trace, up to the one that the branch named."""
    spans = day.spans()
    services = {str(span.resource.attributes["service.name"]) for span in spans.values()}
    parents = {f"{span.parent.span_id:016x}" for span in spans.values() if span.parent is not None}
    assert services == {f"opsfloor-{service}" for service in SERVICES}
    assert all(span.parent is not None for span in spans.values())
    assert parents - spans.keys() == {BRANCH[36:52]}


def test_the_posting_names_the_span_that_decided_it(day: Day) -> None:
    """From the record that the core bank reads one finds the decision behind it."""
    ((record, _),) = day.records(audit.POSTING.name)
    span = day.spans()[origin_of(record).traceparent[36:52]]
    assert span.name == "audit/controls routing.work-completed.v1"
    assert "audit.posting-requested.v1" in cast(Sequence[str], (span.attributes or {})["opsfloor.facts"])


def test_a_decision_on_somebodys_command_links_to_the_commands_own_trace(day: Day) -> None:
    """A completed item is in the case's trace, with a link to the trace of the click."""
    completed = [s for s in day.spans().values() if s.name == "routing/desk routing.complete-assignment.v1"]
    assert completed
    for span in completed:
        assert span.parent is not None
        assert [link for link in span.links if link.context.trace_id != span.context.trace_id]


@pytest.mark.parametrize("seed", [7, 8, 9])
def test_listening_changes_nothing_whatever_befalls_the_floor(seed: int) -> None:
    """The same faults, the same records word for word; and what is told did happen: its facts are on the bus."""
    listening = Listening()
    heard, unheard = Run(seed, listen=listening.to), Run(seed)
    told, untold = heard.play(), unheard.play()
    remember({})
    assert told == untold
    assert heard.stage.log.records == unheard.stage.log.records
    headers = [dict(record.headers) for records in heard.stage.log.records.values() for record in records]
    named = {found["traceparent"].decode()[3:52] for found in headers if "sequence" in found}
    spans = {
        f"{span.context.trace_id:032x}-{span.context.span_id:016x}"
        for span in listening.exporter.get_finished_spans()
        if not span.name.startswith("batch ") and (span.attributes or {})["opsfloor.facts"]
    }
    assert spans
    assert spans <= named
