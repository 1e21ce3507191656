"""A floor of forty types and forty teams on the floor's own page, in a real Chromium: the one that is ill stands first."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import pytest

from deploy.grafana.boards import ABOVE_PROMISE, SATURATION
from opsfloor.console.asking import HEARD, LAST_SCRAPE
from opsfloor.floor import BALANCER, SERVICES
from tests.dashboards.looking import CHROMIUM, browser, console, look

MANY: Final = 40
ILL: Final = "30"

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="Expected Chromium on PATH: `make test` installs Debian's package when it is root"
)


def crowd(label: str, well: float, ill: float) -> dict[str, float]:
    """Forty by their names, the thirty-first of them ill."""
    names = [f"{number:02}" for number in range(MANY)]
    return {json.dumps({label: f"{label}-{name}"}): ill if name == ILL else well for name in names}


class Crowded(BaseHTTPRequestHandler):
    """Prometheus over a crowded floor whose balancer is dead: what it is not told here it does not know."""

    known: Final = {
        ABOVE_PROMISE: crowd("business_type", 0.005, -0.99),
        SATURATION: crowd("team", 0.1, 5.0),
        LAST_SCRAPE: {"{}": 1.0},
        HEARD.expr: {json.dumps({"job": service}): 1.0 for service in SERVICES},
    }

    def do_GET(self) -> None:
        """One question."""
        asked = urlsplit(self.path)
        query = parse_qs(asked.query).get("query", [""])[0]
        rows = [
            {"metric": json.loads(labels), "value": [time.time(), str(value)]}
            for labels, value in self.known.get(query, {}).items()
        ]
        data = {"alerts": []} if asked.path.endswith("alerts") else {"resultType": "vector", "result": rows}
        body = json.dumps({"status": "success", "data": data}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *said: Any) -> None:
        """Say nothing."""


@contextmanager
def crowded() -> Iterator[str]:
    """Its URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Crowded)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def test_the_one_that_is_ill_stands_first_and_a_dead_service_is_named(tmp_path: Path) -> None:
    """Of forty types the late one, of forty teams the full one; no plan, since its balancer is dead and not calm."""
    with crowded() as prometheus, console(tmp_path / "log", prometheus=prometheus) as url, browser() as chromium:
        seen = look(chromium, url, "desk", "crowded")
    for title, ill in (
        ("How far is the share on time above its promise?", "business_type"),
        ("How full are the teams?", "team"),
    ):
        first, *rest = seen.panels[title].splitlines()
        assert first.startswith(f"{ill}-{ILL}"), seen.panels[title]
        assert f"and {MANY - 6} more: all good" in rest
    assert BALANCER in seen.warning
    plan, *_ = seen.panels["How late does the plan expect the coming hour's work to be?"].splitlines()
    assert plan == f"no data, and no answer from {BALANCER}"
    assert seen.troubles == ()
