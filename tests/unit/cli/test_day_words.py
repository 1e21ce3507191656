"""What the simulator's commands say in words beside their figures."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import get_args, get_type_hints

import pytest

from opsfloor import comparing, whatif
from opsfloor.cli import main
from opsfloor.comparing import DEALINGS, AtLoad, verdict
from opsfloor.profiles import profile_of
from opsfloor.staffing import Training, Trial, _candidates, _tell, _trainings
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
    told = verdict(AtLoad(0.9, 1000.0, by_policy, {}, Interval(1.0, 0.0)))
    assert told.endswith(f" {LEFT}, counted as late: ours 2.5.\n")
    by_policy["ours"][LEFT_OVER] = Interval(0.0, 0.0)
    assert LEFT not in comparing.verdict(AtLoad(0.9, 1000.0, by_policy, {}, Interval(1.0, 0.0)))


def test_cases_left_over_are_told_of_a_roster(capsys: pytest.CaptureFixture[str]) -> None:
    """A goal may be met all the same."""
    profile, goal = profile_of("small-centre"), Goal(on_time=0.5)
    for left_over in (0.0, 2.0):
        found = Trial(1.0, needs_of(profile, 40, goal), posts_of(profile), figures(left_over))
        _tell(40, goal, found, [])
        told = " ".join(capsys.readouterr().out.split())
        assert ("2.0 cases a day that nobody there could end" in told) is (left_over > 0)


def test_a_roster_on_which_nobody_can_learn_more_is_said_to_be(capsys: pytest.CaptureFixture[str]) -> None:
    """No empty table that looks like a fault."""
    profile, goal = profile_of("small-centre"), Goal(on_time=0.5)
    _tell(40, goal, Trial(1.0, needs_of(profile, 40, goal), posts_of(profile), figures(0.0)), [])
    assert "No single cross-training to try" in capsys.readouterr().out


@pytest.mark.parametrize(("gain", "none"), [(0.0, True), (-0.01, True), (0.001, False)])
def test_trainings_that_buy_nothing_are_said_to(gain: float, none: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """The first of a sorted table looks like advice."""
    profile, goal = profile_of("small-centre"), Goal(on_time=0.5)
    found = Trial(1.0, needs_of(profile, 40, goal), posts_of(profile), figures(0.0))
    _tell(40, goal, found, [Training("one of north-entry", "cheque-deposit/review", gain, 0.0)])
    assert ("None of them buys anything" in capsys.readouterr().out) is none


def test_a_training_is_tried_in_every_team_that_has_somebody_for_it() -> None:
    """Whose team it is matters: a centre has its own queues. Whoever is a specialist, or works for the vendor, is left out."""
    profile, goal = profile_of("small-centre"), Goal(on_time=0.5)
    posts = [post for post in posts_of(profile) if post.team_id != "south-control" or post.specialist]
    found = Trial(1.0, needs_of(profile, 40, goal), posts, figures(0.0))
    learners: list[Post] = []

    def judge(rosters: Sequence[Sequence[Post]]) -> Sequence[Mapping[str, float]]:
        learners.extend(post for posts in rosters for post in posts if post.also)
        return [figures(0.0)] * len(rosters)

    told = _trainings(found, _candidates(profile), judge)
    assert {one.who for one in told} == {"one of north-entry", "one of south-entry", "one of north-control"}
    assert len(told) == len(learners) == len({(post.team_id, post.also) for post in learners})
    assert not any(post.specialist for post in learners)


def test_two_days_say_what_vendors_did_and_of_what_they_are(asked: Asked) -> None:
    """A contract's bounds are seen to be kept or not, and who keeps the answer can play it again."""
    words = ("--contract", "clearkey=..0.1", "--seed", "3")
    assert "done by vendors │ 25.0 ± 0.0 %" in asked(*words)
    told = json.loads(asked(*words, "--json"))
    assert (told["profile"], told["load"], told["seed"]) == ("small-centre", 0.05, 3)
    assert told["figures"][OUTSIDE]["after"] == 0.25
