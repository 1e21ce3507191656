"""Whether the house has people for every step of a template, and enough different ones for a whole case."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from shared.contracts.reference import BusinessType, Operator, Provider, Tier
from shared.reference.board import ReferenceView

NO_TIER: Final = Tier(below_minor=None, authorisers=0)


def staffing_faults(template: BusinessType, view: ReferenceView) -> list[str]:
    """What nobody in the house could do; with gaps in single steps, whole cases are not asked about."""
    inside = _inside(view)
    faults = [*_steps(template, inside), *_fields(template, inside), *_tiers(template, inside)]
    return faults or list(_cases(template, [operator for operator, _ in inside]))


def most_seated(wishes: Sequence[Sequence[str]]) -> int:
    """How many roles can be held by different people, when `wishes` has who could hold each.

    Source:  augmenting paths, Kuhn 1955.
    """
    role_by_person: dict[str, int] = {}

    def seat(role: int, asked: set[str]) -> bool:
        for person in wishes[role]:
            if person in asked:
                continue
            asked.add(person)
            holder = role_by_person.get(person)
            if holder is None or seat(holder, asked):
                role_by_person[person] = role
                return True
        return False

    return sum(seat(role, set()) for role in range(len(wishes)))


def _inside(view: ReferenceView) -> list[tuple[Operator, Provider]]:
    found = []
    for operator in view.operators.values():
        team = view.teams.get(operator.team_id)
        provider = None if team is None else view.providers.get(team.provider_id)
        if provider is not None and not provider.outside:
            found.append((operator, provider))
    return found


def _steps(template: BusinessType, inside: Sequence[tuple[Operator, Provider]]) -> Iterator[str]:
    steps = {
        "entry": True,
        "arbitration": any(field.keyings > 1 for field in template.fields),
        "review": template.review,
        "authorisation": any(tier.authorisers for tier in template.tiers),
        "inspection": template.inspection,
    }
    for step, needed in steps.items():
        if needed and not any(_holds(template, step, operator) for operator, _ in inside):
            yield f"nobody in the house can do {template.id}/{step}; qualify somebody"


def _fields(template: BusinessType, inside: Sequence[tuple[Operator, Provider]]) -> Iterator[str]:
    keyers = [provider for operator, provider in inside if _holds(template, "entry", operator)]
    for field in template.fields:
        if keyers and not any(field.data_class in provider.data_classes for provider in keyers):
            yield f"field {field.name}: nobody in the house may see data of class {field.data_class!r}; allow a provider"


def _tiers(template: BusinessType, inside: Sequence[tuple[Operator, Provider]]) -> Iterator[str]:
    for tier in template.tiers:
        able = [operator for operator, _ in inside if _may_authorise(template, tier, operator)]
        teams = {operator.team_id for operator in able}
        if len(able) < tier.authorisers:
            yield f"a tier needs {tier.authorisers} of grade {tier.grade_min}, found {len(able)}; qualify more people"
        elif tier.distinct_teams and len(teams) < tier.authorisers:
            yield f"a tier needs authorisers of {tier.authorisers} teams, found {len(teams)}; qualify another team"


def _cases(template: BusinessType, people: Sequence[Operator]) -> Iterator[str]:
    """A case on which nobody may do two things needs so many different people."""
    for tier in template.tiers or (NO_TIER,):
        roles = _roles(template, tier, people)
        seated = most_seated(list(roles.values()))
        if seated < len(roles):
            yield (
                f"one case can need {len(roles)} different people ({', '.join(roles)}), the house can seat {seated}; "
                f"qualify more people"
            )
            return


def _roles(template: BusinessType, tier: Tier, people: Sequence[Operator]) -> Mapping[str, Sequence[str]]:
    keyings = max(field.keyings for field in template.fields)
    holders = {step: _ids(template, step, people) for step in ("entry", "arbitration", "review")}
    roles = {f"entry-{keying}": holders["entry"] for keying in range(1, keyings + 1)}
    if keyings > 1:
        roles["arbitration"] = holders["arbitration"]
    if template.review:
        roles["review"] = holders["review"]
    able = [operator.id for operator in people if _may_authorise(template, tier, operator)]
    return {**roles, **{f"authorisation-{number}": able for number in range(1, tier.authorisers + 1)}}


def _ids(template: BusinessType, step: str, people: Sequence[Operator]) -> list[str]:
    return [operator.id for operator in people if _holds(template, step, operator)]


def _holds(template: BusinessType, step: str, operator: Operator) -> bool:
    return f"{template.id}/{step}" in operator.work_types


def _may_authorise(template: BusinessType, tier: Tier, operator: Operator) -> bool:
    return _holds(template, "authorisation", operator) and operator.grade >= tier.grade_min
