"""The demo's two people on duty, against the control room's real face over a book in memory."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from deploy.demo import control_room
from deploy.demo.control_room import LOOKS_MAX, ControlRoom, PreviewMovedError, TooFewLeftError
from shared.http.keys import ensure_key_pair
from shared.http.tokens import Issuer
from tests.console.small_floor import SmallFloor, small_floor
from tests.unit.emergency.front_desk import FrontDesk

TERMS = {"effect": "recall", "scope": {"centres": ["north"]}, "minutes": 60, "reason": "no power"}


class OverFloor(ControlRoom):
    """A room over that floor."""

    def __init__(self, floor: SmallFloor, folder: Path) -> None:
        super().__init__(Issuer(ensure_key_pair(folder / "keys").private), lambda: [floor.url])
        self._floor = floor


class Restless(OverFloor):
    """A room whose floor moves each time after somebody has looked, so many times."""

    def __init__(self, floor: SmallFloor, folder: Path, moves: int) -> None:
        super().__init__(floor, folder)
        self.moves = moves
        self.looks = 0

    async def _ask(self, method: str, path: str, *rest: object) -> object:
        answer = await super()._ask(method, path, *rest)  # type: ignore[arg-type]
        if method == "GET":
            self.looks += 1
            if self.looks <= self.moves:
                self._floor.load(share=3.0**self.looks)
        return answer


def test_who_agrees_looks_again_when_the_floor_has_moved(tmp_path: Path) -> None:
    """As the answer says: look at the new preview and approve that."""
    with small_floor(tmp_path) as floor:
        room = Restless(floor, tmp_path, moves=2)
        identity = asyncio.run(room.propose(TERMS))
        asyncio.run(room.agree(identity))
        assert room.looks == 3
        assert floor.do(lambda desk: desk.room.book.orders[identity].phase) == "active"


def test_a_floor_that_never_rests_is_not_agreed_to(tmp_path: Path) -> None:
    """Nobody agrees to what they have not seen, however often they look."""
    with small_floor(tmp_path) as floor:
        room = Restless(floor, tmp_path, moves=LOOKS_MAX)
        identity = asyncio.run(room.propose(TERMS))
        with pytest.raises(PreviewMovedError, match="preview_changed"):
            asyncio.run(room.agree(identity))
        assert floor.do(lambda desk: desk.room.book.orders[identity].phase) == "proposed"


class Deserted(OverFloor):
    """A room that finds nobody at work elsewhere, until it has asked so many times."""

    def __init__(self, floor: SmallFloor, folder: Path, times: int) -> None:
        super().__init__(floor, folder)
        self._times = times
        self.asked = 0
        floor.do(_everybody_leaves)

    async def _ask(self, method: str, path: str, *rest: object) -> object:
        self.asked += 1
        if self.asked > self._times:
            self._floor.load()
        return await super()._ask(method, path, *rest)  # type: ignore[arg-type]


def _everybody_leaves(desk: FrontDesk) -> None:
    """But those at centre north."""
    for load in list(desk.room.views["load"].values()):
        if not load.team_id.startswith("north"):
            desk.room.tell_load(load.model_copy(update={"version": load.version + 1, "present": ()}))


def test_who_proposes_asks_again_while_the_others_are_away(tmp_path: Path) -> None:
    """A rule that nobody may override holds for as long as nobody else is there, and no longer."""
    with small_floor(tmp_path) as floor:
        room = Deserted(floor, tmp_path, times=2)
        identity = asyncio.run(room.propose(TERMS))
        assert room.asked == 3
        assert floor.do(lambda desk: desk.room.book.orders[identity].phase) == "proposed"


def test_nobody_asks_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the others stay away the refusal is what stands at the end."""
    monkeypatch.setattr(control_room, "TOO_FEW_TRIES_MAX", 2)
    monkeypatch.setattr(control_room, "TOO_FEW_SECONDS", 0.01)
    with small_floor(tmp_path) as floor:
        room = Deserted(floor, tmp_path, times=9)
        with pytest.raises(TooFewLeftError, match="rule_not_overridable"):
            asyncio.run(room.propose(TERMS))
        assert room.asked == 2
