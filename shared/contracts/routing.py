"""What routing publishes, and the commands that its HTTP faces publish for people."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, ClassVar, Final, Literal

import orjson
from pydantic import Field, TypeAdapter

from shared.contracts.message import DAY_MS, Identity, Instant, Message, Part, Step, Topic, Whole
from shared.contracts.telling import WrittenOnce
from shared.contracts.work import DRAFT_CHARACTERS_MAX, Draft, Outcome, WorkOrder, beside_order

PLACED: Final = Topic("routing.placed.v1", "routing", "team id", bundled=True)
COMMAND: Final = Topic("routing.command.v1", "routing's HTTP faces", "team id", lanes=False)
DESK: Final = Topic("routing.desk.v1", "routing", "team id", bundled=True)
ASSIGNMENT: Final = Topic("routing.assignment.v1", "routing", "work item id", bundled=True)
RESULT: Final = Topic("routing.result.v1", "routing", "case id", retention_ms=30 * DAY_MS)
LOAD: Final = Topic("routing.load.v1", "routing", "team id", retention_ms=DAY_MS, compacted=True)
PLAN: Final = Topic("routing.plan.v1", "routing's balancer", "floor", retention_ms=DAY_MS, compacted=True)
ARRIVALS: Final = Topic(
    "routing.arrivals.v1", "routing's balancer", "day kind and kind of work", retention_ms=None, compacted=True
)

UnplaceableReason = Literal[
    "nobody_qualified", "all_excluded", "data_class_barred", "vendor_barred", "standing", "nobody_present", "rerouted"
]


class Candidate(Part):
    """A team that placement looked at: its terms, or what removed it.

    Holds:   `backlog_seconds` is what waits at the desk by the last load that it told, `sent_since_seconds` what the
             placing process itself has sent there since, `own_seconds` what of both is of the item's own work type, and
             `item_seconds` how long the item itself will take there: all at the pace of the team's people.
             `expected_wait_seconds` is how long the item would wait for somebody, made of these and of how many people
             are `present` and items `in_hand`. These four are none in facts of before they were told, and of a team with
             nobody for the item. `share` is the plan's (0 to 1); none: the draw went without a plan. `kept_out_by` is the
             centre, the provider or the reroute whose part of all work the item is not of, or has to be of: a team that could
             do the item, and is not drawn.
    """

    team_id: Identity
    removed_by: UnplaceableReason | None = None
    reroute_id: Identity | None = None  # the order that removed it
    eligible_present: int = 0
    backlog_seconds: float = 0.0
    sent_since_seconds: float = 0.0
    own_seconds: float | None = None
    present: int | None = None
    in_hand: int | None = None
    item_seconds: float | None = None
    expected_wait_seconds: float | None = None
    share: float | None = None
    load_version: int | None = None  # of the desk's load that the terms are taken from
    drawn: bool = False
    kept_out_by: Identity | None = None


class BoardsAsOf(Part):
    """How far the boards that a decision was made by had been read: the latest stamp of the records that each took.

    Holds:   the same for every process that had read as far; none: the board was empty.
    """

    reference: Instant | None = None
    standing: Instant | None = None
    reroutes: Instant | None = None


class WorkPlaced(Message):
    """Placement chose a team for the item. `placing` counts the item's placings from 1."""

    topic: ClassVar[Topic] = PLACED
    kind: Literal["routing.work-placed.v1"] = "routing.work-placed.v1"
    team_id: Identity
    placing: Annotated[int, Field(ge=1)]
    attempt: Annotated[int, Field(ge=0)]  # attempts already used up at earlier desks
    order: WorkOrder
    placed_at: Instant
    considered: tuple[Candidate, ...]
    draw_seed: int
    plan_made_at: Instant | None = None  # of the plan that the teams were drawn by; none: without one
    avoided: Identity | None = None  # the team that gave the item back last
    late_seconds: float = 0.0  # by how much it will be late even here, as it looks now; 0: it can be in time
    boards: BoardsAsOf | None = None  # none: decided before facts told it
    draft: Draft | None = None  # what was keyed of it at an earlier desk
    barred: tuple[Identity, ...] = ()  # who was at earlier desks and had another role on the case: counted at no team

    @property
    def key(self) -> str:
        return self.team_id

    def to_json(self) -> bytes:
        """As any body, byte for byte; what many of a batch say alike, most of it, is written out once, and so is the order."""
        if self.draft is not None:
            return self._json_with_draft()
        alike = self.team_id, self.placing, self.attempt, self.placed_at, self.considered
        alike_too = self.plan_made_at, self.avoided, self.boards, self.barred
        head, considered, avoided, end = _PLACED.of((*alike, *alike_too), self._alike)
        told = head, self.order.to_json(), considered, self.draw_seed, avoided, repr(self.late_seconds).encode(), end
        return b"%b%b%b%d%b%b%b" % told

    def _alike(self) -> tuple[bytes, bytes, bytes, bytes]:
        """The body without order, draw and lateness: what stands before each of them, and behind the last."""
        rest = self.__pydantic_serializer__.to_json(self, exclude=_WRITTEN_APART)
        head, placed_at, rest = rest.partition(b',"placed_at":')
        made, draw_seed, rest = rest.partition(AFTER_CONSIDERED)
        _, plan, rest = rest.partition(b',"plan_made_at":')
        avoided, late, rest = rest.partition(b',"late_seconds":')
        _, boards, end = rest.partition(b',"boards":')
        considered = BEFORE_CONSIDERED + _considered_json(self.considered)
        return head + b',"order":', placed_at + made + considered + draw_seed, plan + avoided + late, boards + end

    def _json_with_draft(self) -> bytes:
        rest = self.__pydantic_serializer__.to_json(self, exclude=_WRITTEN_APART)
        told = b"%b%b%b" % (BEFORE_CONSIDERED, _considered_json(self.considered), AFTER_CONSIDERED)
        return beside_order(self.order, rest.replace(AFTER_CONSIDERED, told, 1), b',"placed_at":')


BEFORE_CONSIDERED: Final = b',"considered":'
AFTER_CONSIDERED: Final = b',"draw_seed":'
_WRITTEN_APART: Final = {"considered", "order"}
_CONSIDERED: Final = TypeAdapter(tuple[Candidate, ...]).serializer
_CONSIDERED_KEPT: Final = 256
_PLACED: Final = WrittenOnce[tuple[bytes, bytes, bytes, bytes]](_CONSIDERED_KEPT)
_candidates_json: Final = WrittenOnce[bytes](_CONSIDERED_KEPT)


def _considered_json(considered: tuple[Candidate, ...]) -> bytes:
    """The candidates as JSON. Those that a batch works out once are the same objects in many of its facts."""
    return _candidates_json.of(considered, lambda: _CONSIDERED.to_json(considered))


class WorkRecalled(Message):
    """Placement takes the item back from the team, in hand or not: it was cancelled."""

    topic: ClassVar[Topic] = PLACED
    kind: Literal["routing.work-recalled.v1"] = "routing.work-recalled.v1"
    team_id: Identity
    work_item_id: Identity
    case_id: Identity
    placing: int
    reason: str

    @property
    def key(self) -> str:
        return self.team_id


class Command(Message):
    """What a person asks for. `command_id` is chosen by the sender: the same id again is the same command."""

    topic: ClassVar[Topic] = COMMAND
    command_id: Identity
    team_id: Identity
    operator_id: Identity
    issued_at: Instant

    @property
    def key(self) -> str:
        return self.team_id


class SignOn(Command):
    """The operator is at the desk and ready for work."""

    kind: Literal["routing.sign-on.v1"] = "routing.sign-on.v1"


class SignOff(Command):
    """The operator leaves; what is in hand goes back."""

    kind: Literal["routing.sign-off.v1"] = "routing.sign-off.v1"


PauseReason = Literal["break", "lunch", "meeting", "training", "technical", "personal"]


class Pause(Command):
    """The operator takes no more work for a while; what is in hand is finished first, what is only offered goes back."""

    kind: Literal["routing.pause.v1"] = "routing.pause.v1"
    reason: PauseReason


class Resume(Command):
    """The operator takes work again."""

    kind: Literal["routing.resume.v1"] = "routing.resume.v1"


class PickWork(Command):
    """A certain waiting item is to go to the operator, picked by themselves or by their team leader."""

    kind: Literal["routing.pick-work.v1"] = "routing.pick-work.v1"
    work_item_id: Identity
    reason: Annotated[str, Field(min_length=1, max_length=200)]
    picked_by: Identity


class AcceptAssignment(Command):
    """The operator takes the offered item in hand."""

    kind: Literal["routing.accept-assignment.v1"] = "routing.accept-assignment.v1"
    work_item_id: Identity
    attempt: Whole


class DeclineAssignment(Command):
    """The operator gives the item back, with the reason."""

    kind: Literal["routing.decline-assignment.v1"] = "routing.decline-assignment.v1"
    work_item_id: Identity
    attempt: Whole
    reason: Annotated[str, Field(min_length=1, max_length=200)]


class SaveDraft(Command):
    """The operator has keyed so much of the item in hand; a larger `revision` of the same attempt is newer."""

    kind: Literal["routing.save-draft.v1"] = "routing.save-draft.v1"
    work_item_id: Identity
    attempt: Annotated[Whole, Field(ge=1)]
    revision: Annotated[Whole, Field(ge=1)]
    value: Annotated[str, Field(max_length=DRAFT_CHARACTERS_MAX, repr=False)]


class CompleteAssignment(Command):
    """The operator hands in the result."""

    kind: Literal["routing.complete-assignment.v1"] = "routing.complete-assignment.v1"
    work_item_id: Identity
    attempt: Whole
    outcome: Outcome
    handle_seconds: Annotated[float, Field(ge=0)]


class DeskFact(Message):
    """A fact about one team's desk.

    Holds:   a fact that answers a command carries its `command_id` and `fingerprint`, a hash of what it asked for, so
             that the same id with another content is seen as a conflict.
    """

    topic: ClassVar[Topic] = DESK
    team_id: Identity
    at: Instant

    @property
    def key(self) -> str:
        return self.team_id


class WorkQueued(DeskFact):
    """The placed item now waits at the desk."""

    kind: Literal["routing.work-queued.v1"] = "routing.work-queued.v1"
    placing: int
    attempt: int
    order: WorkOrder
    draft: Draft | None = None

    def to_json(self) -> bytes:
        """As any body, byte for byte; what many of a batch say alike is written out once, and the order for the row too."""
        head, draft = _QUEUED.of((self.team_id, self.at, self.placing, self.attempt, self.draft), self._alike)
        return b"%b%b%b" % (head, self.order.to_json(), draft)

    def _alike(self) -> tuple[bytes, bytes]:
        """The body without its order: what stands before and behind it."""
        rest = self.__pydantic_serializer__.to_json(self, exclude={"order"})
        head, name, draft = rest.partition(b',"draft":')
        return head + b',"order":', name + draft


_QUEUED: Final = WrittenOnce[tuple[bytes, bytes]](256)


class WorkWithdrawn(DeskFact):
    """A recalled item left the desk."""

    kind: Literal["routing.work-withdrawn.v1"] = "routing.work-withdrawn.v1"
    work_item_id: Identity
    operator_id: Identity | None


class OperatorReady(DeskFact):
    """The operator signed on and can be given work."""

    kind: Literal["routing.operator-ready.v1"] = "routing.operator-ready.v1"
    operator_id: Identity
    command_id: Identity
    fingerprint: str = ""


class OperatorAway(DeskFact):
    """A lease ran out: the operator gets no more work until signing on again."""

    kind: Literal["routing.operator-away.v1"] = "routing.operator-away.v1"
    operator_id: Identity


class OperatorSignedOff(DeskFact):
    """The operator left the desk."""

    kind: Literal["routing.operator-signed-off.v1"] = "routing.operator-signed-off.v1"
    operator_id: Identity
    command_id: Identity
    fingerprint: str = ""


class OperatorPaused(DeskFact):
    """The operator gets no more work until they resume; with an item in hand they wrap up, and pause when it is gone."""

    kind: Literal["routing.operator-paused.v1"] = "routing.operator-paused.v1"
    operator_id: Identity
    reason: PauseReason
    wrapping_up: bool
    command_id: Identity
    fingerprint: str = ""


class OperatorResumed(DeskFact):
    """The operator can be given work again, at once or when what is in hand is done."""

    kind: Literal["routing.operator-resumed.v1"] = "routing.operator-resumed.v1"
    operator_id: Identity
    command_id: Identity
    fingerprint: str = ""


class AssignmentTaken(DeskFact):
    """The operator accepted; the work lease starts."""

    kind: Literal["routing.assignment-taken.v1"] = "routing.assignment-taken.v1"
    operator_id: Identity
    work_item_id: Identity
    attempt: int
    command_id: Identity
    lease_until: Instant
    fingerprint: str = ""


class DraftSaved(DeskFact):
    """The desk keeps what the operator has keyed so far, with the item."""

    kind: Literal["routing.draft-saved.v1"] = "routing.draft-saved.v1"
    operator_id: Identity
    work_item_id: Identity
    case_id: Identity
    draft: Draft
    command_id: Identity
    fingerprint: str = ""


class CommandRefused(DeskFact):
    """The desk refused a command, with the reason."""

    kind: Literal["routing.command-refused.v1"] = "routing.command-refused.v1"
    command_id: Identity
    operator_id: Identity
    code: Literal[
        "unknown_operator",
        "not_signed_on",
        "not_assigned",
        "superseded",
        "not_allowed",
        "wrong_outcome",
        "conflict",
        "hand_full",
        "not_queued",
    ]
    detail: str
    fingerprint: str = ""


class CommandNoted(DeskFact):
    """The command changed nothing: what it asks for holds already."""

    kind: Literal["routing.command-noted.v1"] = "routing.command-noted.v1"
    command_id: Identity
    operator_id: Identity
    detail: str
    fingerprint: str = ""


class LoadByWorkType(Part):
    """How much of one work type waits at a desk."""

    work_type: str
    queued: int
    standard_seconds: float
    oldest_requested_at: Instant | None
    learned_seconds: float | None = None  # the same backlog at the pace of those present; of nobody, at the team's


class CapacityByWorkType(Part):
    """Who is there for one work type, and how fast they are.

    Holds:   `present` counts the operators present who hold the work type and are allowed to work, busy or not.
    Units:   `learned_seconds` is their mean handling time per item.
    """

    work_type: str
    present: int
    learned_seconds: float


class ExpectedCapacity(Part):
    """How many people are expected for a work type in each of the next hours, by the shift calendar.

    Shape:   `people_by_hour[n]` is the hour that begins n hours after the snapshot's `expected_from`.
    Units:   people in the mean of the hour, planned breaks taken off; `learned_seconds` per item, their mean pace.
    Holds:   the suspended do not count; who has no shift counts throughout while at the desk, and else not at all. A
             person counts for each work type that they hold.
    """

    work_type: str
    people_by_hour: tuple[float, ...]
    learned_seconds: float


class MovedCount(Part):
    """How many items one reroute moved."""

    reroute_id: Identity
    items: int


class ReroutesHeeded(DeskFact):
    """The desk let items go by reroutes.

    Holds:   `next_at` is when it must go on, none: all that must go is gone; `chunk` is how many it let go at once.
    """

    kind: Literal["routing.reroutes-heeded.v1"] = "routing.reroutes-heeded.v1"
    moved: tuple[MovedCount, ...] = ()
    next_at: Instant | None = None
    chunk: int | None = None


class DeskTally(Part):
    """What a desk has counted since it began.

    Holds:   `late` completions came after their due time; `declined` is what operators gave back by a word of their own.
    """

    accepted: int = 0
    expired: int = 0
    completed: int = 0
    late: int = 0
    declined: int = 0


class LoadSnapshot(DeskFact):
    """How full a desk is and who is there; about once a second while anything changes."""

    topic: ClassVar[Topic] = LOAD
    kind: Literal["routing.load-snapshot.v1"] = "routing.load-snapshot.v1"
    version: int
    queued: tuple[LoadByWorkType, ...]
    in_hand: int
    present: tuple[Identity, ...]
    capacity: tuple[CapacityByWorkType, ...] = ()
    interval_seconds: float = 1.0  # how soon the desk tells a change; ten times this when nothing changes
    tally: DeskTally | None = None
    expected_from: Instant | None = None  # the quarter of an hour in which the snapshot was taken
    expected: tuple[ExpectedCapacity, ...] = ()  # empty when nobody of the team has a shift
    expected_people_by_hour: tuple[float, ...] = ()  # everybody counted once, in the hours of `expected`

    @cached_property
    def seconds_by_work_type(self) -> Mapping[str, float]:
        """How long what waits will take the team's people; without learned times, by the standard ones."""
        return {
            part.work_type: part.standard_seconds if part.learned_seconds is None else part.learned_seconds
            for part in self.queued
        }

    @cached_property
    def learned_by_work_type(self) -> Mapping[str, float]:
        """How long one item takes those who are there. Units: seconds."""
        return {one.work_type: one.learned_seconds for one in self.capacity if one.learned_seconds > 0}


class TeamShare(Part):
    """A team's part of what comes of one kind of work. Units: 0 to 1."""

    team_id: Identity
    share: float


class PlannedWork(Part):
    """One kind of work in the plan: what comes of it and how it is shared.

    Shape:   a kind of work is a work type with what decides which providers may see it.
    Units:   items per hour: `recent_per_hour` as in the last minutes, `coming_per_hour` expected for the coming hour;
             the slack in minutes: how long an item may wait when it comes and be in time, in the mean of the last minutes,
             and as the plan reckons for the coming hour; none: of no item is it known, or a plan of an earlier release.
    Holds:   the shares sum to 1; there are none when no team may do it.
    """

    work_type: str
    in_house_only: bool = False
    data_class: Identity = "internal"
    recent_per_hour: float
    coming_per_hour: float
    shares: tuple[TeamShare, ...] = ()
    recent_slack_minutes: float | None = None
    slack_minutes: float | None = None


class TeamPlanned(Part):
    """What the plan means for a team. Units: people in the mean of the coming hour; work over what they can do."""

    team_id: Identity
    people: float
    saturation: float


class BoundRelaxed(Part):
    """A bound that the plan could not keep. Units: `by` as a share of all work; of `nobody_eligible`, items an hour."""

    reason: Literal["centre_maximum", "provider_minimum", "provider_maximum", "nobody_eligible"]
    name: str
    by: float


class LimitPlanned(Part):
    """A limit of what a provider or a centre does of all work, and what the plan gives it. Units: 0 to 1, of all items."""

    limit: Literal["centre_maximum", "provider_minimum", "provider_maximum"]
    name: Identity
    bound: float
    planned: float


class Relief(Part):
    """What one more person would save at most.

    Holds:   no work type: any of the team's.
    Units:   `saves_minutes` is expected lateness in the hour, over all items.
    """

    team_id: Identity
    work_type: str | None
    saves_minutes: float
    words: str


class HeardTo(Part):
    """How far a balancer had heard one topic when it planned. Shape: the next offset of each partition, in their order."""

    topic: Identity
    next_offsets: tuple[int, ...]


class PlanMade(Message):
    """The balancer's plan for the whole floor: which teams get which share of the work that comes.

    Holds:   the plan made last is in force until `good_until`; after that placement draws without one. A balancer that
             goes on from it counts as if it had lived on: `recent_per_hour` is of all that came from `counted_since` to
             `heard`; plans of earlier releases tell neither.
    """

    topic: ClassVar[Topic] = PLAN
    kind: Literal["routing.plan-made.v1"] = "routing.plan-made.v1"
    made_at: Instant
    made_by: Identity  # the balancer process
    good_until: Instant
    work: tuple[PlannedWork, ...]
    teams: tuple[TeamPlanned, ...]
    saturation: float  # of the fullest team
    lateness_minutes: float  # expected of the coming hour, over all items
    relaxed: tuple[BoundRelaxed, ...] = ()
    reliefs: tuple[Relief, ...] = ()  # what hurts most, first
    counted_since: Instant | None = None
    heard: tuple[HeardTo, ...] = ()
    limits: tuple[LimitPlanned, ...] = ()

    @property
    def key(self) -> str:
        return "floor"


DayKind = Literal["working", "peak", "off"]


class ArrivalsLearned(Message):
    """How much of one kind of work comes in each quarter of an hour of a kind of day, local time.

    Units:   items per hour; none: never seen.
    """

    topic: ClassVar[Topic] = ARRIVALS
    kind: Literal["routing.arrivals-learned.v1"] = "routing.arrivals-learned.v1"
    day_kind: DayKind
    work_type: str
    in_house_only: bool = False
    data_class: Identity = "internal"
    at: Instant
    per_hour: Annotated[tuple[float | None, ...], Field(min_length=96, max_length=96)]

    @property
    def key(self) -> str:
        return f"{self.day_kind}:{self.work_type}:{self.data_class}:{self.in_house_only}"


class ItemFact(Message):
    """A fact about one work item in routing."""

    topic: ClassVar[Topic] = ASSIGNMENT
    work_item_id: Identity
    case_id: Identity
    at: Instant

    @property
    def key(self) -> str:
        return self.work_item_id


class HeadConsidered(Part):
    """An item that the desk weighed for the operator: the terms of its index, or what removed it.

    Holds:   `index` = `slope_per_minute` × `rate_per_hour` / 60, times (1 + the stay bonus) when `stays`: the cost of
             delay that a minute of the operator's work averts each further minute. The largest wins; ties: latest
             start, requested, id.
    Units:   `slack_seconds` is how long it may still wait to be in time, `age_seconds` since it was requested; the
             slope in points per minute of waiting; the rate in items per hour at the operator's learned pace.
    """

    work_item_id: Identity
    work_type: str
    index: float
    slope_per_minute: float
    rate_per_hour: float
    slack_seconds: float
    age_seconds: float
    stays: bool = False
    removed_by: str | None = None  # an `UnplaceableReason`, `declined` or `second_role`; none: it could have been given


class Picked(Part):
    """Who picked the item for the operator, why, and the command that it answers."""

    picked_by: Identity
    reason: str
    command_id: Identity
    fingerprint: str = ""


class WorkAssigned(ItemFact):
    """The desk offers the item to one operator, with a lease."""

    kind: Literal["routing.work-assigned.v1"] = "routing.work-assigned.v1"
    team_id: Identity
    provider_id: Identity
    operator_id: Identity
    business_type: Identity
    step: Step
    attempt: Annotated[int, Field(ge=1)]
    requested_at: Instant
    lease_until: Instant
    why: str
    considered: tuple[HeadConsidered, ...] = ()  # best first, bounded
    picked: Picked | None = None  # none: the desk chose
    boards: BoardsAsOf | None = None  # none: decided before facts told it


class WorkHeldBack(ItemFact):
    """The desk kept somebody free for an urgent step that is about to come, and so did not give them this item.

    Holds:   told once for each operator and urgent item in hand that the step follows, of the item that was best for the
             operator then; worth it, since `spared_seconds` × `awaited_slope_per_minute` > `awaited_seconds` ×
             `slope_per_minute` × `crowd`.
    Units:   seconds; points per minute of delay. `crowd` is how many items wait for each person who is there.
    """

    kind: Literal["routing.work-held-back.v1"] = "routing.work-held-back.v1"
    team_id: Identity
    operator_id: Identity
    awaited_case_id: Identity
    awaited_step: Step
    awaited_after: Identity  # the item in hand that the step follows
    awaited_seconds: float  # until the step comes, as it looks
    spared_seconds: float  # so much later would somebody else be free for it
    awaited_slope_per_minute: float
    slope_per_minute: float
    crowd: float


class AssignmentDeclined(ItemFact):
    """The operator gave the item back; it waits again at the desk for somebody else."""

    kind: Literal["routing.assignment-declined.v1"] = "routing.assignment-declined.v1"
    team_id: Identity
    operator_id: Identity
    attempt: int
    reason: str
    command_id: Identity | None = None  # none: the operator signed off with the item in hand
    fingerprint: str = ""


class AssignmentRevoked(ItemFact):
    """The desk took the item back from an operator who may no longer do it; it waits again for somebody else."""

    kind: Literal["routing.assignment-revoked.v1"] = "routing.assignment-revoked.v1"
    team_id: Identity
    operator_id: Identity
    attempt: int
    reason: UnplaceableReason
    reroute_id: Identity | None = None


class AssignmentExpired(ItemFact):
    """The lease ran out; the item waits again at the desk and a late result of this attempt is refused."""

    kind: Literal["routing.assignment-expired.v1"] = "routing.assignment-expired.v1"
    team_id: Identity
    operator_id: Identity
    attempt: int


class WorkReleased(ItemFact):
    """The desk gives the item back to placement: nobody at this desk may or can do it now."""

    kind: Literal["routing.work-released.v1"] = "routing.work-released.v1"
    team_id: Identity
    placing: int
    attempt: int
    declined_by: tuple[Identity, ...] = ()
    reason: UnplaceableReason
    reroute_id: Identity | None = None  # the order that moved it
    draft: Draft | None = None
    barred: tuple[Identity, ...] = ()  # who is there, could do it, and has another role on the case

    def to_json(self) -> bytes:
        """As any body, byte for byte; what all items that leave at once say alike is written out once."""
        alike = self.at, self.team_id, self.placing, self.attempt, self.declined_by, self.reason, self.reroute_id
        rest = _RELEASED.of((*alike, self.draft, self.barred), self._alike)
        return b'{"work_item_id":%b,"case_id":%b,%b' % (
            orjson.dumps(self.work_item_id),
            orjson.dumps(self.case_id),
            rest,
        )

    def _alike(self) -> bytes:
        """The body behind the ids of item and case."""
        return self.__pydantic_serializer__.to_json(self, exclude={"work_item_id", "case_id"})[1:]


_RELEASED: Final = WrittenOnce[bytes](64)


class WorkUnplaceable(ItemFact):
    """Nobody anywhere may do the item now; it waits at placement, with the reason, and is tried again."""

    kind: Literal["routing.work-unplaceable.v1"] = "routing.work-unplaceable.v1"
    reason: UnplaceableReason
    detail: str
    considered: tuple[Candidate, ...]
    order: WorkOrder
    placings: int = 0  # how often it was placed before
    attempt: int = 0  # attempts already used up at desks
    released_by: Identity | None = None  # the team that gave it back last
    next_try_at: Instant | None = None  # none: only a change of reference data or standing helps
    boards: BoardsAsOf | None = None  # none: decided before facts told it
    draft: Draft | None = None
    barred: tuple[Identity, ...] = ()  # as in `WorkPlaced`


class PlacementDeferred(ItemFact):
    """Placement tried again in vain; nothing changed but the next try."""

    kind: Literal["routing.placement-deferred.v1"] = "routing.placement-deferred.v1"
    tries: int
    next_try_at: Instant


class WorkClosed(ItemFact):
    """Routing forgets the item: its result was settled or it was cancelled."""

    kind: Literal["routing.work-closed.v1"] = "routing.work-closed.v1"
    outcome: Literal["accepted", "refused", "cancelled"]


class WorkCompleted(Message):
    """The one valid result of a work item."""

    topic: ClassVar[Topic] = RESULT
    kind: Literal["routing.work-completed.v1"] = "routing.work-completed.v1"
    work_item_id: Identity
    case_id: Identity
    business_type: Identity
    step: Step
    role: Identity
    round: int
    field: Identity | None
    operator_id: Identity
    team_id: Identity
    provider_id: Identity
    attempt: int
    command_id: Identity
    outcome: Outcome
    requested_at: Instant
    assigned_at: Instant
    completed_at: Instant
    handle_seconds: float
    fingerprint: str = ""  # of the command, as in `DeskFact`
    drafted_by: tuple[Identity, ...] = ()  # whose draft the operator was shown, besides their own

    @property
    def key(self) -> str:
        return self.case_id
