"""The book of all reroutes, one entity: two approvals never pass each other unseen. How facts move it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from shared.contracts.message import Message
from shared.contracts.reroute import (
    DrillDue,
    DrillJudged,
    DrillsPlanned,
    HourTallied,
    RerouteAnswered,
    RerouteApproved,
    RerouteDrifted,
    RerouteExtended,
    RerouteFact,
    RerouteFellBack,
    RerouteOrder,
    RerouteOver,
    RerouteProposed,
    RerouteReturning,
    RerouteSentBack,
    RerouteStarted,
    ReviewClosed,
    TeamTally,
)
from shared.runtime.errors import InvariantError
from shared.runtime.processor import Alarm

OVER_KEPT: Final = 500  # reroutes that are over and still at hand; the log has them all
ANSWERS_KEPT: Final = 1_000
OPEN_MAX: Final = 100  # reroutes that are not over, at once; a broken glass is never one too many
BY_ALERT_MAX: Final = 20  # proposals of alerts that nobody has decided about, at once: people keep the other places
WEEKS_KEPT: Final = 4  # ordinary hours remembered for each hour of the week
HOUR: Final = timedelta(hours=1)
LOOKS_AT: Final = frozenset({"reference"})  # the board by which the calendar comes


class Phase(StrEnum):
    """Where a reroute is in its life."""

    NEW = "new"
    PROPOSED = "proposed"
    APPROVED = "approved"
    ACTIVE = "active"
    RETURNING = "returning"
    ENDED = "ended"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REFUSED = "refused"


OVER: Final = frozenset({Phase.ENDED, Phase.CANCELLED, Phase.EXPIRED, Phase.REFUSED})


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said to one command, so that the same command again changes nothing."""

    command_id: str
    reroute_id: str
    fingerprint: str
    code: str
    detail: str
    at: datetime


@dataclass(frozen=True, slots=True)
class OrdinaryHour:
    """What the floor completed in one hour without reroutes. Units: items."""

    at: datetime
    completed: int
    late: int


@dataclass(frozen=True, slots=True)
class Almanac:
    """What the drills go by: when they are due, what the desks had counted at the last mark, and ordinary hours.

    Shape:   `hours` by hour of the week, local, the last `WEEKS_KEPT` of each.
    """

    due: tuple[DrillDue, ...] = ()
    marked_at: datetime | None = None
    tallies: tuple[TeamTally, ...] = ()
    hours: Mapping[int, tuple[OrdinaryHour, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SentBack:
    """What an order has sent back to branches. Units: submissions, each once."""

    reroute_id: str
    submissions_by_branch: Mapping[str, int]


Row = RerouteOrder | Answer | Almanac | SentBack


class OrderBook:
    """All reroutes by id, what they sent back, the answers to the last commands, and what drills go by. Moved only by `apply`.

    Holds:   `dirty` has the parts that changed since they were last written, `None` for one that is gone.
    """

    def __init__(self) -> None:
        self.orders: Final[dict[str, RerouteOrder]] = {}
        self.sent_back: Final[dict[str, Counter[str]]] = {}  # by order, by branch
        self.answers: Final[dict[str, Answer]] = {}
        self.almanac = Almanac()
        self.dirty: Final[dict[str, Row | None]] = {}

    def put(self, order: RerouteOrder) -> None:
        """Take the order as it stands now; of those that are over the oldest go."""
        self.orders[order.reroute_id] = order
        self.dirty[f"order/{order.reroute_id}"] = order
        over = sorted((o for o in self.orders.values() if phase_of(o) in OVER and o.review != "open"), key=_over_since)
        for old in over[: max(0, len(over) - OVER_KEPT)]:
            del self.orders[old.reroute_id]
            self.dirty[f"order/{old.reroute_id}"] = None
            if self.sent_back.pop(old.reroute_id, None) is not None:
                self.dirty[f"back/{old.reroute_id}"] = None

    def count_back(self, reroute_id: str, branch_id: str) -> None:
        """One more submission went back to the branch by the order."""
        counts = self.sent_back.setdefault(reroute_id, Counter())
        counts[branch_id] += 1
        self.dirty[f"back/{reroute_id}"] = SentBack(reroute_id, counts)

    def put_answer(self, answer: Answer) -> None:
        """Remember the answer; beyond the bound the oldest go."""
        self.answers[answer.command_id] = answer
        self.dirty[f"answer/{answer.command_id}"] = answer
        while len(self.answers) > ANSWERS_KEPT:
            oldest = min(self.answers.values(), key=lambda a: (a.at, a.command_id)).command_id
            del self.answers[oldest]
            self.dirty[f"answer/{oldest}"] = None

    def put_almanac(self, almanac: Almanac) -> None:
        """Take what drills go by as it stands now."""
        self.almanac = almanac
        self.dirty["almanac"] = almanac

    def contents(self) -> tuple[object, ...]:
        """Everything that makes two books equal."""
        return self.orders, self.sent_back, self.answers, self.almanac

    def open_orders(self) -> list[RerouteOrder]:
        """What is not over, in the order of proposal. Ties: by id."""
        still = (order for order in self.orders.values() if phase_of(order) not in OVER)
        return sorted(still, key=lambda o: (o.proposed_at, o.reroute_id))


def _over_since(order: RerouteOrder) -> tuple[datetime, str]:
    return order.over_at or order.proposed_at, order.reroute_id


def phase_of(order: RerouteOrder | None) -> Phase:
    """The order's phase; one that nobody proposed is new."""
    return Phase.NEW if order is None else Phase(order.phase)


# ----------------------------------------------------------------- one order


def proposed(order: RerouteOrder | None, fact: RerouteProposed) -> RerouteOrder:
    return RerouteOrder(
        reroute_id=fact.reroute_id,
        version=1,
        phase="proposed",
        terms=fact.terms,
        source=fact.source,
        proposed_by=fact.by,
        proposed_at=fact.at,
        approve_by=fact.approve_by,
        preview=fact.preview,
        overridden_rules=fact.overridden_rules,
        break_glass=fact.break_glass,
        return_step_seconds=fact.return_step_seconds,
        drill_entry=fact.drill_entry,
    )


def approved(order: RerouteOrder, fact: RerouteApproved) -> RerouteOrder:
    return _next(
        order,
        phase="approved",
        approved_by=fact.by,
        approved_at=fact.at,
        execute_by=fact.execute_by,
        overridden_rules=fact.overridden_rules,
        approved_beforehand=fact.beforehand,
    )


def started(order: RerouteOrder, fact: RerouteStarted) -> RerouteOrder:
    return _next(
        order,
        phase="active",
        started_at=fact.at,
        ends_at=fact.ends_at,
        last_end_at=fact.last_end_at,
        review="open" if fact.review_opened else "none",
        drill_tallies=fact.drill_tallies,
        staffed_teams=fact.staffed_teams,
    )


def drifted(order: RerouteOrder, fact: RerouteDrifted) -> RerouteOrder:
    return _next(
        order,
        phase="proposed",
        preview=fact.preview,
        approve_by=fact.approve_by,
        approved_by=None,
        approved_at=None,
        approved_beforehand=False,
        execute_by=None,
        overridden_rules=(),
    )


def extended(order: RerouteOrder, fact: RerouteExtended) -> RerouteOrder:
    return _next(
        order,
        ends_at=fact.ends_at,
        phase="active",
        return_steps_done=0,
        tallies=(),
        return_tallies=(),
        return_began_at=None,
        overridden_rules=tuple(dict.fromkeys((*order.overridden_rules, *fact.overridden_rules))),
    )


def returning(order: RerouteOrder, fact: RerouteReturning) -> RerouteOrder:
    return _next(
        order,
        phase="returning",
        ends_at=fact.ends_at,
        return_steps_done=fact.steps_done,
        tallies=fact.tallies,
        return_tallies=fact.return_tallies,
        return_began_at=order.return_began_at or fact.at,
        not_well=order.not_well + fact.not_well,
    )


def fell_back(order: RerouteOrder, fact: RerouteFellBack) -> RerouteOrder:
    return _next(
        order,
        phase="active",
        ends_at=fact.ends_at,
        return_steps_done=0,
        tallies=(),
        return_tallies=(),
        fell_back=order.fell_back + 1,
    )


def over(order: RerouteOrder, fact: RerouteOver) -> RerouteOrder:
    return _next(
        order,
        phase=fact.outcome,
        over_at=fact.at,
        over_because=fact.detail,
        tallies=(),
        return_tallies=(),
        not_well=order.not_well + fact.not_well,
    )


def reviewed(order: RerouteOrder, fact: ReviewClosed) -> RerouteOrder:
    return _next(order, review="closed", review_words=f"{fact.by}: {fact.words}")


def judged(order: RerouteOrder, fact: DrillJudged) -> RerouteOrder:
    return _next(order, drill_outcome=fact.outcome)


def _next(order: RerouteOrder, **changes: Any) -> RerouteOrder:
    return order.model_copy(update={**changes, "version": order.version + 1})


MOVES: Final[Mapping[type[RerouteFact], Callable[[Any, Any], RerouteOrder]]] = {
    RerouteProposed: proposed,
    RerouteApproved: approved,
    RerouteStarted: started,
    RerouteDrifted: drifted,
    RerouteExtended: extended,
    RerouteReturning: returning,
    RerouteFellBack: fell_back,
    RerouteOver: over,
    ReviewClosed: reviewed,
    DrillJudged: judged,
}


def moved(order: RerouteOrder | None, fact: RerouteFact) -> RerouteOrder:
    """Fold one fact of its life into one order. The only function that moves it."""
    move = MOVES.get(type(fact))
    if move is None or (order is None and not isinstance(fact, RerouteProposed)):
        raise InvariantError(f"Expected a fact of this reroute's life, found {fact.kind_name()} of {fact.reroute_id}")
    return move(order, fact)


def apply(book: OrderBook, fact: Message) -> OrderBook:
    """Fold one fact into the book, in place. Holds: what is published of an order is what the book has."""
    match fact:
        case RerouteAnswered():
            if fact.code != "conflict":
                book.put_answer(
                    Answer(fact.command_id, fact.reroute_id, fact.fingerprint, fact.code, fact.detail, fact.at)
                )
        case RerouteSentBack():
            book.count_back(fact.reroute_id, fact.branch_id)
        case RerouteFact():
            book.put(moved(book.orders.get(fact.reroute_id), fact))
        case RerouteOrder():
            _agree(book, fact)
        case DrillsPlanned():
            book.put_almanac(replace(book.almanac, due=fact.due))
        case HourTallied():
            book.put_almanac(_after_the_hour(book.almanac, fact))
        case _:
            raise InvariantError(f"Expected a fact of emergency, found {fact.kind_name()}")
    return book


def _agree(book: OrderBook, told: RerouteOrder) -> None:
    known = book.orders.get(told.reroute_id)
    if known is not None and known != told:
        raise InvariantError(f"Expected reroute {told.reroute_id} to be told as it is booked, found a difference")


def _after_the_hour(almanac: Almanac, fact: HourTallied) -> Almanac:
    hours = dict(almanac.hours)
    if fact.hour_of_week is not None:
        known = (*hours.get(fact.hour_of_week, ()), OrdinaryHour(fact.at, fact.completed, fact.late))
        hours[fact.hour_of_week] = known[-WEEKS_KEPT:]
    return replace(almanac, marked_at=fact.at, tallies=fact.tallies, hours=hours)


# ---------------------------------------------------------------------- time


def next_look(order: RerouteOrder) -> datetime | None:
    """When the order must be looked at next; `None`: time alone changes nothing any more."""
    match phase_of(order):
        case Phase.PROPOSED:
            return order.approve_by
        case Phase.APPROVED:
            return order.terms.starts_at or order.execute_by
        case Phase.ACTIVE:
            return order.ends_at
        case Phase.RETURNING:
            return step_ends_at(order)
        case _:
            return None


def step_ends_at(order: RerouteOrder) -> datetime | None:
    """When the present step of the return is over."""
    if order.ends_at is None:
        return None
    return order.ends_at + order.return_steps_done * timedelta(seconds=order.return_step_seconds)


def alarms(book: OrderBook) -> Mapping[str, Alarm]:
    """The next instant at which an order must be looked at, and the calendar; that also when reference data changes."""
    instants = [at for order in book.open_orders() if (at := next_look(order)) is not None]
    calendar = {"calendar": Alarm(calendar_at(book.almanac), LOOKS_AT)}
    return {"orders": Alarm(min(instants)), **calendar} if instants else calendar


def calendar_at(almanac: Almanac) -> datetime | None:
    """When a drill must be proposed or an hour is over; `None` before the first look."""
    instants = [due.propose_at for due in almanac.due]
    if almanac.marked_at is not None:
        instants.append(hour_after(almanac.marked_at))
    return min(instants, default=None)


def hour_after(at: datetime) -> datetime:
    """The next full hour."""
    return at.replace(minute=0, second=0, microsecond=0) + HOUR


def new_book(key: str) -> OrderBook:
    """An empty book."""
    return OrderBook()
