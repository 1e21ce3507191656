"""Reads the desks' and placement's rows. Writes nothing: the workbench only publishes commands."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, TypeVar

import asyncpg
from pydantic import TypeAdapter

from services.routing.desk.state import COMMANDS_KEPT, Answer, DeskItem, DeskOperator
from services.routing.desk.store import ANSWER, ITEM, OPERATOR, DeskTable
from services.routing.placement.state import PlacedItem
from services.routing.workbench.reads import DeskNow
from shared.runtime.reads import NamedReads

PLACEMENT: Final = "placement"
PLACED: Final = TypeAdapter(PlacedItem)
STATEMENTS: Final = Path(__file__).with_name("store.sql")
_R = TypeVar("_R")


class PostgresDeskReads:
    """`DeskReads` over routing's own tables."""

    def __init__(self, pool: asyncpg.Pool[Any]) -> None:
        self._reads: Final = NamedReads(pool, STATEMENTS)

    async def seated(self, team_id: str, operator_id: str) -> tuple[DeskOperator | None, DeskItem | None]:
        rows = await self._reads.rows("seat", DeskTable.name, team_id, f"operator/{operator_id}")
        if not rows:
            return None, None
        item = rows[0]["item"]
        return OPERATOR.validate_json(rows[0]["operator"]), None if item is None else ITEM.validate_json(item)

    async def item(self, team_id: str, work_item_id: str) -> DeskItem | None:
        return await self._one(DeskTable.name, team_id, f"item/{work_item_id}", ITEM)

    async def answer(self, team_id: str, operator_id: str, command_id: str) -> Answer | None:
        row_of_operator = f"operator/{operator_id}"
        parts = [row_of_operator, *(f"command/{operator_id}/{slot}" for slot in range(COMMANDS_KEPT))]
        rows = await self._reads.rows("parts", DeskTable.name, team_id, parts)
        body_by_part: dict[str, bytes] = {row["part"]: row["body"] for row in rows}
        operator = body_by_part.pop(row_of_operator, None)
        answers = [ANSWER.validate_json(body) for body in body_by_part.values()]
        if operator is not None and (last := OPERATOR.validate_json(operator).last_draft) is not None:
            answers.append(last)
        return next((answer for answer in answers if answer.command_id == command_id), None)

    async def desk(self, team_id: str) -> DeskNow:
        rows = await self._reads.rows("everyone_and_everything", DeskTable.name, team_id)
        body_by_part: dict[str, bytes] = {row["part"]: row["body"] for row in rows}
        items = (ITEM.validate_json(body) for part, body in body_by_part.items() if part.startswith("item/"))
        people = (OPERATOR.validate_json(body) for part, body in body_by_part.items() if part.startswith("operator/"))
        return DeskNow(
            operators={operator.operator_id: operator for operator in people},
            items={item.work_item_id: item for item in items},
        )

    async def placed(self, work_item_id: str) -> PlacedItem | None:
        return await self._one(PLACEMENT, work_item_id, "", PLACED)

    async def _one(self, table: str, key: str, part: str, form: TypeAdapter[_R]) -> _R | None:
        rows = await self._reads.rows("part", table, key, part)
        return form.validate_json(rows[0]["body"]) if rows else None
