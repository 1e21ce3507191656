"""Reads what waits at placement, off its own rows. Writes nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import asyncpg

from services.routing.placement.waiting import Waits
from shared.runtime.reads import NamedReads

STATEMENTS: Final = Path(__file__).with_name("store.sql")


class PostgresWaitingReads:
    """`WaitingReads` over placement's rows and timers."""

    def __init__(self, pool: asyncpg.Pool[Any]) -> None:
        self._reads: Final = NamedReads(pool, STATEMENTS)

    async def waiting(self) -> Sequence[Waits]:
        return [
            Waits(
                row["reason"],
                row["work_type"],
                tuple(json.loads(row["held_by"])),
                row["items"],
                row["oldest_requested_at"],
            )
            for row in await self._reads.rows("waiting")
        ]
