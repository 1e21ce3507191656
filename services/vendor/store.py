"""Reads scores from the truth. Writes nothing: the supervision processor does."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Protocol

import asyncpg
from pydantic import TypeAdapter

from services.vendor.supervision.state import Score
from shared.runtime.reads import NamedReads

_SCORE: Final = TypeAdapter(Score)
STATEMENTS: Final = Path(__file__).with_name("store.sql")


class Scores(Protocol):
    """Where the scorecards' figures come from."""

    async def score(self, subject: str, subject_id: str) -> Score | None:
        """The score of an operator or a provider, or `None` when nothing was judged."""

    async def providers(self, after: str, count_max: int) -> list[Score]:
        """The scores of providers whose id lies after the given one, in order of their ids."""
        ...


class PostgresScores:
    """Scores from the supervision processor's table.

    Errors:  `TransientError` when the database is away.
    """

    def __init__(self, pool: asyncpg.Pool[Any]) -> None:
        self._reads: Final = NamedReads(pool, STATEMENTS)

    async def score(self, subject: str, subject_id: str) -> Score | None:
        rows = await self._reads.rows("subject", f"{subject}:{subject_id}")
        return _SCORE.validate_json(rows[0]["body"]) if rows else None

    async def providers(self, after: str, count_max: int) -> list[Score]:
        rows = await self._reads.rows("subjects_of_a_kind", "provider:%", f"provider:{after}", count_max)
        return [_SCORE.validate_json(row["body"]) for row in rows]
