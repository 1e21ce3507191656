"""Boards that hang on a wall, full of lines, in a real Chromium: nobody scrolls a wall."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice, product
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import pytest

from deploy.grafana.boards import FLOOR, TEAMS
from deploy.grafana.questions import Board
from opsfloor.console.app import path_of
from tests.dashboards.looking import CHROMIUM, browser, console, look

LINES_MAX: Final = 9  # more than a panel names
NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "team": ("north-entry", "south-entry", "north-control", "south-control", "clearkey-one", "clearkey-two", "night"),
    "business_type": ("corporate-transfer", "cheque-deposit", "account-maintenance"),
    "work_type": ("corporate-transfer/entry",),
    "step": ("entry", "arbitration", "review", "authorisation"),
}

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="Expected Chromium on PATH: `make test` installs Debian's package when it is root"
)


def lines(query: str) -> list[dict[str, str]]:
    """The labels of every line that a query could have, as far as a panel has room."""
    found = re.search(r"by \(([^)]*)\)", query)
    names = [name for name in (found[1].split(", ") if found else []) if name != "le"]
    values = product(*(NAMES.get(name, ("one", "another")) for name in names))
    return [dict(zip(names, each, strict=True)) for each in islice(values, LINES_MAX)]


class Full(BaseHTTPRequestHandler):
    """Prometheus over a floor on which everything happens at once."""

    def do_GET(self) -> None:
        """One question."""
        asked = urlsplit(self.path)
        said = {name: values[0] for name, values in parse_qs(asked.query).items()}
        body = json.dumps({"status": "success", "data": self._answer(asked.path, said)}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _answer(self, path: str, said: Mapping[str, str]) -> dict[str, Any]:
        if path.endswith("alerts"):
            return {"alerts": []}
        found = lines(said["query"])
        if not path.endswith("query_range"):
            now = [time.time(), "0.5"]
            return {"resultType": "vector", "result": [{"metric": each, "value": now} for each in found]}
        moments = range(int(said["start"]), int(said["end"]) + 1, int(said["step"]))
        points = [[at, "0.5"] for at in moments]
        return {"resultType": "matrix", "result": [{"metric": each, "values": points} for each in found]}

    def log_message(self, *said: Any) -> None:
        """Say nothing."""


@contextmanager
def full() -> Iterator[str]:
    """Its URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Full)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("board", [FLOOR, TEAMS], ids=lambda board: board.uid)
def test_a_full_board_is_one_screen(tmp_path: Path, board: Board) -> None:
    """On a television and on a wall, with as many lines in every panel as it names, and a warning over them."""
    with full() as prometheus, console(tmp_path / "log", prometheus=prometheus) as url, browser() as chromium:
        for size in ("television", "wall"):
            seen = look(chromium, url + path_of(board), size, f"full-{board.uid}")
            assert seen.height <= seen.room, size
