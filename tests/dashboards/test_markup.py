"""The floor's own pages as HTML: one main part each, for whoever hears a page instead of seeing it."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from deploy.grafana.boards import BOARDS
from deploy.local.children import free_port
from opsfloor.console.app import path_of
from tests.dashboards.looking import CHROMIUM, browser, console

SERIOUS = ("serious", "critical")
LANDMARKS = ("landmark-main-is-top-level", "landmark-no-duplicate-main", "landmark-one-main")

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="Expected Chromium on PATH: `make test` installs Debian's package when it is root"
)


def test_every_page_has_one_main_part_and_nothing_that_shuts_somebody_out(tmp_path: Path) -> None:
    """No `main` in another, which HTML forbids; axe finds nothing serious. Prometheus is away: the frame stands without it."""
    away = f"http://127.0.0.1:{free_port()}"
    paths = [*(path_of(board) for board in BOARDS), "/runbook/RecordLost", "/runbook/Absent", "/control"]
    with console(tmp_path / "console.log", prometheus=away) as url, browser() as chromium:
        for path in paths:
            page = chromium.new_page()
            page.goto(url + path)
            page.locator("main").first.wait_for()
            assert page.locator("main").count() == 1, path
            broken = [
                (one["id"], [node["html"][:120] for node in one["nodes"]][:3])
                for one in Axe().run(page).response["violations"]
                if one["impact"] in SERIOUS or one["id"] in LANDMARKS
            ]
            assert broken == [], path
            page.close()
