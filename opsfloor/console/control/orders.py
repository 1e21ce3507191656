"""The orders that are open, those that somebody must decide, and those that are over."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import quote

from nicegui import ui
from pydantic import TypeAdapter

from opsfloor.console.control.frame import ORDERS, Frame, Now
from opsfloor.console.control.heard import HeardSheet
from opsfloor.console.control.previews import late_words
from opsfloor.console.control.telling import (
    by_urgency,
    for_them,
    order_line,
    order_page,
    past_line,
    phase_cell,
    time_left,
    undecided,
    what_now,
)
from opsfloor.console.elements import words
from opsfloor.console.sheet import Cell, Line
from services.routing.emergency.report import RerouteReport, preview_words
from shared.contracts.reroute import RerouteOrder

REPORT: Final = TypeAdapter(RerouteReport)
REPORTS_MAX: Final = 10  # orders in force whose moved items a list asks for, two seconds apart
PAST_MAX: Final = 200
PAST_RENEWED: Final = timedelta(seconds=10)  # hundreds of orders are not read again every two seconds
ORDER_COLUMNS: Final = ("order", "phase", "what", "time left", "moved so far", "proposed by", "approved by", "why")
PAST: Final = ("order", "outcome", "what", "began", "lasted", "how it ended", "proposed by", "approved by", "why")
INBOX: Final = ("order", "phase", "what", "time left", "what it would do", "proposed by", "why")


async def order_lines(frame: Frame, now: Now, orders: Iterable[RerouteOrder]) -> list[Line]:
    """Orders as lines, the most urgent first; of those in force also what they moved."""
    ordered = by_urgency(orders)
    acting = [order.reroute_id for order in ordered if order.phase in ("active", "returning")][:REPORTS_MAX]
    moved = {name: (await report_of(frame, name)).moved for name in acting}
    return [order_line(order, now.at, now.zone, moved.get(order.reroute_id)) for order in ordered]


async def report_of(frame: Frame, reroute_id: str) -> RerouteReport:
    """Everything of one reroute. Errors: as `Frame.ask`."""
    return await frame.ask(f"/reroutes/{quote(reroute_id, safe='')}", REPORT)


class OpenOrders:
    """What is in force, comes back, is approved, is proposed."""

    def __init__(self, frame: Frame) -> None:
        self._frame: Final = frame
        with ui.element("section").classes("card"):
            self._sheet: Final = HeardSheet("Open orders", ORDER_COLUMNS, "● No reroute is open.")
            words("p", "Open an order to end it, to keep it for longer, or to stop it.").classes("empty")

    async def show(self, now: Now) -> None:
        """Show the orders now."""
        self._sheet.show(await order_lines(self._frame, now, now.orders))


class Inbox:
    """What waits for a decision of somebody."""

    def __init__(self, frame: Frame) -> None:
        self._frame: Final = frame
        duty = frame.person.duty
        with ui.element("section").classes("card"):
            if not duty.approves:
                words("p", f"▲ {may_not(frame)} You see here what others must decide.").classes("empty")
            self._yours: Final = HeardSheet("For you to decide", INBOX, "● Nothing waits for you.")
        with ui.element("section").classes("card"):
            self._others: Final = HeardSheet("For others to decide", INBOX, "Nothing waits for others.")

    async def show(self, now: Now) -> None:
        """Show what waits now."""
        waiting = by_urgency(order for order in now.orders if undecided(order))
        mine = [order for order in waiting if for_them(self._frame.person.duty, order, now.floor)]
        self._yours.show([_inbox_line(order, now) for order in mine])
        self._others.show([_inbox_line(order, now) for order in waiting if order not in mine])


def may_not(frame: Frame) -> str:
    """Why the person approves nothing."""
    duty = frame.person.duty
    if duty.name is None:
        return f"{duty.subject} is not on duty for reroutes."
    return f"{duty.name} does not approve reroutes with the role {duty.role}."


def _inbox_line(order: RerouteOrder, now: Now) -> Line:
    verdict = late_words(order.preview)[0]
    bad = bool(order.preview.dead_ends or order.preview.broken_rules)
    return Line(
        order.reroute_id,
        (
            Cell(order.reroute_id, link=order_page(order.reroute_id)),
            phase_cell(order, now.at),
            Cell(what_now(order, now.zone)),
            Cell(time_left(order, now.at)),
            Cell(preview_words(order.preview), "bad" if bad else verdict, "look closely" if bad else ""),
            Cell(order.proposed_by),
            Cell(order.terms.reason),
        ),
    )


class History:
    """What is over, with its outcome, the last first."""

    def __init__(self, frame: Frame) -> None:
        self._frame: Final = frame
        self._asked_at: datetime | None = None
        with ui.element("section").classes("card"):
            self._sheet: Final = HeardSheet("Orders that are over", PAST, "No reroute was ever over.")
            self._more: Final = words("p").classes("empty")

    async def show(self, now: Now) -> None:
        """Show what is over now."""
        if self._asked_at is not None and timedelta() <= now.at - self._asked_at < PAST_RENEWED:
            return
        self._asked_at = now.at
        known = await self._frame.ask("/reroutes", ORDERS)
        over = sorted(
            (order for order in known if order.over_at is not None),
            key=lambda order: (order.over_at or order.proposed_at, order.reroute_id),
            reverse=True,
        )
        self._sheet.show([past_line(order, now.zone) for order in over[:PAST_MAX]])
        more = len(over) - PAST_MAX
        self._more.say(f"And {more} older ones: `opsfloor reroute list --all`." if more > 0 else "")
