"""The safety rules for reroutes, which are reference data, and who may do what about them."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from services.routing.emergency.floor import FloorNow, touched_teams
from shared.contracts.reference import RerouteDuty, RerouteRule, Team
from shared.contracts.reroute import BrokenRule, RerouteOrder, RerouteScope, RerouteTerms
from shared.reference.board import ReferenceView
from shared.reference.drills import on_duty_for


def broken_rules(terms: RerouteTerms, floor: FloorNow, past: Sequence[RerouteOrder]) -> Iterator[BrokenRule]:
    """The rules that the reroute would break if it began now, by rule id. `past` are the reroutes that are over."""
    rules = floor.book.reference.reroute_rules
    for rule_id in sorted(rules):
        rule = rules[rule_id]
        detail = None if rule.drills_only and not terms.drill else _breach(rule, terms, floor, past)
        if detail is not None:
            yield BrokenRule(rule_id=rule_id, detail=detail, overridable=rule.overridable)


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
    """Too few would be left, and the reroute has a part in it."""
    step = rule.step or ""
    before = {team.id: floor.able_to_do(team, step) for team in floor.teams() if not _closed(floor, team, step)}
    gone = {team.id for team in floor.teams() if _takes_away(terms, team, step)}
    left = {team_id: count for team_id, count in before.items() if count and team_id not in gone}
    if sum(before.values()) == sum(left.values()):
        return None
    centres = {floor.book.reference.teams[team_id].centre_id for team_id in left}
    count = len(centres) if what == "centres" else sum(left.values())
    minimum = rule.minimum if rule.drill_minimum is None or not terms.drill else rule.drill_minimum
    if count >= minimum:
        return None
    return f"Expected at least {minimum} {what} able to do {step} to be left, found {count}: {rule.label}."


def _takes_away(terms: RerouteTerms, team: Team, step: str) -> bool:
    scope = terms.scope
    narrowed = scope.business_types or scope.regions or scope.data_classes
    meant = not scope.work_types or any(name.rpartition("/")[2] == step for name in scope.work_types)
    whole = terms.percent == 100 and not narrowed and terms.effect != "local"
    return whole and meant and team in touched_teams(scope, [team])


def _closed(floor: FloorNow, team: Team, step: str) -> bool:
    return any(_takes_away(order.terms, team, step) for order in floor.in_force)


def _flapping(rule: RerouteRule, terms: RerouteTerms, floor: FloorNow, past: Sequence[RerouteOrder]) -> str | None:
    since = floor.now - timedelta(seconds=rule.wait_seconds)
    teams = {team.id for team in touched_teams(terms.scope, floor.teams())}
    for order in past:
        if order.started_at is None or order.over_at is None or order.over_at <= since:
            continue
        if teams & {team.id for team in touched_teams(order.terms.scope, floor.teams())}:
            return (
                f"Expected {rule.wait_seconds:.0f} s since {order.reroute_id} was over at "
                f"{order.over_at:%H:%M:%S} UTC: {rule.label}."
            )
    return None


def _blocked(rule: RerouteRule, terms: RerouteTerms, floor: FloorNow) -> str | None:
    begins: datetime = terms.starts_at or floor.now
    local = begins.astimezone(ZoneInfo(floor.book.reference.limits.time_zone))
    if rule.begins <= f"{local:%H:%M}" < rule.ends:
        return f"Expected no reroute to begin between {rule.begins} and {rule.ends}: {rule.label}."
    return None


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
        "region": (scope.regions, {branch.region for branch in view.branches.values()}),
    }
    for noun, (named, there) in known.items():
        for name in named:
            if name not in there:
                return "scope_unknown", f"Expected a known {noun}, found {name!r}; check the reference data."
    if terms.effect == "local" and (
        scope.centres or scope.teams or scope.providers or scope.work_types or scope.data_classes
    ):
        return "scope_not_local", "Expected a local order to go by business types and regions alone: branches obey it."
    if terms.effect != "local" and not touched_teams(scope, view.teams.values()):
        return "scope_unknown", "Expected at least one team in the scope, found none: its parts do not meet."
    return None
