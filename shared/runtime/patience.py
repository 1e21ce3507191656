"""Waiting no longer than so long."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


async def within(seconds: float, awaited: Awaitable[T]) -> T:
    """What is awaited, unless it takes longer; then it is cancelled, and has ended before this does.

    Units:   seconds.
    Errors:  `TimeoutError` when it took longer; what the awaited raises; `CancelledError` whenever the caller is cancelled.
    Why:     `asyncio.wait_for` of Python 3.11 hands out a result that comes in the same turn as the caller's cancellation
             and forgets the cancellation: a loop that publishes was seen to live on. `asyncio.timeout` of its early
             releases ends in another cancellation where the caller is already cleaning up after one.
    """
    awaiting = asyncio.ensure_future(awaited)
    try:
        await asyncio.wait({awaiting}, timeout=max(seconds, 0.0))
        late = not awaiting.done()
    finally:
        awaiting.cancel()
        await asyncio.gather(awaiting, return_exceptions=True)
    if late and awaiting.cancelled():
        raise TimeoutError
    return awaiting.result()
