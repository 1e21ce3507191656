"""Hands commands to the desks and waits for what they make of them."""

from __future__ import annotations

import asyncio
from typing import Final

from services.routing.desk.guards import fingerprint_of
from services.routing.handing_in import ANSWER_SECONDS, PUBLISH_SECONDS, Publish, handed_over, seconds_left
from services.routing.workbench.answers import Answers, Verdict, happens
from services.routing.workbench.metrics import COMMAND_SECONDS, COMMANDS
from services.routing.workbench.reads import DeskReads
from shared.contracts.routing import Command
from shared.http.timed import timed
from shared.runtime.processor import derived_id


class CommandCounter:
    """Where operators' commands are handed in.

    Holds:   the same command again finds its first verdict and is not published again once that is known; the same
             id with other content is a conflict; what memory has lost stands in the desk's rows.
    Units:   `answer_seconds` is how long to wait for a desk from when a command comes, `publish_seconds` of them at most for
             the bus, in real seconds.
    """

    def __init__(
        self,
        reads: DeskReads,
        answers: Answers,
        publish: Publish,
        answer_seconds: float = ANSWER_SECONDS,
        publish_seconds: float = PUBLISH_SECONDS,
    ) -> None:
        self._reads: Final = reads
        self._answers: Final = answers
        self._publish: Final = publish
        self._answer_seconds: Final = answer_seconds
        self._publish_seconds: Final = publish_seconds

    async def hand_in(self, command: Command, *, named_by_content: bool = False) -> Verdict | None:
        """The desk's verdict, or `None` when it has not come yet.

        Errors:  `TransientError`: send again; a `Problem` of a bus that says nothing.
        Holds:   of a command that is `named_by_content`, as its id follows from what it asks for, the same id is the same
                 command, whatever was measured beside that.
        """
        with timed(COMMAND_SECONDS):
            verdict = await self.known(command.team_id, command.operator_id, command.command_id)
            if verdict is None:
                verdict = await self._asked(command)
        return _counted(verdict if named_by_content else _of_this_content(verdict, command), command)

    async def hand_in_unanswered(self, command: Command) -> Verdict | None:
        """As `hand_in`, of a command of which the desk's rows have just shown that it was not answered: none is looked for."""
        with timed(COMMAND_SECONDS):
            return _counted(_of_this_content(await self._asked(command), command), command)

    async def known(self, team_id: str, operator_id: str, command_id: str) -> Verdict | None:
        """The verdict on an earlier command, from memory or else from the desk's rows."""
        heard = self._answers.to(operator_id, command_id)
        if (
            heard is not None and heard.answer != "conflict"
        ):  # of whom that alone was heard, the rows know the first answer
            return heard
        row = await self._reads.answer(team_id, operator_id, command_id)
        if row is None:
            return heard
        return Verdict(row.command_id, row.operator_id, row.fingerprint, row.answer, row.detail)

    async def _asked(self, command: Command) -> Verdict | None:
        with self._answers.expecting_answer(command.operator_id, command.command_id) as answered:
            event_id = derived_id(command.operator_id, command.command_id)
            deadline = asyncio.get_running_loop().time() + self._answer_seconds
            await handed_over(self._publish, command, event_id, self._publish_seconds, "your work")
            await happens(answered, min(self._answer_seconds, seconds_left(deadline)))
        return await self.known(command.team_id, command.operator_id, command.command_id)


def _counted(verdict: Verdict | None, command: Command) -> Verdict | None:
    COMMANDS.labels(command.kind_name(), "pending" if verdict is None else verdict.answer).inc()
    return verdict


def _of_this_content(verdict: Verdict | None, command: Command) -> Verdict | None:
    fingerprint = fingerprint_of(command)
    if verdict is None or verdict.fingerprint == fingerprint:
        return verdict
    detail = (
        f"Expected command {command.command_id} as it was first sent, with all that it says and measures, found other "
        "content: send another command under an Idempotency-Key of its own"
    )
    return Verdict(command.command_id, command.operator_id, fingerprint, "conflict", detail)
