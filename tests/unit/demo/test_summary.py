"""The summary says what became of the day, and fails it when a promise was broken."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from deploy.demo.live import Board
from deploy.demo.same_day import SameDay
from deploy.demo.summary import Summary, Witness, escaped, show, summarise, write
from deploy.demo.truth import Document, Truth
from shared.contracts.routing import LoadByWorkType, LoadSnapshot
from tests.unit.demo.bank import NOON, Bus, case_of, posted, rejected, sent, whole_case

SEEN = Witness(
    sent=3,
    sent_twice=1,
    receipts={"accepted": 2, "bad_signature": 1},
    unanswered=(),
    core_book={"CNY": 246_900},
    core_booked=2,
    core_refused=0,
    core_asked_again=0,
    keying_errors=4,
    escaped=0,
    ended_services=(),
)


AGAIN = SameDay(ours=0.9, round_robin=0.5)


def good_day() -> Bus:
    """Two cases posted and one submission rejected."""
    bus = Bus()
    whole_case(bus)
    whole_case(bus, "s2", "p2", "CB-2")
    bus.outside(sent("s3"))
    bus.floor(rejected("s3"))
    return bus


def summary_of(seen: Witness = SEEN) -> Summary:
    """The good day, as the world saw it."""
    return summarise(good_day().auditor, seen, ["13:00 routing killed"], AGAIN)


def test_a_good_day_is_kept_and_adds_up() -> None:
    """Submitted = posted + closed + rejected; nothing lost, nothing doubled, books equal."""
    summary = summary_of()
    assert summary.kept
    assert summary.submitted == summary.posted + sum(summary.closed.values()) + sum(summary.rejected.values())
    assert (summary.lost, summary.doubled, summary.on_time_share) == (0, 0, 1.0)
    assert summary.by_type[0].turnaround_p50 == 10.0


@pytest.mark.parametrize(
    ("seen", "promise"),
    [
        ({"sent": 4}, "nothing lost"),
        ({"unanswered": ("s9",)}, "nothing lost"),
        ({"core_book": {"CNY": 246_901}}, "equal books"),
        ({"core_book": {}}, "equal books"),
        ({"core_booked": 3}, "equal books"),
        ({"ended_services": ("audit",)}, "services stay up"),
    ],
)
def test_the_world_may_contradict_the_floor(seen: dict[str, Any], promise: str) -> None:
    """Where the world's own record says otherwise, the day is not kept, and the finding names the promise."""
    summary = summary_of(replace(SEEN, **seen))
    assert not summary.kept
    assert promise in {finding["promise"] for finding in summary.findings}


def test_a_second_end_is_a_doubling() -> None:
    """A broken promise of the floor itself fails the day as well."""
    bus = good_day()
    bus.floor(posted())
    summary = summarise(bus.auditor, SEEN, [], AGAIN)
    assert not summary.kept
    assert summary.doubled == 1


def test_an_empty_day_is_a_day() -> None:
    """Nothing handed in: nothing broken, and no division by nothing."""
    empty = replace(SEEN, sent=0, core_book={}, core_booked=0)
    summary = summarise(Bus().auditor, empty, [], AGAIN)
    assert summary.kept
    assert summary.on_time_share == 1.0


def test_errors_that_nobody_caught_are_counted() -> None:
    """A field that was posted otherwise than the document has it has escaped; another spelling has not."""
    truth = Truth()
    truth.remember("s1", Document({"amount": "1234.50", "payee-name": "LOTUS MED"}, {}, bad_scan=False))
    truth.remember("s2", Document({"amount": "1284.50", "payee-name": "Lotus Med"}, {}, bad_scan=False))
    assert escaped(good_day().auditor, truth) == 1


def test_the_summary_is_written_as_json(tmp_path: Path) -> None:
    """`summary.json` holds everything, with the verdict."""
    file = tmp_path / "deep" / "summary.json"
    write(summary_of(), file)
    content = json.loads(file.read_text())
    assert content["kept"] is True
    assert content["floor_book"] == content["core_book"] == {"CNY": 246_900}


def test_people_read_the_verdict() -> None:
    """The printed summary names ends, books and the verdict; a broken day names what was broken."""
    assert "every submission had exactly one end" in printed(summary_of())
    assert "2,469.00 CNY" in printed(summary_of())
    broken = printed(summary_of(replace(SEEN, sent=4)))
    assert "a promise was broken" in broken
    assert "nothing lost" in broken


def printed(summary: Summary) -> str:
    """The summary as text."""
    out = io.StringIO()
    show(summary, Console(file=out, width=200))
    return out.getvalue()


def board() -> Board:
    """The live view over the good day."""
    board = Board(good_day().auditor, expected=3)
    board.loads["north-entry"] = LoadSnapshot(
        team_id="north-entry",
        at=NOON,
        version=1,
        queued=(LoadByWorkType(work_type="t/entry", queued=7, standard_seconds=210, oldest_requested_at=NOON),),
        in_hand=2,
        present=("anna", "ben"),
    )
    return board


def test_the_live_view_shows_the_day() -> None:
    """Banking time, counts, queues by team and what has happened are on the screen."""
    view, out = board(), io.StringIO()
    view.tick()
    view.tell(NOON, "routing process 7 killed with SIGKILL")
    Console(file=out, width=160).print(view.render(NOON))
    text = out.getvalue()
    for word in ("12:00", "north-entry", "killed with SIGKILL", "posted 2", "100.0%"):
        assert word in text


def test_without_a_screen_there_are_plain_lines() -> None:
    """One line says time, submitted, ended, waiting and on time."""
    assert board().line(NOON) == "12:00 submitted 3, ended 3, waiting items 7, on time 100.0%"


def test_cases_are_found_by_what_the_branch_sent() -> None:
    """The bank's case id follows from the submission id."""
    assert case_of("s1") != case_of("s2")


def test_a_day_that_was_given_up_is_compared_with_nothing() -> None:
    """It is told as it was; nobody waits for a virtual day that it could be held against."""
    told = printed(replace(summary_of(), same_day=None))
    assert "virtual time" not in told
    assert "completed" in told


def test_a_day_that_was_given_up_is_not_called_lost() -> None:
    """What is open may yet end: it is counted as such, the day fails all the same, and no finding is left out unsaid."""
    bus = good_day()
    for number in range(1_248):
        bus.outside(sent(f"open-{number}"))
    seen = replace(SEEN, sent=1_251, given_up=True)
    summary = summarise(bus.auditor, seen, [], None)
    assert (summary.unfinished, summary.lost, summary.kept) == (1_248, 0, False)
    told = printed(summary)
    assert "1,248" in told
    assert "and 1,238 more findings" in told
    assert "the day was not finished" in told
    assert "a promise was broken" not in told
    waited = summarise(bus.auditor, replace(seen, given_up=False), [], None)
    assert (waited.unfinished, waited.lost) == (0, 1_248)


def test_a_floor_that_stands_still_is_seen_to() -> None:
    """While something is open and nothing ends, the view says for how long; at rest it does not."""
    one = board()
    for _ in range(20):
        one.tick()
    assert one._pace(3) == "[yellow]nothing has ended for 19 s[/]"
    assert "cases/s" in one._pace(0)
    assert "cases/s" in board()._pace(3)
