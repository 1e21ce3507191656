"""The reference data as every processor sees it, with what is looked up by more than the id."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from shared.contracts.message import Message
from shared.contracts.reference import (
    REFERENCE,
    Branch,
    BusinessType,
    Centre,
    DrillEntry,
    FloorLimits,
    Operator,
    Provider,
    ReferenceEntry,
    RerouteDuty,
    RerouteRule,
    Shift,
    Team,
)
from shared.runtime.processor import BoardSpec


@dataclass(slots=True)
class ReferenceView:
    """All reference entries by id; only `fold` moves it.

    Holds:   `operators_by_team` lists the ids of each team's operators in the order in which they came; `derived`
             keeps what readers have worked out from the entries, until the next of them comes.
    """

    business_types: dict[str, BusinessType] = field(default_factory=dict)
    centres: dict[str, Centre] = field(default_factory=dict)
    providers: dict[str, Provider] = field(default_factory=dict)
    teams: dict[str, Team] = field(default_factory=dict)
    operators: dict[str, Operator] = field(default_factory=dict)
    branches: dict[str, Branch] = field(default_factory=dict)
    reroute_duties: dict[str, RerouteDuty] = field(default_factory=dict)
    reroute_rules: dict[str, RerouteRule] = field(default_factory=dict)
    drills: dict[str, DrillEntry] = field(default_factory=dict)
    shifts: dict[str, Shift] = field(default_factory=dict)
    limits: FloorLimits = field(default_factory=lambda: FloorLimits(id="floor"))
    operators_by_team: dict[str, dict[str, None]] = field(default_factory=dict)
    derived: dict[Hashable, Any] = field(default_factory=dict, compare=False)

    def fold(self, key: str, message: Message | None) -> None:
        """Take one record of `reference.v1`; a tombstone removes the entry."""
        noun, _, identity = key.partition(":")
        self.derived.clear()
        if noun == Operator.noun:
            self._leave_team(identity)
        if noun == FloorLimits.noun:
            self.limits = message if isinstance(message, FloorLimits) else FloorLimits(id="floor")
            return
        entries = self._by_noun().get(noun)
        if entries is None:
            return
        if message is None:
            entries.pop(identity, None)
        elif isinstance(message, ReferenceEntry):
            entries[identity] = message
            if isinstance(message, Operator):
                self.operators_by_team.setdefault(message.team_id, {})[identity] = None

    def entries(self) -> Iterator[ReferenceEntry]:
        """Every entry but the limits, of which there always is one."""
        for by_id in self._by_noun().values():
            yield from by_id.values()

    def standard_seconds(self, work_type: str) -> float | None:
        """The standard time of one item of a work type (`business-type/step`); `None` when there is no such template."""
        business_type, _, step = work_type.rpartition("/")
        template = self.business_types.get(business_type)
        return None if template is None else getattr(template.standard, step, None)

    def _leave_team(self, operator_id: str) -> None:
        known = self.operators.get(operator_id)
        if known is not None:
            self.operators_by_team[known.team_id].pop(operator_id, None)

    def _by_noun(self) -> dict[str, dict[str, Any]]:
        return {
            BusinessType.noun: self.business_types,
            Centre.noun: self.centres,
            Provider.noun: self.providers,
            Team.noun: self.teams,
            Operator.noun: self.operators,
            Branch.noun: self.branches,
            RerouteDuty.noun: self.reroute_duties,
            RerouteRule.noun: self.reroute_rules,
            DrillEntry.noun: self.drills,
            Shift.noun: self.shifts,
        }


def _fold(view: ReferenceView, key: str, message: Message | None) -> None:
    view.fold(key, message)


REFERENCE_BOARD: Final = BoardSpec("reference", REFERENCE, ReferenceView, _fold)
