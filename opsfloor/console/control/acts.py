"""What a person may do about an order: approve, refuse, end, keep longer, stop, close a review."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from nicegui import ui

from opsfloor.console.control.draft import UnfinishedError, number
from opsfloor.console.control.frame import Frame, Now, Outcome
from opsfloor.console.control.orders import may_not
from opsfloor.console.control.preview_pane import PreviewPane
from opsfloor.console.control.previews import misses, rule_words, stay_words
from opsfloor.console.control.routing import PREVIEW, RefusedError, RoutingAwayError, SignedOutError
from opsfloor.console.control.telling import day_clock, on_duty_there, phase_at
from opsfloor.console.elements import Button, Confirmation, Field, Press, Tick, words
from opsfloor.reroute_words import NOT_NOTED
from services.routing.emergency.report import OVER
from shared.contracts.reroute import MINUTES_MAX, Preview, RerouteOrder
from shared.reroutes import over_at

OVER_TELLS: Final = (
    f"Over since {{}}: {NOT_NOTED}. Nothing is left to end or to keep; needed again, it is proposed anew."
)


class Acts:
    """What the person may do about the order now, and why not the rest."""

    def __init__(self, frame: Frame, path: str, pane: PreviewPane) -> None:
        self._frame: Final = frame
        self._path: Final = path
        self._pane: Final = pane
        self._order: RerouteOrder | None = None
        self._now: Now | None = None
        self._just_told = False
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
        self._keep: Final = Confirmation("Keep it for longer?", "", "Keep it for longer", self._extend_confirmed)
        self._keeping: Mapping[str, Any] = {}  # what the question is about
        with ui.element("div").classes("presses"):
            self._make_buttons()

    def _make_buttons(self) -> None:
        for name, text, press, kind, there in (
            ("approve", "Approve exactly this", self._approve, "main", self._may_approve),
            ("read", "Show me the new preview", self._read_anew, "main", self._has_moved),
            ("refuse", "Refuse", self._plain("refuse"), "plain", self._may_decide),
            ("end", "End it: let the work come back in steps", self._plain("end"), "main", _in_force),
            ("extend", "Keep it for longer …", self._ask_extend, "plain", self._may_extend),
            ("review", "Close the review with these words", self._plain("review"), "main", self._may_review),
            ("cancel", "Withdraw it", self._plain("cancel"), "plain", _not_begun),
            ("stop", "Stop it at once …", self._ask_stop, "bad", _has_begun),
        ):
            self._buttons[name] = (Button(text, press, kind), there)

    def show(self, order: RerouteOrder, now: Now) -> None:
        """Offer what this order allows this person.

        Holds:   what somebody has before their eyes to decide on is not replaced before they ask for it.
        """
        if self._order is not None and order.phase != self._order.phase:
            self._outlived()
        self._order, self._now = order, now
        over = phase_at(order, now.at) == OVER
        if self.agreed is None or not (self._permitted("approve", order, now) and self._may_decide(order)):
            self._take(order)
        there = {
            name: needs(order) and self._permitted(name, order, now) and (name == "review" or not over)
            for name, (_, needs) in self._buttons.items()
        }
        for name, (button, _) in self._buttons.items():
            button.show(there[name])
        self._reason.around.set_visibility(any(shown for name, shown in there.items() if name != "read"))
        self._minutes_place.set_visibility(there["extend"])
        self._rule_boxes.set_visibility(there["approve"])
        self._moved.set_visibility(there["read"])
        self._moved.say(_what_moved(self.agreed, order.preview) if there["read"] else "")
        gone = OVER_TELLS.format(day_clock(over_at(order), now.zone, seconds=True)) if over else ""
        self._why_not.say(gone or self._hindrance(order, self._frame.person.duty.subject, now))

    def _outlived(self) -> None:
        """The order has gone on: an answer stays beside the change that it made, and no longer."""
        if not self._just_told:
            self._outcome.clear()
        self._just_told = False

    def _take(self, order: RerouteOrder) -> None:
        """The order's preview is what the person sees, and answers for, from now on."""
        preview = order.preview
        self._pane.show(order.terms, preview, self._frame.zone)
        if self.agreed is not None and self.agreed.sha256 == preview.sha256:
            return
        self.agreed = preview
        self._rules.clear()
        self._rule_boxes.clear()
        broken = [rule for rule in preview.broken_rules if rule.overridable and not order.terms.drill]
        if broken:
            with self._rule_boxes, ui.element("fieldset"):
                words("legend", "You answer for breaking")
                for rule in broken:
                    Tick(rule_words(rule, preview, self._frame.zone), partial(self._name, rule.rule_id))

    def _name(self, rule: str, named: bool) -> None:
        self._rules.add(rule) if named else self._rules.discard(rule)

    # ---------------------------------------------------------------- what is allowed

    def _permitted(self, name: str, order: RerouteOrder, now: Now) -> bool:
        """By the duty and its place, as the book judges it: what somebody proposed they may end wherever they are on duty."""
        duty = self._frame.person.duty
        there = on_duty_there(duty, order.terms.scope, now.floor)
        if name in ("approve", "read", "refuse", "extend", "review"):
            return duty.approves and there
        return duty.proposes and (there or order.proposed_by == duty.subject)

    def _may_decide(self, order: RerouteOrder) -> bool:
        return order.phase == "proposed" and order.proposed_by != self._frame.person.duty.subject

    def _may_approve(self, order: RerouteOrder) -> bool:
        return self._may_decide(order) and not self._has_moved(order)

    def _has_moved(self, order: RerouteOrder) -> bool:
        """The preview that would be approved is not the one on the screen any more."""
        return self._may_decide(order) and self.agreed is not None and self.agreed.sha256 != order.preview.sha256

    def _may_extend(self, order: RerouteOrder) -> bool:
        return order.phase in ("active", "returning")

    def _may_review(self, order: RerouteOrder) -> bool:
        return order.review == "open" and order.proposed_by != self._frame.person.duty.subject

    def _hindrance(self, order: RerouteOrder, subject: str, now: Now) -> str:
        """Why the person sees no button that they may look for."""
        if order.phase == "proposed" and order.proposed_by == subject:
            return "You proposed it: somebody else must approve it."
        if order.review == "open" and order.proposed_by == subject:
            return "You broke the glass: somebody else must close the review."
        if order.over_at is not None and order.review != "open":
            return "It is over: nothing is left to do."
        if not self._frame.person.duty.approves:
            return may_not(self._frame)
        if not on_duty_there(self._frame.person.duty, order.terms.scope, now.floor):
            return f"{self._frame.person.name} is not on duty for all of this scope: somebody who is must decide it."
        return ""

    # ----------------------------------------------------------------------- commands

    async def _read_anew(self) -> None:
        if self._order is not None and self._now is not None:
            self._take(self._order)
            self.show(self._order, self._now)

    async def _approve(self) -> None:
        if self.agreed is not None:
            await self._act("approve", {"preview_sha256": self.agreed.sha256, "override_rules": sorted(self._rules)})

    async def _ask_extend(self) -> None:
        if not self._reason_given():
            return
        try:
            minutes = number(self._minutes.value, "number of minutes", MINUTES_MAX)
            staying = await self._frame.ask(f"{self._path}/stay?minutes={minutes}", PREVIEW)
        except (UnfinishedError, RefusedError, RoutingAwayError) as error:
            self._outcome.bad(self._frame.here(str(error)))
            return
        except SignedOutError:
            self._frame.leave()
            return
        rules = [rule.rule_id for rule in staying.broken_rules if rule.overridable]
        self._keeping = {"minutes": minutes, "override_rules": rules}
        self._keep.tell(stay_words(minutes, staying, self._frame.zone))
        await self._keep.open()

    async def _extend_confirmed(self) -> None:
        await self._keep.close()
        await self._act("extend", self._keeping)

    async def _ask_stop(self) -> None:
        if self._reason_given():
            await self._stop.open()

    async def _cancel_confirmed(self) -> None:
        await self._stop.close()
        await self._act("cancel", {})

    def _plain(self, verb: str) -> Press:
        async def press() -> None:
            await self._act(verb, {})

        return press

    async def _act(self, verb: str, body: Mapping[str, Any]) -> None:
        if not self._reason_given():
            return
        told = {**body, "reason": self._reason.value.strip()}
        if await self._frame.tell(f"{self._path}/{verb}", told, self._outcome) is not None:
            self._reason.clear()
            self._just_told = True

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
