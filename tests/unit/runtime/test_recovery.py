"""A store that went back to an earlier point is brought up from the bus: over models, at every cut, from drawn stories."""

from __future__ import annotations

import copy
import random
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.contracts import core, intake
from shared.contracts.core import PostingConfirmed
from shared.contracts.intake import SubmissionAccepted
from shared.contracts.message import Message
from shared.contracts.vendor import InspectionSettled
from shared.runtime.boards import Boards
from shared.runtime.clock import SetClock
from shared.runtime.engine import Limits
from shared.runtime.errors import InvariantError
from shared.runtime.headers import Cause, body_of, event_id_of, headers_for, origin_of, outside_headers
from shared.runtime.log import Outgoing, Place, Record
from shared.runtime.memory_log import MemoryLog
from shared.runtime.memory_store import MemoryDatabase
from shared.runtime.processor import DocumentTable, Facts, Processor, Rejection, Situation, TimerFired
from shared.runtime.recovery import Bus, Recovered, recover
from shared.runtime.runner import Runner
from shared.runtime.store import OutboxRow
from tests.support.bundling import bundled

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
IN, RECEIPT = replace(core.POSTING, name="inner.posting.v1", lanes=True), intake.RECEIPT
PARTITIONS = 2


@dataclass(frozen=True, slots=True)
class Count:
    """How many facts an entity has."""

    key: str
    facts: int = 0


def decide(state: Count, event: Message | TimerFired, situation: Situation) -> Facts | Rejection:
    """Two facts on two topics, that tell how many there were before and when."""
    assert isinstance(event, PostingConfirmed)
    if event.core_reference == "nothing":
        return ()
    receipt = SubmissionAccepted(
        submission_id=f"{event.core_reference}/{state.facts}",
        branch_id=event.core_reference,
        case_id=state.key,
        content_sha256="0" * 64,
        received_at=situation.now,
    )
    return receipt, InspectionSettled(work_item_id=event.core_reference, case_id=state.key)


def apply(state: Count, fact: Message) -> Count:
    """Every fact counts."""
    return replace(state, facts=state.facts + 1)


def refuse(state: Count, event: Any, rejection: Rejection, situation: Situation) -> Facts:
    """Nothing is refused here."""
    return ()


PROCESSOR = Processor(
    service="test",
    name="counting",
    inputs=(IN,),
    outputs=(replace(RECEIPT, bundled=True), replace(InspectionSettled.topic, bundled=True)),
    key=lambda message: message.case_id if isinstance(message, PostingConfirmed) else None,
    owner=lambda fact: getattr(fact, "case_id", None),
    table=DocumentTable("counting", Count, Count),
    decide=decide,
    apply=apply,
    refuse=refuse,
    journal=True,
)


class Story:
    """A processor at work until its store goes back while the bus does not."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.clock = SetClock(NOW)
        self.log = MemoryLog(PARTITIONS, [IN.name, IN.dead_letters, *(topic.name for topic in PROCESSOR.outputs)])
        self.database = MemoryDatabase()
        self.sent = 0

    async def runner(self) -> Runner:
        """A process of it."""
        store = self.database.store("counting")
        runner = Runner(PROCESSOR, self.log, store, Boards(()), self.clock, Limits(batch_records_max=3))
        await runner.start()
        return runner

    def send(self) -> None:
        """One record from outside, now and then one that nothing follows from, or the same again."""
        self.sent += self.draw.random() < 0.8
        reference = "nothing" if self.draw.random() < 0.1 else f"r-{self.sent}-{self.draw.random()}"
        case = f"c-{self.draw.randrange(4)}"
        message = PostingConfirmed(posting_id="p", case_id=case, core_reference=reference, booked_at=NOW)
        headers = outside_headers(message, "/outside", f"o-{reference}", NOW)
        record = Outgoing(case.encode(), message.model_dump_json().encode(), headers, 0)
        self.log.append((IN.name, self.draw.randrange(PARTITIONS)), record)

    async def work(self, runner: Runner, turns: int) -> None:
        """So many batches, published each."""
        for _ in range(turns):
            for _ in range(self.draw.randrange(4)):
                self.send()
            self.clock.move(1)
            await runner.cycle()
            await runner.flush()

    async def end_in_the_middle(self, runner: Runner) -> None:
        """Up to two batches are committed; of each lane some facts go out, in order; then the process is gone."""
        for _ in range(self.draw.randrange(3)):
            for _ in range(4):
                self.send()
            self.clock.move(1)
            await runner.cycle()
        lanes: dict[Place, list[OutboxRow]] = {}
        for row in runner._pending:
            lanes.setdefault((row.lane[1], row.lane[2]), []).append(row)
        publisher = self.log.publisher()
        for place, rows in lanes.items():
            went = [row.record for row in rows[: self.draw.randrange(len(rows) + 1)]]
            if went:
                await publisher.publish({place: went})
        runner._pending.clear()

    def bus(self, lose: int | None = None, inputs: bool = True) -> Bus:
        """What is on the bus beyond the tables, as `opsfloor restore` reads it."""
        part, bus = self.database.parts["counting"], Bus()
        source = "/opsfloor/test/counting/"
        beyond = {(f"{source}{shard}", (t, p)): sequence for (shard, t, p), sequence in part.lanes_out.items()}
        for place, records in self.log.records.items():
            if place[0] == IN.name and inputs:
                start = part.next_offsets.get((place[1], IN.name), 0)
                bus.inputs[place] = [record for record in records if record.offset >= start]
            for record in records if place[0] != IN.name else ():
                if lose is None or origin_of(record).sequence != lose or place[0] != RECEIPT.name:
                    bus.take_fact(record, beyond)
        for shard in range(PARTITIONS):
            part.epochs[shard] = max(part.epochs.get(shard, 0), bus.epoch(f"{source}{shard}"))
        return bus

    async def recover(
        self, lose: int | None = None, processor: Processor = PROCESSOR, inputs: bool = True
    ) -> Recovered:
        """Bring the tables up."""
        store, bus = self.database.store("counting"), self.bus(lose, inputs)
        found = await recover(processor, store, bus, await store.claim(range(PARTITIONS)), {}, self.clock.now())
        for batch in found.batches:
            assert await store.commit(batch) == frozenset()
        return found

    def told(self) -> dict[tuple[str, Place, int], list[Record]]:
        """Every record of every lane by its sequence."""
        found: dict[tuple[str, Place, int], list[Record]] = {}
        for place, records in self.log.records.items():
            for record in records:
                origin = origin_of(record)
                if origin.sequence:
                    found.setdefault((origin.source, place, origin.sequence), []).append(record)
        return found


async def played(seed: int) -> tuple[Story, Recovered]:
    """A whole story: work, backup, work, the end, the backup put back and brought up, work again."""
    story = Story(seed)
    runner = await story.runner()
    await story.work(runner, story.draw.randrange(4))
    backup = copy.deepcopy(story.database.parts)
    await story.work(runner, story.draw.randrange(6))
    await story.end_in_the_middle(runner)
    await runner._reader.stop()
    story.database = MemoryDatabase()
    story.database.parts.update(backup)
    found = await story.recover()
    again = await story.runner()
    await story.work(again, 8)
    for _ in range(10):
        await again.cycle()
        await again.flush()
    return story, found


SEEDS = range(120)


@pytest.mark.parametrize("start", range(0, len(SEEDS), 20))
async def test_one_story_is_told_whatever_was_cut(start: int) -> None:
    """No sequence with two contents, no hole, each input's facts once, and the stored states are what the facts say."""
    for seed in SEEDS[start : start + 20]:
        story, found = await played(seed)
        assert found.lacks == [], seed
        told = story.told()
        assert all(len({record.value for record in records}) == 1 for records in told.values()), seed
        for source, place, sequence in told:
            assert sequence == 1 or (source, place, sequence - 1) in told, (seed, source, place, sequence)
        wanted = Counter[str]()
        for shard in range(PARTITIONS):
            for record in story.log.records[(IN.name, shard)]:
                message = body_of(record, origin_of(record).kind)
                assert isinstance(message, PostingConfirmed)
                wanted.update([message.core_reference] * (message.core_reference != "nothing"))
        bodies = [body_of(records[0], origin_of(records[0]).kind) for records in told.values()]
        assert Counter(b.branch_id for b in bodies if isinstance(b, SubmissionAccepted)) == wanted, seed
        assert Counter(b.work_item_id for b in bodies if isinstance(b, InspectionSettled)) == wanted, seed
        assert_states(story, seed)


def assert_states(story: Story, seed: int) -> None:
    """What is stored of each entity is its journal, folded, without a hole."""
    part = story.database.parts["counting"]
    for (shard, key), rows in part.journal.items():
        assert [row.number for row in rows] == list(range(1, len(rows) + 1)), seed
        stored = PROCESSOR.table.read(key, {"": part.rows[(shard, key, "")]})
        assert stored == Count(key, len(rows)), seed


async def test_every_way_is_gone() -> None:
    """The stories fold, complete half events and decide lost ones anew: none of the three is never needed."""
    found = [(await played(seed))[1] for seed in SEEDS]
    assert all(sum(getattr(each, way) for each in found) > 20 for way in ("folded", "completed", "redelivered"))


async def test_a_bundle_that_was_decided_in_part_is_read_on_from_its_middle() -> None:
    """What is told of its first facts is folded; the inlet stays before it, and its lane says what is new of it."""
    story, place = Story(3), (IN.name, 0)
    rows = []
    for sequence in range(1, 6):
        message = PostingConfirmed(posting_id="p", case_id="c", core_reference=f"r-{sequence}", booked_at=NOW)
        event_id = event_id_of(b"/other/0", place, sequence)
        headers = headers_for(message, event_id, b"/other/0", sequence, b"t", Cause("e", "", ""))
        rows.append(Outgoing(b"c", message.model_dump_json().encode(), headers, 0))
    (bundle,) = bundled(rows)
    story.log.append(place, bundle)
    runner = await story.runner()
    await runner.cycle()
    await runner.flush()
    await runner._reader.stop()
    story.database = MemoryDatabase()
    found = await story.recover()
    assert (found.lacks, found.folded) == ([], 3)
    assert story.database.parts["counting"].next_offsets == {(0, IN.name): 0}
    again = await story.runner()
    for _ in range(4):
        await again.cycle()
        await again.flush()
    bodies = [body_of(records[0], origin_of(records[0]).kind) for records in story.told().values()]
    assert sorted(b.branch_id for b in bodies if isinstance(b, SubmissionAccepted)) == [f"r-{n}" for n in range(1, 6)]
    assert story.database.parts["counting"].next_offsets == {(0, IN.name): 1}


async def worked() -> Story:
    """A story whose store then lost everything."""
    story = Story(7)
    runner = await story.runner()
    for _ in range(6):
        story.send()
    await story.work(runner, 6)
    await runner._reader.stop()
    story.database = MemoryDatabase()
    return story


async def test_what_the_bus_has_lost_is_listed() -> None:
    """A fact that retention or a hand has taken is named with its lane; what it said is decided again and told again."""
    found = await (await worked()).recover(lose=2)
    assert [lack for lack in found.lacks if "facts 2 to 2 of /opsfloor/test/counting" in lack.detail]
    assert found.completed > 0


async def test_what_nobody_could_read_is_listed_and_the_rest_is_folded() -> None:
    """A lane that was moved by hand over a lost record, and a store from before that: the loss is told, not tripped over."""
    story, lane = Story(13), b"/opsfloor/other/lane/0"
    for sequence in (1, 3):
        message = PostingConfirmed(posting_id="p", case_id="c-1", core_reference=f"r-{sequence}", booked_at=NOW)
        headers = headers_for(message, b"e-%d" % sequence, lane, sequence, b"", Cause("", "", ""))
        story.log.append((IN.name, 0), Outgoing(b"c-1", message.model_dump_json().encode(), headers, 0))
        runner = await story.runner()
        await runner.cycle()
        await runner.flush()
        await runner._reader.stop()
        story.database.parts["counting"].lanes_in[(0, lane.decode(), IN.name)] = sequence + 1
    story.database = MemoryDatabase()
    found = await story.recover()
    assert [(lack.topic, lack.detail) for lack in found.lacks] == [
        (IN.name, f"facts 2 to 2 of {lane.decode()} are gone, before offset 1: nobody has read them")
    ]
    assert found.folded == 2
    assert story.database.parts["counting"].lanes_in[(0, lane.decode(), IN.name)] == 3


async def test_one_id_sent_twice_with_other_content_is_completed_each_by_its_own() -> None:
    """Outsiders choose their ids: a copy that somebody else sent first is not what the second answer followed from."""
    story = Story(17)
    for reference in ("r-a", "r-b"):
        message = PostingConfirmed(posting_id="p", case_id="c-1", core_reference=reference, booked_at=NOW)
        headers = outside_headers(message, "/outside", "o-same", NOW)
        story.log.append((IN.name, 0), Outgoing(b"c-1", message.model_dump_json().encode(), headers, 0))
    runner = await story.runner()
    await runner.cycle()
    await runner.flush()
    await runner._reader.stop()
    story.database = MemoryDatabase()
    found = await story.recover(lose=1)  # the receipts of both, on two lanes
    assert (found.folded, found.completed, found.lacks) == (0, 2, [])


async def test_what_retention_took_of_an_input_is_listed_once_and_passed_over() -> None:
    """The inlet goes on where the topic begins now, whatever sequence stands there; a second recovery has nothing to say."""
    story, lane = Story(19), b"/opsfloor/other/lane/0"

    def come(sequence: int) -> None:
        message = PostingConfirmed(posting_id="p", case_id="c-1", core_reference=f"r-{sequence}", booked_at=NOW)
        headers = headers_for(message, b"e-%d" % sequence, lane, sequence, b"", Cause("", "", ""))
        story.log.append((IN.name, 0), Outgoing(b"c-1", message.model_dump_json().encode(), headers, 0))

    come(1)
    runner = await story.runner()
    await runner.cycle()
    await runner.flush()
    await runner._reader.stop()
    store, told = story.database.store("counting"), []
    for gone in ({(IN.name, 0): (1, 4)}, {}):
        bus = story.bus(inputs=False)
        bus.gone.update(gone)
        found = await recover(PROCESSOR, store, bus, await store.claim(range(PARTITIONS)), {}, story.clock.now())
        for batch in found.batches:
            assert await store.commit(batch) == frozenset()
        told += [(lack.shard, lack.topic, lack.detail) for lack in found.lacks]
    assert told == [(0, IN.name, "offsets 1 to 3 are gone")]
    for sequence in range(2, 6):
        come(sequence)
    again = await story.runner()
    await again.cycle()
    await again.flush()
    assert [fact.branch_id for fact in receipts(story)] == ["r-1", "r-5"]


def receipts(story: Story) -> list[SubmissionAccepted]:
    """What was told, each once."""
    bodies = [body_of(records[0], origin_of(records[0]).kind) for records in story.told().values()]
    return sorted((b for b in bodies if isinstance(b, SubmissionAccepted)), key=lambda fact: fact.branch_id)


async def test_facts_stand_without_the_events_that_they_follow_from() -> None:
    """Retention took what came in: what was told of it is folded all the same, to the same state, and nothing is listed."""
    whole, alone = await worked(), await worked()
    found = (await whole.recover(), await alone.recover(inputs=False))
    assert [each.lacks for each in found] == [[], []]
    assert found[0].folded == found[1].folded > 10
    rows = [story.database.parts["counting"].rows for story in (whole, alone)]
    assert rows[0] == rows[1]


def strict(state: Count, fact: Message) -> Count:
    """As a state that must know what a fact is about: a receipt without the one before it is impossible."""
    if isinstance(fact, SubmissionAccepted) and fact.submission_id != f"{fact.branch_id}/{state.facts}":
        raise KeyError(fact.submission_id)
    return apply(state, fact)


async def test_an_entity_that_lacks_a_part_of_its_past_is_left_and_named_and_the_rest_is_folded() -> None:
    """Events and one receipt of each shard are gone: whose it was is named, once, and stays as the tables have it."""
    whole, story = await worked(), await worked()
    await whole.recover()
    found = await story.recover(lose=3, processor=replace(PROCESSOR, apply=strict), inputs=False)
    left = [(lack.shard, lack.entity) for lack in found.lacks if "does not fit" in lack.detail]
    part = story.database.parts["counting"]
    stored = {(shard, key) for shard, key, _ in part.rows}
    assert left
    assert len(left) == len(set(left))
    assert not set(left) & (stored | part.journal.keys())
    assert stored
    assert {*left, *stored} == {(shard, key) for shard, key, _ in whole.database.parts["counting"].rows}


async def test_what_is_decided_otherwise_is_listed() -> None:
    """Half an event that today's boards decide in another way is not completed by guess: its entity is named."""
    otherwise = replace(PROCESSOR, decide=lambda state, event, situation: ())
    found = await (await worked()).recover(lose=2, processor=otherwise)
    named = [lack for lack in found.lacks if lack.entity.startswith("c-")]
    assert named
    assert all("decided again, it would be: nothing" in lack.detail for lack in named)
    assert found.completed == 0


async def test_two_stories_on_one_lane_are_listed() -> None:
    """Services that worked on the restored tables have told other facts under the same sequences: it is said so."""
    story = Story(11)
    runner = await story.runner()
    await story.work(runner, 5)
    await runner._reader.stop()
    story.database = MemoryDatabase()
    story.clock.move(3_600)
    early = await story.runner()
    for _ in range(10):
        await early.cycle()
        await early.flush()
    await early._reader.stop()
    story.database = MemoryDatabase()
    found = await story.recover()
    assert [lack for lack in found.lacks if "told twice with different words" in lack.detail]


async def test_a_store_that_went_back_under_a_process_is_noticed() -> None:
    """A process that lived through it knows how far its commits went: it ends instead of deciding all of it again."""
    story = Story(3)
    runner = await story.runner()
    await story.work(runner, 2)
    backup = copy.deepcopy(story.database.parts["counting"])
    await story.work(runner, 6)
    part = story.database.parts["counting"]
    part.next_offsets, part.lanes_out, part.epochs = backup.next_offsets, backup.lanes_out, backup.epochs
    story.database.faults.refuse_commits = 1
    with pytest.raises(InvariantError, match="to be as far as it was"):
        await story.work(runner, 6)
