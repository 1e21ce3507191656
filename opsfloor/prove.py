"""`opsfloor prove`: nothing lost, nothing doubled, books equal, said of the tables and the bus as they stand."""

from __future__ import annotations

import asyncio
import json as json_text
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from pydantic import TypeAdapter, ValidationError
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from opsfloor import database, floor
from opsfloor.answers import Remedied, as_json, err, out, said, table
from opsfloor.proving import BUS_RECORDS, TO_STATUS, Proof, document
from opsfloor.proving import prove as proved
from shared.proof.cases import judge_books

BOOK: Final = TypeAdapter(dict[str, int])
ENDED: Final = ("posted", "closed")


def prove(
    core_book: Annotated[
        Path | None,
        typer.Option(
            help="the core bank's own book, to compare with: JSON, minor units by currency",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="one JSON document instead of tables")] = False,
) -> None:
    """Prove from tables and bus that nothing is lost or doubled and the books are equal; exit status 1 with what is broken.

    Reads only, of a floor that runs or stands still: every accepted submission is one case, every case has at most one end and one
    posting, nobody did two steps of it, its life folded again gives what is stored, whatever a service told the next one is taken or
    waits, and the last records of each partition of the bus are those that the tables know. What is on its way at the moment is
    counted and not judged.
    """
    theirs = None if core_book is None else _read(core_book)
    columns = (TextColumn("cases folded again"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with database.told(), Progress(*columns, console=err, transient=True) as bar:
        line = bar.add_task("", total=None)
        proof = asyncio.run(proved(floor.settings(), lambda done, total: bar.update(line, completed=done, total=total)))
    if theirs is not None:
        proof.add(judge_books(proof.book, theirs), TO_STATUS)
    if json:
        as_json(document(proof))
    else:
        _show(proof, compared=theirs is not None)
    raise typer.Exit(1 if proof.counts else 0)


def _read(file: Path) -> dict[str, int]:
    def once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        twice = [currency for currency, count in Counter(currency for currency, _ in pairs).items() if count > 1]
        if twice:
            raise Remedied(
                f"Expected each currency once in the core bank's book in {file}, found {', '.join(twice)} several times",
                "keep one amount of each, the whole of it",
            )
        return dict(pairs)

    try:
        raw = file.read_bytes()
        book = BOOK.validate_json(raw)
        json_text.loads(raw, object_pairs_hook=once)
    except ValidationError as error:
        raise Remedied(
            f"Expected the core bank's book in {file}, found {error.errors()[0]['msg']}",
            'write it as {"CNY": 123450}: minor units by currency',
        ) from error
    return book


def _show(proof: Proof, *, compared: bool) -> None:
    rows = [(f"{phase} at intake", f"{count:,}") for phase, count in proof.submissions.items()]
    rows += [(f"cases {phase}", f"{proof.cases.get(phase, 0):,}") for phase in ENDED]
    rows += [("cases open", f"{sum(count for phase, count in proof.cases.items() if phase not in ENDED):,}")]
    rows += [("cases on their way to controls", f"{proof.on_their_way:,}")]
    rows += [("facts that wait to be taken", f"{proof.waiting:,}")]
    rows += [(f"posted, {currency}, minor units", f"{amount:,}") for currency, amount in sorted(proof.book.items())]
    table("Submissions, cases, book", ("", ""), rows)
    for promise, first in proof.first.items():
        err.print(f"[bold red]✗[/] {promise}: broken {proof.counts[promise]} times")
        for broken in first:
            err.print(f"  {said(broken.finding.detail)}\n    [bold]Look:[/] {said(broken.look)}", soft_wrap=True)
    if not proof.counts:
        books = "the books are equal" if compared else "every posting is what was asked for"
        out.print(
            f"[green]✓[/] nothing lost, nothing doubled, {books}: {proof.folded:,} cases folded again, "
            f"{proof.lanes:,} lanes compared",
            soft_wrap=True,
        )
    out.print(
        f"Not looked at: what lies on the bus before the last {BUS_RECORDS} records of a partition", soft_wrap=True
    )
