"""The control room's addresses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol
from urllib.parse import quote, urlencode

from nicegui import app, ui
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from opsfloor.console.control.drills import Drills
from opsfloor.console.control.frame import FIRST, SIGN_IN, Frame, Now, Room
from opsfloor.console.control.glance import Glance
from opsfloor.console.control.order import OneOrder
from opsfloor.console.control.orders import History, Inbox, OpenOrders
from opsfloor.console.control.people import Person
from opsfloor.console.control.proposing import Proposing
from opsfloor.console.control.routing import RefusedError, RoutingAwayError, SignedOutError
from opsfloor.console.control.sign_in import sign_in_page
from opsfloor.console.control.telling import order_page

REPORT_HEADERS: Final = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}


class Shown(Protocol):
    """What stands on a page."""

    async def show(self, now: Now) -> None:
        """Show it as it is now. Errors: as `Frame.ask`."""


ROOMS: Final[dict[str, tuple[str, Callable[[Frame], Shown]]]] = {
    "/control": ("The floor now", Glance),
    "/control/propose": ("Propose a reroute", Proposing),
    "/control/inbox": ("Waiting for a decision", Inbox),
    "/control/orders": ("Open orders", OpenOrders),
    "/control/history": ("History", History),
    "/control/drills": ("Drills", Drills),
}


def control_pages(room: Room) -> None:
    """Serve the control room. Without dashboards its first page is the front page."""
    for path, (title, build) in ROOMS.items():
        _page(room, path, title, build)
    ui.page("/control/orders/{reroute_id}")(_order(room))
    ui.page("/control/orders/{reroute_id}/report")(_report(room))
    ui.page(SIGN_IN)(_sign_in(room))
    if not room.boards:
        app.get("/")(lambda: RedirectResponse(FIRST))
    app.on_shutdown(room.routing.close)


def _page(room: Room, path: str, title: str, build: Callable[[Frame], Shown]) -> None:
    @ui.page(path)
    async def page() -> Response | None:
        return _open(room, path, title, build)


def _order(room: Room) -> Callable[..., object]:
    async def page(reroute_id: str) -> Response | None:
        path = order_page(reroute_id)
        return _open(room, path, f"Order {reroute_id}", lambda frame: OneOrder(frame, reroute_id))

    return page


def _open(room: Room, path: str, title: str, build: Callable[[Frame], Shown]) -> Response | None:
    """A page for whoever is signed in; everybody else signs in first."""
    browser = _browser()
    person = room.people.at(browser)
    if person is None:
        return RedirectResponse(f"{SIGN_IN}?{urlencode({'next': path})}")
    frame = Frame(room, person, browser, path, title)
    with frame.main:
        shown = build(frame)
    frame.live(shown.show)
    return None


def _report(room: Room) -> Callable[..., object]:
    async def page(reroute_id: str) -> Response:
        person: Person | None = room.people.at(_browser())
        if person is None:
            return RedirectResponse(SIGN_IN)
        try:
            text = await room.routing.page(f"/reroutes/{quote(reroute_id, safe='')}/report.html", person.token)
        except (RoutingAwayError, RefusedError, SignedOutError) as error:
            return Response(str(error), status_code=502, media_type="text/plain; charset=utf-8")
        return Response(text, media_type="text/html; charset=utf-8", headers=REPORT_HEADERS)

    return page


def _sign_in(room: Room) -> Callable[..., object]:
    async def page(request: Request) -> None:
        asked = request.query_params
        sign_in_page(room, _browser(), asked.get("next", ""), ended=asked.get("why") == "ended")

    return page


def _browser() -> str:
    """The secret id in the browser's cookie, signed by this process."""
    return str(app.storage.browser["id"])
