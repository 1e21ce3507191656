"""What the desks answered lately, in memory: commands find their answer here, long polls are woken from here."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, get_args

from shared.contracts.message import Message
from shared.contracts.routing import (
    AssignmentDeclined,
    AssignmentTaken,
    CommandNoted,
    CommandRefused,
    DraftSaved,
    OperatorPaused,
    OperatorReady,
    OperatorResumed,
    OperatorSignedOff,
    Picked,
    WorkAssigned,
    WorkCompleted,
)
from shared.runtime.patience import within

ANSWERS_MAX: Final = 50_000

HEARD: Final = frozenset(
    contract.kind_name()
    for contract in (
        AssignmentDeclined,
        AssignmentTaken,
        CommandNoted,
        CommandRefused,
        DraftSaved,
        OperatorPaused,
        OperatorReady,
        OperatorResumed,
        OperatorSignedOff,
        WorkAssigned,
        WorkCompleted,
    )
)
"""The kinds that say something to the workbench."""


WORDS: Final[Mapping[type[Message], str]] = {
    OperatorReady: "ready",
    OperatorPaused: "paused",
    OperatorResumed: "resumed",
    OperatorSignedOff: "signed_off",
    AssignmentTaken: "taken",
    DraftSaved: "drafted",
    WorkCompleted: "completed",
}
"""The desk's own words, as in its rows."""

REFUSALS: Final[frozenset[str]] = frozenset(get_args(CommandRefused.model_fields["code"].annotation))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the desk made of one command. Holds: `fingerprint` is the desk's hash of what was asked for."""

    command_id: str
    operator_id: str
    fingerprint: str
    answer: str  # a refusal's code, or the desk's word for what it did
    detail: str

    @property
    def refused(self) -> bool:
        return self.answer in REFUSALS


class Answers:
    """The last verdicts by operator and command id, and who waits for what.

    Holds:   at most `answers_max` are kept, the oldest goes first; lost memory is no loss, the desk's rows hold the
             truth. Only the loop's own thread touches it.
    """

    def __init__(self, answers_max: int = ANSWERS_MAX) -> None:
        self._answers_max: Final = answers_max
        self._by_command: Final[OrderedDict[tuple[str, str], Verdict]] = OrderedDict()
        self._waiting: Final[defaultdict[str, set[asyncio.Event]]] = defaultdict(set)

    def __len__(self) -> int:
        return len(self._by_command)

    @property
    def awaited(self) -> int:
        """How many subjects somebody waits for."""
        return len(self._waiting)

    def hear(self, message: Message) -> None:
        """Take one fact of the log in."""
        if isinstance(message, WorkAssigned):
            self._wake(_work_for(message.operator_id))
        verdict = verdict_in(message)
        if verdict is not None:
            self._keep(verdict)
            self._wake(_answer_to(verdict.operator_id, verdict.command_id))

    def to(self, operator_id: str, command_id: str) -> Verdict | None:
        """The verdict on this operator's command, as far as it is remembered."""
        return self._by_command.get((operator_id, command_id))

    @contextmanager
    def expecting_answer(self, operator_id: str, command_id: str) -> Iterator[asyncio.Event]:
        """An event that is set when the operator's command is answered, from now on."""
        with self._watching(_answer_to(operator_id, command_id)) as event:
            yield event

    @contextmanager
    def expecting_work(self, operator_id: str) -> Iterator[asyncio.Event]:
        """An event that is set when a desk offers work to the operator, from now on."""
        with self._watching(_work_for(operator_id)) as event:
            yield event

    @contextmanager
    def _watching(self, subject: str) -> Iterator[asyncio.Event]:
        event = asyncio.Event()
        self._waiting[subject].add(event)
        try:
            yield event
        finally:
            self._waiting[subject].discard(event)
            if not self._waiting[subject]:
                del self._waiting[subject]

    def _keep(self, verdict: Verdict) -> None:
        key = (verdict.operator_id, verdict.command_id)
        known = self._by_command.get(key)
        # A conflict is about other content under the same id: the verdict on the first content stands.
        if known is None or known.answer == "conflict" or verdict.answer != "conflict":
            self._by_command[key] = verdict
        while len(self._by_command) > self._answers_max:
            self._by_command.popitem(last=False)

    def _wake(self, subject: str) -> None:
        for event in self._waiting.get(subject, ()):
            event.set()


def verdict_in(message: Message) -> Verdict | None:
    """The verdict that a fact holds, if it answers a command."""
    match message:
        case (
            OperatorReady()
            | OperatorSignedOff()
            | OperatorPaused()
            | OperatorResumed()
            | AssignmentTaken()
            | DraftSaved()
            | WorkCompleted()
        ):
            return Verdict(message.command_id, message.operator_id, message.fingerprint, WORDS[type(message)], "")
        case AssignmentDeclined(command_id=str() as command_id):
            return Verdict(command_id, message.operator_id, message.fingerprint, "declined", "")
        case WorkAssigned(picked=Picked() as picked):
            return Verdict(picked.command_id, message.operator_id, picked.fingerprint, "picked", message.work_item_id)
        case CommandNoted():
            return Verdict(message.command_id, message.operator_id, message.fingerprint, "noted", message.detail)
        case CommandRefused():
            return Verdict(message.command_id, message.operator_id, message.fingerprint, message.code, message.detail)
        case _:
            return None


async def happens(event: asyncio.Event, seconds: float) -> bool:
    """Wait for the event; `False` when it did not come in time."""
    try:
        await within(seconds, event.wait())
    except TimeoutError:
        return False
    return True


def _answer_to(operator_id: str, command_id: str) -> str:
    return f"answer\x1f{operator_id}\x1f{command_id}"


def _work_for(operator_id: str) -> str:
    return f"work\x1f{operator_id}"
