"""A team's desk: its items, its operators, and the orders in which both are looked at.

The desk is one large state that facts move in place. What is asked often (the next item of a work type, who has been
ready longest, the next lease to run out) is kept sorted, so that no event costs more than the logarithm of the queue.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from heapq import merge
from typing import Final

from sortedcontainers import SortedList

from services.routing.delay import latest_start
from services.routing.desk.lanes import Lane, Turn
from services.routing.desk.learning import Pace, Paces
from services.routing.rows import row
from shared.contracts.routing import LoadByWorkType
from shared.contracts.telling import teller
from shared.contracts.work import Draft, WorkOrder
from shared.runtime.errors import InvariantError

COMMANDS_KEPT: Final = 32  # answers remembered per operator
TOUCHED_KEPT: Final = timedelta(hours=4)  # how long the desk remembers who did what on a case
HEEDED_KEPT: Final = 100  # reroutes whose moved items the desk still counts
TOUCHED_MAX: Final = 100_000  # cases remembered; beyond it the oldest go first
GONE_MAX: Final = 100_000  # items given back that are remembered, for as long as a case; beyond it the oldest go first

load_by_work_type: Final = teller(LoadByWorkType)

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)


class ItemPhase(StrEnum):
    """Where an item is at this desk."""

    ABSENT = "absent"
    QUEUED = "queued"
    OFFERED = "offered"
    IN_HAND = "in_hand"


class OperatorPhase(StrEnum):
    """What an operator is doing, as the desk knows it."""

    OFF = "off"
    READY = "ready"
    OFFERED = "offered"
    WORKING = "working"
    WRAPPING_UP = "wrapping_up"  # finishes what is in hand, then pauses
    PAUSED = "paused"
    AWAY = "away"


PRESENT: Final = frozenset({OperatorPhase.READY, OperatorPhase.OFFERED, OperatorPhase.WORKING})
"""Who can be given work, now or after what is in hand."""

SIGNED_ON: Final = PRESENT | {OperatorPhase.WRAPPING_UP, OperatorPhase.PAUSED}


@row
class DeskItem:
    """One work item at the desk.

    Holds:   queued: no operator; offered or in hand: operator, `assigned_at` and `lease_until` are set; `attempt` is
             the last attempt given out here or elsewhere; `since` is when it began to wait, or was offered;
             `taken_at` is when it came in hand; `draft` is what was keyed of it so far, here or at an earlier desk.
    """

    order: WorkOrder
    placing: int
    attempt: int
    since: datetime
    phase: ItemPhase = ItemPhase.QUEUED
    declined_by: tuple[str, ...] = ()
    operator_id: str | None = None
    assigned_at: datetime | None = None
    lease_until: datetime | None = None
    taken_at: datetime | None = None
    draft: Draft | None = None

    @property
    def work_item_id(self) -> str:
        return self.order.work_item_id

    @property
    def turn(self) -> Turn:
        """Its place in the queue: latest start first, then requested first, then by id."""
        return microseconds(latest_start(self.order)), microseconds(self.order.requested_at), self.order.work_item_id


@row
class Answer:
    """What the desk said to one command, so that the same command again changes nothing."""

    command_id: str
    operator_id: str
    number: int  # counts the operator's commands from 0
    fingerprint: str
    answer: str
    detail: str
    at: datetime


@row
class DeskOperator:
    """One operator as the desk knows them. Holds: an assignment's fields are set together or not at all."""

    operator_id: str
    phase: OperatorPhase
    since: datetime
    work_item_id: str | None = None
    attempt: int | None = None
    lease_until: datetime | None = None
    commands: int = 0
    last_command: Answer | None = None
    last_work_type: str | None = None  # of the last item that was given to them
    pause_reason: str | None = None  # set while wrapping up and paused
    last_draft: Answer | None = None  # apart from the other answers, which so many drafts would push out of memory
    kept_for: str | None = None  # while kept free: the urgent item in hand whose next step is awaited


@row
class Touch:
    """Who did what on one case at this desk, and which of its items are finished for good."""

    case_id: str
    at: datetime
    role_by_operator: dict[str, str]
    finished: tuple[str, ...]


@row
class Gone:
    """An item that this desk gave back, and the placing that had brought it."""

    work_item_id: str
    at: datetime
    placing: int


@row
class Pulse:
    """When the desk last told its load, and since when that is out of date."""

    version: int = 0
    told_at: datetime | None = None
    changed_at: datetime | None = None
    interval_seconds: float = 1.0


@row
class Heed:
    """What the desk did about reroutes: items moved by each, and when it must go on, after a chunk of how many.

    Holds:   the last `HEEDED_KEPT`.
    """

    next_at: datetime | None = None
    moved_by_reroute: dict[str, int] = field(default_factory=dict)
    chunk: int | None = None


@row
class Tally:
    """What the desk has counted since it began."""

    accepted: int = 0
    expired: int = 0
    completed: int = 0
    late: int = 0
    declined: int = 0


Row = DeskItem | DeskOperator | Answer | Touch | Gone | Pulse | Pace | Heed | Tally


@dataclass(slots=True)
class Queue:
    """The waiting items of one work type: the ordinary and the urgent ones.

    Units:   milliseconds of standard time.
    """

    ordinary: Lane = field(default_factory=Lane)
    urgent: Lane = field(default_factory=Lane)
    standard_ms: int = 0
    _told: tuple[Sequence[str], int, LoadByWorkType] | None = field(
        default=None, compare=False
    )  # until something comes or goes

    def __len__(self) -> int:
        return len(self.ordinary.turn_by_id) + len(self.urgent.turn_by_id)

    @property
    def turns(self) -> Iterator[Turn]:
        """All by latest start."""
        if not self.urgent.turn_by_id:
            return iter(self.ordinary.turns)
        return merge(self.ordinary.turns, self.urgent.turns)

    @property
    def oldest_us(self) -> int:
        """When the oldest was requested; at least one item waits. Units: microseconds since 1970."""
        return min(int(lane.ages[0][0]) for lane in (self.ordinary, self.urgent) if lane.ages)

    def add(self, item: DeskItem) -> None:
        self.lane_of(item).add(item.turn)
        self.standard_ms += round(item.order.standard_seconds * 1000)
        self._told = None

    def remove(self, item: DeskItem) -> None:
        self.lane_of(item).remove(item.work_item_id)
        self.standard_ms -= round(item.order.standard_seconds * 1000)
        self._told = None

    def load(self, work_type: str, people: Sequence[str], paces: Paces) -> LoadByWorkType:
        """What waits, and how long it takes these people; at least one item waits."""
        told, learned_at = self._told, paces.learned_at.get(work_type, 0)
        if told is not None and told[0] is people and told[1] == learned_at:
            return told[2]
        standard_seconds = self.standard_ms / 1000
        load = load_by_work_type(
            work_type=work_type,
            queued=len(self),
            standard_seconds=standard_seconds,
            oldest_requested_at=instant(self.oldest_us),
            learned_seconds=round(standard_seconds * paces.mean(people, work_type), 1),
        )
        self._told = people, learned_at, load
        return load

    def lane_of(self, item: DeskItem) -> Lane:
        return self.urgent if item.order.urgent else self.ordinary


class TeamDesk:
    """The whole desk of one team. Moved only by `apply`, which calls the verbs below.

    Holds:   every item is queued or in exactly one operator's hand; an operator has at most one item; `dirty` holds
             the parts that changed since they were last written, `None` for one that is gone.
    """

    def __init__(self, team_id: str) -> None:
        self.team_id: Final = team_id
        self.items: Final[dict[str, DeskItem]] = {}
        self.operators: Final[dict[str, DeskOperator]] = {}
        self.answers: Final[dict[str, dict[str, Answer]]] = {}
        self.touched: Final[dict[str, Touch]] = {}
        self.gone: Final[dict[str, Gone]] = {}
        self.paces: Final = Paces()
        self.pulse = Pulse()
        self.heed = Heed()
        self.tally = Tally()
        self.dirty: Final[dict[str, Row | None]] = {}
        self.queues: Final[dict[str, Queue]] = {}
        self.ready: Final = SortedList()  # (ready since, operator id)
        self.leases: Final = SortedList()  # (lease until, operator id)
        self.touches: Final = SortedList()  # (touched at, case id)
        self._departures: Final = SortedList()  # (gone at, work item id)
        self.present: Final = SortedList()  # operator ids
        self._there: tuple[str, ...] | None = ()
        self.urgent_in_hand: Final = SortedList()  # ids of urgent items that somebody has and that more steps follow
        self._finished: Final[set[str]] = set()  # work item ids of all touches
        self._items_by_case: Final[dict[str, int]] = {}  # cases that have items here → how many

    # ------------------------------------------------------------------- items

    def put_item(self, item: DeskItem) -> None:
        """Take the item in, or in its new condition."""
        order = item.order
        work_item_id = order.work_item_id
        old = self.items.get(work_item_id)
        if old is None:
            self._items_by_case[order.case_id] = self._items_by_case.get(order.case_id, 0) + 1
        else:
            self._unqueue(old)
        self.items[work_item_id] = item
        self.dirty[f"item/{work_item_id}"] = item
        if item.phase is ItemPhase.QUEUED:
            self._queue_of(order.work_type).add(item)
        elif order.urgent and order.later_seconds > 0:
            self.urgent_in_hand.add(work_item_id)

    def _queue_of(self, work_type: str) -> Queue:
        found = self.queues.get(work_type)
        if found is None:
            found = self.queues[work_type] = Queue()
        return found

    def drop_item(self, work_item_id: str) -> None:
        """The item is no longer here."""
        old = self.items.pop(work_item_id, None)
        if old is not None:
            self._unqueue(old)
            self._uncount(old.order.case_id)
        self.dirty[f"item/{work_item_id}"] = None

    def _uncount(self, case_id: str) -> None:
        left = self._items_by_case[case_id] - 1
        if left:
            self._items_by_case[case_id] = left
        else:
            del self._items_by_case[case_id]

    def _unqueue(self, item: DeskItem) -> None:
        order = item.order
        if order.urgent:
            self.urgent_in_hand.discard(order.work_item_id)
        if item.phase is not ItemPhase.QUEUED:
            return
        queue = self.queues[order.work_type]
        queue.remove(item)
        if not queue:
            del self.queues[order.work_type]

    def item(self, work_item_id: str) -> DeskItem:
        """The item, which must be here.

        Errors:  `InvariantError` when a fact speaks of an item that the desk does not hold.
        """
        found = self.items.get(work_item_id)
        if found is None:
            raise InvariantError(f"Expected item {work_item_id} at desk {self.team_id}, found nothing")
        return found

    def item_phase(self, work_item_id: str) -> ItemPhase:
        """Where the item is, seen from this desk."""
        found = self.items.get(work_item_id)
        return ItemPhase.ABSENT if found is None else found.phase

    def in_hand(self) -> int:
        """How many items are offered or in hand."""
        return len(self.leases)

    # --------------------------------------------------------------- operators

    def put_operator(self, operator: DeskOperator) -> None:
        """Take the operator in their new condition."""
        name, old = operator.operator_id, self.operators.get(operator.operator_id)
        self.operators[name] = operator
        self.dirty[f"operator/{name}"] = operator
        if old is not None and _stands_alike(old, operator):
            return
        self._sort(old, operator)

    def _sort(self, old: DeskOperator | None, new: DeskOperator) -> None:
        """Move the operator to their place in each order in which it is another one."""
        name, was, now = new.operator_id, None if old is None else old.phase, new.phase
        if (was in PRESENT) != (now in PRESENT):
            (self.present.add if now in PRESENT else self.present.remove)(name)
            self._there = None
        if old is not None and was is OperatorPhase.READY:
            self.ready.remove((microseconds(old.since), name))
        if now is OperatorPhase.READY:
            self.ready.add((microseconds(new.since), name))
        until = None if old is None else old.lease_until
        if until != new.lease_until:
            if until is not None:
                self.leases.remove((microseconds(until), name))
            if new.lease_until is not None:
                self.leases.add((microseconds(new.lease_until), name))

    @property
    def there(self) -> tuple[str, ...]:
        """Who is present, by id: the same object until somebody comes or goes."""
        if self._there is None:
            self._there = tuple(self.present)
        return self._there

    def operator(self, operator_id: str) -> DeskOperator:
        """The operator; somebody who was never here is off."""
        return self.operators.get(operator_id) or DeskOperator(operator_id, OperatorPhase.OFF, EPOCH)

    def signed_on(self) -> list[str]:
        """Who is at the desk, whatever they do there, by id."""
        return sorted(name for name, operator in self.operators.items() if operator.phase in SIGNED_ON)

    def put_answer(self, answer: Answer) -> None:
        """Remember an answer; the operator's oldest beyond `COMMANDS_KEPT` is forgotten."""
        kept = self.answers.setdefault(answer.operator_id, {})
        kept[answer.command_id] = answer
        if len(kept) > COMMANDS_KEPT:
            del kept[next(iter(kept))]
        self.dirty[f"command/{answer.operator_id}/{answer.number % COMMANDS_KEPT}"] = answer

    def answered(self, operator_id: str, command_id: str) -> Answer | None:
        """The answer that the desk gave to this command, if it still knows it."""
        operator = self.operators.get(operator_id)
        last = None if operator is None else operator.last_draft
        if last is not None and last.command_id == command_id:
            return last
        return self.answers.get(operator_id, {}).get(command_id)

    # ------------------------------------------------------------ who did what

    def put_touch(self, touch: Touch) -> None:
        """Remember who did what on a case."""
        self._untouch(touch.case_id)
        self.touched[touch.case_id] = touch
        self._finished.update(touch.finished)
        self.touches.add((microseconds(touch.at), touch.case_id))
        self.dirty[f"touched/{touch.case_id}"] = touch

    def forget_touches(self, now: datetime) -> None:
        """Forget the cases that nobody touched for `TOUCHED_KEPT`, and the oldest beyond `TOUCHED_MAX`.

        Holds:   a case that has an item here is remembered anew instead, for as long again: whoever had a role on it must
                 not be given that item in another.
        """
        before = microseconds(now - TOUCHED_KEPT)
        while self.touches:
            at, case_id = self.touches[0]
            if at < before and case_id in self._items_by_case:
                self.put_touch(replace(self.touched[case_id], at=now))
            elif at < before or len(self.touches) > TOUCHED_MAX:
                self._untouch(case_id)
            else:
                return

    def renew_touch(self, case_id: str, now: datetime) -> None:
        """An item of the case leaves and may come back: who did what is remembered for `TOUCHED_KEPT` / 2 more at least."""
        known = self.touched.get(case_id)
        if known is not None and now - known.at > TOUCHED_KEPT / 2:
            self.put_touch(replace(known, at=now))

    def _untouch(self, case_id: str) -> None:
        old = self.touched.pop(case_id, None)
        if old is not None:
            self._finished.difference_update(old.finished)
            self.touches.remove((microseconds(old.at), case_id))
            self.dirty[f"touched/{case_id}"] = None

    def role_of(self, case_id: str, operator_id: str) -> str | None:
        """The role that the operator already had on the case at this desk."""
        touch = self.touched.get(case_id)
        return None if touch is None else touch.role_by_operator.get(operator_id)

    def finished(self, work_item_id: str) -> bool:
        """The item has its one result, as far as the desk remembers."""
        return work_item_id in self._finished

    # ------------------------------------------------------------ what left

    def put_gone(self, gone: Gone) -> None:
        """Remember what was given back; forget what is older than `TOUCHED_KEPT`, and the oldest beyond `GONE_MAX`."""
        self._forget_gone(gone.work_item_id)
        self.gone[gone.work_item_id] = gone
        self._departures.add((microseconds(gone.at), gone.work_item_id))
        self.dirty[f"gone/{gone.work_item_id}"] = gone
        before = microseconds(gone.at - TOUCHED_KEPT)
        while self._departures[0][0] < before or len(self._departures) > GONE_MAX:
            self._forget_gone(self._departures[0][1])

    def _forget_gone(self, work_item_id: str) -> None:
        old = self.gone.pop(work_item_id, None)
        if old is not None:
            self._departures.remove((microseconds(old.at), work_item_id))
            self.dirty[f"gone/{work_item_id}"] = None

    def gave_back(self, work_item_id: str, placing: int) -> bool:
        """What this placing brought has left again, as far as the desk remembers: only a later one brings it back."""
        gone = self.gone.get(work_item_id)
        return gone is not None and placing <= gone.placing

    # ------------------------------------------------------------------- paces

    def put_pace(self, pace: Pace) -> None:
        """Learn how long somebody takes."""
        self.paces.put(pace)
        self.dirty[f"pace/{pace.operator_id}/{pace.work_type}"] = pace

    # ------------------------------------------------------------------- pulse

    def put_pulse(self, pulse: Pulse) -> None:
        if pulse != self.pulse:
            self.pulse = pulse
            self.dirty["desk"] = pulse

    def put_heed(self, heed: Heed) -> None:
        """Remember what was done about reroutes."""
        self.heed = heed
        self.dirty["heed"] = heed

    def put_tally(self, tally: Tally) -> None:
        """Count on."""
        self.tally = tally
        self.dirty["tally"] = tally

    def contents(self) -> tuple[object, ...]:
        """Everything that makes two desks equal."""
        people = self.operators, self.answers, self.paces.by_person
        return self.team_id, self.items, *people, self.touched, self.gone, self.pulse, self.heed, self.tally


def _stands_alike(old: DeskOperator, new: DeskOperator) -> bool:
    """The operator's place in every order of the desk is the same."""
    return old.phase is new.phase and old.since == new.since and old.lease_until == new.lease_until


def microseconds(instant: datetime) -> int:
    """Microseconds since 1970: exact, and compares faster than an instant."""
    return (instant - EPOCH) // MICROSECOND


@lru_cache(maxsize=1024)  # the next lease to run out is asked for after every event
def instant(microseconds_since_1970: int) -> datetime:
    """The instant of so many microseconds since 1970."""
    return EPOCH + timedelta(microseconds=microseconds_since_1970)


def new_desk(team_id: str) -> TeamDesk:
    """An empty desk."""
    return TeamDesk(team_id)
