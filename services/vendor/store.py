"""Reads scores from the truth. Writes nothing: the supervision processor does."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol

import asyncpg
from pydantic import TypeAdapter

from services.vendor.supervision.state import Score

_NAME: Final = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_SCORE: Final = TypeAdapter(Score)


def named_statements(text: str) -> Mapping[str, str]:
    """The statements of a file, by the name in the comment above each."""
    pieces = _NAME.split(text)[1:]
    return dict(zip(pieces[::2], (piece.strip() for piece in pieces[1::2]), strict=True))


SQL: Final = named_statements((Path(__file__).parent / "store.sql").read_text(encoding="utf-8"))


class Scores(Protocol):
    """Where the scorecards' figures come from."""

    async def score(self, subject: str, subject_id: str) -> Score | None:
        """The score of an operator or a provider, or `None` when nothing was judged."""

    async def providers(self, after: str, count_max: int) -> list[Score]:
        """The scores of providers whose id lies after the given one, in order of their ids."""
        ...


class PostgresScores:
    """Scores from the supervision processor's table.

    Errors:  asyncpg's when the database is away.
    """

    def __init__(self, pool: asyncpg.Pool[Any]) -> None:
        self._pool: Final = pool

    async def score(self, subject: str, subject_id: str) -> Score | None:
        body = await self._pool.fetchval(SQL["subject"], f"{subject}:{subject_id}")
        return None if body is None else _SCORE.validate_json(body)

    async def providers(self, after: str, count_max: int) -> list[Score]:
        rows = await self._pool.fetch(SQL["subjects_of_a_kind"], "provider:%", f"provider:{after}", count_max)
        return [_SCORE.validate_json(row["body"]) for row in rows]
