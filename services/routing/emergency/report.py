"""What an auditor reads of one reroute: its life in sentences, also as a page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Final

from pydantic import BaseModel, ConfigDict

from services.routing.emergency.bounds import in_utc
from services.routing.emergency.safety import overlaps
from shared.contracts import reroute as told
from shared.contracts.message import Message
from shared.contracts.reference import Team
from shared.contracts.reroute import DrillOutcome, Preview, RerouteOrder, RerouteScope
from shared.reroutes import IN_FORCE

NOT_FOUND: Final = "none"
OVER: Final = "over by its own clock"
WHOLE: Final = 100  # percent
REVIEWED: Final = "closed the review"
BRANCHES_TOLD: Final = 20  # by name; the rest of them is counted


class LifeLine(BaseModel):
    """One thing that happened, as a sentence."""

    model_config = ConfigDict(frozen=True)

    at: datetime
    who: str
    sentence: str


class MovedView(BaseModel):
    """How many items left one desk."""

    model_config = ConfigDict(frozen=True)

    team_id: str
    items: int


class SentBackView(BaseModel):
    """How many submissions went back to one branch."""

    model_config = ConfigDict(frozen=True)

    branch_id: str
    submissions: int


class RerouteReport(BaseModel):
    """One reroute with everything that came of it, as of an instant."""

    model_config = ConfigDict(frozen=True)

    at: datetime
    order: RerouteOrder
    scope: str
    held_percent: int
    moved: tuple[MovedView, ...]
    unplaceable: int  # items that wait at no desk now, and that it keeps from a team
    passed_over: tuple[str, ...]  # orders in force over the same place, and which of them applies
    life: tuple[LifeLine, ...]
    sent_back: tuple[SentBackView, ...] = ()  # by branch, those with the most first


def scope_words(scope: RerouteScope) -> str:
    """The scope as people say it: `centre north, business type payroll`."""
    parts = [
        f"{noun} {' or '.join(names)}"
        for noun, names in (
            ("centre", scope.centres),
            ("team", scope.teams),
            ("provider", scope.providers),
            ("work type", scope.work_types),
            ("business type", scope.business_types),
            ("region", scope.regions),
            ("data class", scope.data_classes),
        )
        if names
    ]
    return ", ".join(parts) or "the whole floor"


def line_of(fact: Message) -> LifeLine | None:
    """One fact of a reroute's life as a sentence; `None` for what is no fact of it."""
    match fact:
        case told.RerouteProposed():
            return _line(fact, fact.by, _proposed(fact))
        case told.RerouteApproved():
            what = "the drill within its bounds" if fact.beforehand else f"preview {fact.preview_sha256[:12]}"
            return _line(fact, fact.by, f"approved {what}{_overriding(fact)}: {fact.reason}")
        case told.RerouteStarted():
            glass = " by one person; a review was opened" if fact.review_opened else ""
            beside = f"; over the same place {'; '.join(fact.overlaps)}" if fact.overlaps else ""
            return _line(fact, "", f"in force until {in_utc(fact.ends_at)}{glass}{beside}")
        case told.RerouteDrifted():
            now = preview_words(fact.preview)
            return _line(fact, "", f"did not start and asked again: {fact.detail} (now: {now})")
        case told.RerouteExtended():
            return _line(fact, fact.by, f"extended until {in_utc(fact.ends_at)}{_overriding(fact)}: {fact.reason}")
        case told.RerouteReturning():
            return _line(fact, fact.by or "", f"returning, {fact.held_percent} % still held: {fact.reason}")
        case told.RerouteFellBack():
            return _line(fact, "", f"not well, in force again until {in_utc(fact.ends_at)}: {fact.detail}")
        case told.RerouteOver():
            return _line(fact, fact.by or "", f"{fact.outcome}: {fact.detail}")
        case told.ReviewClosed():
            return _line(fact, fact.by, f"{REVIEWED}: {fact.words}")
        case told.DrillJudged():
            return _line(fact, "", f"drill {drill_words(fact.outcome)}")
        case told.RerouteAnswered() if fact.code not in ("done", "noted"):
            return _line(fact, fact.actor, f"refused ({fact.code}): {fact.detail}")
        case _:
            return None


def _overriding(fact: told.RerouteProposed | told.RerouteApproved | told.RerouteExtended) -> str:
    return f", overriding {', '.join(fact.overridden_rules)}" if fact.overridden_rules else ""


def _proposed(fact: told.RerouteProposed) -> str:
    terms = fact.terms
    what = {"shift": f"shift {terms.percent} % of", "local": "send back to the branches"}.get(
        terms.effect, terms.effect
    )
    drill = " as a drill" if terms.drill else ""
    glass = f", breaking the glass{_overriding(fact)}" if fact.break_glass else ""
    begins = f" from {in_utc(terms.starts_at)}" if terms.starts_at else ""
    return (
        f"proposed to {what} {scope_words(terms.scope)} for {terms.minutes} min{begins}{drill}{glass}: {terms.reason} "
        f"({preview_words(fact.preview)})"
    )


def preview_words(preview: Preview) -> str:
    """The preview in one sentence."""
    ends = f"nobody left for {', '.join(preview.dead_ends)}" if preview.dead_ends else "no dead end"
    late = sum(skill.misses_with for skill in preview.skills) - sum(skill.misses_without for skill in preview.skills)
    rules = ", ".join(rule.rule_id for rule in preview.broken_rules) or NOT_FOUND
    limits = ", ".join(f"{one.limit} of {one.name}" for one in preview.limits if one.broken)
    broken = f", limits broken: {limits}" if limits else ""
    hand = f" and {preview.in_hand_moving} in hand" if preview.in_hand_moving else ""
    return f"{preview.items_moving} items{hand} move, {late:+} predicted misses, {ends}, rules broken: {rules}{broken}"


def drill_words(outcome: DrillOutcome) -> str:
    """What came of a drill, in one sentence."""
    words = f"{outcome.outcome.replace('_', ' ')}: {outcome.detail}"
    if outcome.completed:
        words += f" {outcome.completed} items completed meanwhile, {outcome.late} of them late."
    if outcome.return_seconds is not None:
        words += f" The return took {outcome.return_seconds:.0f} s."
    return words


def in_force_words(order: RerouteOrder, clock: Callable[[datetime], str]) -> str:
    """From when until when it was, or is to be, in force; and when the last of the work was back."""
    if order.started_at is None or order.ends_at is None:
        return "not begun"
    ended = min(order.ends_at, order.over_at) if order.over_at else order.ends_at
    words = f"{clock(order.started_at)} to {clock(ended)}"
    return f"{words}, all back at {clock(order.over_at)}" if order.over_at and order.over_at > ended else words


def share_held(order: RerouteOrder, held_percent: int) -> int:
    """How much of the work it holds, in percent: a part of its share while it comes back."""
    return round(order.terms.percent * held_percent / 100)


def back_words(submissions: int | None) -> str:
    """How many submissions a local order is likely to send back."""
    if submissions is None:
        return "How many that will be nobody knows: there is no good plan of what comes."
    return f"About {submissions:,} submissions will go back until it ends (of every region, as the plan expects them)."


def sent_back_words(rows: Sequence[SentBackView]) -> str:
    """How many submissions went back, in all and by branch."""
    if not rows:
        return NOT_FOUND
    named, rest = rows[:BRANCHES_TOLD], rows[BRANCHES_TOLD:]
    parts = [f"{row.branch_id}: {row.submissions:,}" for row in named]
    if rest:
        parts.append(f"{len(rest):,} other branches: {sum(row.submissions for row in rest):,}")
    return f"{sum(row.submissions for row in rows):,} submissions ({', '.join(parts)})"


def phase_now(order: RerouteOrder, held: int) -> str:
    """Where the order is in its life as desks and placement see it, who go by its own instants and wait for no book: its
    phase, or `returning` after its end, or `OVER` when all is back.

    Units:   `held` is what it holds now, in percent, as `held_percent` says.
    """
    if order.phase not in IN_FORCE or held == WHOLE:
        return order.phase
    return "returning" if held else OVER


def minutes_in_force(order: RerouteOrder) -> int:
    """For how long it is to be in force, as it was last said: it may have been kept for longer than was proposed."""
    if order.started_at is None or order.ends_at is None:
        return order.terms.minutes
    return max(order.terms.minutes, round((order.ends_at - order.started_at).total_seconds() / 60))


def _line(fact: told.RerouteFact, who: str, sentence: str) -> LifeLine:
    return LifeLine(at=fact.at, who=who, sentence=sentence)


def came_over_it(order: RerouteOrder, later: Iterable[RerouteOrder], teams: Sequence[Team]) -> tuple[LifeLine, ...]:
    """The orders that began while it was in force and compete with it, as lines of its life: what both held then, by their
    own instants, whatever became of them."""
    then = order.model_copy(update={"phase": "active"})
    return tuple(
        LifeLine(at=other.started_at, who="", sentence=f"{other.reroute_id} came over the same place: {sentence}")
        for other in later
        if other.started_at is not None
        for sentence in overlaps(then, (other.model_copy(update={"phase": "active"}),), teams, other.started_at)
    )


def report_of(
    at: datetime,
    order: RerouteOrder,
    life: Sequence[Message],
    moved: Mapping[str, int],
    unplaceable: int,
    held_percent: int,
    passed_over: Sequence[str],
    sent_back: Mapping[str, int],
    came_over_it: Sequence[LifeLine] = (),
) -> RerouteReport:
    """Everything of one reroute."""
    lines = [line for fact in life if (line := line_of(fact)) is not None]
    for line in came_over_it:
        lines.insert(next((n for n, other in enumerate(lines) if other.at > line.at), len(lines)), line)
    return RerouteReport(
        at=at,
        order=order,
        scope=scope_words(order.terms.scope),
        held_percent=held_percent,
        moved=tuple(MovedView(team_id=team_id, items=items) for team_id, items in sorted(moved.items())),
        unplaceable=unplaceable,
        passed_over=tuple(passed_over),
        life=tuple(lines),
        sent_back=tuple(
            SentBackView(branch_id=branch_id, submissions=submissions)
            for branch_id, submissions in sorted(sent_back.items(), key=lambda row: (-row[1], row[0]))
        ),
    )


# ---------------------------------------------------------------------- as page

_STYLE: Final = (
    "body{font:16px/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#111;background:#fff}"
    "table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #999}"
    "td:last-child{overflow-wrap:anywhere}"
)


def _what(order: RerouteOrder, scope: str) -> str:
    """What was agreed to: the effect, where, how much of it, for how long."""
    terms = order.terms
    share = f" of {terms.percent} %" if terms.effect == "shift" else ""
    longer = minutes_in_force(order)
    kept = f" (kept for longer: {longer} min)" if longer > terms.minutes else ""
    drill = ", a drill" if terms.drill else ""
    return f"{terms.effect}{share} of {scope} for {terms.minutes} min{kept}{drill}"


def _approved(order: RerouteOrder) -> str:
    if order.break_glass:
        return f"by nobody: {order.proposed_by} broke the glass and started it alone"
    if order.approved_at is None:
        return "by nobody"
    signed = ", by signing the calendar" if order.approved_beforehand else ""
    return f"{order.approved_by}, {in_utc(order.approved_at)}{signed}"


def _review(report: RerouteReport) -> str:
    """Whether somebody else answered for a broken glass, who, when and with which words."""
    order = report.order
    closing = next((line for line in report.life if line.sentence.startswith(f"{REVIEWED}: ")), None)
    if order.review == "closed" and closing is not None:
        return f"closed by {closing.who}, {in_utc(closing.at)}: {closing.sentence.removeprefix(f'{REVIEWED}: ')}"
    return "open: nobody has answered for it yet" if order.review == "open" else order.review


def _wait(seconds: float | None) -> str:
    return "for ever" if seconds is None else f"{seconds / 60:.0f} min"


def page_of(report: RerouteReport) -> str:
    """The report as one HTML page that stands alone. Holds: every word of people is escaped."""
    order = report.order
    facts = {
        "What": _what(order, report.scope),
        "Why": order.terms.reason,
        "Phase": phase_now(order, report.held_percent),
        "Proposed": f"{order.proposed_by}, {in_utc(order.proposed_at)}",
        "Approved": _approved(order),
        "In force": in_force_words(order, in_utc),
        "Preview approved" if order.approved_at else "Preview, approved by nobody": (
            f"{order.preview.sha256}: {preview_words(order.preview)}"
        ),
        "Rules overridden": ", ".join(order.overridden_rules) or NOT_FOUND,
        "Review": _review(report),
        "Drill": drill_words(order.drill_outcome) if order.drill_outcome else NOT_FOUND,
        "Items moved": ", ".join(f"{row.team_id}: {row.items}" for row in report.moved) or NOT_FOUND,
        "Sent back": sent_back_words(report.sent_back),
        "Waits with nobody": f"{report.unplaceable} items" if report.unplaceable else NOT_FOUND,
    }
    rows = "".join(f"<tr><th scope='row'>{name}</th><td>{escape(value)}</td></tr>" for name, value in facts.items())
    skills = "".join(
        f"<tr><td>{escape(skill.work_type)}</td><td>{skill.moves}</td><td>{skill.people_without}</td>"
        f"<td>{skill.people_with}</td><td>{_wait(skill.wait_seconds_without)}</td><td>{_wait(skill.wait_seconds_with)}</td>"
        f"<td>{skill.misses_without}</td><td>{skill.misses_with}</td></tr>"
        for skill in order.preview.skills
    )
    limits = "".join(f"<li>{escape(limit.words)}</li>" for limit in order.preview.limits)
    life = "".join(
        f"<tr><td>{in_utc(line.at)}</td><td>{escape(line.who)}</td><td>{escape(line.sentence)}</td></tr>"
        for line in report.life
    )
    return (
        f"<!doctype html><html lang='en'><head><meta charset='utf-8'><title>Reroute {escape(order.reroute_id)}</title>"
        f"<style>{_STYLE}</style></head><body><h1>Reroute {escape(order.reroute_id)}</h1><table>{rows}</table>"
        "<h2>What was foreseen</h2><table><tr><th>work type</th><th>items move</th><th>people before</th>"
        "<th>people after</th><th>cleared in, before</th><th>cleared in, after</th><th>misses before</th>"
        f"<th>misses after</th></tr>{skills}</table>{limits and f'<h3>Shares of all work</h3><ul>{limits}</ul>'}"
        f"<h2>What happened</h2><table><tr><th>when</th><th>who</th><th>what</th></tr>{life}</table></body></html>"
    )
