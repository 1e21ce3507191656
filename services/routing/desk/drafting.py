"""What an operator has keyed so far of the item in hand: kept with the item, for whoever has it next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from services.routing.desk import guards, presence
from services.routing.desk.state import DeskItem, OperatorPhase, TeamDesk
from services.routing.eligibility import Rulebook
from shared.contracts.routing import DraftSaved, SaveDraft
from shared.contracts.work import DRAFT_AUTHORS_MAX, Draft
from shared.runtime.processor import Event, Facts, Rejection, Situation

Rule = Callable[[TeamDesk, Any, Situation], Facts | Rejection]


def save(desk: TeamDesk, command: SaveDraft, situation: Situation) -> Facts | Rejection:
    """Keep the newest that the operator has keyed; what is older than that came late and changes nothing."""
    item = guards.claimed(desk, command)
    if isinstance(item, Rejection):
        return item
    breach = draft_breach(item, command) or guards.allowance_breach(
        item.order, command.operator_id, desk.team_id, Rulebook.of(situation.boards)
    )
    if breach is not None:
        return breach
    kept = item.draft
    if kept is not None and kept.attempt == command.attempt and kept.revision >= command.revision:
        return presence.note(desk, command, situation)
    return (
        DraftSaved(
            team_id=desk.team_id,
            at=situation.now,
            operator_id=command.operator_id,
            work_item_id=item.work_item_id,
            case_id=item.order.case_id,
            draft=Draft(
                value=command.value,
                authors=_authors(kept, command.operator_id),
                attempt=command.attempt,
                revision=command.revision,
                saved_at=situation.now,
            ),
            command_id=command.command_id,
            fingerprint=guards.fingerprint_of(command),
        ),
    )


def not_accepted(desk: TeamDesk, command: SaveDraft, situation: Situation) -> Rejection:
    """Nobody keys what they are only offered, or do not have."""
    item = guards.claimed(desk, command)
    if isinstance(item, Rejection):
        return item
    return Rejection("not_assigned", f"Expected {item.work_item_id} accepted before anything is keyed of it.")


def draft_breach(item: DeskItem, command: SaveDraft) -> Rejection | None:
    """The step's template keeps no drafts, or too many people have keyed some of it already."""
    if not item.order.keeps_draft:
        return Rejection(
            "not_allowed",
            f"Expected a step whose template keeps drafts, found {item.order.work_type}; finish it in one go.",
        )
    if len(_authors(item.draft, command.operator_id)) > DRAFT_AUTHORS_MAX:
        return Rejection("not_allowed", f"Expected at most {DRAFT_AUTHORS_MAX} people to draft {item.work_item_id}.")
    return None


def drafted_by(item: DeskItem, operator_id: str) -> tuple[str, ...]:
    """Whose draft the operator was shown, besides their own."""
    return () if item.draft is None else tuple(one for one in item.draft.authors if one != operator_id)


def _authors(kept: Draft | None, operator_id: str) -> tuple[str, ...]:
    """All who keyed some of it; whoever saves now comes last."""
    earlier = () if kept is None else kept.authors
    return (*(one for one in earlier if one != operator_id), operator_id)


DRAFTING_RULES: Final[Mapping[tuple[OperatorPhase, type[Event]], Rule]] = {
    (OperatorPhase.OFF, SaveDraft): not_accepted,
    (OperatorPhase.AWAY, SaveDraft): not_accepted,
    (OperatorPhase.PAUSED, SaveDraft): not_accepted,
    (OperatorPhase.READY, SaveDraft): not_accepted,
    (OperatorPhase.OFFERED, SaveDraft): not_accepted,
    (OperatorPhase.WORKING, SaveDraft): save,
    (OperatorPhase.WRAPPING_UP, SaveDraft): save,
}
