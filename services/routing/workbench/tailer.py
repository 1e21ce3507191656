"""Follows the desks' facts on the log: answers to commands, and offers of work that wake long polls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog

from services.routing.workbench.answers import HEARD, Answers
from services.routing.workbench.metrics import TAIL_RESTARTS
from shared.contracts.routing import ASSIGNMENT, DESK, RESULT
from shared.runtime.errors import ContractError, TransientError
from shared.runtime.headers import body_of, kind_of, origin_of
from shared.runtime.log import Record, Tail

TOPICS: Final = (DESK.name, ASSIGNMENT.name, RESULT.name)
RECORDS_MAX: Final = 2_000
WAIT_SECONDS: Final = 0.2
GATHER_SECONDS: Final = 0.02  # nobody sees it, and the broker is asked less often than facts come
RETRY_SECONDS: Final = 1.0
REMEMBERED: Final = timedelta(minutes=10)  # older answers than this at the start are passed over undecoded

KINDS: Final = frozenset(kind.encode() for kind in HEARD)
_log: Final = structlog.get_logger("opsfloor.workbench")


class Tailer:
    """Feeds `Answers` from the log until it is stopped.

    Holds:   the log only makes things fast: without it commands are answered from the desk's rows and long polls look
             there by themselves, so a tail that fails is started anew and nothing else happens.
    """

    def __init__(
        self,
        tail: Callable[[Sequence[str]], Tail],
        answers: Answers,
        now: Callable[[], datetime],
        retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        self._tail: Final = tail
        self._answers: Final = answers
        self._now: Final = now
        self._retry_seconds: Final = retry_seconds
        self._running: asyncio.Task[None] | None = None
        self.refused: int = 0  # records that could not be read; the desk's own readers park them

    async def start(self) -> None:
        """Begin to follow, in the background."""
        self._running = asyncio.create_task(self.run())

    async def stop(self) -> None:
        """Stop following. Safe when it never started."""
        if self._running is None:
            return
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
        self._running = None

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            try:
                await self._follow()
            except TransientError as error:
                TAIL_RESTARTS.inc()
                _log.warning("the tail of the desks' facts is away", reason=str(error))
                await asyncio.sleep(self._retry_seconds)

    async def _follow(self) -> None:
        tail = self._tail(TOPICS)
        since_ms = int((self._now() - REMEMBERED).timestamp() * 1000)
        try:
            await tail.start()
            while True:
                records = await tail.fetch(RECORDS_MAX, WAIT_SECONDS)
                for record in records:
                    if record.timestamp_ms >= since_ms:
                        self._hear(record)
                await asyncio.sleep(0)
        finally:
            await tail.stop()

    def _hear(self, record: Record) -> None:
        kind = kind_of(record)
        if kind and kind not in KINDS:  # most of what desks tell: nobody here waits for it
            return
        try:
            self._answers.hear(body_of(record, origin_of(record).kind))
        except ContractError:
            self.refused += 1
