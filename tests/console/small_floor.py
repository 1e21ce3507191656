"""A control room's face on a port, over a book in memory, with the example bank behind it: what the pages show is known."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, cast

from shared.contracts.routing import DeskTally, LoadByWorkType, LoadSnapshot
from shared.http.keys import ensure_key_pair
from shared.http.server import HttpServer
from shared.http.tokens import Issuer
from shared.reference.board import REFERENCE_BOARD
from shared.reference.files import load
from tests.unit.emergency.front_desk import FrontDesk

BANK: Final = load(Path(__file__).parents[2] / "deploy" / "reference")
QUEUED: Final = {"north-entry": 140, "south-entry": 320, "north-control": 3, "south-control": 24, "clearkey-one": 8}
WORK: Final = {
    "entry": (
        ("corporate-transfer/entry", 5, 25.0),
        ("cheque-deposit/entry", 4, 15.0),
        ("account-maintenance/entry", 1, 30.0),
    ),
    "control": (("corporate-transfer/review", 2, 40.0), ("corporate-transfer/authorisation", 1, 30.0)),
}


class SmallFloor:
    """The face at `url`, and the hands of who stands behind it. Holds: everything happens in the face's own thread."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        pair = ensure_key_pair(folder / "keys")
        self._issuer: Final = Issuer(pair.private)
        self._loop: Final = asyncio.new_event_loop()
        self._desk: Final = FrontDesk(key=pair.private)
        self._server: Final = HttpServer(self._desk.app, "127.0.0.1", port)
        self.url = ""

    def token(self, subject: str, role: str, seconds: float = 3_600.0) -> str:
        """Somebody's token."""
        return self._issuer.issue(subject, role, seconds=seconds)

    def do(self, act: Callable[[FrontDesk], Any]) -> Any:
        """Do something to the book or its boards."""

        async def acted() -> Any:
            return act(self._desk)

        return asyncio.run_coroutine_threadsafe(acted(), self._loop).result(10)

    def load(self, share: float = 1.0) -> None:
        """Every desk tells its load: so much of what usually waits."""
        self.do(lambda desk: _tell_loads(desk, share))

    def pass_time(self, seconds: float) -> None:
        """So much time goes by; what must happen meanwhile happens."""
        self.do(lambda desk: desk.room.wait(seconds))

    def open(self) -> None:
        """Answer from now on."""
        ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(ready,))
        self._thread.start()
        assert ready.wait(10)
        self.load()

    def close(self) -> None:
        """Answer no more. Said again it changes nothing."""
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(self._server.stop(), self._loop).result(10)
        self._thread.join(10)
        self._loop.close()

    def _serve(self, ready: threading.Event) -> None:
        views = cast(dict[str, Any], self._desk.room.views)
        views["reference"] = REFERENCE_BOARD.empty()
        views["load"].clear()
        for entry in BANK:
            REFERENCE_BOARD.fold(views["reference"], entry.key, entry)
        port = self._loop.run_until_complete(self._server.start())
        self.url = f"http://127.0.0.1:{port}"
        ready.set()
        self._loop.run_until_complete(self._server.wait())


def _tell_loads(desk: FrontDesk, share: float) -> None:
    room = desk.room
    for team_id, people in room.views["reference"].operators_by_team.items():
        kind = "control" if team_id.endswith("control") else "entry"
        whole = sum(part for _, part, _ in WORK[kind])
        known = room.views["load"].get(team_id)
        waiting = [(name, round(share * QUEUED[team_id] * part / whole), seconds) for name, part, seconds in WORK[kind]]
        room.tell_load(
            LoadSnapshot(
                team_id=team_id,
                at=room.now,
                version=known.version + 1 if known else 1,
                queued=tuple(
                    LoadByWorkType(
                        work_type=name,
                        queued=count,
                        standard_seconds=seconds * count,
                        oldest_requested_at=room.now - timedelta(seconds=2.5 * QUEUED[team_id]),
                    )
                    for name, count, seconds in waiting
                    if count
                ),
                in_hand=min(len(people), sum(count for _, count, _ in waiting)),
                present=tuple(sorted(people)),
                tally=DeskTally(accepted=900, expired=4, completed=880, late=12 if team_id == "south-entry" else 1),
            )
        )


@contextmanager
def small_floor(folder: Path, port: int = 0) -> Iterator[SmallFloor]:
    """A floor that answers while the block runs, on a free port when none is named."""
    floor = SmallFloor(folder, port)
    floor.open()
    try:
        yield floor
    finally:
        floor.close()
