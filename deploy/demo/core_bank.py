"""A core bank with a book of its own. It books every posting once, sometimes late, answers twice, or says no."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

from shared.contracts import audit
from shared.contracts.core import PostingConfirmed, PostingFailed
from shared.runtime.clock import Clock
from shared.runtime.headers import body_of, origin_of
from shared.runtime.host import Publish
from shared.runtime.log import Record, Tail

LATE: Final = 0.05
TWICE: Final = 0.05
NO: Final = 0.01
LATE_SECONDS: Final = 120.0  # of the bank's day


class Entry(StrEnum):
    """What the book says of a posting."""

    BOOKED = "booked"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Manner:
    """How the core bank takes one posting: follows from seed and posting id, so a restarted bank is no other."""

    entry: Entry
    late: bool
    twice: bool


def manner_of(seed: int, posting_id: str) -> Manner:
    """Draw how a posting is taken."""
    draw = random.Random(f"{seed}/{posting_id}")
    entry = Entry.REFUSED if draw.random() < NO else Entry.BOOKED
    return Manner(entry, draw.random() < LATE, draw.random() < TWICE)


class Book:
    """The core bank's own book, in a file of its own.

    Holds:   one row per posting id, for ever; written before it is answered; what is written and not answered is
             answered after a restart.
    """

    def __init__(self, file: Path | str) -> None:
        self._rows: Final = sqlite3.connect(file, isolation_level=None)
        self._rows.execute("PRAGMA journal_mode = WAL")
        self._rows.execute("PRAGMA synchronous = NORMAL")
        self._rows.execute(
            "CREATE TABLE IF NOT EXISTS book (posting_id TEXT PRIMARY KEY, request_at TEXT NOT NULL, entry TEXT NOT NULL,"
            " currency TEXT, amount_minor INTEGER, answered INTEGER NOT NULL DEFAULT 0)"
        )

    def write(self, posting: audit.PostingRequested, request_at: str, entry: Entry) -> bool:
        """Write a posting down; `False` when it stands there already. `request_at` says which record asked for it."""
        amount = posting.amount
        added = self._rows.execute(
            "INSERT INTO book (posting_id, request_at, entry, currency, amount_minor) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT DO NOTHING",
            (
                posting.posting_id,
                request_at,
                entry,
                amount.currency if amount else None,
                amount.amount_minor if amount else None,
            ),
        )
        return added.rowcount == 1

    def answered(self, posting_id: str) -> bool:
        """Whether it was answered."""
        row = self._rows.execute("SELECT answered FROM book WHERE posting_id = ?", (posting_id,)).fetchone()
        return row is not None and bool(row[0])

    def asked_for_by(self, posting_id: str) -> str:
        """Which record asked for it first."""
        row = self._rows.execute("SELECT request_at FROM book WHERE posting_id = ?", (posting_id,)).fetchone()
        return str(row[0])

    def note_answer(self, posting_id: str) -> None:
        """It is answered."""
        self._rows.execute("UPDATE book SET answered = 1 WHERE posting_id = ?", (posting_id,))

    def total(self) -> dict[str, int]:
        """What was booked: minor units by currency."""
        rows = self._rows.execute(
            "SELECT currency, SUM(amount_minor) FROM book WHERE entry = ? AND currency IS NOT NULL GROUP BY currency",
            (Entry.BOOKED,),
        )
        return {str(currency): int(total) for currency, total in rows}

    def count(self, entry: Entry) -> int:
        """How many postings were booked, or refused."""
        return int(self._rows.execute("SELECT COUNT(*) FROM book WHERE entry = ?", (entry,)).fetchone()[0])

    def close(self) -> None:
        """Close the file."""
        self._rows.close()


@dataclass
class CoreBank:
    """Reads requests, writes its book, answers. Holds: `repeated` counts requests for what was asked for before."""

    book: Book
    tail: Tail
    clock: Clock
    publish: Publish
    seed: int
    repeated: int = 0
    _late: set[asyncio.Task[None]] = field(default_factory=set)

    async def work(self) -> None:
        """Answer requests until cancelled. Reads from the beginning: its book knows what it has done."""
        await self.tail.start()
        try:
            while True:
                for record in await self.tail.fetch(500, 0.2):
                    await self.take(record)
                self._settle()
        finally:
            for task in self._late:
                task.cancel()
            await self.tail.stop()

    async def take(self, record: Record) -> None:
        """Take one request; the same one again changes nothing in the book and gets the same answer again."""
        posting = body_of(record, origin_of(record).kind)
        if not isinstance(posting, audit.PostingRequested):
            return
        request_at = f"{record.topic}/{record.partition}/{record.offset}"
        manner = manner_of(self.seed, posting.posting_id)
        if not self.book.write(posting, request_at, manner.entry):
            if self.book.asked_for_by(posting.posting_id) != request_at:
                self.repeated += 1
            elif self.book.answered(posting.posting_id):
                return  # read again after a restart
        if manner.late:
            self._later(self._answer(posting, manner, self.clock.real_seconds(LATE_SECONDS)))
        else:
            await self._answer(posting, manner, 0.0)

    def _later(self, answer: Coroutine[None, None, None]) -> None:
        self._late.add(asyncio.create_task(answer))

    def _settle(self) -> None:
        """Forget late answers that are given; the failure of one is the bank's failure."""
        for task in [task for task in self._late if task.done()]:
            self._late.discard(task)
            task.result()

    async def _answer(self, posting: audit.PostingRequested, manner: Manner, wait_seconds: float) -> None:
        if wait_seconds:
            await asyncio.sleep(wait_seconds)
        answer = _answer_to(posting, manner.entry, self.clock.now())
        await self.publish(answer, f"core/{posting.posting_id}")
        if manner.twice:
            await self.publish(answer, f"core/{posting.posting_id}/again")
        self.book.note_answer(posting.posting_id)


def _answer_to(posting: audit.PostingRequested, entry: Entry, now: datetime) -> PostingConfirmed | PostingFailed:
    if entry is Entry.BOOKED:
        return PostingConfirmed(
            posting_id=posting.posting_id,
            case_id=posting.case_id,
            core_reference=f"CB-{posting.posting_id[:8]}",
            booked_at=now,
        )
    return PostingFailed(
        posting_id=posting.posting_id,
        case_id=posting.case_id,
        code="account_closed",
        detail="Expected an open account, found it closed",
        failed_at=now,
    )
