"""Reads the book of reroutes from routing's own tables. Writes nothing: the faces only publish commands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import asyncpg

from services.routing.desk.store import HEED
from services.routing.emergency.counted import Narrowed
from services.routing.emergency.state import Answer
from services.routing.emergency.store import ANSWER, SENT_BACK
from shared.contracts.message import Message
from shared.contracts.registry import CONTRACTS
from shared.contracts.reroute import RerouteOrder
from shared.runtime.reads import NamedReads

STATEMENTS: Final = Path(__file__).with_name("reads.sql")


class PostgresBookReads:
    """`BookReads` over routing's own tables."""

    def __init__(self, pool: asyncpg.Pool[Any]) -> None:
        self._reads: Final = NamedReads(pool, STATEMENTS)

    async def orders(self) -> Sequence[RerouteOrder]:
        return await self._orders("orders")

    async def open_orders(self) -> Sequence[RerouteOrder]:
        return [order for order in await self._orders("open_orders") if order.over_at is None or order.review == "open"]

    async def begun(self, first: datetime, last: datetime) -> Sequence[RerouteOrder]:
        found = await self._orders("begun", first, last)
        return [order for order in found if order.started_at is not None and first <= order.started_at <= last]

    async def order(self, reroute_id: str) -> RerouteOrder | None:
        rows = await self._reads.rows("part", f"order/{reroute_id}")
        return RerouteOrder.model_validate_json(rows[0]["body"]) if rows else None

    async def answer(self, command_id: str) -> Answer | None:
        rows = await self._reads.rows("part", f"answer/{command_id}")
        return ANSWER.validate_json(rows[0]["body"]) if rows else None

    async def history(self, reroute_id: str) -> Sequence[Message]:
        rows = await self._reads.rows("history", reroute_id)
        facts = [CONTRACTS[row["kind"]].model_validate_json(row["body"]) for row in rows]
        return [fact for fact in facts if getattr(fact, "reroute_id", None) == reroute_id]

    async def moved(self, reroute_id: str) -> Mapping[str, int]:
        counts = {team_id: moved.get(reroute_id, 0) for team_id, moved in await self._moved_by_team()}
        return {team_id: count for team_id, count in counts.items() if count}

    async def moved_by_reroute(self) -> Mapping[str, int]:
        counts: Counter[str] = Counter()
        for _, moved in await self._moved_by_team():
            counts.update(moved)
        return counts

    async def waiting_at_desks(self, those: Narrowed) -> Mapping[str, int]:
        rows = await self._reads.rows("waiting_at_desks", those.teams, those.branches, those.data_classes)
        return {f"{row['business_type']}/{row['step']}": row["items"] for row in rows}

    async def sent_back(self, reroute_id: str) -> Mapping[str, int]:
        rows = await self._reads.rows("part", f"back/{reroute_id}")
        return SENT_BACK.validate_json(rows[0]["body"]).submissions_by_branch if rows else {}

    async def sent_back_by_reroute(self) -> Mapping[str, int]:
        found = [SENT_BACK.validate_json(row["body"]) for row in await self._reads.rows("sent_back")]
        return {row.reroute_id: sum(row.submissions_by_branch.values()) for row in found}

    async def _moved_by_team(self) -> list[tuple[str, dict[str, int]]]:
        rows = await self._reads.rows("moved")
        return [(row["key"], HEED.validate_json(row["body"]).moved_by_reroute) for row in rows]

    async def _orders(self, statement: str, *values: object) -> Sequence[RerouteOrder]:
        found = [RerouteOrder.model_validate_json(row["body"]) for row in await self._reads.rows(statement, *values)]
        return sorted(found, key=lambda order: (order.proposed_at, order.reroute_id))
