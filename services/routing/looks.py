"""What is looked up in the database again and again, to be told as levels."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import asyncpg
import structlog

from shared.runtime.errors import TransientError

LOOK_SECONDS: Final = 15.0  # as often as Prometheus asks
REST_FACTOR: Final = 10.0  # a look that takes long is followed by so much longer a rest: the database is for the work

_log: Final = structlog.get_logger("opsfloor.looks")


async def follow(look: Callable[[], Awaitable[None]], what: str) -> None:
    """Look for as long as the process lives. `what` is what cannot be seen while the database is away."""
    loop = asyncio.get_running_loop()
    while True:
        began = loop.time()
        try:
            await look()
        except (
            TransientError,
            asyncpg.PostgresError,
        ) as error:  # work goes on without a look, whatever it stumbles over
            _log.warning(f"cannot see {what}", reason=str(error))
        await asyncio.sleep(max(LOOK_SECONDS, REST_FACTOR * (loop.time() - began)))
