"""Questions to the simulator that cannot be answered are refused in a sentence, before anything is played."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from opsfloor import comparing, simulate, staffing, whatif
from opsfloor.answers import Remedied, in_address
from opsfloor.cli import main
from opsfloor.profiles import written
from opsfloor.writing import expect_picture, expect_writable
from services.routing.simulator import oracles
from services.routing.simulator.bank import PROFILES
from services.routing.simulator.confidence import Interval

Run = Callable[..., str]

LOG = """case_id,activity,resource,role,start_time,end_time,enabled_time
1,check,ann,clerk,2023-02-06T08:00:00,2023-02-06T08:10:00,2023-02-06T08:00:00
2,check,bob,clerk,2023-02-06T09:00:00,2023-02-06T09:10:00,2023-02-06T09:00:00
"""


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command line; it must refuse with exit status 1 and a remedy, and play nothing. What it told."""

    def played(*_: object, **__: object) -> None:
        raise AssertionError("Expected the refusal before any day is played")

    for module in (comparing, staffing, whatif, oracles):
        monkeypatch.setattr(module, "Floor", played)

    def run(*words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["opsfloor", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 1
        told = " ".join(capsys.readouterr().err.split())
        assert "Remedy:" in told
        return told

    return run


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("staffing --cases -5", "at least 1 case, found -5"),
        ("staffing --cases 0", "at least 1 case, found 0"),
        ("staffing --cases 100000000000", "at most 1,000,000 cases"),
        ("staffing --wait nan", "seconds above 0"),
        ("staffing --wait -5", "seconds above 0"),
        ("simulate whatif --add north-entry=inf", "finite, found inf"),
        ("simulate whatif --add north-entry=nan", "finite, found nan"),
        ("simulate whatif --add north-entry=0.5", "whole people, found 0.5"),
        ("simulate whatif --add north-entry=1e18", "at most 1,000"),
        ("simulate whatif --add north-entry=0", "--close to take a team away"),
        ("simulate whatif --standard cheque-deposit/entry=0", "a task takes time"),
        ("simulate whatif --cost cheque-deposit=0", "as good as no cost"),
        ("simulate whatif --add north-entry=some", "NAME=NUMBER"),
        ("simulate whatif --cost corporate-transfer=inf", "finite, found inf"),
        ("simulate whatif --standard corporate-transfer/entry=inf", "finite, found inf"),
        ("simulate whatif --standard corporate-transfer/entry=1e300", "at most 86,400"),
        ("simulate whatif --standard account-opening/arbitration=50", "found 'account-opening/arbitration'"),
        ("simulate whatif --contract clearkey=0.3", "PROVIDER=LEAST..MOST"),
        ("simulate whatif --contract clearkey=0.3..0.1", "at most as much promised as allowed"),
        ("simulate whatif --contract clearkey=15..20", "a share from 0 to 1, found 15"),
        ("simulate whatif --contract clearkey=nan..", "a share from 0 to 1, found nan"),
        ("simulate whatif --contract clearkey=a..b", "a share, found 'a'"),
        ("simulate whatif --contract house=0.1..0.2", "one of clearkey, found 'house'"),
        ("simulate compare --load 0.0001 --days 2", "a day with cases, found none at load 0.0001"),
        ("simulate compare --load 0.9,0.0001 --days 2", "a day with cases, found none at load 0.0001"),
        ("simulate compare --load nan --days 2", "loads above 0"),
    ],
)
def test_an_odd_number_is_refused(words: str, told: str, refused: Run) -> None:
    """No traceback, no table of a change that changed nothing."""
    assert told in refused(*words.split(), "--profile", "small-centre")


@pytest.mark.parametrize("change", ["--contract clearkey=0.1..0.2", "--vendor-share 0.5"])
def test_a_vendors_share_is_asked_of_a_profile_with_a_vendor(change: str, tmp_path: Path, refused: Run) -> None:
    """Two days that are the same are not played for it."""
    small = PROFILES["small-centre"]
    file = tmp_path / "mine.yaml"
    file.write_text(written(replace(small, crews=tuple(crew for crew in small.crews if crew.role != "vendor"))))
    assert "Expected a vendor in the profile" in refused("simulate", "whatif", "--profile", str(file), *change.split())


@pytest.mark.parametrize(
    "words",
    [
        "simulate compare --chart /no/such/folder/x.svg",
        "simulate compare --chart x.txt",
        "simulate compare --page /no/such/folder/x.md",
        "simulate oracles --write /no/such/folder/x.md",
        "staffing --chart /no/such/folder/x.svg",
        "staffing --chart x.txt",
        "staffing --csv /no/such/folder/x.csv",
    ],
)
def test_a_file_that_cannot_be_written_is_refused_before_the_run(words: str, refused: Run) -> None:
    """Hours of playing do not end at a mistyped folder."""
    assert Path(words.split()[-1]).name in refused(*words.split())


def test_the_page_of_a_reroute_is_refused_before_anything_is_asked(refused: Run) -> None:
    """The same of the report that an auditor wants as a file."""
    assert "/no/such/folder" in refused("reroute", "show", "r-1", "--html", "/no/such/folder/x.html")


def test_what_can_be_written_is_let_through(tmp_path: Path) -> None:
    """A new file, one that is there, a file in the folder one stands in, none at all; a folder is no file."""
    there = tmp_path / "there.svg"
    there.touch()
    expect_writable(None, there, tmp_path / "new.md", Path("new.md"))
    expect_picture(there)
    expect_picture(None)
    assert not (tmp_path / "new.md").exists()
    with pytest.raises(Remedied, match="found the folder"):
        expect_writable(tmp_path)


def test_a_protected_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the system says of the folder counts; the tests' own user may be one to whom nothing is forbidden."""
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(Remedied, match="write-protected"):
        expect_writable(tmp_path / "x.md")


def test_a_log_and_a_profile_are_not_taken_together(tmp_path: Path, refused: Run) -> None:
    """Neither is silently left aside, also where the profile named is the one that is the default."""
    log = tmp_path / "log.csv"
    log.write_text(LOG)
    for name in ("small-centre", "bank-day"):
        assert "found both log.csv" in refused("simulate", "compare", "--log", str(log), "--profile", name)


def test_a_log_without_work_for_the_floor_is_refused(tmp_path: Path, refused: Run) -> None:
    """All of it in roles that are left out, or everything at one instant."""
    log = tmp_path / "log.csv"
    log.write_text(LOG)
    asked = ("simulate", "compare", "--log", str(log))
    assert "own roles, found none" in refused(*asked, "--outside", "clerk")
    rows = list(csv.reader(LOG.splitlines()))
    log.write_text("\n".join(",".join(row) for row in rows[:2]))
    assert "all at once" in refused(*asked)
    log.write_text(LOG)
    for option, told in (("--speed=0", "speed above 0"), ("--speed=nan", "speed above 0"), ("--cases=-3", "1 case")):
        assert told in refused("replay", str(log), option)


def test_a_log_whose_cases_take_no_working_time_is_refused(tmp_path: Path, refused: Run) -> None:
    """Ends that are starts, or cases that come in the evening: nothing could be called on time."""
    log, head = tmp_path / "log.csv", LOG.splitlines()[0]
    names = head.split(",")
    for hour in ("09", "20"):
        rows = []
        for day in (6, 7):
            at = f"2023-02-0{day}T{hour}:00:00"
            cells = {"case_id": str(day), "activity": "Check", "resource": "Ann", "role": "clerk"}
            rows.append(",".join(cells.get(name, at) for name in names))
        log.write_text("\n".join([head, *rows]))
        assert "cases that take working time" in refused("simulate", "compare", "--log", str(log))


def test_the_oracles_tell_what_shows_nothing_and_fail_for_what_is_refuted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], refused: Run
) -> None:
    """A wide interval is named on the page and beside it; a miss ends the command with 1, and the page is there."""
    page = tmp_path / "oracles.md"
    wide = oracles.Finding("Q2", "mean wait, s", "real", 20.834, Interval(25.6, 26.0))
    missed = oracles.Finding("Q3", "mean wait, s", "real", 3.7, Interval(5.0, 0.1))
    monkeypatch.setattr(simulate, "ORACLES", {"Q2": lambda effort: [wide]})
    simulate.oracles(write=page)
    assert "Too wide to show anything: Q2 mean wait, s (real)" in " ".join(capsys.readouterr().out.split())
    assert "25.6000 ± 26.0000 | real | too wide |" in page.read_text(encoding="utf-8")
    monkeypatch.setattr(simulate, "ORACLES", {"Q2": lambda effort: [wide], "Q3": lambda effort: [missed]})
    assert "found otherwise: Q3 mean wait, s (real)" in refused("simulate", "oracles", "--write", str(page))


@pytest.mark.parametrize("odd", ["", " ", "a\x01", "x\ny", "x" * 129])
@pytest.mark.parametrize(
    "words",
    [("case",), ("item",), ("why",), ("token", "--role", "operator"), ("reroute", "show"), ("reroute", "history")],
)
def test_what_no_id_can_be_is_refused_before_anybody_is_asked(
    words: tuple[str, ...], odd: str, refused: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Pasted with half of another line, or an empty variable of the shell."""
    monkeypatch.setenv("OPSFLOOR_HOME", str(tmp_path))
    assert "Expected an id of at most 128 printable characters" in refused(*words, odd)


def test_an_id_stays_one_part_of_an_address() -> None:
    """Whatever stands in it: no other path is reached by it."""
    assert in_address("../health") == "..%2Fhealth"
