"""The desk's decisions: every phase of an item or operator and every event that may meet it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final, cast

from services.routing.desk import drafting, guards, picking, presence, watch
from services.routing.desk.dealing import Dealing
from services.routing.desk.obey import Obedience
from services.routing.desk.state import DeskItem, ItemPhase, OperatorPhase, TeamDesk
from services.routing.eligibility import Rulebook
from services.routing.orders import StandingOrders
from shared.contracts.message import Message
from shared.contracts.routing import (
    AcceptAssignment,
    AssignmentTaken,
    Command,
    CommandRefused,
    CompleteAssignment,
    DeclineAssignment,
    WorkCompleted,
    WorkPlaced,
    WorkQueued,
    WorkRecalled,
    WorkWithdrawn,
)
from shared.contracts.telling import teller
from shared.runtime.errors import InvariantError
from shared.runtime.processor import Event, Facts, Rejection, Situation, TimerFired

work_queued: Final = teller(WorkQueued)
assignment_taken: Final = teller(AssignmentTaken)
work_completed: Final = teller(WorkCompleted)

Rule = Callable[[TeamDesk, Any, Situation], Facts | Rejection]

# ------------------------------------------------------------------- placements


def take_in(desk: TeamDesk, event: WorkPlaced, situation: Situation) -> Facts:
    """Queue the item, and deal it out at once if somebody waits for it. What is finished here never comes back.

    Holds:   what was given back comes again by a later placing only: an old one may be sent again by hand.
             Placement may not have heard of a reroute yet; what one holds away from here goes back at once.
    """
    order = event.order
    if desk.finished(order.work_item_id) or desk.gave_back(order.work_item_id, event.placing):
        return ()
    queued = work_queued(
        team_id=desk.team_id,
        at=situation.now,
        placing=event.placing,
        attempt=event.attempt,
        order=order,
        draft=event.draft,
    )
    orders = StandingOrders.of(situation.boards, situation.now)
    reroute = orders.against(order, desk.team_id)
    if reroute is None and not desk.ready:
        return (queued,)
    dealing = Dealing.of(desk, situation)
    dealing.facts.append(queued)
    item = DeskItem(order, event.placing, event.attempt, situation.now, draft=event.draft)
    if reroute is None:
        dealing.deal_out(item)
    else:
        dealing.facts += Obedience(desk, orders, situation.now, dealing.given).send_on(item, reroute)
    return dealing.facts


def placed_again(desk: TeamDesk, event: WorkPlaced, situation: Situation) -> Facts:
    """The item is here already.

    Errors:  `InvariantError` for a later placing: placement places again only what this desk has given back.
    """
    held = desk.item(event.order.work_item_id)
    if event.placing > held.placing:
        raise InvariantError(
            f"Expected placing {held.placing} of {held.work_item_id} to be given back before placing {event.placing}"
        )
    return ()


def withdraw(desk: TeamDesk, event: WorkRecalled, situation: Situation) -> Facts:
    """Take the item out, in hand or not; whoever had it gets the next."""
    item = desk.item(event.work_item_id)
    if event.placing < item.placing:
        return ()
    dealing = Dealing.of(desk, situation)
    dealing.given.add(item.work_item_id)
    dealing.facts.append(
        WorkWithdrawn(
            team_id=desk.team_id, at=situation.now, work_item_id=item.work_item_id, operator_id=item.operator_id
        )
    )
    if item.operator_id is not None:
        dealing.deal_to(item.operator_id)
    return dealing.facts


def not_here(desk: TeamDesk, event: WorkRecalled, situation: Situation) -> Facts:
    """The item has left already."""
    return ()


ITEM_RULES: Final[Mapping[tuple[ItemPhase, type[Event]], Rule]] = {
    (ItemPhase.ABSENT, WorkPlaced): take_in,
    (ItemPhase.QUEUED, WorkPlaced): placed_again,
    (ItemPhase.OFFERED, WorkPlaced): placed_again,
    (ItemPhase.IN_HAND, WorkPlaced): placed_again,
    (ItemPhase.ABSENT, WorkRecalled): not_here,
    (ItemPhase.QUEUED, WorkRecalled): withdraw,
    (ItemPhase.OFFERED, WorkRecalled): withdraw,
    (ItemPhase.IN_HAND, WorkRecalled): withdraw,
}

# --------------------------------------------------------------------- commands


def accept(desk: TeamDesk, command: AcceptAssignment, situation: Situation) -> Facts | Rejection:
    """The offer becomes work in hand, under the longer lease."""
    item = guards.claimed(desk, command)
    if isinstance(item, Rejection):
        return item
    limits = Rulebook.of(situation.boards).reference.limits
    lease = max(limits.work_lease_seconds_min, limits.work_lease_factor * item.order.standard_seconds)
    return (
        assignment_taken(
            team_id=desk.team_id,
            at=situation.now,
            operator_id=command.operator_id,
            work_item_id=item.work_item_id,
            attempt=item.attempt,
            command_id=command.command_id,
            lease_until=situation.now + timedelta(seconds=lease),
            fingerprint=guards.fingerprint_of(command),
        ),
    )


def accept_again(desk: TeamDesk, command: AcceptAssignment, situation: Situation) -> Facts | Rejection:
    """The item is in hand already, or it is another one."""
    item = guards.claimed(desk, command)
    return item if isinstance(item, Rejection) else presence.note(desk, command, situation)


def decline(desk: TeamDesk, command: DeclineAssignment, situation: Situation) -> Facts | Rejection:
    """The item goes to somebody else, never to this operator again here; the operator gets the next."""
    item = guards.claimed(desk, command)
    if isinstance(item, Rejection):
        return item
    dealing = Dealing.of(desk, situation)
    dealing.facts.append(presence.given_back(desk, item, command.operator_id, command.reason, situation, command))
    dealing.deal_out(item)
    dealing.given.add(item.work_item_id)
    dealing.deal_to(command.operator_id)
    return dealing.facts


def complete(desk: TeamDesk, command: CompleteAssignment, situation: Situation) -> Facts | Rejection:
    """The result counts, once; the operator gets the next item in the same decision."""
    item = guards.claimed(desk, command)
    if isinstance(item, Rejection):
        return item
    dealing = Dealing.of(desk, situation)
    barred = guards.allowance_breach(item.order, command.operator_id, desk.team_id, dealing.book)
    if barred is not None:
        return _disallow(dealing, item, command, barred)
    misfit = guards.outcome_breach(item.order, command)
    if misfit is not None:
        return misfit
    dealing.facts.append(_result(dealing, item, command))
    dealing.given.add(item.work_item_id)
    dealing.just_done = (command.operator_id, item.order)
    if item.operator_id == command.operator_id:
        dealing.deal_to(command.operator_id)
    return dealing.facts


def turn_away(desk: TeamDesk, command: guards.Assigned, situation: Situation) -> Rejection:
    """The operator has nothing in hand: say why as exactly as the desk still knows."""
    item = guards.claimed(desk, command)
    if isinstance(item, Rejection):
        return item
    return Rejection("not_assigned", f"Expected {item.work_item_id} in the hand of {command.operator_id}.")


OPERATOR_RULES: Final[Mapping[tuple[OperatorPhase, type[Event]], Rule]] = {
    **presence.PRESENCE_RULES,
    **picking.PICKING_RULES,
    **drafting.DRAFTING_RULES,
    (OperatorPhase.OFF, AcceptAssignment): turn_away,
    (OperatorPhase.AWAY, AcceptAssignment): turn_away,
    (OperatorPhase.PAUSED, AcceptAssignment): turn_away,
    (OperatorPhase.READY, AcceptAssignment): turn_away,
    (OperatorPhase.OFFERED, AcceptAssignment): accept,
    (OperatorPhase.WORKING, AcceptAssignment): accept_again,
    (OperatorPhase.WRAPPING_UP, AcceptAssignment): accept_again,
    (OperatorPhase.OFF, DeclineAssignment): turn_away,
    (OperatorPhase.AWAY, DeclineAssignment): turn_away,
    (OperatorPhase.PAUSED, DeclineAssignment): turn_away,
    (OperatorPhase.READY, DeclineAssignment): turn_away,
    (OperatorPhase.OFFERED, DeclineAssignment): decline,
    (OperatorPhase.WORKING, DeclineAssignment): decline,
    (OperatorPhase.WRAPPING_UP, DeclineAssignment): decline,
    (OperatorPhase.OFF, CompleteAssignment): complete,
    (OperatorPhase.AWAY, CompleteAssignment): complete,
    (OperatorPhase.PAUSED, CompleteAssignment): complete,
    (OperatorPhase.READY, CompleteAssignment): complete,
    (OperatorPhase.OFFERED, CompleteAssignment): complete,
    (OperatorPhase.WORKING, CompleteAssignment): complete,
    (OperatorPhase.WRAPPING_UP, CompleteAssignment): complete,
}

COMMANDS: Final = frozenset(form for _, form in OPERATOR_RULES)

# --------------------------------------------------------------------- the law


def decide(desk: TeamDesk, event: Event, situation: Situation) -> Facts | Rejection:
    """The facts that follow from one event, or a refusal. Pure: reads the desk, never moves it."""
    form = type(event)
    if form in COMMANDS:
        return _obey(desk, cast(Command, event), situation)
    match event:
        case WorkPlaced():
            return ITEM_RULES[desk.item_phase(event.order.work_item_id), WorkPlaced](desk, event, situation)
        case WorkRecalled():
            return ITEM_RULES[desk.item_phase(event.work_item_id), WorkRecalled](desk, event, situation)
        case TimerFired():
            return watch.ALARM_RULES[event.name](desk, event, situation)
        case _:
            raise InvariantError(f"Expected an event of the desk, found {event.kind_name()}")


def _obey(desk: TeamDesk, command: Command, situation: Situation) -> Facts | Rejection:
    """A command that was answered before keeps its answer; a stranger's is refused; any other meets its rule."""
    answer = desk.answered(command.operator_id, command.command_id)
    if answer is not None:
        return guards.command_breach(answer, command) or ()
    stranger = guards.membership_breach(command, Rulebook.of(situation.boards))
    if stranger is not None:
        return stranger
    return OPERATOR_RULES[desk.operator(command.operator_id).phase, type(command)](desk, command, situation)


def refuse(desk: TeamDesk, event: Event, rejection: Rejection, situation: Situation) -> Facts:
    """The refusal as a fact."""
    if not isinstance(event, Command):
        raise InvariantError(f"Expected only commands to be refused, found {rejection.code} of {type(event).__name__}")
    return (_refusal(desk, event, rejection, situation),)


def key(event: Message) -> str | None:
    """The team whose desk the event is for."""
    return event.key


def owner(fact: Message) -> str | None:
    """The team whose desk told a fact: all of its facts name it."""
    found: str | None = getattr(fact, "team_id", None)
    return found


# ------------------------------------------------------------------------ parts


def _disallow(dealing: Dealing, item: DeskItem, command: CompleteAssignment, barred: Rejection) -> Facts:
    """Refuse the result, take the item back from whoever may not do it, and deal both anew."""
    desk, situation = dealing.desk, dealing.situation
    dealing.facts.append(_refusal(desk, command, barred, situation))
    watch.revoke(dealing, item)
    return dealing.facts


def _refusal(desk: TeamDesk, command: Command, rejection: Rejection, situation: Situation) -> CommandRefused:
    return CommandRefused(
        team_id=desk.team_id,
        at=situation.now,
        command_id=command.command_id,
        operator_id=command.operator_id,
        code=cast(Any, rejection.code),  # the contract checks it against the codes that it knows
        detail=rejection.detail,
        fingerprint=guards.fingerprint_of(command),
    )


def _result(dealing: Dealing, item: DeskItem, command: CompleteAssignment) -> WorkCompleted:
    order, now = item.order, dealing.situation.now
    provider = dealing.book.provider_of(dealing.desk.team_id)
    if provider is None:
        raise InvariantError(f"Expected team {dealing.desk.team_id} to have a provider, found none")
    return work_completed(
        work_item_id=item.work_item_id,
        case_id=order.case_id,
        business_type=order.business_type,
        step=order.step,
        role=order.role,
        round=order.round,
        field=order.field,
        operator_id=command.operator_id,
        team_id=dealing.desk.team_id,
        provider_id=provider.id,
        attempt=command.attempt,
        command_id=command.command_id,
        outcome=command.outcome,
        requested_at=order.requested_at,
        assigned_at=item.assigned_at or now,
        completed_at=now,
        handle_seconds=command.handle_seconds,
        fingerprint=guards.fingerprint_of(command),
        drafted_by=drafting.drafted_by(item, command.operator_id),
    )
