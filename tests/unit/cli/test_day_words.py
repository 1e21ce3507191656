"""What the simulator's commands say in words beside their figures."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import get_args, get_type_hints

import pytest

from opsfloor import comparing, whatif
from opsfloor.answers import out
from opsfloor.cli import main
from opsfloor.comparing import DEALINGS, FEW_DAYS, AtLoad, as_markdown, verdict
from opsfloor.profiles import profile_of
from opsfloor.staffing import PROMISING, Training, Trainings, Trial, _candidates, _document, _tell, _trainings
from opsfloor.whatif import BOUNDS, DayPlayed
from services.routing.simulator.bank import Post, posts_of
from services.routing.simulator.confidence import Interval
from services.routing.simulator.figures import FIGURES, LEFT_OVER, OUTSIDE
from services.routing.simulator.real import Gave
from services.routing.simulator.staffing import Goal, needs_of
from shared.contracts.routing import BoundRelaxed

Asked = Callable[..., str]

LEAVES_IT = "leaves these days as they are"
LEFT = "Cases a day that nobody there could end"


def figures(left_over: float) -> dict[str, float]:
    return {**dict.fromkeys(FIGURES, 0.5), LEFT_OVER: left_over, OUTSIDE: 0.25}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Asked:
    """Ask what if, of days of which so many cases are left over and so many plans kept a bound; what is told."""

    def ask(*words: str, left_over: float = 0.0, gave_way: Sequence[Mapping[Gave, float]] = ({},)) -> str:
        days = itertools.cycle(gave_way)
        monkeypatch.setattr(whatif, "_play", lambda day, tell: DayPlayed(figures(left_over), next(days)))
        monkeypatch.setattr(
            sys, "argv", ["opsfloor", "simulate", "whatif", "--profile", "small-centre", "--load", "0.05", *words]
        )
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code
        return " ".join(capsys.readouterr().out.split())

    return ask


@pytest.mark.parametrize(
    ("words", "same"),
    [
        (("--vendor-share", "1"), True),
        (("--standard", "cheque-deposit/entry=30"), True),
        (("--vendor-share", "0.5"), False),
        (("--contract", "clearkey=.."), True),
        (("--contract", "clearkey=..0.1"), False),
        (("--add", "north-entry=1"), False),
    ],
)
def test_a_change_that_changes_nothing_is_said_to(words: tuple[str, ...], same: bool, asked: Asked) -> None:
    """All differences are 0 then; the reader must not take it for a finding."""
    assert (LEAVES_IT in asked(*words)) is same
    assert json.loads(asked(*words, "--json"))["changes_nothing"] is same


def test_cases_left_over_are_told_beside_the_two_days(asked: Asked) -> None:
    """They count as late, and how late nobody can say."""
    assert f"{LEFT}, counted as late: 3.0 as it is, 3.0 with the change." in asked(
        "--add", "north-entry=1", left_over=3.0
    )
    assert LEFT not in asked("--add", "north-entry=1")


def test_bounds_that_the_plans_could_not_keep_are_told(asked: Asked) -> None:
    """A promise that the day's plans could not keep shows in no figure of the day: it is said, and how often."""
    promised, nobody = ("provider_minimum", "clearkey"), ("nobody_eligible", "cheque-deposit/review")
    changed = ("--contract", "clearkey=0.5..", "--days", "2")
    days: tuple[Mapping[Gave, float], ...] = ({}, {nobody: 0.02}, {promised: 1.0}, {promised: 0.5})
    told = asked(*changed, gave_way=days)
    assert (
        "clearkey could not be given what it is promised, in 0% of the plans as it is, in 75% with the change." in told
    )
    assert "Nobody was there for cheque-deposit/review, in 1% of the plans as it is, in 0% with the change." in told
    assert json.loads(asked(*changed, "--json", gave_way=days))["plans_short_of"] == [
        {"reason": "nobody_eligible", "name": "cheque-deposit/review", "before": 0.01, "after": 0.0},
        {"reason": "provider_minimum", "name": "clearkey", "before": 0.0, "after": 0.75},
    ]
    assert "of the plans" not in asked(*changed)


def test_every_reason_of_a_plan_has_its_words() -> None:
    """What the plan may say of a bound can be told."""
    assert set(BOUNDS) == set(get_args(get_type_hints(BoundRelaxed)["reason"]))


def test_cases_left_over_are_told_by_policy() -> None:
    """Only of those that left some."""
    by_policy = {
        name: {figure: Interval(value, 0.0) for figure, value in figures(2.5 if name == "ours" else 0.0).items()}
        for name in DEALINGS
    }
    told = verdict(AtLoad(0.9, 1000.0, by_policy, {}, Interval(1.0, 0.0), 4))
    assert told.endswith(f" {LEFT}, counted as late: ours 2.5.\n")
    by_policy["ours"][LEFT_OVER] = Interval(0.0, 0.0)
    assert LEFT not in comparing.verdict(AtLoad(0.9, 1000.0, by_policy, {}, Interval(1.0, 0.0), 4))


@pytest.mark.parametrize(("days", "careful"), [(4, True), (FEW_DAYS, False)])
def test_intervals_of_tardiness_over_few_days_are_said_to_be_too_narrow(days: int, careful: bool) -> None:
    """A day on which many are late is rare, and a few days seldom have one."""
    by_policy = {name: dict.fromkeys(figures(0.0), Interval(0.5, 0.0)) for name in DEALINGS}
    told = as_markdown([AtLoad(0.9, 1000.0, by_policy, {}, Interval(1.0, 0.0), days)])
    assert (f"its intervals of 95% over {days} days cover less often" in told) is careful


GOAL = Goal(on_time=0.5)
NOTHING_TRIED = Trainings(0, [])


def roster_of(*on_time: float, left_over: float = 0.0) -> Trial:
    """The profile's own people, and days of which so much was on time."""
    profile = profile_of("small-centre")
    days = [{**figures(left_over), "on_time": share} for share in on_time]
    return Trial(1.0, needs_of(profile, 40, GOAL), posts_of(profile), days)


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[[Trial, Trainings], str]:
    """What is told of a roster and its trainings, on one line, by a screen on which no cell is broken."""
    monkeypatch.setattr(out, "_width", 160)

    def tell(found: Trial, trainings: Trainings = NOTHING_TRIED) -> str:
        _tell(40, GOAL, found, trainings)
        return " ".join(capsys.readouterr().out.split())

    return tell


def test_cases_left_over_are_told_of_a_roster(told: Callable[..., str]) -> None:
    """A goal may be met all the same."""
    for left_over in (0.0, 2.0):
        words = told(roster_of(0.5, 0.5, left_over=left_over))
        assert ("2.0 cases a day that nobody there could end" in words) is (left_over > 0)


@pytest.mark.parametrize(("days", "below"), [((0.5, 0.5), False), ((0.6, 0.7), True), ((0.48, 0.54), True)])
def test_a_goal_that_the_interval_reaches_below_is_not_told_as_met(
    days: tuple[float, ...], below: bool, told: Callable[..., str]
) -> None:
    """The mean of a few days may meet it by chance; how many days there were is said either way."""
    words = told(roster_of(*days))
    assert "(goal 50.0%), the mean of 2 days with its interval of 95%" in words
    assert ("The interval reaches below the goal" in words) is below
    met = sum(day >= 0.5 for day in days)
    assert (f"which {met} of the 2 days met" in words) is below


def test_a_roster_on_which_nobody_can_learn_more_is_said_to_be(told: Callable[..., str]) -> None:
    """No empty table that looks like a fault."""
    assert "No single cross-training to try" in told(roster_of(0.5, 0.5))


@pytest.mark.parametrize(
    ("gain", "half", "verdict"),
    [
        (0.001, 0.002, "None of them can be told from nothing"),
        (0.0, 0.0, "None of them can be told from nothing"),
        (-0.01, 0.002, "None of them buys anything"),
        (0.01, 0.002, ""),
    ],
)
def test_trainings_that_buy_nothing_are_said_to(
    gain: float, half: float, verdict: str, told: Callable[..., str]
) -> None:
    """The first of a sorted table looks like advice, and a hundredth of a point like a finding."""
    one = Training("one of north-entry", "cheque-deposit/review", Interval(gain, half), Interval(0.0, 0.0))
    words = told(roster_of(0.5, 0.5), Trainings(20, [one]))
    assert f"{gain * 100:+.2f} ±{half * 100:.2f}" in words
    assert "Of 20 trainings the most promising 1 by one day more" in words
    for sentence in ("None of them can be told from nothing", "None of them buys anything"):
        assert (sentence in words) is (sentence == verdict)
    assert ("beyond chance" in words) is one.beyond_chance is (abs(gain) > half)


def test_a_training_is_tried_in_every_team_that_has_somebody_for_it() -> None:
    """Whose team it is matters: a centre has its own queues. Whoever is a specialist, or works for the vendor, is left out."""
    profile = profile_of("small-centre")
    posts = [post for post in posts_of(profile) if post.team_id != "south-control" or post.specialist]
    found = Trial(1.0, needs_of(profile, 40, GOAL), posts, [figures(0.0)] * 2)
    learners: list[Post] = []

    def judge(rosters: Sequence[Sequence[Post]], seeds: Sequence[int]) -> Sequence[Sequence[Mapping[str, float]]]:
        learners.extend(post for posts in rosters for post in posts if post.also and seeds == [3])
        return [[figures(0.0)] * len(seeds) for _ in rosters]

    tried = _trainings(found, _candidates(profile), judge, [1, 2]).tried
    assert {post.team_id for post in learners} == {"north-entry", "south-entry", "north-control"}
    assert tried == len(learners) == len({(post.team_id, post.also) for post in learners})
    assert not any(post.specialist for post in learners)


def test_what_chose_a_training_does_not_count_for_it() -> None:
    """The best of many on one day had luck on it; its gain is of other days, each less the roster's own on that day."""
    profile = profile_of("small-centre")
    before = {1: 0.80, 2: 0.90, 3: 0.85}
    found = roster_of(before[1], before[2])
    lucky = _candidates(profile)[3]

    def judge(rosters: Sequence[Sequence[Post]], seeds: Sequence[int]) -> Sequence[Sequence[Mapping[str, float]]]:
        def gain(posts: Sequence[Post], seed: int) -> float:
            learned = [(post.team_id, post.also) for post in posts if post.also]
            return 0.1 if learned == [lucky] and seed == 3 else 0.01 * seed if learned else 0.0

        return [[{**figures(0.0), "on_time": before[seed] + gain(posts, seed)} for seed in seeds] for posts in rosters]

    trainings = _trainings(found, _candidates(profile), judge, [1, 2])
    assert len(trainings.played) == PROMISING < trainings.tried
    (one,) = (
        one for one in trainings.played if (one.who, one.learns) == (f"one of {lucky[0]}", " and ".join(lucky[1]))
    )
    assert one.on_time_gain.mean == pytest.approx(0.015)
    assert one.on_time_gain.covers(0.01)


def test_shifts_are_told_with_the_needs(told: Callable[..., str]) -> None:
    """Who comes when, eats when and goes when: what a roster is for; half of the profile's people come early, half late."""
    found = roster_of(0.5, 0.5)
    shifts = _document("small-centre", 40, GOAL, found, NOTHING_TRIED)["shifts"]
    assert shifts[0] == {
        "team": "north-control",
        "from": "08:30",
        "lunch_from": "11:30",
        "lunch_until": "12:00",
        "until": "17:00",
        "people": 2,
        "specialists": 1,
    }
    assert sum(one["people"] for one in shifts) == sum(post.role != "vendor" for post in found.posts)
    words = told(found)
    assert "north-control │ 08:30 │ 11:30–12:00 │ 17:00 │ 2 │ 1" in words
    assert "clearkey" not in words


def test_two_days_say_what_vendors_did_and_of_what_they_are(asked: Asked) -> None:
    """A contract's bounds are seen to be kept or not, and who keeps the answer can play it again."""
    words = ("--contract", "clearkey=..0.1", "--seed", "3")
    assert "done by vendors │ 25.0 ± 0.0 %" in asked(*words)
    told = json.loads(asked(*words, "--json"))
    assert (told["profile"], told["load"], told["seed"]) == ("small-centre", 0.05, 3)
    assert told["figures"][OUTSIDE]["after"] == 0.25
