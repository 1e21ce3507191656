"""What a processor's author writes against: events in, a pure decision, facts out. No I/O, no clock, no Kafka words."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from pydantic import TypeAdapter

from shared.contracts.message import Message, Topic
from shared.runtime.tracing import no_trace

S = TypeVar("S")

OPSFLOOR: Final = uuid.UUID("6f5b9c1e-58a5-5d1c-9c0e-0b5f0a7f3d21")


def derived_id(*parents: str) -> str:
    """An id that follows from its parents alone (uuid5): the same decision gives the same id, tonight and tomorrow."""
    return str(uuid.uuid5(OPSFLOOR, "\x1f".join(parents)))


@dataclass(frozen=True, slots=True)
class TimerFired:
    """An alarm of this entity is due, or one of the boards that it waits on has changed."""

    key: str
    name: str
    due_at: datetime


Event = Message | TimerFired


@dataclass(frozen=True, slots=True)
class Alarm:
    """What an entity wants to be woken by: an instant, a change of one of the named boards or what a board tells, or both.

    Holds:   a `patient` one lets the process do first, for a while, what it is behind with: it makes more of that.
    """

    at: datetime | None = None
    boards: frozenset[str] = frozenset()
    patient: bool = False


@dataclass(frozen=True, slots=True)
class Rejection:
    """A lawful command that this state refuses. A value, never an exception."""

    code: str
    detail: str  # "Expected …", a sentence an auditor could quote


class Situation(NamedTuple):
    """What a decision may know besides state and event.

    Holds:   `boards` maps a board's name to the view that its `BoardSpec.fold` built; read, never write;
             `observed` is what the processor's `observe` found out for this event, or `None`;
             `event_id` identifies the event, the same on every redelivery; `traceparent` is what it came with, or empty;
             `as_of` has the latest stamp of the records that each board took, the same for every process that read as far.
    Units:   `as_of` in milliseconds of the Unix epoch.
    """

    now: datetime
    shard: int
    event_id: str
    boards: Mapping[str, Any] = MappingProxyType({})
    observed: Any = None
    traceparent: str = ""
    as_of: Mapping[str, int] = MappingProxyType({})


Facts = Sequence[Message]
Measure = Callable[[Facts, datetime], None]


class Table(Protocol[S]):
    """How an entity's state lies in the store: one row per part, so that a large state changes row by row."""

    name: str

    def read(self, key: str, rows: Mapping[str, bytes]) -> S:
        """Build the state from its rows (part to JSON body); no rows means that the entity is new."""

    def write(self, state: S) -> Mapping[str, bytes | None]:
        """The rows that changed since the last call; `None` deletes a row. Forgets the changes."""


class DocumentTable(Table[S]):
    """One row per entity: the whole state, a frozen dataclass or pydantic model, as one JSON document."""

    def __init__(self, name: str, form: type[S], empty: Callable[[str], S]) -> None:
        self.name = name
        self._adapter: TypeAdapter[S] = TypeAdapter(form)
        self._empty = empty

    def read(self, key: str, rows: Mapping[str, bytes]) -> S:
        return self._adapter.validate_json(rows[""]) if rows else self._empty(key)

    def write(self, state: S) -> Mapping[str, bytes | None]:
        return {"": self._adapter.serializer.to_json(state)}


@dataclass(frozen=True, slots=True)
class BoardSpec:
    """A read-only view of a compacted topic, the same on every instance.

    Holds:   `fold(view, key, message)` moves the view in place; `message` is `None` for a tombstone. Decisions never
             await, so that a view does not move under one of them; decisions only read it. A board that changes all the
             time wakes nobody who waits for one thing of it: its `fold` returns the names, as alarms have them beside
             those of boards, of what has come about.
    """

    name: str
    topic: Topic
    empty: Callable[[], Any]
    fold: Callable[[Any, str, Message | None], Iterable[str] | None]


def no_alarms(state: Any) -> Mapping[str, Alarm]:
    """For a processor without timers."""
    return {}


@dataclass(frozen=True)
class Processor:
    """One processor: what it reads, how it decides, where its state lies.

    Holds:   `inputs` stand by urgency: of what has come, events of an earlier topic are decided first;
             `key(event)` is the entity that the event belongs to, or `None` for an event that is not its business;
             every event of one entity arrives on one shard, because all its topics are keyed so;
             `owner(fact)` is the entity that a fact of its own has moved, or `None` where the fact does not name it:
             asked when the event that it follows from is no longer on the bus;
             `decide(state, event, situation)` is pure and returns facts, or a `Rejection` which `refuse` makes facts;
             `apply(state, fact)` is the only mover and may move a large state in place;
             `alarms(state)` names what the entity wants to be woken by, a pure function of the state.
             `trace(state, fact)` is the traceparent of the case that a fact is about, as the state before it knows it;
             empty: the fact's trace is its cause's. A result hangs on a person's command, whose trace is another.
             `forms` are contracts, by kind, that it reads in a form of its own: a subclass that leaves out what it does
             not ask for; `records_max` bounds a batch of which each record may take seconds (0: the runtime knows best);
             `gather_seconds` is how long records may gather at least, where nobody waits for the answer.
             `keep_in_memory`: the states must not be evicted and are loaded at claim (desks).
    """

    service: str
    name: str
    inputs: tuple[Topic, ...]
    outputs: tuple[Topic, ...]
    key: Callable[[Message], str | None]
    owner: Callable[[Message], str | None]
    table: Table[Any]
    decide: Callable[[Any, Any, Situation], Facts | Rejection]
    apply: Callable[[Any, Message], Any]
    refuse: Callable[[Any, Any, Rejection, Situation], Facts]
    alarms: Callable[[Any], Mapping[str, Alarm]] = no_alarms
    trace: Callable[[Any, Message], str] = no_trace
    boards: tuple[BoardSpec, ...] = ()
    observe: Callable[[Sequence[Message], Mapping[str, Any]], Awaitable[Sequence[Any]]] | None = None
    journal: bool = False  # keep every fact of an entity for ever, for a timeline
    keep_in_memory: bool = False
    measure: Measure | None = None  # told of facts once they are committed
    takes: frozenset[str] = (
        frozenset()
    )  # the kinds it reads; others of its topics are passed over undecoded; empty: all
    forms: Mapping[str, type[Message]] = field(default_factory=dict)
    records_max: int = 0
    gather_seconds: float = 0.0

    @property
    def full_name(self) -> str:
        """`service/processor`, as in `ce_source`."""
        return f"{self.service}/{self.name}"
