"""Handing a command to the bus for somebody who waits: whoever it is hears in time what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from shared.contracts.message import Message
from shared.http.problems import Problem
from shared.runtime.patience import within

PUBLISH_SECONDS: Final = 4.0  # less than the 5 s that a work station waits
ANSWER_SECONDS: Final = 5.0  # from when the command came, publishing counted in: less than the control room's 8 s
LEAST_SECONDS: Final = 1.0  # each wait has so long, however late it begins

Publish = Callable[[Message, str], Awaitable[None]]
"""Publishes a command under an event id. Raises `TransientError` when the bus is away."""


def seconds_left(deadline: float) -> float:
    """How long may still be waited, so that whoever waits hears in time. Units: `deadline` by the running loop's clock."""
    return max(deadline - asyncio.get_running_loop().time(), LEAST_SECONDS)


async def handed_over(publish: Publish, command: Message, event_id: str, seconds: float, look_at: str) -> None:
    """Publish the command.

    Units:   `seconds` is how long the bus may take; `look_at` names what shows whether a command was carried out.
    Errors:  `TransientError` when the bus is away; a `Problem` when it says nothing, since it may take the command yet.
    """
    try:
        await within(seconds, publish(command, event_id))
    except TimeoutError as error:
        raise Problem(
            503,
            "broker_silent",
            f"Expected the broker to take the command within {seconds:g} s, found that it says nothing: the command may still "
            f"be carried out; look at {look_at} before you send it again, and send it under the same Idempotency-Key",
        ) from error
