"""Reading a real event log: what can be played, and how a broken one is refused."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path

import pytest

from opsfloor.answers import Remedied
from opsfloor.event_log import Activity, BrokenLogError, Columns, by_case, predecessors, read_log
from opsfloor.log_ids import LogIds
from opsfloor.replay import _expect_an_end
from opsfloor.replaying import reference_of
from shared.contracts.reference import Branch, BusinessType, Operator
from shared.reference.rules import faults_of

COLUMNS = Columns("case", "activity", "resource", "start", "end", "role", "enabled")
AT = datetime(2023, 2, 9, 8, tzinfo=UTC)
HEAD = "case,activity,resource,role,start,end,enabled\n"
GOOD = (
    "1,Check,Ann,Clerk,2023-02-09T08:00:00,2023-02-09T08:05:00,2023-02-09T08:00:00\n"
    "1,Approve,Bob,Officer,2023-02-09T08:10:00,2023-02-09T08:20:00,2023-02-09T08:05:00\n"
    "2,Check,Ann,Clerk,2023-02-09T08:30:00,2023-02-09T08:31:00,2023-02-09T08:30:00\n"
)


def written(folder: Path, body: str) -> Path:
    file = folder / "log.csv"
    file.write_text(HEAD + body)
    return file


def test_a_log_is_read_in_order_of_its_starts(tmp_path: Path) -> None:
    """Cases, roles and handling times come out as they stand."""
    activities = read_log(written(tmp_path, GOOD), COLUMNS)
    assert [(a.case_id, a.name, a.handle_seconds) for a in activities] == [
        ("1", "Check", 300),
        ("1", "Approve", 600),
        ("2", "Check", 60),
    ]


def test_a_gzipped_log_is_the_same_log(tmp_path: Path) -> None:
    """Compression changes nothing, whatever the file is called."""
    for name in ("log.csv.gz", "log.csv"):
        (tmp_path / name).write_bytes(gzip.compress((HEAD + GOOD).encode()))
        assert len(read_log(tmp_path / name, COLUMNS)) == 3


def test_a_log_from_a_spreadsheet_is_the_same_log(tmp_path: Path) -> None:
    """Its byte order mark, its line ends and a cell of two lines change nothing."""
    file = tmp_path / "log.csv"
    file.write_bytes((HEAD + GOOD.replace("Ann", '"Ann\nLee"', 1)).replace("\n", "\r\n").encode("utf-8-sig"))
    assert [activity.line for activity in read_log(file, COLUMNS)] == [2, 4, 5]


def test_an_activity_waits_for_what_had_ended_when_it_was_enabled(tmp_path: Path) -> None:
    """Order within a case is kept by what followed what."""
    case = by_case(read_log(written(tmp_path, GOOD), COLUMNS))["1"]
    assert [(a.name, [b.name for b in before]) for a, before in predecessors(case)] == [
        ("Check", []),
        ("Approve", ["Check"]),
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "1,Check,Ann,Clerk,yesterday,2023-02-09T08:05:00,2023-02-09T08:00:00\n",
            "line 2: expected an ISO 8601 instant in start",
        ),
        (
            "1,Check,Ann,Clerk,2023-02-09T08:05:00,2023-02-09T08:00:00,2023-02-09T08:00:00\n",
            "line 2: expected end not before start",
        ),
        (
            "1,,Ann,Clerk,2023-02-09T08:00:00,2023-02-09T08:05:00,2023-02-09T08:00:00\n",
            "line 2: expected a value in activity",
        ),
        (
            "1,Check,Ann,Clerk,2023-02-09T08:00:00+08:00,2023-02-09T08:05:00,2023-02-09T08:00:00\n",
            "line 2: expected a zone in each of its instants or in none",
        ),
        (
            "1,Check,A\0nn,Clerk,2023-02-09T08:00:00,2023-02-09T08:05:00,2023-02-09T08:00:00\n",
            r"line 2: expected text in resource, found the character U\+0000",
        ),
        ("", "expected at least one activity"),
    ],
)
def test_a_broken_log_is_refused_with_line_and_reason(tmp_path: Path, line: str, said: str) -> None:
    """Whoever brings a log learns which line to mend."""
    with pytest.raises(BrokenLogError, match=said):
        read_log(written(tmp_path, line), COLUMNS)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    """A wrong --case is told with the columns that there are."""
    with pytest.raises(BrokenLogError, match="expected columns \\['nowhere'\\]"):
        read_log(written(tmp_path, GOOD), Columns("nowhere", "activity", "resource", "start", "end"))


def test_the_implied_reference_data_keeps_the_banks_rules_but_for_arbitration(tmp_path: Path) -> None:
    """Roles become teams, resources operators; nothing dangles. Fields keyed once need no arbitrator."""
    entries = reference_of(by_case(read_log(written(tmp_path, GOOD), COLUMNS)))
    faults = [fault for fault in faults_of(entries) if "/arbitration" not in fault]
    assert faults == []
    assert not [entry.id for entry in entries if isinstance(entry, BusinessType) and entry.inspection]
    assert [entry.id for entry in entries if isinstance(entry, Branch)] == ["log-branch"]
    assert {entry.team_id for entry in entries if isinstance(entry, Operator)} == {"log-clerk", "log-officer"}


def done_by(role: str, resource: str, activity: str = "Check") -> Activity:
    return Activity(2, "1", activity, resource, role, AT, AT, AT)


def test_different_names_of_a_log_have_different_ids() -> None:
    """In any script, and where they differ by case, by an accent or by what stands between words: nobody is merged."""
    people = ["Loan Officer-000001", "王0", "李0", "A-1", "A 1", "a_1", "É", "E", "...", "x" * 300, "x" * 301]
    ids = LogIds.of([done_by("Clerk", name) for name in people])
    assert len(set(ids.person.values())) == len(people)
    assert ids.person["Clerk", "Loan Officer-000001"] == "clerk-loan-officer-000001"
    assert max(map(len, ids.person.values())) < 100


def test_ids_do_not_depend_on_the_order_of_the_lines() -> None:
    """Two who are called alike are numbered by their names, so that the same log read otherwise is the same bank."""
    lines = [done_by("Clerk", "A-1"), done_by("Clerk", "A 1"), done_by("Clerk A", "1")]
    assert LogIds.of(lines) == LogIds.of(lines[::-1])
    assert len(set(LogIds.of(lines).person.values())) == 3


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("wide.csv", (HEAD + "1," + "x" * 200_000).encode(), r"line \d+: .*field larger than field limit"),
        (
            "latin.csv",
            (HEAD + GOOD + "1,Überweisung\n" + GOOD).encode("latin-1"),
            "line 5: .*the byte 0xdc; save it as",
        ),
        ("quote.csv", (HEAD + GOOD + '1,"Check,Ann\n' + GOOD * 9).encode(), "line 5: .*end of the file within a quote"),
        ("comma.csv", (HEAD + GOOD.replace("Bob", "Bob, Dr", 1)).encode(), "line 3: expected 7 cells, found 8"),
        ("twice.csv", (HEAD.replace("\n", ",case\n") + GOOD).encode(), r"line 1: expected columns \['case'\] once"),
        ("none.csv", b"", "line 1: expected a line that names the columns"),
        ("plain.csv.gz", HEAD.encode(), "line 1: .*[Nn]ot a gzipped file"),
        ("cut.csv.gz", gzip.compress((HEAD + GOOD).encode())[:-12], r"line \d+: "),
    ],
)
def test_bytes_that_are_no_log(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    """What cannot be read at all is told with the line that it broke at, like any other fault."""
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(BrokenLogError, match=reason):
        read_log(file, COLUMNS)


@pytest.mark.parametrize("name", ["plain.csv.gz", "cut.csv.gz", "none.csv", "head.csv"])
def test_where_no_line_is_to_be_mended_another_remedy_is_told(tmp_path: Path, name: str) -> None:
    """A file that was cut, or holds nothing, is not mended line by line."""
    cut = gzip.compress((HEAD + GOOD).encode())[:-12]
    contents = {"plain.csv.gz": HEAD.encode(), "cut.csv.gz": cut, "none.csv": b"", "head.csv": HEAD.encode()}
    file = tmp_path / name
    file.write_bytes(contents[name])
    with pytest.raises(BrokenLogError) as refused:
        read_log(file, COLUMNS)
    assert refused.value.remedy == ("fetch or pack it anew" if name.endswith(".gz") else "take a log with activities")


@pytest.mark.parametrize("zone", ["+08:00", "Z", "-0330"])
def test_a_log_names_zones_in_all_of_its_instants_or_in_none(tmp_path: Path, zone: str) -> None:
    """One half by another clock than the other would be hours off without a word."""
    at = f"2023-02-09T09:00:00{zone}"
    with pytest.raises(BrokenLogError, match="line 2: expected zones as in line 5, found an instant without one"):
        read_log(written(tmp_path, GOOD + a_line(at, at)), COLUMNS)
    assert len(read_log(written(tmp_path, a_line(at, at)), COLUMNS)) == 1


def a_line(start: str, end: str, case: str = "9") -> str:
    return f"{case},Check,Ann,Clerk,{start},{end},{start}\n"


@pytest.mark.parametrize(
    ("far", "said"),
    [
        (
            a_line("0001-01-01T00:00:00", "0001-01-01T00:05:00"),
            "line 5: expected enabled within 10 years of 2023-02-09",
        ),
        (a_line("0001-01-01T00:00:00+14:00", "0001-01-02T00:00:00"), "line 5: .* found 0001-01-01"),
        (
            a_line("2023-02-09T09:00:00", "9999-12-31T23:59:59-12:00"),
            "line 5: expected end within 10 years .* 9999-12-31",
        ),
        (a_line("1970-01-01T00:00:00", "2023-02-09T09:00:00"), "line 5: expected start within 10 years .* 1970-01-01"),
        (a_line("2033-06-01T00:00:00", "2033-06-01T00:05:00"), "line 5: .* found 2033-06-01"),
    ],
)
def test_an_instant_far_from_all_others_is_refused_with_its_line(tmp_path: Path, far: str, said: str) -> None:
    """A mark for «never», or a slip: played, it would be waited for without an end."""
    with pytest.raises(BrokenLogError, match=said) as refused:
        read_log(written(tmp_path, GOOD + far), COLUMNS)
    assert {fault.partition(":")[0] for fault in refused.value.faults} == {"line 5"}


def test_a_log_from_the_first_year_to_the_last_names_what_is_not_like_the_middle(tmp_path: Path) -> None:
    """Whichever of the two it is, each of the other's lines is told, ten at most."""
    ends = [a_line(f"{year}-01-01T00:00:00", f"{year}-01-01T00:05:00", year) for year in ("0001", "9999")] * 8
    with pytest.raises(BrokenLogError, match="line 2: expected enabled within 10 years") as refused:
        read_log(written(tmp_path, "".join(ends)), COLUMNS)
    assert len(refused.value.faults) == 10


def test_a_log_of_some_years_is_read(tmp_path: Path) -> None:
    """Nine years are a long archive and no slip."""
    assert len(read_log(written(tmp_path, GOOD + a_line("2032-01-01T00:00:00", "2032-01-02T00:00:00")), COLUMNS)) == 4


def test_a_replay_that_would_go_on_for_weeks_is_not_begun(tmp_path: Path) -> None:
    """Nine years at ten times their speed: the speed to take instead is named."""
    log = by_case(read_log(written(tmp_path, GOOD + a_line("2032-01-01T00:00:00", "2032-01-02T00:00:00")), COLUMNS))
    with pytest.raises(Remedied, match="to play at most 7 days, found 3,249 days") as refused:
        _expect_an_end(log, 10)
    _expect_an_end(log, float(refused.value.remedy.split("from ")[1].split(" ")[0]))
