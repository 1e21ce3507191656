"""Bundles: several facts in one record of the bus, and each of them for its reader as if it had come alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import ormsgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts import core
from shared.contracts.core import PostingConfirmed
from shared.runtime.boards import Boards
from shared.runtime.bundles import BYTES_MAX, FACTS_MAX, all_facts, facts_in, facts_of
from shared.runtime.engine import Limits
from shared.runtime.headers import Cause, headers_for, origin_of
from shared.runtime.log import Outgoing, Record
from shared.runtime.memory_log import MemoryLog
from shared.runtime.outbox import rows_of, runs_of
from shared.runtime.runner import Runner
from shared.runtime.store import OutboxRow
from tests.support.bundling import bundled, rows_in_bundles
from tests.unit.runtime.test_runner import IN, NOW, OUT, PROCESSOR, Bench, die, turn

SOURCE = b"/opsfloor/other/lane/0"


def fact(sequence: int, *, at: bytes = b"t", body: bytes = b"", kind: bytes = b"") -> Outgoing:
    """A fact on the lane to partition 0, with a cause of its own."""
    message = PostingConfirmed(posting_id="p", case_id=f"c-{sequence}", core_reference=f"s{sequence}", booked_at=NOW)
    event_id = b"%b/%b/0/%d" % (SOURCE, IN.name.encode(), sequence)
    headers = headers_for(
        message, event_id, SOURCE, sequence, at, Cause(f"e-{sequence}", "", ""), b"1.%d.1.1" % sequence
    )
    headers = tuple((name, kind if kind and name == "ce_type" else value) for name, value in headers)
    return Outgoing(message.key.encode(), body or message.model_dump_json().encode(), headers, 0)


def come(rows: Sequence[Outgoing]) -> list[Record]:
    """What is read of the rows when they were written as they are."""
    return [Record(IN.name, 0, offset, *row) for offset, row in enumerate(rows)]


def told(records: Sequence[Record]) -> list[Outgoing]:
    return [Outgoing(record.key or b"", record.value, record.headers, record.timestamp_ms) for record in records]


@given(st.lists(st.sampled_from(["next", "later", "other", "big"]), min_size=1, max_size=30))
def test_whatever_is_bundled_comes_back_fact_by_fact(course: list[str]) -> None:
    """Facts of several kinds and instants, some of them large: all as they were."""
    rows: list[Outgoing] = []
    at = b"t0"
    for number, step in enumerate(course, 1):
        at = b"t%d" % number if step == "later" else at
        body = b"x" * (BYTES_MAX // 2) if step == "big" else b""
        rows.append(fact(number, at=at, body=body, kind=b"other.kind.v1" if step == "other" else b""))
    for compressed in (True, False):
        written = bundled(rows, compressed=compressed)
        assert told(list(all_facts(come(written)))) == rows
        assert len(written) <= len(rows)
        assert sum(map(facts_in, written)) == len(rows)


def test_a_run_of_alike_facts_is_one_record_up_to_the_limit() -> None:
    """Its kind, writer and first sequence stand in its headers; each fact knows how many of its record follow."""
    first, second = bundled([fact(sequence) for sequence in range(1, FACTS_MAX + 3)])
    headers = dict(first.headers)
    assert (headers["ce_type"], headers["ce_source"]) == (b"core.posting-confirmed.v1", SOURCE)
    assert (int(headers["sequence"]), headers["facts"], first.key) == (1, b"100", b"c-1")
    facts = facts_of(Record(IN.name, 0, 7, *second))
    assert [(one.offset, one.more, one.next_offset, one.spot) for one in facts] == [
        (7, 1, 7, f"{IN.name}/0/7-1"),
        (7, 0, 8, f"{IN.name}/0/7"),
    ]


def test_a_bundle_has_a_limit_in_bytes() -> None:
    """A broker refuses what is too large; a single fact goes out however large it is."""
    body = b"x" * (BYTES_MAX // 2)
    assert [len(facts_of(one)) for one in come(bundled([fact(n, body=body) for n in range(1, 6)]))] == [2, 2, 1]
    assert len(bundled([fact(1, body=body * 5), fact(2, body=body * 5)])) == 2


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("body", [b"\xc1", b"", b"\x04\x00\x00\x00junk", b"\xff\xff\xff\x7f"])
def test_what_cannot_be_unpacked_comes_as_it_is(body: bytes, compressed: bool) -> None:
    """Its reader parks it, and stops at the facts that are missing after it."""
    (bundle,) = bundled([fact(1), fact(2)], compressed=compressed)
    broken = Record(IN.name, 0, 0, bundle.key, body, bundle.headers, 0)
    assert facts_of(broken) == (broken,)


@pytest.mark.parametrize(
    "rows", [[["a", "b", ["1", "2", "3", "4"]]], [[b"k", b"v", [b"1"]]], [[b"k", 7, [b"1"] * 4]], ["abc"], {"a": 1}, 7]
)
def test_a_bundle_of_another_form_comes_as_it_is(rows: object) -> None:
    """Whatever msgpack brings: it is parked, and ends no reader."""
    (bundle,) = bundled([fact(1), fact(2)], compressed=False)
    odd = Record(IN.name, 0, 0, bundle.key, ormsgpack.packb(rows), bundle.headers, 0)
    assert facts_of(odd) == (odd,)
    short = odd._replace(headers=(*bundle.headers[:3], bundle.headers[-1]))
    assert facts_of(short) == (short,)


def test_what_a_branch_calls_a_bundle_is_none() -> None:
    """Only the floor writes them; what comes from outside is read as it stands."""
    (bundle,) = bundled([fact(1), fact(2)])
    record = Record(core.POSTING.name, 0, 0, bundle.key, bundle.value, bundle.headers, 0)
    assert facts_of(record) == (record,)


def test_a_compressed_bundle_is_a_fraction_of_its_facts() -> None:
    """Facts of one batch say much the same."""
    facts = [
        fact(sequence, body=b'{"said":"much the same %d"}' % sequence * 20) for sequence in range(1, FACTS_MAX + 1)
    ]
    (plain,), (compressed,) = bundled(facts, compressed=False), bundled(facts)
    assert len(compressed.value or b"") * 5 < len(plain.value or b"")


def test_what_a_batch_tells_goes_in_bundles_lane_by_lane() -> None:
    """Each row ends at the sequence of its last fact, and lanes stay dense."""
    lanes = (0, IN.name, 0), (0, IN.name, 1)
    rows = [OutboxRow(lane, sequence, fact(sequence)) for sequence in range(1, FACTS_MAX + 3) for lane in lanes]
    found = list(rows_in_bundles(rows))
    for lane in lanes:
        assert [(row.first_sequence, row.sequence) for row in found if row.lane == lane] == [
            (1, FACTS_MAX),
            (FACTS_MAX + 1, FACTS_MAX + 2),
        ]
    assert [row for run in runs_of(found) for row in rows_of(run)] == found


@pytest.mark.parametrize("room", [1, 2, 3, 7])
async def test_a_process_that_dies_in_the_middle_of_a_bundle_loses_and_doubles_nothing(room: int) -> None:
    """A batch may end within a bundle; whoever takes over reads the record again and takes what is new of it."""
    bench = Bench(Limits(timer_tick_seconds=0, batch_records_max=room))
    for row in bundled([fact(sequence) for sequence in range(1, 6)]):
        bench.log.append((IN.name, 0), row)
    bench.log.append((IN.name, 0), fact(6))
    for _ in range(6):
        runner = await bench.runner()
        await turn(runner)
        die(runner)
    runner = await bench.runner()
    while await runner.cycle():
        await runner.flush()
    assert bench.written() == [f"s{sequence}" for sequence in range(1, 7)]


def test_a_fact_of_a_bundle_knows_what_its_headers_say() -> None:
    """Whoever reads it need not read them."""
    facts = list(all_facts(come(bundled([fact(sequence) for sequence in range(1, 4)]))))
    assert [one.origin for one in facts] == [origin_of(one._replace(origin=None)) for one in facts]
    assert [one.origin.sequence for one in facts if one.origin is not None] == [1, 2, 3]


def test_a_bundle_with_an_origin_that_no_text_can_hold_comes_as_it_is() -> None:
    """Its reader parks it, as any that it cannot unpack."""
    (bundle,) = bundled([fact(1), fact(2)], compressed=False)
    (record,) = come([bundle._replace(value=(bundle.value or b"").replace(b"c-2", b"c-\xff"))])
    assert facts_of(record) == (record,)


async def test_what_is_told_is_the_same_in_bundles_and_alone() -> None:
    """Key, body and every header of each fact, so that nobody sees by a fact how it went out."""
    told: list[list[Outgoing]] = []
    for bundles in (True, False):
        bench = Bench(Limits(timer_tick_seconds=0, bundles=bundles))
        processor = replace(PROCESSOR, outputs=(replace(OUT, bundled=True),))
        for reference in "abcdef":
            bench.send(reference)
        runner = Runner(processor, bench.log, bench.database.store("counting"), Boards(()), bench.clock, bench.limits)
        await runner.start()
        await turn(runner)
        records = [one for (topic, _), rows in bench.log.records.items() if topic == OUT.name for one in rows]
        told.append([Outgoing(one.key or b"", one.value, one.headers, one.timestamp_ms) for one in records])
        assert any(one.more for one in records) is bundles
    assert told[0]
    assert told[0] == told[1]


async def test_a_bundle_that_was_committed_and_not_published_goes_out_once_by_whoever_claims() -> None:
    """It lies in the outbox as it goes out; once it is acknowledged the outbox is empty of it."""
    bench = Bench(Limits(timer_tick_seconds=0))
    processor = replace(PROCESSOR, outputs=(replace(OUT, bundled=True),))
    for reference in "abc":
        bench.send(reference)
    store = bench.database.store("counting")
    first = Runner(processor, bench.log, store, Boards(()), bench.clock, bench.limits)
    await first.start()
    await first.cycle()
    die(first)
    assert [row.facts for row in bench.database.parts["counting"].outbox.values()] == [3]
    second = Runner(processor, bench.log, store, Boards(()), bench.clock, bench.limits)
    await second.start()
    bench.send("d")
    for _ in range(3):
        await turn(second)
        bench.send("e")
    assert bench.written()[:4] == ["a", "b", "c", "d"]
    assert all(row.first_sequence > 3 for row in bench.database.parts["counting"].outbox.values())


async def test_only_a_bundled_topic_has_bundles_and_only_once_everybody_reads_them() -> None:
    """An outsider's topic has a record for each fact; so has every topic while a process of the old release may live."""
    records = {}
    for name, topic, allowed in (("outside", OUT, True), ("early", replace(OUT, bundled=True), False),
                                 ("bundled", replace(OUT, bundled=True), True)):  # fmt: skip
        bench = Bench(Limits(timer_tick_seconds=0, bundles=allowed))
        for reference in "abc":
            bench.send(reference)
        processor = replace(PROCESSOR, outputs=(topic,))
        log: MemoryLog = bench.log
        store = bench.database.store("counting")
        runner = Runner(processor, log, store, Boards(()), bench.clock, bench.limits)
        await runner.start()
        await turn(runner)
        records[name] = log.end((OUT.name, 0))
        assert bench.written() == ["a", "b", "c"]
    assert records == {"outside": 3, "early": 3, "bundled": 1}
