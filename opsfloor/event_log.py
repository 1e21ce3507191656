"""Reading an event log of a real process: cases, activities, resources, start and end."""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

FAULTS_MAX: Final = 10
YEARS_MAX: Final = 10
SPAN_MAX: Final = timedelta(days=366 * YEARS_MAX)
"""How far from the middle one of its starts an instant of a log may lie: beyond that it was mistyped, or is a mark for «never»."""
GZIPPED: Final = b"\x1f\x8b"  # how a gzip file begins, whatever it is called
UNREADABLE: Final = (csv.Error, gzip.BadGzipFile, EOFError, zlib.error)
QUOTE_OPEN: Final = "unexpected end of data"
ZONED: Final = re.compile(r"[zZ]|[+-]\d\d")
DAY_CHARACTERS: Final = 10  # of an instant; behind them a sign is a zone's
UNDECODED: Final = re.compile("[\udc80-\udcff]")
"""What stands for a byte that is no UTF-8."""


@dataclass(frozen=True, slots=True)
class Columns:
    """What the log's columns are called."""

    case: str
    activity: str
    resource: str
    start: str
    end: str
    role: str | None = None
    enabled: str | None = None


@dataclass(frozen=True, slots=True)
class Activity:
    """One line of the log. Units: instants are aware, UTC where the log names no zone."""

    line: int
    case_id: str
    name: str
    resource: str
    role: str
    enabled_at: datetime
    start_at: datetime
    end_at: datetime
    zoned: bool | None = False  # its instants name their zones; `None`: some do

    @property
    def handle_seconds(self) -> float:
        return (self.end_at - self.start_at).total_seconds()


MEND: Final = "mend these lines"
ANOTHER: Final = "take a log with activities"


class BrokenLogError(Exception):
    """The log cannot be played; `faults` names line and reason of the first few."""

    def __init__(self, faults: list[str], remedy: str = MEND) -> None:
        super().__init__("; ".join(faults))
        self.faults: Final = faults
        self.remedy: Final = remedy


def read_log(file: Path, columns: Columns) -> list[Activity]:
    """Every activity of the log in order of its start. Reads CSV, also gzipped.

    Errors:  `BrokenLogError` with line numbers: a missing or doubled column, an empty cell, more cells than columns, an
             unreadable instant, one far from all others, one without a zone beside those with one, in its line or in
             another, an end before its start, a character that no database can hold,
             no line at all, bytes that are no CSV in UTF-8 or end in the middle. A record of several lines, by a quote, is
             named by its first.
    """
    with (gzip.open if _gzipped(file) else open)(
        file, "rt", newline="", encoding="utf-8-sig", errors="surrogateescape"
    ) as text:
        rows = _rows(text)
        _, head = next(rows, (1, list[str]()))
        _expect(head, columns)
        found, faults = _activities(rows, head, columns)
    if not found and not faults:
        raise BrokenLogError(["line 2: expected at least one activity, found none"], ANOTHER)
    found.sort(key=lambda activity: (activity.start_at, activity.line))
    faults = faults or _far_away(found, columns) or _in_two_clocks(found)
    if faults:
        raise BrokenLogError(faults)
    return found


def _gzipped(file: Path) -> bool:
    with file.open("rb") as raw:
        return file.suffix == ".gz" or raw.read(len(GZIPPED)) == GZIPPED


def _far_away(activities: Sequence[Activity], columns: Columns) -> list[str]:
    """The lines with instants that no day of this log can have, in words, in the order of the file."""
    if not activities:
        return []
    middle = activities[len(activities) // 2].start_at
    faults = [
        f"line {activity.line}: expected {name} within {YEARS_MAX} years of {middle.date()}, the middle start, found {at.date()}"
        for activity in sorted(activities, key=lambda activity: activity.line)
        for name, at in (
            (columns.enabled or columns.start, activity.enabled_at),
            (columns.start, activity.start_at),
            (columns.end, activity.end_at),
        )
        if abs(at - middle) > SPAN_MAX
    ]
    return list(dict.fromkeys(faults))[:FAULTS_MAX]


def _in_two_clocks(activities: Sequence[Activity]) -> list[str]:
    """The first line that names zones where others do not, or in a part of its instants, if there is one, in words."""
    mixed = [activity.line for activity in activities if activity.zoned is None]
    if mixed:
        return [f"line {min(mixed)}: expected a zone in each of its instants or in none, found some without"]
    zoned = [activity.line for activity in activities if activity.zoned]
    if not zoned or len(zoned) == len(activities):
        return []
    bare = min(activity.line for activity in activities if not activity.zoned)
    return [
        f"line {bare}: expected zones as in line {min(zoned)}, found an instant without one; name it in all or in none"
    ]


def _rows(text: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """Each record with the number of its first line. Errors: `BrokenLogError`."""
    reader, line = csv.reader(_in_utf8(text), strict=True), 1
    while True:
        try:
            row = next(reader, None)
        except UNREADABLE as error:
            if not isinstance(error, csv.Error):
                raise BrokenLogError(
                    [f"line {line}: expected a whole gzip file, found {error}"], "fetch or pack it anew"
                ) from error
            found = "the end of the file within a quote" if str(error) == QUOTE_OPEN else error
            raise BrokenLogError([f"line {line}: expected CSV, found {found}"]) from error
        if row is None:
            return
        if row:
            yield line, row
        line = reader.line_num + 1


def _in_utf8(text: Iterable[str]) -> Iterator[str]:
    # Decoding runs ahead of the lines: it lets pass what it cannot read, and the line says so when it is its turn.
    for number, line in enumerate(text, 1):
        odd = UNDECODED.search(line)
        if odd is not None:
            byte = ord(odd[0]) - 0xDC00
            raise BrokenLogError(
                [f"line {number}: expected CSV in UTF-8, found the byte 0x{byte:02x}; save it as UTF-8"]
            )
        yield line


def _expect(head: Sequence[str], columns: Columns) -> None:
    if not head:
        raise BrokenLogError(["line 1: expected a line that names the columns, found an empty file"], ANOTHER)
    wanted = [columns.case, columns.activity, columns.resource, columns.start, columns.end]
    wanted += [name for name in (columns.role, columns.enabled) if name]
    missing = [name for name in wanted if name not in head]
    if missing:
        raise BrokenLogError([f"line 1: expected columns {missing}, found {list(head)}"])
    doubled = [name for name in wanted if head.count(name) > 1]
    if doubled:
        raise BrokenLogError([f"line 1: expected columns {doubled} once, found them more often"])


def _activities(
    rows: Iterable[tuple[int, list[str]]], head: Sequence[str], columns: Columns
) -> tuple[list[Activity], list[str]]:
    found: list[Activity] = []
    faults: list[str] = []
    for line, row in rows:
        try:
            if len(row) > len(head):
                raise ValueError(f"expected {len(head)} cells, found {len(row)}; put a cell with a comma in quotes")
            found.append(_activity(line, dict(zip(head, row, strict=False)), columns))
        except ValueError as error:
            faults.append(f"line {line}: {error}")
            if len(faults) == FAULTS_MAX:
                break
    return found, faults


def _activity(line: int, row: Mapping[str, str], columns: Columns) -> Activity:
    start, end = _instant(row, columns.start), _instant(row, columns.end)
    if end < start:
        raise ValueError(
            f"expected {columns.end} not before {columns.start}, found {row[columns.end]} before {row[columns.start]}"
        )
    return Activity(
        line=line,
        case_id=_text(row, columns.case),
        name=_text(row, columns.activity),
        resource=_text(row, columns.resource),
        role=_text(row, columns.role) if columns.role else "everybody",
        enabled_at=_instant(row, columns.enabled) if columns.enabled else start,
        start_at=start,
        end_at=end,
        zoned=_zoned(row, [name for name in (columns.start, columns.end, columns.enabled) if name]),
    )


def _zoned(row: Mapping[str, str], columns: Sequence[str]) -> bool | None:
    """Whether the instants name their zones; `None` when some do and others do not."""
    found = {ZONED.search(_text(row, name), DAY_CHARACTERS) is not None for name in columns}
    return found.pop() if len(found) == 1 else None


def _text(row: Mapping[str, str], column: str) -> str:
    value = (row.get(column) or "").strip()
    if not value:
        raise ValueError(f"expected a value in {column}, found nothing")
    if "\0" in value:
        raise ValueError(f"expected text in {column}, found the character U+0000, which no database can hold")
    return value


def _instant(row: Mapping[str, str], column: str) -> datetime:
    text = _text(row, column)
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"expected an ISO 8601 instant in {column}, found {text!r}") from error
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def by_case(activities: list[Activity]) -> dict[str, list[Activity]]:
    """The activities of each case in order of their start."""
    cases: dict[str, list[Activity]] = {}
    for activity in activities:
        cases.setdefault(activity.case_id, []).append(activity)
    return cases


def predecessors(case: list[Activity]) -> Iterator[tuple[Activity, list[Activity]]]:
    """Each activity of a case with those that had ended when it was enabled: what it waits for."""
    for activity in case:
        yield (
            activity,
            [
                other
                for other in case
                if other is not activity and other.end_at <= activity.enabled_at and other.line != activity.line
            ],
        )
