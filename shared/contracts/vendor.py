"""What vendor supervision publishes: findings, inspections, standing."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from shared.contracts.audit import KeyedEntry
from shared.contracts.message import DAY_MS, Identity, Instant, Message, Part, Topic
from shared.contracts.work import WorkOrder

FINDING: Final = Topic("vendor.finding.v1", "vendor", "operator:<id> or provider:<id>")
SCORE: Final = Topic("vendor.score.v1", "vendor", "operator:<id> or provider:<id>")
INSPECTION: Final = Topic("vendor.inspection.v1", "vendor", "work item id")
STANDING: Final = Topic(
    "vendor.standing.v1", "vendor", "operator:<id> or provider:<id>", retention_ms=None, compacted=True
)
APPRAISAL: Final = Topic("vendor.appraisal.v1", "vendor", "case id", retention_ms=30 * DAY_MS)

Standing = Literal["probation", "allowed", "suspended"]


class KeyingJudged(Message):
    """One keyed field of an operator, counted once for the operator and once for the provider."""

    topic: ClassVar[Topic] = FINDING
    kind: Literal["vendor.keying-judged.v1"] = "vendor.keying-judged.v1"
    subject: Literal["operator", "provider"]
    subject_id: Identity
    operator_id: Identity
    provider_id: Identity
    team_id: Identity
    work_item_id: Identity
    case_id: Identity
    work_type: str
    what: Literal["keyed", "error"]
    found_by: Literal["none", "arbitration", "review", "inspection"]
    at: Instant

    @property
    def key(self) -> str:
        return f"{self.subject}:{self.subject_id}"


class EntryScored(Message):
    """A judgement moved the score of an operator or a provider.

    Units:   `window` is how many judged entries the score looks back on; `keyed` and `errors` count inside it, after.
    """

    topic: ClassVar[Topic] = SCORE
    kind: Literal["vendor.entry-scored.v1"] = "vendor.entry-scored.v1"
    subject: Literal["operator", "provider"]
    subject_id: Identity
    provider_id: Identity
    work_item_id: Identity
    work_type: str
    found_by: Literal["none", "arbitration", "review", "inspection"]  # none: keyed; else who found the error
    window: Annotated[int, Field(gt=0)]
    keyed: int
    errors: int
    at: Instant

    @property
    def key(self) -> str:
        return f"{self.subject}:{self.subject_id}"


class InspectionRequested(Message):
    """A finished entry is to be keyed again by an inspector. Placed like any work."""

    topic: ClassVar[Topic] = INSPECTION
    kind: Literal["vendor.inspection-requested.v1"] = "vendor.inspection-requested.v1"
    order: WorkOrder

    @property
    def key(self) -> str:
        return self.order.work_item_id


class InspectionSettled(Message):
    """Supervision took the inspection's result: nothing more will come of the work item."""

    topic: ClassVar[Topic] = INSPECTION
    kind: Literal["vendor.inspection-settled.v1"] = "vendor.inspection-settled.v1"
    work_item_id: Identity
    case_id: Identity

    @property
    def key(self) -> str:
        return self.work_item_id


class DrawnEntry(Part):
    """An entry of an ended case in the draw: inspected when `draw` lies below `share`."""

    entry: KeyedEntry
    draw: Annotated[float, Field(ge=0, lt=1)]
    share: Annotated[float, Field(ge=0, le=1)]
    sampled: bool


class SampleDrawn(Message):
    """Supervision drew the sample of a posted case. Once per case, also when nothing is inspected."""

    topic: ClassVar[Topic] = APPRAISAL
    kind: Literal["vendor.sample-drawn.v1"] = "vendor.sample-drawn.v1"
    case_id: Identity
    drawn: tuple[DrawnEntry, ...]
    at: Instant

    @property
    def key(self) -> str:
        return self.case_id


class CaseAppraised(Message):
    """What supervision did with an ended case: which entries it sampled, what inspection found."""

    topic: ClassVar[Topic] = APPRAISAL
    kind: Literal["vendor.case-appraised.v1"] = "vendor.case-appraised.v1"
    case_id: Identity
    work_item_id: Identity  # the entry
    inspection_id: Identity
    verdict: Literal["sampled", "right", "wrong", "refused"]
    detail: str
    at: Instant

    @property
    def key(self) -> str:
        return self.case_id


class OperatorStanding(Message):
    """What the bank currently allows an operator to do, and why."""

    topic: ClassVar[Topic] = STANDING
    kind: Literal["vendor.operator-standing.v1"] = "vendor.operator-standing.v1"
    operator_id: Identity
    provider_id: Identity
    standing: Standing
    inspected_share: Annotated[float, Field(ge=0, le=1)]
    keyed: int
    errors: int
    reason: str
    since: Instant
    reinstated: bool = False  # by a person: what was judged before counts no more

    @property
    def key(self) -> str:
        return f"operator:{self.operator_id}"


class ProviderStanding(Message):
    """What the bank currently allows a provider to do, and why."""

    topic: ClassVar[Topic] = STANDING
    kind: Literal["vendor.provider-standing.v1"] = "vendor.provider-standing.v1"
    provider_id: Identity
    standing: Standing
    inspected_share: Annotated[float, Field(ge=0, le=1)]
    keyed: int
    errors: int
    reason: str
    since: Instant
    reinstated: bool = False  # by a person: what was judged before counts no more

    @property
    def key(self) -> str:
        return f"provider:{self.provider_id}"
