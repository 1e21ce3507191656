"""CloudEvents 1.0 in Kafka's binary mode, with the lane's sequence and the ids that tie a case together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache
from hashlib import blake2b
from operator import attrgetter
from typing import Final, NamedTuple

from pydantic import ValidationError

from shared.contracts.message import Message, with_nul
from shared.contracts.registry import CONTRACTS, WITHOUT_LANES
from shared.runtime.errors import ContractError
from shared.runtime.log import Headers, Origin, Place, Record
from shared.runtime.tracing import from_outside, trace_of, written_by

FAULTS_MAX: Final = 5  # of a body, that are told; each further one only counts
_SPEC: Final = ("ce_specversion", b"1.0")
_TYPE: Final = ("content-type", b"application/json")
_KIND: Final = {contract: kind.encode() for kind, contract in CONTRACTS.items()}
_TOLD_KIND: Final = {contract: ("ce_type", kind) for contract, kind in _KIND.items()}


def source_of(service: str, processor: str, shard: int) -> str:
    """`ce_source` of a shard: `/opsfloor/<service>/<processor>/<shard>`."""
    return f"/opsfloor/{service}/{processor}/{shard}"


def kind_of(record: Record) -> bytes:
    """What the record says it is, for who passes over most records: no other header is read. Empty when it says none."""
    return header_of(record.headers, "ce_type")


def header_of(headers: Headers, wanted: str) -> bytes:
    """One header's value; empty when there is none."""
    for name, value in headers:
        if name == wanted:
            return value
    return b""


def origin_of(record: Record) -> Origin:
    """Read a record's headers. Errors: `ContractError` when it names no kind or its sequence is no number."""
    if record.origin is not None:
        return record.origin
    outside = record.topic in WITHOUT_LANES
    if not outside and stands_as_told(record.headers) and (told := _origin_told(record.headers)).sequence:
        return told
    found = dict(record.headers)
    kind = found.get("ce_type")
    if kind is None:
        raise ContractError("Expected a header ce_type that names the contract, found none")
    try:
        sequence = 0 if outside else int(found.get("sequence", b"0"))
        traceparent = found.get("traceparent", b"")
        return Origin(
            kind=kind.decode(),
            source=found.get("ce_source", b"").decode(),
            sequence=sequence,
            event_id=found.get("ce_id", b"").decode() or record.spot,
            correlation=found.get("correlationid", b"").decode(),
            traceparent=traceparent.decode() if sequence else from_outside(traceparent),
        )
    except ValueError as error:
        raise ContractError(f"Expected readable headers, found {error}") from error


def _origin_told(headers: Headers) -> Origin:
    """The same of a fact of a shard, as nearly all are: each header is where `headers_for` put it."""
    _, _, (_, kind), (_, source), (_, event_id), _, (_, sequence), _, (_, correlation), _, (_, trace) = headers
    try:
        return Origin(
            kind.decode(), source.decode(), int(sequence), event_id.decode(), correlation.decode(), trace.decode()
        )
    except ValueError as error:
        raise ContractError(f"Expected readable headers, found {error}") from error


def body_of(record: Record, kind: str, form: type[Message] | None = None) -> Message:
    """Decode a record's body by its kind, into the reader's own form of the contract where it has one.

    Errors:  `ContractError` for an unknown kind or a body that breaks it.
    """
    contract = form or CONTRACTS.get(kind)
    if contract is None:
        raise ContractError(f"Expected a kind of this floor's contracts, found {kind!r}")
    if record.value is None:
        raise ContractError(f"Expected a body for {kind}, found a tombstone")
    if with_nul(record.value):
        raise ContractError(f"Expected a body for {kind} that a database can hold, found the character U+0000 in it")
    try:
        return contract.from_json(record.value)
    except ValueError as error:
        raise ContractError(f"Expected a body that keeps {kind}, found {_faults(error)}") from error


def _faults(error: ValueError) -> str:
    """Where a body breaks its contract and how, never its values: they may be a customer's."""
    if not isinstance(error, ValidationError):
        return str(error)
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    told = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}".removeprefix(": ") for fault in faults[:FAULTS_MAX]]
    return "; ".join(told) + (f"; and {len(faults) - FAULTS_MAX} more" if len(faults) > FAULTS_MAX else "")


def headers_for(
    fact: Message,
    event_id: bytes,
    source: bytes,
    sequence: int,
    at: bytes,
    cause: Cause,
    turn: bytes = b"0.0.1.1",
    known: str = "",
) -> Headers:
    """The headers of a fact that a shard writes. Units: `at` is RFC 3339 in bytes; `turn` comes from `turn_of`.

    Holds:   the trace is that of `known`, the traceparent that the fact's case came with, else that of its cause.
    """
    return told_headers(
        _TOLD_KIND[type(fact)], source, event_id, at, sequence, own_of(fact, source, cause, turn, known)
    )


def told_headers(
    kind: tuple[str, bytes], source: bytes, event_id: bytes, at: bytes, sequence: int, own: Sequence[bytes]
) -> Headers:
    """The headers of a fact, in their order, from what it shares with others and `own`, what is its own."""
    turn, correlation, causation, traceparent = own
    return (
        _SPEC,
        _TYPE,
        kind,
        ("ce_source", source),
        ("ce_id", event_id),
        ("ce_time", at),
        ("sequence", b"%020d" % sequence),
        ("turn", turn),
        ("correlationid", correlation),
        ("causationid", causation),
        ("traceparent", traceparent),
    )


def told_kind(fact: Message) -> tuple[str, bytes]:
    """The header that names the fact's contract."""
    return _TOLD_KIND[type(fact)]


def own_of(fact: Message, source: bytes, cause: Cause, turn: bytes, known: str) -> OwnPart:
    """What `Own` names, of a fact that a shard is about to write. Holds: as in `headers_for`."""
    event_id, beginning = cause.event_id, correlation_of(fact)
    trace = trace_for(fact, known or cause.traceparent, event_id)
    correlation = beginning or cause.correlation or fact.key
    return turn, correlation.encode(), event_id.encode(), written_by(source, event_id, trace).encode()


class Own(NamedTuple):
    """What of a fact's headers is its own; the rest it shares with the facts that were told with it, or follows."""

    turn: bytes
    correlation: bytes
    causation: bytes
    traceparent: bytes


OwnPart = tuple[bytes, bytes, bytes, bytes]
"""`Own`, as it is packed."""
SHARED: Final = ("ce_specversion", "content-type", "ce_type", "ce_source", "ce_id", "ce_time", "sequence")
"""The names of the headers before those of `Own`, in the order of `headers_for`."""
HEADERS_OF_FACT: Final = len(SHARED) + len(Own._fields)


def stands_as_told(headers: Headers) -> bool:
    """Whether these are the headers of `headers_for`, in its order: of a fact that a shard has put on a lane."""
    return len(headers) == HEADERS_OF_FACT and headers[6][0] == "sequence" and headers[7][0] == "turn"


def own_part(headers: Headers) -> OwnPart:
    """What `Own` names of a fact's headers, as `own_of` gave it."""
    (_, turn), (_, correlation), (_, causation), (_, traceparent) = headers[len(SHARED) :]
    return turn, correlation, causation, traceparent


def event_id_of(source: bytes, place: Place, sequence: int) -> bytes:
    """`ce_id` of a fact: follows from where it stands."""
    return b"%b/%b/%d/%d" % (source, place[0].encode(), place[1], sequence)


def trace_for(fact: Message, traceparent: str, event_id: str) -> str:
    """The trace id of a fact: that of its case or cause; without one it follows from the case, or from the event."""
    return traceparent[3:35] or trace_of(correlation_of(fact) or event_id)


def turn_of(epoch: int, event: int, fact: int, facts: int) -> bytes:
    """Which of an event's facts this is: the shard's epoch, the event's number in it, the fact's number of how many.

    Holds:   orders all facts of a shard over all its lanes, and tells whether all facts of an event were published:
             a database that was restored is brought up by them.
    """
    return b"%d.%d.%d.%d" % (epoch, event, fact, facts)


class Cause(NamedTuple):
    """The event that a fact follows from."""

    event_id: str
    correlation: str
    traceparent: str


def correlation_of(message: Message) -> str:
    """The case that a message is about, or an empty string."""
    path = _path_to_case(type(message))
    return "" if path is None else str(path(message) or "")


@cache
def _path_to_case(contract: type[Message]) -> Callable[[Message], object] | None:
    # asked of the contract, once: asking a model for what it has not is slow
    if "case_id" in contract.model_fields:
        return attrgetter("case_id")
    return attrgetter("order.case_id") if "order" in contract.model_fields else None


def outside_headers(message: Message, source: str, event_id: str, at: datetime, traceparent: str = "") -> Headers:
    """The headers of a record from outside the floor: no lane, so no sequence; readers go by business key."""
    case = correlation_of(message)
    correlation = case or message.key
    span = blake2b(event_id.encode(), digest_size=8).hexdigest()
    traceparent = traceparent or f"00-{trace_of(case or event_id)}-{span}-01"
    return (
        _SPEC,
        _TYPE,
        ("ce_type", _KIND[type(message)]),
        ("ce_source", source.encode()),
        ("ce_id", event_id.encode()),
        ("ce_time", at.isoformat().encode()),
        ("correlationid", correlation.encode()),
        ("causationid", b""),
        ("traceparent", traceparent.encode()),
    )
