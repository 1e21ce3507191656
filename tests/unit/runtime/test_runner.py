"""The shard runtime over the models of bus and store: one small processor, one sentence a test."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from shared.contracts import core, intake
from shared.contracts.branch import SUBMISSION, SubmissionSent
from shared.contracts.core import PostingConfirmed
from shared.contracts.intake import SubmissionAccepted
from shared.contracts.message import Message
from shared.contracts.ops import RecordParked
from shared.runtime.boards import Boards, views_of
from shared.runtime.clock import SetClock
from shared.runtime.engine import FuseBlownError, Limits
from shared.runtime.errors import ContractError, InvariantError, RecordLostError, TransientError
from shared.runtime.headers import Cause, body_of, headers_for, origin_of, outside_headers
from shared.runtime.log import Outgoing, Place, Record, partition_of
from shared.runtime.memory_log import MemoryLog, MemoryReader
from shared.runtime.memory_store import MemoryDatabase, Part
from shared.runtime.processor import Alarm, BoardSpec, DocumentTable, Facts, Processor, Rejection, Situation, TimerFired
from shared.runtime.runner import (
    BLIND_SECONDS,
    CALM_SECONDS,
    GATHER_RECORDS,
    RECLAIM_SECONDS,
    Runner,
    gather_seconds,
)
from shared.runtime.shard import SPARED, AlarmClock

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
ROOT = Path(__file__).parents[3]
IN, OUT = replace(core.POSTING, name="inner.posting.v1", lanes=True), intake.RECEIPT
DEAD = IN.dead_letters


@dataclass(frozen=True, slots=True)
class Count:
    """How many confirmations an entity has seen, and when it was last woken."""

    key: str
    seen: int = 0
    wake_at: datetime | None = None


def decide(state: Count, event: Message | TimerFired, situation: Situation) -> Facts | Rejection:
    if isinstance(event, TimerFired):
        return (_fact(state.key, "woken", situation.now),)
    assert isinstance(event, PostingConfirmed)
    if event.core_reference == "refuse":
        return Rejection("refused", "Expected another reference")
    return (_fact(state.key, event.core_reference, situation.now),)


def _fact(key: str, detail: str, at: datetime) -> SubmissionAccepted:
    return SubmissionAccepted(submission_id=detail, branch_id="b", case_id=key, content_sha256="0" * 64, received_at=at)


def apply(state: Count, fact: Message) -> Count:
    assert isinstance(fact, SubmissionAccepted)
    wake = fact.received_at + timedelta(seconds=60) if fact.submission_id == "sleep" else None
    return replace(state, seen=state.seen + 1, wake_at=wake)


def refuse(state: Count, event: Any, rejection: Rejection, situation: Situation) -> Facts:
    return (_fact(state.key, rejection.code, situation.now),)


def alarms(state: Count) -> Mapping[str, Alarm]:
    return {} if state.wake_at is None else {"wake": Alarm(state.wake_at)}


PROCESSOR = Processor(
    service="test",
    name="counting",
    inputs=(IN,),
    outputs=(OUT,),
    key=lambda message: message.case_id if isinstance(message, PostingConfirmed) else None,
    owner=lambda fact: getattr(fact, "case_id", None),
    table=DocumentTable("counting", Count, Count),
    decide=decide,
    apply=apply,
    refuse=refuse,
    alarms=alarms,
)


class Bench:
    """One runner on models; the outer world writes with `send`."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.clock = SetClock(NOW)
        self.log = MemoryLog(1, [IN.name, OUT.name, DEAD])
        self.database = MemoryDatabase()
        self.limits = limits or Limits(timer_tick_seconds=0)

    def made(self) -> Runner:
        return Runner(PROCESSOR, self.log, self.database.store("counting"), Boards(()), self.clock, self.limits)

    async def runner(self) -> Runner:
        runner = self.made()
        await runner.start()
        return runner

    def send(self, reference: str, case: str = "c-1", sequence: int = 0, topic: str = IN.name) -> None:
        message = PostingConfirmed(posting_id="p", case_id=case, core_reference=reference, booked_at=NOW)
        headers = (
            headers_for(message, b"e-%d" % sequence, b"/opsfloor/other/lane/0", sequence, b"", Cause("", "", ""))
            if sequence
            else outside_headers(message, "/outside", f"o-{reference}", NOW)
        )
        self.log.append((topic, 0), Outgoing(case.encode(), message.model_dump_json().encode(), headers, 0))

    def rubbish(self) -> None:
        self.log.append((IN.name, 0), Outgoing(b"k", b"\xff", (("ce_type", b"no.such.kind"),), 0))

    def written(self) -> list[str]:
        """What a reader takes: each sequence of the lane once."""
        by_sequence: dict[int, str] = {}
        for record in self.log.records[(OUT.name, 0)]:
            origin = origin_of(record)
            body = body_of(record, origin.kind)
            assert isinstance(body, SubmissionAccepted)
            by_sequence.setdefault(origin.sequence, body.submission_id)
        assert sorted(by_sequence) == list(range(1, len(by_sequence) + 1))
        return list(by_sequence.values())


def die(runner: Runner) -> None:
    """The process is gone without a word."""
    reader = runner._reader
    assert isinstance(reader, MemoryReader)
    reader.vanish()


async def turn(runner: Runner) -> None:
    await runner.cycle()
    await runner.flush()


async def test_who_takes_over_notes_at_the_broker_what_the_one_before_could_not() -> None:
    """A process that is put out between its last commit and its next look leaves nothing that tools would call unread."""
    bench = Bench()
    first = await bench.runner()
    bench.send("s-1")
    await turn(first)
    await first.watch()
    bench.send("s-2")
    await turn(first)
    die(first)
    second = await bench.runner()
    await turn(second)
    await second.watch()
    assert set(bench.log.hints.values()) == {2}, "Expected the offsets of the database"
    bench.send("s-3")
    await turn(second)
    die(second)
    third = await bench.runner()
    await third.watch()
    assert set(bench.log.hints.values()) == {3}, "Expected nothing to be waited for"


async def test_an_event_becomes_a_published_fact_with_its_lane_and_cause() -> None:
    """Headers tell where a fact stands on its lane and what it follows from."""
    bench = Bench()
    bench.send("a")
    bench.send("b")
    await turn(await bench.runner())
    headers = [dict(record.headers) for record in bench.log.records[(OUT.name, 0)]]
    assert bench.written() == ["a", "b"]
    assert [int(h["sequence"]) for h in headers] == [1, 2]
    assert headers[0]["causationid"] == b"o-a"
    assert headers[0]["ce_source"] == b"/opsfloor/test/counting/0"
    assert headers[0]["correlationid"] == b"c-1"
    assert len(headers[0]["traceparent"]) == 55


async def test_a_record_that_its_lane_had_already_is_dropped() -> None:
    """A duplicate has no second effect."""
    bench = Bench()
    for sequence in (1, 2, 2, 1, 3):
        bench.send(f"s{sequence}", sequence=sequence)
    await turn(await bench.runner())
    assert bench.written() == ["s1", "s2", "s3"]


async def test_a_missing_record_stops_the_reader_and_names_the_lane() -> None:
    """A gap is never read over."""
    bench = Bench()
    bench.send("s1", sequence=1)
    bench.send("s3", sequence=3)
    runner = await bench.runner()
    with pytest.raises(
        InvariantError, match=r"sequence 2 on lane /opsfloor/other/lane/0 → inner.posting.v1\[0\], found 3"
    ):
        await turn(runner)
    assert bench.written() == []


async def test_what_others_than_shards_write_has_no_lane_whatever_it_says() -> None:
    """A branch's record with a sequence is no gap, however high, and no duplicate, however low: each is taken."""
    bench, topic = Bench(), core.POSTING
    bench.log = MemoryLog(1, [topic.name, OUT.name, topic.dead_letters])
    for reference, sequence in (("a", 77), ("b", 3), ("c", 3)):
        bench.send(reference, sequence=sequence, topic=topic.name)
    outside = replace(PROCESSOR, inputs=(topic,))
    runner = Runner(outside, bench.log, bench.database.store("counting"), Boards(()), bench.clock, bench.limits)
    await runner.start()
    await turn(runner)
    assert bench.written() == ["a", "b", "c"]


async def test_an_unreadable_record_is_parked_with_its_coordinates_and_the_next_is_taken() -> None:
    """Nothing is logged and dropped."""
    bench = Bench()
    bench.rubbish()
    bench.send("a")
    await turn(await bench.runner())
    (record,) = bench.log.records[(DEAD, 0)]
    parked = body_of(record, origin_of(record).kind)
    assert isinstance(parked, RecordParked)
    assert (parked.origin_topic, parked.origin_offset, parked.processor) == (IN.name, 0, "test/counting")
    assert "no.such.kind" in parked.reason
    assert bench.written() == ["a"]


def test_why_a_record_is_parked_is_told_in_a_sentence() -> None:
    """Each fault by its field, the first few of them; no value of a customer's, and no address of a library's pages."""
    headers = outside_headers(
        PostingConfirmed(posting_id="p", case_id="c", core_reference="r", booked_at=NOW), "/o", "e", NOW
    )
    for body, told in (
        (b'{"case_id": "secret", "booked_at": 5}', "posting_id: Field required"),
        (b"{", "Invalid JSON"),
    ):
        record = Record(IN.name, 0, 0, b"k", body, headers, 0)
        with pytest.raises(ContractError, match=told) as refused:
            body_of(record, origin_of(record).kind)
        assert "secret" not in str(refused.value)
        assert "http" not in str(refused.value)
        assert len(str(refused.value)) < 400


FUSE = Limits(fuse_parked_min=5, fuse_share=0.5, batch_records_max=10, ahead_records_min=10, timer_tick_seconds=0)


async def blown(bench: Bench) -> None:
    """A process is started, reads until its fuse blows unless it is blown already, and ends."""
    runner = bench.made()
    with pytest.raises(FuseBlownError, match=r"`opsfloor dlq list`.*`opsfloor dlq reset-fuse test/counting "):
        await worked(runner)
    await runner.close()


async def worked(runner: Runner) -> None:
    await runner.start()
    await runner.run()


async def test_a_row_that_lacks_a_field_stops_the_process_with_what_to_do() -> None:
    """Whose row it is, which field, and the page: whoever changed the state has to mend it; what stands there is not told."""
    bench = Bench()
    bench.database.parts["counting"] = Part(rows={(0, "c-1", ""): b'{"seen": "secret"}'})
    bench.send("a")
    with pytest.raises(InvariantError) as stopped:
        await turn(await bench.runner())
    told = str(stopped.value)
    assert "the row of c-1 in the table counting of test/counting to be read as Count" in told
    assert "key: Field required" in told
    assert "seen: Input should be a valid integer" in told
    assert "secret" not in told
    _, _, named = told.partition("Remedy: ")
    page, _, section = named.partition("(")[2].rstrip(")").partition(", ")
    assert f"## {section.strip('«»')}" in (ROOT / page).read_text("utf-8")
    assert not bench.log.records[(OUT.name, 0)]


def reset(bench: Bench) -> None:
    """Somebody has looked, and lets it read on behind what lies there now."""
    part = bench.database.parts["counting"]
    part.lanes_in[(0, SPARED, IN.name)] = bench.log.end((IN.name, 0))


def metric(name: str) -> float:
    """What the processor tells of itself."""
    return REGISTRY.get_sample_value(name, {"processor": PROCESSOR.full_name}) or 0.0


async def test_a_body_with_a_nul_is_parked() -> None:
    """It could be read and decided about, and then stop whoever asks the database for it."""
    bench = Bench()
    runner = await bench.runner()
    bench.send("a\0b")
    bench.send("c")
    await turn(runner)
    assert bench.written() == ["c"]
    assert bench.log.end((DEAD, 0)) == 1


async def test_too_many_unreadable_records_blow_the_fuse() -> None:
    """A broken writer stops the reader: no more is parked than the batch that blew the fuse, and that is read."""
    bench = Bench(FUSE)
    for _ in range(30):
        bench.rubbish()
    await blown(bench)
    assert unreadable_share() == 1.0
    assert len(bench.log.records[(DEAD, 0)]) == FUSE.batch_records_max
    assert bench.database.parts["counting"].next_offsets == {(0, IN.name): FUSE.batch_records_max}


async def test_a_blown_fuse_stays_blown_however_often_the_process_is_started() -> None:
    """A supervisor starts it again and again: nothing more is read, and each start says what is to be done."""
    bench = Bench(FUSE)
    for _ in range(30):
        bench.rubbish()
    await blown(bench)
    for _ in range(3):
        told = metric("opsfloor_shard_fuses_total")
        await blown(bench)
        assert metric("opsfloor_shard_fuses_total") == told + 1, "Expected the alert to go on"
    assert len(bench.log.records[(DEAD, 0)]) == FUSE.batch_records_max


async def test_what_a_process_that_died_blowing_its_fuse_parked_goes_out_before_the_next_one_stops() -> None:
    """Whoever looks at what is parked sees all of it."""
    bench = Bench(FUSE)
    for _ in range(6):
        bench.rubbish()
    runner = await bench.runner()
    with pytest.raises(FuseBlownError):
        await runner.cycle()
    die(runner)
    assert not bench.log.records[(DEAD, 0)]
    await blown(bench)
    assert len(bench.log.records[(DEAD, 0)]) == 6


async def test_after_a_reset_of_the_fuse_all_that_waited_is_read_in_one_go() -> None:
    """What is known of does not blow it again, each record is parked once; what is written after the reset may."""
    bench = Bench(FUSE)
    for _ in range(44):
        bench.rubbish()
    bench.send("a")
    await blown(bench)
    reset(bench)
    runner = await bench.runner()
    while bench.written() != ["a"]:
        await turn(runner)
    bench.send("b")
    await turn(runner)
    assert bench.written() == ["a", "b"]
    parked = [body_of(record, origin_of(record).kind) for record in bench.log.records[(DEAD, 0)]]
    assert [one.origin_offset for one in parked if isinstance(one, RecordParked)] == list(range(44))
    for _ in range(30):
        bench.rubbish()
    with pytest.raises(FuseBlownError):
        await runner.run()
    await runner.close()
    assert len(bench.log.records[(DEAD, 0)]) < 44 + 30


async def test_a_fuse_that_blows_while_the_database_is_away_blows_when_it_is_back() -> None:
    """Nothing was parked, so that nothing is read over: the batch comes again, and then the reader stops."""
    bench = Bench(FUSE)
    bench.database.faults.refuse_commits = 1
    for _ in range(6):
        bench.rubbish()
    runner = await bench.runner()
    await turn(runner)
    assert not bench.log.records[(DEAD, 0)]
    with pytest.raises(FuseBlownError):
        await turn(runner)
    await runner.close()
    assert len(bench.log.records[(DEAD, 0)]) == 6


async def test_the_share_of_the_unreadable_is_told_before_the_fuse_blows() -> None:
    """Three of four records: whoever watches sees it rise."""
    bench = Bench()
    bench.send("a")
    for _ in range(3):
        bench.rubbish()
    await turn(await bench.runner())
    assert unreadable_share() == 0.75


def unreadable_share() -> float | None:
    """What the processor tells of its last records."""
    return REGISTRY.get_sample_value("opsfloor_shard_fuse_share_ratio", {"processor": PROCESSOR.full_name})


def lag_told() -> float:
    """How far behind the processor tells that it is. Units: seconds."""
    return REGISTRY.get_sample_value("opsfloor_shard_lag_seconds", {"processor": PROCESSOR.full_name}) or 0.0


async def test_an_event_from_which_nothing_follows_writes_no_state() -> None:
    """It is read, and noted as read; its entity stands as it stood."""
    bench = Bench()
    bench.send("a", case="c-1")
    bench.send("passed over", case="c-2")

    def decide_some(state: Count, event: Message | TimerFired, situation: Situation) -> Facts | Rejection:
        return decide(state, event, situation) if state.key == "c-1" else ()

    processor = replace(PROCESSOR, decide=decide_some)
    store = bench.database.store("counting")
    runner = Runner(processor, bench.log, store, Boards(()), bench.clock, bench.limits)
    await runner.start()
    await turn(runner)
    part = bench.database.parts["counting"]
    assert [key for _, key, _ in part.rows] == ["c-1"]
    assert part.next_offsets == {(0, IN.name): 2}


@pytest.mark.parametrize(("turn_seconds", "gathered"), [(0.001, 0.004), (0.01, 0.01), (2.0, 0.1)])
def test_records_gather_as_long_as_the_last_batch_took(turn_seconds: float, gathered: float) -> None:
    """Within bounds: a quiet machine answers soon, a busy one makes fewer batches and still answers."""
    assert gather_seconds(turn_seconds, Limits().gather_seconds) == gathered


def test_records_gather_no_shorter_than_the_floor_or_the_processor_asks_for() -> None:
    """Whichever asks for more: where processor time is short, larger batches are worth their latency."""
    bench, patient = Bench(), replace(PROCESSOR, gather_seconds=0.2)
    store = bench.database.store("counting")
    for processor, limits, seconds in (
        (PROCESSOR, Limits(), 0.004),
        (PROCESSOR, Limits(gather_seconds=0.05), 0.05),
        (patient, Limits(gather_seconds=0.05), 0.2),
    ):
        assert Runner(processor, bench.log, store, Boards(()), bench.clock, limits).gathers_for == seconds


async def test_records_gather_after_a_small_batch_alone() -> None:
    """One that read many, or told many, has paid for itself; after one that read nothing there is nothing to gather."""
    bench = Bench()
    runner = await bench.runner()
    assert not runner.lets_gather(0)
    assert [runner.lets_gather(read) for read in (1, GATHER_RECORDS - 1, GATHER_RECORDS)] == [True, True, False]
    for number in range(GATHER_RECORDS):
        bench.send(f"s-{number}")
    await turn(runner)
    assert not runner.lets_gather(1)


async def test_a_batch_that_looks_outside_is_small_and_at_work_all_the_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look may take minutes: neither the watchdog nor whoever asks for health takes that for standing still, what waits
    is told as waiting, and few records share it. One that hangs is no work in the end."""
    bench, answer = Bench(), asyncio.Event()
    seen: list[int] = []

    async def observe(events: Sequence[Message], boards: Mapping[str, Any]) -> Sequence[Any]:
        seen.append(len(events))
        await answer.wait()
        return [None] * len(events)

    monkeypatch.setattr("shared.runtime.runner.LOOKS_ON_SECONDS", 0.01)
    for number in range(5):
        bench.send(f"s-{number}")
    processor = replace(PROCESSOR, observe=observe, records_max=3)
    runner = Runner(processor, bench.log, bench.database.store("counting"), Boards(()), bench.clock, bench.limits)
    await runner.start()
    runner.progress.last_cycle = runner.progress.last_progress = 0.0
    turning = asyncio.create_task(turn(runner))
    await asyncio.sleep(0.1)
    assert runner.behind
    assert min(runner.progress.last_cycle, runner.progress.last_progress) > time.monotonic() - 5.0
    await runner.watch()
    before = lag_told()
    bench.clock.move(90.0)
    await runner.watch()
    assert lag_told() == before + 90.0
    monkeypatch.setattr("shared.runtime.runner.LOOKING_SECONDS_MAX", 0.0)
    answer.set()
    await turning
    assert not runner.lets_gather(3)
    answer.clear()
    turning = asyncio.create_task(turn(runner))
    await asyncio.sleep(0.05)
    runner.progress.last_progress = 0.0
    await asyncio.sleep(0.05)
    assert runner.progress.last_progress == 0.0
    answer.set()
    await turning
    assert seen == [3, 2]


async def test_a_record_that_strays_to_another_partition_is_parked_and_blows_no_fuse() -> None:
    """Two shards would each take its key for a new one; but that one writer's client has another partitioner stops nobody."""
    topics = [core.POSTING.name, core.POSTING.dead_letters, OUT.name]
    log, database = MemoryLog(2, topics), MemoryDatabase()
    processor = replace(PROCESSOR, inputs=(core.POSTING,))
    runner = Runner(processor, log, database.store("counting"), Boards(()), SetClock(NOW), Limits(timer_tick_seconds=0))
    home = partition_of(b"c-1", 2)
    for number in range(60):
        message = PostingConfirmed(posting_id="p", case_id="c-1", core_reference=f"r-{number}", booked_at=NOW)
        headers = outside_headers(message, "/outside", f"o-{number}", NOW)
        at = home if number == 0 else 1 - home
        log.append((core.POSTING.name, at), Outgoing(b"c-1", message.model_dump_json().encode(), headers, 0))
    await runner.start()
    await turn(runner)
    assert sum(len(log.records[OUT.name, number]) for number in (0, 1)) == 1
    parked = [parked_in(record) for record in log.records[core.POSTING.dead_letters, 1 - home]]
    assert len(parked) == 59
    assert f"of key c-1 on partition {home}, found it on {1 - home}" in parked[0].reason
    assert unreadable_share() == 0.0


def parked_in(record: Record) -> RecordParked:
    """What stands in a dead letter."""
    parked = body_of(record, origin_of(record).kind)
    assert isinstance(parked, RecordParked)
    return parked


async def test_a_rejection_becomes_a_fact() -> None:
    """A refused command has an answer on the log."""
    bench = Bench()
    bench.send("refuse")
    await turn(await bench.runner())
    assert bench.written() == ["refused"]


async def test_a_timer_fires_once_after_its_instant_also_for_the_next_owner() -> None:
    """Timers are rows: a new process inherits them."""
    bench = Bench()
    bench.send("sleep")
    first = await bench.runner()
    await turn(first)
    die(first)
    bench.clock.move(59)
    heir = await bench.runner()
    await turn(heir)
    assert bench.written() == ["sleep"]
    bench.clock.move(2)
    await turn(heir)
    await turn(heir)
    assert bench.written() == ["sleep", "woken"]


async def test_what_was_committed_and_not_published_goes_out_after_the_next_claim() -> None:
    """A crash between commit and publication loses nothing."""
    bench = Bench()
    bench.send("a")
    crashed = await bench.runner()
    await crashed.cycle()
    assert bench.written() == []
    die(crashed)
    await bench.runner()
    assert bench.written() == ["a"]


async def test_a_failed_publication_poisons_its_lanes_until_the_next_claim() -> None:
    """Nothing later goes out before what failed."""
    bench = Bench()
    runner = await bench.runner()
    bench.send("a")
    await runner.cycle()
    bench.log.faults.refuse_publishes = 1
    await runner.flush()
    bench.send("b")
    await runner.cycle()
    await runner.flush()
    assert bench.written() == ["a", "b"]
    assert [int(dict(r.headers)["sequence"]) for r in bench.log.records[(OUT.name, 0)]] == [1, 2]


async def test_a_shard_given_away_lets_nothing_overtake_what_is_on_its_way() -> None:
    """Facts committed while earlier ones are being published are the next owner's to publish."""
    bench = Bench()
    runner = await bench.runner()
    bench.send("a")
    await runner.cycle()
    bench.send("b")
    reached, go = asyncio.Event(), asyncio.Event()

    async def seam(name: str) -> None:
        if name == "log.publish.before" and not reached.is_set():
            reached.set()
            await go.wait()

    bench.log.at_seam = seam
    publication = asyncio.ensure_future(runner.flush())
    await reached.wait()
    await runner.cycle()
    die(runner)
    await runner._dropped(frozenset({0}))
    go.set()
    await publication
    await bench.runner()
    assert bench.written() == ["a", "b"]


async def test_what_was_read_ahead_of_a_lost_batch_is_left_and_comes_again() -> None:
    """A batch that was not committed is read again, and with it what had been read ahead of it: nothing is passed over."""
    bench = Bench(Limits(batch_records_max=1, ahead_records_min=1, timer_tick_seconds=0))
    runner = await bench.runner()
    bench.send("a")
    bench.send("b")
    bench.database.faults.refuse_commits = 1
    await runner.cycle()
    await runner.look_ahead()
    for _ in range(4):
        await turn(runner)
    assert bench.written() == ["a", "b"]


async def test_an_overtaken_owner_writes_nothing() -> None:
    """The epoch fences a zombie, whatever it still holds in memory."""
    bench = Bench()
    zombie = await bench.runner()
    reader = zombie._reader
    assert isinstance(reader, MemoryReader)
    reader.isolated = True  # it hears nothing of being put out
    die(zombie)
    bench.send("a")
    await turn(await bench.runner())
    await turn(zombie)
    assert bench.written() == ["a"]


async def test_a_stop_publishes_and_notes_what_is_committed() -> None:
    """Drain, commit, leave."""
    bench = Bench()
    bench.send("a")
    runner = await bench.runner()
    await runner.cycle()
    await runner.close()
    assert bench.written() == ["a"]
    assert not bench.database.parts["counting"].outbox


class BlindReader(MemoryReader):
    """A client that has died silently: it sees nothing any more."""

    async def ends(self) -> Mapping[Place, int]:
        raise TransientError("Expected Kafka to tell end offsets, found nothing")


async def test_a_client_that_cannot_see_the_bus_is_restarted() -> None:
    """A client that is blind for long is replaced by a new one, and the runner goes on where it was."""
    bench, seconds = Bench(), [0.0]
    runner = Runner(
        PROCESSOR,
        bench.log,
        bench.database.store("counting"),
        Boards(()),
        bench.clock,
        bench.limits,
        lambda: seconds[0],
    )
    await runner.start()
    bench.send("before")
    await runner.cycle()
    runner._reader.__class__ = BlindReader  # from now on it sees nothing
    for _ in range(2):
        with pytest.raises(TransientError):
            await runner.watch()
        assert isinstance(runner._reader, BlindReader), "a moment's blindness is no reason"
    seconds[0] = BLIND_SECONDS + 1
    with pytest.raises(TransientError):
        await runner.watch()
    assert not isinstance(runner._reader, BlindReader)
    await runner.watch()
    bench.send("after")
    await runner.cycle()
    await runner.flush()
    assert bench.written() == ["before", "after"]
    assert await blind_until_restarted(runner, seconds) == 2 * BLIND_SECONDS
    assert [await blind_until_restarted(runner, seconds) for _ in range(2)] == [4 * BLIND_SECONDS, 8 * BLIND_SECONDS]
    assert await blind_until_restarted(runner, seconds) == 8 * BLIND_SECONDS, "no longer, however often"
    seconds[0] += CALM_SECONDS + 1
    await runner.watch()
    assert await blind_until_restarted(runner, seconds) == BLIND_SECONDS


async def blind_until_restarted(runner: Runner, seconds: list[float]) -> float:
    """For how long, in whole multiples, a client that sees nothing is kept before a new one takes its place."""
    blind, began = runner._reader, seconds[0]
    blind.__class__ = BlindReader
    while runner._reader is blind:
        seconds[0] += BLIND_SECONDS
        with pytest.raises(TransientError):
            await runner.watch()
    return seconds[0] - began - BLIND_SECONDS


async def test_one_whom_the_group_has_put_out_takes_no_shard_back() -> None:
    """It lost its shard to another and hears nothing of it: it leaves the shard alone, and the other works undisturbed."""
    bench, seconds = Bench(), [0.0]
    store = bench.database.store("counting")
    out = Runner(PROCESSOR, bench.log, store, Boards(()), bench.clock, bench.limits, lambda: seconds[0])
    await out.start()
    bench.send("a")
    await turn(out)
    reader = out._reader
    assert isinstance(reader, MemoryReader)
    reader.isolated = True
    reader.vanish()
    owner = await bench.runner()
    bench.send("b")
    await turn(out)
    assert out._lost, "found that another has it"
    for _ in range(3):
        seconds[0] += RECLAIM_SECONDS + 1
        await turn(out)
    await turn(owner)
    assert bench.written() == ["a", "b"]
    assert bench.database.parts["counting"].epochs[0] == 2, "claimed once by each"


class Trimmed(MemoryReader):
    """Retention was faster than its reader."""

    async def fetch(self, records_max: int, wait_seconds: float) -> list[Record]:
        raise RecordLostError("Expected the log to hold where the store has read to")


async def test_a_record_that_retention_took_is_a_gap() -> None:
    """Counted like one on a lane, so that the same alert calls somebody; the process stops."""
    runner = await Bench().runner()
    labels = {"processor": PROCESSOR.full_name}
    before = REGISTRY.get_sample_value("opsfloor_shard_gaps_total", labels) or 0.0
    runner._reader.__class__ = Trimmed
    with pytest.raises(RecordLostError):
        await runner.cycle()
    assert REGISTRY.get_sample_value("opsfloor_shard_gaps_total", labels) == before + 1


async def test_what_was_late_once_is_not_called_late_when_nothing_waits() -> None:
    """A processor that has little to do would else be behind for hours on the board."""
    bench, labels = Bench(), {"processor": "test/counting"}
    runner = await bench.runner()
    bench.send("late")  # written at the beginning of time
    await turn(runner)
    assert REGISTRY.get_sample_value("opsfloor_shard_lag_seconds", labels)
    await runner._look()
    assert REGISTRY.get_sample_value("opsfloor_shard_lag_seconds", labels) == 0


URGENT = core.POSTING
BULK = intake.CASE


async def test_a_decision_is_told_how_far_its_boards_had_been_read() -> None:
    """By the latest stamp that a board took, so that every process that has read as far says the same."""
    bench, told = Bench(), list[Mapping[str, int]]()

    def noting(state: Count, event: Message | TimerFired, situation: Situation) -> Facts | Rejection:
        told.append(dict(situation.as_of))
        return decide(state, event, situation)

    board = BoardSpec("sent", IN, dict[str, Message | None], lambda view, key, message: view.update({key: message}))
    boards, log = Boards((board,)), MemoryLog(1, [IN.name])
    message = PostingConfirmed(posting_id="p", case_id="c-0", core_reference="x", booked_at=NOW)
    for stamp in (7_000, 5_000):
        headers = outside_headers(message, "/outside", f"o-{stamp}", NOW)
        log.append((IN.name, 0), Outgoing(b"c-0", message.model_dump_json().encode(), headers, stamp))
    for record in log.records[(IN.name, 0)]:
        boards.feed(record)
    processor = replace(PROCESSOR, decide=noting)
    runner = Runner(processor, bench.log, bench.database.store("counting"), boards, bench.clock, bench.limits)
    await runner.start()
    bench.send("now")
    await runner.cycle()
    assert told == [{"sent": 7_000}]


class Crowd(Bench):
    """A runner with two inputs: what somebody waits for, and what there may be much of."""

    def __init__(self, room: int) -> None:
        super().__init__(
            Limits(
                batch_records_max=room, ahead_records_min=4, room_records_min=6, slice_records=3, timer_tick_seconds=0
            )
        )
        self.log = MemoryLog(1, [URGENT.name, BULK.name, OUT.name, DEAD])
        self.sent = 0

    async def runner(self) -> Runner:
        processor = replace(PROCESSOR, inputs=(URGENT, BULK))
        store = self.database.store("counting")
        runner = Runner(processor, self.log, store, Boards(()), self.clock, self.limits, lambda: 0.0)
        await runner.start()
        return runner

    def come(self, topic: str, count: int) -> None:
        for _ in range(count):
            self.sent += 1
            name = f"{'bulk' if topic == BULK.name else 'urgent'}-{self.sent}"
            message = PostingConfirmed(posting_id="p", case_id=name, core_reference=name, booked_at=NOW)
            headers = outside_headers(message, "/outside", name, NOW)
            self.log.append((topic, 0), Outgoing(name.encode(), message.model_dump_json().encode(), headers, 0))

    async def batch(self, runner: Runner) -> list[str]:
        """What the next batch decides, by the nouns."""
        known = len(self.written())
        await turn(runner)
        return [name.partition("-")[0] for name in self.written()[known:]]


async def test_the_line_of_a_batch_names_what_was_decided_about() -> None:
    """Whoever has a case's id finds its way through the logs of all services; what was dropped is not named."""
    bench = Bench()
    runner = await bench.runner()
    bench.send("a", case="c-1")
    bench.send("b", case="c-2")
    with capture_logs() as said:
        await turn(runner)
        await turn(runner)
    assert [about for line in said if line["event"] == "batch" for about in line["about"]] == ["c-1", "c-2"]


async def test_what_comes_without_a_case_is_named_by_the_case_that_it_began() -> None:
    """As a submission is, which comes from outside."""
    bench, sent = Bench(), SUBMISSION.name
    bench.log = MemoryLog(1, [sent, OUT.name, f"{sent}.dlq"])
    processor = replace(PROCESSOR, inputs=(SUBMISSION,), key=lambda message: "s-1", decide=began)
    runner = Runner(processor, bench.log, bench.database.store("counting"), Boards(()), bench.clock, bench.limits)
    await runner.start()
    message = SubmissionSent(submission_id="s-1", branch_id="b", business_type="t", captured_at=NOW, images=())
    headers = outside_headers(message, "/outside", "o-1", NOW)
    bench.log.append((sent, 0), Outgoing(b"b", message.model_dump_json().encode(), headers, 0))
    with capture_logs() as said:
        await turn(runner)
        await turn(runner)
    assert [line["about"] for line in said if line["event"] == "batch"] == [["c-1"]]


def began(state: Count, event: Any, situation: Situation) -> Facts:
    """Whatever comes, a case."""
    return (_fact("c-1", "s-1", situation.now),)


async def test_what_is_urgent_goes_before_a_bulk_that_came_earlier() -> None:
    """It waits for the batch under way, not for what was read ahead, and goes alone."""
    crowd = Crowd(room=8)
    runner = await crowd.runner()
    crowd.come(BULK.name, 40)
    assert await crowd.batch(runner) == ["bulk"] * 8
    await runner.look_ahead()
    crowd.come(URGENT.name, 2)
    assert await crowd.batch(runner) == ["urgent"] * 2
    assert await crowd.batch(runner) == ["bulk"] * 8


async def test_a_bulk_comes_on_however_much_is_urgent() -> None:
    """With something urgent before every batch, every other one still takes of the bulk, and nothing is left over."""
    crowd = Crowd(room=8)
    runner = await crowd.runner()
    crowd.come(BULK.name, 40)
    taken: list[list[str]] = []
    for _ in range(12):
        crowd.come(URGENT.name, 12)
        taken.append(await crowd.batch(runner))
        await runner.look_ahead() if not runner._ahead else None
    assert all("bulk" in one + other for one, other in zip(taken[::2], taken[1::2], strict=True))
    for _ in range(40):
        await turn(runner)
    assert len(crowd.written()) == crowd.sent
    order = [int(name.partition("-")[2]) for name in crowd.written() if name.startswith("urgent")]
    assert order == sorted(order)


async def test_a_batch_has_as_many_records_as_can_be_done_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a large batch that took long the next is smaller, so that what is urgent need not wait long."""
    crowd, clock = Crowd(room=1_000), itertools.count(0.0, 0.25)
    runner = await crowd.runner()
    monkeypatch.setattr(runner, "_monotonic", clock.__next__)
    crowd.come(BULK.name, 100)
    assert len(await crowd.batch(runner)) == 100
    crowd.come(BULK.name, 100)
    assert 6 <= len(await crowd.batch(runner)) < 100
    monkeypatch.setattr(runner, "_monotonic", itertools.count(0.0, 100.0).__next__)
    assert [len(await crowd.batch(runner)) for _ in range(3)][1:] == [6, 6]


def test_a_patient_alarm_is_due_later_while_the_process_is_behind() -> None:
    """It gives way for so long and no longer; others are due at their instant, and none is lost."""
    alarms = AlarmClock({("c-1", "more"): Alarm(NOW, patient=True), ("c-1", "wake"): Alarm(NOW)})
    second = timedelta(seconds=1)
    assert [fired.name for fired in alarms.due(NOW, {}, 10, second)] == ["wake"]
    assert alarms.due(NOW + second / 2, {}, 10, second) == []
    assert [fired.name for fired in alarms.due(NOW + second / 2, {}, 10)] == ["more"]
    alarms.rearm(TimerFired("c-1", "more", NOW))
    assert [fired.name for fired in alarms.due(NOW + second, {}, 10, second)] == ["more"]


async def test_who_has_more_waiting_than_a_batch_is_behind() -> None:
    """That is told to the other processors of the process by the batch, and is over with the last of it."""
    crowd = Crowd(room=8)
    runner = await crowd.runner()
    crowd.come(BULK.name, 17)
    told = []
    for _ in range(4):
        await turn(runner)
        told.append((runner.behind, runner._patience() > timedelta()))
    assert told == [(True, True), (True, True), (False, False), (False, False)]


def test_a_board_that_the_plan_of_a_service_forgot_is_named() -> None:
    """Whoever adds a processor learns which line is missing where."""
    with pytest.raises(InvariantError, match="boards overdue in the service's plan"):
        views_of(Boards(()), ["overdue"])
