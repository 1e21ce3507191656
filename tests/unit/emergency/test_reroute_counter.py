"""Whoever hands a command in hears what became of it while they still wait, however slow bus and database are."""

from __future__ import annotations

import asyncio
from typing import Final, cast

import pytest

from opsfloor.console.control.routing import COMMAND_SECONDS
from services.routing.emergency.counter import RerouteCounter
from services.routing.emergency.reads import BookReads
from services.routing.handing_in import ANSWER_SECONDS
from shared.contracts.message import Message
from shared.contracts.reroute import CancelReroute
from shared.http.problems import Problem
from shared.runtime.errors import TransientError
from tests.support.quick_loop import QuickLoop
from tests.unit.emergency.control_room import LIN
from tests.unit.routing.floor import NOW

COMMAND: Final = CancelReroute(command_id="c1", reroute_id="r1", actor=LIN, issued_at=NOW, reason="because")


class Slow:
    """A book that answers nothing, each look taking so long, and a bus that takes so long to take a command.

    Holds:   the database is away from the moment at which something was sent, where that is asked for.
    """

    def __init__(self, look: float, publish: float, *, away: bool = False) -> None:
        self._look, self._publish, self._away = look, publish, away
        self.sent = 0

    async def answer(self, command_id: str) -> None:
        if self._away and self.sent:
            raise TransientError("Expected the database to answer, found it away")
        await asyncio.sleep(self._look)

    async def publish(self, command: Message, event_id: str) -> None:
        await asyncio.sleep(self._publish)
        self.sent += 1


def told_after(slow: Slow) -> tuple[object, float]:
    """What came of the command, and after how many seconds of the loop's."""
    loop = QuickLoop()

    async def hand_in() -> tuple[object, float]:
        counter = RerouteCounter(cast(BookReads, slow), slow.publish)
        try:
            return await counter.hand_in(COMMAND), loop.time()
        except Problem as problem:
            return problem.code, loop.time()

    try:
        return loop.run_until_complete(hand_in())
    finally:
        loop.close()


@pytest.mark.parametrize("slow", [Slow(0.0, 0.0), Slow(0.0, 3.9), Slow(0.001, 3.9), Slow(0.0, 3.9, away=True)])
def test_publishing_counts_into_the_wait_for_the_book(slow: Slow) -> None:
    """A bus that takes almost as long as it may leaves the book the rest, and nobody the whole time once more."""
    answer, seconds = told_after(slow)
    assert (answer, slow.sent) == (None, 1)
    assert ANSWER_SECONDS <= seconds < ANSWER_SECONDS + 0.1


@pytest.mark.parametrize("slow", [Slow(4.9, 0.9), Slow(4.9, 9.0), Slow(0.9, 3.9), Slow(0.0, 9.0)])
def test_the_control_room_still_waits_when_it_is_told(slow: Slow) -> None:
    """However the time is lost, on the way to the book or to the bus."""
    answer, seconds = told_after(slow)
    assert answer in (None, "broker_silent")
    assert seconds < cast(float, COMMAND_SECONDS.read)
