"""A Prometheus that takes a question and does not answer: the pages stand all the same."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import httpx

from deploy.grafana.boards import BOARDS
from opsfloor.console.app import path_of
from opsfloor.console.screen import READING
from tests.dashboards.looking import console

RELOADED_SECONDS = 3.0  # NiceGUI's own patience with a page, after which it answers 500


def test_every_page_stands_at_once(tmp_path: Path) -> None:
    """Each board answers with its frame, those too whose reader chooses; a wall screen that reloads does not stay dead."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with console(tmp_path / "console.log", prometheus=url) as pages:
            for board in BOARDS:
                began = time.monotonic()
                answer = httpx.get(pages + path_of(board), timeout=30)
                assert answer.status_code == httpx.codes.OK, board.uid
                assert board.title in answer.text, board.uid
                assert answer.text.count(READING) > len(board.panels), "no white boxes while figures are on their way"
                assert time.monotonic() - began < RELOADED_SECONDS, board.uid
