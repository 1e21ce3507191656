"""The named guards of a desk: each says no to one kind of command, as a value. `None` lets it pass."""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

from services.routing import eligibility
from services.routing.desk.state import SIGNED_ON, Answer, DeskItem, TeamDesk
from services.routing.eligibility import Rulebook
from shared.contracts.routing import (
    AcceptAssignment,
    Command,
    CompleteAssignment,
    DeclineAssignment,
    PickWork,
    SaveDraft,
)
from shared.contracts.work import WorkOrder
from shared.outcomes import fault_of
from shared.runtime.processor import Rejection

Assigned = AcceptAssignment | DeclineAssignment | SaveDraft | CompleteAssignment

NOT_ASKED: Final = {"issued_at"}


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
    """The attempt is over, or is somebody else's: a late result must not count. Holds: it is not told who has the item."""
    if item.operator_id == operator_id and item.attempt == attempt:
        return None
    return Rejection(
        "superseded",
        f"Expected the attempt of {item.work_item_id} that counts now, found attempt {attempt} by {operator_id}.",
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
    """The outcome is no answer to what the item asks."""
    fault = fault_of(order, command.outcome)
    return None if fault is None else Rejection("wrong_outcome", fault)


def queue_breach(item: DeskItem | None, command: PickWork) -> Rejection:
    """The picked item does not wait at this desk: it is elsewhere, or somebody has it already."""
    if item is None:
        return Rejection(
            "not_queued", f"Expected {command.work_item_id} in the queue of {command.team_id}, found none."
        )
    return Rejection("not_queued", f"Expected {command.work_item_id} to wait, found it in somebody's hands.")


def pick_breach(order: WorkOrder, command: PickWork, barrier: str) -> Rejection:
    """The hard rules keep the operator from the picked item."""
    return Rejection(
        "not_allowed", f"Expected somebody who may do {order.work_type}, found {command.operator_id} barred: {barrier}."
    )
