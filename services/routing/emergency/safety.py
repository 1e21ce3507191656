"""The safety rules for reroutes, which are reference data, and who may do what about them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, time, timedelta
from itertools import product
from typing import Final, get_args
from zoneinfo import ZoneInfo

from services.routing.emergency.bounds import latest_start
from services.routing.emergency.floor import FloorNow, may_hold, touched_teams
from shared.contracts.message import Step
from shared.contracts.reference import RerouteDuty, RerouteRule, Team
from shared.contracts.reroute import BrokenRule, RerouteOrder, RerouteScope, RerouteTerms
from shared.reference.board import ReferenceView
from shared.reference.drills import on_duty_for
from shared.reroutes import covers_team, rank, resolve, share_now
from shared.runtime.processor import Rejection

ASSERTIONS: Final = frozenset({"able_centres", "able_people"})
"""Forms that hold as long as a reroute is in force; the others say when one may begin."""


def broken_rules(terms: RerouteTerms, floor: FloorNow, past: Sequence[RerouteOrder]) -> Iterator[BrokenRule]:
    """The rules that the reroute would break if it began now, by rule id. `past` are the reroutes that are over."""
    rules = floor.book.reference.reroute_rules
    for rule_id in sorted(rules):
        rule = rules[rule_id]
        detail = None if rule.drills_only and not terms.drill else _breach(rule, terms, floor, past)
        if detail is not None:
            yield BrokenRule(rule_id=rule_id, detail=detail, overridable=rule.overridable)


def broken_by_staying(terms: RerouteTerms, floor: FloorNow) -> list[BrokenRule]:
    """The rules that the reroute breaks as long as it is in force, whenever it began, by rule id. `floor` is without it."""
    rules = floor.book.reference.reroute_rules
    return [broken for broken in broken_rules(terms, floor, ()) if rules[broken.rule_id].form in ASSERTIONS]


def fixed(broken: Iterable[BrokenRule]) -> Rejection | None:
    """The first of the rules that nobody overrides."""
    for rule in broken:
        if not rule.overridable:
            return Rejection("rule_not_overridable", rule.detail)
    return None


def unnamed(broken: Iterable[BrokenRule], named: Container[str]) -> Rejection | None:
    """The rules that nobody has overridden by name, each in its own words."""
    missing = [rule for rule in broken if rule.rule_id not in named]
    if not missing:
        return None
    names = ", ".join(rule.rule_id for rule in missing)
    return Rejection("rules_broken", f"{' '.join(rule.detail for rule in missing)} Override by naming: {names}.")


def overridden(broken: Iterable[BrokenRule], named: Container[str]) -> tuple[str, ...]:
    """The rules that are overridden: named, broken at this moment, and such as may be. Naming another overrides nothing."""
    return tuple(rule.rule_id for rule in broken if rule.overridable and rule.rule_id in named)


def same_hold(one: RerouteTerms, other: RerouteTerms) -> bool:
    """Both hold the same share of the same work in the same way, in whatever order and however often it is named."""
    return (one.effect, one.percent, _named(one.scope)) == (other.effect, other.percent, _named(other.scope))


def _named(scope: RerouteScope) -> Mapping[str, frozenset[str]]:
    return {part: frozenset(names) for part, names in scope}


def _breach(rule: RerouteRule, terms: RerouteTerms, floor: FloorNow, past: Sequence[RerouteOrder]) -> str | None:
    match rule.form:
        case "able_centres":
            return _too_few(rule, terms, floor, "centres")
        case "able_people":
            return _too_few(rule, terms, floor, "people")
        case "anti_flap":
            return _flapping(rule, terms, floor, past)
        case "blocked_window":
            return _blocked(rule, terms, floor)


def _too_few(rule: RerouteRule, terms: RerouteTerms, floor: FloorNow, what: str) -> str | None:
    """Too few would be left, and the reroute takes somebody: also where others in force take the same people already, who
    may end before it."""
    step, taking = rule.step or "", [_as_held(order, floor) for order in floor.in_force]
    left = _able_by_centre(step, [*taking, terms], floor)
    takes = left != _able_by_centre(step, taking, floor)
    if not takes and _able_by_centre(step, [terms], floor) == _able_by_centre(step, [], floor):
        return None
    count = sum(round(people) >= 1 for people in left.values()) if what == "centres" else round(sum(left.values()))
    minimum = rule.minimum if rule.drill_minimum is None or not terms.drill else rule.drill_minimum
    if count >= minimum:
        return None
    return f"Expected at least {minimum} {what} able to do {step} to be left, found {count}: {rule.label}."


def _as_held(order: RerouteOrder, floor: FloorNow) -> RerouteTerms:
    """What the order takes then: while it comes back, what it still holds, as in every other figure of a preview."""
    return order.terms.model_copy(update={"percent": round(100 * floor.share_held(order))})


def _able_by_centre(step: str, taking: Sequence[RerouteTerms], floor: FloorNow) -> Mapping[str, float]:
    """How many people may do something of the step when all of these take their part; who keeps a share counts as that.

    Holds:   what several orders take together counts together, and so does a scope that names everything there is.
    """
    able: dict[str, float] = defaultdict(float)
    for team in floor.teams():
        load = floor.load(team.id)
        if load is None:
            continue
        mine = [floor.may_do(team, person) for person in load.present]
        types = {name for names in mine for name in names if name.rpartition("/")[2] == step}
        left = {name: _left(name, team, taking, floor) for name in types}
        able[team.centre_id] += sum(max((left[name] for name in names if name in left), default=0.0) for names in mine)
    return able


def _left(work_type: str, team: Team, taking: Sequence[RerouteTerms], floor: FloorNow) -> float:
    """The greatest share that the team keeps of any region's and data class's work of the type."""
    there = [terms for terms in taking if may_hold(terms, team, work_type)]
    return max(1 - _taken(there, region, data_class) for region, data_class in _sorts(team, floor))


def _taken(taking: Iterable[RerouteTerms], region: str | None, data_class: str | None) -> float:
    return max((terms.percent / 100 for terms in taking if _meant(terms.scope, region, data_class)), default=0.0)


def _meant(scope: RerouteScope, region: str | None, data_class: str | None) -> bool:
    return (not scope.regions or region in scope.regions) and (
        not scope.data_classes or data_class in scope.data_classes
    )


def _sorts(team: Team, floor: FloorNow) -> Iterable[tuple[str | None, str | None]]:
    """Every region with every data class that the team may see. Holds: work without a region is left out, for it alone
    nobody should count as able."""
    view, provider = floor.book.reference, floor.book.provider_of(team.id)
    regions: set[str | None] = {branch.region for branch in view.branches.values() if branch.region}
    return product(regions or {None}, (provider.data_classes if provider else ()) or (None,))


def _flapping(rule: RerouteRule, terms: RerouteTerms, floor: FloorNow, past: Sequence[RerouteOrder]) -> str | None:
    since = _begins(terms, floor) - timedelta(seconds=rule.wait_seconds)
    for order in past:
        if order.started_at is None or order.over_at is None or order.over_at <= since:
            continue
        if overlap(order.terms, terms, floor.teams()):
            return (
                f"Expected {rule.wait_seconds:.0f} s since {order.reroute_id} was over at "
                f"{order.over_at:%H:%M:%S} UTC: {rule.label}."
            )
    return None


def _blocked(rule: RerouteRule, terms: RerouteTerms, floor: FloorNow) -> str | None:
    """A real order must not begin in the window, a drill not be held in any of it. Units: whole minutes of local time."""
    zone = ZoneInfo(floor.book.reference.limits.time_zone)
    begins = _begins(terms, floor).replace(second=0, microsecond=0)
    ends = begins + timedelta(minutes=terms.minutes if terms.drill else 0)
    here, there = begins.astimezone(zone), ends.astimezone(zone)
    if rule.begins <= f"{here:%H:%M}" < rule.ends:
        return f"Expected no reroute to begin between {rule.begins} and {rule.ends}: {rule.label}."
    opens = (datetime.combine(day, time.fromisoformat(rule.begins), zone) for day in {here.date(), there.date()})
    if any(begins <= at < ends for at in opens):
        return f"Expected no drill between {rule.begins} and {rule.ends}, found one until {there:%H:%M}: {rule.label}."
    return None


def _begins(terms: RerouteTerms, floor: FloorNow) -> datetime:
    """When it would begin: now, unless it says later."""
    return min(max(terms.starts_at or floor.now, floor.now), latest_start(floor.now))


# ------------------------------------------------------------------- authority


def may_propose(duty: RerouteDuty | None, scope: RerouteScope, view: ReferenceView) -> bool:
    """The person proposes reroutes, and for all of this scope."""
    return duty is not None and duty.proposes and covers(duty, scope, view)


def may_approve(duty: RerouteDuty | None, scope: RerouteScope, view: ReferenceView) -> bool:
    """The person approves reroutes, and for all of this scope."""
    return duty is not None and duty.approves and covers(duty, scope, view)


def may_break_glass(duty: RerouteDuty | None, scope: RerouteScope, view: ReferenceView) -> bool:
    """The person may start a short reroute alone, for all of this scope."""
    return duty is not None and duty.breaks_glass and covers(duty, scope, view)


def covers(duty: RerouteDuty, scope: RerouteScope, view: ReferenceView) -> bool:
    """Every team of the scope lies where the person is on duty."""
    return all(on_duty_for(duty, team) for team in touched_teams(scope, view.teams.values()))


def overlap(one: RerouteTerms, other: RerouteTerms, teams: Sequence[Team]) -> bool:
    """Some work at some team could be touched by both; a local order competes with local ones alone."""
    if (one.effect == "local") != (other.effect == "local"):
        return False
    if one.effect != "local" and not any(covers_team(one.scope, t) and covers_team(other.scope, t) for t in teams):
        return False
    return _types_meet(one.scope, other.scope) and all(
        _meet(ours, theirs)
        for ours, theirs in (
            (one.scope.business_types, other.scope.business_types),
            (one.scope.regions, other.scope.regions),
            (one.scope.data_classes, other.scope.data_classes),
        )
    )


def rivals(order: RerouteOrder, others: Iterable[RerouteOrder], teams: Sequence[Team]) -> list[RerouteOrder]:
    """The others that compete with the order for some work."""
    return [
        other for other in others if other.reroute_id != order.reroute_id and overlap(order.terms, other.terms, teams)
    ]


def overlaps(
    order: RerouteOrder, others: Iterable[RerouteOrder], teams: Sequence[Team], now: datetime
) -> tuple[str, ...]:
    """Which of the two applies now, for each of the order's rivals among the others, in a sentence."""
    return tuple(_which_applies(order, rival, now) for rival in rivals(order, others, teams))


def _which_applies(one: RerouteOrder, other: RerouteOrder, now: datetime) -> str:
    """Holds: who is chosen at a smaller share is chosen at a larger one, so the one that goes before applies to all that it
    holds now, which is told where its terms do not say it, and the other to what it holds beyond that."""
    first, second = sorted((one, other), key=rank, reverse=True)
    ((_, sentence),) = resolve((first, second)).passed_over
    held, beyond = share_now(first, now), share_now(second, now) - share_now(first, now)
    if beyond > 0:
        rest = f", and {second.reroute_id} the {100 * beyond:.3g} % beyond that"
    elif 100 * held < first.terms.percent:
        rest = ""
    else:
        return sentence
    return f"{sentence}; it holds {100 * held:.3g} % now{rest}"


def _types_meet(one: RerouteScope, other: RerouteScope) -> bool:
    """Holds: a work type named here meets its business type named there."""
    business_types = [{name.rpartition("/")[0] for name in scope.work_types} for scope in (one, other)]
    return (
        _meet(one.work_types, other.work_types)
        and _meet(business_types[0], other.business_types)
        and _meet(business_types[1], one.business_types)
    )


def _meet(ours: Collection[str], theirs: Collection[str]) -> bool:
    """Something is in both; what names nothing is not narrowed."""
    return not ours or not theirs or bool(set(ours) & set(theirs))


def scope_fault(terms: RerouteTerms, view: ReferenceView) -> tuple[str, str] | None:
    """What is wrong with the scope: a code and a sentence."""
    scope = terms.scope
    if not any(scope.model_dump().values()):
        return "scope_empty", "Expected the scope to name something, found the whole floor; narrow it."
    known: Mapping[str, tuple[Iterable[str], Container[str | None]]] = {
        "centre": (scope.centres, view.centres),
        "team": (scope.teams, view.teams),
        "provider": (scope.providers, view.providers),
        "business type": (scope.business_types, view.business_types),
        "business type of a work type": ([name.rpartition("/")[0] for name in scope.work_types], view.business_types),
        "step of a work type": ([name.rpartition("/")[2] for name in scope.work_types], get_args(Step)),
        "region": (scope.regions, {branch.region for branch in view.branches.values()}),
        "data class": (scope.data_classes, {name for one in view.providers.values() for name in one.data_classes}),
    }
    for noun, (named, there) in known.items():
        for name in named:
            if name not in there:
                return "scope_unknown", f"Expected a known {noun}, found {name!r}; check the reference data."
    if not _types_meet(scope, scope):
        return (
            "scope_unknown",
            "Expected a work type of the scope to be of one of its business types, found none: its parts do not meet.",
        )
    if terms.effect == "local" and (
        scope.centres or scope.teams or scope.providers or scope.work_types or scope.data_classes
    ):
        return "scope_not_local", "Expected a local order to go by business types and regions alone: branches obey it."
    if terms.effect != "local" and not touched_teams(scope, view.teams.values()):
        return "scope_unknown", "Expected at least one team in the scope, found none: its parts do not meet."
    return None
