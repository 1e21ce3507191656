"""Staffing: needs from Erlang C, whole people on shifts that meet them, and the search for the smallest roster."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from rich.progress import Progress

from opsfloor import staffing
from opsfloor.answers import Remedied
from opsfloor.cli import main
from opsfloor.profiles import profile_of
from opsfloor.progress import bar
from opsfloor.staffing import PROMISING, SCALE_MIN, STEP, Simulator, settle
from services.routing.simulator import formulas
from services.routing.simulator.bank import CLOSES, HOUR, Post, cases_at_full_load, day_of, posts_of
from services.routing.simulator.figures import FIGURES, LEFT_OVER, figures_of
from services.routing.simulator.floor import Floor
from services.routing.simulator.real import RealDealing
from services.routing.simulator.staffing import (
    HALF_HOURS,
    SHIFTS,
    Goal,
    Need,
    by_shift,
    needs_of,
    paid_hours,
    present,
    roster,
)

PROFILE = profile_of("small-centre")
DAYS = (1, 2)
CASES = round(0.9 * cases_at_full_load(PROFILE, posts_of(PROFILE)))


@pytest.mark.long
def test_the_solver_prints_nothing() -> None:
    """Standard output is a command's own, from the first solver of a process on."""
    told = "import sys; from services.routing.solver import new_solver; new_solver().run(); print('mine')"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout == "mine\n"


def test_every_half_hour_has_the_people_it_needs() -> None:
    """Each need is met by whole people, specialists counted apart."""
    needs = needs_of(PROFILE, CASES, Goal())
    posts = roster(needs)
    assert len(needs) == HALF_HOURS * len({(need.team_id, need.role) for need in needs})
    for need in needs:
        assert present(posts, need.team_id, need.half_hour) >= need.heads
        assert present(posts, need.team_id, need.half_hour, specialists=True) >= need.specialists


@pytest.mark.parametrize("cases", [1, 300])
def test_until_the_last_case_is_due_there_is_somebody_for_each_of_its_steps(cases: int) -> None:
    """Few cases offer next to no load; yet nobody has two parts in a case, and what comes at 17:00 is to be done after it."""
    needs = needs_of(PROFILE, cases, Goal(wait=0.001), SCALE_MIN)
    for half_hour in range(HALF_HOURS):
        for role in ("entry", "control"):
            there = [need for need in needs if (need.half_hour, need.role) == (half_hour, role)]
            assert sum(need.heads for need in there) >= 3
            assert sum(need.specialists for need in there) >= 3


def test_a_small_roster_finishes_its_day() -> None:
    """The least that the search tries for few cases leaves none over."""
    vendor = [post for post in posts_of(PROFILE) if post.role == "vendor"]
    posts = [*roster(needs_of(PROFILE, 40, Goal(wait=0.001), SCALE_MIN)), *vendor]
    floor = Floor(day_of(PROFILE, posts, 40, 1), RealDealing(loads_a_plan=None))
    assert figures_of(floor.play(until=CLOSES + 10 * HOUR))["left_over"] == 0.0


def test_nobody_is_needed_once_the_last_case_is_due() -> None:
    """The last freeze comes at 17:00: due within seconds nobody has to stay for it, due in half an hour three of a role have."""
    freeze = next(work for work in PROFILE.work if work.name == "judicial-freeze")
    for minutes, people in ((0.0, 0), (30.0, 3)):
        needs = needs_of(replace(PROFILE, work=(replace(freeze, service_level=minutes),)), 10, Goal())
        assert sum(need.heads for need in needs if need.half_hour == HALF_HOURS - 1 and need.role == "entry") == people


@pytest.mark.parametrize("vendor", [False, True])
def test_the_vendor_takes_no_more_than_it_may_do(vendor: bool) -> None:
    """Nothing where it may do no type; else at most the first keying of its types, never the second."""
    work = tuple(replace(one, vendor=vendor, specialist=False, entries=2) for one in PROFILE.work)
    alone = tuple(crew for crew in PROFILE.crews if crew.role != "vendor")
    crowd = tuple(replace(crew, people=1_000) if crew.role == "vendor" else crew for crew in PROFILE.crews)
    with_it, without = (
        sum(
            need.offered
            for need in needs_of(replace(PROFILE, work=work, crews=crews), CASES, Goal())
            if need.role == "entry"
        )
        for crews in (crowd, alone)
    )
    assert with_it == pytest.approx(without / 2 if vendor else without)


def test_a_short_need_is_met_by_one_short_shift() -> None:
    """One head for the first half hour: four paid hours, and no cheaper shift covers it."""
    posts = roster([Need(0, "north", "entry", 0.5, 1, 0)])
    assert (len(posts), paid_hours(posts)) == (1, 4.0)
    assert min(shift.paid for shift in SHIFTS if shift.covers(0)) == 4.0


def test_a_specialist_stands_in_for_everybody() -> None:
    """One head who must know the rare type is one person, not two."""
    posts = roster([Need(4, "north", "entry", 0.5, 1, 1)])
    assert [post.specialist for post in posts] == [True]


def test_a_need_that_no_shift_covers_is_named() -> None:
    """There is nobody to roster before the shifts begin."""
    with pytest.raises(ArithmeticError, match="north"):
        roster([Need(-4, "north", "entry", 1.0, 1, 0)])


def test_more_is_needed_when_less_waiting_is_allowed() -> None:
    """Erlang C: the tighter goal never takes fewer heads, and heads always exceed the load offered."""
    relaxed, tight = (needs_of(PROFILE, CASES, Goal(wait=wait)) for wait in (600.0, 10.0))
    assert sum(need.heads for need in tight) > sum(need.heads for need in relaxed)
    assert all(one.heads >= other.heads for one, other in zip(tight, relaxed, strict=True))
    servers = formulas.servers_for(8.0, 60.0, 20.0, 0.8)
    assert servers > 8


def of_days(on_time: float, left_over: float = 0.0) -> list[Mapping[str, float]]:
    return [{"on_time": on_time, LEFT_OVER: left_over}] * len(DAYS)


def content_from(hours: float, judged: list[float]) -> staffing.Judge:
    """A judge who is content with so many paid hours of the bank's own people, and the hours that it was asked about."""

    def judge(rosters: Sequence[Sequence[Post]], seeds: Sequence[int]) -> Sequence[Sequence[Mapping[str, float]]]:
        paid = [paid_hours([post for post in posts if post.role != "vendor"]) for posts in rosters]
        judged.extend(paid)
        return [of_days(1.0 if one >= hours else 0.5) for one in paid]

    return judge


@pytest.mark.parametrize("cases", [CASES, CASES // 2])
def test_the_smallest_roster_that_meets_the_goal_is_found(cases: int) -> None:
    """The search ends within a step of where the judge begins to be content, be that below the range that it begins with."""
    hours = paid_hours(roster(needs_of(PROFILE, cases, Goal(), 0.85 if cases == CASES else 0.4)))
    judged: list[float] = []
    expected: list[int] = []

    def expect(rosters: int) -> None:
        expected.append(len(judged) + rosters)

    found = settle(PROFILE, cases, Goal(), content_from(hours, judged), DAYS, expect)
    assert not found.least_tried
    assert (found.scale < SCALE_MIN) is (cases != CASES)
    smaller = roster(needs_of(PROFILE, cases, Goal(), found.scale - STEP))
    assert found.on_time == 1.0
    assert paid_hours(smaller) < hours
    assert expected[-1] == len(judged)


def test_a_goal_beyond_reach_is_said_to_be() -> None:
    """With the most people on offer still too late: the remedy is told, nothing is made up."""
    with pytest.raises(Remedied, match="on time"):
        settle(PROFILE, CASES, replace(Goal(), on_time=0.99), lambda rosters, seeds: [of_days(0.9)], DAYS)


def test_a_goal_missed_by_cases_that_nobody_ends_says_how_many() -> None:
    """They count as late; a larger roster of the same skills would not help them."""
    with pytest.raises(
        Remedied, match=r"found 90\.0% with 1\.6 times the first guess, and 12\.0 cases a day that nobody"
    ):
        settle(PROFILE, CASES, Goal(), lambda rosters, seeds: [of_days(0.9, left_over=12.0)], DAYS)


def test_where_the_least_that_is_tried_still_does_that_is_said() -> None:
    """It is then no smallest roster, only the end of the search."""
    found = settle(PROFILE, CASES, Goal(on_time=0.5), lambda rosters, seeds: [of_days(1.0)], DAYS)
    assert found.least_tried
    assert found.scale <= STEP


def test_a_roster_is_played_once_a_day_and_every_day_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two scales often need the same whole people; what was said of them is said again."""
    played: list[int] = []

    def figures(asked: tuple[object, int, tuple[Post, ...], int]) -> Mapping[str, float]:
        played.append(asked[3])
        return {"on_time": float(asked[3])}

    monkeypatch.setattr("opsfloor.staffing._figures", figures)
    told: list[None] = []
    simulator = Simulator(PROFILE, CASES, lambda: told.append(None))
    one, other = posts_of(PROFILE), posts_of(PROFILE)[1:]
    first, second = {"on_time": 1.0}, {"on_time": 2.0}
    assert simulator.judge([one, other], DAYS) == [[first, second], [first, second]]
    assert simulator.judge([one], DAYS) == [[first, second]]
    assert (played, len(told)) == ([1, 2, 1, 2], 6)


def test_the_vendor_takes_no_more_than_its_contract_lets_it() -> None:
    """With a maximum of nothing the bank's own people key everything; with all, what it may do; between, the share of all items."""

    def keying(most: float | None) -> float:
        needs = needs_of(replace(PROFILE, vendor_maximum=most), CASES, Goal())
        return sum(need.offered for need in needs if need.role == "entry")

    nothing, tenth, everything = keying(0.0), keying(0.1), keying(1.0)
    alone = tuple(crew for crew in PROFILE.crews if crew.role != "vendor")
    without = needs_of(replace(PROFILE, crews=alone), CASES, Goal())
    assert nothing == pytest.approx(sum(need.offered for need in without if need.role == "entry"))
    assert everything == keying(None) < tenth < nothing


def test_everybody_is_on_the_shift_that_was_found_for_them() -> None:
    """The shifts that are told are those of the programme, with as many people and specialists, and no vendor's."""
    posts = roster(needs_of(PROFILE, CASES, Goal()))
    told = by_shift([*posts, *(post for post in posts_of(PROFILE) if post.role == "vendor")])
    assert {one.shift for one in told} <= set(SHIFTS)
    again = [(one.team_id, number < one.specialists, one.shift.hours()) for one in told for number in range(one.people)]
    assert sorted(again) == sorted((post.team_id, post.specialist, post.shifts) for post in posts)


def test_what_is_written_can_be_rostered_from(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Needs in one file, shifts in another beside it and in the document; all days are expected that are played."""
    played: list[int] = []
    bars: list[Progress] = []

    def figures(asked: tuple[object, int, tuple[Post, ...], int]) -> Mapping[str, float]:
        played.append(asked[3])
        return {**dict.fromkeys(FIGURES, 0.99 if len(asked[2]) > 30 else 0.9), LEFT_OVER: 0.0}

    def shown(what: str) -> Progress:
        bars.append(bar(what))
        return bars[-1]

    monkeypatch.setattr("opsfloor.staffing._figures", figures)
    monkeypatch.setattr("opsfloor.staffing.bar", shown)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0})
    file = tmp_path / "needs.csv"
    asked = ["opsfloor", "staffing", "--profile", "small-centre", "--cases", "2000", "--csv", str(file), "--json"]
    monkeypatch.setattr(sys, "argv", asked)
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    document = json.loads(capsys.readouterr().out)
    with (tmp_path / "needs-shifts.csv").open(encoding="utf-8", newline="") as text:
        rows = list(csv.DictReader(text))
    assert rows == [
        {name: "" if cell is None else str(cell) for name, cell in row.items()} for row in document["shifts"]
    ]
    vendor = sum(post.role == "vendor" for post in posts_of(PROFILE))
    assert sum(int(row["people"]) for row in rows) == document["people"] - vendor
    assert document["days"] == len(set(played)) - 1 >= 2
    assert len(document["trainings"]) == PROMISING
    (task,) = bars[0].tasks
    assert task.completed == task.total


@pytest.mark.long
def test_several_processes_say_what_one_says() -> None:
    """The days are independent, and their figures come in the order in which they were asked for."""
    posts = posts_of(PROFILE)
    with Simulator(PROFILE, 4, lambda: None) as several:
        at_once = several.judge([posts, posts[1:]], [1])
    alone = Simulator(PROFILE, 4, lambda: None)
    assert at_once == [alone.judge([posts], [1])[0], alone.judge([posts[1:]], [1])[0]]
