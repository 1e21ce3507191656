"""Spans of batches, decisions and requests by OpenTelemetry, sent over OTLP/HTTP to whoever the environment names."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, TraceFlags
from opentelemetry.util.types import AttributeValue

from shared.contracts.message import Message
from shared.runtime.engine import Tally
from shared.runtime.headers import correlation_of, source_of, trace_for
from shared.runtime.pieces import Piece, Said
from shared.runtime.processor import Event, Processor, Rejection, Situation, TimerFired
from shared.runtime.tracing import REQUEST, Exemplar, from_outside, remember, written_by

QUEUE_SPANS: Final = 20_000  # waiting to be sent; what comes on top is dropped: a floor never waits for its traces
COUNTS: Final = ("records", "events", "timers", "facts", "duplicates", "parked", "rejected")
CLOSE_SECONDS: Final = 3.0
QUEUE: Final = "OTEL_BSP_MAX_QUEUE_SIZE"


class GivenIds(IdGenerator):
    """Random ids, but for the next span the one that was given: a decision's span is named in the facts it wrote."""

    def __init__(self) -> None:
        self._random: Final = RandomIdGenerator()
        self.span_id: int | None = None

    def generate_trace_id(self) -> int:
        return self._random.generate_trace_id()

    def generate_span_id(self) -> int:
        found, self.span_id = self.span_id, None
        return self._random.generate_span_id() if found is None else found


@dataclass(frozen=True, slots=True)
class Decided:
    """One decision of the batch under way, and its facts with what their state knew of their trace.

    Units:   nanoseconds since the epoch.
    """

    event: Event
    situation: Situation
    began_ns: int
    ended_ns: int
    refused: str  # the code of a refusal
    facts: list[tuple[Message, str]] = field(default_factory=list)


class Spans:
    """A process's spans. `processor` sends them on."""

    def __init__(self, service: str, instance: str, processor: SpanProcessor) -> None:
        resource = Resource.create(
            {"service.namespace": "opsfloor", "service.name": f"opsfloor-{service}", "service.instance.id": instance}
        )
        self.ids: Final = GivenIds()
        self._provider: Final = TracerProvider(resource=resource, id_generator=self.ids, shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self.tracer: Final = self._provider.get_tracer("opsfloor")

    @classmethod
    def over_otlp(cls, service: str, instance: str) -> Spans:
        """Send to the endpoint of the environment; its other `OTEL_` names (headers, sampler, …) hold as well."""
        size = int(os.environ.get(QUEUE, QUEUE_SPANS))
        return cls(service, instance, BatchSpanProcessor(OTLPSpanExporter(), max_queue_size=size))

    def tracing(self) -> OtlpTracing:
        """For one processor."""
        return OtlpTracing(self)

    @contextmanager
    def piece(self, name: str) -> Iterator[Piece]:
        """A span in a trace of its own around a piece of work; what is published meanwhile is written below it."""
        span = self.tracer.start_span(name, context=Context())
        said = SpanOfPiece(span)
        begun = REQUEST.set(traceparent_of(span.get_span_context()))
        try:
            yield said
        finally:
            REQUEST.reset(begun)
            if said.told:
                span.end()

    def close(self) -> None:
        """Send what is left, for at most `CLOSE_SECONDS`: a process that stops does not wait for a receiver that is away."""
        closing = threading.Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        closing.join(CLOSE_SECONDS)


class SpanOfPiece:
    """What a piece of work says of itself, on its span."""

    def __init__(self, span: Span) -> None:
        self._span: Final = span
        self.told = False

    def says(self, outcome: str, about: Mapping[str, Said]) -> Exemplar | None:
        self.told = True
        self._span.set_attributes(
            {"opsfloor.outcome": outcome, **{f"opsfloor.{what}": said for what, said in about.items()}}
        )
        return exemplar(self._span.get_span_context()) if self._span.is_recording() else None


class OtlpTracing:
    """One processor's batches and decisions as spans.

    Holds:   a decision has one span in each trace that it wrote facts into, or in its cause's when it wrote none; the
             span's id is the one in its facts' `traceparent`, its parent the cause's span, else the one that the case
             came with; nothing is told of what was not committed.
    """

    def __init__(self, spans: Spans) -> None:
        self._spans: Final = spans
        self._name = ""
        self._service = ""
        self._began_ns = time.time_ns()
        self._decided: list[Decided] = []
        self._kept: frozenset[int] = frozenset()  # traces that the last batch told of

    def over(self, processor: Processor) -> Processor:
        self._service, self._name = processor.service, processor.name

        def decide(state: Any, event: Any, situation: Situation) -> Any:
            began_ns = time.time_ns()
            answer = processor.decide(state, event, situation)
            code = answer.code if isinstance(answer, Rejection) else ""
            self._decided.append(Decided(event, situation, began_ns, time.time_ns(), code))
            return answer

        def trace_known(state: Any, fact: Message) -> str:
            known = processor.trace(state, fact)
            self._decided[-1].facts.append((fact, known))
            return known

        return replace(processor, decide=decide, trace=trace_known)

    def began(self) -> None:
        self._began_ns = time.time_ns()
        self._decided = []

    def committed(self, tally: Tally, commit_seconds: float) -> Exemplar | None:
        batch = self._batch(tally, commit_seconds) if tally.records or tally.timers else None
        exemplars: dict[str, Exemplar] = {}
        kept: set[int] = set()
        for decided in self._decided:
            for context, facts in self._decision(decided, batch):
                kept.add(context.trace_id)
                found = exemplar(context)
                exemplars.update((case, found) for fact in facts if (case := correlation_of(fact)))
        remember(exemplars)
        self._kept = frozenset(kept)
        return None if batch is None else exemplar(batch)

    def exemplar(self, traceparent: str) -> Exemplar | None:
        context = context_in(traceparent)
        return exemplar(context) if context is not None and context.trace_id in self._kept else None

    # -------------------------------------------------------------- spans

    def _batch(self, tally: Tally, commit_seconds: float) -> SpanContext | None:
        """Tell the batch. Returns its span, unless the sampler left it out."""
        name, counts = f"{self._service}/{self._name}", {f"opsfloor.{what}": getattr(tally, what) for what in COUNTS}
        span = self._spans.tracer.start_span(f"batch {name}", context=Context(), start_time=self._began_ns)
        about = {"opsfloor.processor": name, "opsfloor.commit_seconds": commit_seconds, **counts}
        return _ended(span, about, time.time_ns())

    def _decision(self, decided: Decided, batch: SpanContext | None) -> Sequence[tuple[SpanContext, list[Message]]]:
        """Tell one decision, a span per trace. Returns those that the sampler keeps, each with its facts."""
        cause, event_id = readable(decided.situation.traceparent), decided.situation.event_id
        parents: dict[str, str] = {} if decided.facts or not cause else {cause[3:35]: cause}
        facts_by_trace: dict[str, list[Message]] = {}
        for fact, known in decided.facts:
            before = readable(known) or cause
            if before:  # an alarm that is about no case begins a trace with nothing else in it
                trace_id = trace_for(fact, before, event_id)
                parents[trace_id] = cause if cause[3:35] == trace_id else before
                facts_by_trace.setdefault(trace_id, []).append(fact)
        told = []
        for trace_id, parent in parents.items():
            facts = facts_by_trace.get(trace_id, [])
            context = self._span(decided, trace_id, parent, facts, batch)
            if context is not None:
                told.append((context, facts))
        return told

    def _span(
        self, decided: Decided, trace_id: str, parent: str, facts: Sequence[Message], batch: SpanContext | None
    ) -> SpanContext | None:
        situation = decided.situation
        source = source_of(self._service, self._name, situation.shard).encode()
        before, cause = context_in(parent), context_in(situation.traceparent)
        links = [Link(batch)] if batch is not None else []
        if cause is not None and cause.trace_id != int(trace_id, 16):
            links.append(Link(cause))
        self._spans.ids.span_id = int(written_by(source, situation.event_id, trace_id)[36:52], 16)
        span = self._spans.tracer.start_span(
            f"{self._service}/{self._name} {event_name(decided.event)}",
            context=under(before),
            kind=SpanKind.INTERNAL if isinstance(decided.event, TimerFired) else SpanKind.CONSUMER,
            start_time=decided.began_ns,
            links=links,
        )
        return _ended(span, self._told(decided, facts), decided.ended_ns) if span.is_recording() else None

    def _told(self, decided: Decided, facts: Sequence[Message]) -> Mapping[str, AttributeValue]:
        told: dict[str, AttributeValue] = {
            "opsfloor.processor": f"{self._service}/{self._name}",
            "opsfloor.event": event_name(decided.event),
            "opsfloor.event_id": decided.situation.event_id,
            "opsfloor.shard": decided.situation.shard,
            "opsfloor.outcome": decided.refused or ("decided" if decided.facts else "nothing"),
            "opsfloor.facts": [fact.kind_name() for fact in facts],
        }
        about = [*facts, decided.event] if isinstance(decided.event, Message) else facts
        case = next((case for message in about if (case := correlation_of(message))), "")
        return {**told, "opsfloor.case_id": case} if case else told


def event_name(event: Event) -> str:
    """What was decided on: the kind of a message, or which alarm."""
    return f"alarm {event.name}" if isinstance(event, TimerFired) else event.kind_name()


@lru_cache(maxsize=4_096)
def context_in(traceparent: str) -> SpanContext | None:
    """The span that a traceparent names. `None` when it names none: an older release passed on what branches wrote."""
    if not from_outside(traceparent.encode()):
        return None
    trace_id, span_id, flags = (int(part, 16) for part in traceparent.split("-")[1:4])
    return SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(flags))


def readable(traceparent: str) -> str:
    """The traceparent, or nothing when it names no span."""
    return "" if context_in(traceparent) is None else traceparent


def exemplar(context: SpanContext) -> Exemplar:
    """How a figure points to a span's trace."""
    return {"trace_id": trace.format_trace_id(context.trace_id)}


def traceparent_of(context: SpanContext) -> str:
    """How a record or a request names a span."""
    return f"00-{trace.format_trace_id(context.trace_id)}-{trace.format_span_id(context.span_id)}-01"


def under(parent: SpanContext | None) -> Context:
    """Where a child of this span begins; without one, a trace of its own."""
    return Context() if parent is None else trace.set_span_in_context(NonRecordingSpan(parent), Context())


def _ended(span: Span, attributes: Mapping[str, AttributeValue], at_ns: int) -> SpanContext | None:
    if not span.is_recording():
        return None
    span.set_attributes(attributes)
    span.end(at_ns)
    return span.get_span_context()
