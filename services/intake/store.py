"""Reads the registry of submissions from the truth. Writes nothing: reception does."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Protocol

import asyncpg

from services.intake.reception.processor import Register
from services.intake.reception.state import Submission
from shared.runtime.reads import NamedReads

STATEMENTS: Final = Path(__file__).with_name("store.sql")


class SubmissionReads(Protocol):
    """Reads of the truth. Errors: `TransientError` when the database is away."""

    async def submission(self, submission_id: str) -> Submission | None:
        """The submission as reception remembers it; `None` when no authentic copy of it came."""
        ...


class PostgresSubmissionReads:
    """`SubmissionReads` over intake's own table."""

    def __init__(self, pool: asyncpg.Pool[Any]) -> None:
        self._reads: Final = NamedReads(pool, STATEMENTS)
        self._register: Final = Register()

    async def submission(self, submission_id: str) -> Submission | None:
        rows = await self._reads.rows("submission", submission_id)
        return self._register.read(submission_id, {"": rows[0]["body"]}) if rows else None
