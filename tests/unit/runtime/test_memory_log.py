"""The model of the bus keeps the bus's promises, and breaks them only as it is told to."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from shared.runtime.log import Place, Publisher, Record
from shared.runtime.memory_log import MemoryLog, MemoryPublisher, MemoryReader
from tests.support.log_suite import PARTITIONS, Bus, LogSuite, Member, outgoing

PLACE = ("a", 0)


class TestMemoryLog(LogSuite):
    """The suite over the model."""

    @pytest.fixture
    def bus(self) -> Bus:
        return Bus(MemoryLog(PARTITIONS, ["a", "b"]), "a", "b", "group")

    @pytest.fixture
    def publisher(self, bus: Bus) -> Publisher:
        return bus.log.publisher()


def written(log: MemoryLog) -> list[bytes | None]:
    return [record.key for record in log.records[PLACE]]


async def nothing_noted(numbers: frozenset[int]) -> Mapping[Place, int]:
    return {}


async def nothing_to_finish(numbers: frozenset[int]) -> None:
    return None


def reader(log: MemoryLog) -> MemoryReader:
    return log.group_reader("group", ["a"], nothing_noted, nothing_to_finish)


async def keys(member: MemoryReader) -> list[bytes | None]:
    found: list[Record] = await member.fetch(100, 0)
    return [record.key for record in found]


@pytest.mark.parametrize(
    ("fault", "keeps"),
    [
        ("refuse_publishes", []),
        ("cut_publishes", [b"0", b"1"]),
        ("lose_acknowledgements", [b"0", b"1", b"2", b"3"]),
    ],
)
async def test_a_faulty_publication(fault: str, keeps: list[bytes]) -> None:
    """A publication that is reported failed has written nothing, a part in order, or everything; the next one works."""
    log = MemoryLog(1, ["a"])
    setattr(log.faults, fault, 1)
    publisher = MemoryPublisher(log)
    assert set(await publisher.publish({PLACE: [outgoing(str(n)) for n in range(4)]})) == {PLACE}
    assert written(log) == keeps
    assert await publisher.publish({PLACE: [outgoing("4")]}) == {}
    assert written(log) == [*keeps, b"4"]


async def test_a_redelivery() -> None:
    """A reader that steps back hands out its last records again."""
    log = MemoryLog(1, ["a"])
    for n in range(4):
        log.append(PLACE, outgoing(str(n)))
    member = reader(log)
    await member.start()
    await member.fetch(100, 0)
    member.step_back(2)
    assert await keys(member) == [b"2", b"3"]


async def test_a_zombie() -> None:
    """A member that hears nothing of its dismissal goes on reading beside the new owner, until it hears again."""
    log = MemoryLog(2, ["a"])
    old, new = reader(log), reader(log)
    await old.start()
    old.isolated = True
    old.vanish()
    await new.start()
    log.append(PLACE, outgoing("0"))
    assert await keys(old) == await keys(new) == [b"0"]
    old.isolated = False
    log.append(PLACE, outgoing("1"))
    assert (await keys(old), await keys(new)) == ([], [b"1"])


@pytest.mark.parametrize(("partitions", "count"), [(1, 3), (4, 3), (5, 2), (8, 8)])
async def test_every_number_has_one_owner(partitions: int, count: int) -> None:
    """However many members and numbers: each number has one owner, and shares differ by one at most."""
    log = MemoryLog(partitions, ["a", "b"])
    members = [Member({}) for _ in range(count)]
    for member in members:
        await member.join(Bus(log, "a", "b", "group"))
    for member in members:
        await member.turn()
    assert sorted(n for member in members for n in member.owned) == list(range(partitions))
    sizes = [len(member.owned) for member in members]
    assert max(sizes) - min(sizes) <= 1


async def test_seams() -> None:
    """Every call passes its named seam; nothing else suspends it."""
    seams: list[str] = []

    async def pause(seam: str) -> None:
        seams.append(seam)

    log = MemoryLog(1, ["a"], pause)
    member = reader(log)
    await member.start()
    await member.fetch(1, 60)
    await log.publisher().publish({PLACE: [outgoing("0")]})
    await log.tail(["a"]).fetch(1, 60)
    await log.pause(60)
    assert seams == ["log.fetch", "log.publish.before", "log.publish.after", "tail.fetch", "pause"]
