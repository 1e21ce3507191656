"""One order: what it does, what it did, and beside it what the person may do about it."""

from __future__ import annotations

from functools import partial
from typing import Final
from urllib.parse import quote

from nicegui import ui

from opsfloor.console.control.acts import Acts
from opsfloor.console.control.frame import Frame, Now
from opsfloor.console.control.heard import HeardSheet
from opsfloor.console.control.orders import report_of
from opsfloor.console.control.preview_pane import PreviewPane
from opsfloor.console.control.previews import misses, stale_of
from opsfloor.console.control.routing import RefusedError
from opsfloor.console.control.telling import (
    PHASES,
    clock,
    day_clock,
    full,
    local,
    moved_words,
    named,
    oldest,
    order_page,
    phase_at,
    team_of,
    time_left,
    what_now,
)
from opsfloor.console.elements import Words, words
from opsfloor.console.sheet import Cell, Line
from services.routing.emergency.glance import FloorGlance, PlaceGlance
from services.routing.emergency.report import (
    LifeLine,
    RerouteReport,
    drill_words,
    in_force_words,
    sent_back_words,
    share_held,
)
from shared.contracts.reroute import RerouteOrder, RerouteTerms
from shared.reroutes import covers_team

PLACES: Final = ("team", "how full", "waits", "oldest", "in hand", "people", "moved away")
LIFE: Final = ("when", "who", "what")
FACTS: Final = (
    "why",
    "proposed by",
    "approved by",
    "in force",
    "moved so far",
    "sent back",
    "waits with nobody",
    "rules overridden",
    "overlaps",
    "review",
    "drill",
)


class OneOrder:
    """One order's page."""

    def __init__(self, frame: Frame, reroute_id: str) -> None:
        self._frame: Final = frame
        self._path: Final = f"/reroutes/{quote(reroute_id, safe='')}"
        self._id: Final = reroute_id
        report = f"{order_page(reroute_id)}/report"
        with ui.element("div").classes("order"):  # in the order of reading: what, what it does, then what to do
            with ui.element("section").classes("card what"):
                self._what()
            with ui.element("div").classes("beside"):
                self._scope_place: Final = ui.element("section").classes("card")
                with self._scope_place:
                    self._places: Final = HeardSheet("Its teams now", PLACES, "It touches no team: branches obey it.")
                with ui.element("section").classes("card") as foreseen:
                    self._now: Final = words("p").classes("empty")
                    self._pane: Final = PreviewPane("What was foreseen")
                    self._pane.say("…")
            with ui.element("section").classes("card acts") as acts:
                self._acts: Final = Acts(frame, self._path, self._pane)
            with ui.element("section").classes("card life") as life:
                self._life: Final = HeardSheet("What happened", LIFE, "Nothing yet.")
                ui.link("The report as a page, for an auditor", report)
        self._bar.set_visibility(False)
        self._of_an_order: Final = (self._scope_place, foreseen, acts, life, self._fact_place)
        self._know(False)

    def _what(self) -> None:
        self._phase = words("h2").props("data-became")
        self._terms = words("p").classes("big")
        self._left = words("p").props("role=timer")
        with ui.element("div").classes("left-bar").props("aria-hidden=true") as self._bar:
            self._done = ui.element("div")
        self._facts: dict[str, Words] = {}
        with ui.element("dl").classes("facts") as self._fact_place:
            for fact in FACTS:
                words("dt", fact)
                self._facts[fact] = words("dd")

    def _know(self, known: bool) -> None:
        """What is said of an order, and offered about it, stands there when there is one."""
        for part in self._of_an_order:
            part.set_visibility(known)

    # ----------------------------------------------------------------------- show

    async def show(self, now: Now) -> None:
        """Show the order now."""
        try:
            report = await report_of(self._frame, self._id)
        except RefusedError as error:
            self._phase.say("No such order, as far as routing knows now")
            self._terms.say(str(error))
            self._left.say("")
            self._know(False)
            return
        self._know(True)
        order = report.order
        self._tell(report, now)
        self._tell_facts(report, now)
        self._tell_places(report, now.floor)
        self._life.show([_life_line(index, line, now) for index, line in enumerate(report.life)])
        self._acts.show(order, now)
        await self._tell_now(order, now)

    async def _tell_now(self, order: RerouteOrder, now: Now) -> None:
        """While it waits for approval: what it would do on the floor as it is now."""
        if order.phase == "proposed":
            preview, shown = await self._frame.preview(_begun(order, now)), self._acts.agreed or order.preview
            self._now.say(
                f"On the floor of {clock(now.at, now.zone)} it would move {preview.items_moving} items "
                f"(foreseen: {shown.items_moving}); late: {misses(preview)[1]} (foreseen: {misses(shown)[1]})."
                + (f" STALE: {local(stale, now.zone, now.at)}" if (stale := stale_of(preview)) else "")
            )
        self._now.set_visibility(order.phase == "proposed")

    def _tell(self, report: RerouteReport, now: Now) -> None:
        order = report.order
        drill = "DRILL, " if order.terms.drill else ""
        phase = phase_at(order, now.at)
        held = f", {share_held(order, report.held_percent)} % still held" if phase == "returning" else ""
        self._phase.say(f"{order.reroute_id}: {drill}{PHASES[phase]}{held}")
        self._terms.say(what_now(order, now.zone))
        self._left.say(
            time_left(order, now.at) or local(order.over_because, now.zone, order.over_at or order.proposed_at)
        )
        share = _share_left(order, now)
        self._bar.set_visibility(share is not None)
        self._done.style(f"width: {100 * (share or 0):.1f}%")

    def _tell_facts(self, report: RerouteReport, now: Now) -> None:
        order, zone = report.order, now.zone
        signed = ", by signing the calendar" if order.approved_beforehand else ""
        approved = (
            f"{order.approved_by}, {day_clock(order.approved_at, zone)}{signed}" if order.approved_by else "nobody"
        )
        told = {
            "why": order.terms.reason,
            "proposed by": f"{order.proposed_by}, {day_clock(order.proposed_at, zone)}",
            "approved by": "nobody: the glass was broken" if order.break_glass else approved,
            "in force": in_force_words(order, partial(day_clock, zone=zone, seconds=True)),
            "moved so far": moved_words(report.moved),
            "sent back": sent_back_words(report.sent_back),
            "waits with nobody": f"{report.unplaceable} items, until it is over or somebody who may do them comes"
            if report.unplaceable
            else "none",
            "rules overridden": ", ".join(order.overridden_rules) or "none",
            "overlaps": local("; ".join(report.passed_over), zone, now.at) or "none",
            "review": f"{order.review} {order.review_words}".strip(),
            "drill": local(drill_words(order.drill_outcome), zone, now.at) if order.drill_outcome else "none",
        }
        for fact, text in told.items():
            self._facts[fact].say(text)

    def _tell_places(self, report: RerouteReport, floor: FloorGlance) -> None:
        moved = {row.team_id: row.items for row in report.moved}
        teams = [team for team in floor.teams if _touched(report.order, team)]
        self._scope_place.set_visibility(bool(teams))
        self._places.show([_place_line(team, moved.get(team.id, 0), floor) for team in teams])


def _share_left(order: RerouteOrder, now: Now) -> float | None:
    """How much of its time in force is left; none while it is not in force."""
    if phase_at(order, now.at) != "active" or order.started_at is None or order.ends_at is None:
        return None
    whole = (order.ends_at - order.started_at).total_seconds()
    return max(0.0, min(1.0, (order.ends_at - now.at).total_seconds() / whole)) if whole > 0 else None


def _begun(order: RerouteOrder, now: Now) -> RerouteTerms:
    """The terms from the same start on as what was foreseen; a start that has gone by is now."""
    starts_at = order.terms.starts_at
    gone_by = starts_at is not None and starts_at <= now.at
    return order.terms.model_copy(update={"starts_at": None}) if gone_by else order.terms


def _touched(order: RerouteOrder, place: PlaceGlance) -> bool:
    team = team_of(place)
    return order.terms.effect != "local" and team is not None and covers_team(order.terms.scope, team)


def _place_line(team: PlaceGlance, moved: int, floor: FloorGlance) -> Line:
    return Line(
        team.id,
        (
            Cell(named(team.id, team.label)),
            full(team),
            Cell(str(team.queued)),
            oldest(team.oldest_requested_at, floor.at),
            Cell(str(team.in_hand)),
            Cell(str(team.present)),
            Cell(str(moved)),
        ),
    )


def _life_line(index: int, line: LifeLine, now: Now) -> Line:
    return Line(
        str(index),
        (
            Cell(day_clock(line.at, now.zone, seconds=True)),
            Cell(line.who or "by itself"),
            Cell(local(line.sentence, now.zone, line.at)),
        ),
    )
