"""Proposing a reroute, with what it would do beside the form while it is filled in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

from nicegui import ui
from pydantic import TypeAdapter

from opsfloor.console.control.draft import Draft, UnfinishedError
from opsfloor.console.control.frame import Frame, Now, Outcome
from opsfloor.console.control.preview_pane import PreviewPane
from opsfloor.console.control.previews import played
from opsfloor.console.control.routing import RefusedError, RoutingAwayError, SignedOutError
from opsfloor.console.control.telling import ABOUT, capital, named, order_page, what
from opsfloor.console.elements import Button, Confirmation, Field, OneOf, Tick, words
from services.routing.emergency.glance import NamedView, ScopeNames
from shared.contracts.reroute import MINUTES_MAX, Effect

NAMES: Final = TypeAdapter(ScopeNames)
PLACES: Final[Mapping[str, str]] = {"centres": "Centres", "teams": "Teams", "providers": "Providers"}
KINDS: Final[Mapping[str, str]] = {
    "business_types": "Business types",
    "work_types": "Work types",
    "regions": "Regions of the branches",
    "data_classes": "Data classes",
}
SOON_SECONDS: Final = 0.3  # after a change in the form the preview follows so soon


class Proposing:
    """The form and its preview."""

    def __init__(self, frame: Frame) -> None:
        self._frame: Final = frame
        self._draft: Final = Draft()
        self._named = False
        self._changed = False
        self._zone = "UTC"
        if not frame.person.duty.proposes:
            words("p", f"▲ {_may_not(frame)} You may look at previews.").classes("outcome bad")
        with ui.element("div").classes("order"):  # in the order of reading: what, what it would do, then the deed
            with ui.element("section").classes("card what").props('aria-label="The reroute"'):
                self._form()
            with ui.element("div").classes("beside"), ui.element("section").classes("card"):
                self._pane: Final = PreviewPane("What it would do, now")
                self._pane.say("Name a place, or a kind of work: what should be moved?")
                with ui.element("div").classes("presses"):
                    Button("Play the next minutes", self._play)
                self._played: Final = words("p").props("role=status")
            with ui.element("section").classes("card acts").props('aria-label="Propose"'):
                self._acts()
        ui.timer(SOON_SECONDS, self._follow)

    async def show(self, now: Now) -> None:
        """Renew the preview on the floor as it is now."""
        self._zone = now.zone
        if not self._named:
            self._offer(await self._frame.ask("/reroute-names", NAMES))
            self._named = True
        self._start_label.say(f"Start later ({now.zone}; empty: as soon as it is approved)")
        await self._preview()

    # ----------------------------------------------------------------------- form

    def _form(self) -> None:
        draft = self._draft
        OneOf("What", tuple(ABOUT.items()), draft.effect, self._effect)
        self._percent = ui.element("div")
        with self._percent:
            Field("Percent of the work", self._setting("percent"), value=draft.percent, inputmode="numeric")
        self._percent.set_visibility(False)
        self._places = ui.element("div")
        with ui.element("details"):
            words("summary", "Only some of the work (all of what is named must be true)")
            self._kinds = ui.element("div")
        with ui.element("div").classes("fields"):
            Field(
                "Minutes in force",
                self._setting("minutes"),
                value=draft.minutes,
                about=f"1 to {MINUTES_MAX}; then the work comes back by itself",
                inputmode="numeric",
            )
        with ui.element("details"):
            words("summary", "Later, or as a drill")
            self._later()

    def _acts(self) -> None:
        Field("Why", self._setting("reason"), about="kept on record", maxlength="500")
        self._outcome = Outcome()
        with ui.element("div").classes("presses"):
            Button("Propose it", self._propose, "main")
            words("span", "Nothing happens before a second person approves.")
        if self._frame.person.duty.breaks_glass:
            self._glass()

    def _later(self) -> None:
        with ui.element("label").classes("field"):
            self._start_label = words("span", "Start later")
            start = ui.element("input").props("type=datetime-local")
        changed = self._setting("starts_at")
        start.on("input", lambda event: changed(str(event.args)), js_handler="(e) => emit(e.target.value)")
        Tick("A drill: a real order, marked, that may break no safety rule", self._drill)

    def _glass(self) -> None:
        with ui.element("details"):
            words("summary", "Nobody else answers: break the glass")
            words(
                "p",
                "It starts at once, by you alone, for at most 30 minutes, and opens a review that somebody else must close in words.",
            )
            self._rules = ui.element("div")
            self._glass_question = Confirmation(
                "Start it now, alone, and answer for it?",
                "The order on this form starts at once. Somebody else will ask you why.",
                "Break the glass and start it",
                self._break,
            )
            with ui.element("div").classes("presses"):
                Button("Break the glass …", self._glass_question.open, "bad")

    def _offer(self, names: ScopeNames) -> None:
        """What may be named, once it is known."""
        with self._places:
            for part, legend in PLACES.items():
                self._ticks(part, legend, getattr(names, part))
        with self._kinds:
            for part, legend in KINDS.items():
                self._ticks(part, legend, getattr(names, part))
        if self._frame.person.duty.breaks_glass:
            with self._rules:
                rules = [NamedView(id=rule.id, label=rule.label) for rule in names.rules if rule.overridable]
                self._boxes("Safety rules that you answer for breaking", rules, self._override)

    def _ticks(self, part: str, legend: str, names: Sequence[NamedView]) -> None:
        def name(one: str, named: bool) -> None:
            self._draft.name(part, one, named)
            self._changed = True

        self._boxes(legend, names, name)

    @staticmethod
    def _boxes(legend: str, names: Sequence[NamedView], turned: Callable[[str, bool], None]) -> None:
        with ui.element("fieldset"):
            words("legend", legend)
            with ui.element("div").classes("ticks"):
                for one in names:
                    Tick(named(one.id, one.label), partial(turned, one.id))

    # -------------------------------------------------------------------- changes

    def _setting(self, name: str) -> Callable[[str], None]:
        def set_it(value: str) -> None:
            setattr(self._draft, name, value)
            self._changed = True

        return set_it

    def _effect(self, effect: str) -> None:
        chosen: Effect = next(one for one in ABOUT if one == effect)
        self._draft.effect = chosen
        self._percent.set_visibility(chosen == "shift")
        self._changed = True

    def _drill(self, drill: bool) -> None:
        self._draft.drill = drill
        self._changed = True

    def _override(self, rule: str, named: bool) -> None:
        self._draft.override_rules.add(rule) if named else self._draft.override_rules.discard(rule)

    # -------------------------------------------------------------------- preview

    async def _follow(self) -> None:
        """Soon after a change, the preview follows it."""
        if self._changed and self._named:
            self._changed = False
            await self._frame.guarded(self._preview)

    async def _preview(self) -> None:
        try:
            terms = self._draft.look(self._zone)
            preview = await self._frame.preview(terms)
            if self._draft.look(self._zone) == terms:  # else the form has gone on meanwhile, and another one follows
                self._pane.show(terms, preview, self._zone)
        except (UnfinishedError, RefusedError) as error:
            self._pane.say(self._frame.here(str(error)))

    async def _play(self) -> None:
        """The floor simulator's word on what the form says now."""
        self._played.say("… playing the next minutes without it and with it")
        try:
            terms = self._draft.look(self._zone)
            self._played.say(f"{capital(what(terms, self._zone))}. {played(await self._frame.look_ahead(terms))}")
        except (UnfinishedError, RefusedError, RoutingAwayError) as error:
            self._played.say(f"Not played: {self._frame.here(str(error))}")
        except SignedOutError:
            self._frame.leave()

    # ------------------------------------------------------------------- commands

    async def _propose(self) -> bool:
        self._draft.break_glass = False
        return await self._hand_in()

    async def _break(self) -> bool:
        await self._glass_question.close()
        self._draft.break_glass = True
        return await self._hand_in()

    async def _hand_in(self) -> bool:
        """Propose what the form says. Returns whether the page goes to the order."""
        try:
            terms = self._draft.terms(self._zone)
        except UnfinishedError as error:
            self._outcome.bad(str(error))
            return False
        body = {
            "terms": terms.model_dump(mode="json"),
            "break_glass": self._draft.break_glass,
            "override_rules": sorted(self._draft.override_rules) if self._draft.break_glass else [],
        }
        name = await self._frame.tell("/reroutes", body, self._outcome)
        if name is not None:
            ui.navigate.to(order_page(name))
        return name is not None


def _may_not(frame: Frame) -> str:
    duty = frame.person.duty
    if duty.name is None:
        return f"{duty.subject} is not on duty for reroutes: nothing that you propose would be taken."
    return f"{duty.name} proposes nothing with the role {duty.role}."
