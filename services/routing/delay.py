"""What the delay of a work item costs, and how fast that cost rises: the slope in the generalised cµ index. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from math import exp, log
from typing import Final
from zoneinfo import ZoneInfo

from shared.contracts.reference import BusinessType, DelayCost
from shared.contracts.work import WorkOrder
from shared.reference.board import ReferenceView

LATER_WAIT: Final = 2.0  # later steps are expected to wait so many times as long as they take
FLAT: Final = 30.0  # beyond so many steepnesses from the due instant the logistic is 0 or 1
SAFE: Final = 1.1  # lateness already grows where the rest of the slope is greatest
DEFAULT: Final = DelayCost()
SPAN_SECONDS_MIN: Final = 60.0


@dataclass(frozen=True, slots=True)
class DelayTerms:
    """The delay cost of one kind of item.

    Units:   seconds and points. `waiting` is points per second for each second of age; `late` points per second after
             the due instant; `missed` points, once, for being late at all; `steep` how many seconds around the latest
             start it is uncertain whether the item will be late; `span` the service level; `steepest_us` the slack in
             microseconds at which the slope is greatest, `None` when it only ever rises as slack shrinks; `slope_max`
             bounds the slope there, without what waiting costs.
    """

    waiting: float
    late: float
    missed: float
    steep: float
    span: float
    steepest_us: int | None = field(init=False)
    slope_max: float = field(init=False)

    def __post_init__(self) -> None:
        p = 0.5 + self.late * self.steep / (2.0 * self.missed) if self.missed > 0.0 else 1.0
        steepest = None if p >= 1.0 else self.steep * log((1.0 - p) / p)
        object.__setattr__(self, "steepest_us", None if steepest is None else int(1_000_000 * steepest))
        object.__setattr__(self, "slope_max", SAFE * self.slope(0.0, steepest or 0.0))

    def slope(self, age: float, slack: float) -> float:
        """How fast the expected cost rises while the item waits. Units: seconds in, points per second out.

        Holds:   with p the chance that the item will be late if it is started now, logistic in the slack: waiting × age
                 + late × p × (1 + lateness / span) + missed × p (1 - p) / steep. Steepest just before and at the due
                 instant; lower for an item that is late already and can only get later; rising again with lateness, so
                 that nothing waits for ever.
        """
        z = slack / self.steep
        p = 0.0 if z > FLAT else 1.0 if z < -FLAT else 1.0 / (1.0 + exp(z))
        late = self.late if slack >= 0.0 else self.late * (1.0 - slack / self.span)
        return self.waiting * age + p * (late + self.missed * (1.0 - p) / self.steep)


def latest_start(order: WorkOrder) -> datetime:
    """The instant by which the item should be started, over all remaining steps and the rail's cut-off.

    Holds:   controls sets `due_at` to the service level or the rail's last posting instant, whichever is earlier; this
             step counts with its standard time, later ones with theirs and the waiting in front of them.
    """
    return order.due_at - _ahead(order.standard_seconds, order.later_seconds)


@lru_cache(maxsize=4_096)
def _ahead(standard_seconds: float, later_seconds: float) -> timedelta:
    return timedelta(seconds=standard_seconds + later_seconds * (1.0 + LATER_WAIT))


def slack_of(order: WorkOrder, now: datetime) -> float:
    """How long the item may still wait and be in time; negative: it will probably be late. Units: seconds."""
    return (latest_start(order) - now).total_seconds()


def terms_of(order: WorkOrder, reference: ReferenceView) -> DelayTerms:
    """The order's delay cost by its template; without one, the default figures over the order's own span."""
    template = reference.business_types.get(order.business_type)
    if template is None:
        return terms_without(order)
    closes = order.due_at in closings(template, reference.limits.time_zone, order.due_at)
    return terms_by(template, order.urgent)[closes]


def terms_without(order: WorkOrder) -> DelayTerms:
    """The default figures over the order's own span, for a business type that nobody has described."""
    span = max((order.due_at - order.requested_at).total_seconds(), SPAN_SECONDS_MIN)
    return _terms(DEFAULT, span, order.urgent, at_cut_off=False)


def terms_by(template: BusinessType, urgent: bool) -> tuple[DelayTerms, DelayTerms]:
    """A template's delay terms: due at the service level, and due at the closing of the rail."""
    span = (urgent and template.sla_urgent_seconds) or template.sla_seconds
    return (
        _terms(template.delay, span, urgent, at_cut_off=False),
        _terms(template.delay, span, urgent, at_cut_off=True),
    )


def _terms(cost: DelayCost, span: float, urgent: bool, at_cut_off: bool) -> DelayTerms:
    weight = cost.urgent_factor if urgent else 1.0
    missed = cost.late_per_minute * span / 60.0 if cost.missed is None else cost.missed
    late = weight * cost.late_per_minute / 60.0
    return DelayTerms(
        waiting=late * cost.waiting_share / span,
        late=late,
        missed=weight * missed * (cost.cut_off_factor if at_cut_off else 1.0),
        steep=span * cost.steep_share,
        span=span,
    )


def closings(template: BusinessType, time_zone: str, near: datetime) -> frozenset[datetime]:
    """The last posting instants of the template's rail around an instant: the day before, the day, the day after."""
    if template.cut_off is None:
        return frozenset()
    zone, lead = ZoneInfo(time_zone), timedelta(seconds=template.posting_lead_seconds)
    closing, today = time.fromisoformat(template.cut_off), near.astimezone(zone).date()
    days = (today + timedelta(days=n) for n in (-1, 0, 1))
    return frozenset((datetime.combine(day, closing, tzinfo=zone) - lead).astimezone(UTC) for day in days)
