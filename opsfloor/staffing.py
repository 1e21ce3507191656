"""`opsfloor staffing`: who is needed when, judged by the simulator, and which training buys most."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from math import ceil, isfinite, log2
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from opsfloor import charts, comparing
from opsfloor.answers import Remedied, as_json, out, table
from opsfloor.profiles import profile_of
from opsfloor.progress import bar
from opsfloor.sources import ProfileName
from opsfloor.writing import expect_picture, expect_writable
from services.routing.simulator.bank import OPENS, Post, Profile, cases_at_full_load, day_of, posts_of
from services.routing.simulator.confidence import Interval, of_replications
from services.routing.simulator.figures import CONFIDENCE, LEFT_OVER, figures_of, over_days
from services.routing.simulator.floor import Floor
from services.routing.simulator.staffing import (
    HALF_HOUR,
    HALF_HOURS,
    LUNCH,
    Goal,
    Need,
    by_shift,
    needs_of,
    paid_hours,
    present,
    roster,
)

SCALE_MIN, SCALE_MAX = 0.6, 1.6
CASES_MAX: Final = 1_000_000  # a day: more than memory holds of a simulated one
HALVINGS: Final = 5  # of the range of scales
STEP: Final = (SCALE_MAX - SCALE_MIN) / 2**HALVINGS  # what the scale that is found may be too large by
TRAINABLE: Final = 2  # of the most frequent types, for people of the other role
PROMISING: Final = 4  # trainings that are played on all days

Figures = Mapping[str, float]
Judge = Callable[[Sequence[Sequence[Post]], Sequence[int]], Sequence[Sequence[Figures]]]
"""What comes of each of these rosters, on each of the days of these seeds."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One roster and what the simulator says of it, day by day.

    Holds:   `least_tried`: every smaller scale that was tried met the goal too, so that still fewer people might do.
    Units:   `scale` is of the first guess.
    """

    scale: float
    needs: Sequence[Need]
    posts: Sequence[Post]
    days: Sequence[Figures]
    least_tried: bool = False

    @property
    def figures(self) -> Mapping[str, Interval]:
        """Each figure over the days."""
        return over_days(self.days)

    @property
    def on_time(self) -> float:
        """The share of cases on time, in the mean of the days."""
        return self.figures["on_time"].mean


@dataclass(frozen=True, slots=True)
class Training:
    """One person learns one thing more, and what that buys, of the same days with it and without it.

    Units:   shares, minutes of lateness per case.
    """

    who: str
    learns: str
    on_time_gain: Interval
    tardiness_saved: Interval

    @property
    def beyond_chance(self) -> bool:
        """Whether its share on time can be told from that of the roster without it."""
        return not self.on_time_gain.covers(0.0)


@dataclass(frozen=True, slots=True)
class Trainings:
    """The most promising of all that were `tried`, best first."""

    tried: int
    played: Sequence[Training]


def staffing(
    profile: ProfileName = "bank-day",
    cases: Annotated[
        int | None, typer.Option(help="cases of the day; else what fills 0.90 of the profile's own")
    ] = None,
    goal: Annotated[float, typer.Option(help="share of cases that is to be on time", min=0.5, max=0.999)] = 0.98,
    wait: Annotated[float, typer.Option(help="first guess: seconds that an item may wait for each step")] = 120.0,
    days: Annotated[
        int,
        typer.Option(
            help="independent days that the simulator judges by; one more says which trainings are played on them",
            min=2,
        ),
    ] = 4,
    csv_file: Annotated[
        Path | None,
        typer.Option(
            "--csv",
            help="write who is needed and there by half hour here, and the shifts beside it: needs.csv, needs-shifts.csv",
            dir_okay=False,
        ),
    ] = None,
    chart: Annotated[Path | None, typer.Option(help="draw a chart, .svg or .png", dir_okay=False)] = None,
    json: Annotated[bool, typer.Option("--json", help="one JSON document instead of tables")] = False,
) -> None:
    """The people a day needs per half hour, skill and centre, the cheapest shifts for it, and the best single training.

    Erlang C says the first guess, an integer programme finds shifts, and the simulator, with the real placement and desk,
    judges whether the goal is met: the guess is scaled up or down until it just is, in the mean of the days. The most
    promising trainings are played on the same days; each has the interval of its differences day by day.
    """
    shifts_file = None if csv_file is None else _beside(csv_file)
    expect_writable(csv_file, shifts_file)
    expect_picture(chart)
    chosen, aim = profile_of(profile), _goal(goal, wait)
    count = _count(cases, chosen)
    learnable = list(_candidates(chosen))
    seeds = range(1, days + 1)
    with bar("days judged") as progress:
        line = progress.add_task("", total=None)

        def expect(rosters: int) -> None:
            """So many rosters more are played on all days, and then the trainings."""
            to_come = days * (rosters + min(PROMISING, len(learnable))) + 1 + len(learnable)
            progress.update(line, total=progress.tasks[0].completed + to_come)

        with Simulator(chosen, count, lambda: progress.advance(line)) as simulator:
            found = settle(chosen, count, aim, simulator.judge, seeds, expect)
            trainings = _trainings(found, learnable, simulator.judge, seeds)
    if csv_file is not None and shifts_file is not None:
        _write(csv_file, _rows(found))
        _write(shifts_file, _shifts(found))
    if chart is not None:
        charts.save(charts.staffing(_by_half_hour(found), f"{chosen.name}, {count:,} cases"), chart)
    if json:
        as_json(_document(chosen.name, count, aim, found, trainings))
    else:
        _tell(count, aim, found, trainings)


def _beside(needs: Path) -> Path:
    """Where the shifts are written, when the needs are written there."""
    return needs.with_name(f"{needs.stem}-shifts{needs.suffix}")


def _goal(on_time: float, wait: float) -> Goal:
    if not (isfinite(wait) and wait > 0):
        raise Remedied(f"Expected seconds above 0 for --wait, found {wait:g}", "write it as in --wait 120")
    return Goal(on_time=on_time, wait=wait)


def _count(cases: int | None, profile: Profile) -> int:
    if cases is None:
        return round(0.9 * cases_at_full_load(profile, posts_of(profile)))
    if cases < 1:
        raise Remedied(
            f"Expected at least 1 case, found {cases}", "leave --cases out for what fills 0.90 of the profile's own"
        )
    if cases > CASES_MAX:
        raise Remedied(f"Expected at most {CASES_MAX:,} cases, found {cases:,}", "ask for less")
    return cases


def settle(
    profile: Profile,
    cases: int,
    goal: Goal,
    judge: Judge,
    seeds: Sequence[int],
    expect: Callable[[int], None] = lambda rosters: None,
) -> Trial:
    """The smallest scale of the first guess whose roster meets the goal in the mean of the days, by halving the range.

    Holds:   where none of the range misses the goal it goes on below, until one does or the scale is a single step;
             `expect` is told how many rosters are still to be judged whenever that is known anew.
    Errors:  `Remedied` when not even the largest scale does.
    """

    def trial(scale: float) -> Trial:
        needs = needs_of(profile, cases, goal, scale)
        posts = [*roster(needs), *(post for post in posts_of(profile) if post.role == "vendor")]
        return Trial(scale, needs, posts, judge([posts], seeds)[0])

    expect(1 + HALVINGS)
    best = trial(SCALE_MAX)
    if best.on_time < goal.on_time:
        raise Remedied(
            f"Expected {goal.on_time:.1%} on time, found {best.on_time:.1%} with {SCALE_MAX} times the first guess"
            f"{_left_over(best)}",
            "lower the goal: some cases come too late for their cut-off, whoever is there",
        )
    low, halvings, missed = SCALE_MIN, HALVINGS, False
    while True:
        for _ in range(halvings):
            middle = trial((low + best.scale) / 2)
            if middle.on_time >= goal.on_time:
                best = middle
            else:
                low, missed = middle.scale, True
        if missed or best.scale <= STEP:
            return replace(best, least_tried=not missed)
        low /= 2
        halvings = max(1, ceil(log2((best.scale - low) / STEP)))
        expect(halvings)


def _left_over(found: Trial) -> str:
    left = found.figures[LEFT_OVER].mean
    return f", and {left:,.1f} cases a day that nobody there could end" if left else ""


class Simulator:
    """Judges rosters by playing days, as many at once as there are processors; the same roster is played once a day.

    Holds:   what it says of a roster and a day follows from the two alone; `tell` after each day.
    """

    def __init__(self, profile: Profile, cases: int, tell: Callable[[], None]) -> None:
        self._day: Final = (profile, cases)
        self._tell: Final = tell
        self._known: Final[dict[tuple[tuple[Post, ...], int], Figures]] = {}
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Simulator:
        processors = len(os.sched_getaffinity(0))
        if processors > 1:
            self._pool = ProcessPoolExecutor(processors, get_context("spawn"))
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def judge(self, rosters: Sequence[Sequence[Post]], seeds: Sequence[int]) -> list[list[Figures]]:
        """The figures of each roster, on each of the days."""
        wanted = [[(tuple(posts), seed) for seed in seeds] for posts in rosters]
        every = [one for days in wanted for one in days]
        new = list(dict.fromkeys(one for one in every if one not in self._known))
        for _ in range(len(every) - len(new)):
            self._tell()
        for one, figures in zip(new, self._played([(*self._day, *one) for one in new]), strict=True):
            self._known[one] = figures
        return [[self._known[one] for one in days] for days in wanted]

    def _played(self, asked: Sequence[tuple[Profile, int, tuple[Post, ...], int]]) -> Iterator[Figures]:
        at_once = len(asked) > 1 and self._pool is not None
        for figures in self._pool.map(_figures, asked) if at_once and self._pool else map(_figures, asked):
            self._tell()
            yield figures


def _figures(asked: tuple[Profile, int, tuple[Post, ...], int]) -> Figures:
    profile, cases, posts, seed = asked
    return figures_of(Floor(day_of(profile, posts, cases, seed), comparing.best_of_ours()).play())


# ------------------------------------------------------------------------- training


def _candidates(profile: Profile) -> list[tuple[str, tuple[str, ...]]]:
    """Team, and what somebody of it could learn: a rare type, or a frequent one of the other role."""
    rare = [work.name for work in profile.work if work.specialist]
    frequent = [work.name for work in sorted(profile.work, key=lambda work: -work.share)][:TRAINABLE]
    learns: dict[str, list[tuple[str, ...]]] = {
        "entry": [*((f"{name}/entry",) for name in rare), *((f"{name}/review",) for name in frequent)],
        "control": [
            *((f"{name}/review", f"{name}/authorisation") for name in rare),
            *((f"{name}/entry",) for name in frequent),
        ],
    }
    return [(crew.team_id, one) for crew in profile.crews for one in learns.get(crew.role, ())]


def _trainings(
    found: Trial, learnable: Sequence[tuple[str, tuple[str, ...]]], judge: Judge, seeds: Sequence[int]
) -> Trainings:
    """What the most promising would buy on the roster found, best first.

    Holds:   the first of the team who is no specialist learns it. Which are the most promising is said by one day more,
             that counts for nothing else: the best of many on a day are mostly those that had luck on it.
    """
    trained = [
        (f"one of {team}", " and ".join(learns), posts)
        for team, learns in learnable
        if (posts := _trained(found.posts, team, learns))
    ]
    (before,), *after = judge([found.posts, *(posts for _, _, posts in trained)], [seeds[-1] + 1])
    gains = [(day["on_time"] - before["on_time"], before["tardiness_mean"] - day["tardiness_mean"]) for (day,) in after]
    ranked = sorted(range(len(trained)), key=lambda number: (*(-gain for gain in gains[number]), number))
    promising = [trained[number] for number in ranked[:PROMISING]]
    days = judge([posts for _, _, posts in promising], seeds)
    played = [
        Training(who, learns, _more("on_time", with_it, found.days), _more("tardiness_mean", found.days, with_it))
        for (who, learns, _), with_it in zip(promising, days, strict=True)
    ]
    return Trainings(len(trained), sorted(played, key=lambda one: (-one.on_time_gain.mean, -one.tardiness_saved.mean)))


def _more(figure: str, days: Sequence[Figures], others: Sequence[Figures]) -> Interval:
    """By how much a figure is more in these runs than in the others of the same days."""
    return of_replications([one[figure] - other[figure] for one, other in zip(days, others, strict=True)], CONFIDENCE)


def _trained(posts: Sequence[Post], team_id: str, learns: tuple[str, ...]) -> Sequence[Post] | None:
    """The roster with it; `None` where the team has nobody who could."""
    number = next((n for n, post in enumerate(posts) if post.team_id == team_id and not post.specialist), None)
    if number is None:
        return None
    return [*posts[:number], replace(posts[number], also=learns), *posts[number + 1 :]]


# -------------------------------------------------------------------------- telling


def _clock(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _begins(half_hour: int) -> str:
    return _clock(OPENS + half_hour * HALF_HOUR)


def _rows(found: Trial) -> list[dict[str, Any]]:
    return [
        {
            "half_hour": _begins(need.half_hour),
            "team": need.team_id,
            "role": need.role,
            "offered_erlangs": round(need.offered, 2),
            "needed": need.heads,
            "rostered": present(found.posts, need.team_id, need.half_hour),
            "specialists_needed": need.specialists,
            "specialists_rostered": present(found.posts, need.team_id, need.half_hour, specialists=True),
        }
        for need in found.needs
    ]


def _shifts(found: Trial) -> list[dict[str, Any]]:
    return [
        {
            "team": one.team_id,
            "from": _clock(one.shift.begins),
            "lunch_from": None if one.shift.lunch is None else _clock(one.shift.lunch),
            "lunch_until": None if one.shift.lunch is None else _clock(one.shift.lunch + LUNCH),
            "until": _clock(one.shift.ends),
            "people": one.people,
            "specialists": one.specialists,
        }
        for one in by_shift(found.posts)
    ]


def _write(file: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    with file.open("w", newline="", encoding="utf-8") as text:
        writer = csv.DictWriter(text, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _by_half_hour(found: Trial) -> dict[str, dict[str, float]]:
    rows = _rows(found)
    return {
        clock: {
            "offered, erlangs": sum(row["offered_erlangs"] for row in rows if row["half_hour"] == clock),
            "needed": sum(row["needed"] for row in rows if row["half_hour"] == clock),
            "rostered": sum(row["rostered"] for row in rows if row["half_hour"] == clock),
        }
        for clock in map(_begins, range(HALF_HOURS))
    }


def _document(profile: str, cases: int, goal: Goal, found: Trial, trainings: Trainings) -> dict[str, Any]:
    return {
        "profile": profile,
        "cases": cases,
        "days": len(found.days),
        "goal_on_time": goal.on_time,
        "scale_of_first_guess": found.scale,
        "fewer_might_do": found.least_tried,
        "people": len(found.posts),
        "paid_hours": paid_hours(found.posts),
        "figures": {name: one.mean for name, one in found.figures.items()},
        "figures_half": {name: one.half for name, one in found.figures.items()},
        "half_hours": _rows(found),
        "shifts": _shifts(found),
        "trainings_tried": trainings.tried,
        "trainings": [
            {
                "who": one.who,
                "learns": one.learns,
                "on_time_gain": one.on_time_gain.mean,
                "on_time_gain_half": one.on_time_gain.half,
                "tardiness_saved_minutes": one.tardiness_saved.mean,
                "tardiness_saved_minutes_half": one.tardiness_saved.half,
                "beyond_chance": one.beyond_chance,
            }
            for one in trainings.played
        ],
    }


def _tell(cases: int, goal: Goal, found: Trial, trainings: Trainings) -> None:
    teams = sorted({need.team_id for need in found.needs})
    cells = {(row["half_hour"], row["team"]): row for row in _rows(found)}
    table(
        "Needed, with specialists among them / rostered, with theirs",
        ("half hour", *teams),
        [(clock, *(_cell(cells[clock, team]) for team in teams)) for clock in map(_begins, range(HALF_HOURS))],
    )
    table(
        "Shifts of the bank's own teams",
        ("team", "from", "lunch", "until", "people", "of them specialists"),
        [
            (row["team"], row["from"], _lunch(row), row["until"], row["people"], row["specialists"])
            for row in _shifts(found)
        ],
    )
    _tell_roster(cases, goal, found)
    if not trainings.tried:
        out.print("No single cross-training to try: on this roster everybody is a specialist already.")
        return
    _tell_trainings(trainings, len(found.days))


def _tell_roster(cases: int, goal: Goal, found: Trial) -> None:
    on_time = found.figures["on_time"]
    out.print(
        f"{len(found.posts)} people, {paid_hours(found.posts):,.0f} paid hours (with the vendor's) for {cases:,} cases; "
        f"utilisation {found.figures['utilisation'].mean:.0%}; {found.scale:.2f} times the first guess by Erlang C."
    )
    out.print(
        f"On time in the simulator: {comparing.cell('on_time', on_time)} (goal {goal.on_time:.1%}), the mean of "
        f"{len(found.days)} days with its interval of {CONFIDENCE:.0%}."
    )
    if on_time.low < goal.on_time:
        met = sum(day["on_time"] >= goal.on_time for day in found.days)
        out.print(
            f"The interval reaches below the goal, which {met} of the {len(found.days)} days met: over many days this roster may "
            "miss it. More --days narrow the interval, a higher --goal leaves room."
        )
    if left := _left_over(found):
        out.print(f"Not on time is what ended late{left}.")
    if found.least_tried:
        out.print(
            f"Every smaller roster that was tried meets the goal too, and the search ends at {found.scale:.2f} times the first "
            "guess: hardly more people than one case needs. Fewer might do."
        )


def _tell_trainings(trainings: Trainings, days: int) -> None:
    table(
        "What one cross-training would buy",
        ("who", "learns", "on time, points", "lateness saved, s per case", ""),
        [
            (
                one.who,
                one.learns,
                _signed(one.on_time_gain, 100),
                _signed(one.tardiness_saved, 60),
                "beyond chance" if one.beyond_chance else "",
            )
            for one in trainings.played
        ],
    )
    out.print(
        f"Of {trainings.tried} trainings the most promising {len(trainings.played)} by one day more; each played on the {days} "
        f"days as the roster without it: the mean of the differences day by day, with its interval of {CONFIDENCE:.0%}."
    )
    told = [one for one in trainings.played if one.beyond_chance]
    if not told:
        out.print(
            "None of them can be told from nothing: each interval of the share on time holds 0. More --days narrow them."
        )
    elif all(one.on_time_gain.mean < 0 for one in told):
        out.print("None of them buys anything: what can be told from nothing is worse.")


def _signed(one: Interval, times: float) -> str:
    return f"{one.mean * times:+.2f} ±{one.half * times:.2f}"  # two words: a narrow column breaks between them


def _lunch(row: Mapping[str, Any]) -> str:
    return "–" if row["lunch_from"] is None else f"{row['lunch_from']}–{row['lunch_until']}"


def _cell(row: Mapping[str, Any]) -> str:
    return f"{row['needed']} ({row['specialists_needed']}) / {row['rostered']} ({row['specialists_rostered']})"
