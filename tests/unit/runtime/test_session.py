"""A process that keeps coming late asks its group for more time, up to a bound, and for what was set when it is calm."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition

from shared.runtime.kafka_log import KafkaReader, _Listener
from shared.runtime.log import Place
from shared.runtime.session import CALM_SECONDS, LONGER_MAX, Session


class Time:
    """The process's own time, moved by hand."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


def late(session: Session, time: Time, after: float) -> float:
    """What is asked for after one more lateness."""
    time.now += after
    session.came_late()
    return session.seconds


def test_once_is_a_pause(time: Time) -> None:
    """A process that was stopped once, by a debugger or a machine's sleep, hands its shards over as fast as before."""
    assert late(Session(6.0, time), time, 0) == 6.0


def test_who_keeps_coming_late_asks_for_more_up_to_a_bound(time: Time) -> None:
    """Twice as long each time."""
    session = Session(6.0, time)
    assert [late(session, time, 10.0 + session.seconds) for _ in range(6)] == [6.0, 12.0, 24.0, 30.0, 30.0, 30.0]
    assert LONGER_MAX * 6.0 == 30.0


@pytest.mark.parametrize(("given", "most"), [(2.0, 10.0), (30.0, 60.0), (120.0, 120.0)])
def test_the_bound(time: Time, given: float, most: float) -> None:
    """Five times what was set, a minute at most, and never less than what was set."""
    session = Session(given, time)
    assert [late(session, time, 10.0 + session.seconds) for _ in range(6)][-1] == most


def test_readers_that_are_late_together_are_late_once(time: Time) -> None:
    """All readers of a process hear of the same pause within moments."""
    session = Session(6.0, time)
    assert [late(session, time, 0.1) for _ in range(5)] == [6.0] * 5
    assert [late(session, time, after) for after in (10.0, 0.1, 0.1)] == [12.0] * 3


def test_after_calm_it_is_as_it_was_set(time: Time) -> None:
    """And the next lateness is a first one again."""
    session = Session(6.0, time)
    late(session, time, 0)
    assert late(session, time, 10.0) == 12.0
    time.now += CALM_SECONDS
    assert session.seconds == 6.0
    assert late(session, time, 1.0) == 6.0
    assert late(session, time, 10.0) == 12.0


class Full:
    """A group on a full machine: whoever joined is heard of so many seconds later at the worst."""

    def __init__(self, time: Time, heard_after: float) -> None:
        self._time = time
        self._heard_after = heard_after

    def rounds_until_left_alone(self, session: Session) -> int | None:
        """How often it puts a member out before one is left in; `None` when that does not end."""
        for round_ in range(30):
            if session.seconds > self._heard_after:
                return round_
            self._time.now += self._heard_after
            session.came_late()
        return None


def test_two_on_a_full_machine_come_to_rest(time: Time) -> None:
    """Within as many rounds as it takes to ask for the time it needs; with a session that stays it never ended."""
    full = Full(time, heard_after=20.0)
    assert full.rounds_until_left_alone(Session(6.0, time)) == 3
    assert Full(time, heard_after=40.0).rounds_until_left_alone(Session(6.0, time)) is None  # beyond the bound


class Coordinator:
    """As aiokafka's: whether it is a member, and what it would ask for."""

    def __init__(self) -> None:
        self.member_id = "me"
        self._session_timeout_ms = 0

    def maybe_leave_group(self) -> asyncio.Task[None]:
        async def leave() -> None:
            self.member_id = ""

        return asyncio.ensure_future(leave())


class Joined:
    """As aiokafka's consumer that owns one shard."""

    def __init__(self) -> None:
        self._coordinator = Coordinator()

    async def start(self) -> None:
        return None

    def subscribe(self, topics: list[str], listener: object) -> None:
        return None

    def assignment(self) -> set[TopicPartition]:
        return {TopicPartition("topic", 0)}

    def paused(self) -> set[TopicPartition]:
        return set()

    def pause(self, *spots: TopicPartition) -> None:
        return None

    resume = pause

    async def getmany(self, *spots: TopicPartition, **how: int) -> dict[TopicPartition, list[object]]:
        return {}


async def _claimed(numbers: frozenset[int]) -> Mapping[Place, int]:
    return {}


async def _dropped(numbers: frozenset[int]) -> None:
    return None


async def reader_of(session: Session) -> SimpleNamespace:
    """A reader that has joined, its client and the listener of its group."""
    client: Any = Joined()
    reader = KafkaReader(lambda: client, ["topic"], _claimed, _dropped, session)
    await reader.start()
    return SimpleNamespace(reader=reader, group=client._coordinator, listener=_Listener(reader, client))


MINE = [TopicPartition("topic", 0)]


async def test_a_member_that_was_put_out_came_late_and_one_that_is_asked_to_join_again_did_not(time: Time) -> None:
    """The group tells the first that it knows no such member, and the second that others come or go."""
    found = await reader_of(Session(6.0, time))
    for member, asked in (("me", 6_000), ("", 6_000), ("", 12_000), ("me", 12_000), ("", 24_000)):
        time.now += 15.0
        found.group.member_id = member
        await found.listener.on_partitions_revoked(MINE)
        assert found.group._session_timeout_ms == asked


async def test_a_first_joining_is_not_late(time: Time) -> None:
    """It is no member and has no shards."""
    found = await reader_of(Session(6.0, time))
    for _ in range(3):
        time.now += 15.0
        found.group.member_id = ""
        await found.listener.on_partitions_revoked([])
        assert found.group._session_timeout_ms == 6_000


async def test_who_is_calm_joins_anew_with_the_session_that_was_set(time: Time) -> None:
    """So that a dead process's shards are taken over as fast as stated; to leave for that is not to be late."""
    found = await reader_of(Session(6.0, time))
    for _ in range(2):
        time.now += 15.0
        found.group.member_id = ""
        await found.listener.on_partitions_revoked(MINE)
    found.group.member_id = "me"
    await found.reader.fetch(10, 0.0)
    await asyncio.sleep(0)
    assert found.group.member_id == "me", "not calm yet"
    time.now += CALM_SECONDS
    await found.reader.fetch(10, 0.0)
    await asyncio.sleep(0)
    assert found.group.member_id == ""
    await found.listener.on_partitions_revoked(MINE)
    assert found.group._session_timeout_ms == 6_000
    time.now += 1.0
    found.group.member_id = ""
    await found.listener.on_partitions_revoked(MINE)
    assert found.group._session_timeout_ms == 6_000, "the first lateness after the calm"
