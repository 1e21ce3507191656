"""Emergency's decisions: every phase of a reroute and every command or hour that may meet it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import reduce
from typing import Any, Final, cast

from services.routing.emergency import calendar, course
from services.routing.emergency.bounds import drill_fault, in_utc, start_fault, terms_fault, words_fault
from services.routing.emergency.capacity import capacity_fault
from services.routing.emergency.drills import judgement
from services.routing.emergency.floor import FloorNow
from services.routing.emergency.preview import drift_between, preview_of
from services.routing.emergency.safety import (
    fixed,
    may_approve,
    may_break_glass,
    may_propose,
    overlap,
    overridden,
    scope_fault,
    unnamed,
)
from services.routing.emergency.state import (
    BY_ALERT_MAX,
    OPEN_MAX,
    OVER,
    OrderBook,
    Phase,
    moved,
    next_look,
    phase_of,
)
from shared.contracts.intake import SubmissionSentBack
from shared.contracts.message import Message
from shared.contracts.reference import RerouteDuty
from shared.contracts.reroute import (
    BREAK_GLASS_MINUTES_MAX,
    ApproveReroute,
    BrokenRule,
    CancelReroute,
    CloseReview,
    EndReroute,
    ExtendReroute,
    HeedCalendar,
    Preview,
    ProposeReroute,
    RefuseReroute,
    RerouteAnswered,
    RerouteApproved,
    RerouteCommand,
    RerouteExtended,
    RerouteFact,
    RerouteOrder,
    RerouteOver,
    RerouteProposed,
    RerouteSentBack,
    RerouteTerms,
    ReviewClosed,
)
from shared.contracts.reroute import RerouteScope as Scope
from shared.reference.board import ReferenceView
from shared.reroutes import IN_FORCE
from shared.runtime.errors import InvariantError
from shared.runtime.processor import Event, Facts, Rejection, Situation, TimerFired

BOOK: Final = "floor"  # the key of the one book, and of every command to it
ALERTING: Final = frozenset({"alert"})
"""Sources that propose without a duty of their own, and never more than propose, and withdraw what they proposed."""


@dataclass(frozen=True, slots=True)
class Done:
    """What a rule makes of a command: facts of the reroute's life, and the answer to the sender."""

    facts: tuple[RerouteFact, ...]
    detail: str
    code: str = "done"


WANTED: Final[Mapping[type[RerouteCommand], str]] = {
    ApproveReroute: "a proposal to approve",
    RefuseReroute: "a proposal to refuse",
    CancelReroute: "a reroute to cancel that is not over",
    ExtendReroute: course.TO_KEEP,
    EndReroute: "a reroute in force to end",
    CloseReview: "a broken glass to answer for",
}
"""What each command is for."""
INSTEAD: Final[Mapping[Phase, str]] = {
    Phase.PROPOSED: "cancel it, or have it approved first",
    Phase.APPROVED: "cancel it, or wait until it begins",
    Phase.ACTIVE: "end it, or cancel it",
    Phase.RETURNING: "it comes back by itself; cancel it to stop it at once",
}
"""What to do with a reroute that a command does not fit, by where it is."""


Rule = Callable[[OrderBook, Any, Any, Situation], Done | Rejection]


# ------------------------------------------------------------------- proposing


def propose(book: OrderBook, order: None, command: ProposeReroute, situation: Situation) -> Done | Rejection:
    """A new reroute: checked, previewed, and waiting for a second person; with broken glass, in force at once."""
    breach = _proposal_breach(book, command, situation)
    if breach is not None:
        return breach
    limits = _view(situation).limits
    floor = course.floor_of(book, situation, command.terms)
    preview = preview_of(command.terms, floor, course.past(book))
    barred = _never(preview, command.terms, floor)
    if barred is None and command.break_glass:
        barred = _not_overridden(preview.broken_rules, command.override_rules, _view(situation))
    if barred is not None:
        return barred
    fact = RerouteProposed(
        reroute_id=command.reroute_id,
        at=situation.now,
        by=command.actor,
        source=command.source,
        terms=command.terms,
        preview=preview,
        approve_by=situation.now + timedelta(seconds=limits.reroute_approval_seconds),
        return_step_seconds=limits.reroute_return_step_seconds,
        break_glass=command.break_glass,
        overridden_rules=overridden(preview.broken_rules, command.override_rules) if command.break_glass else (),
    )
    if not command.break_glass:
        return Done((fact,), f"Proposed; somebody else must approve it by {in_utc(fact.approve_by)}.")
    begun, idle = course.begin(moved(None, fact), floor), _idle(command.override_rules, fact.overridden_rules)
    return Done((fact, begun), f"In force until {in_utc(begun.ends_at)}; a review is open and must be closed.{idle}")


def _proposal_breach(book: OrderBook, command: ProposeReroute, situation: Situation) -> Rejection | None:
    terms, view = command.terms, _view(situation)
    fault = terms_fault(terms, situation.now) or scope_fault(terms, view)
    if fault is not None:
        return Rejection(*fault)
    if command.break_glass:
        barred = _glass_breach(book, command, view)
    elif command.source not in ALERTING and not may_propose(_duty(command, view), terms.scope, view):
        barred = _not_authorised(command, "propose")
    else:
        barred = None
    if barred is not None:
        return barred
    fault = drill_fault(terms) or start_fault(terms, situation.now)
    if fault is not None:
        return Rejection(*fault)
    return _no_place(book, command) or _twin_breach(book, command.terms, situation)


def _no_place(book: OrderBook, command: ProposeReroute) -> Rejection | None:
    """Too much is open already. Holds: a broken glass always has a place, and alerts leave people theirs."""
    if command.break_glass:
        return None
    still = book.open_orders()
    by_alert = sum(order.source in ALERTING and order.phase == "proposed" for order in still)
    if command.source in ALERTING and by_alert >= BY_ALERT_MAX:
        return Rejection(
            "too_many_open",
            f"Expected fewer than {BY_ALERT_MAX} proposals of alerts to wait for an approval, found {by_alert}; approve or "
            "refuse some first.",
        )
    if len(still) >= OPEN_MAX:
        return Rejection(
            "too_many_open", f"Expected fewer than {OPEN_MAX} open reroutes, found {len(still)}; cancel some first."
        )
    return None


def _glass_breach(book: OrderBook, command: ProposeReroute, view: ReferenceView) -> Rejection | None:
    if command.source != "person" or not may_break_glass(_duty(command, view), command.terms.scope, view):
        return _not_authorised(command, "break the glass")
    if command.terms.minutes > BREAK_GLASS_MINUTES_MAX:
        return Rejection("too_long", f"Expected at most {BREAK_GLASS_MINUTES_MAX} minutes alone; propose it instead.")
    if command.terms.starts_at is not None:
        return Rejection(
            "start_too_far",
            f"Expected a broken glass to start at once, found a start at {in_utc(command.terms.starts_at)}; leave the start "
            "out, or propose it for then without breaking the glass.",
        )
    if command.terms.drill:
        return Rejection(
            "drill_breaks_rule",
            "Expected a broken glass in earnest, found a drill; propose it without breaking the glass.",
        )
    return _second_glass_breach(book, command, view)


def _second_glass_breach(book: OrderBook, command: ProposeReroute, view: ReferenceView) -> Rejection | None:
    """One glass after another would be a reroute by one person without an end.

    Holds:   nobody breaks a glass before somebody else has answered for their last one, and nobody where one holds.
    """
    teams = list(view.teams.values())
    for other in book.orders.values():
        if not other.break_glass:
            continue
        if other.review == "open" and other.proposed_by == command.actor:
            return Rejection(
                "glass_open",
                f"Expected a review of {other.reroute_id}, your last broken glass; have it closed, or propose this.",
            )
        if other.phase in IN_FORCE and overlap(other.terms, command.terms, teams):
            return Rejection(
                "glass_open", f"Expected no broken glass here, found {other.reroute_id} in force; propose this instead."
            )
    return None


def _twin_breach(book: OrderBook, terms: RerouteTerms, situation: Situation) -> Rejection | None:
    fault = course.twin_fault(book, terms, situation.now)
    return None if fault is None else Rejection("same_scope_in_force", fault)


# ------------------------------------------------------------------- approving


def approve(book: OrderBook, order: RerouteOrder, command: ApproveReroute, situation: Situation) -> Done | Rejection:
    """A second person agrees to the preview; the reroute starts at once unless its hour is yet to come."""
    breach = _approval_breach(order, command, situation) or _twin_breach(book, order.terms, situation)
    if breach is not None:
        return breach
    limits = _view(situation).limits
    floor = course.floor_of(book, situation, order.terms)
    now_preview = preview_of(order.terms, floor, course.past(book))
    drift = drift_between(order.preview, now_preview, limits.reroute_drift_max)
    if drift is not None:
        fact = course.asked_again(order, drift, now_preview, situation)
        return Done((fact,), f"{drift} Look at the new preview and approve that.", "preview_changed")
    view = _view(situation)
    barred = _never(now_preview, order.terms, floor) or _not_overridden(
        now_preview.broken_rules, command.override_rules, view
    )
    starts_at = order.terms.starts_at or situation.now
    if barred is None and order.terms.drill and starts_at <= situation.now:
        barred = _drill_breach(book)
    if barred is not None:
        return barred
    agreed = RerouteApproved(
        reroute_id=order.reroute_id,
        at=situation.now,
        by=command.actor,
        reason=command.reason,
        preview_sha256=order.preview.sha256,
        overridden_rules=overridden(now_preview.broken_rules, command.override_rules),
        execute_by=max(starts_at, situation.now) + timedelta(seconds=limits.reroute_execution_seconds),
    )
    idle = _idle(command.override_rules, agreed.overridden_rules)
    if starts_at > situation.now:
        return Done((agreed,), f"Approved; it starts at {in_utc(starts_at)}.{idle}")
    begun = course.begin(moved(order, agreed), floor)
    return Done((agreed, begun), f"In force until {in_utc(begun.ends_at)}.{idle}")


def _approval_breach(order: RerouteOrder, command: ApproveReroute, situation: Situation) -> Rejection | None:
    view = _view(situation)
    if command.actor == order.proposed_by:
        return Rejection("own_proposal", f"Expected somebody other than {order.proposed_by}, who proposed it.")
    if not may_approve(_duty(command, view), order.terms.scope, view):
        return _not_authorised(command, "approve")
    proposer = view.reroute_duties.get(order.proposed_by)
    if order.source == "person" and not may_propose(proposer, order.terms.scope, view):
        return Rejection(
            "not_authorised",
            f"Expected {order.proposed_by}, who proposed it, still on duty for this scope; propose it anew.",
        )
    fault = terms_fault(order.terms, situation.now)
    if fault is not None:  # proposed before these bounds were
        return Rejection(*fault)
    if situation.now >= order.approve_by:
        return Rejection("wrong_phase", f"Expected an approval by {in_utc(order.approve_by)}; propose it anew.")
    if command.preview_sha256 != order.preview.sha256:
        return Rejection("preview_changed", "Expected the hash of the preview as it stands; look at it and try again.")
    return None


def _never(preview: Preview, terms: RerouteTerms, floor: FloorNow) -> Rejection | None:
    """What no name overrides: a drill that the rest could not carry, a rule that holds for everybody."""
    fault = capacity_fault(preview, terms, floor) if terms.drill else None
    if fault is not None:
        return Rejection("drill_breaks_rule", fault)
    return fixed(preview.broken_rules)


def _drill_breach(book: OrderBook) -> Rejection | None:
    fault = course.in_earnest(book)
    return None if fault is None else Rejection("drill_breaks_rule", fault)


def _not_overridden(broken: Sequence[BrokenRule], named: Sequence[str], view: ReferenceView) -> Rejection | None:
    """Whoever lets it start names every rule that it breaks, and no name that is none."""
    return _unknown_rules(named, view) or unnamed(broken, named)


def _unknown_rules(named: Sequence[str], view: ReferenceView) -> Rejection | None:
    unknown = sorted(set(named) - set(view.reroute_rules))
    if not unknown:
        return None
    return Rejection("rule_unknown", f"Expected names of safety rules, found {', '.join(unknown)}.")


def _idle(named: Sequence[str], overridden_rules: Container[str]) -> str:
    """Which of the names were not needed, in a sentence to be added; none: nothing. They count for nothing later."""
    idle = sorted({name for name in named if name not in overridden_rules})
    return f" Not overridden, since not broken: {', '.join(idle)}." if idle else ""


def refuse_it(book: OrderBook, order: RerouteOrder, command: RefuseReroute, situation: Situation) -> Done | Rejection:
    """An approver says no; not the proposer, who cancels instead."""
    if command.actor == order.proposed_by:
        return Rejection("own_proposal", "Expected the proposer to cancel, not to refuse.")
    view = _view(situation)
    if not may_approve(_duty(command, view), order.terms.scope, view):
        return _not_authorised(command, "refuse")
    return Done((_over(order, command, "refused", situation),), "Refused.")


# ---------------------------------------------------------------- while it lives


def cancel(book: OrderBook, order: RerouteOrder, command: CancelReroute, situation: Situation) -> Done | Rejection:
    """Stop it where it stands. Anybody on duty for the scope may, who proposed it while on any duty, and an alert that has
    resolved, as long as nobody has agreed to what it proposed."""
    by_alert = order.source in ALERTING and order.phase == "proposed" and command.actor == order.proposed_by
    if not by_alert and not _on_duty(order, command, situation):
        return _not_authorised(command, "cancel")
    return Done((_over(order, command, "cancelled", situation),), "Cancelled; nothing of it is in force any more.")


def extend(book: OrderBook, order: RerouteOrder, command: ExtendReroute, situation: Situation) -> Done | Rejection:
    """Keep it in force for longer, counted from its end (or from now, when it has begun to return).

    Holds:   for longer than was agreed takes somebody other than the proposer, and the safety rules anew. Taking again what
             has begun to return asks the rules, too: others may hold the rest by now. What is over by its own instants is
             not taken up again, though its last step was not looked at yet.
    """
    view = _view(situation)
    if not may_approve(_duty(command, view), order.terms.scope, view):
        return _not_authorised(command, "extend")
    ends_at = course.longer(order, command.minutes, situation.now)
    if isinstance(ends_at, Rejection):
        return ends_at
    longer = ends_at > course.agreed_end(order)
    if longer and command.actor == order.proposed_by:
        return Rejection(
            "own_proposal",
            f"Expected somebody other than {order.proposed_by}, who proposed it, to keep it for longer than agreed.",
        )
    named = (*order.overridden_rules, *command.override_rules)
    barred = _unknown_rules(command.override_rules, view)
    if barred is None and course.asks_the_rules(order, ends_at):
        barred = course.stay_breach(book, order, ends_at, named, situation)
    if barred is not None:
        return barred
    fact = RerouteExtended(
        reroute_id=order.reroute_id,
        at=situation.now,
        by=command.actor,
        reason=command.reason,
        ends_at=ends_at,
        overridden_rules=overridden(course.broken_now(book, order, situation), command.override_rules),
    )
    return Done((fact,), f"In force until {in_utc(ends_at)}.{_idle(command.override_rules, fact.overridden_rules)}")


def end(book: OrderBook, order: RerouteOrder, command: EndReroute, situation: Situation) -> Done | Rejection:
    """Let the work come back from now on."""
    if not _on_duty(order, command, situation):
        return _not_authorised(command, "end")
    fact = course.coming_back(order, command.actor, command.reason, course.floor_of(book, situation))
    return Done((fact,), f"Returning: {fact.held_percent} % still held, all back by itself.")


def end_again(book: OrderBook, order: RerouteOrder, command: EndReroute, situation: Situation) -> Done | Rejection:
    """It is on its way back already."""
    return Done((), "Nothing to change: it is so already.", "noted")


def close_review(book: OrderBook, order: RerouteOrder, command: CloseReview, situation: Situation) -> Done | Rejection:
    """Somebody else who approves such reroutes answers for the broken glass."""
    if order.review != "open":
        return Rejection("nothing_to_review", f"Expected an open review of {order.reroute_id}, found none.")
    if command.actor == order.proposed_by:
        return Rejection("own_proposal", f"Expected somebody other than {order.proposed_by}, who broke the glass.")
    view = _view(situation)
    if not may_approve(_duty(command, view), order.terms.scope, view):
        return _not_authorised(command, "review")
    fact = ReviewClosed(reroute_id=order.reroute_id, at=situation.now, by=command.actor, words=command.reason)
    return Done((fact,), "The review is closed.")


def not_now(book: OrderBook, order: RerouteOrder, command: RerouteCommand, situation: Situation) -> Rejection:
    """The command does not fit where the reroute is: what it is for, and what helps instead."""
    return Rejection(
        "wrong_phase",
        f"Expected {WANTED[type(command)]}, found {order.reroute_id} {order.phase}; {_instead(order, command)}.",
    )


def _instead(order: RerouteOrder, command: RerouteCommand) -> str:
    if phase_of(order) not in OVER:
        return INSTEAD[phase_of(order)]
    stops = isinstance(command, RefuseReroute | CancelReroute | EndReroute)
    return "nothing of it is left to stop" if stops else "propose it anew"


def taken(book: OrderBook, order: RerouteOrder, command: ProposeReroute, situation: Situation) -> Rejection:
    """The id is another proposal's."""
    return Rejection("conflict", f"Expected a reroute id of its own, found {order.reroute_id} proposed already.")


def unheard_of(book: OrderBook, order: None, command: RerouteCommand, situation: Situation) -> Rejection:
    """Nobody proposed it, or it is long over."""
    return Rejection("unknown_reroute", f"Expected a reroute that is known, found none named {command.reroute_id}.")


def _rules() -> dict[tuple[Phase, type[Event]], Rule]:
    """Every phase with every command; what is not named here does not fit."""
    kinds: tuple[type[RerouteCommand], ...] = (
        ProposeReroute,
        ApproveReroute,
        RefuseReroute,
        CancelReroute,
        ExtendReroute,
        EndReroute,
        CloseReview,
    )
    table: dict[tuple[Phase, type[Event]], Rule] = {(phase, kind): not_now for phase in Phase for kind in kinds}
    table |= {(phase, ProposeReroute): taken for phase in Phase}
    table |= {(Phase.NEW, kind): unheard_of for kind in kinds}
    table |= {(phase, CloseReview): close_review for phase in (Phase.ACTIVE, Phase.RETURNING, *OVER)}
    table |= {(phase, CancelReroute): cancel for phase in Phase if phase not in OVER and phase is not Phase.NEW}
    table |= {(phase, ExtendReroute): extend for phase in (Phase.ACTIVE, Phase.RETURNING)}
    return table


RULES: Final[Mapping[tuple[Phase, type[Event]], Rule]] = _rules() | {
    (Phase.NEW, ProposeReroute): propose,
    (Phase.PROPOSED, ApproveReroute): approve,
    (Phase.PROPOSED, RefuseReroute): refuse_it,
    (Phase.ACTIVE, EndReroute): end,
    (Phase.RETURNING, EndReroute): end_again,
}


# --------------------------------------------------------------------- the law


def decide(book: OrderBook, event: Event, situation: Situation) -> Facts | Rejection:
    """The facts that follow from one event, or a refusal. Pure: reads the book, never moves it."""
    match event:
        case TimerFired(name="calendar") | HeedCalendar():
            return _heed(book, situation)
        case TimerFired():
            return _due(book, situation)
        case RerouteCommand():
            return _obey(book, event, situation)
        case SubmissionSentBack():
            return _counted(book, event)
        case _:
            raise InvariantError(f"Expected an event of emergency, found {type(event).__name__}")


def _due(book: OrderBook, situation: Situation) -> Facts:
    """The first order whose hour has come, by proposal; the alarm rings again at once while there are more.

    Holds:   each is judged on what the one before did: two that begin at the same instant never pass each other unseen.
    """
    for order in book.open_orders():
        at = next_look(order)
        if at is not None and at <= situation.now:
            return told(book, order, course.COURSE[phase_of(order)](book, order, situation), situation)
    return ()


def _counted(book: OrderBook, event: SubmissionSentBack) -> Facts:
    """The submission counts for its order. Holds: an order so long over that the book has forgotten it counts no more."""
    if event.reroute_id not in book.orders:
        return ()
    fact = RerouteSentBack(
        reroute_id=event.reroute_id,
        at=event.received_at,
        submission_id=event.submission_id,
        branch_id=event.branch_id,
    )
    return (fact,)


def _heed(book: OrderBook, situation: Situation) -> Facts:
    """The hour that is over, the drills that are due, and when the next ones are. Said again it changes nothing."""
    view, now = _view(situation), situation.now
    facts: list[Message] = [*calendar.hour_marked(book, course.floor_of(book, situation))]
    for entry, due in calendar.due_now(book, view, now):
        facts += told(book, None, calendar.hold(book, entry, due, situation), situation)
    return (*facts, *calendar.planned(book, view, now))


def _obey(book: OrderBook, command: RerouteCommand, situation: Situation) -> Facts | Rejection:
    """A command that was answered before keeps its answer; any other meets its rule."""
    answer = book.answers.get(command.command_id)
    if answer is not None:
        if answer.fingerprint == fingerprint_of(command):
            return ()
        return Rejection("conflict", f"Expected a new command id, found {command.command_id} used for something else.")
    fault = words_fault(command.reason)
    if fault is not None:
        return Rejection(*fault)
    order = book.orders.get(command.reroute_id)
    done = RULES[phase_of(order), type(command)](book, order, command, situation)
    if isinstance(done, Rejection):
        return done
    return (*told(book, order, done.facts, situation), _answer(command, done.code, done.detail, situation))


def told(
    book: OrderBook, order: RerouteOrder | None, facts: Sequence[RerouteFact], situation: Situation
) -> Sequence[Message]:
    """The facts of one reroute's life, what came of it when it was a drill and is over, and the reroute as it then
    stands, for the boards."""
    if not facts:
        return ()
    after = reduce(moved, facts, order)
    if after is None:
        return facts
    if after.terms.drill and after.over_at is not None and after.drill_outcome is None:
        judged = judgement(book, after, situation)
        return (*facts, judged, moved(after, judged))
    return (*facts, after)


def refuse(book: OrderBook, event: Event, rejection: Rejection, situation: Situation) -> Facts:
    """The refusal as a fact."""
    if not isinstance(event, RerouteCommand):
        raise InvariantError(f"Expected only commands to be refused, found {rejection.code} of {type(event).__name__}")
    return (_answer(event, rejection.code, rejection.detail, situation),)


def key(event: Message) -> str | None:
    """The one book."""
    return event.key


def owner(fact: Message) -> str:
    """The one book, whatever the fact."""
    return BOOK


def fingerprint_of(command: RerouteCommand) -> str:
    """A hash of what the command asks for: everything but when it was sent."""
    return hashlib.sha256(command.model_dump_json(exclude={"issued_at"}).encode()).hexdigest()


# ------------------------------------------------------------------------ parts


def _answer(command: RerouteCommand, code: str, detail: str, situation: Situation) -> RerouteAnswered:
    return RerouteAnswered(
        reroute_id=command.reroute_id,
        at=situation.now,
        command_id=command.command_id,
        actor=command.actor,
        fingerprint=fingerprint_of(command),
        code=cast(Any, code),  # the contract checks it against the codes that it knows
        detail=detail,
    )


def _over(order: RerouteOrder, command: RerouteCommand, outcome: str, situation: Situation) -> RerouteOver:
    return RerouteOver(
        reroute_id=order.reroute_id,
        at=situation.now,
        by=command.actor,
        outcome=cast(Any, outcome),
        detail=command.reason,
    )


def _view(situation: Situation) -> ReferenceView:
    view: ReferenceView = situation.boards["reference"]
    return view


def _duty(command: RerouteCommand, view: ReferenceView) -> RerouteDuty | None:
    return view.reroute_duties.get(command.actor)


def _on_duty(order: RerouteOrder, command: RerouteCommand, situation: Situation) -> bool:
    """On duty for the scope, or, for what they proposed themselves, on any duty at all."""
    view = _view(situation)
    duty = _duty(command, view)
    if duty is None:
        return False
    scope: Scope = order.terms.scope
    return command.actor == order.proposed_by or may_propose(duty, scope, view) or may_approve(duty, scope, view)


def _not_authorised(command: RerouteCommand, what: str) -> Rejection:
    return Rejection(
        "not_authorised", f"Expected {command.actor} on duty to {what} reroutes of this scope; ask who is on call."
    )
