"""What routing publishes about reroutes, and the commands that people publish for them."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from shared.contracts.message import Identity, Instant, Message, Part, Sha256, Topic

REROUTE: Final = Topic("routing.reroute.v1", "routing", "reroute id", retention_ms=None, compacted=True)
REROUTE_LIFE: Final = Topic(
    "routing.reroute-life.v1", "routing", "reroute id; `floor` for what concerns them all", retention_ms=None
)
REROUTE_COMMAND: Final = Topic("routing.reroute-command.v1", "routing's HTTP faces", "always `floor`", lanes=False)

Effect = Literal["drain", "evacuate", "recall", "shift", "local"]
ReroutePhase = Literal["proposed", "approved", "active", "returning", "ended", "cancelled", "expired", "refused"]
RerouteSource = Literal["person", "alert", "calendar"]
LimitKind = Literal["provider_minimum", "provider_maximum", "centre_maximum"]
DrillResult = Literal["passed", "failed", "unmeasured", "refused", "not_held"]
Words = Annotated[str, Field(min_length=1, max_length=500)]
Names = Annotated[tuple[Identity, ...], Field(max_length=50)]

RETURN_HELD: Final = (75, 50, 25)  # percent held in each step of the return
HOURS_MAX: Final = 72
BREAK_GLASS_MINUTES_MAX: Final = 30
MINUTES_MAX: Final = HOURS_MAX * 60
DRILL_MINUTES_MIN: Final = 10  # less shows nothing, and a passed drill is a proof for weeks
DRILL_MINUTES_MAX: Final = 240  # as in the calendar: practice is no way to hold a place for long


class RerouteScope(Part):
    """Where and what a reroute touches: the intersection of all that is named; what is not named is not narrowed.

    Holds:   centres, teams and providers say where; the rest says which work.
    """

    centres: Names = ()
    teams: Names = ()
    providers: Names = ()
    work_types: Names = ()
    business_types: Names = ()
    regions: Names = ()
    data_classes: Names = ()


class RerouteTerms(Part):
    """What a reroute would do, where, for how long and why.

    Units:   `percent` of the items, for a shift alone; `minutes` in force before the work comes back.
    """

    effect: Effect
    scope: RerouteScope
    percent: Annotated[int, Field(ge=1, le=100)] = 100
    minutes: Annotated[int, Field(ge=1, le=MINUTES_MAX)]
    starts_at: Instant | None = None  # none: as soon as it is approved
    drill: bool = False
    reason: Words


class BrokenRule(Part):
    """A safety rule that the reroute would break, in a sentence; `overridable` by naming it."""

    rule_id: Identity
    detail: str
    overridable: bool


class TakerForecast(Part):
    """A team that could take the work, and how many there are present for it."""

    team_id: Identity
    people: int


class SortForecast(Part):
    """A sort of a work type for which nobody would be left, though others of the type have somebody.

    Units:   `items` of it wait with nobody, as far as the proportions of the type tell: queues are known by type alone;
             `None`: they do not tell, as of a grade that large amounts ask for. `part` of the sort (0 to 1) has nobody:
             less than 1 where all who could do it keep a share of it.
    """

    sort: str  # in words
    in_house_only: bool
    data_class: Identity
    grade_min: Annotated[int, Field(ge=0)] = 0
    items: Annotated[int, Field(ge=0)] | None = None
    part: Annotated[float, Field(ge=0, le=1)] = 1.0


class SkillForecast(Part):
    """What becomes of one work type; of one whose scope narrows by data class or region, of what the scope means of it.

    Units:   seconds that the last of the queue waits, with and without the reroute; `None`: for ever, nobody is there for
             some sort of it.
    """

    work_type: str
    moves: int
    queued: int
    people_without: int
    people_with: int
    takers: tuple[TakerForecast, ...] = ()
    wait_seconds_without: float | None
    wait_seconds_with: float | None
    misses_without: int
    misses_with: int
    dead_end: bool  # nobody eligible would be left, for no sort of it
    dead_sorts: tuple[SortForecast, ...] = ()


class LimitForecast(Part):
    """What becomes of a contract's share, or of a limit on what one site carries, over the reroute's time.

    Units:   0 to 1, of all items that wait now or come until it ends; `None`: nothing waits and no plan says what comes.
    Holds:   `broken` tells of the share with the reroute, `broken_without` of that without it; `avoidable`: some sharing
             of the work among those who are left would keep it.
    """

    limit: LimitKind
    name: Identity
    bound: float
    share_without: float | None
    share_with: float | None
    broken_without: bool = False
    broken: bool = False
    avoidable: bool = True
    words: str


class Preview(Part):
    """What the reroute would do to the floor as it is now.

    Units:   `submissions_back` is how many submissions go back to their branches until a `local` order ends, as the plan
             expects them; `None`: it is no such order, or no plan says what comes.
    Holds:   `sha256` is the hash of everything else but `taken_at`: what an approver agrees to. `dead_ends` are work types
             for which nobody would be left, and sorts of others, in words.
    """

    taken_at: Instant
    sha256: str
    items_moving: int
    in_hand_moving: int
    skills: tuple[SkillForecast, ...]
    dead_ends: tuple[str, ...]
    broken_rules: tuple[BrokenRule, ...]
    also_in_force: tuple[Identity, ...]
    method: str = "fluid"
    limits: tuple[LimitForecast, ...] = ()  # every one that the reference data name, broken or not
    submissions_back: Annotated[int, Field(ge=0)] | None = None


class TeamTally(Part):
    """What a desk has counted since it began, as its load tells."""

    team_id: Identity
    accepted: int
    expired: int
    completed: int
    late: int
    declined: int = 0


class DrillOutcome(Part):
    """What came of a drill.

    Units:   items that the whole floor completed, and of them those too late for their case, from its start until all
             work was back; `baseline_…` the same of ordinary hours; `return_seconds` from the first step back on.
    Holds:   `passed` alone proves the scope; `unmeasured`: too little was completed, nothing is known to compare with, or
             another order held some of the same place meanwhile; `refused`: the rest could not have carried it;
             `not_held`: it never came into force.
    """

    outcome: DrillResult
    detail: str
    completed: int = 0
    late: int = 0
    baseline: Literal["same_hour_of_week", "same_hour_of_day", "any_hour", "none"] = "none"
    baseline_completed: int = 0
    baseline_late: int = 0
    return_seconds: float | None = None
    fell_back: int = 0


class RerouteOrder(Message):
    """One reroute as it stands. Desks and placements obey it from here, with no service to ask.

    Holds:   obeyed while `phase` is active or returning and until it is over: from `ends_at` on the work comes back, and
             of the items `return_held` percent are still held in each step of `return_step_seconds`, then none.
    """

    topic: ClassVar[Topic] = REROUTE
    kind: Literal["routing.reroute-order.v1"] = "routing.reroute-order.v1"
    reroute_id: Identity
    version: Annotated[int, Field(ge=1)]
    phase: ReroutePhase
    terms: RerouteTerms
    source: RerouteSource = "person"
    proposed_by: Identity
    proposed_at: Instant
    approve_by: Instant
    preview: Preview
    overridden_rules: tuple[Identity, ...] = ()
    approved_by: Identity | None = None
    approved_at: Instant | None = None
    approved_beforehand: bool = False  # by signing the drill calendar: there was no preview to look at
    execute_by: Instant | None = None
    break_glass: bool = False
    review: Literal["none", "open", "closed"] = "none"
    review_words: str = ""
    started_at: Instant | None = None
    ends_at: Instant | None = None
    last_end_at: Instant | None = None  # no extension and no fall-back goes beyond
    return_held: tuple[Annotated[int, Field(ge=0, le=100)], ...] = RETURN_HELD
    return_step_seconds: Annotated[float, Field(gt=0)] = 60.0
    return_steps_done: int = 0
    fell_back: int = 0
    not_well: int = 0  # steps of its return that were not well and went on all the same
    tallies: tuple[TeamTally, ...] = ()  # of the scope's desks when the present step of the return began
    return_tallies: tuple[TeamTally, ...] = ()  # of the same when the first step of its return began
    over_at: Instant | None = None
    over_because: str = ""
    drill_entry: Identity | None = None  # of the calendar; none: a person asked for it
    drill_tallies: tuple[TeamTally, ...] = ()  # of every desk when the drill came into force
    staffed_teams: tuple[Identity, ...] | None = (
        None  # of the scope when it came into force; none: nobody noted it then
    )
    return_began_at: Instant | None = None
    drill_outcome: DrillOutcome | None = None

    @property
    def key(self) -> str:
        return self.reroute_id


# ------------------------------------------------------------------- commands


class RerouteCommand(Message):
    """What a person asks for. `command_id` is chosen by the sender: the same id again is the same command.

    Holds:   every reroute is decided in one place, in one order, so that two approvals never pass each other unseen.
    """

    topic: ClassVar[Topic] = REROUTE_COMMAND
    command_id: Identity
    reroute_id: Identity
    actor: Identity
    reason: Words
    issued_at: Instant

    @property
    def key(self) -> str:
        return "floor"


class ProposeReroute(RerouteCommand):
    """Propose a reroute; with `break_glass` it starts at once, by one person, and must be answered for."""

    kind: Literal["routing.propose-reroute.v1"] = "routing.propose-reroute.v1"
    terms: RerouteTerms
    source: RerouteSource = "person"
    break_glass: bool = False
    override_rules: Names = ()


class ApproveReroute(RerouteCommand):
    """Agree to the reroute with the preview of this hash; rules that it breaks are overridden by name."""

    kind: Literal["routing.approve-reroute.v1"] = "routing.approve-reroute.v1"
    preview_sha256: Sha256
    override_rules: Names = ()


class RefuseReroute(RerouteCommand):
    """An approver says no."""

    kind: Literal["routing.refuse-reroute.v1"] = "routing.refuse-reroute.v1"


class CancelReroute(RerouteCommand):
    """Stop the reroute where it stands: what is in force ends at once, without a ramp."""

    kind: Literal["routing.cancel-reroute.v1"] = "routing.cancel-reroute.v1"


class ExtendReroute(RerouteCommand):
    """Keep the reroute in force for so many minutes more."""

    kind: Literal["routing.extend-reroute.v1"] = "routing.extend-reroute.v1"
    minutes: Annotated[int, Field(ge=1, le=MINUTES_MAX)]
    override_rules: Names = ()  # that it breaks by staying, besides those overridden at its start


class EndReroute(RerouteCommand):
    """Let the work come back from now on, step by step."""

    kind: Literal["routing.end-reroute.v1"] = "routing.end-reroute.v1"


class CloseReview(RerouteCommand):
    """Answer for a broken glass, in words (`reason`); never by who broke it."""

    kind: Literal["routing.close-review.v1"] = "routing.close-review.v1"


class HeedCalendar(Message):
    """Look at the drill calendar now. Routing's processes say so when they begin, so that a book that nobody has ever
    commanded holds its drills, too; said again it changes nothing."""

    topic: ClassVar[Topic] = REROUTE_COMMAND
    kind: Literal["routing.heed-calendar.v1"] = "routing.heed-calendar.v1"
    issued_at: Instant

    @property
    def key(self) -> str:
        return "floor"


# ----------------------------------------------------------------------- life


class RerouteFact(Message):
    """Something that happened to a reroute."""

    topic: ClassVar[Topic] = REROUTE_LIFE
    reroute_id: Identity
    at: Instant

    @property
    def key(self) -> str:
        return self.reroute_id


class RerouteProposed(RerouteFact):
    """Somebody proposed a reroute; here is what it would do."""

    kind: Literal["routing.reroute-proposed.v1"] = "routing.reroute-proposed.v1"
    by: Identity
    source: RerouteSource
    terms: RerouteTerms
    preview: Preview
    approve_by: Instant
    return_step_seconds: float
    break_glass: bool = False
    overridden_rules: tuple[Identity, ...] = ()
    drill_entry: Identity | None = None


class RerouteApproved(RerouteFact):
    """A second person agreed to the preview; `beforehand`: to the drill within its bounds, by signing the calendar."""

    kind: Literal["routing.reroute-approved.v1"] = "routing.reroute-approved.v1"
    by: Identity
    reason: str
    preview_sha256: Sha256
    overridden_rules: tuple[Identity, ...]
    execute_by: Instant
    beforehand: bool = False


class RerouteStarted(RerouteFact):
    """The reroute is in force.

    Holds:   `overlaps` are sentences, one for each other order that was in force over some of the same work at the same
             teams: which of the two applies there. `staffed_teams` are those of the scope where somebody was present.
    """

    kind: Literal["routing.reroute-started.v1"] = "routing.reroute-started.v1"
    ends_at: Instant
    last_end_at: Instant
    review_opened: bool = False
    drill_tallies: tuple[TeamTally, ...] = ()
    overlaps: tuple[str, ...] = ()
    staffed_teams: tuple[Identity, ...] | None = None


class RerouteDrifted(RerouteFact):
    """The floor is no longer as approved: the reroute did not start and asks again, with a new preview."""

    kind: Literal["routing.reroute-drifted.v1"] = "routing.reroute-drifted.v1"
    detail: str
    preview: Preview
    approve_by: Instant


class RerouteExtended(RerouteFact):
    """The reroute stays in force for longer."""

    kind: Literal["routing.reroute-extended.v1"] = "routing.reroute-extended.v1"
    by: Identity
    reason: str
    ends_at: Instant
    overridden_rules: tuple[Identity, ...] = ()  # besides those overridden at its start


class RerouteReturning(RerouteFact):
    """The work comes back: so many steps of the return are taken."""

    kind: Literal["routing.reroute-returning.v1"] = "routing.reroute-returning.v1"
    by: Identity | None = None  # none: its time had come
    reason: str
    ends_at: Instant
    steps_done: int
    held_percent: int
    tallies: tuple[TeamTally, ...]
    return_tallies: tuple[TeamTally, ...] = ()  # of the same when the first step began
    not_well: bool = False  # the step before was not, and its work is not taken again: `reason` says why


class RerouteFellBack(RerouteFact):
    """The scope was not well as work came back: the reroute is in force again, for a while."""

    kind: Literal["routing.reroute-fell-back.v1"] = "routing.reroute-fell-back.v1"
    detail: str
    ends_at: Instant


class RerouteSentBack(RerouteFact):
    """A submission went back to its branch by the reroute, at the instant of its receipt. Told once for each."""

    kind: Literal["routing.reroute-sent-back.v1"] = "routing.reroute-sent-back.v1"
    submission_id: Identity
    branch_id: Identity


class RerouteOver(RerouteFact):
    """The reroute has come to its end, one way or another."""

    kind: Literal["routing.reroute-over.v1"] = "routing.reroute-over.v1"
    by: Identity | None = None  # none: time decided
    outcome: Literal["ended", "cancelled", "expired", "refused"]
    detail: str
    not_well: bool = False  # the last step of its return was not


class ReviewClosed(RerouteFact):
    """Somebody else answered for the broken glass, in words."""

    kind: Literal["routing.reroute-review-closed.v1"] = "routing.reroute-review-closed.v1"
    by: Identity
    words: str


class DrillJudged(RerouteFact):
    """A drill is over; here is what came of it."""

    kind: Literal["routing.drill-judged.v1"] = "routing.drill-judged.v1"
    outcome: DrillOutcome


class DrillDue(Part):
    """When the calendar holds a drill next: on-call hears of it at `propose_at`."""

    entry_id: Identity
    propose_at: Instant
    starts_at: Instant


class DrillsPlanned(Message):
    """The next drill of each entry of the calendar, by entry."""

    topic: ClassVar[Topic] = REROUTE_LIFE
    kind: Literal["routing.drills-planned.v1"] = "routing.drills-planned.v1"
    at: Instant
    due: tuple[DrillDue, ...]

    @property
    def key(self) -> str:
        return "floor"


class HourTallied(Message):
    """An hour of the floor has gone by: what its desks completed in it, so that drills have something to compare with.

    Units:   `completed` and `late` items since the last such fact.
    Holds:   `hour_of_week` counts from Monday 0:00, local; none: it was no ordinary whole hour, since a reroute was in
             force in it or nobody counted for a while.
    """

    topic: ClassVar[Topic] = REROUTE_LIFE
    kind: Literal["routing.hour-tallied.v1"] = "routing.hour-tallied.v1"
    at: Instant
    hour_of_week: Annotated[int, Field(ge=0, lt=168)] | None = None
    completed: int = 0
    late: int = 0
    tallies: tuple[TeamTally, ...]

    @property
    def key(self) -> str:
        return "floor"


class RerouteAnswered(RerouteFact):
    """What became of one command.

    Holds:   `code` is `done`, `noted` (it was so already) or a reason for refusal; `fingerprint` is a hash of what was
             asked for, so that the same id with another content is seen as a conflict.
    """

    kind: Literal["routing.reroute-answered.v1"] = "routing.reroute-answered.v1"
    command_id: Identity
    actor: Identity
    fingerprint: str
    code: Literal[
        "done",
        "noted",
        "conflict",
        "unknown_reroute",
        "wrong_phase",
        "not_authorised",
        "own_proposal",
        "preview_changed",
        "rules_broken",
        "rule_not_overridable",
        "rule_unknown",
        "scope_empty",
        "scope_unknown",
        "scope_not_local",
        "same_scope_in_force",
        "start_past",
        "start_too_far",
        "text_not_plain",
        "percent_not_taken",
        "glass_open",
        "too_long",
        "drill_breaks_rule",
        "drill_minutes",
        "nothing_to_review",
        "too_many_open",
    ]
    detail: str
