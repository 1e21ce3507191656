"""Signing in: a token is shown to routing, which says whose it is."""

from __future__ import annotations

from typing import Final

from nicegui import ui
from pydantic import TypeAdapter

from opsfloor.console.control.frame import FIRST, SIGN_IN, Outcome, Room
from opsfloor.console.control.people import Person
from opsfloor.console.control.routing import RefusedError, RoutingAwayError, SignedOutError
from opsfloor.console.control.style import STYLE
from opsfloor.console.elements import Button, Field, Press, words
from services.routing.emergency.glance import DutyView

DUTY: Final = TypeAdapter(DutyView)


def sign_in_page(room: Room, browser: str, then: str, ended: bool) -> None:
    """Ask for a token, and go on to where somebody wanted to be."""
    ui.add_css(STYLE)
    ui.page_title("Sign in: control room")
    with ui.element("div").classes("sign-in card"):
        words("h1", "Control room of reroutes: sign in")
        if ended:
            words("p", "■ You are signed out: your token has ended, or you left. Sign in anew.").classes(
                "outcome bad"
            ).props("role=alert")
        words(
            "p",
            "Paste the token that you were given. It says who you are and what you may do; it is kept only while this console runs.",
        )
        token = Field("Token", kind="password", spellcheck="false")
        outcome = Outcome()
        enter = _enter(room, browser, safe(then), token, outcome)
        token.input.on("keydown.enter", enter, args=[])
        with ui.element("div").classes("presses"):
            Button("Sign in", enter, "main")
        words("h2", "You have none?")
        words("p", "On the machine that keeps the floor's key, for eight hours:")
        for role in ("viewer", "proposer", "approver"):
            with ui.element("p"):
                words("code", f"opsfloor token YOUR-NAME --role {role}")
        words(
            "p",
            "Approvers may propose, too. Your name must be on duty for reroutes (deploy/reference/reroutes.yaml) to change anything.",
        )


def _enter(room: Room, browser: str, then: str, token: Field, outcome: Outcome) -> Press:
    async def enter() -> None:
        given = token.value.strip().removeprefix("Bearer ").strip()
        if not given:
            outcome.bad("Paste a token first.")
            return
        outcome.wait()
        try:
            duty = await room.routing.ask("/reroute-duty", given, DUTY)
        except (RoutingAwayError, RefusedError, SignedOutError) as error:
            outcome.bad(str(error))
            return
        room.people.sign_in(browser, Person(given, duty))
        ui.navigate.to(then)

    return enter


def safe(then: str) -> str:
    """An address of the control room, whatever was asked for: nobody is sent elsewhere after signing in."""
    return then if then == FIRST or (then.startswith(f"{FIRST}/") and not then.startswith(SIGN_IN)) else FIRST
