"""A small bank for supervision's tests: builders of events, a fake reference board, a runner that folds facts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from services.vendor.supervision.decide import decide, refuse
from services.vendor.supervision.state import State, alarms, apply, empty
from shared.contracts.audit import CasePosted, Doer, KeyedEntry, KeyingErrorFound, ResultAccepted
from shared.contracts.message import Message, Region, Step
from shared.contracts.reference import (
    BusinessType,
    FloorLimits,
    Operator,
    Provider,
    SliceArea,
    StandardTimes,
    TemplateField,
)
from shared.contracts.routing import WorkCompleted
from shared.contracts.vendor import KeyingJudged, Standing
from shared.contracts.work import InspectionVerdict, KeyedValue, Outcome
from shared.runtime.processor import Event, Rejection, Situation, TimerFired
from shared.standing import StandingView

NOW = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)
SLICE = Region(image_sha256="a" * 64, x=10, y=20, width=300, height=40)
AREA = SliceArea(left=0.1, top=0.1, width=0.3, height=0.1)
LIMITS = FloorLimits(
    id="floor", probation_items=5, score_window=20, score_items_min=8, suspend_error_rate=0.25, restore_error_rate=0.1
)


def _operator(name: str, standing: Standing = "allowed", branch: str | None = None) -> Operator:
    return Operator(
        id=name,
        name=name,
        team_id="team-1",
        work_types=("corporate-transfer/entry",),
        initial_standing=standing,
        branch_id=branch,
    )


def _template() -> BusinessType:
    fields = (
        TemplateField(name="amount", label="Amount", form="amount", area=AREA),
        TemplateField(name="payee", label="Payee", data_class="confidential", area=AREA),
    )
    standard = StandardTimes(entry=35, arbitration=40, review=45, authorisation=30, inspection=38)
    return BusinessType(
        id="corporate-transfer", label="Transfer", version=1, fields=fields, sla_seconds=1200, standard=standard
    )


@dataclass
class FakeReference:
    """The reference board of a bank with one template, one vendor and a handful of people."""

    limits: FloorLimits = LIMITS
    business_types: dict[str, BusinessType] = field(default_factory=lambda: {"corporate-transfer": _template()})
    operators: dict[str, Operator] = field(
        default_factory=lambda: {
            "ada": _operator("ada", "probation"),
            "bob": _operator("bob"),
            "eve": _operator("eve", "suspended"),
            "ida": _operator("ida"),
            "kin": _operator("kin", branch="br-1"),
        }
    )
    providers: dict[str, Provider] = field(
        default_factory=lambda: {
            "bank": Provider(id="bank", label="Bank", outside=False, data_classes=("internal",)),
            "swift": Provider(id="swift", label="Swift Keying", outside=True, data_classes=("internal",)),
        }
    )


def situation(
    reference: FakeReference | None = None, standing: StandingView | None = None, now: datetime = NOW
) -> Situation:
    boards = {"reference": reference or FakeReference(), "standing": standing or StandingView()}
    return Situation(now, 0, "event-1", boards)


def doer(operator: str = "ada", provider: str = "swift") -> Doer:
    return Doer(operator_id=operator, team_id="team-1", provider_id=provider)


def accepted(item: str = "w1", who: Doer | None = None, step: Step = "entry", case: str = "c1") -> ResultAccepted:
    return ResultAccepted(
        case_id=case,
        at=NOW,
        work_item_id=item,
        business_type="corporate-transfer",
        step=step,
        role="entry-1",
        round=1,
        field="amount",
        doer=who or doer(),
        outcome=KeyedValue(value="12.50"),
        handle_seconds=20.0,
    )


def error_found(item: str = "w1", found_by: Literal["arbitration", "review"] = "review") -> KeyingErrorFound:
    return KeyingErrorFound(
        case_id="c1",
        at=NOW,
        work_item_id=item,
        business_type="corporate-transfer",
        field="amount",
        keyed="12.50",
        right="12.60",
        doer=doer(),
        found_by=found_by,
    )


def entry(item: str = "w1", who: Doer | None = None, name: str = "amount", value: str = "12.50") -> KeyedEntry:
    return KeyedEntry(work_item_id=item, field=name, keying=1, value=value, doer=who or doer(), slice=SLICE)


def posted(*entries: KeyedEntry, touched: tuple[str, ...] = ("ada", "rex")) -> CasePosted:
    return CasePosted(
        case_id="c1",
        at=NOW,
        business_type="corporate-transfer",
        branch_id="br-1",
        submission_id="s1",
        received_at=NOW - timedelta(minutes=9),
        due_at=NOW + timedelta(minutes=11),
        on_time=True,
        posting_id="p1",
        core_reference="core-1",
        amount=None,
        entries=entries,
        touched=touched,
    )


def inspected(item: str, value: str = "12.50", by: str = "ida", provider: str = "bank", **more: Any) -> WorkCompleted:
    outcome: Outcome = more.get("outcome", InspectionVerdict(value=value))
    return WorkCompleted(
        work_item_id=item,
        case_id="c1",
        business_type="corporate-transfer",
        step=more.get("step", "inspection"),
        role="inspection",
        round=1,
        field="amount",
        operator_id=by,
        team_id="team-9",
        provider_id=provider,
        attempt=1,
        command_id=f"cmd-{item}",
        outcome=outcome,
        requested_at=NOW,
        assigned_at=NOW,
        completed_at=NOW,
        handle_seconds=12.0,
    )


def judged(
    item: str,
    found_by: Literal["none", "arbitration", "review", "inspection"] = "none",
    subject: Literal["operator", "provider"] = "operator",
    subject_id: str = "ada",
) -> KeyingJudged:
    return KeyingJudged(
        subject=subject,
        subject_id=subject_id,
        operator_id="ada",
        provider_id="swift",
        team_id="team-1",
        work_item_id=item,
        case_id="c1",
        work_type="corporate-transfer/entry",
        what="keyed" if found_by == "none" else "error",
        found_by=found_by,
        at=NOW,
    )


@dataclass
class Bench:
    """One entity under test: events in, facts folded and kept."""

    key: str
    at: Situation = field(default_factory=situation)
    facts: list[Message] = field(default_factory=list)
    state: State = field(init=False)

    def __post_init__(self) -> None:
        self.state = empty(self.key)

    def wake(self) -> Sequence[Message]:
        """Every alarm of the entity fires."""
        return [fact for name in alarms(self.state) for fact in self.take(TimerFired(self.key, name, self.at.now))]

    def take(self, event: Event) -> Sequence[Message]:
        decided = decide(self.state, event, self.at)
        facts = refuse(self.state, event, decided, self.at) if isinstance(decided, Rejection) else decided
        for fact in facts:
            self.state = apply(self.state, fact)  # type: ignore[arg-type]  # supervision's facts only
        self.facts += facts
        return facts

    def take_all(self, events: Sequence[Message]) -> None:
        for event in events:
            self.take(event)

    def replayed(self) -> State:
        state = empty(self.key)
        for fact in self.facts:
            state = apply(state, fact)  # type: ignore[arg-type]  # supervision's facts only
        return state
