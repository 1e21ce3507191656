"""Where commands about reroutes are handed in, and their answers waited for."""

from __future__ import annotations

import asyncio
from typing import Final

from services.routing.emergency.decide import fingerprint_of
from services.routing.emergency.reads import BookReads
from services.routing.emergency.state import Answer
from services.routing.handing_in import ANSWER_SECONDS, PUBLISH_SECONDS, Publish, handed_over, seconds_left
from shared.contracts.reroute import RerouteCommand
from shared.runtime.errors import TransientError
from shared.runtime.patience import within
from shared.runtime.processor import derived_id

LOOK_SECONDS: Final = 0.05
ACCEPTED: Final = frozenset({"done", "noted"})


class RerouteCounter:
    """Publishes commands and reads the book's answers.

    Holds:   the same command again finds its first answer and is not published again; the same id with other content
             is a conflict.
    Units:   `answer_seconds` is how long to wait in all from when a command comes, `publish_seconds` of them at most for the
             bus, in real seconds.
    """

    def __init__(
        self,
        reads: BookReads,
        publish: Publish,
        answer_seconds: float = ANSWER_SECONDS,
        publish_seconds: float = PUBLISH_SECONDS,
    ) -> None:
        self._reads: Final = reads
        self._publish: Final = publish
        self._answer_seconds: Final = answer_seconds
        self._publish_seconds: Final = publish_seconds

    async def hand_in(self, command: RerouteCommand) -> Answer | None:
        """The book's answer, or `None` when it has not come yet.

        Errors:  `TransientError`: send again; a `Problem` of a bus that says nothing.
        """
        deadline = asyncio.get_running_loop().time() + self._answer_seconds
        answer = await self._reads.answer(command.command_id)
        if answer is None:
            event_id = derived_id(command.actor, command.command_id)
            seconds = round(min(self._publish_seconds, seconds_left(deadline)), 1)
            await handed_over(self._publish, command, event_id, seconds, "the orders")
            answer = await self._awaited(command.command_id, deadline)
        if answer is None or answer.fingerprint == fingerprint_of(command):
            return answer
        detail = "Expected the same content under the same Idempotency-Key; take a new key for another command."
        return Answer(
            command.command_id, command.reroute_id, fingerprint_of(command), "conflict", detail, command.issued_at
        )

    async def _awaited(self, command_id: str, deadline: float) -> Answer | None:
        """The answer, if it comes in time. Holds: it was sent, so a database that is slow or away now makes it no failure."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                answer = await within(seconds_left(deadline), self._reads.answer(command_id))
            except (TimeoutError, TransientError):
                answer = None
            if answer is not None or loop.time() >= deadline:
                return answer
            await asyncio.sleep(LOOK_SECONDS)
