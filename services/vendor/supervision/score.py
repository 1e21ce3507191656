"""What happens to a score: judged entries come in, standing follows with hysteresis."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from services.vendor.supervision.reference import initial_standing, reference_of, registered_as, share_of
from services.vendor.supervision.state import Score, apply_to_score
from shared.contracts.message import Message
from shared.contracts.reference import FloorLimits
from shared.contracts.vendor import EntryScored, KeyingJudged, OperatorStanding, ProviderStanding, Standing
from shared.runtime.processor import Situation, TimerFired

Change = tuple[Standing, str]


def weigh(score: Score, event: KeyingJudged, situation: Situation) -> Sequence[Message]:
    """A judgement moves the score; the score may move the standing."""
    limits = reference_of(situation).limits
    scored = score_entry(score, event, limits)
    if scored is None:
        return ()
    after = apply_to_score(score, scored)
    change = None if after.standing is None else VERDICTS[after.standing](after, limits)
    return (scored,) if change is None else (scored, _standing(after, event.provider_id, change, situation))


def open_score(score: Score, event: KeyingJudged, situation: Situation) -> Sequence[Message]:
    """The first judged entry publishes the standing that the subject starts with."""
    reference = reference_of(situation)
    if score_entry(score, event, reference.limits) is None:
        return ()
    standing = initial_standing(reference, score.subject, score.subject_id)
    registered = registered_as(reference, score.subject, score.subject_id)
    reason = f"Starts as {standing}, as registered." if registered else "Starts on probation: not in the register."
    first = _standing(score, event.provider_id, (standing, reason), situation)
    return (first, *weigh(apply_to_score(score, first), event, situation))


def score_entry(score: Score, event: KeyingJudged, limits: FloorLimits) -> EntryScored | None:
    """What the judgement does to the score; `None` when it was counted before or its entry is not in the window."""
    entry = next((e for e in score.entries if e.work_item_id == event.work_item_id), None)
    if event.what == "keyed":
        return None if entry is not None else _keyed(score, event, limits)
    if entry is None or entry.wrong != "none":
        return None
    return _entry_scored(event, limits, score.keyed, score.errors + 1)


def _keyed(score: Score, event: KeyingJudged, limits: FloorLimits) -> EntryScored:
    leaving = score.entries[: max(0, score.keyed + 1 - limits.score_window)]
    errors = score.errors - sum(entry.wrong != "none" for entry in leaving)
    return _entry_scored(event, limits, score.keyed + 1 - len(leaving), errors)


def _entry_scored(event: KeyingJudged, limits: FloorLimits, keyed: int, errors: int) -> EntryScored:
    return EntryScored(
        subject=event.subject,
        subject_id=event.subject_id,
        provider_id=event.provider_id,
        work_item_id=event.work_item_id,
        work_type=event.work_type,
        found_by=event.found_by,
        window=limits.score_window,
        keyed=keyed,
        errors=errors,
        at=event.at,
    )


def _on_probation(score: Score, limits: FloorLimits) -> Change | None:
    if score.judged_in_standing >= limits.probation_items and score.error_rate <= limits.restore_error_rate:
        return "allowed", (
            f"Allowed: {score.judged_in_standing} entries judged on probation, {_found(score)}, "
            f"at or below the restoring rate of {limits.restore_error_rate:.1%}."
        )
    return _suspension(score, limits)


def _suspension(score: Score, limits: FloorLimits) -> Change | None:
    if score.keyed < limits.score_items_min or score.error_rate < limits.suspend_error_rate:
        return None
    return "suspended", (
        f"Suspended: {_found(score)}, at or above the suspending rate of {limits.suspend_error_rate:.1%}."
    )


def _suspended(score: Score, limits: FloorLimits) -> Change | None:
    """A suspension that the score gave ends by the score; one that a person registered does not."""
    if not score.by_score or score.error_rate >= limits.restore_error_rate:
        return None
    return "probation", (
        f"Back on probation: {_found(score)}, below the restoring rate of {limits.restore_error_rate:.1%}."
    )


def reinstate(score: Score, event: TimerFired, situation: Situation) -> Sequence[Message]:
    """The vendor manager's word in the reference data ends a suspension that is older, and begins the score anew.

    Holds:   nothing else could: who is suspended gets no work, so the rate that suspended them does not fall. An instant
             that is still to come ends nothing, and one ends one suspension: what follows it begins after it.
    """
    reference = reference_of(situation)
    registered = registered_as(reference, score.subject, score.subject_id)
    at = None if registered is None else registered.reinstated_at
    if at is None or at > _latest(situation) or (score.since is not None and at <= score.since):
        return ()
    reason = f"Reinstated on probation by the vendor manager, as registered for {at:%Y-%m-%d %H:%M} UTC; the score begins anew."
    told = _standing(score, score.provider_id, ("probation", reason), situation)
    return (told.model_copy(update={"reinstated": True, "since": max(told.since, at)}),)


def _latest(situation: Situation) -> datetime:
    """What has come by now: by this machine's clock, or by that of whoever published the reference data, who was let do
    so because no instant in it was still to come."""
    published_ms = situation.as_of.get("reference", 0)
    return max(situation.now, datetime.fromtimestamp(published_ms / 1000, UTC))


VERDICTS: Final[Mapping[Standing, Callable[[Score, FloorLimits], Change | None]]] = {
    "probation": _on_probation,
    "allowed": _suspension,
    "suspended": _suspended,
}


def _found(score: Score) -> str:
    return f"{score.errors} of the last {score.keyed} entries wrong ({score.error_rate:.1%})"


def _standing(
    score: Score, provider_id: str, change: Change, situation: Situation
) -> OperatorStanding | ProviderStanding:
    standing, reason = change
    since = max(situation.now, score.since or situation.now)  # clocks differ; one follows another
    share = share_of(standing, reference_of(situation).limits)
    if score.subject == "operator":
        return OperatorStanding(
            operator_id=score.subject_id,
            provider_id=provider_id,
            standing=standing,
            inspected_share=share,
            keyed=score.keyed,
            errors=score.errors,
            reason=reason,
            since=since,
        )
    return ProviderStanding(
        provider_id=score.subject_id,
        standing=standing,
        inspected_share=share,
        keyed=score.keyed,
        errors=score.errors,
        reason=reason,
        since=since,
    )
