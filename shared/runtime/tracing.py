"""Which trace a fact belongs to, by W3C Trace Context; and the seam through which spans are told, when somebody listens."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextvars import ContextVar
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from shared.runtime.engine import Tally
    from shared.runtime.processor import Processor

_FORM: Final = re.compile(rb"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")

REQUEST: Final[ContextVar[str]] = ContextVar("opsfloor_request_traceparent", default="")
"""The traceparent of the HTTP request or the piece of work under way; empty without one, or when nobody listens for spans."""


def from_outside(header: bytes) -> str:
    """A traceparent that somebody outside wrote; empty when it is none, since a trace is not worth a park."""
    return header.decode("ascii") if _FORM.fullmatch(header) else ""


@lru_cache(maxsize=65_536)
def trace_of(beginning: str) -> str:
    """The W3C trace id of what came without one: it follows from the case, or from the event that began it."""
    return blake2b(beginning.encode(), digest_size=16).hexdigest()


@lru_cache(maxsize=1_024)
def _hash_of(source: bytes) -> blake2b:
    return blake2b(source, digest_size=8)


def written_by(source: bytes, event_id: str, trace: str) -> str:
    """The traceparent of all facts that one shard's decision on one event writes into a trace.

    Holds:   the span follows from shard and event, so that a decision made again after a crash is the same span.
    """
    span = _hash_of(source).copy()
    span.update(event_id.encode())
    return f"00-{trace}-{span.hexdigest()}-01"


Exemplar = dict[str, str]

REQUEST_EXEMPLAR: Final[ContextVar[Exemplar | None]] = ContextVar("opsfloor_request_exemplar", default=None)
"""What a figure about the HTTP request under way may point to; none without one, or when its trace is not kept."""


class Tracing(Protocol):
    """Listens to a processor's batches and decisions, and changes nothing about them."""

    def over(self, processor: Processor) -> Processor:
        """The same processor, listened to."""

    def began(self) -> None:
        """A batch begins; what was heard of one that was not committed is forgotten: it never happened."""

    def committed(self, tally: Tally, commit_seconds: float) -> Exemplar | None:
        """The batch is in the store: tell its span and its decisions'. Returns what its figures may point to."""

    def exemplar(self, traceparent: str) -> Exemplar | None:
        """What a figure about a record of the batch may point to; `None` when its trace is not kept."""


_exemplars: Mapping[str, Exemplar] = {}


def remember(exemplars: Mapping[str, Exemplar]) -> None:
    """Let `exemplar_of` know the kept traces, by case, of the batch that was committed last."""
    global _exemplars
    _exemplars = exemplars


def exemplar_of(case_id: str) -> Exemplar | None:
    """What a figure about this case may point to, for a processor's `measure`; `None` when nobody keeps its trace."""
    return _exemplars.get(case_id)


def no_trace(state: Any, fact: Any) -> str:
    """For a processor whose facts belong to the trace of the event that they follow from."""
    return ""
