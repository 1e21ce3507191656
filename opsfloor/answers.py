"""How the command line answers: tables for people, JSON for programs, failures with their remedy."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

import orjson
from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from shared.runtime.kafka_access import RIGHTS_REMEDY


class Output(Console):
    """Standard output. Holds: a reader that has gone (`| head`) ends the command, but for what `unread` goes on with."""

    def __init__(self) -> None:
        super().__init__(highlight=False)
        self._goes_on = False

    @contextmanager
    def unread(self, goes_on: bool) -> Iterator[None]:
        """Tell what a command is about to do; with `goes_on` it does so, whether anybody is left to read that or not."""
        self._goes_on = goes_on
        try:
            yield
        finally:
            self._goes_on = False

    def on_broken_pipe(self) -> None:
        """Say no more from now on."""
        try:
            super().on_broken_pipe()
        except SystemExit:
            if not self._goes_on:
                raise


out: Final = Output()
err: Final = Console(stderr=True, highlight=False)
ID_MAX: Final = 128
AN_INSTANT: Final = "2026-03-02T14:00+08:00"
WORD_MAX: Final = 36  # characters; what is longer is no word, and may be cut
_UNSEEN: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # what a terminal would obey instead of showing it


class Remedied(Exception):
    """Something did not work, and what to do about it is known. `code` is what a program switches on."""

    def __init__(self, what: str, remedy: str, code: str = "expected_otherwise") -> None:
        super().__init__(what)
        self.what: Final = what
        self.remedy: Final = remedy
        self.code: Final = code


def remedied(error: Exception, otherwise: str, code: str = "expected_otherwise") -> Remedied:
    """A failure with the remedy that it tells itself, that of a right that is missing, or else this one."""
    what, told, remedy = str(error).rpartition("Remedy: ")
    if told:
        return Remedied(what.rstrip(), remedy, code)
    return Remedied(remedy, RIGHTS_REMEDY if "AuthorizationFailed" in remedy else otherwise, code)


def an_instant(text: str, option: str) -> datetime:
    """What somebody typed as an instant. Errors: `Remedied` for one that is none, or in no zone."""
    remedy = f"write the day, the time and the zone: `{option} {AN_INSTANT}`, or Z in the zone's place for UTC"
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise Remedied(f"Expected {option} to be an instant, found {text!r}", remedy) from error
    if at.tzinfo is None:
        raise Remedied(f"Expected {option} with its zone, found {text!r}", remedy)
    return at


def an_id(text: str, remedy: str = "copy the id whole, without quotes or blanks around it") -> str:
    """What somebody typed as an id. Errors: `Remedied` when nothing on the floor can have it."""
    if not text.strip() or not text.isprintable() or len(text) > ID_MAX:
        raise Remedied(f"Expected an id of at most {ID_MAX} printable characters, found {seen(text)[:40]!r}", remedy)
    return text


def in_address(identity: str) -> str:
    """An id as it stands in an address. Errors: `Remedied` when nothing on the floor can have it."""
    return quote(an_id(identity), safe="")


def complain(error: Remedied, json: bool = False) -> None:
    """Say what is wrong and what to do, on standard error: in two lines, or as a problem (RFC 9457) with its remedy."""
    if json:
        problem = {
            "type": f"urn:opsfloor:problem:{error.code}",
            "code": error.code,
            "detail": error.what,
            "remedy": error.remedy,
        }
        err.file.write(orjson.dumps(problem, option=orjson.OPT_INDENT_2).decode() + "\n")
        return
    err.print(f"[bold red]✗[/] {said(error.what)}")
    err.print(f"  [bold]Remedy:[/] {said(error.remedy)}")


def said(words: object) -> str:
    """What people or other systems wrote, for a sentence of ours: nothing in it is markup or moves the cursor."""
    return escape(seen(words))


def seen(words: object) -> str:
    """The words with a mark in the place of each control character but tabs and new lines."""
    return _UNSEEN.sub("\N{REPLACEMENT CHARACTER}", str(words))


def as_json(value: Any) -> None:
    """Print one JSON document."""
    try:
        out.file.write(orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str).decode() + "\n")
        out.file.flush()
    except BrokenPipeError:
        out.on_broken_pipe()


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], whole: Collection[str] = ()) -> None:
    """Print a table; numbers are aligned to the right.

    Holds:   nothing in it is markup; what stands in a column that is `whole` is not broken in two; words are cut only
             on a terminal on which even the longest word of each column finds no room.
    """
    content = [[seen(_text(cell)) for cell in row] for row in rows]
    needs = [
        _needs([column, *(row[index] for row in content)], column in whole) for index, column in enumerate(columns)
    ]
    framed = sum(least for least, _ in needs) + 3 * len(needs) + 1 <= out.width
    sheet = Table(
        title=Text(seen(title), "bold"),
        title_justify="left",
        box=box.HEAVY_HEAD if framed else box.SIMPLE_HEAD,
        show_edge=framed,
        pad_edge=framed,
    )
    widths = _widths(needs, out.width - 3 * len(needs) + (-1 if framed else 3))
    for index, column in enumerate(columns):
        numeric = any(row[index] for row in content) and all(_numeric(row[index]) for row in content)
        sheet.add_column(
            Text(seen(column)),
            justify="right" if numeric else "left",
            overflow="fold",
            no_wrap=column in whole,
            width=widths[index] if widths else None,
        )
    for row in content:
        sheet.add_row(*(Text(cell) for cell in row))
    out.print(sheet)


def _needs(cells: Sequence[str], whole: bool) -> tuple[int, int]:
    """The least width that cuts no word of a language, and the width that breaks no line."""
    longest = max(cell_len(line) for cell in cells for line in cell.split("\n"))
    word = max(cell_len(word) for cell in cells for word in (cell.split() or [""]))
    return longest if whole else min(word, WORD_MAX), longest


def _widths(needs: Sequence[tuple[int, int]], room: int) -> list[int] | None:
    """Each column's width: the least, and of what is left a share by what it lacks; `None` when words must be cut."""
    left = room - sum(least for least, _ in needs)
    if left < 0:
        return None
    lacking = sum(most - least for least, most in needs)
    share = min(1.0, left / lacking) if lacking else 0.0
    return [least + int((most - least) * share) for least, most in needs]


def _text(cell: object) -> str:
    return f"{cell:,.1f}" if isinstance(cell, float) else f"{cell:,}" if isinstance(cell, int) else str(cell)


def _numeric(text: str) -> bool:
    return text.replace(",", "").replace(".", "").replace("-", "").replace("%", "").strip().isdigit() or text == ""
