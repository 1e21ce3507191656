"""Reading an event log of a real process: cases, activities, resources, start and end."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

FAULTS_MAX: Final = 10
UNREADABLE: Final = (csv.Error, UnicodeDecodeError, gzip.BadGzipFile, EOFError, zlib.error)


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

    @property
    def handle_seconds(self) -> float:
        return (self.end_at - self.start_at).total_seconds()


class BrokenLogError(Exception):
    """The log cannot be played; `faults` names line and reason of the first few."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults: Final = faults


def read_log(file: Path, columns: Columns) -> list[Activity]:
    """Every activity of the log in order of its start. Reads CSV, also gzipped.

    Errors:  `BrokenLogError` with line numbers: a missing column, an empty cell, an unreadable instant, an end before
             its start, no line at all, bytes that are no CSV in UTF-8 or end in the middle.
    """
    opener = gzip.open if file.suffix == ".gz" else open
    with opener(file, "rt", newline="", encoding="utf-8") as text:
        reader = csv.DictReader(text)
        try:
            found, faults = _activities(reader, columns)
        except UNREADABLE as error:
            raise BrokenLogError([f"line {reader.line_num + 1}: expected CSV in UTF-8, found {error}"]) from error
    if not found and not faults:
        faults.append("line 2: expected at least one activity, found none")
    if faults:
        raise BrokenLogError(faults)
    return sorted(found, key=lambda activity: (activity.start_at, activity.line))


def _activities(reader: csv.DictReader[str], columns: Columns) -> tuple[list[Activity], list[str]]:
    found: list[Activity] = []
    faults: list[str] = []
    wanted = [columns.case, columns.activity, columns.resource, columns.start, columns.end]
    wanted += [name for name in (columns.role, columns.enabled) if name]
    missing = [name for name in wanted if name not in (reader.fieldnames or [])]
    if missing:
        raise BrokenLogError([f"line 1: expected columns {missing}, found {reader.fieldnames}"])
    for row in reader:
        try:
            found.append(_activity(reader.line_num, row, columns))
        except ValueError as error:
            faults.append(f"line {reader.line_num}: {error}")
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
    )


def _text(row: Mapping[str, str], column: str) -> str:
    value = (row.get(column) or "").strip()
    if not value:
        raise ValueError(f"expected a value in {column}, found nothing")
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
