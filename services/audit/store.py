"""Reads cases and their journals from the truth. Writes nothing: the controls processor does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol

import asyncpg
import orjson
from pydantic import TypeAdapter

from services.audit.controls.state import Case
from shared.runtime.reads import NamedReads

JOURNAL_MAX: Final = 5_000  # facts read of one case; a long one has some two hundred
STATEMENTS: Final = Path(__file__).with_name("store.sql")

_CASE: Final = TypeAdapter(Case)


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One fact in the life of a case. Holds: `number` is dense from 1; `cause` is the event it was decided on."""

    number: int
    at: datetime
    kind: str
    body: Mapping[str, Any]
    cause: str


class CaseReads(Protocol):
    """Reads of the truth. Errors: `TransientError` when the database is away."""

    async def case(self, case_id: str) -> Case | None:
        """The case as controls knows it; `None` when it never heard of it."""

    async def journal(self, case_id: str) -> Sequence[JournalEntry]:
        """Every fact of the case in order; empty when there is none."""
        ...


class PostgresCaseReads:
    """`CaseReads` over audit's own tables."""

    def __init__(self, pool: asyncpg.Pool[Any]) -> None:
        self._reads: Final = NamedReads(pool, STATEMENTS)

    async def case(self, case_id: str) -> Case | None:
        rows = await self._reads.rows("case", case_id)
        return _CASE.validate_json(rows[0]["body"]) if rows else None

    async def journal(self, case_id: str) -> Sequence[JournalEntry]:
        rows = await self._reads.rows("journal", case_id, JOURNAL_MAX)
        return [JournalEntry(row["n"], row["at"], row["kind"], orjson.loads(row["body"]), row["cause"]) for row in rows]
