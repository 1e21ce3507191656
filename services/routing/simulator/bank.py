"""A bank's day as a profile: what comes in when, how long it takes, who is there. All figures can be changed.

Source:  the example business types, peaks and staffing of the floor's own default figures; no bank publishes its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

import numpy as np

from services.routing.simulator.calendar import shift_of
from services.routing.simulator.chance import stream
from services.routing.simulator.day import Case, Day, Person, Stretches, Task
from shared.contracts.message import Step
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

MIDNIGHT: Final = datetime(2026, 3, 2, 0, 0, tzinfo=UTC) - timedelta(hours=8)  # in Beijing, a Monday
HOUR: Final = 3600.0
OPENS: Final = 8.5 * HOUR
CLOSES: Final = 17.5 * HOUR
CUT_OFF: Final = 17.25 * HOUR
POSTING_LEAD: Final = 60.0
LAST_TAKEN: Final = CUT_OFF - 600.0  # branches send nothing for today's rail in its last ten minutes
FOREVER: Final = float("inf")


@dataclass(frozen=True, slots=True)
class Work:
    """One business type of the profile.

    Units:   `share` of all cases; standard times in seconds; service levels in minutes; `authorised` is the share of
             cases whose amount needs it; `closes`: the rail has a cut-off.
    """

    name: str
    share: float
    entries: int
    entry: float
    review: float
    authorisation: float
    service_level: float
    reviews: int = 1
    authorised: float = 0.0
    urgent_level: float | None = None
    closes: bool = False
    vendor: bool = False
    specialist: bool = False


WORK: Final = (
    Work("corporate-transfer", 0.40, 2, 35, 45, 30, 20, authorised=0.35, urgent_level=5, closes=True, vendor=True),
    Work("cheque-deposit", 0.24, 2, 30, 40, 30, 30, authorised=0.15, closes=True, vendor=True),
    Work("cashiers-cheque", 0.08, 2, 45, 60, 40, 30, authorised=0.3),
    Work("account-opening", 0.03, 1, 240, 300, 90, 60, reviews=2, authorised=1.0, specialist=True),
    Work("account-maintenance", 0.18, 1, 90, 90, 60, 240, vendor=True),
    Work("payroll-batch", 0.03, 2, 300, 120, 40, 120, authorised=0.5, vendor=True),
    Work("foreign-remittance", 0.03, 2, 300, 600, 120, 240, authorised=1.0, specialist=True),
    Work("judicial-freeze", 0.01, 2, 120, 120, 60, 15, authorised=1.0, specialist=True),
)
URGENT: Final = 0.05  # of the cases of a type that knows urgent ones
CLUMP: Final = 3.0  # documents that a branch scans in one go, in the mean
SCAN_SECONDS: Final = 18.0  # between two documents of a clump
SLIPS: Final = 0.01  # of all entries are keyed wrong, in the mean over people
ARBITRATION_SECONDS: Final = 40.0
TASKS_MAX: Final = 8  # of one case
BRANCHES: Final = 120
QUARTER: Final = 900.0
LOAD_SECONDS: Final = 2.0  # desks tell their load half as often as in life, which costs most of the running time


@dataclass(frozen=True, slots=True)
class Crew:
    """A team: how many people, what they may do, at which provider and centre. `specialists` may do the rare types."""

    team_id: str
    centre_id: str
    people: int
    specialists: int
    role: Literal["entry", "control", "vendor"]


CREWS: Final = (
    Crew("north-entry", "north", 12, 6, "entry"),
    Crew("south-entry", "south", 10, 5, "entry"),
    Crew("north-control", "north", 15, 9, "control"),
    Crew("south-control", "south", 13, 8, "control"),
    Crew("clearkey-one", "harbour", 9, 0, "vendor"),
)


@dataclass(frozen=True, slots=True)
class Profile:
    """A bank day. `spike` multiplies arrivals of types with a cut-off in the 45 minutes before it.

    Units:   shares of all items: what the vendor is promised and may have at most, what a centre may carry at most. With
             a `calendar` desks and balancer know beforehand when people come, eat and go.
    """

    name: str
    work: tuple[Work, ...] = WORK
    crews: tuple[Crew, ...] = CREWS
    spike: float = 2.4
    paces_vary: float = 0.15  # between people, standard deviation of the logarithm
    types_vary: float = 0.05  # between the types that one person does
    sizes_vary: float = 0.4  # between items of one type
    calendar: bool = False
    vendor_minimum: float | None = None
    vendor_maximum: float | None = None
    centre_maximum: float | None = None


PROFILES: Final[Mapping[str, Profile]] = {
    "bank-day": Profile("bank-day"),
    "small-centre": Profile(
        "small-centre", crews=tuple(replace(c, people=c.people // 2, specialists=c.specialists // 2) for c in CREWS)
    ),
    "contract-day": Profile(
        "contract-day", calendar=True, vendor_minimum=0.15, vendor_maximum=0.2, centre_maximum=0.45
    ),
}


def busyness(seconds: float, spike: float, closes: bool) -> float:
    """How many documents come at a time of day, against a quiet hour."""
    hour = seconds / HOUR
    if closes and seconds >= CUT_OFF - 45 * 60:
        return spike if seconds < LAST_TAKEN else 0.0
    if 9.5 <= hour < 11.5 or 14.5 <= hour < 16.5:
        return 1.9
    return 0.6 if 12 <= hour < 13.5 else 1.0


def bank_day(profile: Profile, load: float, seed: int) -> Day:
    """One day of the profile whose expected work is `load` of the paid time of its busiest pool.

    Holds:   who is there follows from profile and seed alone, so that loads differ in what comes in and nothing else.
    """
    posts = posts_of(profile)
    return day_of(profile, posts, round(load * cases_at_full_load(profile, posts)), seed)


def day_of(profile: Profile, posts: Sequence[Post], count: int, seed: int) -> Day:
    """One day of the profile with so many cases and these people."""
    operators, people = _staff(profile, posts, seed)
    calendar = {shift.id: shift for shift in (shift_of(post.shifts) for post in posts if profile.calendar)}
    reference = (*_organisation(profile), *calendar.values(), *operators)
    return Day(MIDNIGHT, CLOSES, reference, people, _cases(profile, count, seed))


# --------------------------------------------------------------------------- people


@dataclass(frozen=True, slots=True)
class Post:
    """One person's place: team, what they may do, when they are there; `also` are work types learned on top."""

    team_id: str
    role: Literal["entry", "control", "vendor"]
    specialist: bool
    shifts: Stretches
    also: tuple[str, ...] = ()

    @property
    def paid_seconds(self) -> float:
        """Time at the desk until closing."""
        return sum(max(min(end, CLOSES) - begin, 0.0) for begin, end in self.shifts)


def posts_of(profile: Profile) -> list[Post]:
    """The profile's own staffing."""
    return [
        Post(crew.team_id, crew.role, number < crew.specialists, shifts_of(number))
        for crew in profile.crews
        for number in range(crew.people)
    ]


def _staff(profile: Profile, posts: Sequence[Post], seed: int) -> tuple[list[Operator], dict[str, Person]]:
    operators, people = [], {}
    numbers: dict[str, int] = {}
    for post in posts:
        number = numbers[post.team_id] = numbers.get(post.team_id, 0) + 1
        operator_id = f"{post.team_id}-{number:02}"
        draw = stream(seed, operator_id)
        work_types = (*skills(profile, post.role, post.specialist), *post.also)
        base, errs = draw.lognormal(0.0, profile.paces_vary), SLIPS * draw.lognormal(0.0, 0.5)
        pace = {name: base * draw.lognormal(0.0, profile.types_vary) for name in work_types}
        grade = 1 if post.role == "control" else 0
        operators.append(
            Operator(
                id=operator_id,
                name=operator_id,
                team_id=post.team_id,
                work_types=work_types,
                grade=grade,
                shift_id=shift_of(post.shifts).id if profile.calendar else None,
            )
        )
        people[operator_id] = Person(operator_id, post.shifts, base, pace, errs)
    return operators, people


def skills(profile: Profile, role: str, specialist: bool) -> tuple[str, ...]:
    """The work types of a place."""
    known = [w for w in profile.work if specialist or not w.specialist]
    if role == "vendor":
        return tuple(f"{w.name}/entry" for w in known if w.vendor)
    if role == "entry":
        return (*(f"{w.name}/entry" for w in known), *(f"{w.name}/arbitration" for w in profile.work if w.entries > 1))
    return (*(f"{w.name}/review" for w in known), *(f"{w.name}/authorisation" for w in known))


def shifts_of(number: int) -> Stretches:
    """Every other person comes early or late; lunch is staggered over the quiet hours; the late ones see the day out."""
    late = number % 2 == 1
    begins, ends = (9.25 * HOUR, FOREVER) if late else (OPENS, 17 * HOUR)
    lunch = 11.5 * HOUR + (number % 4) * HOUR / 2
    return ((begins, lunch), (lunch + HOUR / 2, ends))


def cases_at_full_load(profile: Profile, posts: Sequence[Post]) -> float:
    """So many cases fill the paid time of those who key or of those who control, whichever comes first."""
    keyers = sum(post.paid_seconds for post in posts if post.role != "control")
    controllers = sum(post.paid_seconds for post in posts if post.role == "control")
    keying = sum(w.share * w.entries * w.entry for w in profile.work)
    control = sum(w.share * (w.reviews * w.review + w.authorised * w.authorisation) for w in profile.work)
    return min(keyers / keying, controllers / control)


# ---------------------------------------------------------------------------- cases


def _cases(profile: Profile, count: int, seed: int) -> tuple[Case, ...]:
    draw = stream(seed, "sizes")
    sizes = draw.lognormal(-(profile.sizes_vary**2) / 2, profile.sizes_vary, (count, TASKS_MAX)).tolist()
    slips = stream(seed, "slips").random((count, TASKS_MAX)).tolist()
    hurries = (stream(seed, "urgent").random(count) < URGENT).tolist()
    amounts = stream(seed, "amounts").random(count).tolist()
    found = []
    for number, (at, kind, branch) in enumerate(_arrivals(profile, count, seed)):
        work = profile.work[kind]
        urgent = hurries[number] and work.urgent_level is not None
        level = work.urgent_level if urgent and work.urgent_level is not None else work.service_level
        plan = _Plan(work, sizes[number], slips[number])
        found.append(
            Case(
                case_id=f"case-{number:06}",
                business_type=work.name,
                arrives=at,
                due=_due(work, at, level),
                stages=plan.stages(authorised=amounts[number] < work.authorised),
                branch_id=f"branch-{branch:03}",
                urgent=urgent,
                arbitration=plan.task("arbitration", "arbitration", ARBITRATION_SECONDS) if work.entries > 1 else None,
            )
        )
    return tuple(found)


@dataclass
class _Plan:
    """The tasks of one case, each with its own draws."""

    work: Work
    sizes: Sequence[float]
    slips: Sequence[float]
    used: int = 0

    def task(self, role: str, step: Step, standard: float, vendor: bool = False) -> Task:
        number, self.used = self.used, self.used + 1
        return Task(role, step, standard, self.sizes[number], self.slips[number], in_house_only=not vendor)

    def stages(self, authorised: bool) -> tuple[tuple[Task, ...], ...]:
        work = self.work
        keyings = range(1, work.entries + 1)
        found = [tuple(self.task(f"entry-{n}", "entry", work.entry, work.vendor and n == 1) for n in keyings)]
        for n in range(1, work.reviews + 1):
            found.append((self.task("review" if n == 1 else f"review-{n}", "review", work.review),))
        if authorised:
            found.append((self.task("authorisation-1", "authorisation", work.authorisation),))
        return tuple(found)


def _arrivals(profile: Profile, count: int, seed: int) -> list[tuple[float, int, int]]:
    """Instant, business type and branch of each case, in order: a compound Poisson process, so many in all."""
    draw = stream(seed, "arrivals")
    shares = np.array([work.share for work in profile.work])
    by_type = [
        _instants(profile, work, int(n), draw)
        for work, n in zip(profile.work, draw.multinomial(count, shares / shares.sum()), strict=True)
    ]
    return sorted((at, kind, branch) for kind, found in enumerate(by_type) for at, branch in found)


def _instants(profile: Profile, work: Work, count: int, draw: np.random.Generator) -> list[tuple[float, int]]:
    """So many arrivals of one type: clumps begin as busy as the time of day, each from one branch."""
    last = last_taken(work)
    edges, weights = quarters(profile, work)
    found: list[tuple[float, int]] = []
    while len(found) < count:
        at = float(edges[draw.choice(len(edges), p=weights)] + draw.random() * QUARTER)
        branch = int(draw.integers(BRANCHES))
        for _ in range(int(draw.geometric(1 / CLUMP))):
            found.append((min(at, last), branch))
            at += float(draw.exponential(SCAN_SECONDS))
    return found[:count]


def last_taken(work: Work) -> float:
    """When the last case of a type comes. Units: seconds of the day."""
    return LAST_TAKEN if work.closes else CLOSES - HOUR / 2


def last_due(work: Work) -> float:
    """When the last case of a type is due. Units: seconds of the day."""
    return _due(work, last_taken(work), work.service_level)


def _due(work: Work, arrives: float, level: float) -> float:
    due = arrives + level * 60
    return min(due, CUT_OFF - POSTING_LEAD) if work.closes else due


def quarters(profile: Profile, work: Work) -> tuple[np.ndarray, np.ndarray]:
    """The quarters of an hour in which cases of a type come, and the share that comes in each."""
    edges = np.arange(OPENS, last_taken(work), QUARTER)
    weights = np.array([busyness(float(edge), profile.spike, work.closes) for edge in edges])
    return edges, weights / weights.sum()


# --------------------------------------------------------------------- organisation


def _organisation(profile: Profile) -> Iterator[ReferenceEntry]:
    yield FloorLimits(id="floor", work_lease_seconds_min=4 * HOUR, load_seconds=LOAD_SECONDS)
    yield Provider(id="house", label="The bank's own operations", outside=False, data_classes=("internal",))
    yield Provider(
        id="clearkey",
        label="ClearKey Data Services",
        outside=True,
        data_classes=("internal",),
        share_minimum=profile.vendor_minimum,
        share_maximum=profile.vendor_maximum,
    )
    for centre_id in sorted({crew.centre_id for crew in profile.crews}):
        yield Centre(id=centre_id, label=centre_id.title(), city="-", share_maximum=profile.centre_maximum)
    for crew in profile.crews:
        provider = "clearkey" if crew.role == "vendor" else "house"
        yield Team(id=crew.team_id, label=crew.team_id, centre_id=crew.centre_id, provider_id=provider)
    for work in profile.work:
        yield _template(work)


def _template(work: Work) -> BusinessType:
    area = SliceArea(left=0, top=0, width=1, height=0.4)
    arbitration, inspection = ARBITRATION_SECONDS, work.entry
    return BusinessType(
        id=work.name,
        label=work.name,
        version=1,
        fields=(TemplateField(name="amount", label="Amount", keyings=min(work.entries, 2), area=area),),
        sla_seconds=work.service_level * 60,
        sla_urgent_seconds=None if work.urgent_level is None else work.urgent_level * 60,
        cut_off="17:15" if work.closes else None,
        posting_lead_seconds=POSTING_LEAD if work.closes else 0.0,
        standard=StandardTimes(
            entry=work.entry,
            arbitration=arbitration,
            review=work.review,
            authorisation=work.authorisation,
            inspection=inspection,
        ),
    )
