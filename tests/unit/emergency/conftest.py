"""A control room that answers on a port, with the example bank behind it and a command line that finds it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from shared.http.keys import PRIVATE_NAME, ensure_key_pair
from shared.http.server import HttpServer
from shared.reference.board import REFERENCE_BOARD
from shared.reference.files import load
from tests.unit.emergency.control_room import desk_load
from tests.unit.emergency.front_desk import KEY, FrontDesk

BANK = load(Path(__file__).parents[3] / "deploy" / "reference")


def example_bank(desk: FrontDesk) -> None:
    """The example bank's reference data, and everybody of it present."""
    views = desk.room.views
    for entry in BANK:
        REFERENCE_BOARD.fold(views["reference"], entry.key, entry)
    views["load"].clear()
    for team_id, people in views["reference"].operators_by_team.items():
        desk.room.tell_load(desk_load(team_id, sorted(people)))


def leave_key(folder: Path) -> None:
    """The key whose tokens the face believes, where the command line looks for it."""
    folder.mkdir()
    private = folder / PRIVATE_NAME
    private.write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    private.chmod(0o600)
    ensure_key_pair(folder)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FrontDesk]:
    """A control room that answers on a port, and a command line that finds it."""
    face = FrontDesk()
    leave_key(tmp_path / "keys")
    example_bank(face)
    loop, ready = asyncio.new_event_loop(), threading.Event()
    server = HttpServer(face.app, "127.0.0.1", 0)

    def serve() -> None:
        port = loop.run_until_complete(server.start())
        monkeypatch.setenv("OPSFLOOR_ROUTING_URL", f"http://127.0.0.1:{port}")
        ready.set()
        loop.run_until_complete(server.wait())

    monkeypatch.setenv("OPSFLOOR_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    thread = threading.Thread(target=serve)
    thread.start()
    assert ready.wait(10)
    yield face
    asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
    thread.join(10)
    loop.close()
