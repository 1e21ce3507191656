"""What the workbench reads of routing's own tables: the protocol that the store and the tests' fake keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from services.routing.desk.state import Answer, DeskItem, DeskOperator
from services.routing.placement.state import PlacedItem


@dataclass(frozen=True, slots=True)
class DeskNow:
    """One team's whole desk."""

    operators: Mapping[str, DeskOperator]
    items: Mapping[str, DeskItem]


class DeskReads(Protocol):
    """Reads of the truth. Errors: `TransientError` when the database is away."""

    async def seated(self, team_id: str, operator_id: str) -> tuple[DeskOperator | None, DeskItem | None]:
        """The operator at the team's desk, `None` when the desk never saw them, and the item that lies before them."""

    async def item(self, team_id: str, work_item_id: str) -> DeskItem | None:
        """The item at the team's desk; `None` when it is not there."""

    async def answer(self, team_id: str, operator_id: str, command_id: str) -> Answer | None:
        """The desk's answer to the operator's command; `None` when it has none, or none any more."""

    async def desk(self, team_id: str) -> DeskNow:
        """Everything at the team's desk."""

    async def placed(self, work_item_id: str) -> PlacedItem | None:
        """Where placement says that the item is; `None` when it never heard of it."""
