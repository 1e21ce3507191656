"""What waits at placement, told as levels: after a restart, when it is gone, and while the database is away."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from services.routing.placement.waiting import Waiting, Waits
from shared.runtime.errors import TransientError

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
CHEQUES = ("nobody_present", "cheque")
SIGNING = ("nobody_present", "cheque/review")


class Rows:
    """Placement's rows, or a database that is away."""

    def __init__(self, found: Sequence[Waits]) -> None:
        self.found: Sequence[Waits] | None = found

    async def waiting(self) -> Sequence[Waits]:
        if self.found is None:
            raise TransientError("Expected the database to answer")
        return self.found


def told(waiting: Waiting) -> dict[tuple[str, tuple[str, ...]], float]:
    """What the process shows."""
    return {(level.name, labels): value for level, labels, value in waiting.levels()}


async def test_what_waits_is_told_from_the_first_look_on() -> None:
    """A process that has just begun has heard no fact of it: 17 items and the age of the oldest all the same."""
    now = [AT]
    waiting = Waiting(Rows([Waits(*SIGNING, (), 17, AT - timedelta(minutes=14))]), lambda: now[0])
    assert told(waiting) == {}
    await waiting.look()
    assert told(waiting)["opsfloor_unplaceable_items", CHEQUES] == 17
    assert told(waiting)["opsfloor_unplaceable_oldest_seconds", CHEQUES] == 14 * 60
    now[0] += timedelta(minutes=1)
    assert told(waiting)["opsfloor_unplaceable_oldest_seconds", CHEQUES] == 15 * 60


async def test_what_has_found_a_desk_is_nought_and_not_absent() -> None:
    """Graphs fall to 0 and alerts end."""
    rows = Rows([Waits(*SIGNING, (), 1, AT)])
    waiting = Waiting(rows, lambda: AT + timedelta(seconds=9))
    await waiting.look()
    rows.found = []
    await waiting.look()
    assert set(told(waiting).values()) == {0.0}
    assert len(told(waiting)) == 2


async def test_while_the_database_is_away_the_last_look_stands_and_grows_old() -> None:
    """Placement moves nothing then, so that what waited waits."""
    rows, now = Rows([Waits(*SIGNING, (), 3, AT)]), [AT]
    waiting = Waiting(rows, lambda: now[0])
    await waiting.look()
    rows.found = None
    with pytest.raises(TransientError):
        await waiting.look()
    now[0] += timedelta(hours=1)
    assert told(waiting)["opsfloor_unplaceable_items", CHEQUES] == 3
    assert told(waiting)["opsfloor_unplaceable_oldest_seconds", CHEQUES] == 3_600
