"""The control room's HTTP face: preview, propose, approve, refuse, cancel, extend, end, review, list, show, history."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, Self

from fastapi import APIRouter, Depends, Header, Path, Query, Response
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from services.routing.emergency.alerts import Alert, Notification, proposal_of, withdrawal_of
from services.routing.emergency.bounds import drill_fault, plain, start_fault, terms_fault
from services.routing.emergency.capacity import FAILED, capacity_fault
from services.routing.emergency.counted import Counted, counted, narrowed
from services.routing.emergency.counter import RerouteCounter
from services.routing.emergency.course import asks_the_rules, drill_stay_fault, longer
from services.routing.emergency.effects import held_by_reroute
from services.routing.emergency.floor import FloorNow
from services.routing.emergency.glance import DutyView, FloorGlance, ScopeNames, duty_of, glance_of, names_of
from services.routing.emergency.looking import LookAhead, Looks, days_ahead
from services.routing.emergency.metrics import DECIDED, count_alerts
from services.routing.emergency.nowhere import PreviewSeen, seen
from services.routing.emergency.preview import preview_of
from services.routing.emergency.proofs import DrillsView, drills_view
from services.routing.emergency.reads import BookReads
from services.routing.emergency.report import LifeLine, RerouteReport, came_over_it, line_of, page_of, report_of
from services.routing.emergency.safety import broken_by_staying, overlaps, scope_fault
from services.routing.emergency.state import OVER, Answer, phase_of
from services.routing.placement.waiting import Waits
from shared.contracts.message import Sha256
from shared.contracts.reroute import (
    MINUTES_MAX,
    ApproveReroute,
    CancelReroute,
    CloseReview,
    EndReroute,
    ExtendReroute,
    Names,
    ProposeReroute,
    RefuseReroute,
    RerouteCommand,
    RerouteOrder,
    RerouteScope,
    RerouteTerms,
    Words,
)
from shared.http.bearer import requires
from shared.http.problems import Problem, problem_responses
from shared.http.tokens import Claims, Role
from shared.reroutes import IN_FORCE, held_percent
from shared.runtime.processor import Rejection, derived_id

VIEWERS: Final[tuple[Role, ...]] = ("viewer", "proposer", "approver", "on_call", "auditor")
PROPOSERS: Final[tuple[Role, ...]] = ("proposer", "approver", "on_call")
APPROVERS: Final[tuple[Role, ...]] = ("approver",)
ALERT_TRIES_MAX: Final = 100  # proposals of one alert that goes on: more than a day of them
COUNT_SECONDS_MAX: Final = 1.0  # of a scope's items, beside a preview that is to come in three
ALERTERS: Final[tuple[Role, ...]] = ("service",)

TAKEN_CODES: Final = frozenset({"done", "noted", "pending", DECIDED})
STATUS_BY_CODE: Final[Mapping[str, int]] = {
    "unknown_reroute": 404,
    "not_authorised": 403,
    "own_proposal": 403,
    "start_too_far": 422,
    "text_not_plain": 422,
    "percent_not_taken": 422,
    "drill_minutes": 422,
}
"""What is no conflict (409)."""

RerouteId = Annotated[str, Path(min_length=1, max_length=128, pattern=r"^[\x21-\x2e\x30-\x7e]+$")]
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=128,
        pattern=r"^[\x21-\x7e]+$",
        description="the command's id: the same key again is the same command; without one each request is a new one",
    ),
]


SCOPE_PARTS: Final = frozenset(RerouteScope.model_fields)
FIELDS_TOLD: Final = 5
PlainWords = Annotated[Words, AfterValidator(plain)]


class Body(BaseModel):
    """What a request says. Unknown fields are refused: a misspelt limit must not pass for none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _as_typed(cls, asked: Any) -> Any:
        return as_typed(cls, asked)


TYPES: Final[Mapping[object, tuple[str, tuple[type, ...]]]] = {
    bool: ("true or false", (bool,)),
    int: ("a number", (int, float)),
}
"""What must stand where a field is so: words and figures that mean it (`"yes"`, `1`) are no answer of a form."""


def as_typed(form: type[BaseModel], asked: Any) -> Any:
    """The fields as they came. Errors: `ValueError` for words where the form has a number, or true or false."""
    for name, field in form.model_fields.items():
        if not isinstance(asked, Mapping) or field.annotation not in TYPES or asked.get(name) is None:
            continue
        wanted, types = TYPES[field.annotation]
        if not isinstance(asked[name], types) or (isinstance(asked[name], bool) and bool not in types):
            raise ValueError(f"Expected {wanted} in {name}, found something else")
    return asked


def as_spelt(asked: Any) -> Any:
    """The terms as they came. Errors: `ValueError` for a field that terms or their scope do not have: what travels on the bus
    passes over fields of a later release, a person's slip of the pen would make the reroute wider; and as `as_typed`."""
    if isinstance(asked, Mapping):
        scope = asked.get("scope")
        strange = [
            *(name for name in asked if name not in RerouteTerms.model_fields),
            *(f"scope.{name}" for name in (scope if isinstance(scope, Mapping) else ()) if name not in SCOPE_PARTS),
        ]
        if strange:
            raise ValueError(
                f"Expected no field but those of terms, found {', '.join(map(str, strange[:FIELDS_TOLD]))}"
            )
    return as_typed(RerouteTerms, asked)


Terms = Annotated[RerouteTerms, BeforeValidator(as_spelt)]


class ProposeBody(Body):
    """A reroute to propose; with `break_glass` it starts at once."""

    terms: Terms
    break_glass: bool = False
    override_rules: Names = ()

    @model_validator(mode="after")
    def _overridden_by_who_starts_it(self) -> Self:
        """Errors: `ValueError`: rules are named by whoever lets it start, which a proposer does with a broken glass alone."""
        if self.override_rules and not self.break_glass:
            raise ValueError("Expected override_rules with break_glass alone: whoever approves names them")
        return self


class ApproveBody(Body):
    """Agreement to the preview of this hash."""

    preview_sha256: Sha256
    override_rules: Names = ()
    reason: PlainWords


class ReasonBody(Body):
    """Why."""

    reason: PlainWords


class ExtendBody(ReasonBody):
    """For how long more, and why; with the rules that it breaks by staying, besides those overridden at its start."""

    minutes: Annotated[int, Field(ge=1, le=MINUTES_MAX)]
    override_rules: Names = ()


class AnswerView(BaseModel):
    """What became of a command. `pending`: the book has not answered yet, ask again."""

    model_config = ConfigDict(frozen=True)

    command_id: str
    reroute_id: str
    code: str
    detail: str


class AlertsView(BaseModel):
    """What became of the alerts of one notification: the proposals, which proposals were refused and so are none, why some
    alerts could not be read, which proposals went with their alerts, how many asked for none."""

    model_config = ConfigDict(frozen=True)

    proposals: tuple[AnswerView, ...]
    refused: tuple[AnswerView, ...]
    unreadable: tuple[str, ...]
    withdrawn: tuple[AnswerView, ...]
    passed_over: int


TAKEN: Final[dict[int | str, dict[str, Any]]] = {
    202: {"model": AnswerView, "description": "The book has not answered yet; see /reroute-commands/{command_id}"},
    **problem_responses(400, 403, 404, 409, 422, 503),
}


@dataclass(frozen=True)
class Control:
    """Everything that the endpoints work with. Holds: `boards` has `reference`, `standing`, `load`, `plan`, `reroutes`."""

    reads: BookReads
    boards: Mapping[str, Any]
    counter: RerouteCounter
    now: Callable[[], datetime]
    waiting: Callable[[], Sequence[Waits]]
    looker: Looks

    async def preview(self, terms: RerouteTerms) -> PreviewSeen:
        """What the terms would do now, or the problem with them."""
        self._check_all(terms)
        orders = await self.reads.orders()
        past = [order for order in orders if phase_of(order) in OVER]
        floor = FloorNow.of(self.boards, orders, self.now(), terms.starts_at)
        preview, counts = preview_of(terms, floor, past), await self._counted(terms)
        refused = capacity_fault(preview, terms, floor) if terms.drill else None
        return seen(preview, terms, floor, self.waiting(), counted=counts, drill_refused=refused)

    async def _counted(self, terms: RerouteTerms) -> tuple[Counted, ...] | None:
        """Holds: a preview does not wait for it: of a queue so long that it takes too long nothing is counted."""
        items = narrowed(terms, self.boards["reference"])
        if items is None:
            return None
        try:
            async with asyncio.timeout(COUNT_SECONDS_MAX):
                return counted(terms.scope, await self.reads.waiting_at_desks(items))
        except TimeoutError:
            return None

    async def stay(self, reroute_id: str, minutes: int) -> PreviewSeen:
        """What keeping an order in force for so much longer would do, beside the floor without it; or the problem."""
        order = await self.known(reroute_id)
        if order.phase not in IN_FORCE:
            raise Problem(409, "wrong_phase", f"Expected an order in force, found {reroute_id} {order.phase}.")
        now, orders = self.now(), await self.reads.orders()
        until = longer(order, minutes, now)
        if isinstance(until, Rejection):
            raise Problem(STATUS_BY_CODE.get(until.code, 409), until.code, until.detail)
        floor = FloorNow.of(self.boards, orders, now).without(reroute_id)
        asked = order.terms.drill and asks_the_rules(order, until)
        refused = drill_stay_fault(order, until, floor) if asked else None
        terms = order.terms.model_copy(update={"minutes": minutes, "starts_at": None})
        staying = preview_of(terms, floor).model_copy(update={"broken_rules": tuple(broken_by_staying(terms, floor))})
        return seen(staying, terms, floor, self.waiting(), reroute_id, drill_refused=refused)

    async def look_ahead(self, terms: RerouteTerms) -> LookAhead:
        """The next minutes with the terms and without them, or the problem that they cannot be played now."""
        self._check_all(terms)
        floor = FloorNow.of(self.boards, await self.reads.orders(), self.now())
        played = await self.looker.look(days_ahead(floor, terms), terms)
        if played is None:
            raise Problem(503, "look_too_slow", "Expected the next minutes played within 3 s, found no time; ask again")
        return played

    def _check_all(self, terms: RerouteTerms) -> None:
        self.check(terms)
        fault = scope_fault(terms, self.boards["reference"]) or start_fault(terms, self.now())
        if fault is not None:
            raise Problem(409, *fault)

    def check(self, terms: RerouteTerms) -> None:
        """Errors: the problem of terms that nobody may ask for."""
        fault = terms_fault(terms, self.now()) or drill_fault(terms)
        if fault is not None:
            raise Problem(422, *fault)

    async def glance(self) -> FloorGlance:
        """The floor now, with the orders in force."""
        return glance_of(FloorNow.of(self.boards, await self.reads.open_orders(), self.now()), self.waiting())

    def duty(self, claims: Claims) -> DutyView:
        """What the bearer may do about reroutes."""
        return duty_of(claims, self.boards["reference"].reroute_duties.get(claims.subject), PROPOSERS, APPROVERS)

    async def hand_in(self, command: RerouteCommand, response: Response) -> AnswerView:
        """Publish the command and say what became of it; a refusal is a problem."""
        view = await self.handed_in(command)
        if view.code not in TAKEN_CODES:
            raise Problem(STATUS_BY_CODE.get(view.code, 409), _typed(view), view.detail)
        response.status_code = 202 if view.code == "pending" else 200
        return view

    async def handed_in(self, command: RerouteCommand) -> AnswerView:
        """The same, with a refusal as a value."""
        answer = await self.counter.hand_in(command)
        if answer is not None:
            return _view(answer)
        detail = "The book has not answered yet."
        return AnswerView(command_id=command.command_id, reroute_id=command.reroute_id, code="pending", detail=detail)

    async def by_alert(self, alert: Alert) -> AnswerView | Rejection | None:
        """What became of the alert's proposal, or why there is none.

        Holds:   an alert that goes on proposes again when its last proposal was refused by a rule, expired unseen or went as
                 the alert resolved, and not when people decided about it: then its answer says what became of that one.
        """
        nth = 0
        while isinstance(command := proposal_of(alert, self.now(), nth), ProposeReroute):
            answer = await self.reads.answer(command.command_id)
            if answer is None or nth == ALERT_TRIES_MAX:
                return await self.handed_in(command)
            order = await self.reads.order(command.reroute_id) if answer.code == "done" else None
            if answer.code == "done" and (order is None or order.phase == "proposed"):
                return _view(answer)
            if order is not None and order.phase != "expired" and not await self._withdrew(command):
                return _decided(answer, order)
            nth += 1
        return command

    async def withdrawn(self, alert: Alert) -> AnswerView | None:
        """What became of the withdrawal of a resolved alert's proposal; `None` where none waits for people any more.

        Holds:   what people have agreed to or refused is theirs.
        """
        nth = 0
        while nth <= ALERT_TRIES_MAX and isinstance(proposal := proposal_of(alert, self.now(), nth), ProposeReroute):
            if await self.reads.answer(proposal.command_id) is None:
                break
            order = await self.reads.order(proposal.reroute_id)
            if order is not None and order.phase == "proposed":
                answer = await self.handed_in(withdrawal_of(proposal, self.now()))
                return answer if answer.code in TAKEN_CODES else None
            nth += 1
        return None

    async def _withdrew(self, proposal: ProposeReroute) -> bool:
        """The proposal went with its alert."""
        answer = await self.reads.answer(withdrawal_of(proposal, self.now()).command_id)
        return answer is not None and answer.code == "done"

    async def known(self, reroute_id: str) -> RerouteOrder:
        """The reroute, or the problem that there is none."""
        order = await self.reads.order(reroute_id)
        if order is None:
            raise Problem(404, "unknown_reroute", f"Expected a reroute that is known, found none named {reroute_id}.")
        return order

    async def report(self, reroute_id: str) -> RerouteReport:
        """Everything of one reroute."""
        order, now = await self.known(reroute_id), self.now()
        life, held = await self.reads.history(reroute_id), held_percent(order, now)
        return report_of(
            now,
            order,
            life,
            await self.reads.moved(reroute_id),
            held_by_reroute(self.waiting()).get(reroute_id, 0) if held else 0,
            held,
            await self._overlaps(order, now),
            await self.reads.sent_back(reroute_id),
            await self._came_over_it(order, now),
        )

    async def _overlaps(self, order: RerouteOrder, now: datetime) -> Sequence[str]:
        """Which of two applies now: nothing of an order that holds nothing any more."""
        if not held_percent(order, now):
            return ()
        holding = [other for other in await self.reads.open_orders() if held_percent(other, now)]
        return overlaps(order, holding, list(self.boards["reference"].teams.values()), now)

    async def _came_over_it(self, order: RerouteOrder, now: datetime) -> Sequence[LifeLine]:
        """The orders that came in force over the same place while this one was, and which of the two applied."""
        if order.started_at is None:
            return ()
        later = await self.reads.begun(order.started_at, order.over_at or now)
        return came_over_it(order, later, list(self.boards["reference"].teams.values()))


def reroute_routers(control: Control) -> Sequence[tuple[APIRouter, tuple[str, ...]]]:
    """The control room's routers, each with the roles that may use it."""
    looking, proposing, approving, alerting = (APIRouter(tags=["reroutes"]) for _ in range(4))
    _look(looking, control)
    _look_around(looking, control)
    _propose(proposing, control)
    _approve(approving, control)
    _alert(alerting, control)
    return ((looking, VIEWERS), (proposing, PROPOSERS), (approving, APPROVERS), (alerting, ALERTERS))


def _look(router: APIRouter, control: Control) -> None:
    @router.get("/reroutes", summary="All reroutes, or those that are not over", responses=problem_responses(422))
    async def reroutes(
        still_open: Annotated[bool, Query(alias="open", description="only those that are not over")] = False,
    ) -> list[RerouteOrder]:
        return list(await (control.reads.open_orders() if still_open else control.reads.orders()))

    @router.get("/reroutes/drills", summary="The drill calendar: what comes, what came of it, what no drill proves")
    async def drills() -> DrillsView:
        boards = control.boards
        return drills_view(boards["reference"], boards["reroutes"], await control.reads.orders(), control.now())

    @router.get("/reroutes/{reroute_id}", summary="One reroute: report", responses=problem_responses(404, 422))
    async def report(reroute_id: RerouteId) -> RerouteReport:
        return await control.report(reroute_id)

    @router.get(
        "/reroutes/{reroute_id}/report.html",
        summary="One reroute: the report as a page",
        response_class=Response,
        responses={200: {"content": {"text/html": {}}}, **problem_responses(404, 422)},
    )
    async def page(reroute_id: RerouteId) -> Response:
        found = page_of(await control.report(reroute_id))
        headers = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
        return Response(found, media_type="text/html; charset=utf-8", headers=headers)

    @router.get(
        "/reroutes/{reroute_id}/stay",
        summary="What would keeping it for longer do? Changes nothing",
        responses=problem_responses(404, 409, 422),
    )
    async def stay(
        reroute_id: RerouteId,
        minutes: Annotated[int, Query(ge=1, le=MINUTES_MAX, description="so many minutes from now on")],
    ) -> PreviewSeen:
        return await control.stay(reroute_id, minutes)

    @router.get(
        "/reroutes/{reroute_id}/history",
        summary="What happened to one reroute",
        responses=problem_responses(404, 422),
    )
    async def history(reroute_id: RerouteId) -> list[LifeLine]:
        await control.known(reroute_id)
        return [line for fact in await control.reads.history(reroute_id) if (line := line_of(fact)) is not None]

    @router.get(
        "/reroute-commands/{command_id}",
        summary="What became of a command",
        responses=problem_responses(404, 422),
    )
    async def answer(command_id: RerouteId) -> AnswerView:
        found = await control.reads.answer(command_id)
        if found is None:
            raise Problem(
                404, "unknown_command", "Expected a command that was answered; wait a moment, or send it again"
            )
        return _view(found)


def _look_around(router: APIRouter, control: Control) -> None:
    @router.get("/reroute-floor", summary="The floor at a glance: centres, teams, work types")
    async def floor() -> FloorGlance:
        return await control.glance()

    @router.get("/reroute-names", summary="What a scope may name, and the safety rules")
    async def names() -> ScopeNames:
        return names_of(control.boards["reference"])

    @router.get("/reroute-duty", summary="Who am I, and what may I do about reroutes?")
    async def duty(claims: Claims = Depends(requires(*VIEWERS))) -> DutyView:
        return control.duty(claims)

    @router.post(
        "/reroutes/preview", summary="What would it do? Changes nothing", responses=problem_responses(400, 409, 422)
    )
    async def preview(terms: Terms) -> PreviewSeen:
        return await control.preview(terms)

    @router.post(
        "/reroutes/look-ahead",
        summary="The next minutes with it and without it, played by the floor simulator",
        responses=problem_responses(400, 409, 422, 503),
    )
    async def look_ahead(terms: Terms) -> LookAhead:
        return await control.look_ahead(terms)


def _propose(router: APIRouter, control: Control) -> None:
    who = requires(*PROPOSERS)

    @router.post("/reroutes", summary="Propose a reroute, or break the glass", responses=TAKEN)
    async def propose(
        body: ProposeBody, response: Response, claims: Claims = Depends(who), key: Key = None
    ) -> AnswerView:
        control.check(body.terms)
        common = _command(claims, "propose", None, key, control.now(), body.terms.reason)
        return await control.hand_in(ProposeReroute(**common, **dict(body)), response)

    @router.post("/reroutes/{reroute_id}/cancel", summary="Stop it where it stands, without a ramp", responses=TAKEN)
    async def cancel(
        reroute_id: RerouteId, body: ReasonBody, response: Response, claims: Claims = Depends(who), key: Key = None
    ) -> AnswerView:
        common = _command(claims, "cancel", reroute_id, key, control.now(), body.reason)
        return await control.hand_in(CancelReroute(**common), response)

    @router.post("/reroutes/{reroute_id}/end", summary="Let the work come back, step by step", responses=TAKEN)
    async def end(
        reroute_id: RerouteId, body: ReasonBody, response: Response, claims: Claims = Depends(who), key: Key = None
    ) -> AnswerView:
        common = _command(claims, "end", reroute_id, key, control.now(), body.reason)
        return await control.hand_in(EndReroute(**common), response)


def _approve(router: APIRouter, control: Control) -> None:
    who = requires(*APPROVERS)

    @router.post("/reroutes/{reroute_id}/approve", summary="Agree to the preview of this hash", responses=TAKEN)
    async def approve(
        reroute_id: RerouteId, body: ApproveBody, response: Response, claims: Claims = Depends(who), key: Key = None
    ) -> AnswerView:
        common = _command(claims, "approve", reroute_id, key, control.now(), body.reason)
        named = {"preview_sha256": body.preview_sha256, "override_rules": body.override_rules}
        return await control.hand_in(ApproveReroute(**common, **named), response)

    @router.post("/reroutes/{reroute_id}/refuse", summary="Say no", responses=TAKEN)
    async def refuse(
        reroute_id: RerouteId, body: ReasonBody, response: Response, claims: Claims = Depends(who), key: Key = None
    ) -> AnswerView:
        common = _command(claims, "refuse", reroute_id, key, control.now(), body.reason)
        return await control.hand_in(RefuseReroute(**common), response)

    @router.post("/reroutes/{reroute_id}/extend", summary="Keep it in force for longer", responses=TAKEN)
    async def extend(
        reroute_id: RerouteId, body: ExtendBody, response: Response, claims: Claims = Depends(who), key: Key = None
    ) -> AnswerView:
        common = _command(claims, "extend", reroute_id, key, control.now(), body.reason)
        return await control.hand_in(
            ExtendReroute(**common, minutes=body.minutes, override_rules=body.override_rules), response
        )

    @router.post("/reroutes/{reroute_id}/review", summary="Answer for a broken glass, in words", responses=TAKEN)
    async def review(
        reroute_id: RerouteId, body: ReasonBody, response: Response, claims: Claims = Depends(who), key: Key = None
    ) -> AnswerView:
        common = _command(claims, "review", reroute_id, key, control.now(), body.reason)
        return await control.hand_in(CloseReview(**common), response)


def _alert(router: APIRouter, control: Control) -> None:
    @router.post(
        "/reroutes/alerts",
        summary="Alertmanager's webhook: firing alerts with reroute labels become proposals, never more; resolved ones withdraw them",
        responses=problem_responses(400, 422),
    )
    async def alerts(body: Notification) -> AlertsView:
        resolved = [await control.withdrawn(alert) for alert in body.alerts if alert.status == "resolved"]
        asked = [await control.by_alert(alert) for alert in body.alerts if alert.status == "firing"]
        withdrawn = tuple(answer for answer in resolved if answer is not None)
        answers = [answer for answer in asked if isinstance(answer, AnswerView)]
        proposals = tuple(answer for answer in answers if answer.code in TAKEN_CODES)
        refused = tuple(answer for answer in answers if answer.code not in TAKEN_CODES)
        unreadable = [rejection.detail for rejection in asked if isinstance(rejection, Rejection)]
        count_alerts([answer.code for answer in answers], unreadable, len(withdrawn))
        return AlertsView(
            proposals=proposals,
            refused=refused,
            unreadable=tuple(unreadable),
            withdrawn=withdrawn,
            passed_over=asked.count(None) + resolved.count(None),
        )


def _typed(refused: AnswerView) -> str:
    """The problem's code: of a drill that the rest could not carry its own, which the book's answer says in its sentence."""
    return FAILED.lower() if refused.detail.startswith(FAILED) else refused.code


def _decided(answer: Answer, order: RerouteOrder) -> AnswerView:
    """What is said to an alert that goes on after people decided about its proposal."""
    detail = f"{order.reroute_id} is {order.phase}: it is not proposed again while this alert goes on."
    return _view(answer).model_copy(update={"code": DECIDED, "detail": detail})


def _view(answer: Answer) -> AnswerView:
    return AnswerView(
        command_id=answer.command_id, reroute_id=answer.reroute_id, code=answer.code, detail=answer.detail
    )


def _command(
    claims: Claims, verb: str, reroute_id: str | None, key: str | None, now: datetime, reason: str
) -> dict[str, Any]:
    """What every command says. Without a key it is like no other; a proposal names its reroute after itself."""
    command_id = derived_id("reroute", claims.subject, verb, reroute_id or "", key or uuid.uuid4().hex)
    return {
        "command_id": command_id,
        "reroute_id": reroute_id or f"r-{command_id[:8]}",
        "actor": claims.subject,
        "issued_at": now,
        "reason": reason,
    }
