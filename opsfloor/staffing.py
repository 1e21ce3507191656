"""`opsfloor staffing`: who is needed when, judged by the simulator, and which training buys most."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from math import isfinite
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any, Final

import typer

from opsfloor import charts, comparing
from opsfloor.answers import Remedied, as_json, out, table
from opsfloor.profiles import profile_of
from opsfloor.progress import bar
from opsfloor.sources import ProfileName
from opsfloor.writing import expect_picture, expect_writable
from services.routing.simulator.bank import OPENS, Post, Profile, cases_at_full_load, day_of, posts_of
from services.routing.simulator.figures import LEFT_OVER, figures_of
from services.routing.simulator.floor import Floor
from services.routing.simulator.staffing import (
    HALF_HOUR,
    HALF_HOURS,
    Goal,
    Need,
    needs_of,
    paid_hours,
    present,
    roster,
)

SCALE_MIN, SCALE_MAX = 0.6, 1.6
CASES_MAX: Final = 1_000_000  # a day: more than memory holds of a simulated one
HALVINGS: Final = 5  # of the range of scales: the last step is 3 % of the first guess
TRAINABLE: Final = 2  # of the most frequent types, for people of the other role

Figures = Mapping[str, float]
Judge = Callable[[Sequence[Sequence[Post]]], Sequence[Figures]]
"""What comes of each of these rosters."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One roster and what the simulator says of it. `scale` is of the first guess."""

    scale: float
    needs: Sequence[Need]
    posts: Sequence[Post]
    figures: Figures

    @property
    def least_tried(self) -> bool:
        """Whether every smaller scale that was tried met the goal too: still fewer people might do."""
        return self.scale < SCALE_MIN + 1.5 * (SCALE_MAX - SCALE_MIN) / 2**HALVINGS


@dataclass(frozen=True, slots=True)
class Training:
    """One person learns one thing more, and what that buys. Units: shares, minutes of lateness per case."""

    who: str
    learns: str
    on_time_gain: float
    tardiness_saved: float


def staffing(
    profile: ProfileName = "bank-day",
    cases: Annotated[
        int | None, typer.Option(help="cases of the day; else what fills 0.90 of the profile's own")
    ] = None,
    goal: Annotated[float, typer.Option(help="share of cases that is to be on time", min=0.5, max=0.999)] = 0.98,
    wait: Annotated[float, typer.Option(help="first guess: seconds that an item may wait for each step")] = 120.0,
    days: Annotated[int, typer.Option(help="independent days that the simulator judges by", min=1)] = 1,
    csv_file: Annotated[Path | None, typer.Option("--csv", help="write needs and roster here", dir_okay=False)] = None,
    chart: Annotated[Path | None, typer.Option(help="draw a chart, .svg or .png", dir_okay=False)] = None,
    json: Annotated[bool, typer.Option("--json", help="one JSON document instead of tables")] = False,
) -> None:
    """The people a day needs per half hour, skill and centre, the cheapest shifts for it, and the best single training.

    Erlang C says the first guess, an integer programme finds shifts, and the simulator, with the real placement and desk,
    judges whether the goal is met: the guess is scaled up or down until it just is.
    """
    expect_writable(csv_file)
    expect_picture(chart)
    chosen, aim = profile_of(profile), _goal(goal, wait)
    count = _count(cases, chosen)
    learnable = list(_candidates(chosen))
    with bar("days judged") as progress:
        line = progress.add_task("", total=days * (HALVINGS + 1 + len(learnable)))
        with Simulator(chosen, count, days, lambda: progress.advance(line)) as simulator:
            found = settle(chosen, count, aim, simulator.judge)
            trainings = _trainings(found, learnable, simulator.judge)
    if csv_file is not None:
        _write(csv_file, found)
    if chart is not None:
        charts.save(charts.staffing(_by_half_hour(found), f"{chosen.name}, {count:,} cases"), chart)
    if json:
        as_json(_document(chosen.name, count, aim, found, trainings))
    else:
        _tell(count, aim, found, trainings)


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


def settle(profile: Profile, cases: int, goal: Goal, judge: Judge) -> Trial:
    """The smallest scale of the first guess whose roster meets the goal, by halving the range.

    Errors:  `Remedied` when not even the largest scale does.
    """

    def trial(scale: float) -> Trial:
        needs = needs_of(profile, cases, goal, scale)
        posts = [*roster(needs), *(post for post in posts_of(profile) if post.role == "vendor")]
        return Trial(scale, needs, posts, judge([posts])[0])

    best = trial(SCALE_MAX)
    if best.figures["on_time"] < goal.on_time:
        raise Remedied(
            f"Expected {goal.on_time:.1%} on time, found {best.figures['on_time']:.1%} with {SCALE_MAX} times the first guess"
            f"{_left_over(best)}",
            "lower the goal: some cases come too late for their cut-off, whoever is there",
        )
    low, high = SCALE_MIN, SCALE_MAX
    for _ in range(HALVINGS):
        middle = trial((low + high) / 2)
        if middle.figures["on_time"] >= goal.on_time:
            best, high = middle, middle.scale
        else:
            low = middle.scale
    return best


def _left_over(found: Trial) -> str:
    left = found.figures.get(LEFT_OVER, 0.0)
    return f", and {left:,.1f} cases a day that nobody there could end" if left else ""


class Simulator:
    """Judges rosters by playing days, as many at once as there are processors; the same roster is played once.

    Holds:   what it says of a roster follows from the roster alone; `tell` after each day.
    """

    def __init__(self, profile: Profile, cases: int, days: int, tell: Callable[[], None]) -> None:
        self._day: Final = (profile, cases)
        self._seeds: Final = range(1, days + 1)
        self._tell: Final = tell
        self._known: Final[dict[tuple[Post, ...], Figures]] = {}
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Simulator:
        processors = len(os.sched_getaffinity(0))
        if processors > 1:
            self._pool = ProcessPoolExecutor(processors, get_context("spawn"))
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def judge(self, rosters: Sequence[Sequence[Post]]) -> list[Figures]:
        """The mean of each figure over the days, of each roster."""
        wanted = [tuple(posts) for posts in rosters]
        new = list(dict.fromkeys(posts for posts in wanted if posts not in self._known))
        asked = [(*self._day, posts, seed) for posts in new for seed in self._seeds]
        played = list(self._played(asked))
        for number, posts in enumerate(new):
            days = played[number * len(self._seeds) : (number + 1) * len(self._seeds)]
            self._known[posts] = {name: fmean(day[name] for day in days) for name in days[0]}
        for _ in range(len(self._seeds) * (len(wanted) - len(new))):
            self._tell()
        return [self._known[posts] for posts in wanted]

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


def _trainings(found: Trial, learnable: Sequence[tuple[str, tuple[str, ...]]], judge: Judge) -> list[Training]:
    """What each would buy on the roster found, best first: the first of the team who is no specialist learns it."""
    trained = [(team, learns, posts) for team, learns in learnable if (posts := _trained(found.posts, team, learns))]
    before, figures = found.figures, judge([posts for _, _, posts in trained])
    trainings = [
        Training(
            f"one of {team}",
            " and ".join(learns),
            after["on_time"] - before["on_time"],
            before["tardiness_mean"] - after["tardiness_mean"],
        )
        for (team, learns, _), after in zip(trained, figures, strict=True)
    ]
    return sorted(trainings, key=lambda one: (-one.on_time_gain, -one.tardiness_saved, one.learns, one.who))


def _trained(posts: Sequence[Post], team_id: str, learns: tuple[str, ...]) -> Sequence[Post] | None:
    """The roster with it; `None` where the team has nobody who could."""
    number = next((n for n, post in enumerate(posts) if post.team_id == team_id and not post.specialist), None)
    if number is None:
        return None
    return [*posts[:number], replace(posts[number], also=learns), *posts[number + 1 :]]


# -------------------------------------------------------------------------- telling


def _clock(half_hour: int) -> str:
    minutes = round((OPENS + half_hour * HALF_HOUR) / 60)
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _rows(found: Trial) -> list[dict[str, Any]]:
    return [
        {
            "half_hour": _clock(need.half_hour),
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


def _write(file: Path, found: Trial) -> None:
    rows = _rows(found)
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
        for clock in map(_clock, range(HALF_HOURS))
    }


def _document(profile: str, cases: int, goal: Goal, found: Trial, trainings: Sequence[Training]) -> dict[str, Any]:
    return {
        "profile": profile,
        "cases": cases,
        "goal_on_time": goal.on_time,
        "scale_of_first_guess": found.scale,
        "fewer_might_do": found.least_tried,
        "people": len(found.posts),
        "paid_hours": paid_hours(found.posts),
        "figures": dict(found.figures),
        "half_hours": _rows(found),
        "trainings": [
            {
                "who": one.who,
                "learns": one.learns,
                "on_time_gain": one.on_time_gain,
                "tardiness_saved_minutes": one.tardiness_saved,
            }
            for one in trainings
        ],
    }


def _tell(cases: int, goal: Goal, found: Trial, trainings: Sequence[Training]) -> None:
    teams = sorted({need.team_id for need in found.needs})
    cells = {(row["half_hour"], row["team"]): row for row in _rows(found)}
    table(
        "Needed, with specialists among them / rostered, with theirs",
        ("half hour", *teams),
        [(clock, *(_cell(cells[clock, team]) for team in teams)) for clock in map(_clock, range(HALF_HOURS))],
    )
    out.print(
        f"{len(found.posts)} people, {paid_hours(found.posts):,.0f} paid hours (with the vendor's) for {cases:,} cases: "
        f"{found.figures['on_time']:.1%} on time in the simulator (goal {goal.on_time:.1%}), "
        f"utilisation {found.figures['utilisation']:.0%}; {found.scale:.2f} times the first guess by Erlang C."
    )
    if left := _left_over(found):
        out.print(f"Not on time is what ended late{left}.")
    if found.least_tried:
        out.print(
            f"This is the least that was tried, and it still meets the goal: the search ends at {SCALE_MIN:.2f} times the first "
            "guess. Fewer might do; a longer --wait makes the guess smaller."
        )
    if not trainings:
        out.print("No single cross-training to try: on this roster everybody is a specialist already.")
        return
    table(
        "What one cross-training would buy",
        ("who", "learns", "on time, points", "lateness saved, s per case"),
        [
            (one.who, one.learns, f"{one.on_time_gain * 100:+.2f}", f"{one.tardiness_saved * 60:+.2f}")
            for one in trainings
        ],
    )
    if not any(one.on_time_gain > 0 or one.tardiness_saved > 0 for one in trainings):
        out.print("None of them buys anything: on this roster and these days a single training is no help.")


def _cell(row: Mapping[str, Any]) -> str:
    return f"{row['needed']} ({row['specialists_needed']}) / {row['rostered']} ({row['specialists_rostered']})"
