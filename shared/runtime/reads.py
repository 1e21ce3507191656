"""Reading a service's own tables by named statements, for its HTTP faces."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import asyncpg

from shared.runtime.errors import TransientError, in_words
from shared.runtime.postgres_store import AWAY, connected

READ_SECONDS_MAX: Final = 5.0
_NAME: Final = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def named_statements(text: str) -> Mapping[str, str]:
    """The statements of a file, by the name in the comment above each."""
    pieces = _NAME.split(text)[1:]
    return dict(zip(pieces[::2], (piece.strip() for piece in pieces[1::2]), strict=True))


async def look(pool: asyncpg.Pool[Any]) -> None:
    """Ask the database the least there is. Errors: `TransientError` when it is away."""
    try:
        async with connected(pool, READ_SECONDS_MAX) as connection:
            await connection.fetchval("SELECT 1", timeout=READ_SECONDS_MAX)
    except (*AWAY, asyncpg.PostgresError) as error:  # also one that does not let us in any more
        raise TransientError(f"Expected the database to answer, found {in_words(error)}") from error


class NamedReads:
    """The statements of one file over one pool.

    Errors:  `TransientError` when the database is away, or takes longer than `READ_SECONDS_MAX`.
    """

    def __init__(self, pool: asyncpg.Pool[Any], statements: Path) -> None:
        self._pool: Final = pool
        self._sql: Final = named_statements(statements.read_text(encoding="utf-8"))

    async def rows(self, statement: str, *values: object) -> list[asyncpg.Record]:
        """All rows that a statement of the file finds."""
        try:
            async with connected(self._pool, READ_SECONDS_MAX) as connection:
                rows: list[asyncpg.Record] = await connection.fetch(
                    self._sql[statement], *values, timeout=READ_SECONDS_MAX
                )
            return rows
        except AWAY as error:
            raise TransientError(f"Expected the database to answer {statement}, found {in_words(error)}") from error
