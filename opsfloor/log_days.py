"""Days from the event log of a real process: its arrivals, activities, people and handling times.

Nights and weekends are cut out, so that time runs on over the hours in which the log's people work: by the clock of the zone that
the log names, by UTC where it names none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import fmean, median
from typing import Final

from opsfloor.event_log import Activity, by_case
from opsfloor.log_ids import LogIds
from services.routing.simulator.chance import stream
from services.routing.simulator.day import Case, Day, Person, Task
from shared.contracts.reference import (
    BusinessType,
    Centre,
    FloorLimits,
    Operator,
    Provider,
    ReferenceEntry,
    SliceArea,
    StandardTimes,
    Team,
    TemplateField,
)

CENTRES: Final = ("east", "west")
OPENS, CLOSES = timedelta(hours=7), timedelta(hours=16)
WORKING: Final = "Monday to Friday, 7:00 to 16:00"
DAY_SECONDS: Final = (CLOSES - OPENS).total_seconds()
SLA_MEDIANS: Final = 3.0
URGENT_EVERY: Final = 5
URGENT_SHARE: Final = 1 / 3
SECONDS_MIN: Final = 1.0
FOREVER: Final = float("inf")
ROLE: Final = "work"  # the log knows no rule that keeps one person from doing two activities of a case


def worked_seconds(instant: datetime, monday: datetime) -> float:
    """Working time from a Monday's midnight until an instant: nine hours on each of five days a week."""
    days = (instant - monday).days
    weeks, weekday = divmod(days, 7)
    since = instant - monday - timedelta(days=days) - OPENS
    today = min(max(since.total_seconds(), 0.0), DAY_SECONDS) if weekday < 5 else 0.0
    return (weeks * 5 + min(weekday, 5)) * DAY_SECONDS + today


@dataclass(frozen=True, slots=True)
class Body:
    """What one case of the log needs: stages of (work type, role, seconds)."""

    stages: tuple[tuple[tuple[str, str, float], ...], ...]


@dataclass
class LogWorld:
    """The log as a source of days. Units: seconds of working time."""

    arrivals: list[float]
    bodies: list[Body]
    standard: Mapping[str, float]
    roles: Mapping[str, Sequence[str]]
    doers: Mapping[str, frozenset[str]]
    turnaround: float
    ids: LogIds

    @classmethod
    def of(cls, activities: Sequence[Activity], outside: frozenset[str]) -> LogWorld:
        """Read the log; activities of `outside` roles are not the floor's work and are left out."""
        inside = [one for one in activities if one.role not in outside]
        first = min(one.enabled_at for one in inside)
        monday = datetime(first.year, first.month, first.day, tzinfo=first.tzinfo) - timedelta(days=first.weekday())
        cases = sorted(by_case(inside).values(), key=lambda case: (min(one.enabled_at for one in case), case[0].line))
        ids = LogIds.of(inside)
        handled: dict[str, list[float]] = defaultdict(list)
        doers: dict[str, set[str]] = defaultdict(set)
        roles: dict[str, set[str]] = defaultdict(set)
        for one in inside:
            handled[ids.activity[one.name]].append(_handled(one, monday))
            roles[one.role].add(one.resource)
            doers[one.resource].add(ids.activity[one.name])
        begins = [worked_seconds(min(one.enabled_at for one in case), monday) for case in cases]
        ends = [worked_seconds(max(one.end_at for one in case), monday) for case in cases]
        return cls(
            [begin - begins[0] for begin in begins],
            [_body(case, monday, ids) for case in cases],
            {name: max(fmean(seconds), SECONDS_MIN) for name, seconds in handled.items()},
            {role: sorted(people) for role, people in roles.items()},
            {resource: frozenset(names) for resource, names in doers.items()},
            median(end - begin for begin, end in zip(begins, ends, strict=True)),
            ids,
        )

    def load_as_logged(self) -> float:
        """The load of the log's busiest role."""
        span = self.arrivals[-1]
        work: dict[str, float] = defaultdict(float)
        for body in self.bodies:
            for stage in body.stages:
                for _, role, seconds in stage:
                    work[role] += seconds
        return max(seconds / span / len(self.roles[role]) for role, seconds in work.items())

    def day(self, load: float, seed: int) -> Day:
        """The whole log as one long day at a load.

        Holds:   arrivals are the log's, drawn together or apart until the busiest role has the load; seed 1 is the log
                 itself, other seeds draw with replacement which case of the log arrives when.
        """
        squeeze = self.load_as_logged() / load
        drawn = (
            range(len(self.bodies))
            if seed == 1
            else stream(seed, "bodies").integers(len(self.bodies), size=len(self.bodies))
        )
        level = SLA_MEDIANS * self.turnaround
        cases = []
        for number, body in enumerate(drawn):
            urgent = number % URGENT_EVERY == 0
            at = self.arrivals[number] * squeeze
            due = at + level * (URGENT_SHARE if urgent else 1.0)
            cases.append(Case(f"case-{number:05}", "log", at, due, self._stages(self.bodies[int(body)]), urgent=urgent))
        operators = list(self._operators())
        people = {one.id: Person(one.id, ((0.0, FOREVER),)) for one in operators}
        reference = (*_organisation(self.roles, self.ids), *self._templates(level), *operators)
        return Day(datetime(2023, 2, 6, tzinfo=UTC), cases[-1].arrives, reference, people, tuple(cases))

    def _stages(self, body: Body) -> tuple[tuple[Task, ...], ...]:
        number = 0
        stages = []
        for stage in body.stages:
            tasks = []
            for name, _, seconds in stage:
                number += 1
                standard = self.standard[name]
                tasks.append(
                    Task(ROLE, "entry", standard, seconds / standard, field=f"{number}-{name}", business_type=name)
                )
            stages.append(tuple(tasks))
        return tuple(stages)

    def _templates(self, level: float) -> Iterator[ReferenceEntry]:
        for name, seconds in sorted(self.standard.items()):
            yield BusinessType(
                id=name,
                label=name,
                version=1,
                fields=(TemplateField(name="done", label=name, area=SliceArea(left=0, top=0, width=1, height=1)),),
                review=False,
                sla_seconds=level,
                sla_urgent_seconds=level * URGENT_SHARE,
                standard=StandardTimes(
                    entry=seconds, arbitration=seconds, review=seconds, authorisation=seconds, inspection=seconds
                ),
            )

    def _operators(self) -> list[Operator]:
        return [
            Operator(
                id=self.ids.person[role, resource],
                name=resource,
                team_id=_team_id(self.ids, role, CENTRES[number % len(CENTRES)]),
                work_types=tuple(f"{name}/entry" for name in sorted(self.doers[resource])),
            )
            for role, people in self.roles.items()
            for number, resource in enumerate(people)
        ]


def _team_id(ids: LogIds, role: str, centre: str) -> str:
    return f"{ids.role[role]}-{centre}"


def _handled(one: Activity, monday: datetime) -> float:
    return max(worked_seconds(one.end_at, monday) - worked_seconds(one.start_at, monday), SECONDS_MIN)


def _body(case: Sequence[Activity], monday: datetime, ids: LogIds) -> Body:
    """Activities that were enabled before the earlier ones of their stage had ended stand side by side."""
    stages: list[list[Activity]] = []
    for one in sorted(case, key=lambda activity: (activity.enabled_at, activity.line)):
        if stages and one.enabled_at < min(other.end_at for other in stages[-1]):
            stages[-1].append(one)
        else:
            stages.append([one])
    return Body(
        tuple(tuple((ids.activity[one.name], one.role, _handled(one, monday)) for one in stage) for stage in stages)
    )


def _organisation(roles: Mapping[str, Sequence[str]], ids: LogIds) -> list[ReferenceEntry]:
    limits = FloorLimits(id="floor", work_lease_seconds_min=100 * DAY_SECONDS, load_seconds=60.0)
    provider = Provider(id="house", label="The log's own people", outside=False, data_classes=("internal",))
    centres = [Centre(id=name, label=name.title(), city="-") for name in CENTRES]
    teams = [
        Team(id=_team_id(ids, role, centre), label=f"{role} {centre}", centre_id=centre, provider_id="house")
        for role, people in roles.items()
        for centre in CENTRES[: len(people)]
    ]
    return [limits, provider, *centres, *teams]
