"""People at browsers in the control room: they sign in, look, type, and keep pictures of what they saw."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect

from tests.dashboards.looking import SCREENS, SIZES

PHONE: Final = (375, 812)
PATIENCE_MS: Final = 60_000
HEARD: Final = "window.did_handshake === true"  # NiceGUI drops what is typed or pressed before its page is connected
TABS_MAX: Final = 80  # how many times somebody presses Tab before they give up
SERIOUS: Final = ("serious", "critical")

expect.set_options(timeout=PATIENCE_MS)


@dataclass
class Person:
    """Somebody at a browser of their own. Shape: `troubles` are what the browser complained about."""

    page: Page
    url: str
    troubles: list[str] = field(default_factory=list)

    def go(self, path: str) -> None:
        """Open an address, and wait until the floor's figures stand there."""
        self.page.goto(self.url + path)
        self.told()

    def told(self) -> None:
        """The page has been renewed at least once."""
        expect(self.page.locator("#told")).to_contain_text("figures of")

    def keep(self, name: str) -> None:
        """Keep a picture."""
        SCREENS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENS / f"control-{name}.png", full_page=True)

    def press(self, name: str) -> None:
        """Press a button with the mouse."""
        self.page.get_by_role("button", name=name).click()

    def tab_to(self, wanted: Locator) -> None:
        """Reach something with the Tab key alone."""
        for _ in range(TABS_MAX):
            if wanted.evaluate("each => each === document.activeElement"):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"Expected to reach {wanted} by {TABS_MAX} presses of Tab")

    def serious_findings(self) -> list[dict[str, Any]]:
        """What axe finds that keeps somebody from using the page."""
        found = Axe().run(self.page).response["violations"]
        return [
            {"rule": one["id"], "at": [node["html"][:160] for node in one["nodes"]][:3]}
            for one in found
            if one["impact"] in SERIOUS
        ]


def sits_down(browser: Browser, url: str, token: str, size: tuple[int, int] = SIZES["desk"]) -> Person:
    """Somebody opens the control room in a browser of their own and signs in."""
    page = browser.new_context(viewport={"width": size[0], "height": size[1]}).new_page()
    page.set_default_timeout(PATIENCE_MS)
    person = Person(page, url)
    page.on("pageerror", lambda error: person.troubles.append(str(error)))
    page.on("console", lambda said: person.troubles.append(said.text) if said.type == "error" else None)
    page.goto(f"{url}/control")
    page.wait_for_function(HEARD)
    page.get_by_label("Token").fill(token)
    person.press("Sign in")
    page.wait_for_url("**/control")
    person.told()
    return person
