"""What emergency counts: reroutes by effect and phase, how fast they were approved, what was refused."""

from __future__ import annotations

import asyncio
from collections import Counter as Count
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, get_args

import structlog
from prometheus_client import Counter, Histogram

from services.routing.emergency.proofs import to_prove
from shared.contracts import reroute, routing
from shared.contracts.message import Message
from shared.reference.board import ReferenceView
from shared.reroutes import STRENGTH, RerouteView, held_percent, unproved_because
from shared.runtime.levels import Level, Read, Reading

IN_FORCE: Final = Level("opsfloor_reroutes_in_force", "Reroutes that hold work back now", ("effect",))
LEFT: Final = Level(
    "opsfloor_reroute_left_seconds",
    "Until the first reroute of an effect ends, of those that have not ended yet",
    ("effect", "drill"),
)
OVERDUE: Final = Level(
    "opsfloor_reroute_overdue_seconds",
    "Since the end of the reroute of an effect that should have been over first and is still on the board",
    ("effect", "drill"),
)
REVIEWS: Final = Level("opsfloor_reroute_reviews_open", "Broken glasses that nobody has answered for yet")
_EVERYWHERE: Final = "the whole floor, the same from every process"
MOVED: Final = Level(
    "opsfloor_reroute_moved_items",
    f"Items that left a desk by a reroute that is not over; {_EVERYWHERE}",
    ("reroute",),
)
UNPLACEABLE: Final = Level(
    "opsfloor_reroute_unplaceable_items",
    f"Items that wait at no desk and that a reroute keeps from a team; {_EVERYWHERE}",
    ("reroute",),
)
SENT_BACK: Final = Level(
    "opsfloor_reroute_sent_back_submissions",
    f"Submissions that a `local` reroute that is not over sent back to their branches; {_EVERYWHERE}",
    ("reroute",),
)
UNPROVED: Final = Level(
    "opsfloor_drill_unproved_scopes",
    "Centres, or vendors, without a recent passed drill: nothing shows that the floor can do without them",
    ("point",),
)
DRILLS: Final = Counter("opsfloor_drills_total", "Drills that are over, by what came of them", ["outcome"])
for _outcome in get_args(reroute.DrillResult):
    DRILLS.labels(_outcome)  # there from 0 on, so that the first one shows as a rise
CAME: Final = Counter("opsfloor_reroutes_total", "Reroutes that came into a phase", ["effect", "phase"])
for _effect in get_args(reroute.Effect):
    for _phase in get_args(reroute.ReroutePhase):
        CAME.labels(_effect, _phase)
APPROVAL: Final = Histogram(
    "opsfloor_reroute_approval_seconds", "From proposal to approval", buckets=(5, 15, 30, 60, 120, 300, 600, 900, 3600)
)
EFFECT: Final = Histogram(
    "opsfloor_reroute_effect_seconds",
    "From approval, or the start that was asked for if that is later, until this process's desks and placements obey",
    buckets=(0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 600),
)
ANSWERS: Final = Counter("opsfloor_reroute_commands_total", "Commands about reroutes", ["code"])
for _code in get_args(reroute.RerouteAnswered.model_fields["code"].annotation):
    ANSWERS.labels(_code)
ALERTS: Final = Counter(
    "opsfloor_reroute_alerts_total",
    "Times that an alert asked for a reroute, the same one again too, or resolved and withdrew it, by what became of it",
    ["outcome"],
)
DECIDED: Final = "decided"
"""What became of an alert that goes on after people decided about its proposal: nothing more."""
for _outcome in ("proposed", "in_force", DECIDED, "refused", "unreadable", "withdrawn"):
    ALERTS.labels(_outcome)
_NO_FAULT: Final = {
    "done": "proposed",
    "noted": "proposed",
    "pending": "proposed",
    "same_scope_in_force": "in_force",
    DECIDED: DECIDED,
}
FELL_BACK: Final = Counter(
    "opsfloor_reroute_fall_backs_total", "Returns that were not well: fell back, or went on past it"
)
DRIFTED: Final = Counter("opsfloor_reroute_drifts_total", "Approvals that asked again because the floor had moved")
ITEMS: Final = Counter("opsfloor_reroute_items_moved_total", "Items that left a desk by a reroute", ["team"])

LOOK_SECONDS: Final = 0.05
_log: Final = structlog.get_logger("opsfloor.emergency")
_phases: Final[dict[str, str]] = {}  # of those that are not over


def measure(facts: Sequence[Message], now: datetime) -> None:
    """Count what was decided."""
    for fact in facts:
        count = _COUNTED.get(type(fact))
        if count is not None:
            count(fact)
    _count_moved([fact.team_id for fact in facts if type(fact) is routing.WorkReleased and fact.reroute_id is not None])
    _approved_at_once(facts)


def count_alerts(codes: Sequence[str], unreadable: Sequence[str], withdrawn: int = 0) -> None:
    """Count what became of the alerts of one notification, and say what no proposal came of: no order shows it."""
    for code in codes:
        outcome = _NO_FAULT.get(code, "refused")
        ALERTS.labels(outcome).inc()
        if outcome == "refused":
            _log.warning("an alert's proposal was refused", code=code)
    ALERTS.labels("withdrawn").inc(withdrawn)
    for why in unreadable:
        ALERTS.labels("unreadable").inc()
        _log.warning("an alert asks for a reroute that cannot be read", reason=why)


def _count_moved(teams: Sequence[str]) -> None:
    for team_id, items in Count(teams).items():
        ITEMS.labels(team_id).inc(items)


def _came(order: reroute.RerouteOrder) -> None:
    known = _phases.pop(order.reroute_id, None)
    if known != order.phase:
        CAME.labels(order.terms.effect, order.phase).inc()
        if known == "proposed" and order.approved_at is not None:
            APPROVAL.observe((order.approved_at - order.proposed_at).total_seconds())
    if order.over_at is None:
        _phases[order.reroute_id] = order.phase


def _approved_at_once(facts: Sequence[Message]) -> None:
    """An order that begins with its approval is told once, as active; it was approved all the same."""
    agreed = {fact.reroute_id for fact in facts if type(fact) is reroute.RerouteApproved}
    for order in facts if agreed else ():
        if isinstance(order, reroute.RerouteOrder) and order.reroute_id in agreed and order.phase != "approved":
            CAME.labels(order.terms.effect, "approved").inc()


class Obeyed:
    """Notes when an order in force is first on this process's board: from then on its desks and placements obey.

    Holds:   what began before the process did is not counted.
    """

    def __init__(self, view: RerouteView, now: Callable[[], datetime]) -> None:
        self._view: Final = view
        self._now: Final = now
        self._since: Final = now()
        self._noted: set[str] = set()

    async def follow(self) -> None:
        """Look for as long as the process lives."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_SECONDS)

    def look(self) -> None:
        """Look once."""
        for reroute_id, order in self._view.acting.items():
            if reroute_id not in self._noted and order.started_at is not None and order.started_at >= self._since:
                EFFECT.observe((self._now() - _agreed_at(order)).total_seconds())
        self._noted = set(self._view.acting)


def _agreed_at(order: reroute.RerouteOrder) -> datetime:
    """From when the order should be in force. Holds: who broke the glass agreed with themselves, when they proposed."""
    agreed_at = order.approved_at or order.proposed_at
    return agreed_at if order.terms.starts_at is None else max(agreed_at, order.terms.starts_at)


_COUNTED: Final[Mapping[type[Message], Callable[[Any], None]]] = {
    reroute.RerouteOrder: _came,
    reroute.RerouteAnswered: lambda fact: ANSWERS.labels(fact.code).inc(),
    reroute.RerouteFellBack: lambda fact: FELL_BACK.inc(),
    reroute.RerouteReturning: lambda fact: FELL_BACK.inc(fact.not_well),
    reroute.RerouteOver: lambda fact: FELL_BACK.inc(fact.not_well),
    reroute.RerouteDrifted: lambda fact: DRIFTED.inc(),
    reroute.DrillJudged: lambda fact: DRILLS.labels(fact.outcome.outcome).inc(),
}


def reroute_levels(view: RerouteView, now: Callable[[], datetime]) -> Read:
    """Read the reroutes off their board; what is in force the clock tells."""

    def read() -> Iterator[Reading]:
        instant = now()
        held = Count(order.terms.effect for order in view.acting.values() if held_percent(order, instant))
        for effect in sorted(STRENGTH):
            yield IN_FORCE, (effect,), float(held[effect])
        yield from _ends(view, instant)
        yield REVIEWS, (), float(len(view.reviews))

    return read


def _ends(view: RerouteView, instant: datetime) -> Iterator[Reading]:
    """When orders end and how long they should be over: two figures, so that neither hides the other's first one."""
    left_by_labels: dict[tuple[str, str], list[float]] = defaultdict(list)
    for order in view.acting.values():
        if order.ends_at is not None:
            labels = (order.terms.effect, "yes" if order.terms.drill else "no")
            left_by_labels[labels].append((order.ends_at - instant).total_seconds())
    for of, found in sorted(left_by_labels.items()):
        to_come = [seconds for seconds in found if seconds > 0]
        if to_come:
            yield LEFT, of, min(to_come)
        if min(found) <= 0:
            yield OVERDUE, of, -min(found)


def proof_levels(view: RerouteView, reference: ReferenceView, now: Callable[[], datetime]) -> Read:
    """Read off the boards how many centres and vendors no drill proves.

    Holds:   what a reroute takes from each team is counted from 0 on from the first look.
    """

    def read() -> Iterator[Reading]:
        instant, days_max = now(), reference.limits.drill_proof_days
        for team_id in reference.teams:
            ITEMS.labels(team_id)
        unproved = Count(
            point[0]
            for point in to_prove(reference)
            if unproved_because(view.proofs.get(point), days_max, instant) is not None
        )
        for noun in ("centre", "provider"):
            yield UNPROVED, (noun,), float(unproved[noun])

    return read
