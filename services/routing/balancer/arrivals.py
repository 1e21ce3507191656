"""What comes: how much in the last minutes, by kind of day and time of day, and how long it may wait. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import exp, expm1, sqrt, tanh
from typing import Final
from zoneinfo import ZoneInfo

from services.routing.delay import slack_of
from services.routing.kinds import Kind
from shared.contracts.reference import FloorLimits, Shift
from shared.contracts.routing import ArrivalsLearned, DayKind, PlanMade
from shared.contracts.work import WorkOrder
from shared.reference.shifts import day_kind

MEMORY_SECONDS: Final = 900.0  # "the last minutes": what came before so long weighs 1/e
LONG: Final = timedelta(days=1)  # that a plan is taken to be based on which does not say since when it counts
QUARTER: Final = timedelta(minutes=15)
QUARTERS: Final = 96
AHEAD: Final = 4  # quarters in the hour that is planned for
LEARNING: Final = 0.3  # what a new day of the kind weighs against all earlier ones
BUSIER_MAX: Final = 3.0  # today may differ so many times from its kind before it is taken for noise of a thin profile
CHANCES: Final = 2.0  # standard deviations: a figure that strays by no more is not taken for a change
CAME: Final = 0.01  # items: what has faded to less was before the last minutes, an hour and more ago
FADES_QUARTERS: Final = 4.0  # how soon a busy hour is expected to pass into an ordinary one

Profile = list[float | None]
Slot = tuple[DayKind, int]


@dataclass(slots=True)
class _Recent:
    """Arrivals with fading weight.

    Units:   `weight` in items as of `at`; `since` is when counting began; `slack` in minutes, the weighted mean of what came,
             none: of nothing that came it is known.
    """

    since: datetime
    at: datetime
    weight: float = 0.0
    slack: float | None = None

    def count(self, when: datetime, slack: float) -> None:
        """Holds: what is heard late weighs as little as if it had been heard in its turn."""
        until = max(self.at, when)
        before, one = self.weight_at(until), _faded(when, until)
        self.weight, self.at = before + one, until
        if self.slack is None or self.weight == 0.0:
            self.slack = slack
        else:
            self.slack += (slack - self.slack) * one / self.weight

    def weight_at(self, now: datetime) -> float:
        return self.weight * _faded(self.at, now)

    def hours_at(self, now: datetime) -> float:
        """What the time that was watched weighs, faded as the items are."""
        return -expm1(-max((now - self.since).total_seconds(), 1.0) / MEMORY_SECONDS) * MEMORY_SECONDS / 3600.0

    def per_hour(self, now: datetime) -> float:
        """Holds: true in the mean from the first minute on: what was not seen before `since` is not taken for none."""
        return self.weight_at(now) / self.hours_at(now)

    def by_chance(self, per_hour: float, now: datetime) -> float:
        """How far the estimate of such a rate strays by chance alone: one standard deviation. Units: items per hour.

        Source:  shot noise: the variance of a Poisson stream's sum under fading weights, over the weights seen so far.
        """
        seen = max((now - self.since).total_seconds(), 1.0) / MEMORY_SECONDS
        return sqrt(per_hour * 3600.0 / (2.0 * MEMORY_SECONDS * tanh(seen / 2.0)))


def _faded(at: datetime, now: datetime) -> float:
    """What is left of the weight of what came at an instant."""
    return exp(-max((now - at).total_seconds(), 0.0) / MEMORY_SECONDS)


@dataclass(frozen=True, slots=True)
class Calendar:
    """The bank's days. Holds: without shifts every day is worked."""

    zone: ZoneInfo
    shifts: Collection[Shift] = ()
    peak_days: Sequence[int] = ()

    @classmethod
    def of(cls, limits: FloorLimits, shifts: Collection[Shift]) -> Calendar:
        """The calendar that the floor's limits and shifts make."""
        return cls(ZoneInfo(limits.time_zone), shifts, limits.peak_days)

    def slot(self, at: datetime) -> Slot:
        """The kind of day and the quarter of an hour, local time."""
        local = at.astimezone(self.zone)
        return day_kind(local.date(), self.shifts, self.peak_days), local.hour * 4 + local.minute // 15


class Arrivals:
    """What one balancer knows of what comes.

    Holds:   a quarter of an hour teaches only when it was watched from its beginning to its end; a restart continues
             from what was told: the last minutes from the last plan, the profiles from the learned arrivals.
             `counted_since` is when what is known of the last minutes begins, in this process or in one before it.
    """

    def __init__(self, since: datetime) -> None:
        self._since: Final = since
        self.counted_since = since
        self._recent: Final[dict[Kind, _Recent]] = {}
        self._profiles: Final[dict[tuple[DayKind, Kind], Profile]] = {}
        self._quarter_at: datetime | None = None
        self._counted: Final[dict[Kind, int]] = {}
        self._hour: tuple[datetime, Calendar, Sequence[Slot]] | None = None  # of the last instant that was asked about

    # ------------------------------------------------------------ what was told

    def resume(self, plan: PlanMade, *, heard_since: bool = True) -> None:
        """Go on from what a plan said of the last minutes, but for kinds that were heard of since.

        Holds:   it weighs as much as in the process that told it, and has faded as if that had lived on, also when that
                 still lives and told it after this one had begun. When what came since is not heard, only the kinds are
                 taken over: that time is no watched one, nor what was before it.
        """
        at = plan.made_at if heard_since else self._since
        since = min(plan.counted_since or at - LONG, at) if heard_since else self._since
        self.counted_since = min(self.counted_since, since)
        for part in plan.work:
            kind, recent = Kind.told(part), _Recent(since, at, slack=part.recent_slack_minutes)
            if heard_since:
                recent.weight = part.recent_per_hour * recent.hours_at(at)
            self._recent.setdefault(kind, recent)

    def remember(self, learned: ArrivalsLearned) -> None:
        """Take a learned profile as it was told."""
        self._profiles[learned.day_kind, Kind.told(learned)] = list(learned.per_hour)

    # --------------------------------------------------------------- what comes

    def asked(self, order: WorkOrder) -> None:
        """An item was asked for. Errors: `OverflowError` where no calendar has its latest start."""
        self.heard(Kind.of(order), order.requested_at, slack_of(order, order.requested_at) / 60.0)

    def heard(self, kind: Kind, at: datetime, slack: float) -> None:
        """One item of the kind was asked for that could wait so many minutes."""
        recent = self._recent.get(kind)
        if recent is None:
            recent = self._recent[kind] = _Recent(self.counted_since, self.counted_since)
        recent.count(at, slack)
        self._counted[kind] = self._counted.get(kind, 0) + 1

    def turn(self, now: datetime, calendar: Calendar) -> Iterator[ArrivalsLearned]:
        """Close the quarter of an hour that is over; what it taught is to be told."""
        begun = now - timedelta(
            minutes=now.minute % 15, seconds=now.second, microseconds=now.microsecond
        )  # every zone's quarters begin with UTC's
        if self._quarter_at is not None and begun > self._quarter_at:
            if self._since <= self._quarter_at and begun - self._quarter_at == QUARTER:
                yield from self._learn(self._quarter_at, now, calendar)
            self._counted.clear()
        if self._quarter_at is None or begun > self._quarter_at:
            self._quarter_at = begun

    def _learn(self, quarter: datetime, now: datetime, calendar: Calendar) -> Iterator[ArrivalsLearned]:
        kind_of_day, slot = calendar.slot(quarter)
        for kind in sorted(self._recent):
            profile = self._profiles.setdefault((kind_of_day, kind), [None] * QUARTERS)
            found, known = self._counted.get(kind, 0) * 4.0, profile[slot]
            profile[slot] = round(found if known is None else known + LEARNING * (found - known), 2)
            yield ArrivalsLearned(day_kind=kind_of_day, at=now, per_hour=tuple(profile), **kind._asdict())

    # ------------------------------------------------------------ what to expect

    def kinds(self) -> list[Kind]:
        """Every kind of work that was heard of."""
        return sorted(self._recent)

    def recent_per_hour(self, kind: Kind, now: datetime) -> float:
        """As in the last minutes. Units: items per hour."""
        recent = self._recent.get(kind)
        return 0.0 if recent is None else recent.per_hour(now)

    def coming(self, kind: Kind, now: datetime, calendar: Calendar) -> float:
        """What is expected in the coming hour. Units: items.

        Holds:   the profile of such a day, busier or quieter by as much as the last minutes are, less so further ahead;
                 where the profile is blank, as in the last minutes.
        """
        recent = self.recent_per_hour(kind, now)
        slots = self._coming_slots(now, calendar)
        usual_now = self._usual(kind, slots[0])
        ratio = 1.0 if not usual_now else min(max(recent / usual_now, 1.0 / BUSIER_MAX), BUSIER_MAX)
        total = 0.0
        for ahead, slot in enumerate(slots):
            usual = self._usual(kind, slot)
            busier = 1.0 + (ratio - 1.0) * exp(-ahead / FADES_QUARTERS)
            total += (recent if usual is None else usual * busier) / AHEAD
        return total

    def settled(self, kind: Kind, now: datetime, calendar: Calendar, was: float) -> float:
        """What is expected in the coming hour by one who expected `was` before. Units: items.

        Holds:   what was expected stays while the two differ by no more than chance makes them, so that the plan of a
                 steady floor stands still; never further off than `CHANCES` standard deviations.
        """
        coming = self.coming(kind, now, calendar)
        recent = self._recent.get(kind)
        if recent is None or was <= 0.0:
            return coming
        return was if abs(coming - was) <= CHANCES * recent.by_chance(coming, now) else coming

    def slack(self, kind: Kind, now: datetime) -> float | None:
        """How long what came in the last minutes could wait and be in time, in the mean; none: hardly any came. Units: minutes."""
        recent = self._recent.get(kind)
        return None if recent is None or recent.weight_at(now) < CAME else recent.slack

    def _coming_slots(self, now: datetime, calendar: Calendar) -> Sequence[Slot]:
        """The quarters of the coming hour. They follow from both alone: worked out once for all kinds that a plan asks about."""
        known = self._hour
        if known is None or known[0] != now or known[1] is not calendar:
            slots = [calendar.slot(now + ahead * QUARTER) for ahead in range(AHEAD)]
            known = self._hour = now, calendar, slots
        return known[2]

    def _usual(self, kind: Kind, at: Slot) -> float | None:
        kind_of_day, slot = at
        profile = self._profiles.get((kind_of_day, kind))
        return None if profile is None else profile[slot]
