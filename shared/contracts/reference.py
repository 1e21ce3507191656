"""Reference data: the process templates and the bank's organisation. Drives everything; nothing of it is code."""

from __future__ import annotations

from datetime import date
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from shared.contracts.message import Identity, Instant, Message, Part, Step, Topic

REFERENCE: Final = Topic("reference.v1", "reference tool", "kind:id", retention_ms=None, compacted=True, lanes=False)


class ReferenceEntry(Message):
    """One piece of reference data; a newer record of the same key replaces it."""

    topic: ClassVar[Topic] = REFERENCE
    noun: ClassVar[str]
    id: Identity

    @property
    def key(self) -> str:
        return f"{self.noun}:{self.id}"


class SliceArea(Part):
    """Where a field stands on the voucher, as fractions (0 to 1) of the image's width and height."""

    image: str = "voucher"
    left: Annotated[float, Field(ge=0, lt=1)]
    top: Annotated[float, Field(ge=0, lt=1)]
    width: Annotated[float, Field(gt=0, le=1)]
    height: Annotated[float, Field(gt=0, le=1)]


class TemplateField(Part):
    """A field to key: where it is, how often it is keyed, who may key it.

    Holds:   `vendor_keyings` names at most one keying, so the two keyings of a field never meet at one vendor team. A blank
             stands where the page may leave the field so (`may_be_blank`), never as the amount field's value.
    """

    name: Identity
    label: str
    form: Literal["text", "account", "amount", "date", "choice"] = "text"
    may_be_blank: bool = False
    keyings: Annotated[int, Field(ge=1, le=2)] = 1
    vendor_keyings: Annotated[tuple[int, ...], Field(max_length=1)] = ()
    data_class: Identity = "internal"
    area: SliceArea


class Tier(Part):
    """What authorisation an amount needs. `below_minor` is exclusive; `None` is the last tier."""

    below_minor: int | None
    authorisers: Annotated[int, Field(ge=0, le=2)]
    grade_min: Annotated[int, Field(ge=0)] = 0
    distinct_teams: bool = False
    rekey_amount: bool = False


class StandardTimes(Part):
    """Standard handling times, in seconds per work item."""

    entry: Annotated[float, Field(gt=0)]
    arbitration: Annotated[float, Field(gt=0)]
    review: Annotated[float, Field(gt=0)]
    authorisation: Annotated[float, Field(gt=0)]
    inspection: Annotated[float, Field(gt=0)]


class DelayCost(Part):
    """What delay costs, in points: one currency for all business types, so that only the ratios matter.

    Units:   `late_per_minute` points for each minute after due; `missed` points, once, for a case that is late at all
             (none: as many as a whole service level of lateness costs); `waiting_share` of `late_per_minute` is what
             waiting costs at the age of the service level, less before; `steep_share` of the service level is how long
             before due the cost begins to rise. `urgent_factor` multiplies all for urgent cases, `cut_off_factor` what
             is missed when a rail closes.
    """

    late_per_minute: Annotated[float, Field(gt=0)] = 1.0
    missed: Annotated[float, Field(ge=0)] | None = None
    waiting_share: Annotated[float, Field(ge=0)] = 0.1
    steep_share: Annotated[float, Field(gt=0, le=0.2)] = 0.05
    urgent_factor: Annotated[float, Field(ge=1)] = 3.0
    cut_off_factor: Annotated[float, Field(ge=1)] = 2.0


DraftStep = Literal["entry", "arbitration"]
"""Steps whose outcome is a value read off a slice. A verdict on a whole case is one person's own: nobody begins it for them."""


class BusinessType(ReferenceEntry):
    """A process template: the steps, keyings, tiers, standard times and service level of one business type.

    Holds:   at `draft_steps` what somebody keyed stays with an item that leaves their hands, as a draft. Without
             `inspection` no sample is drawn of what was keyed, whatever anybody's standing.
    """

    noun: ClassVar[str] = "business-type"
    kind: Literal["reference.business-type.v1"] = "reference.business-type.v1"
    label: str
    version: Annotated[int, Field(ge=1)]
    currency: str = "CNY"
    fields: Annotated[tuple[TemplateField, ...], Field(min_length=1)]
    amount_field: Identity | None = None
    draft_steps: tuple[DraftStep, ...] = ("entry",)
    review: bool = True
    review_rounds_max: Annotated[int, Field(ge=1)] = 3
    inspection: bool = True
    tiers: tuple[Tier, ...] = ()
    sla_seconds: Annotated[float, Field(gt=0)]
    sla_urgent_seconds: Annotated[float, Field(gt=0)] | None = None
    cut_off: Annotated[str, Field(pattern=r"^\d{2}:\d{2}$")] | None = None  # local time of the rail's closing
    posting_lead_seconds: Annotated[float, Field(ge=0)] = 0.0
    on_time_objective: Annotated[float, Field(gt=0, lt=1)] | None = (
        None  # share of cases that the bank promises in time
    )
    standard: StandardTimes
    delay: DelayCost = DelayCost()


class Centre(ReferenceEntry):
    """A site where teams work."""

    noun: ClassVar[str] = "centre"
    kind: Literal["reference.centre.v1"] = "reference.centre.v1"
    label: str
    city: str
    share_maximum: Annotated[float, Field(gt=0, le=1)] | None = None  # of all work, so that no site carries the bank


class Provider(ReferenceEntry):
    """The bank's own department or an outside vendor, and what its contract lets it see and do."""

    noun: ClassVar[str] = "provider"
    kind: Literal["reference.provider.v1"] = "reference.provider.v1"
    label: str
    outside: bool
    data_classes: tuple[Identity, ...]
    initial_standing: Literal["probation", "allowed", "suspended"] = "allowed"
    reinstated_at: Instant | None = None  # the vendor manager ends a suspension that was given before this
    share_minimum: Annotated[float, Field(ge=0, le=1)] | None = None  # of all work, as the contract promises it
    share_maximum: Annotated[float, Field(ge=0, le=1)] | None = None  # of all work, as the bank allows it


class Team(ReferenceEntry):
    """A team belongs to one provider at one centre."""

    noun: ClassVar[str] = "team"
    kind: Literal["reference.team.v1"] = "reference.team.v1"
    label: str
    centre_id: Identity
    provider_id: Identity


TimeOfDay = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class ShiftBreak(Part):
    """A pause that the shift plans, local time."""

    begins: TimeOfDay
    ends: TimeOfDay


class Shift(ReferenceEntry):
    """When those who work it are expected at their desks, in the floor's local time.

    Holds:   one that ends at or before it begins ends on the next day, and counts for the day on which it begins; so
             does a break that would end before it begins.
    """

    noun: ClassVar[str] = "shift"
    kind: Literal["reference.shift.v1"] = "reference.shift.v1"
    label: str
    begins: TimeOfDay
    ends: TimeOfDay
    weekdays: Annotated[tuple[Weekday, ...], Field(min_length=1)] = ("mon", "tue", "wed", "thu", "fri")
    breaks: tuple[ShiftBreak, ...] = ()
    closed_on: tuple[date, ...] = ()  # holidays
    opened_on: tuple[date, ...] = ()  # days worked though their weekday is not, as before a long holiday


class Operator(ReferenceEntry):
    """A person in one team, with qualifications per work type (`business-type/step`) and a grade."""

    noun: ClassVar[str] = "operator"
    kind: Literal["reference.operator.v1"] = "reference.operator.v1"
    name: str
    team_id: Identity
    work_types: tuple[str, ...]
    grade: Annotated[int, Field(ge=0)] = 0
    branch_id: Identity | None = None  # the branch the person belongs to: never their cases
    initial_standing: Literal["probation", "allowed", "suspended"] = "allowed"
    reinstated_at: Instant | None = None  # the vendor manager ends a suspension that was given before this
    shift_id: Identity | None = None  # none: no calendar tells when the person comes


class Branch(ReferenceEntry):
    """A branch and the Ed25519 public key (base64, 32 bytes) that its submissions are signed with."""

    noun: ClassVar[str] = "branch"
    kind: Literal["reference.branch.v1"] = "reference.branch.v1"
    label: str
    public_key: str
    region: Identity | None = None


class FloorLimits(ReferenceEntry):
    """The floor's figures that are policy, not template. One entry, id `floor`."""

    noun: ClassVar[str] = "limits"
    kind: Literal["reference.limits.v1"] = "reference.limits.v1"
    time_zone: str = "Asia/Shanghai"
    images_max: Annotated[int, Field(gt=0)] = 20  # of one submission
    image_bytes_max: int = 8_000_000
    image_pixels_max: int = 40_000_000
    submission_pixels_max: Annotated[int, Field(gt=0)] = 250_000_000  # of all its images: 28 pages of A4 at 300 dpi
    image_types: tuple[str, ...] = ("image/png", "image/jpeg")
    offer_lease_seconds: float = 60.0
    work_lease_factor: float = 6.0  # work lease = standard time times this, but at least …
    work_lease_seconds_min: float = 300.0
    load_seconds: float = 1.0  # a desk whose load changes tells it so often; ten times this while nothing changes
    nobody_present_seconds: float = 15.0  # then a queued item that nobody is there for goes back to placement
    retry_seconds_min: float = 2.0  # an item that nobody is there for is tried again, doubling from this …
    retry_seconds_max: float = 30.0  # … to this
    stay_bonus: float = 0.1  # added to the index of work of the type that the operator did last
    hold_seconds_max: float = 20.0  # so long a scarce specialist may be held back for urgent work; 0: never
    plan_good_seconds: Annotated[float, Field(gt=0)] = 600.0  # so long placement draws by a plan that no newer follows
    peak_days: tuple[Annotated[int, Field(ge=1, le=31)], ...] = (5, 10, 15, 31)  # of the month; 31: its last day
    probation_inspected_share: float = 1.0
    allowed_inspected_share: float = 0.05
    probation_items: int = 30  # judged entries before probation can end
    suspend_error_rate: float = 0.05
    restore_error_rate: float = 0.02  # hysteresis: below the suspending rate
    score_window: int = 200  # judged entries that a score looks back on
    score_items_min: int = 40  # no suspension on thinner evidence
    reroute_approval_seconds: Annotated[float, Field(gt=0)] = 900.0  # a proposal that nobody approves expires
    reroute_execution_seconds: Annotated[float, Field(gt=0)] = 600.0  # an approval that is not carried out expires
    reroute_return_step_seconds: Annotated[float, Field(gt=0)] = 60.0
    reroute_fall_back_seconds: Annotated[float, Field(gt=0)] = (
        300.0  # in force again for so long when a return is unwell
    )
    reroute_drift_max: Annotated[float, Field(gt=0)] = (
        0.25  # share by which the approved preview may be off at the start
    )
    drill_proof_days: Annotated[float, Field(gt=0)] = 14.0  # so long a passed drill proves that the rest can carry
    drill_misses_max: Annotated[int, Field(ge=0)] = 0  # predicted misses that a drill may add
    drill_load_max: Annotated[float, Field(gt=0)] = 0.9  # of those who are left, by what comes
    drill_on_time_drop_max: Annotated[float, Field(ge=0, le=1)] = 0.02  # below the ordinary share; more fails it
    drill_cut_off_minutes: Annotated[int, Field(ge=0)] = 60  # no drill lies in the last minutes before a rail closes


class RerouteDuty(ReferenceEntry):
    """What a person (the subject of their token) may do about reroutes, and where; nothing named: everywhere."""

    noun: ClassVar[str] = "reroute-duty"
    kind: Literal["reference.reroute-duty.v1"] = "reference.reroute-duty.v1"
    name: str
    proposes: bool = True
    approves: bool = False
    breaks_glass: bool = False
    centres: tuple[Identity, ...] = ()
    providers: tuple[Identity, ...] = ()


class RerouteRule(ReferenceEntry):
    """A safety rule for reroutes.

    Holds:   `able_centres`, `able_people`: so many centres, or people, present and able to do the step must be left;
             `anti_flap`: so long after a reroute of the same place is over, none begins there; `blocked_window`: none
             begins between `begins` and `ends`, local time.
    """

    noun: ClassVar[str] = "reroute-rule"
    kind: Literal["reference.reroute-rule.v1"] = "reference.reroute-rule.v1"
    label: str
    form: Literal["able_centres", "able_people", "anti_flap", "blocked_window"]
    step: Step | None = None
    minimum: Annotated[int, Field(ge=0)] = 0
    wait_seconds: Annotated[float, Field(ge=0)] = 0.0
    begins: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] = "00:00"
    ends: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] = "00:00"
    drills_only: bool = False
    overridable: bool = True
    drill_minimum: Annotated[int, Field(ge=0)] | None = None  # for a drill, which ends in a second; none: as `minimum`


class BlockedWindow(Part):
    """A time of day, local, in which something must not be."""

    begins: TimeOfDay
    ends: TimeOfDay


class DrillEntry(ReferenceEntry):
    """A drill that the calendar holds: one centre, or one provider, takes nothing new for a while, week after week.

    Units:   `minutes` in force, before the work comes back; `notice_minutes` before its beginning it is proposed, so
             that on-call sees it coming and may cancel it; `begins` and `blocked` are local time.
    Holds:   of `weekdays` the first that is not blocked that week; `owner` asks for it and `signed_by`, somebody else,
             has agreed beforehand to the drill within its bounds: this scope, these minutes, no safety rule broken,
             nobody's work without people, no more predicted misses than the floor's limits allow.
    """

    noun: ClassVar[str] = "drill"
    kind: Literal["reference.drill.v1"] = "reference.drill.v1"
    label: str
    centre: Identity | None = None
    provider: Identity | None = None
    weekdays: Annotated[tuple[Weekday, ...], Field(min_length=1)]
    begins: TimeOfDay
    minutes: Annotated[int, Field(ge=1, le=240)] = 30
    every_weeks: Annotated[int, Field(ge=1, le=13)] = 1
    notice_minutes: Annotated[int, Field(ge=1, le=240)] = 15
    blocked: tuple[BlockedWindow, ...] = ()
    on_peak_days: bool = False
    owner: Identity
    signed_by: Identity
    signed_on: date
