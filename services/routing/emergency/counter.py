"""Where commands about reroutes are handed in, and their answers waited for."""

from __future__ import annotations

import asyncio
from typing import Final

from services.routing.emergency.decide import fingerprint_of
from services.routing.emergency.reads import BookReads
from services.routing.emergency.state import Answer
from services.routing.handing_in import ANSWER_SECONDS, PUBLISH_SECONDS, Publish, handed_over
from shared.contracts.reroute import RerouteCommand
from shared.runtime.processor import derived_id

LOOK_SECONDS: Final = 0.05
ACCEPTED: Final = frozenset({"done", "noted"})


class RerouteCounter:
    """Publishes commands and reads the book's answers.

    Holds:   the same command again finds its first answer and is not published again; the same id with other content
             is a conflict.
    Units:   `answer_seconds` is how long to wait for the book, `publish_seconds` for the bus, in real seconds.
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
        answer = await self._reads.answer(command.command_id)
        if answer is None:
            event_id = derived_id(command.actor, command.command_id)
            await handed_over(self._publish, command, event_id, self._publish_seconds, "the orders")
            answer = await self._awaited(command.command_id)
        if answer is None or answer.fingerprint == fingerprint_of(command):
            return answer
        detail = "Expected the same content under the same Idempotency-Key; take a new key for another command."
        return Answer(
            command.command_id, command.reroute_id, fingerprint_of(command), "conflict", detail, command.issued_at
        )

    async def _awaited(self, command_id: str) -> Answer | None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._answer_seconds
        while True:
            answer = await self._reads.answer(command_id)
            if answer is not None or loop.time() >= deadline:
                return answer
            await asyncio.sleep(LOOK_SECONDS)
