"""Whoever hands a command in at the workbench hears in time, however slow the bus is and whatever the desk says."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from services.routing.handing_in import ANSWER_SECONDS
from services.routing.workbench.answers import Answers
from services.routing.workbench.commands import CommandCounter
from services.routing.workbench.reads import DeskReads
from shared.contracts.message import Message
from shared.contracts.routing import SignOn
from tests.support.quick_loop import QuickLoop
from tests.unit.routing.floor import NOW


class SilentDesk:
    """A desk's rows in which no answer ever stands."""

    async def answer(self, team_id: str, operator_id: str, command_id: str) -> None:
        """Nothing."""


@pytest.mark.parametrize("publish_seconds", [0.0, 2.0, 3.9])
def test_publishing_counts_into_the_wait_for_the_desk(publish_seconds: float) -> None:
    """Five seconds in all, and not once more after the bus has taken the command."""
    loop = QuickLoop()

    async def publish(command: Message, event_id: str) -> None:
        await asyncio.sleep(publish_seconds)

    async def hand_in() -> float:
        counter = CommandCounter(cast(DeskReads, SilentDesk()), Answers(), publish)
        command = SignOn(command_id="c1", team_id="north", operator_id="li", issued_at=NOW)
        assert await counter.hand_in(command) is None
        return loop.time()

    try:
        assert loop.run_until_complete(hand_in()) == pytest.approx(max(ANSWER_SECONDS, publish_seconds + 1.0), abs=0.1)
    finally:
        loop.close()
