"""Stopping aiokafka's consumer, whatever has become of the bus."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import structlog
from aiokafka.errors import KafkaError

STOP_SECONDS: Final = 5.0
_log: Final = structlog.get_logger("opsfloor.kafka")


async def leave(consumer: Any, seconds: float = STOP_SECONDS) -> None:
    """Stop a client and close its connections.

    Holds:   a bus that is away raises nothing here, and only the caller's own cancellation cancels the caller. aiokafka
             cancels its fetches and waits for them; one that was about to try again passes its cancellation on.
    """
    stopping = asyncio.ensure_future(consumer.stop())
    try:
        await asyncio.wait([stopping], timeout=seconds)
    finally:
        stopping.cancel()
    failures: list[BaseException | None] = await asyncio.gather(stopping, return_exceptions=True)
    failure = failures[0]
    if failure is None:
        return
    if not isinstance(failure, KafkaError | OSError | TimeoutError | asyncio.CancelledError):
        raise failure
    _log.warning("left without a word", reason=repr(failure))
    await consumer._client.close()  # aiokafka gives up half-way and has no public way to close what is left
