"""A small bank for the tests of controls: reference data, builders of events, and a runner that folds facts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from services.audit.controls.decide import decide, refuse
from services.audit.controls.state import ENDED, Case, Phase, apply, empty
from shared.contracts.audit import (
    CaseClosed,
    CasePosted,
    KeyingErrorFound,
    PostingRequested,
    ResultAccepted,
    WorkRequested,
)
from shared.contracts.core import PostingConfirmed, PostingFailed
from shared.contracts.intake import CaseOpened, ImageSize
from shared.contracts.message import ImageReference, Message, Money
from shared.contracts.reference import (
    Branch,
    BusinessType,
    FloorLimits,
    Operator,
    Provider,
    ReferenceEntry,
    SliceArea,
    StandardTimes,
    Team,
    TemplateField,
    Tier,
)
from shared.contracts.routing import WorkCompleted
from shared.contracts.work import (
    ArbitrationRuling,
    AuthorisationVerdict,
    InspectionVerdict,
    KeyedValue,
    Outcome,
    ReviewVerdict,
    WorkOrder,
)
from shared.keyed_values import parse_amount
from shared.reference.board import REFERENCE_BOARD, ReferenceView
from shared.runtime.processor import Rejection, Situation, derived_id

NOW = datetime(2026, 5, 4, 2, 0, tzinfo=UTC)  # ten in the morning in Shanghai
VOUCHER = "a" * 64
CASE = "case-1"
STANDARD = StandardTimes(entry=35, arbitration=40, review=45, authorisation=30, inspection=38)
TIERS = (
    Tier(below_minor=5_000_000, authorisers=0),
    Tier(below_minor=50_000_000, authorisers=1, grade_min=1),
    Tier(below_minor=500_000_000, authorisers=1, grade_min=2, rekey_amount=True),
    Tier(below_minor=None, authorisers=2, grade_min=2, distinct_teams=True, rekey_amount=True),
)
TRANSFER = BusinessType(
    id="transfer",
    label="Transfer",
    version=3,
    fields=(
        TemplateField(
            name="amount",
            label="Amount",
            form="amount",
            keyings=2,
            area=SliceArea(left=0.5, top=0.1, width=0.4, height=0.1),
        ),
        TemplateField(
            name="account",
            label="Payee account",
            form="account",
            keyings=2,
            vendor_keyings=(1,),
            data_class="confidential",
            area=SliceArea(left=0.1, top=0.3, width=0.8, height=0.1),
        ),
        TemplateField(name="payee", label="Payee", area=SliceArea(left=0.1, top=0.5, width=0.95, height=0.1)),
    ),
    amount_field="amount",
    review_rounds_max=2,
    tiers=TIERS,
    sla_seconds=1200,
    sla_urgent_seconds=300,
    standard=STANDARD,
)
MAINTENANCE = BusinessType(
    id="maintenance",
    label="Account maintenance",
    version=1,
    fields=(TemplateField(name="change", label="Change", area=SliceArea(left=0, top=0, width=1, height=1)),),
    review=False,
    sla_seconds=14_400,
    standard=STANDARD,
)
TRUE_VALUES = {"amount": "12,500.00", "account": "6222 0210 0112", "payee": "Li Ping", "change": "New address"}


def _operators() -> list[Operator]:
    people = [
        Operator(id=f"op-{team}{number}", name=f"Op {number}", team_id=team, work_types=(), grade=number % 4)
        for team in ("north", "south", "outside")
        for number in range(8)
    ]
    return [*people, Operator(id="op-home", name="Home", team_id="north", work_types=(), grade=3, branch_id="branch-1")]


ENTRIES: Sequence[ReferenceEntry] = (
    TRANSFER,
    MAINTENANCE,
    Provider(id="bank", label="The bank", outside=False, data_classes=("internal", "confidential")),
    Provider(id="vendor", label="A vendor", outside=True, data_classes=("internal", "confidential")),
    Team(id="north", label="North", centre_id="c1", provider_id="bank"),
    Team(id="south", label="South", centre_id="c2", provider_id="bank"),
    Team(id="outside", label="Outside", centre_id="c3", provider_id="vendor"),
    Branch(id="branch-1", label="Branch 1", public_key="k"),
    FloorLimits(id="floor"),
    *_operators(),
)


def reference(*more: ReferenceEntry) -> ReferenceView:
    """The bank's reference data, folded as the board folds them; later entries replace earlier ones."""
    view = REFERENCE_BOARD.empty()
    for entry in (*ENTRIES, *more):
        REFERENCE_BOARD.fold(view, entry.key, entry)
    assert isinstance(view, ReferenceView)
    return view


def opened(business_type: str = "transfer", **changes: Any) -> CaseOpened:
    """A case that intake opened."""
    facts: dict[str, Any] = {
        "case_id": CASE,
        "submission_id": "submission-1",
        "branch_id": "branch-1",
        "business_type": business_type,
        "images": (ImageReference(sha256=VOUCHER, media_type="image/png", size_bytes=10),),
        "image_sizes": (ImageSize(image_sha256=VOUCHER, width=1000, height=800),),
        "declared_amount": Money(amount_minor=1_250_000, currency="CNY"),
        "captured_at": NOW,
        "received_at": NOW,
    }
    return CaseOpened.model_validate({**facts, **changes})


def right_outcome(order: WorkOrder, values: dict[str, str] = TRUE_VALUES) -> Outcome:
    """What a careful person answers."""
    match order.step:
        case "entry":
            return KeyedValue(value=values[order.field or ""])
        case "arbitration":
            return ArbitrationRuling(value=values[order.field or ""])
        case "review":
            return ReviewVerdict(passed=True)
        case "authorisation":
            return AuthorisationVerdict(granted=True, rekeyed_amount=values["amount"] if order.rekey_amount else None)
        case "inspection":
            return InspectionVerdict(value="")


PROVIDER_BY_TEAM = {"north": "bank", "south": "bank", "outside": "vendor"}


def result(order: WorkOrder, operator: str, outcome: Outcome | None = None, **changes: Any) -> WorkCompleted:
    """What routing publishes when this operator completed this order."""
    team = next((team for team in PROVIDER_BY_TEAM if operator.startswith(f"op-{team}")), "north")
    facts: dict[str, Any] = {
        "work_item_id": order.work_item_id,
        "case_id": order.case_id,
        "business_type": order.business_type,
        "step": order.step,
        "role": order.role,
        "round": order.round,
        "field": order.field,
        "operator_id": operator,
        "team_id": team,
        "provider_id": PROVIDER_BY_TEAM[team],
        "attempt": 1,
        "command_id": derived_id("command", order.work_item_id, operator),
        "outcome": outcome or right_outcome(order),
        "requested_at": NOW,
        "assigned_at": NOW,
        "completed_at": NOW,
        "handle_seconds": 31.4,
    }
    return WorkCompleted.model_validate({**facts, **changes})


def confirmed(**changes: Any) -> PostingConfirmed:
    """The core bank booked the case."""
    facts = {"posting_id": derived_id("posting", CASE), "case_id": CASE, "core_reference": "C-1", "booked_at": NOW}
    return PostingConfirmed.model_validate({**facts, **changes})


def failed(**changes: Any) -> PostingFailed:
    """The core bank refused the case."""
    facts = {"posting_id": derived_id("posting", CASE), "case_id": CASE, "code": "blocked", "detail": "account blocked"}
    return PostingFailed.model_validate({**facts, "failed_at": NOW, **changes})


@dataclass
class CaseRun:
    """One case driven by events; keeps every fact."""

    view: ReferenceView = field(default_factory=reference)
    case: Case = field(default_factory=lambda: empty(CASE))
    facts: list[Message] = field(default_factory=list)
    now: datetime = NOW

    def situation(self) -> Situation:
        return Situation(self.now, 0, "event", {"reference": self.view})

    def answer(self, event: Message) -> list[Message]:
        """What controls answers now, without moving the case."""
        decided = decide(self.case, event, self.situation())
        if isinstance(decided, Rejection):
            decided = refuse(self.case, event, decided, self.situation())
        return list(decided)

    def take(self, event: Message) -> list[Message]:
        """Decide an event and fold its facts."""
        decided = self.answer(event)
        for fact in decided:
            self.case = apply(self.case, fact)
        self.facts += decided
        self.now += timedelta(seconds=1)
        return decided

    def order(self, role: str, field_name: str | None = None) -> WorkOrder:
        """The open order of this role (and field)."""
        return next(
            order
            for order in self.case.open_items.values()
            if order.role == role and (field_name is None or order.field == field_name)
        )

    def do(self, role: str, operator: str, outcome: Outcome | None = None, on: str | None = None) -> list[Message]:
        """Somebody completes the open item of this role."""
        return self.take(result(self.order(role, on), operator, outcome))

    def key_all(self, **first: str) -> CaseRun:
        """Both keyers key every slice; `first` says where the first keying reads something else."""
        values = {**TRUE_VALUES, **first}
        for order in list(self.case.open_items.values()):
            read = values if order.role == "entry-1" else TRUE_VALUES
            self.take(
                result(order, "op-north1" if order.role == "entry-1" else "op-south1", right_outcome(order, read))
            )
        return self

    def of(self, kind: type[Message]) -> list[Any]:
        """All facts of one kind."""
        return [fact for fact in self.facts if isinstance(fact, kind)]


def started(**changes: Any) -> CaseRun:
    """A transfer that was just taken up."""
    run = CaseRun()
    run.take(opened(**changes))
    return run


def with_amount(amount: str) -> CaseRun:
    """A transfer over this amount, keyed and reviewed."""
    run = started()
    for order in list(run.case.open_items.values()):
        outcome = right_outcome(order, {**TRUE_VALUES, "amount": amount})
        run.take(result(order, "op-north1" if order.role == "entry-1" else "op-south1", outcome))
    run.do("review-1", "op-south2")
    return run


def run_in(phase: Phase) -> CaseRun:
    """A case that has come to this phase by the shortest way."""
    if phase is Phase.NEW:
        return CaseRun()
    run = started()
    if phase is Phase.ENTERING:
        return run
    if phase is Phase.REVIEWING:
        return run.key_all()
    if phase is Phase.AUTHORISING:
        return with_amount("60,000.00")
    run = with_amount("12,500.00")
    if phase is not Phase.POSTING:
        run.take(confirmed() if phase is Phase.POSTED else failed())
    assert run.case.phase is phase
    return run


def check_promises(run: CaseRun) -> None:
    """What must hold of every case at every time."""
    roles: dict[str, set[str]] = {}
    for fact in run.of(ResultAccepted):
        roles.setdefault(fact.doer.operator_id, set()).add(fact.role)
    assert all(len(held) == 1 for held in roles.values()), f"Expected one role per person, found {roles}"
    accepted = [fact.work_item_id for fact in run.of(ResultAccepted)]
    assert len(accepted) == len(set(accepted)), "Expected one result per item"
    asked = [fact.order.work_item_id for fact in run.of(WorkRequested)]
    assert len(asked) == len(set(asked)), "Expected every item asked for once"
    assert len(run.of(PostingRequested)) <= 1, "Expected the posting requested at most once"
    for fact in run.of(KeyingErrorFound):
        stands = parse_amount(fact.right, "CNY") if fact.field == "amount" else fact.right
        assert stands, f"Expected errors against a value that can stand, found {fact.right!r}"
    ends = run.of(CasePosted) + run.of(CaseClosed)
    assert len(ends) == (run.case.phase in ENDED), "Expected one end, and only of an ended case"
