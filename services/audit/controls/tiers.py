"""Which authorisation an amount needs."""

from __future__ import annotations

from typing import Final

from services.audit.controls.state import Case
from shared.contracts.message import Money
from shared.contracts.reference import BusinessType, Tier
from shared.keyed_values import parse_amount

NO_TIER: Final = Tier(below_minor=None, authorisers=0)


def amount_of(case: Case) -> Money | None:
    """The amount of the case from its amount field, or `None` when it has none or it cannot be read."""
    template = case.template
    value = None if template.amount_field is None else case.values.get(template.amount_field)
    minor = None if value is None else parse_amount(value, template.currency)
    return None if minor is None else Money(amount_minor=minor, currency=template.currency)


def tier_for(template: BusinessType, amount_minor: int | None) -> Tier:
    """The first tier that the amount lies below. Without an amount, and beyond all tiers, the last one."""
    if not template.tiers:
        return NO_TIER
    if amount_minor is not None:
        for tier in template.tiers:
            if tier.below_minor is None or amount_minor < tier.below_minor:
                return tier
    return template.tiers[-1]


def authorisers_expected(case: Case) -> int:
    """How many authorisers the case will probably need: by its tier, before that by the declared amount."""
    if case.tier is not None:
        return case.tier.authorisers
    declared = case.started.declared_amount
    return tier_for(case.template, None if declared is None else declared.amount_minor).authorisers
