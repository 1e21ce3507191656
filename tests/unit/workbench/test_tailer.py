"""The log wakes and answers; without it nothing breaks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest

from services.routing.workbench.answers import Answers
from services.routing.workbench.tailer import TOPICS, Tailer
from shared.contracts.message import Message
from shared.contracts.routing import CommandRefused, OperatorReady, WorkAssigned
from shared.runtime.errors import TransientError
from shared.runtime.headers import outside_headers
from shared.runtime.log import Record
from tests.unit.routing.floor import NOW


def ready(command_id: str, operator_id: str = "anna") -> OperatorReady:
    return OperatorReady(team_id="north", at=NOW, operator_id=operator_id, command_id=command_id, fingerprint="f")


def refused(command_id: str, code: str = "conflict") -> CommandRefused:
    return CommandRefused.model_validate(
        {
            "team_id": "north",
            "at": NOW,
            "command_id": command_id,
            "operator_id": "anna",
            "code": code,
            "detail": "Expected …",
        }
    )


ASSIGNED = WorkAssigned(
    work_item_id="item-1",
    case_id="case-1",
    at=NOW,
    team_id="north",
    provider_id="bank",
    operator_id="anna",
    business_type="transfer",
    step="entry",
    attempt=1,
    requested_at=NOW,
    lease_until=NOW,
    why="first in line",
)


def record(message: Message, value: bytes | None = None, age: timedelta = timedelta(0)) -> Record:
    """The message as it lies on the log."""
    body = message.model_dump_json().encode() if value is None else value
    headers = outside_headers(message, "/opsfloor/routing/desk/0", "event", NOW)
    return Record(message.topic.name, 0, 0, message.key.encode(), body, headers, int((NOW - age).timestamp() * 1000))


class ShortTail:
    """Hands out its batches one by one, then fails or stays silent."""

    def __init__(self, batches: Sequence[Sequence[Record]], fails: bool) -> None:
        self.batches = list(batches)
        self.fails = fails
        self.stopped = False

    async def start(self) -> None:
        return None

    async def ready(self) -> bool:
        return not self.batches

    async def fetch(self, records_max: int, wait_seconds: float) -> list[Record]:
        if self.batches:
            return list(self.batches.pop(0))
        if self.fails:
            raise TransientError("the broker went away")
        return []

    async def stop(self) -> None:
        self.stopped = True


async def until(true: Callable[[], bool]) -> None:
    """Wait for it, at most a second."""
    async with asyncio.timeout(1):
        while not true():
            await asyncio.sleep(0.001)


async def test_the_log_is_followed_over_failures() -> None:
    """A tail that fails is stopped and made anew; what it told stays known."""
    answers, tails = Answers(), [ShortTail([[record(ready("c-1"))]], True), ShortTail([[record(ready("c-2"))]], False)]
    left = list(tails)
    asked: list[tuple[str, ...]] = []

    def tail(topics: Sequence[str]) -> ShortTail:
        asked.append(tuple(topics))
        return left.pop(0)

    tailer = Tailer(tail, answers, lambda: NOW, retry_seconds=0.001)
    await tailer.start()
    await until(lambda: answers.to("anna", "c-2") is not None)
    await tailer.stop()
    assert answers.to("anna", "c-1") is not None
    assert all(tail.stopped for tail in tails)
    assert asked == [TOPICS, TOPICS]


async def test_a_record_that_cannot_be_read_is_counted_and_passed_over() -> None:
    """The desk's own readers park such a record; the face goes on."""
    answers = Answers()
    broken = record(ready("c-1"), value=b"{")
    bare = Record("routing.desk.v1", 0, 1, b"north", b"{}", (), int(NOW.timestamp() * 1000))
    tailer = Tailer(lambda _: ShortTail([[broken, bare, record(ready("c-2"))]], False), answers, lambda: NOW)
    await tailer.start()
    await until(lambda: answers.to("anna", "c-2") is not None)
    await tailer.stop()
    assert tailer.refused == 2


async def test_old_records_are_passed_over_undecoded() -> None:
    """What lies on the log from long before the start costs nothing: even a broken body of it is not looked at."""
    answers = Answers()
    old = record(ready("c-1"), value=b"{", age=timedelta(hours=1))
    tailer = Tailer(lambda _: ShortTail([[old, record(ready("c-2"))]], False), answers, lambda: NOW)
    await tailer.start()
    await until(lambda: answers.to("anna", "c-2") is not None)
    await tailer.stop()
    assert tailer.refused == 0


def test_the_memory_is_bounded_and_the_oldest_goes_first() -> None:
    """However much is answered, no more than the limit is kept."""
    answers = Answers(answers_max=3)
    for number in range(10):
        answers.hear(ready(f"c-{number}"))
    assert len(answers) == 3
    assert answers.to("anna", "c-6") is None
    assert answers.to("anna", "c-9") is not None


def test_a_conflict_does_not_hide_the_first_answer() -> None:
    """The verdict on the first content stands whatever is sent under its id later."""
    answers = Answers()
    answers.hear(ready("c-1"))
    answers.hear(refused("c-1"))
    known = answers.to("anna", "c-1")
    assert known is not None
    assert not known.refused
    answers.hear(refused("c-2", "not_assigned"))
    other = answers.to("anna", "c-2")
    assert other is not None
    assert other.refused


@pytest.mark.parametrize(("operator_id", "woken"), [("anna", True), ("ben", False)])
def test_an_offer_wakes_its_operator_and_nobody_else(operator_id: str, woken: bool) -> None:
    """Each long poll hears of its own operator's offers, and nothing is remembered of who has gone."""
    answers = Answers()
    with answers.expecting_work(operator_id) as offered:
        answers.hear(ASSIGNED)
        assert offered.is_set() == woken
    assert not answers.awaited
