"""What every bus promises: one suite, run over the model and over Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from shared.contracts.core import PostingConfirmed
from shared.runtime.errors import ContractError
from shared.runtime.headers import Cause, event_id_of, headers_for
from shared.runtime.log import GroupReader, Log, Outgoing, Place, Publisher, Record, Tail
from tests.support.bundling import bundled

PARTITIONS = 4
TURNS_MAX = 400
WAIT_SECONDS = 0.1
AT = datetime(2026, 3, 2, 9, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Bus:
    """A bus with two empty topics of `PARTITIONS` partitions each, `a` and `b`, and a group that nobody else uses."""

    log: Log
    a: str
    b: str
    group: str


@dataclass(slots=True)
class Member:
    """A group member that keeps what it read, and notes in `noted` how far, as a store would.

    Holds:   every record handed out is of a number that it owns.
    """

    noted: dict[Place, int]
    taken: list[Record] = field(default_factory=list)
    owned: set[int] = field(default_factory=set)
    told: list[tuple[str, frozenset[int]]] = field(default_factory=list)
    reader: GroupReader | None = None

    async def join(self, bus: Bus) -> None:
        self.reader = bus.log.group_reader(bus.group, [bus.a, bus.b], self.claimed, self.dropped)
        await self.reader.start()

    async def claimed(self, numbers: frozenset[int]) -> Mapping[Place, int]:
        self.told.append(("claimed", numbers))
        self.owned |= numbers
        return {place: at for place, at in self.noted.items() if place[1] in numbers}

    async def dropped(self, numbers: frozenset[int]) -> None:
        self.told.append(("dropped", numbers))
        assert numbers <= self.owned
        self.owned -= numbers

    async def turn(self) -> None:
        assert self.reader is not None
        for record in await self.reader.fetch(3, WAIT_SECONDS):
            assert record.partition in self.owned
            self.taken.append(record)
            self.noted[(record.topic, record.partition)] = record.next_offset

    def reader_of(self) -> GroupReader:
        assert self.reader is not None
        return self.reader

    async def leave(self) -> None:
        assert self.reader is not None
        await self.reader.stop()


def outgoing(text: str) -> Outgoing:
    return Outgoing(text.encode(), f"body of {text}".encode(), (("ce_type", text.encode()),), 1_900_000_000_000)


def lane_fact(place: Place, sequence: int) -> Outgoing:
    """A fact of one writer's lane, as the runtime writes it."""
    fact = PostingConfirmed(posting_id=f"p{sequence}", case_id="c", core_reference="r", booked_at=AT)
    headers = headers_for(fact, event_id_of(b"/w", place, sequence), b"/w", sequence, b"t", Cause("e", "", ""))
    return Outgoing(b"k", fact.model_dump_json().encode(), headers, 1_900_000_000_000)


async def write(publisher: Publisher, places: Sequence[Place], texts: Sequence[str]) -> None:
    rows = {place: [outgoing(text) for text in texts] for place in places}
    failed = await publisher.publish(rows)
    assert failed == {}, failed


async def work(members: Sequence[Member], done: Callable[[], bool]) -> None:
    """Let the members take turns until it is done; a bus that never gets there fails the test."""
    for _ in range(TURNS_MAX):
        if done():
            return
        await asyncio.gather(*(member.turn() for member in members))
    raise AssertionError(f"Expected the members to get there, found {[(m.owned, len(m.taken)) for m in members]}")


def texts(records: Sequence[Record], place: Place) -> list[str]:
    return [record.key.decode() for record in records if record.key and (record.topic, record.partition) == place]


def everything(bus: Bus) -> list[Place]:
    return [(topic, number) for topic in (bus.a, bus.b) for number in range(PARTITIONS)]


async def read_to_ready(tail: Tail) -> list[Record]:
    """Start a tail that has something to read and take what makes it ready."""
    await tail.start()
    assert not await tail.ready()
    found: list[Record] = []
    for _ in range(TURNS_MAX):
        if await tail.ready():
            return found
        found += await tail.fetch(3, WAIT_SECONDS)
    raise AssertionError(f"Expected the tail to be ready, found {len(found)} records")


class LogSuite:
    """A subclass gives the fixtures `bus` and `publisher`, the latter started."""

    async def test_a_record_comes_back(self, bus: Bus, publisher: Publisher) -> None:
        """Key, body, headers and time arrive as written; an empty body stays none; offsets count from 0."""
        first = Outgoing(
            b"k\xff", b"\x00body", (("ce_type", b"\xff"), ("ce_type", b""), ("ö", b"2")), 1_234_567_890_123
        )
        second = Outgoing(b"", None, (), 1_234_567_890_124)
        assert await publisher.publish({(bus.a, 2): [first, second]}) == {}
        member = Member({})
        await member.join(bus)
        await work([member], lambda: len(member.taken) == 2)
        await member.leave()
        assert member.taken == [
            Record(bus.a, 2, 0, first.key, first.value, first.headers, first.timestamp_ms),
            Record(bus.a, 2, 1, second.key, None, (), second.timestamp_ms),
        ]

    async def test_a_bundle_comes_fact_by_fact(self, bus: Bus, publisher: Publisher) -> None:
        """A hand-out may end within it: the rest comes with the next; who begins at what was noted gets all of it again."""
        place = (bus.a, 1)
        facts = [lane_fact(place, sequence) for sequence in range(1, 9)]
        assert await publisher.publish({place: [*bundled(facts[:7]), facts[7]]}) == {}
        member = Member({})
        await member.join(bus)
        await work([member], lambda: len(member.taken) > 0)
        assert (len(member.taken) < 7, member.noted) == (True, {place: 0})
        await member.reader_of().seek(member.noted)
        member.taken.clear()
        await work([member], lambda: len(member.taken) == 8)
        await member.leave()
        assert [record.value for record in member.taken] == [fact.value for fact in facts]
        assert [record.headers for record in member.taken] == [fact.headers for fact in facts]
        assert [(record.offset, record.more) for record in member.taken] == [
            *((0, 6 - n) for n in range(7)),
            (1, 0),
        ]
        tail = bus.log.tail([bus.a])
        assert await read_to_ready(tail) == member.taken
        await tail.stop()

    async def test_order_per_place(self, bus: Bus, publisher: Publisher) -> None:
        """Records of one place arrive in the order of publication, over many batches, with dense offsets."""
        for n in range(0, 60, 20):
            await write(publisher, everything(bus), [str(n + i) for i in range(20)])
        member = Member({})
        await member.join(bus)
        await work([member], lambda: len(member.taken) == 60 * len(everything(bus)))
        await member.leave()
        for place in everything(bus):
            assert texts(member.taken, place) == [str(n) for n in range(60)]
            assert [r.offset for r in member.taken if (r.topic, r.partition) == place] == list(range(60))

    async def test_whole_numbers_are_claimed_first(self, bus: Bus, publisher: Publisher) -> None:
        """One member owns every number, is told before the first record, and is told to drop them when it leaves."""
        await write(publisher, everything(bus), ["x"])
        member = Member({})
        await member.join(bus)
        await work([member], lambda: len(member.taken) == len(everything(bus)))
        assert member.told[0][0] == "claimed"
        assert member.owned == set(range(PARTITIONS))
        assert await member.reader.ends() == dict.fromkeys(everything(bus), 1)  # type: ignore[union-attr]  # joined
        await member.leave()
        assert member.owned == set()

    async def test_starts_are_obeyed(self, bus: Bus, publisher: Publisher) -> None:
        """A place is read from the claim's start; one without a start from its beginning, whatever the broker noted."""
        await write(publisher, everything(bus), [str(n) for n in range(6)])
        first = Member({})
        await first.join(bus)
        await work([first], lambda: len(first.taken) == 6 * len(everything(bus)))
        await first.reader.hint(dict.fromkeys(everything(bus), 6))  # type: ignore[union-attr]  # joined above
        await first.leave()
        second = Member({(bus.a, 1): 4, (bus.b, 1): 6})
        await second.join(bus)
        await work([second], lambda: len(second.taken) == 6 * len(everything(bus)) - 10)
        for _ in range(3):
            await second.turn()
        await second.leave()
        assert texts(second.taken, (bus.a, 1)) == ["4", "5"]
        assert texts(second.taken, (bus.b, 1)) == []
        assert texts(second.taken, (bus.a, 0)) == ["0", "1", "2", "3", "4", "5"]

    async def test_seek(self, bus: Bus, publisher: Publisher) -> None:
        """After a seek the named places are read again from there, and the others go on."""
        await write(publisher, [(bus.a, 0), (bus.a, 1)], ["0", "1", "2"])
        member = Member({})
        await member.join(bus)
        await work([member], lambda: len(member.taken) == 6)
        await member.reader.seek({(bus.a, 0): 1})  # type: ignore[union-attr]  # joined above
        await work([member], lambda: len(member.taken) == 8)
        await write(publisher, [(bus.a, 0), (bus.a, 1)], ["3"])
        await work([member], lambda: len(member.taken) == 10)
        await member.leave()
        assert texts(member.taken, (bus.a, 0)) == ["0", "1", "2", "1", "2", "3"]
        assert texts(member.taken, (bus.a, 1)) == ["0", "1", "2", "3"]

    async def test_two_members(self, bus: Bus, publisher: Publisher) -> None:
        """Two members share the numbers, each whole over both topics; one alone has all; no record is lost."""
        noted: dict[Place, int] = {}
        one, two = Member(noted), Member(noted)
        places = everything(bus)
        await one.join(bus)
        await write(publisher, places, ["0", "1"])
        await work([one], lambda: len(one.taken) == 2 * len(places))
        await two.join(bus)
        await work([one, two], lambda: bool(two.owned) and len(one.owned) + len(two.owned) == PARTITIONS)
        assert one.owned | two.owned == set(range(PARTITIONS))
        assert len(one.owned) == len(two.owned) == PARTITIONS // 2
        before = len(one.taken)
        await write(publisher, places, ["2", "3"])
        await work([one, two], lambda: len(one.taken) + len(two.taken) >= before + 2 * len(places))
        assert two.taken
        await one.leave()
        await write(publisher, places, ["4"])
        await work([two], lambda: all(noted[place] == 5 for place in places))
        assert two.owned == set(range(PARTITIONS))
        await two.leave()
        for place in places:
            read = {*texts(one.taken, place), *texts(two.taken, place)}
            assert read == {"0", "1", "2", "3", "4"}
            assert texts(two.taken, place) == sorted(texts(two.taken, place))

    async def test_what_is_urgent_does_not_wait_behind_a_bulk(self, bus: Bus, publisher: Publisher) -> None:
        """Of what has come, the first topic comes first, and a bulk on one place leaves room for the others."""
        await write(publisher, [(bus.b, 0)], [f"bulk-{n}" for n in range(200)])
        await write(publisher, [(bus.b, 1)], ["beside"])
        await write(publisher, [(bus.a, 0)], ["urgent-0", "urgent-1"])
        member = Member({})
        await member.join(bus)
        assert member.reader is not None
        first: list[Record] = []
        for _ in range(TURNS_MAX):
            first = first or await member.reader.fetch(20, WAIT_SECONDS)
        await member.leave()
        assert texts(first, (bus.a, 0)) == ["urgent-0", "urgent-1"]
        assert texts(first, (bus.b, 1)) == ["beside"]
        assert texts(first, (bus.b, 0)) == [f"bulk-{n}" for n in range(17)]

    async def test_the_most_urgent_leaves_room_for_the_rest(self, bus: Bus, publisher: Publisher) -> None:
        """However much comes on the first topic, the second comes on too."""
        await write(publisher, [(bus.a, 0), (bus.b, 0)], [str(n) for n in range(80)])
        member = Member({})
        await member.join(bus)
        await work([member], lambda: len(texts(member.taken, (bus.b, 0))) >= 5)
        await member.leave()
        assert len(texts(member.taken, (bus.a, 0))) < 80

    async def test_nothing_comes_of_nothing(self, bus: Bus) -> None:
        """A fetch from empty places is an empty list."""
        member = Member({})
        await member.join(bus)
        await work([member], lambda: len(member.owned) == PARTITIONS)
        await member.turn()
        await member.leave()
        assert member.taken == []

    async def test_a_failed_place(self, bus: Bus, publisher: Publisher) -> None:
        """A place that cannot be written is named with its reason; the others are written; later calls work."""
        wrong = (bus.a, PARTITIONS + 3)
        failed = await publisher.publish({wrong: [outgoing("0")], (bus.a, 0): [outgoing("0")]})
        assert set(failed) == {wrong}
        assert failed[wrong].startswith("Expected a topic")
        await write(publisher, [(bus.a, 0)], ["1"])
        member = Member({})
        await member.join(bus)
        await work([member], lambda: len(member.taken) == 2)
        await member.leave()
        assert texts(member.taken, (bus.a, 0)) == ["0", "1"]

    async def test_publishing_at_once(self, bus: Bus, publisher: Publisher) -> None:
        """Several may publish to one place at once, as an HTTP face does: all is written, each in its order."""
        places = [(bus.a, 0), (bus.b, 1)]
        await asyncio.gather(*(write(publisher, places, [f"{n}-{i}" for i in range(5)]) for n in range(8)))
        member = Member({})
        await member.join(bus)
        await work([member], lambda: len(member.taken) == 80)
        await member.leave()
        for place in places:
            found = texts(member.taken, place)
            for n in range(8):
                assert [text for text in found if text.startswith(f"{n}-")] == [f"{n}-{i}" for i in range(5)]

    async def test_a_tail(self, bus: Bus, publisher: Publisher) -> None:
        """A tail is ready when all that was there at its start is handed out; later records come too, to every tail."""
        await write(publisher, everything(bus), ["0", "1"])
        tails = [bus.log.tail([bus.a]) for _ in range(2)]
        found = [await read_to_ready(tail) for tail in tails]
        await write(publisher, [(bus.a, 3), (bus.b, 3)], ["later"])
        for tail, before in zip(tails, found, strict=True):
            assert sorted((record.partition, record.key) for record in before) == [
                (number, key) for number in range(PARTITIONS) for key in (b"0", b"1")
            ]
            later: list[Record] = []
            for _ in range(TURNS_MAX):
                later += await tail.fetch(3, WAIT_SECONDS)
                if later:
                    break
            await tail.stop()
            assert [(record.topic, record.key) for record in later] == [(bus.a, b"later")]

    async def test_a_tail_of_nothing(self, bus: Bus) -> None:
        """A tail of empty topics is ready at once, so that a new floor starts."""
        tail = bus.log.tail([bus.a, bus.b])
        await tail.start()
        assert await tail.ready()
        await tail.stop()

    async def test_partitions(self, bus: Bus) -> None:
        """The bus tells how many partitions a topic has, and that a topic is absent."""
        assert await bus.log.partitions(bus.a) == PARTITIONS
        with pytest.raises(ContractError, match="Expected a topic"):
            await bus.log.partitions("no.such.topic")
