"""What every page of the control room has: where one is, who one is, how old what stands there is."""

from __future__ import annotations

import json
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

from nicegui import ui
from pydantic import TypeAdapter

from opsfloor.console.control.hour import Hour
from opsfloor.console.control.people import People, Person
from opsfloor.console.control.routing import RefusedError, Routing, RoutingAwayError, SignedOutError
from opsfloor.console.control.style import KEPT_FOCUS, STYLE, UNHEARD
from opsfloor.console.control.telling import clock, inbox_words, local, silent_desks, span
from opsfloor.console.elements import Button, Words, words
from services.routing.emergency.glance import FloorGlance
from services.routing.emergency.looking import LookAhead
from services.routing.emergency.nowhere import PreviewSeen
from shared.contracts.reroute import RerouteOrder, RerouteTerms
from shared.http.tokens import utc_now

RENEW_SECONDS: Final = 2.0
ENDING_SECONDS: Final = 900.0  # a token that ends so soon is told
FIRST: Final = "/control"
SIGN_IN: Final = "/control/sign-in"
PLACES: Final[Mapping[str, str]] = {
    FIRST: "Floor",
    "/control/propose": "Propose",
    "/control/inbox": "Inbox",
    "/control/orders": "Orders",
    "/control/history": "History",
    "/control/drills": "Drills",
}
FLOOR: Final = TypeAdapter(FloorGlance)
ORDERS: Final[TypeAdapter[Sequence[RerouteOrder]]] = TypeAdapter(tuple[RerouteOrder, ...])
_T = TypeVar("_T")


@dataclass
class Room:
    """What all browsers share. Holds: `boards` says whether the dashboards' pages are there, too."""

    routing: Routing
    boards: bool
    people: People = field(default_factory=People)
    hour: Hour = field(default_factory=Hour)


@dataclass(frozen=True)
class Now:
    """What every page is renewed from. Shape: the orders that are not over, or whose review is open."""

    floor: FloorGlance
    orders: Sequence[RerouteOrder]

    @property
    def at(self) -> datetime:
        """The floor's own instant."""
        return self.floor.at

    @property
    def zone(self) -> str:
        """The floor's own time zone."""
        return self.floor.time_zone


Show = Callable[[Now], Awaitable[None]]


class Frame:
    """One page in one browser, of one person."""

    def __init__(self, room: Room, person: Person, browser: str, path: str, title: str) -> None:
        self.room: Final = room
        self.person: Final = person
        self._browser: Final = browser
        self._path: Final = path
        self._shown_at: str = ""
        self._unanswered: Final[dict[str, str]] = {}  # the key of what was handed in and not answered yet
        self._zone, self._at = "UTC", utc_now()  # until the floor has told its own
        ui.add_css(STYLE)
        ui.add_head_html(UNHEARD)
        ui.add_head_html(KEPT_FOCUS)
        ui.page_title(f"{title}: control room")
        self._head(title)
        self.main: Final = (
            ui.element("div").classes("room").props("id=content tabindex=-1")
        )  # inside of the page's own `main`

    def _head(self, title: str) -> None:
        words("a", "Skip to the content").props("href=#content").classes("skip")
        with ui.element("header").classes("top"):
            words("h1", title)
            with ui.element("nav").props('aria-label="Control room"'):
                self._links = {path: self._link(path, name) for path, name in PLACES.items()}
                if self.room.boards:
                    ui.link("Dashboards", "/")
            with ui.element("div").classes("told"):
                self._told = words("span").props("id=told")
                duty = self.person.duty
                words("span", f"{self.person.name}, {duty.role}").classes("who")
                Button("Sign out", self._sign_out, "quiet")
        words("p", "■ STALE: this page hears nothing from its console any more. Reload it.").classes("unheard").props(
            "role=alert"
        )
        self._stale = words("p").classes("stale").props("role=alert")
        self._silent = words("p").classes("stale").props("role=alert")
        self._ending = words("p").classes("ending").props("role=status")
        for warning in (self._stale, self._silent, self._ending):
            warning.set_visibility(False)

    def _link(self, path: str, name: str) -> ui.link:
        link = ui.link(name, path)
        if path == self._path or (path != FIRST and self._path.startswith(f"{path}/")):
            link.props('aria-current="page"')
        return link

    async def _sign_out(self) -> None:
        self.room.people.sign_out(self._browser)
        ui.navigate.to(SIGN_IN)

    # -------------------------------------------------------------------- asking

    async def ask(self, path: str, form: TypeAdapter[_T]) -> _T:
        """What routing knows, with this person's token. Errors: as `Routing.ask`."""
        self._still_here()
        return await self.room.routing.ask(path, self.person.token, form)

    async def tell(self, path: str, body: Mapping[str, Any], answer: Outcome) -> str | None:
        """Hand a command in and show what became of it. Returns the reroute's id when it was done.

        Holds:   the same again, while nobody has answered it, is the same command; once answered it is another.
        """
        same = f"{path} {json.dumps(body, sort_keys=True)}"
        key = self._unanswered.setdefault(same, uuid.uuid4().hex)
        answer.wait()
        try:
            self._still_here()
            view = await self.room.routing.tell(path, self.person.token, body, key, answer.still)
        except RoutingAwayError as error:
            answer.unsure(str(error))
            return None
        except RefusedError as error:
            self._unanswered.pop(same, None)
            answer.bad(self.here(str(error)))
            return None
        except SignedOutError:
            self.leave()
            return None
        self._unanswered.pop(same, None)
        answer.good(self.here(view.detail))
        return view.reroute_id

    async def preview(self, terms: RerouteTerms) -> PreviewSeen:
        """What the terms would do now. Errors: as `Routing.ask`."""
        self._still_here()
        return await self.room.routing.preview(terms, self.person.token)

    async def look_ahead(self, terms: RerouteTerms) -> LookAhead:
        """The next minutes played. Errors: as `Routing.look_ahead`."""
        self._still_here()
        return await self.room.routing.look_ahead(terms, self.person.token)

    def live(self, show: Show) -> None:
        """Renew the page now and from then on."""

        async def renew() -> None:
            floor = await self.ask("/reroute-floor", FLOOR)
            self.room.hour.note(floor)
            now = Now(floor, await self.ask("/reroutes?open=true", ORDERS))
            self._zone, self._at = now.zone, now.at
            await show(now)
            self._heard(now)

        ui.timer(RENEW_SECONDS, lambda: self.guarded(renew))

    async def guarded(self, asking: Callable[[], Awaitable[None]]) -> None:
        """Ask routing something; when that does not work, the page says so."""
        try:
            await asking()
        except (RoutingAwayError, RefusedError) as error:
            self._away(self.here(str(error)))
        except SignedOutError:
            self.leave()

    def here(self, sentence: str) -> str:
        """The sentence of routing's on the floor's own clock."""
        return local(sentence, self._zone, self._at)

    @property
    def zone(self) -> str:
        """The floor's own time zone, once the floor has told it."""
        return self._zone

    def _still_here(self) -> None:
        """Errors: `SignedOutError` when the person left, in this tab or in another, or somebody else sits there now."""
        if self.room.people.at(self._browser) is not self.person:
            raise SignedOutError("Expected the person who opened this page, found that they left.")

    # -------------------------------------------------------------------- telling

    def _heard(self, now: Now) -> None:
        self._shown_at = clock(now.at, now.zone)
        self._stale.set_visibility(False)
        self._told.say(f"figures of {self._shown_at} ({now.zone})")
        silent = silent_desks(now.floor)
        self._silent.say(f"■ {silent}").set_visibility(bool(silent))
        self._links["/control/inbox"].set_text(inbox_words(self.person.duty, now.orders, now.floor))
        seconds = (self.person.duty.expires_at - utc_now()).total_seconds()
        self._ending.say(f"▲ Your token ends in {span(seconds)}: sign in with a new one before that.")
        self._ending.set_visibility(seconds < ENDING_SECONDS)

    def _away(self, why: str) -> None:
        """There is nothing new: say so over what still stands there."""
        shown = f" What stands below is from {self._shown_at}." if self._shown_at else ""
        self._stale.say(f"■ STALE: no new figures: {why}.{shown}").set_visibility(True)
        self._told.say(f"last tried {clock(utc_now(), self._zone)} ({self._zone})")

    def leave(self) -> None:
        """Whoever sits there now sees the page as themselves; nobody: they sign in first."""
        here = self.room.people.at(self._browser)
        if here is not None and here is not self.person:
            ui.navigate.reload()
            return
        self.room.people.sign_out(self._browser)
        ui.navigate.to(f"{SIGN_IN}?{urlencode({'next': self._path, 'why': 'ended'})}")


class Outcome:
    """Where the answer to a command is shown."""

    def __init__(self) -> None:
        self._good: Final[Words] = words("p").classes("outcome good").props("role=status")
        self._bad: Final[Words] = words("p").classes("outcome bad").props("role=alert")
        self._good.set_visibility(False)
        self._bad.set_visibility(False)

    def clear(self) -> None:
        """It says nothing any more."""
        self._good.say("").set_visibility(False)
        self._bad.say("").set_visibility(False)

    def wait(self) -> None:
        """It is under way."""
        self._say(self._good, self._bad, "… sent, waiting for the answer")

    def still(self, why: str) -> None:
        """It is not answered yet."""
        self._say(self._good, self._bad, f"… not answered yet: {why}")

    def good(self, text: str) -> None:
        """It was done."""
        self._say(self._good, self._bad, f"● Done. {text}")

    def bad(self, text: str) -> None:
        """It was not."""
        self._say(self._bad, self._good, f"■ NOT DONE: {text}")

    def unsure(self, text: str) -> None:
        """Nobody answered."""
        self._say(
            self._bad,
            self._good,
            f"▲ NOT ANSWERED: {text}. It may still be done: look at the orders first. "
            "Pressed again on this page with nothing changed it is the same command, not a second one.",
        )

    def _say(self, shown: Words, hidden: Words, text: str) -> None:
        shown.say(text).set_visibility(True)
        hidden.say("").set_visibility(False)
