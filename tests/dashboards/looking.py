"""Looking at the console's pages in a real Chromium, at a desk and at a wall."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
from playwright.sync_api import Browser, Page, sync_playwright

from deploy.local.children import free_port

CHROMIUM: Final = shutil.which("chromium-headless-shell") or shutil.which("chromium")  # the shell works half as much
SCREENS: Final = Path(__file__).parents[2] / "build" / "screens"  # kept as test output
SIZES: Final[Mapping[str, tuple[int, int]]] = {
    "desk": (1_440, 900),
    "television": (1_920, 1_080),
    "wall": (3_840, 2_160),
}
SERVING_SECONDS: Final = 180.0  # a busy machine imports for long
PATIENCE_MS: Final = 30_000


@dataclass(frozen=True)
class Seen:
    """A page as it stood on the screen.

    Shape:   `panels` are the words of each panel by its title; `troubles` what the browser complained about.
    Units:   pixels.
    """

    panels: Mapping[str, str]
    height: int
    room: int
    text_px: float
    warning: str
    troubles: tuple[str, ...]


@contextmanager
def console(log: Path, *, prometheus: str = "", routing: str = "", home: Path | None = None) -> Iterator[str]:
    """`opsfloor console` over that Prometheus and that routing service, or over what runs from that folder. Gives its URL.

    Holds:   what is not named is not there, whatever else runs on this machine.
    """
    port = free_port()
    named = {"--prometheus": prometheus, "--routing": routing}
    words = ["-m", "opsfloor", "console", f"--port={port}", *(f"{name}={url}" for name, url in named.items() if url)]
    env = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}  # NiceGUI looks for it
    env |= {"OPSFLOOR_HOME": str(home or log.parent / "nowhere")}
    with log.open("wb") as out:
        process = subprocess.Popen([sys.executable, *words], stdout=out, stderr=out, env=env)
    try:
        url = f"http://127.0.0.1:{port}"
        end = time.monotonic() + SERVING_SECONDS
        while not _serves(url):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.2)
        yield url
    finally:
        process.terminate()
        process.wait(20)


def _serves(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5, follow_redirects=True).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


@contextmanager
def browser() -> Iterator[Browser]:
    """Debian's Chromium without a screen."""
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield found
        finally:
            found.close()


def look(at: Browser, url: str, size: str, name: str) -> Seen:
    """Open a page, wait until its panels show something, keep a picture of it."""
    width, height = SIZES[size]
    page = at.new_page(viewport={"width": width, "height": height})
    try:
        troubles: list[str] = []
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda said: troubles.append(said.text) if said.type == "error" else None)
        page.goto(url)
        page.wait_for_function(
            "[...document.querySelectorAll('.panel')].every(each => each.querySelector('table, .empty'))",
            timeout=PATIENCE_MS,
        )
        SCREENS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=SCREENS / f"{name}-{size}.png", full_page=True)
        return seen_now(page, tuple(troubles))
    finally:
        page.close()


def seen_now(page: Page, troubles: tuple[str, ...] = ()) -> Seen:
    """What stands on the page at this moment."""
    panels = {
        panel.locator("h2").inner_text(): panel.inner_text().partition("\n")[2].strip()
        for panel in page.locator(".panel").all()
    }
    warning = page.locator("[role=alert]")
    return Seen(
        panels,
        page.evaluate("document.documentElement.scrollHeight"),
        page.evaluate("window.innerHeight"),
        page.evaluate("parseFloat(getComputedStyle(document.documentElement).fontSize)"),
        warning.inner_text() if warning.is_visible() else "",
        troubles,
    )
