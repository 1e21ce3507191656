"""Whether somebody scarce is better kept free for urgent work that will be asked for in a moment. Reads the desk only.

While an urgent case is under review, its authorisation is soon to come, and needs another person. If the few who may do
it have all begun something long by then, the case waits for them; so one who becomes free just before may be kept free.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Final

from services.routing.delay import terms_of
from services.routing.desk.choice import Head
from services.routing.desk.learning import ONE
from services.routing.desk.state import DeskItem, OperatorPhase
from shared.contracts.message import Step
from shared.contracts.routing import WorkHeldBack
from shared.contracts.work import WorkOrder

if TYPE_CHECKING:
    from services.routing.desk.dealing import Dealing

NEXT: Final[Mapping[Step, Step]] = {"arbitration": "review", "review": "authorisation"}
"""What follows at once, when anything does. After an entry the other keyings must be in first."""
LOOKED_AT_MAX: Final = 8  # urgent items in hand that one decision looks at, by id


@dataclass(frozen=True, slots=True)
class Awaited:
    """An urgent step that will be asked for so soon. Units: seconds."""

    order: WorkOrder
    doer: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Kept:
    """Why somebody is kept free. Units: seconds, points per second."""

    awaited: Awaited
    spared: float
    awaited_slope: float
    slope: float
    crowd: float

    @property
    def after(self) -> str:
        """The item in hand that the awaited step follows."""
        return self.awaited.order.work_item_id

    def told(self, item: DeskItem, operator_id: str, team_id: str, now: datetime) -> WorkHeldBack:
        """As a fact about the item that the operator was not given. Nothing is rounded: the scale must come out the same again."""
        return WorkHeldBack(
            work_item_id=item.work_item_id,
            case_id=item.order.case_id,
            at=now,
            team_id=team_id,
            operator_id=operator_id,
            awaited_case_id=self.awaited.order.case_id,
            awaited_step=self.awaited.order.step,
            awaited_after=self.after,
            awaited_seconds=self.awaited.seconds,
            spared_seconds=self.spared,
            awaited_slope_per_minute=self.awaited_slope * 60,
            slope_per_minute=self.slope * 60,
            crowd=self.crowd,
        )


def keeps_free(dealing: Dealing, operator_id: str, head: Head) -> Kept | None:
    """The urgent step for which the operator is rather kept free than given the ordinary head of their lines, and why.

    Holds:   only while the operator has been free for less than `hold_seconds_max`, and only
             where the lateness that it spares the urgent case costs more than the standing idle: what waits is delayed
             by the operator's part of the desk's people.
    """
    desk = dealing.desk
    left = dealing.book.reference.limits.hold_seconds_max - _free_for(dealing, operator_id)
    crowd = max(1.0, sum(map(len, desk.queues.values())) / max(1, len(desk.present)))
    for awaited in _awaited(dealing, operator_id):
        if awaited.seconds < left:
            spared = min(_free_in(dealing, awaited, operator_id), 1.0 / head.rate) - awaited.seconds
            kept = Kept(awaited, spared, _slope(dealing, awaited), head.slope, crowd)
            if spared > 0 and spared * kept.awaited_slope > awaited.seconds * head.slope * crowd:
                return kept
    return None


def _free_for(dealing: Dealing, operator_id: str) -> float:
    operator = dealing.desk.operator(operator_id)
    if operator.phase is not OperatorPhase.READY:
        return 0.0
    return (dealing.situation.now - operator.since).total_seconds()


def _awaited(dealing: Dealing, operator_id: str) -> Iterator[Awaited]:
    """What urgent work in hand will ask for next that the operator may do."""
    for work_item_id in islice(dealing.desk.urgent_in_hand, LOOKED_AT_MAX):
        item = dealing.desk.items[work_item_id]
        step = NEXT.get(item.order.step)
        if step is None or item.operator_id is None or work_item_id in dealing.given:
            continue
        seconds = _until_done(dealing, item, item.operator_id)
        awaited = Awaited(item.order.model_copy(update={"step": step}), item.operator_id, seconds)
        if seconds > 0 and _may(dealing, awaited, operator_id):
            yield awaited


def _may(dealing: Dealing, awaited: Awaited, operator_id: str) -> bool:
    """The hard rules, and who already had a part in the case. The grade is taken to be that of the step in hand."""
    order, desk = awaited.order, dealing.desk
    known = operator_id == awaited.doer or desk.role_of(order.case_id, operator_id) is not None
    return not known and dealing.hindrance(order, operator_id) is None


def _free_in(dealing: Dealing, awaited: Awaited, but: str) -> float:
    """When the first of the others who may do it has empty hands. Units: seconds; infinite when there is nobody."""
    found = float("inf")
    for operator_id in dealing.desk.present:
        if operator_id != but and _may(dealing, awaited, operator_id):
            held = dealing.desk.operators[operator_id].work_item_id
            item = None if held is None or held in dealing.given else dealing.desk.items[held]
            found = min(found, 0.0 if item is None else max(0.0, _until_done(dealing, item, operator_id)))
    return found


def _until_done(dealing: Dealing, item: DeskItem, operator_id: str) -> float:
    """How long the item will be in hand yet, by the operator's pace. Units: seconds; negative when it should be done."""
    pace = dealing.desk.paces.of(operator_id, item.order.work_type) / ONE
    taken = 0.0 if item.taken_at is None else (dealing.situation.now - item.taken_at).total_seconds()
    return item.order.standard_seconds * pace - taken


def _slope(dealing: Dealing, awaited: Awaited) -> float:
    """How fast the delay of the awaited step costs when it comes. Units: points per second."""
    order, then = awaited.order, awaited.seconds
    age = (dealing.situation.now - order.requested_at).total_seconds() + then
    slack = (order.due_at - dealing.situation.now).total_seconds() - then - order.later_seconds
    return terms_of(order, dealing.book.reference).slope(age, slack)
