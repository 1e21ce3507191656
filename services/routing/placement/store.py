"""Reads what waits at placement, off its own rows. Writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import asyncpg

from services.routing.placement.waiting import Heading, Waits
from shared.runtime.reads import NamedReads

STATEMENTS: Final = Path(__file__).with_name("store.sql")


class PostgresWaitingReads:
    """`WaitingReads` over placement's rows and timers."""

    def __init__(self, pool: asyncpg.Pool[Any]) -> None:
        self._reads: Final = NamedReads(pool, STATEMENTS)

    async def waiting(self) -> Mapping[Heading, Waits]:
        rows = await self._reads.rows("waiting")
        return {(row["reason"], row["business_type"]): Waits(row["items"], row["oldest_requested_at"]) for row in rows}
