"""The drill calendar: what comes, what came of it, and which places no recent drill proves."""

from __future__ import annotations

from typing import Final

from nicegui import ui
from pydantic import TypeAdapter

from opsfloor.console.control.frame import Frame, Now
from opsfloor.console.control.heard import HeardSheet
from opsfloor.console.control.telling import PHASES, day_clock, drilled, local, named, order_page
from opsfloor.console.elements import words
from opsfloor.console.sheet import Cell, Line
from services.routing.emergency.proofs import DrillsView, DrillView, EntryView, PointView
from services.routing.emergency.report import drill_words

DRILLS: Final = TypeAdapter(DrillsView)
POINTS: Final = ("place", "proved", "passed at", "last drill", "what came of it", "why not proved")
ENTRIES: Final = ("drill", "takes away", "when", "next", "now", "signed", "last")


class Drills:
    """Can the floor do without each of its places?"""

    def __init__(self, frame: Frame) -> None:
        self._frame: Final = frame
        self._summary: Final = words("p").classes("big")
        with ui.element("section").classes("card"):
            self._points: Final = HeardSheet("Can the floor do without?", POINTS, "The reference data name no centre.")
            self._days: Final = words("p").classes("empty")
        with ui.element("section").classes("card"):
            self._entries: Final = HeardSheet("Calendar", ENTRIES, "The reference data hold no drill calendar.")
            words("p", "A drill by hand: propose a drain and tick “a drill”.").classes("empty")

    async def show(self, now: Now) -> None:
        """Show the calendar now."""
        found = await self._frame.ask("/reroutes/drills", DRILLS)
        unproved = [point.label for point in found.points if not point.proved]
        proved = "● Every place is proved: a recent drill passed without it."
        self._summary.say(f"■ UNPROVED: {', '.join(unproved)}" if unproved else proved)
        self._points.show([_point_line(point, now) for point in found.points])
        self._days.say(f"A passed drill counts for {found.proof_days:g} days. Times are of {now.zone}.")
        self._entries.show([_entry_line(entry, now) for entry in found.entries])


def _point_line(point: PointView, now: Now) -> Line:
    return Line(
        f"{point.noun}/{point.id}",
        (
            Cell(f"{named(point.id, point.label)} ({point.noun})"),
            Cell("", "good", "proved") if point.proved else Cell("", "bad", "UNPROVED"),
            Cell(day_clock(point.passed_at, now.zone)),
            _drill(point.last),
            _outcome(point.last, now),
            Cell(local(point.unproved_because or "", now.zone, now.at)),
        ),
    )


def _entry_line(entry: EntryView, now: Now) -> Line:
    often = "each week" if entry.every_weeks == 1 else f"every {entry.every_weeks} weeks"
    when = f"{often}, the first fit of {', '.join(entry.weekdays)}, at {entry.begins}, {entry.minutes} min"
    under_way = entry.under_way
    signed = Cell(entry.unsigned_because, "watch", "not signed") if entry.unsigned_because else _signed(entry)
    return Line(
        entry.id,
        (
            Cell(entry.label),
            Cell(entry.scope_words),
            Cell(when),
            Cell(day_clock(entry.next_at, now.zone) or "every day ahead is blocked"),
            Cell(PHASES[under_way.phase], link=order_page(under_way.reroute_id)) if under_way else Cell(""),
            signed,
            _outcome(entry.last, now),
        ),
    )


def _signed(entry: EntryView) -> Cell:
    return Cell(f"{entry.owner} asks, {entry.signed_by} signed on {entry.signed_on}")


def _drill(drill: DrillView | None) -> Cell:
    return Cell("none yet") if drill is None else Cell(drill.reroute_id, link=order_page(drill.reroute_id))


def _outcome(drill: DrillView | None, now: Now) -> Cell:
    """What came of it, marked by how well it went."""
    if drill is None or drill.outcome is None:
        return Cell("")
    sentence = drill_words(drill.outcome).partition(": ")[2]
    return Cell(local(sentence, now.zone, now.at), *drilled(drill.outcome.outcome))
