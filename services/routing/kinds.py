"""Kinds of work: what the plan shares out. Pure."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from services.routing import eligibility
from shared.contracts.reference import Provider
from shared.contracts.routing import ArrivalsLearned, PlannedWork
from shared.contracts.work import WorkOrder


class Kind(NamedTuple):
    """A work type with what decides which providers may see it. Work of one kind is alike to every team."""

    work_type: str
    in_house_only: bool = False
    data_class: str = "internal"

    @classmethod
    def of(cls, order: WorkOrder) -> Kind:
        """The kind of one item. Holds: what no vendor may see at all counts as kept in the house."""
        return cls(order.work_type, eligibility.reserved_for_house(order), order.data_class)

    @classmethod
    def told(cls, part: PlannedWork | ArrivalsLearned) -> Kind:
        """The kind that a record speaks of."""
        return cls(part.work_type, part.in_house_only, part.data_class)


def may_see(kind: Kind, outside: bool, data_classes: Collection[str]) -> bool:
    """The provider may be given work of the kind at all."""
    return not (outside and kind.in_house_only) and kind.data_class in data_classes


def provider_may_see(kind: Kind, provider: Provider) -> bool:
    """As `may_see`, asked of a provider's contract."""
    return may_see(kind, provider.outside, provider.data_classes)
