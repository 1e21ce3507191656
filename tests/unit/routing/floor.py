"""A small bank for routing's tests: teams, people, boards, orders, and a harness that runs a processor's pure core."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from services.routing.boards import LOAD_BOARD, PLAN_BOARD
from services.routing.kinds import Kind
from shared.contracts.message import Message, Part, Region, Step
from shared.contracts.reference import FloorLimits, Operator, Provider, ReferenceEntry, Team
from shared.contracts.routing import LoadByWorkType, LoadSnapshot, PlanMade, PlannedWork
from shared.contracts.vendor import OperatorStanding, ProviderStanding, Standing
from shared.contracts.work import WorkOrder
from shared.reference.board import REFERENCE_BOARD
from shared.reroutes import REROUTE_BOARD
from shared.runtime.processor import Event, Facts, Processor, Rejection, Situation, TimerFired
from shared.standing import STANDING_BOARD

NOW: Final = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
IMAGE: Final = "a" * 64
ENTRY: Final = "transfer/entry"
REVIEW: Final = "transfer/review"
ARBITRATION: Final = "transfer/arbitration"


def operator(
    operator_id: str,
    team_id: str = "north",
    work_types: tuple[str, ...] = (ENTRY, REVIEW),
    grade: int = 1,
    branch_id: str | None = None,
    standing: Standing = "allowed",
) -> Operator:
    """A person; in-house, qualified and allowed unless told otherwise."""
    return Operator(
        id=operator_id,
        name=operator_id.title(),
        team_id=team_id,
        work_types=work_types,
        grade=grade,
        branch_id=branch_id,
        initial_standing=standing,
    )


ORGANISATION: Final[tuple[ReferenceEntry, ...]] = (
    FloorLimits(id="floor", offer_lease_seconds=60, work_lease_factor=6, work_lease_seconds_min=300),
    Provider(id="bank", label="Bank", outside=False, data_classes=("internal", "secret")),
    Provider(id="keyers", label="Keyers Ltd", outside=True, data_classes=("internal",)),
    Team(id="north", label="North", centre_id="n", provider_id="bank"),
    Team(id="south", label="South", centre_id="s", provider_id="bank"),
    Team(id="vendor", label="Vendor", centre_id="v", provider_id="keyers"),
)


def boards(people: Iterable[Operator] = (), loads: Iterable[LoadSnapshot] = ()) -> dict[str, Any]:
    """The boards as their specs fold them."""
    views = {
        spec.name: spec.empty() for spec in (REFERENCE_BOARD, STANDING_BOARD, LOAD_BOARD, REROUTE_BOARD, PLAN_BOARD)
    }
    for entry in (*ORGANISATION, *people):
        REFERENCE_BOARD.fold(views["reference"], entry.key, entry)
    for load in loads:
        LOAD_BOARD.fold(views["load"], load.key, load)
    return views


def stand(views: Mapping[str, Any], noun: Literal["operator", "provider"], name: str, standing: Standing) -> None:
    """Supervision publishes a standing."""
    common: dict[str, Any] = {
        "standing": standing,
        "inspected_share": 1.0,
        "keyed": 10,
        "errors": 1,
        "reason": "test",
        "since": NOW,
    }
    message: Message = (
        OperatorStanding(operator_id=name, provider_id="bank", **common)
        if noun == "operator"
        else ProviderStanding(provider_id=name, **common)
    )
    STANDING_BOARD.fold(views["standing"], message.key, message)


def load(team_id: str, present: Sequence[str], backlog_seconds: float = 0.0, version: int = 1) -> LoadSnapshot:
    """A desk's load with one work type queued."""
    queued = LoadByWorkType(work_type=ENTRY, queued=1, standard_seconds=backlog_seconds, oldest_requested_at=None)
    return LoadSnapshot(
        team_id=team_id, at=NOW, version=version, queued=(queued,), in_hand=0, present=tuple(sorted(present))
    )


def order(
    work_item_id: str = "item-1", *, step: Step = "entry", due_seconds: float = 1200, **changes: object
) -> WorkOrder:
    """An entry that the bank's own people may do, unless told otherwise."""
    fields: dict[str, Any] = {
        "work_item_id": work_item_id,
        "case_id": f"case-of-{work_item_id}",
        "business_type": "transfer",
        "step": step,
        "role": "entry-1" if step == "entry" else step,
        "field": "amount",
        "slice": Region(image_sha256=IMAGE, x=0, y=0, width=10, height=10),
        "branch_id": "branch-1",
        "standard_seconds": 30,
        "later_seconds": 75,
        "requested_at": NOW,
        "due_at": NOW + timedelta(seconds=due_seconds),
    }
    return WorkOrder(**(fields | changes))


class Floor:
    """Runs one entity of a processor as the shell does: decide, refuse, fold; keeps every fact.

    Holds:   `replayed()` folds the same facts from nothing; `stored` are the rows as the store would hold them.
    """

    def __init__(self, processor: Processor, key: str, views: Mapping[str, Any]) -> None:
        self.processor = processor
        self.key = key
        self.views = views
        self.now = NOW
        self.facts: list[Message] = []
        self.state: Any = processor.table.read(key, {})
        self.stored: dict[str, bytes] = {}
        self.as_of: Mapping[str, int] = {}

    def situation(self) -> Situation:
        return Situation(self.now, 0, "event", self.views, as_of=self.as_of)

    def send(self, event: Event) -> Sequence[Message]:
        """Let one event meet the state; returns the facts."""
        situation = self.situation()
        decided: Facts | Rejection = self.processor.decide(self.state, event, situation)
        if isinstance(decided, Rejection):
            decided = self.processor.refuse(self.state, event, decided, situation)
        for fact in decided:
            self.state = self.processor.apply(self.state, fact)
            assert told_as_checked(fact), f"Expected a fact as its contract makes it, found {fact!r}"
            self.facts.append(fact)
        for part, body in self.processor.table.write(self.state).items():
            if body is None:
                self.stored.pop(part, None)
            else:
                self.stored[part] = body
        return decided

    def fire(self, name: str) -> Sequence[Message]:
        """The alarm fires, whether it is due or not."""
        return self.send(TimerFired(self.key, name, self.now))

    def wait(self, seconds: float) -> list[Message]:
        """Let time pass, firing every alarm when it is due. Returns the facts."""
        until = self.now + timedelta(seconds=seconds)
        before = len(self.facts)
        while True:
            due = [(a.at, name) for name, a in self.processor.alarms(self.state).items() if a.at is not None]
            at, name = min(due, default=(until + timedelta(seconds=1), ""))
            if at > until:
                self.now = until
                return self.facts[before:]
            self.now = max(self.now, at)
            self.fire(name)

    def replayed(self) -> Any:
        """The state that the facts alone give."""
        state = self.processor.table.read(self.key, {})
        for fact in self.facts:
            state = self.processor.apply(state, fact)
        return state

    def reloaded(self) -> Any:
        """The state that the stored rows give."""
        return self.processor.table.read(self.key, self.stored)


def rates_told(per_hour: Mapping[Kind, float], at: datetime) -> PlanMade:
    """A plan that tells how much came in the last minutes, and nothing else. Units: items per hour, by kind of work."""
    work = (PlannedWork(**k._asdict(), recent_per_hour=rate, coming_per_hour=rate) for k, rate in per_hour.items())
    return PlanMade(
        made_at=at,
        made_by="another",
        good_until=at,
        work=tuple(work),
        teams=(),
        saturation=0.0,
        lateness_minutes=0.0,
    )


def told_as_checked(fact: Part) -> bool:
    """A fact that was made without checking is the one that its contract would have made of the same, to the byte."""
    checked = type(fact).model_validate(fact.model_dump())
    return checked == fact and checked.model_dump_json() == fact.model_dump_json()


def kinds(facts: Iterable[Message]) -> list[str]:
    """The facts' names, for short assertions."""
    return [type(fact).__name__ for fact in facts]


def only(facts: Iterable[Message], form: type[Message]) -> Any:
    """The one fact of a form."""
    found = [fact for fact in facts if isinstance(fact, form)]
    assert len(found) == 1, f"Expected one {form.__name__}, found {kinds(facts)}"
    return found[0]
