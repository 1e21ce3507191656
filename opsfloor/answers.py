"""How the command line answers: tables for people, JSON for programs, failures with their remedy."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

import orjson
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

out: Final = Console(highlight=False)
err: Final = Console(stderr=True, highlight=False)
_UNSEEN: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # what a terminal would obey instead of showing it


class Remedied(Exception):
    """Something did not work, and what to do about it is known."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.what: Final = what
        self.remedy: Final = remedy


def complain(error: Remedied) -> None:
    """Say what is wrong and what to do, on standard error."""
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
    out.file.write(orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str).decode() + "\n")


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], whole: Collection[str] = ()) -> None:
    """Print a table; numbers are aligned to the right.

    Holds:   nothing in it is markup; what stands in a column that is `whole` is not broken in two.
    """
    sheet = Table(title=Text(seen(title), "bold"), title_justify="left")
    content = [[_text(cell) for cell in row] for row in rows]
    for index, column in enumerate(columns):
        numeric = bool(content) and all(_numeric(row[index]) for row in content)
        sheet.add_column(
            Text(seen(column)), justify="right" if numeric else "left", overflow="fold", no_wrap=column in whole
        )
    for row in content:
        sheet.add_row(*(Text(seen(cell)) for cell in row))
    out.print(sheet)


def _text(cell: object) -> str:
    return f"{cell:,.1f}" if isinstance(cell, float) else f"{cell:,}" if isinstance(cell, int) else str(cell)


def _numeric(text: str) -> bool:
    return text.replace(",", "").replace(".", "").replace("-", "").replace("%", "").strip().isdigit() or text == ""
