"""The floor's own way of dealing: placement, desk and plan as they run in life, on virtual time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from services.routing.balancer.arrivals import Arrivals
from services.routing.balancer.planner import FloorNow, calendar_of, make_plan
from services.routing.balancer.programme import Footing
from services.routing.boards import LOAD_BOARD, PLAN_BOARD, LoadView, PlanView
from services.routing.desk import apply as desk_moves
from services.routing.desk import decide as desk_rules
from services.routing.desk import watch
from services.routing.desk.processor import desk
from services.routing.desk.state import TeamDesk, new_desk
from services.routing.placement import decide as placement_rules
from services.routing.placement import state as placement_state
from services.routing.placement.choice import BatchSight
from services.routing.placement.processor import placement
from services.routing.placement.sent import SentSince
from services.routing.placement.state import PlacedItem, new_item
from services.routing.simulator.floor import Floor, Start, Starts
from shared.contracts.audit import WorkCancelled, WorkRequested
from shared.contracts.message import Message, Step
from shared.contracts.routing import (
    AcceptAssignment,
    CompleteAssignment,
    LoadSnapshot,
    SignOff,
    SignOn,
    WorkAssigned,
    WorkPlaced,
    WorkRecalled,
    WorkReleased,
)
from shared.contracts.telling import teller
from shared.contracts.work import (
    ArbitrationRuling,
    AuthorisationVerdict,
    InspectionVerdict,
    KeyedValue,
    Outcome,
    ReviewVerdict,
    WorkOrder,
)
from shared.reference.board import REFERENCE_BOARD
from shared.runtime.errors import InvariantError
from shared.runtime.processor import Event, Facts, Rejection, Situation, TimerFired

BUS_SECONDS: Final = 0.2  # from a desk's telling its load, or the balancer its plan, until every placement has read it
LOADS_A_PLAN: Final = 30  # loads that a desk tells between two plans, unless told otherwise; in life it is one

work_requested: Final = teller(WorkRequested)
accept_assignment: Final = teller(AcceptAssignment)
complete_assignment: Final = teller(CompleteAssignment)

REACTED_TO: Final = frozenset({WorkAssigned, WorkReleased, LoadSnapshot})

Gave = tuple[str, str]
"""A bound that a plan could not keep: its reason and its name, as `BoundRelaxed` has them."""

NOTHING: Final[Mapping[str, Any]] = {}

OUTCOMES: Final[Mapping[Step, Outcome]] = {
    "entry": KeyedValue(value="1"),
    "arbitration": ArbitrationRuling(value="1"),
    "review": ReviewVerdict(passed=True),
    "authorisation": AuthorisationVerdict(granted=True),
    "inspection": InspectionVerdict(value="1"),
}


class RealDealing:
    """Placement's and the desks' own decisions and folds. Operators accept what they are offered at once.

    Holds:   loads reach placement as late as in life: desks tell them by their own alarm, the bus takes `bus_seconds`;
             `boards` are views that stand instead of empty ones (standing, reroutes, a plan). The balancer makes a plan
             every `plan_seconds`, else every so many loads; with neither it makes none.
    """

    def __init__(
        self,
        bus_seconds: float = BUS_SECONDS,
        boards: Mapping[str, Any] = NOTHING,
        loads_a_plan: int | None = LOADS_A_PLAN,
        plan_seconds: float | None = None,
    ) -> None:
        self._bus_seconds = bus_seconds
        self._given: Final = boards
        self._loads_a_plan: Final = loads_a_plan
        self._plan_seconds = plan_seconds
        self._footing: Final = Footing()
        self._sent: Final = SentSince()
        self._placed: Final[dict[str, PlacedItem]] = {}
        self.desks: Final[dict[str, TeamDesk]] = {}
        self._woken: Final[dict[str, datetime]] = {}
        self._attempts: Final[dict[str, int]] = {}
        self._commands = 0
        self.plans_made = 0
        self.gave_way: Final[Counter[Gave]] = Counter()  # in how many plans each bound did
        self._known: Situation | None = None

    def opens(self, floor: Floor) -> None:
        """Take the boards as the day's reference data fills them."""
        self._floor = floor
        self._boards: dict[str, Any] = {spec.name: spec.empty() for spec in (*placement().boards, *desk().boards)}
        self._boards |= {REFERENCE_BOARD.name: floor.reference, **self._given}
        self._team_of = {one.id: one.team_id for one in floor.reference.operators.values()}
        self._arrivals = Arrivals(floor.now)
        if self._plan_seconds is None and self._loads_a_plan is not None:
            self._plan_seconds = self._loads_a_plan * floor.reference.limits.load_seconds
        if self._plan_seconds is not None:
            floor.wake(self._plan_seconds, self._plan)

    @property
    def loads(self) -> LoadView:
        """The loads as placement knows them."""
        view: LoadView = self._boards[LOAD_BOARD.name]
        return view

    # ------------------------------------------------------------ what happens

    def arrives(self, order: WorkOrder, waits_at: str | None = None) -> Starts:
        """The process asks for the item, or placement has placed it already."""
        if waits_at is not None:
            placed = WorkPlaced(
                team_id=waits_at,
                placing=1,
                attempt=0,
                order=order,
                placed_at=order.requested_at,
                considered=(),
                draw_seed=0,
            )
            self._placed[order.work_item_id] = placement_state.apply(new_item(order.work_item_id), placed)
            return self._tell_desk(waits_at, placed)
        self._arrivals.asked(order)
        return self._place(order.work_item_id, work_requested(order=order))

    def withdrawn(self, order: WorkOrder) -> Starts:
        """The process cancels the item."""
        cancelled = WorkCancelled(work_item_id=order.work_item_id, case_id=order.case_id, reason="withdrawn")
        return self._place(order.work_item_id, cancelled)

    def comes(self, operator_id: str) -> Starts:
        """The operator signs on."""
        return self._command(SignOn, operator_id)

    def goes(self, operator_id: str) -> Starts:
        """The operator signs off."""
        return self._command(SignOff, operator_id)

    def ends(self, work_item_id: str, operator_id: str, leaves: bool) -> Starts:
        """The operator hands in the result; who leaves takes nothing more."""
        order = self._floor.items[work_item_id].order
        self._placed.pop(work_item_id)
        command: dict[str, Any] = {
            "work_item_id": work_item_id,
            "attempt": self._attempts.pop(work_item_id),
            "outcome": OUTCOMES[order.step],
            "handle_seconds": 0.0,
        }
        if not leaves:
            return self._command(complete_assignment, operator_id, **command)
        given = self._command(complete_assignment, operator_id, **command, accepts=False)
        return [*given, *self.goes(operator_id)]

    # ---------------------------------------------------------------- balancer

    def _plan(self) -> Starts:
        """Make the next plan; placement has it when the bus has carried it."""
        floor = self._floor
        interval = self._plan_seconds
        if floor.at_rest or interval is None:
            return ()
        view: PlanView = self._boards[PLAN_BOARD.name]
        for profile in self._arrivals.turn(floor.now, calendar_of(floor.reference)):
            self._arrivals.remember(profile)
        floor.wake(floor.agenda.now + interval, self._plan)
        try:
            plan = make_plan(
                FloorNow.of(self._boards, floor.now),
                self._arrivals,
                view,
                "simulated",
                interval,
                reliefs_told=False,
                footing=self._footing,
            )
        except ArithmeticError:  # as in life: the last plan stays in force
            return ()
        if plan.work and plan.teams:
            self.plans_made += 1
            self.gave_way.update({(bound.reason, bound.name) for bound in plan.relaxed})
            floor.agenda.at(floor.agenda.now + self._bus_seconds, PLAN_BOARD.fold, view, plan.key, plan)
        return ()

    # --------------------------------------------------------------- placement

    def _place(self, work_item_id: str, event: Event) -> Starts:
        item = self._placed.get(work_item_id) or new_item(work_item_id)
        facts = _taken(placement_rules.decide(item, event, self._situation(BatchSight(self._sent.since(self.loads)))))
        self._sent.note(facts, self._floor.now)
        for fact in facts:
            item = placement_state.apply(item, fact)
        if item.phase is placement_state.Phase.CLOSED:
            self._placed.pop(work_item_id, None)
        else:
            self._placed[work_item_id] = item
        starts: list[Start] = []
        for fact in facts:
            if isinstance(fact, WorkPlaced | WorkRecalled):
                starts += self._tell_desk(fact.team_id, fact)
        alarm = placement_state.alarms(item).get("try")
        if alarm is not None and alarm.at is not None:
            self._wake(alarm.at, work_item_id, self._try_again, work_item_id)
        return starts

    def _try_again(self, work_item_id: str) -> Starts:
        if work_item_id not in self._placed:
            return ()
        return self._place(work_item_id, TimerFired(work_item_id, "try", self._floor.now))

    # -------------------------------------------------------------------- desk

    def _command(self, form: Any, operator_id: str, accepts: bool = True, **given: Any) -> list[Start]:
        command = self._issued(form, operator_id, given)
        return self._tell_desk(command.team_id, command, waits=None if accepts else operator_id)

    def _issued(self, form: Any, operator_id: str, given: Mapping[str, Any]) -> Any:
        self._commands += 1
        return form(
            command_id=str(self._commands),
            team_id=self._team_of[operator_id],
            operator_id=operator_id,
            issued_at=self._floor.now,
            **given,
        )

    def _tell_desk(self, team_id: str, event: Event, waits: str | None = None) -> list[Start]:
        """Let the desk decide, fold its facts, and let everybody but `waits` accept what they are offered."""
        own = self.desks.get(team_id) or self.desks.setdefault(team_id, new_desk(team_id))
        starts = self._decided(own, event, waits)
        self._set_alarm(own)
        return starts

    def _decided(self, own: TeamDesk, event: Event, waits: str | None) -> list[Start]:
        facts = _taken(desk_rules.decide(own, event, self._situation()))
        for fact in facts:
            desk_moves.apply(own, fact)
        own.dirty.clear()
        starts: list[Start] = []
        for fact in facts:
            if type(fact) in REACTED_TO:
                starts += self._react(own, fact, waits)
        return starts

    def _react(self, own: TeamDesk, fact: Message, waits: str | None) -> Starts:
        match fact:
            case WorkAssigned() if fact.operator_id != waits:
                self._attempts[fact.work_item_id] = fact.attempt
                item: dict[str, Any] = {"work_item_id": fact.work_item_id, "attempt": fact.attempt}
                taken = self._decided(own, self._issued(accept_assignment, fact.operator_id, item), None)
                return [Start(fact.work_item_id, fact.operator_id), *taken]
            case WorkReleased():
                return self._place(fact.work_item_id, fact)
            case LoadSnapshot():
                self._floor.agenda.at(
                    self._floor.agenda.now + self._bus_seconds, LOAD_BOARD.fold, self.loads, fact.key, fact
                )
        return ()

    def _set_alarm(self, own: TeamDesk) -> None:
        due = watch.next_due(own)
        if due is not None:
            self._wake(due, own.team_id, self._ring, own)

    def _ring(self, own: TeamDesk) -> Starts:
        starts: list[Start] = []
        for name, due in sorted(watch.dues(own).items()):
            if due <= self._floor.now:
                starts += self._decided(own, TimerFired(own.team_id, name, due), None)
        self._set_alarm(own)
        return starts

    def _wake(self, when: datetime, who: str, ask: Callable[[Any], Starts], given: object) -> None:
        """Ask again then, once, unless an earlier waking of the same is entered already."""
        entered = self._woken.get(who)
        if self._floor.at_rest or (entered is not None and entered <= when):
            return
        self._woken[who] = when

        def awake() -> Starts:
            if self._woken.get(who) != when:  # an earlier waking has taken its place
                return ()
            del self._woken[who]
            return () if self._floor.at_rest else ask(given)

        self._floor.wake((when - self._floor.day.begins_at).total_seconds(), awake)

    def _situation(self, observed: BatchSight | None = None) -> Situation:
        """What is known now; to desks, which observe nothing, it is the same for all that happens at an instant."""
        now = self._floor.now
        if observed is not None:
            return Situation(now, 0, "simulated", self._boards, observed)
        known = self._known
        if known is None or known.now is not now:
            known = self._known = Situation(now, 0, "simulated", self._boards)
        return known


def _taken(decided: Facts | Rejection) -> Facts:
    """The floor's people ask only for what they may: a refusal is a fault of the simulation."""
    if isinstance(decided, Rejection):
        raise InvariantError(f"Expected no refusal in a simulated day, found {decided.code}: {decided.detail}")
    return decided
