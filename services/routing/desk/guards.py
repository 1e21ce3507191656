"""The named guards of a desk: each says no to one kind of command, as a value. `None` lets it pass."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Final

from services.routing import eligibility
from services.routing.desk.state import SIGNED_ON, Answer, DeskItem, TeamDesk
from services.routing.eligibility import Rulebook
from shared.contracts.message import Step
from shared.contracts.routing import (
    AcceptAssignment,
    Command,
    CompleteAssignment,
    DeclineAssignment,
    PickWork,
    SaveDraft,
)
from shared.contracts.work import WorkOrder
from shared.runtime.processor import Rejection

Assigned = AcceptAssignment | DeclineAssignment | SaveDraft | CompleteAssignment

NOT_ASKED: Final = {"issued_at"}
FORM_BY_STEP: Final[Mapping[Step, str]] = {
    "entry": "keyed",
    "arbitration": "ruling",
    "review": "review",
    "authorisation": "authorisation",
    "inspection": "inspection",
}


def fingerprint_of(command: Command) -> str:
    """A hash of what the command asks for. When it was issued does not count: a client that asks again may say anew."""
    body = command.__pydantic_serializer__.to_json(command, exclude=NOT_ASKED)
    return blake2b(body, digest_size=8).hexdigest()


def command_breach(answer: Answer, command: Command) -> Rejection | None:
    """The id was used before for something else."""
    if answer.fingerprint == fingerprint_of(command):
        return None
    return Rejection("conflict", f"Expected command {command.command_id} as it was first sent, found other content.")


def membership_breach(command: Command, book: Rulebook) -> Rejection | None:
    """The operator is not of this team, or of none."""
    if book.member(command.team_id, command.operator_id) is not None:
        return None
    return Rejection("unknown_operator", f"Expected a member of team {command.team_id}, found {command.operator_id}.")


def claimed(desk: TeamDesk, command: Assigned) -> DeskItem | Rejection:
    """The item that the command speaks of, if this attempt of this operator still holds."""
    item = desk.items.get(command.work_item_id)
    if item is not None:
        return attempt_breach(item, command.operator_id, command.attempt) or item
    if desk.finished(command.work_item_id):
        return Rejection("superseded", f"Expected {command.work_item_id} to be open, found that it has its result.")
    if desk.operator(command.operator_id).phase not in SIGNED_ON:
        return Rejection("not_signed_on", f"Expected {command.operator_id} signed on, found nobody there.")
    return Rejection("not_assigned", f"Expected {command.work_item_id} at desk {desk.team_id}, found it gone.")


def attempt_breach(item: DeskItem, operator_id: str, attempt: int) -> Rejection | None:
    """The attempt is over, or is somebody else's: a late result must not count."""
    if item.operator_id == operator_id and item.attempt == attempt:
        return None
    return Rejection(
        "superseded",
        f"Expected attempt {item.attempt} of {item.work_item_id} by {item.operator_id or 'nobody'}, "
        f"found attempt {attempt} by {operator_id}.",
    )


def allowance_breach(order: WorkOrder, operator_id: str, team_id: str, book: Rulebook) -> Rejection | None:
    """The operator may no longer do the work: asked again when the result comes."""
    reason = eligibility.hindrance(order, operator_id, team_id, book)
    if reason is None:
        return None
    return Rejection(
        "not_allowed", f"Expected somebody who may do {order.work_type}, found {operator_id} barred: {reason}."
    )


def outcome_breach(order: WorkOrder, command: CompleteAssignment) -> Rejection | None:
    """The outcome's form does not fit the step."""
    expected = FORM_BY_STEP[order.step]
    if command.outcome.form == expected:
        return None
    return Rejection("wrong_outcome", f"Expected an outcome of form {expected!r}, found {command.outcome.form!r}.")


def queue_breach(item: DeskItem | None, command: PickWork) -> Rejection:
    """The picked item does not wait at this desk: it is elsewhere, or somebody has it already."""
    if item is None:
        return Rejection(
            "not_queued", f"Expected {command.work_item_id} in the queue of {command.team_id}, found none."
        )
    return Rejection("not_queued", f"Expected {command.work_item_id} to wait, found it with {item.operator_id}.")


def pick_breach(order: WorkOrder, command: PickWork, barrier: str) -> Rejection:
    """The hard rules keep the operator from the picked item."""
    return Rejection(
        "not_allowed", f"Expected somebody who may do {order.work_type}, found {command.operator_id} barred: {barrier}."
    )
