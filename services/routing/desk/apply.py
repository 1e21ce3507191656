"""How facts move a desk. Nothing else does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from services.routing.desk.state import (
    HEEDED_KEPT,
    Answer,
    DeskItem,
    DeskOperator,
    Gone,
    Heed,
    ItemPhase,
    OperatorPhase,
    Pulse,
    Tally,
    TeamDesk,
    Touch,
)
from shared.contracts.message import Message
from shared.contracts.routing import (
    AssignmentDeclined,
    AssignmentExpired,
    AssignmentRevoked,
    AssignmentTaken,
    CommandNoted,
    CommandRefused,
    DraftSaved,
    LoadSnapshot,
    OperatorAway,
    OperatorPaused,
    OperatorReady,
    OperatorResumed,
    OperatorSignedOff,
    ReroutesHeeded,
    WorkAssigned,
    WorkCompleted,
    WorkHeldBack,
    WorkQueued,
    WorkReleased,
    WorkWithdrawn,
)
from shared.runtime.errors import InvariantError


def queued(desk: TeamDesk, fact: WorkQueued) -> None:
    desk.put_item(DeskItem(fact.order, fact.placing, fact.attempt, fact.at, draft=fact.draft))
    _changed(desk, fact.at)


def assigned(desk: TeamDesk, fact: WorkAssigned) -> None:
    item, operator, at = desk.item(fact.work_item_id), desk.operator(fact.operator_id), fact.at
    if operator.work_item_id is not None:
        raise InvariantError(f"Expected {fact.operator_id} with empty hands, found {operator.work_item_id}")
    offer = DeskItem(
        order=item.order,
        placing=item.placing,
        attempt=fact.attempt,
        since=at,
        phase=ItemPhase.OFFERED,
        declined_by=item.declined_by,
        operator_id=fact.operator_id,
        assigned_at=at,
        lease_until=fact.lease_until,
        draft=item.draft,
    )
    desk.put_item(offer)
    desk.put_operator(
        DeskOperator(
            operator_id=fact.operator_id,
            phase=OperatorPhase.OFFERED,
            since=at,
            work_item_id=fact.work_item_id,
            attempt=fact.attempt,
            lease_until=fact.lease_until,
            commands=operator.commands,
            last_command=operator.last_command,
            last_work_type=item.order.work_type,
            pause_reason=operator.pause_reason,
            last_draft=operator.last_draft,
        )
    )
    picked = fact.picked
    if picked is not None:
        _answered(desk, fact.operator_id, picked.command_id, picked.fingerprint, "picked", fact.work_item_id, at)
    _changed(desk, at)


def held_back(desk: TeamDesk, fact: WorkHeldBack) -> None:
    """The item waits on; that the operator is kept free for the step need not be told again."""
    desk.put_operator(replace(desk.operator(fact.operator_id), kept_for=fact.awaited_after))


def taken(desk: TeamDesk, fact: AssignmentTaken) -> None:
    item, operator, tally = desk.item(fact.work_item_id), desk.operator(fact.operator_id), desk.tally
    in_hand = DeskItem(
        order=item.order,
        placing=item.placing,
        attempt=item.attempt,
        since=item.since,
        phase=ItemPhase.IN_HAND,
        declined_by=item.declined_by,
        operator_id=item.operator_id,
        assigned_at=item.assigned_at,
        lease_until=fact.lease_until,
        taken_at=fact.at,
        draft=item.draft,
    )
    desk.put_item(in_hand)
    desk.put_tally(Tally(tally.accepted + 1, tally.expired, tally.completed, tally.late, tally.declined))
    given = Answer(fact.command_id, fact.operator_id, operator.commands, fact.fingerprint, "taken", "", fact.at)
    desk.put_answer(given)
    desk.put_operator(
        DeskOperator(
            operator_id=fact.operator_id,
            phase=OperatorPhase.WORKING,
            since=fact.at,
            work_item_id=operator.work_item_id,
            attempt=operator.attempt,
            lease_until=fact.lease_until,
            commands=operator.commands + 1,
            last_command=given,
            last_work_type=operator.last_work_type,
            pause_reason=operator.pause_reason,
            last_draft=operator.last_draft,
            kept_for=operator.kept_for,
        )
    )


def drafted(desk: TeamDesk, fact: DraftSaved) -> None:
    """Who has keyed some of it has had a part in the case, whoever finishes it."""
    item, operator = desk.item(fact.work_item_id), desk.operator(fact.operator_id)
    desk.put_item(replace(item, draft=fact.draft))
    answer = Answer(
        fact.command_id, fact.operator_id, operator.commands, fact.fingerprint, "drafted", "", fact.draft.saved_at
    )
    desk.put_operator(replace(operator, last_draft=answer))
    if desk.role_of(fact.case_id, fact.operator_id) is None:
        _took_part(desk, fact.case_id, fact.operator_id, item.order.role, fact.at)


def declined(desk: TeamDesk, fact: AssignmentDeclined) -> None:
    """Who declines is not offered the item again here, and is counted; who merely signed off is neither."""
    by = (fact.operator_id,) if fact.command_id is not None else ()
    _back_to_queue(desk, fact.work_item_id, fact.at, by)
    if fact.command_id is not None:
        desk.put_tally(replace(desk.tally, declined=desk.tally.declined + 1))
        _answered(desk, fact.operator_id, fact.command_id, fact.fingerprint, "declined", "", fact.at)


def expired(desk: TeamDesk, fact: AssignmentExpired) -> None:
    _back_to_queue(desk, fact.work_item_id, fact.at)
    desk.put_tally(replace(desk.tally, expired=desk.tally.expired + 1))


def revoked(desk: TeamDesk, fact: AssignmentRevoked) -> None:
    """What somebody keyed who may no longer do the work is no help to the next; a reroute says nothing against it."""
    draft = desk.item(fact.work_item_id).draft
    if draft is not None and draft.authors[-1] == fact.operator_id and fact.reason != "rerouted":
        desk.put_item(replace(desk.item(fact.work_item_id), draft=None))
    _back_to_queue(desk, fact.work_item_id, fact.at)


def released(desk: TeamDesk, fact: WorkReleased) -> None:
    item = desk.item(fact.work_item_id)
    _let_go(desk, item, fact.at)
    desk.renew_touch(item.order.case_id, fact.at)
    desk.put_gone(Gone(item.work_item_id, fact.at, item.placing))
    _changed(desk, fact.at)


def withdrawn(desk: TeamDesk, fact: WorkWithdrawn) -> None:
    item = desk.item(fact.work_item_id)
    _let_go(desk, item, fact.at)
    desk.renew_touch(item.order.case_id, fact.at)
    desk.put_gone(Gone(item.work_item_id, fact.at, item.placing))
    _changed(desk, fact.at)


def completed(desk: TeamDesk, fact: WorkCompleted) -> None:
    item, tally, at = desk.item(fact.work_item_id), desk.tally, fact.completed_at
    _learn(desk, item, fact)
    late = int(at + timedelta(seconds=item.order.later_seconds) > item.order.due_at)
    desk.put_tally(Tally(tally.accepted, tally.expired, tally.completed + 1, tally.late + late, tally.declined))
    _let_go(desk, item, at)
    _took_part(desk, fact.case_id, fact.operator_id, fact.role, at, (fact.work_item_id,))
    desk.forget_touches(at)
    _answered(desk, fact.operator_id, fact.command_id, fact.fingerprint, "completed", "", at)
    _changed(desk, at)


def _took_part(
    desk: TeamDesk, case_id: str, operator_id: str, role: str, at: datetime, finished: tuple[str, ...] = ()
) -> None:
    known = desk.touched.get(case_id) or Touch(case_id, at, {}, ())
    roles = {**known.role_by_operator, operator_id: role}
    desk.put_touch(Touch(case_id, at, roles, (*known.finished, *finished)))


def _learn(desk: TeamDesk, item: DeskItem, fact: WorkCompleted) -> None:
    """Whoever completes without accepting took the item in hand when it was offered."""
    began = item.taken_at or item.assigned_at
    if began is not None:
        order, taken = item.order, fact.completed_at - began
        desk.put_pace(
            desk.paces.after(fact.operator_id, order.work_type, taken, order.standard_seconds, fact.completed_at)
        )


def ready(desk: TeamDesk, fact: OperatorReady) -> None:
    operator = desk.operator(fact.operator_id)
    desk.put_operator(replace(operator, phase=OperatorPhase.READY, since=fact.at, pause_reason=None))
    _answered(desk, fact.operator_id, fact.command_id, fact.fingerprint, "ready", "", fact.at)
    _changed(desk, fact.at)


def paused(desk: TeamDesk, fact: OperatorPaused) -> None:
    phase = OperatorPhase.WRAPPING_UP if fact.wrapping_up else OperatorPhase.PAUSED
    operator = desk.operator(fact.operator_id)
    desk.put_operator(replace(operator, phase=phase, since=fact.at, pause_reason=fact.reason))
    _answered(desk, fact.operator_id, fact.command_id, fact.fingerprint, "paused", fact.reason, fact.at)
    _changed(desk, fact.at)


def resumed(desk: TeamDesk, fact: OperatorResumed) -> None:
    operator = desk.operator(fact.operator_id)
    phase = OperatorPhase.READY if operator.work_item_id is None else OperatorPhase.WORKING
    desk.put_operator(replace(operator, phase=phase, since=fact.at, pause_reason=None))
    _answered(desk, fact.operator_id, fact.command_id, fact.fingerprint, "resumed", "", fact.at)
    _changed(desk, fact.at)


def away(desk: TeamDesk, fact: OperatorAway) -> None:
    operator = desk.operator(fact.operator_id)
    desk.put_operator(replace(operator, phase=OperatorPhase.AWAY, since=fact.at, pause_reason=None))
    _changed(desk, fact.at)


def signed_off(desk: TeamDesk, fact: OperatorSignedOff) -> None:
    operator = desk.operator(fact.operator_id)
    desk.put_operator(replace(operator, phase=OperatorPhase.OFF, since=fact.at, pause_reason=None))
    _answered(desk, fact.operator_id, fact.command_id, fact.fingerprint, "signed_off", "", fact.at)
    _changed(desk, fact.at)


def refused(desk: TeamDesk, fact: CommandRefused) -> None:
    """A stranger's commands are not remembered, nor does a conflict replace the answer that stands."""
    if fact.code not in ("unknown_operator", "conflict"):
        _answered(desk, fact.operator_id, fact.command_id, fact.fingerprint, fact.code, fact.detail, fact.at)


def noted(desk: TeamDesk, fact: CommandNoted) -> None:
    _answered(desk, fact.operator_id, fact.command_id, fact.fingerprint, "noted", fact.detail, fact.at)


def heeded(desk: TeamDesk, fact: ReroutesHeeded) -> None:
    counts = dict(desk.heed.moved_by_reroute)
    for moved in fact.moved:
        counts[moved.reroute_id] = counts.pop(moved.reroute_id, 0) + moved.items
    desk.put_heed(Heed(fact.next_at, dict(list(counts.items())[-HEEDED_KEPT:]), fact.chunk))


def told(desk: TeamDesk, fact: LoadSnapshot) -> None:
    desk.put_pulse(Pulse(fact.version, fact.at, None, fact.interval_seconds))
    desk.forget_touches(fact.at)


MOVES: Final[Mapping[type[Message], Callable[[TeamDesk, Any], None]]] = {
    WorkQueued: queued,
    WorkAssigned: assigned,
    WorkHeldBack: held_back,
    AssignmentTaken: taken,
    DraftSaved: drafted,
    AssignmentDeclined: declined,
    AssignmentExpired: expired,
    AssignmentRevoked: revoked,
    WorkReleased: released,
    WorkWithdrawn: withdrawn,
    WorkCompleted: completed,
    OperatorReady: ready,
    OperatorPaused: paused,
    OperatorResumed: resumed,
    OperatorAway: away,
    OperatorSignedOff: signed_off,
    CommandRefused: refused,
    CommandNoted: noted,
    LoadSnapshot: told,
    ReroutesHeeded: heeded,
}


def apply(desk: TeamDesk, fact: Message) -> TeamDesk:
    """Fold one fact into the desk, in place. The only function that moves it."""
    move = MOVES.get(type(fact))
    if move is None:
        raise InvariantError(f"Expected a fact of the desk, found {fact.kind_name()}")
    move(desk, fact)
    return desk


def _back_to_queue(desk: TeamDesk, work_item_id: str, at: datetime, declined_by: tuple[str, ...] = ()) -> None:
    item = desk.item(work_item_id)
    _let_go(desk, item, at)
    by = (*item.declined_by, *declined_by)
    desk.put_item(DeskItem(item.order, item.placing, item.attempt, at, declined_by=by, draft=item.draft))
    _changed(desk, at)


def _let_go(desk: TeamDesk, item: DeskItem, at: datetime) -> None:
    """The item leaves the desk or its operator's hand; the operator has empty hands and is ready, or pauses now."""
    desk.drop_item(item.work_item_id)
    if item.operator_id is not None:
        operator = desk.operator(item.operator_id)
        phase = OperatorPhase.PAUSED if operator.phase is OperatorPhase.WRAPPING_UP else OperatorPhase.READY
        desk.put_operator(
            DeskOperator(
                operator_id=operator.operator_id,
                phase=phase,
                since=at,
                commands=operator.commands,
                last_command=operator.last_command,
                last_work_type=operator.last_work_type,
                pause_reason=operator.pause_reason,
                last_draft=operator.last_draft,
                kept_for=operator.kept_for,
            )
        )


def _answered(
    desk: TeamDesk, operator_id: str, command_id: str, fingerprint: str, answer: str, detail: str, at: datetime
) -> None:
    operator = desk.operator(operator_id)
    given = Answer(command_id, operator_id, operator.commands, fingerprint, answer, detail, at)
    desk.put_answer(given)
    desk.put_operator(
        DeskOperator(
            operator_id=operator_id,
            phase=operator.phase,
            since=operator.since,
            work_item_id=operator.work_item_id,
            attempt=operator.attempt,
            lease_until=operator.lease_until,
            commands=operator.commands + 1,
            last_command=given,
            last_work_type=operator.last_work_type,
            pause_reason=operator.pause_reason,
            last_draft=operator.last_draft,
            kept_for=operator.kept_for,
        )
    )


def _changed(desk: TeamDesk, at: datetime) -> None:
    if desk.pulse.changed_at is None:
        pulse = desk.pulse
        desk.put_pulse(Pulse(pulse.version, pulse.told_at, at, pulse.interval_seconds))
