"""How the command line answers: tables for people, JSON for programs, failures with their remedy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import orjson
from rich.console import Console
from rich.table import Table

out: Final = Console(highlight=False)
err: Final = Console(stderr=True, highlight=False)


class Remedied(Exception):
    """Something did not work, and what to do about it is known."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.what: Final = what
        self.remedy: Final = remedy


def complain(error: Remedied) -> None:
    """Say what is wrong and what to do, on standard error."""
    err.print(f"[bold red]✗[/] {error.what}")
    err.print(f"  [bold]Remedy:[/] {error.remedy}")


def as_json(value: Any) -> None:
    """Print one JSON document."""
    out.file.write(orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str).decode() + "\n")


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; numbers are aligned to the right."""
    sheet = Table(title=title, title_justify="left", title_style="bold")
    content = [[_text(cell) for cell in row] for row in rows]
    for index, column in enumerate(columns):
        numeric = bool(content) and all(_numeric(row[index]) for row in content)
        sheet.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in content:
        sheet.add_row(*row)
    out.print(sheet)


def _text(cell: object) -> str:
    return f"{cell:,.1f}" if isinstance(cell, float) else f"{cell:,}" if isinstance(cell, int) else str(cell)


def _numeric(text: str) -> bool:
    return text.replace(",", "").replace(".", "").replace("-", "").replace("%", "").strip().isdigit() or text == ""
