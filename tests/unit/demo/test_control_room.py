"""The demo's two people on duty, against the control room's real face over a book in memory."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from deploy.demo.control_room import LOOKS_MAX, ControlRoom, PreviewMovedError
from shared.http.keys import ensure_key_pair
from shared.http.tokens import Issuer
from tests.console.small_floor import SmallFloor, small_floor

TERMS = {"effect": "recall", "scope": {"centres": ["north"]}, "minutes": 60, "reason": "no power"}


class Restless(ControlRoom):
    """A room whose floor moves each time after somebody has looked, so many times."""

    def __init__(self, floor: SmallFloor, folder: Path, moves: int) -> None:
        super().__init__(Issuer(ensure_key_pair(folder / "keys").private), lambda: [floor.url])
        self._floor = floor
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
