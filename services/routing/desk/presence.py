"""Who is at the desk and takes work: sign on, sign off, pause, resume."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from services.routing.desk import guards
from services.routing.desk.dealing import Dealing
from services.routing.desk.state import DeskItem, OperatorPhase, TeamDesk
from shared.contracts.routing import (
    AssignmentDeclined,
    Command,
    CommandNoted,
    DeclineAssignment,
    OperatorPaused,
    OperatorReady,
    OperatorResumed,
    OperatorSignedOff,
    Pause,
    Resume,
    SignOff,
    SignOn,
)
from shared.runtime.processor import Event, Facts, Rejection, Situation

Rule = Callable[[TeamDesk, Any, Situation], Facts | Rejection]


def sign_on(desk: TeamDesk, command: SignOn, situation: Situation) -> Facts:
    """The operator is ready, and gets an item in the same decision if there is one."""
    dealing = Dealing.of(desk, situation)
    dealing.facts.append(
        OperatorReady(
            team_id=desk.team_id,
            at=situation.now,
            operator_id=command.operator_id,
            command_id=command.command_id,
            fingerprint=guards.fingerprint_of(command),
        )
    )
    dealing.deal_to(command.operator_id)
    return dealing.facts


def sign_off(desk: TeamDesk, command: SignOff, situation: Situation) -> Facts:
    """The operator leaves; what is in hand goes back and to whoever waits for it."""
    dealing = Dealing.of(desk, situation)
    dealing.busy.add(command.operator_id)
    item = hand_of(desk, command.operator_id)
    if item is not None:
        dealing.facts.append(given_back(desk, item, command.operator_id, "signed off", situation))
    dealing.facts.append(
        OperatorSignedOff(
            team_id=desk.team_id,
            at=situation.now,
            operator_id=command.operator_id,
            command_id=command.command_id,
            fingerprint=guards.fingerprint_of(command),
        )
    )
    if item is not None:
        dealing.deal_out(item)
    return dealing.facts


def pause(desk: TeamDesk, command: Pause, situation: Situation) -> Facts:
    """The operator gets no more work: at once with empty hands, after it with an item in hand. An offer goes back."""
    dealing = Dealing.of(desk, situation)
    offered = desk.operator(command.operator_id).phase is OperatorPhase.OFFERED
    item = hand_of(desk, command.operator_id)
    if offered and item is not None:
        dealing.facts.append(given_back(desk, item, command.operator_id, "paused", situation))
    dealing.facts.append(
        OperatorPaused(
            team_id=desk.team_id,
            at=situation.now,
            operator_id=command.operator_id,
            reason=command.reason,
            wrapping_up=item is not None and not offered,
            command_id=command.command_id,
            fingerprint=guards.fingerprint_of(command),
        )
    )
    if offered and item is not None:
        dealing.deal_out(item)
    return dealing.facts


def pause_otherwise(desk: TeamDesk, command: Pause, situation: Situation) -> Facts:
    """Paused already, or about to be: another reason is worth a fact, the same one is not."""
    if desk.operator(command.operator_id).pause_reason == command.reason:
        return note(desk, command, situation)
    return pause(desk, command, situation)


def resume(desk: TeamDesk, command: Resume, situation: Situation) -> Facts:
    """The operator takes work again, and gets an item in the same decision if their hands are empty."""
    dealing = Dealing.of(desk, situation)
    dealing.facts.append(
        OperatorResumed(
            team_id=desk.team_id,
            at=situation.now,
            operator_id=command.operator_id,
            command_id=command.command_id,
            fingerprint=guards.fingerprint_of(command),
        )
    )
    dealing.deal_to(command.operator_id)
    return dealing.facts


def absent(desk: TeamDesk, command: Command, situation: Situation) -> Rejection:
    """Only somebody who is signed on can pause, resume or be given a picked item."""
    return Rejection("not_signed_on", f"Expected {command.operator_id} signed on, found nobody there.")


def note(desk: TeamDesk, command: Command, situation: Situation) -> Facts:
    """What the command asks for holds already."""
    return (
        CommandNoted(
            team_id=desk.team_id,
            at=situation.now,
            command_id=command.command_id,
            operator_id=command.operator_id,
            detail="Nothing to change: it is so already.",
            fingerprint=guards.fingerprint_of(command),
        ),
    )


PRESENCE_RULES: Final[Mapping[tuple[OperatorPhase, type[Event]], Rule]] = {
    (OperatorPhase.OFF, SignOn): sign_on,
    (OperatorPhase.AWAY, SignOn): sign_on,
    (OperatorPhase.PAUSED, SignOn): sign_on,
    (OperatorPhase.READY, SignOn): note,
    (OperatorPhase.OFFERED, SignOn): note,
    (OperatorPhase.WORKING, SignOn): note,
    (OperatorPhase.WRAPPING_UP, SignOn): note,
    (OperatorPhase.OFF, SignOff): note,
    (OperatorPhase.AWAY, SignOff): sign_off,
    (OperatorPhase.PAUSED, SignOff): sign_off,
    (OperatorPhase.READY, SignOff): sign_off,
    (OperatorPhase.OFFERED, SignOff): sign_off,
    (OperatorPhase.WORKING, SignOff): sign_off,
    (OperatorPhase.WRAPPING_UP, SignOff): sign_off,
    (OperatorPhase.OFF, Pause): absent,
    (OperatorPhase.AWAY, Pause): absent,
    (OperatorPhase.PAUSED, Pause): pause_otherwise,
    (OperatorPhase.READY, Pause): pause,
    (OperatorPhase.OFFERED, Pause): pause,
    (OperatorPhase.WORKING, Pause): pause,
    (OperatorPhase.WRAPPING_UP, Pause): pause_otherwise,
    (OperatorPhase.OFF, Resume): absent,
    (OperatorPhase.AWAY, Resume): absent,
    (OperatorPhase.PAUSED, Resume): resume,
    (OperatorPhase.READY, Resume): note,
    (OperatorPhase.OFFERED, Resume): note,
    (OperatorPhase.WORKING, Resume): note,
    (OperatorPhase.WRAPPING_UP, Resume): resume,
}


def hand_of(desk: TeamDesk, operator_id: str) -> DeskItem | None:
    """What the operator is offered or has in hand."""
    held = desk.operator(operator_id).work_item_id
    return None if held is None else desk.item(held)


def given_back(
    desk: TeamDesk,
    item: DeskItem,
    operator_id: str,
    reason: str,
    situation: Situation,
    command: DeclineAssignment | None = None,
) -> AssignmentDeclined:
    """The item goes back to the queue; whoever declines by command is not offered it again."""
    return AssignmentDeclined(
        work_item_id=item.work_item_id,
        case_id=item.order.case_id,
        at=situation.now,
        team_id=desk.team_id,
        operator_id=operator_id,
        attempt=item.attempt,
        reason=reason,
        command_id=None if command is None else command.command_id,
        fingerprint="" if command is None else guards.fingerprint_of(command),
    )
