"""The core bank books once, answers as it likes, and forgets nothing over a restart."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.demo.core_bank import Book, CoreBank, Entry, Manner, manner_of
from shared.contracts import audit
from shared.contracts.core import PostingConfirmed, PostingFailed
from shared.runtime.clock import ScaledClock
from shared.runtime.headers import outside_headers
from shared.runtime.log import Record
from shared.runtime.memory_log import MemoryLog
from tests.unit.demo.bank import NOON, Notebook, requested

SEED = 1


def posting_that(wanted: Manner) -> audit.PostingRequested:
    """A posting that this bank takes in the wanted manner."""
    ids = (f"p{number}" for number in range(100_000))
    return requested(posting_id=next(one for one in ids if manner_of(SEED, one) == wanted))


def asking_for(posting: audit.PostingRequested, offset: int = 0) -> Record:
    """The record that asks for it."""
    headers = outside_headers(posting, "/floor", posting.posting_id, NOON)
    body = posting.model_dump_json().encode()
    return Record(audit.POSTING.name, 0, offset, posting.key.encode(), body, headers, 0)


@pytest.fixture
def notebook() -> Notebook:
    """What the bank answered."""
    return Notebook()


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    """A book in a file."""
    book = Book(tmp_path / "book.sqlite")
    yield book
    book.close()


def bank(book: Book, notebook: Notebook) -> CoreBank:
    """A core bank whose two minutes pass in a hundredth of a second."""
    log = MemoryLog(1, [audit.POSTING.name])
    clock = ScaledClock(NOON, time.time(), 12_000.0)
    return CoreBank(book, log.tail([audit.POSTING.name]), clock, notebook.publish, SEED)


AT_ONCE = Manner(Entry.BOOKED, late=False, twice=False)


async def test_a_posting_is_booked_and_confirmed(book: Book, notebook: Notebook) -> None:
    """The amount stands in the book, to the cent, and one confirmation goes out."""
    await bank(book, notebook).take(asking_for(posting_that(AT_ONCE)))
    assert book.total() == {"CNY": 123_450}
    assert len(notebook.of(PostingConfirmed)) == 1


async def test_the_same_request_again_is_not_booked_again(book: Book, notebook: Notebook) -> None:
    """Asked for twice under one posting id: booked once, confirmed again in the same words, counted as a repeat."""
    core, posting = bank(book, notebook), posting_that(AT_ONCE)
    await core.take(asking_for(posting, 0))
    await core.take(asking_for(posting, 1))
    assert book.total() == {"CNY": 123_450}
    assert core.repeated == 1
    references = {
        message.core_reference for message in notebook.of(PostingConfirmed) if isinstance(message, PostingConfirmed)
    }
    assert len(references) == 1


async def test_some_confirmations_come_twice(book: Book, notebook: Notebook) -> None:
    """One posting, two confirmations, one line in the book."""
    await bank(book, notebook).take(asking_for(posting_that(Manner(Entry.BOOKED, late=False, twice=True))))
    assert len(notebook.of(PostingConfirmed)) == 2
    assert book.count(Entry.BOOKED) == 1


async def test_some_postings_are_refused_and_never_booked(book: Book, notebook: Notebook) -> None:
    """A no is answered as a no and adds nothing to the book."""
    await bank(book, notebook).take(asking_for(posting_that(Manner(Entry.REFUSED, late=False, twice=False))))
    assert book.total() == {}
    assert len(notebook.of(PostingFailed)) == 1


async def test_some_answers_come_late(book: Book, notebook: Notebook) -> None:
    """A late answer is booked at once and confirmed later."""
    await bank(book, notebook).take(asking_for(posting_that(Manner(Entry.BOOKED, late=True, twice=False))))
    assert book.count(Entry.BOOKED) == 1
    assert notebook.published == []
    await asyncio.sleep(0.05)
    assert len(notebook.of(PostingConfirmed)) == 1


async def test_a_restart_answers_what_was_booked_and_not_answered(tmp_path: Path, notebook: Notebook) -> None:
    """Died between booking and answering: the restarted bank reads the request again, books nothing, and answers."""
    posting, file = posting_that(AT_ONCE), tmp_path / "book.sqlite"
    before = Book(file)
    record = asking_for(posting)
    before.write(posting, f"{record.topic}/{record.partition}/{record.offset}", Entry.BOOKED)
    before.close()
    book = Book(file)
    core = bank(book, notebook)
    await core.take(record)
    assert (book.total(), core.repeated) == ({"CNY": 123_450}, 0)
    assert len(notebook.of(PostingConfirmed)) == 1
    book.close()


async def test_a_restart_does_not_answer_again_what_was_answered(tmp_path: Path, notebook: Notebook) -> None:
    """Reading all requests from the beginning, the bank says nothing about those that it has answered."""
    file, record = tmp_path / "book.sqlite", asking_for(posting_that(AT_ONCE))
    before = Book(file)
    await bank(before, notebook).take(record)
    before.close()
    book = Book(file)
    await bank(book, notebook).take(record)
    assert len(notebook.published) == 1
    book.close()


def test_how_a_posting_is_taken_follows_from_seed_and_id() -> None:
    """The same bank never changes its mind about a posting, and most are booked at once."""
    manners = [manner_of(SEED, f"p{number}") for number in range(2000)]
    assert manners == [manner_of(SEED, f"p{number}") for number in range(2000)]
    assert sum(manner.entry is Entry.REFUSED for manner in manners) in range(5, 45)
    assert sum(manner.late for manner in manners) in range(60, 140)
