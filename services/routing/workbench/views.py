"""What the workbench answers with. Nothing here names an image, an exclusion or a colleague to an operator."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from services.routing.desk.state import PRESENT, DeskItem, ItemPhase
from services.routing.placement.state import PlacedItem
from services.routing.workbench.answers import Verdict
from services.routing.workbench.decide import Allowed, Seat
from services.routing.workbench.reads import DeskNow
from shared.contracts.message import Identity, Step, Whole
from shared.contracts.routing import PauseReason
from shared.contracts.vendor import Standing
from shared.contracts.work import DRAFT_CHARACTERS_MAX, Draft, Outcome, ShownField


class View(BaseModel):
    """A frozen answer."""

    model_config = ConfigDict(frozen=True)


class CommandView(View):
    """What became of a command.

    Holds:   `pending` means that no answer is known: the desk has not come to the command yet, or it never came. Ask again
             under `/commands/{command_id}` for a minute, then send the same request again: it counts once.
    """

    command_id: str
    state: Literal["taken", "refused", "pending"]
    answer: str | None = Field(default=None, description="the desk's word: ready, taken, declined, completed, …")
    detail: str = ""


class StandingView(View):
    """What the bank allows the operator now, and why."""

    standing: Standing
    whose: Literal["yours", "your provider's"] = Field(description="on whose account, the narrower of the two")
    reason: str = Field(description="why; empty where nobody was judged yet")
    since: datetime | None
    detail: str = Field(description="a sentence for a person who is suspended; else empty")


class SignedOnView(CommandView):
    """What became of a sign-on, and what the operator may expect at the desk."""

    standing: StandingView


class DraftView(View):
    """What was keyed of the item so far: a draft, to be read against the slice. It never names a colleague."""

    value: str
    origin: Literal["you", "colleague"] = Field(description="who keyed last of it")
    revision: int = Field(description="save the next under a larger one")
    saved_at: datetime


class AssignmentView(View):
    """The work item that the operator is offered or has in hand. `attempt` goes back with every command about it."""

    work_item_id: str
    case_id: str
    business_type: str
    step: Step
    field: str | None
    attempt: int
    state: Literal["offered", "in_hand"]
    lease_until: datetime
    has_slice: bool = Field(description="GET /assignment/{work_item_id}/slice shows it once the item is in hand")
    whole_images: tuple[str, ...] = Field(description="hashes to ask for; always empty for an outside operator")
    shown: tuple[ShownField, ...]
    rekey_amount: bool
    urgent: bool
    standard_seconds: float
    due_at: datetime
    keeps_draft: bool = Field(default=False, description="PUT /assignment/{work_item_id}/draft saves what is keyed")
    draft: DraftView | None = Field(default=None, description="once the item is in hand")


class DeskPlace(View):
    """Where at its desk an item is."""

    state: Literal["queued", "offered", "in_hand"]
    since: datetime
    operator_id: str | None
    attempt: int
    lease_until: datetime | None
    declined_by: tuple[str, ...]
    drafted_by: tuple[str, ...] = ()


class ItemView(View):
    """Where a work item is, and why."""

    work_item_id: str
    sentence: str
    phase: Literal["placed", "waiting", "closed"]
    case_id: str | None
    business_type: str | None
    step: Step | None
    role: str | None
    team_id: str | None
    placing: int
    reason: str | None = Field(description="why it waits: what keeps the nearest person from it")
    tries: int
    next_try_at: datetime | None
    outcome: str | None
    requested_at: datetime | None
    due_at: datetime | None
    desk: DeskPlace | None


class QueueView(View):
    """How much of one work type waits at a desk."""

    work_type: str
    queued: int
    standard_seconds: float
    oldest_requested_at: datetime


class OperatorView(View):
    """One operator at a desk."""

    operator_id: str
    phase: str
    since: datetime
    work_item_id: str | None
    lease_until: datetime | None
    pause_reason: str | None = None


class TeamView(View):
    """A team's desk now."""

    team_id: str
    present: int
    offered: int
    in_hand: int
    queues: tuple[QueueView, ...]
    operators: tuple[OperatorView, ...]


class Body(View):
    """What an operator or a team leader sends."""

    @model_validator(mode="before")
    @classmethod
    def _text_that_can_be_kept(cls, given: Any) -> Any:
        """Errors: `ValueError` for a NUL anywhere: no text of the database has room for one."""
        if _with_nul(given):
            raise ValueError("Expected text without the character U+0000; leave it out")
        return given


def _with_nul(given: Any) -> bool:
    match given:
        case str():
            return "\0" in given
        case dict():
            return any(_with_nul(part) for pair in given.items() for part in pair)
        case list() | tuple():
            return any(_with_nul(part) for part in given)
        case _:
            return False


class AttemptBody(Body):
    """Which attempt of the item the command is about."""

    attempt: Whole = Field(ge=1)


class PauseBody(Body):
    """Why the operator takes no more work for a while."""

    reason: PauseReason


class PickBody(Body):
    """Why this item, whatever the desk would have chosen."""

    work_item_id: Identity
    reason: str = Field(min_length=1, max_length=200)


class PickForBody(PickBody):
    """Who is to do the picked item."""

    operator_id: Identity


class DeclineBody(AttemptBody):
    """Why the operator gives the item back."""

    reason: str = Field(min_length=1, max_length=200)


class DraftBody(AttemptBody):
    """What the operator has keyed so far, whole each time."""

    revision: Whole = Field(ge=1, description="counts what is saved in this attempt; the largest is kept")
    value: str = Field(max_length=DRAFT_CHARACTERS_MAX)


class CompleteBody(AttemptBody):
    """The result. Holds: a member of the outcome that its form does not have is refused: left out, it would say the opposite."""

    outcome: Outcome
    handle_seconds: float = Field(ge=0, le=86_400)

    @field_validator("outcome", mode="before")
    @classmethod
    def _as_its_form_has_it(cls, given: Any) -> Any:
        members = MEMBERS_BY_FORM.get(str(given.get("form"))) if isinstance(given, dict) else None
        if members is not None and (unknown := sorted(given.keys() - members)):
            raise ValueError(f"Expected of {', '.join(sorted(members))}, found {', '.join(map(str, unknown))}")
        return given


MEMBERS_BY_FORM: Final[Mapping[str, Collection[str]]] = {
    form.model_fields["form"].default: form.model_fields.keys() for form in get_args(get_args(Outcome)[0])
}


NOT_ANSWERED: Final = (
    "Expected the desk's answer, found none: it has not come to this command yet, or the command never came. Ask again for a "
    "minute, then send the same request again: it counts once."
)


def command_view(command_id: str, verdict: Verdict | None) -> CommandView:
    """The command's state in words."""
    if verdict is None:
        return CommandView(command_id=command_id, state="pending", detail=NOT_ANSWERED)
    state: Literal["taken", "refused"] = "refused" if verdict.refused else "taken"
    return CommandView(command_id=command_id, state=state, answer=verdict.answer, detail=verdict.detail)


DECIDES: Final = {
    True: "the vendor manager decides, your team leader asks there",
    False: "the bank decides, in its register of people; your team leader asks for it",
}
"""Who ends a suspension, by whether the operator is an outside provider's."""


def standing_view(allowed: Allowed, outside: bool) -> StandingView:
    """The standing in words: who is suspended is told that no work comes, why, and who decides."""
    reason = "" if allowed.published is None else allowed.published.reason
    why = reason or "as the reference data has it"
    whose = {"yours": "your own", "your provider's": "your provider's"}[allowed.whose]
    told = f"No work comes to you: {whose} standing is suspended ({why}); {DECIDES[outside]}."
    return StandingView(
        standing=allowed.standing,
        whose=allowed.whose,
        reason=reason,
        since=None if allowed.published is None else allowed.published.since,
        detail=told if allowed.standing == "suspended" else "",
    )


def assignment_view(item: DeskItem, sitting: Seat, draft: Draft | None = None) -> AssignmentView:
    """What this operator may know of the item; whole images are named to the bank's own people only."""
    order = item.order
    if item.lease_until is None:
        raise ValueError(f"Expected a lease on the assigned item {item.work_item_id}, found none")
    return AssignmentView(
        work_item_id=order.work_item_id,
        case_id=order.case_id,
        business_type=order.business_type,
        step=order.step,
        field=order.field,
        attempt=item.attempt,
        state="in_hand" if item.phase is ItemPhase.IN_HAND else "offered",
        lease_until=item.lease_until,
        has_slice=order.slice is not None,
        whole_images=() if sitting.outside else order.whole_images,
        shown=order.shown,
        rekey_amount=order.rekey_amount,
        urgent=order.urgent,
        standard_seconds=order.standard_seconds,
        due_at=order.due_at,
        keeps_draft=order.keeps_draft,
        draft=None if draft is None else _draft_view(draft, item, sitting),
    )


def _draft_view(draft: Draft, item: DeskItem, sitting: Seat) -> DraftView:
    return DraftView(
        value=draft.value,
        origin="you" if draft.authors[-1] == sitting.operator_id else "colleague",
        revision=draft.revision if draft.attempt == item.attempt else 0,
        saved_at=draft.saved_at,
    )


def item_view(placed: PlacedItem, at_desk: DeskItem | None) -> ItemView:
    """Where the item is, from placement's row and the desk's."""
    order = placed.order
    return ItemView(
        work_item_id=placed.work_item_id,
        sentence=_sentence(placed, at_desk),
        phase=placed.phase.value,
        case_id=order and order.case_id,
        business_type=order and order.business_type,
        step=order and order.step,
        role=order and order.role,
        team_id=placed.team_id,
        placing=placed.placing,
        reason=placed.reason,
        tries=placed.tries,
        next_try_at=placed.next_try_at,
        outcome=placed.outcome,
        requested_at=order and order.requested_at,
        due_at=order and order.due_at,
        desk=_desk_place(at_desk),
    )


def _desk_place(item: DeskItem | None) -> DeskPlace | None:
    if item is None:
        return None
    return DeskPlace(
        state=item.phase.value,
        since=item.since,
        operator_id=item.operator_id,
        attempt=item.attempt,
        lease_until=item.lease_until,
        declined_by=item.declined_by,
        drafted_by=() if item.draft is None else item.draft.authors,
    )


def _sentence(placed: PlacedItem, at_desk: DeskItem | None) -> str:
    if placed.outcome is not None:
        return f"Closed: its result was {placed.outcome}." if placed.outcome != "cancelled" else "Closed: cancelled."
    if placed.reason is not None:
        return f"Waits at placement, nobody may do it now: {placed.reason}; tried {placed.tries} times."
    if placed.team_id is None:
        return "Called back from its desk."
    if at_desk is None:
        return f"Placed at {placed.team_id}; its desk has not taken it in yet, or is done with it."
    if at_desk.phase is ItemPhase.QUEUED:
        return f"Waits in the queue of {placed.team_id} since {at_desk.since.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC."
    word = "In the hands of" if at_desk.phase is ItemPhase.IN_HAND else "Offered to"
    return f"{word} {at_desk.operator_id} of {placed.team_id}, attempt {at_desk.attempt}."


def team_view(team_id: str, desk: DeskNow) -> TeamView:
    """The desk's queues by work type and its operators, in the order of their names."""
    waiting: dict[str, list[DeskItem]] = {}
    for item in desk.items.values():
        if item.phase is ItemPhase.QUEUED:
            waiting.setdefault(item.order.work_type, []).append(item)
    phases = [item.phase for item in desk.items.values()]
    return TeamView(
        team_id=team_id,
        present=sum(operator.phase in PRESENT for operator in desk.operators.values()),
        offered=phases.count(ItemPhase.OFFERED),
        in_hand=phases.count(ItemPhase.IN_HAND),
        queues=tuple(_queue_view(work_type, items) for work_type, items in sorted(waiting.items())),
        operators=tuple(
            OperatorView(
                operator_id=operator.operator_id,
                phase=operator.phase.value,
                since=operator.since,
                work_item_id=operator.work_item_id,
                lease_until=operator.lease_until,
                pause_reason=operator.pause_reason,
            )
            for _, operator in sorted(desk.operators.items())
        ),
    )


def _queue_view(work_type: str, items: Sequence[DeskItem]) -> QueueView:
    return QueueView(
        work_type=work_type,
        queued=len(items),
        standard_seconds=sum(item.order.standard_seconds for item in items),
        oldest_requested_at=min(item.order.requested_at for item in items),
    )
