"""A bank's own profile: read from a file, its faults told each with their line, and played like any other."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from opsfloor import whatif
from opsfloor.answers import Remedied
from opsfloor.cli import main
from opsfloor.profiles import profile_of, written
from services.routing.simulator.bank import PROFILES, bank_day
from services.routing.simulator.day import Day
from services.routing.simulator.figures import FIGURES, LEFT_OVER, OUTSIDE

SMALL = PROFILES["small-centre"]
Changed = Callable[..., str]


@pytest.fixture
def told(tmp_path: Path) -> Changed:
    """What is said of the small centre's file, with one text in it replaced by another."""

    def change(old: str, new: str) -> str:
        text = written(SMALL)
        assert old in text
        file = tmp_path / "mine.yaml"
        file.write_text(text.replace(old, new, 1))
        with pytest.raises(Remedied) as refused:
            profile_of(str(file))
        assert (refused.value.code, "opsfloor simulate profile" in refused.value.remedy) == ("file_unfit", True)
        return refused.value.what

    return change


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_that_is_written_is_read_again(name: str, tmp_path: Path) -> None:
    """To the last field, so that one may begin from it."""
    file = tmp_path / "mine.yaml"
    file.write_text(written(PROFILES[name]))
    assert profile_of(str(file)) == PROFILES[name] == profile_of(name)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("spike: 2.4", "spike: 0", "spike: expected a number above 0"),
        ("spike: 2.4", "spike: .nan", "spike: expected a number above 0"),
        ("spike: 2.4", "spike: 2.4\nspike: 3", "'spike' stands 2 times"),
        ("spike: 2.4", "spikes: 2.4", "spikes: no such field; the fields are calendar, "),
        ("paces_vary: 0.15", "paces_vary: fast", "paces_vary: Input should be a valid number"),
        ("vendor_minimum: null", "vendor_minimum: 1.5", "vendor_minimum: expected a number from 0 to 1, found 1.5"),
        ("share: 0.4,", "share: 0.5,", "work: expected shares that add up to 1, found 1.1"),
        ("share: 0.4, entries: 2", "share: 0.4, entries: 3", "work.1.entries: expected a number from 1 to 2, found 3"),
        ("urgent_level: 5", "urgent_level: 25", "work.1.urgent_level: expected a number above 0 and at most 20"),
        ("name: corporate-transfer", "name: cheque-deposit", "work.2.name: expected another name in each"),
        ("name: corporate-transfer", "name: ''", "work.1.name: expected a name, found ''"),
        ("reviews: 2,", "reviews: 2, colour: red,", "work.4.colour: no such field"),
        (
            "people: 6, specialists: 3",
            "people: 6, specialists: 7",
            "crews.1.specialists: expected a number from 0 to 6",
        ),
        ("role: vendor", "role: guest", "crews.5.role: Input should be"),
        ("team_id: south-entry", "team_id: north-entry", "crews.2.team_id: expected another name in each"),
    ],
)
def test_a_fault_is_told_with_its_line_and_its_place(old: str, new: str, fault: str, told: Changed) -> None:
    """A typing error is found where it stands."""
    lines = written(SMALL).splitlines()
    at = next(number for number, line in enumerate(lines, start=1) if old in line)
    what = told(old, new)
    assert fault in what
    lines_told = {int(line.split(":")[1]) for line in what.splitlines()[1:]}
    assert lines_told & {at, at + 1, at - 1} or "work: expected shares" in what


def test_a_share_that_is_promised_to_no_crew_is_named(tmp_path: Path) -> None:
    """A vendor that is not there keeps no promise."""
    file = tmp_path / "mine.yaml"
    crews = tuple(crew for crew in SMALL.crews if crew.role != "vendor")
    file.write_text(written(replace(SMALL, crews=crews, vendor_minimum=0.2)))
    with pytest.raises(Remedied, match="vendor_minimum: expected a crew of role vendor to keep it"):
        profile_of(str(file))


def test_too_few_for_a_case_are_named(tmp_path: Path) -> None:
    """Nobody has two parts in a case: two key, a third arbitrates; of a rare type specialists only."""
    crews = tuple(replace(crew, specialists=1) if crew.role == "entry" else crew for crew in SMALL.crews)
    file = tmp_path / "mine.yaml"
    file.write_text(written(replace(SMALL, crews=crews)))
    with pytest.raises(Remedied, match=r"at least 3 specialists in crews of role entry.* foreign-remittance, found 2"):
        profile_of(str(file))


@pytest.mark.parametrize("content", ["", "[]", "{", "name: [", "5"])
def test_what_is_no_profile_is_refused(content: str, tmp_path: Path) -> None:
    """No traceback for an empty file, a list, a torn text."""
    file = tmp_path / "mine.yaml"
    file.write_text(content)
    with pytest.raises(Remedied, match=r"mine\.yaml"):
        profile_of(str(file))


@pytest.mark.parametrize("name", ["no-such.yaml", "nowhere"])
def test_neither_a_name_nor_a_file_says_how_to_begin(name: str) -> None:
    """The remedy is a command."""
    with pytest.raises(Remedied) as refused:
        profile_of(name)
    assert "opsfloor simulate profile bank-day > mine.yaml" in refused.value.remedy


def test_a_bank_of_its_own_is_played(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its own types and teams are what can be changed; the day that is played is of the file."""
    work = tuple(replace(one, name=f"my-{one.name}") for one in SMALL.work)
    crews = tuple(replace(crew, team_id=f"my-{crew.team_id}") for crew in SMALL.crews)
    mine = replace(SMALL, name="mine", work=work, crews=crews)
    file = tmp_path / "mine.yaml"
    file.write_text(written(mine))
    days: list[Day] = []

    def play(day: Day, tell: Callable[[], None]) -> whatif.DayPlayed:
        days.append(day)
        return whatif.DayPlayed(dict.fromkeys((*FIGURES, LEFT_OVER, OUTSIDE), 0.0), {})

    monkeypatch.setattr(whatif, "_play", play)
    words = ["simulate", "whatif", "--profile", str(file), "--load", "0.1", "--days", "2", "--json"]
    monkeypatch.setattr(sys, "argv", ["opsfloor", *words, "--cost", "my-payroll-batch=3"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    assert json.loads(capsys.readouterr().out)["changes_nothing"] is False
    assert days[:2] == [bank_day(mine, 0.1, seed) for seed in (1, 2)]


def test_the_command_prints_what_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As in `opsfloor simulate profile contract-day > mine.yaml`."""
    monkeypatch.setattr(sys, "argv", ["opsfloor", "simulate", "profile", "contract-day"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    file = tmp_path / "mine.yaml"
    file.write_text(capsys.readouterr().out)
    assert profile_of(str(file)) == PROFILES["contract-day"]
