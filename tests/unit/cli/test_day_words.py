"""What the simulator's commands say in words beside their figures."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence

import pytest

from opsfloor import comparing, whatif
from opsfloor.cli import main
from opsfloor.comparing import DEALINGS, AtLoad, verdict
from opsfloor.profiles import profile_of
from opsfloor.staffing import Training, Trial, _candidates, _tell, _trainings
from services.routing.simulator.bank import Post, posts_of
from services.routing.simulator.confidence import Interval
from services.routing.simulator.figures import FIGURES, LEFT_OVER, OUTSIDE
from services.routing.simulator.staffing import Goal, needs_of

Asked = Callable[..., str]

LEAVES_IT = "leaves these days as they are"
LEFT = "Cases a day that nobody there could end"


def figures(left_over: float) -> dict[str, float]:
    return {**dict.fromkeys(FIGURES, 0.5), LEFT_OVER: left_over, OUTSIDE: 0.25}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Asked:
    """Ask what if, of days of which so many cases are left over; what is told."""

    def ask(*words: str, left_over: float = 0.0) -> str:
        monkeypatch.setattr(whatif, "_play", lambda day, tell: figures(left_over))
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
