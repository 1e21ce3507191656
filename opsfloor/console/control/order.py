"""One order: what it does, what it did, and what the person may do about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote

from nicegui import ui

from opsfloor.console.control.draft import UnfinishedError, number
from opsfloor.console.control.frame import Frame, Now, Outcome
from opsfloor.console.control.orders import may_not, report_of
from opsfloor.console.control.preview_pane import PreviewPane
from opsfloor.console.control.routing import RefusedError
from opsfloor.console.control.telling import (
    PHASES,
    clock,
    day_clock,
    full,
    local,
    misses,
    moved_words,
    oldest,
    order_page,
    time_left,
    what,
)
from opsfloor.console.elements import Button, Confirmation, Field, Tick, Words, words
from opsfloor.console.sheet import Cell, Line, Sheet
from services.routing.emergency.glance import FloorGlance, PlaceGlance
from services.routing.emergency.report import LifeLine, RerouteReport
from shared.contracts.reference import Team
from shared.contracts.reroute import MINUTES_MAX, Preview, RerouteOrder
from shared.reroutes import covers_team

PLACES: Final = ("team", "how full", "waits", "oldest", "in hand", "people", "moved away")
LIFE: Final = ("when", "who", "what")
FACTS: Final = (
    "why",
    "proposed by",
    "approved by",
    "in force",
    "moved so far",
    "rules overridden",
    "overlaps",
    "review",
)


class OneOrder:
    """One order's page."""

    def __init__(self, frame: Frame, reroute_id: str) -> None:
        self._frame: Final = frame
        self._path: Final = f"/reroutes/{quote(reroute_id, safe='')}"
        self._id: Final = reroute_id
        self._order: RerouteOrder | None = None
        report = f"{order_page(reroute_id)}/report"
        with ui.element("div").classes("order"):  # in the order of reading: what, what it does, then what to do
            with ui.element("section").classes("card what"):
                self._what()
            with ui.element("div").classes("beside"):
                self._scope_place: Final = ui.element("section").classes("card")
                with self._scope_place:
                    self._places: Final = Sheet("Its teams now", PLACES, "It touches no team: branches obey it.")
                with ui.element("section").classes("card"):
                    self._now: Final = words("p").classes("empty")
                    self._pane: Final = PreviewPane("What was foreseen")
                    self._pane.say("…")
            with ui.element("section").classes("card acts"):
                self._acts: Final = Acts(self)
            with ui.element("section").classes("card life"):
                self._life: Final = Sheet("What happened", LIFE, "Nothing yet.")
                ui.link("The report as a page, for an auditor", report)

    def _what(self) -> None:
        self._phase = words("h2")
        self._terms = words("p").classes("big")
        self._left = words("p").props("role=timer")
        with ui.element("div").classes("left-bar").props("aria-hidden=true") as self._bar:
            self._done = ui.element("div")
        self._facts: dict[str, Words] = {}
        with ui.element("dl").classes("facts"):
            for fact in FACTS:
                words("dt", fact)
                self._facts[fact] = words("dd")

    # ----------------------------------------------------------------------- show

    async def show(self, now: Now) -> None:
        """Show the order now."""
        try:
            report = await report_of(self._frame, self._id)
        except RefusedError as error:
            self._phase.say("No such order, as far as routing knows now")
            self._terms.say(str(error))
            return
        order = self._order = report.order
        self._tell(report, now)
        self._tell_facts(report, now)
        self._tell_places(report, now.floor)
        self._life.show([_life_line(index, line, now) for index, line in enumerate(report.life)])
        await self._acts.show(order, self._pane)
        await self._tell_now(order, now)

    async def _tell_now(self, order: RerouteOrder, now: Now) -> None:
        """While it waits for approval: what it would do on the floor as it is now."""
        if order.phase == "proposed":
            preview, shown = await self._frame.preview(order.terms), self._acts.agreed or order.preview
            self._now.say(
                f"On the floor of {clock(now.at, now.zone)} it would move {preview.items_moving} items "
                f"(foreseen: {shown.items_moving}); late: {misses(preview)[1]} (foreseen: {misses(shown)[1]})."
            )
        self._now.set_visibility(order.phase == "proposed")

    def _tell(self, report: RerouteReport, now: Now) -> None:
        order = report.order
        drill = "DRILL, " if order.terms.drill else ""
        held = f", {report.held_percent} % still held" if order.phase == "returning" else ""
        self._phase.say(f"{order.reroute_id}: {drill}{PHASES[order.phase]}{held}")
        self._terms.say(what(order.terms))
        self._left.say(time_left(order, now.at) or order.over_because)
        share = _share_left(order, now)
        self._bar.set_visibility(share is not None)
        self._done.style(f"width: {100 * (share or 0):.1f}%")

    def _tell_facts(self, report: RerouteReport, now: Now) -> None:
        order, zone = report.order, now.zone
        approved = f"{order.approved_by}, {day_clock(order.approved_at, zone)}" if order.approved_by else "nobody"
        told = {
            "why": order.terms.reason,
            "proposed by": f"{order.proposed_by}, {day_clock(order.proposed_at, zone)}",
            "approved by": "nobody: the glass was broken" if order.break_glass else approved,
            "in force": f"{day_clock(order.started_at, zone)} to {clock(order.ends_at, zone)}"
            if order.started_at
            else "not begun",
            "moved so far": moved_words(report.moved),
            "rules overridden": ", ".join(order.overridden_rules) or "none",
            "overlaps": "; ".join(report.passed_over) or "none",
            "review": f"{order.review} {order.review_words}".strip(),
        }
        for fact, text in told.items():
            self._facts[fact].say(text)

    def _tell_places(self, report: RerouteReport, floor: FloorGlance) -> None:
        moved = {row.team_id: row.items for row in report.moved}
        teams = [team for team in floor.teams if _touched(report.order, team)]
        self._scope_place.set_visibility(bool(teams))
        self._places.show([_place_line(team, moved.get(team.id, 0), floor) for team in teams])

    # ----------------------------------------------------------------------- acts

    @property
    def frame(self) -> Frame:
        """The page."""
        return self._frame

    async def act(self, verb: str, body: Mapping[str, Any], outcome: Outcome) -> bool:
        """Hand in a command about this order. Returns whether it was done."""
        return await self._frame.tell(f"{self._path}/{verb}", body, outcome) is not None


class Acts:
    """What the person may do about the order now, and why not the rest."""

    def __init__(self, page: OneOrder) -> None:
        self._page: Final = page
        self._order: RerouteOrder | None = None
        self.agreed: Preview | None = None  # what the person has before their eyes
        self._rules: Final[set[str]] = set()
        self._buttons: Final[dict[str, tuple[Button, Callable[[RerouteOrder], bool]]]] = {}
        words("h2", "What to do")
        self._why_not: Final = words("p").classes("empty")
        self._moved: Final = words("p").classes("outcome bad").props("role=alert")
        self._moved.set_visibility(False)
        self._rule_boxes: Final = ui.element("div")
        self._reason: Final = Field("Why", about="kept on record", maxlength="500")
        self._minutes_place: Final = ui.element("div")
        with self._minutes_place:
            self._minutes: Final = Field("Minutes more", value="30", about="for keeping it longer", inputmode="numeric")
        self._outcome: Final = Outcome()
        self._stop: Final = Confirmation(
            "Stop it at once?",
            "Everything that it holds comes back at one stroke, without steps and without a look at whether the place is well.",
            "Stop it at once",
            self._cancel_confirmed,
        )
        with ui.element("div").classes("presses"):
            self._make_buttons()

    def _make_buttons(self) -> None:
        for name, text, press, kind, there in (
            ("approve", "Approve exactly this", self._approve, "main", self._may_approve),
            ("read", "Show me the new preview", self._read_anew, "main", self._has_moved),
            ("refuse", "Refuse", self._plain("refuse"), "plain", self._may_decide),
            ("end", "End it: let the work come back in steps", self._plain("end"), "main", _in_force),
            ("extend", "Keep it for longer", self._extend, "plain", self._may_extend),
            ("review", "Close the review with these words", self._plain("review"), "main", self._may_review),
            ("cancel", "Withdraw it", self._plain("cancel"), "plain", _not_begun),
            ("stop", "Stop it at once …", self._ask_stop, "bad", _has_begun),
        ):
            self._buttons[name] = (Button(text, press, kind), there)

    async def show(self, order: RerouteOrder, pane: PreviewPane) -> None:
        """Offer what this order allows this person."""
        self._order = order
        if self.agreed is None or order.phase != "proposed":
            self._take(order.preview)
            pane.show(order.terms, order.preview)
        self._pane: PreviewPane = pane
        duty = self._page.frame.person.duty
        there = {name: needs(order) and self._permitted(name) for name, (_, needs) in self._buttons.items()}
        for name, (button, _) in self._buttons.items():
            button.show(there[name])
        self._reason.around.set_visibility(any(shown for name, shown in there.items() if name != "read"))
        self._minutes_place.set_visibility(there["extend"])
        self._rule_boxes.set_visibility(there["approve"])
        self._moved.set_visibility(there["read"])
        self._moved.say(_what_moved(self.agreed, order.preview) if there["read"] else "")
        self._why_not.say(self._hindrance(order, duty.subject))

    def _take(self, preview: Preview) -> None:
        """This preview is what the person sees and answers for."""
        if self.agreed is not None and self.agreed.sha256 == preview.sha256:
            return
        self.agreed = preview
        self._rules.clear()
        self._rule_boxes.clear()
        broken = [rule for rule in preview.broken_rules if rule.overridable]
        if broken:
            with self._rule_boxes, ui.element("fieldset"):
                words("legend", "You answer for breaking")
                for rule in broken:
                    Tick(f"{rule.rule_id}: {rule.detail}", lambda named, rule=rule: self._name(rule.rule_id, named))  # type: ignore[misc]

    def _name(self, rule: str, named: bool) -> None:
        self._rules.add(rule) if named else self._rules.discard(rule)

    # ---------------------------------------------------------------- what is allowed

    def _permitted(self, name: str) -> bool:
        duty = self._page.frame.person.duty
        return duty.approves if name in ("approve", "read", "refuse", "extend", "review") else duty.proposes

    def _may_decide(self, order: RerouteOrder) -> bool:
        return order.phase == "proposed" and order.proposed_by != self._page.frame.person.duty.subject

    def _may_approve(self, order: RerouteOrder) -> bool:
        return self._may_decide(order) and not self._has_moved(order)

    def _has_moved(self, order: RerouteOrder) -> bool:
        """The preview that would be approved is not the one on the screen any more."""
        return self._may_decide(order) and self.agreed is not None and self.agreed.sha256 != order.preview.sha256

    def _may_extend(self, order: RerouteOrder) -> bool:
        return order.phase in ("active", "returning")

    def _may_review(self, order: RerouteOrder) -> bool:
        return order.review == "open" and order.proposed_by != self._page.frame.person.duty.subject

    def _hindrance(self, order: RerouteOrder, subject: str) -> str:
        """Why the person sees no button that they may look for."""
        if order.phase == "proposed" and order.proposed_by == subject:
            return "You proposed it: somebody else must approve it."
        if order.review == "open" and order.proposed_by == subject:
            return "You broke the glass: somebody else must close the review."
        if order.over_at is not None and order.review != "open":
            return "It is over: nothing is left to do."
        if not self._page.frame.person.duty.approves:
            return may_not(self._page.frame)
        return ""

    # ----------------------------------------------------------------------- commands

    async def _read_anew(self) -> None:
        if self._order is not None:
            self.agreed = None
            await self.show(self._order, self._pane)

    async def _approve(self) -> None:
        if self.agreed is not None:
            await self._act("approve", {"preview_sha256": self.agreed.sha256, "override_rules": sorted(self._rules)})

    async def _extend(self) -> None:
        try:
            minutes = number(self._minutes.value, "number of minutes", MINUTES_MAX)
        except UnfinishedError as error:
            self._outcome.bad(str(error))
            return
        await self._act("extend", {"minutes": minutes})

    async def _ask_stop(self) -> None:
        if self._reason_given():
            await self._stop.open()

    async def _cancel_confirmed(self) -> None:
        await self._stop.close()
        await self._act("cancel", {})

    def _plain(self, verb: str) -> Any:
        async def press() -> None:
            await self._act(verb, {})

        return press

    async def _act(self, verb: str, body: Mapping[str, Any]) -> None:
        if self._reason_given() and await self._page.act(
            verb, {**body, "reason": self._reason.value.strip()}, self._outcome
        ):
            self._reason.clear()

    def _reason_given(self) -> bool:
        if not self._reason.value.strip():
            self._outcome.bad("Say why: the reason is kept on record.")
        return bool(self._reason.value.strip())


def _in_force(order: RerouteOrder) -> bool:
    return order.phase == "active"


def _not_begun(order: RerouteOrder) -> bool:
    return order.phase in ("proposed", "approved")


def _has_begun(order: RerouteOrder) -> bool:
    return order.phase in ("active", "returning")


def _what_moved(before: Preview | None, now: Preview) -> str:
    """What is different between the preview on the screen and the one that would be approved."""
    if before is None:
        return ""
    (_, late_before), (_, late_now) = misses(before), misses(now)
    return (
        "■ The floor has moved: what you see is no longer what you would approve. "
        f"Items that move: {before.items_moving} → {now.items_moving}; late: {late_before} → {late_now}."
    )


def _share_left(order: RerouteOrder, now: Now) -> float | None:
    """How much of its time in force is left; none while it is not in force."""
    if order.phase != "active" or order.started_at is None or order.ends_at is None:
        return None
    whole = (order.ends_at - order.started_at).total_seconds()
    return max(0.0, min(1.0, (order.ends_at - now.at).total_seconds() / whole)) if whole > 0 else None


def _touched(order: RerouteOrder, team: PlaceGlance) -> bool:
    if order.terms.effect == "local" or team.provider_id is None:
        return False
    known = Team(id=team.id, label=team.label, centre_id=team.centre_id, provider_id=team.provider_id)
    return covers_team(order.terms.scope, known)


def _place_line(team: PlaceGlance, moved: int, floor: FloorGlance) -> Line:
    return Line(
        team.id,
        (
            Cell(team.label),
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
