"""A pool of one connection for tests of who only asks whether the database is there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Pool:
    """A database that may be away."""

    def __init__(self) -> None:
        self.failure: Exception | None = None

    @asynccontextmanager
    async def acquire(self, **limits: float) -> AsyncIterator[Pool]:
        """Its connection."""
        yield self

    async def fetchval(self, statement: str, **limits: float) -> int:
        """The answer."""
        if self.failure is not None:
            raise self.failure
        return 1

    def terminate(self) -> None:
        """The connection is given to nobody again."""
