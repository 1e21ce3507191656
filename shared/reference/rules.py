"""What the reference data must keep as a whole, beyond what each entry's contract says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from shared.contracts.reference import BusinessType, Operator, ReferenceEntry, Tier
from shared.reference.board import ReferenceView

STEPS = ("entry", "arbitration", "review", "authorisation", "inspection")


def faults_of(entries: Iterable[ReferenceEntry]) -> list[str]:
    """Every fault of the data as a whole, one sentence each with its remedy."""
    rows = list(entries)
    view = ReferenceView()
    for row in rows:
        view.fold(row.key, row)
    return [*_twice(rows), *_dangling(view), *_templates(view), *_staffing(view)]


def _twice(rows: list[ReferenceEntry]) -> Iterator[str]:
    for key, count in Counter(row.key for row in rows).items():
        if count > 1:
            yield f"{key}: defined {count} times; keep one"


def _dangling(view: ReferenceView) -> Iterator[str]:
    for team in view.teams.values():
        if team.centre_id not in view.centres:
            yield f"team {team.id}: centre {team.centre_id!r} is not defined; define it or name one of {sorted(view.centres)}"
        if team.provider_id not in view.providers:
            yield f"team {team.id}: provider {team.provider_id!r} is not defined; name one of {sorted(view.providers)}"
    for operator in view.operators.values():
        yield from _operator(operator, view)


def _operator(operator: Operator, view: ReferenceView) -> Iterator[str]:
    if operator.team_id not in view.teams:
        yield f"operator {operator.id}: team {operator.team_id!r} is not defined; name one of {sorted(view.teams)}"
    if operator.branch_id is not None and operator.branch_id not in view.branches:
        yield f"operator {operator.id}: branch {operator.branch_id!r} is not defined; define it or leave it out"
    for work_type in operator.work_types:
        business_type, _, step = work_type.partition("/")
        if business_type not in view.business_types or step not in STEPS:
            yield f"operator {operator.id}: work type {work_type!r} is unknown; expected <business type>/<{'|'.join(STEPS)}>"


def _templates(view: ReferenceView) -> Iterator[str]:
    for template in view.business_types.values():
        names = Counter(field.name for field in template.fields)
        for name, count in names.items():
            if count > 1:
                yield f"business type {template.id}: field {name!r} stands {count} times; keep one"
        if template.amount_field is not None and template.amount_field not in names:
            yield f"business type {template.id}: amount_field {template.amount_field!r} is none of its fields"
        if template.tiers and template.amount_field is None:
            yield f"business type {template.id}: tiers go by the amount; name its amount_field"
        yield from _areas(template)
        yield from _tiers(template.id, template.tiers)


def _areas(template: BusinessType) -> Iterator[str]:
    for field in template.fields:
        area = field.area
        if area.left + area.width > 1 or area.top + area.height > 1:
            yield f"business type {template.id}: field {field.name}: its area reaches beyond the image; left+width, top+height ≤ 1"
        for keying in field.vendor_keyings:
            if not 1 <= keying <= field.keyings:
                yield f"business type {template.id}: field {field.name}: vendor keying {keying} is not one of its {field.keyings}"


def _tiers(name: str, tiers: tuple[Tier, ...]) -> Iterator[str]:
    bounds = [tier.below_minor for tier in tiers]
    known = [bound for bound in bounds if bound is not None]
    if tiers and (bounds[-1] is not None or None in bounds[:-1]):
        yield f"business type {name}: expected the last tier, and no other, to have below_minor: null"
    if known != sorted(set(known)):
        yield f"business type {name}: expected tiers in rising order of below_minor, found {known}"


def _staffing(view: ReferenceView) -> Iterator[str]:
    inside = [o for o in view.operators.values() if _inside(o, view)]
    for template in view.business_types.values():
        steps = ["entry", "arbitration"] + (["review"] if template.review else [])
        steps += ["authorisation"] if any(tier.authorisers for tier in template.tiers) else []
        for step in steps:
            if not any(f"{template.id}/{step}" in operator.work_types for operator in inside):
                yield f"business type {template.id}: no in-house operator holds {template.id}/{step}; qualify somebody"
        yield from _grades(template, inside)


def _inside(operator: Operator, view: ReferenceView) -> bool:
    team = view.teams.get(operator.team_id)
    provider = None if team is None else view.providers.get(team.provider_id)
    return provider is not None and not provider.outside


def _grades(template: BusinessType, inside: list[Operator]) -> Iterator[str]:
    for tier in template.tiers:
        able = [o for o in inside if f"{template.id}/authorisation" in o.work_types and o.grade >= tier.grade_min]
        teams = {operator.team_id for operator in able}
        if tier.authorisers and len(able) < tier.authorisers:
            yield f"business type {template.id}: a tier needs {tier.authorisers} of grade {tier.grade_min}, found {len(able)}"
        elif tier.distinct_teams and len(teams) < tier.authorisers:
            yield f"business type {template.id}: a tier needs authorisers of {tier.authorisers} teams, found {len(teams)}"
