"""What every store promises: one suite, run over the model and over PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from shared.runtime.errors import InvariantError
from shared.runtime.log import Outgoing
from shared.runtime.store import Batch, JournalRow, LaneOut, OutboxRow, Store, TimerRow

OpenStore = Callable[[str], Store]
"""A view of one processor's rows. Called twice with one name it gives two processes on the same database."""

NOON = datetime(2031, 5, 6, 12, tzinfo=UTC)
PLACED = "routing.placed.v1"
ROUNDS = 25


def fact(lane: LaneOut, sequence: int) -> OutboxRow:
    headers = (("sequence", b"%020d" % sequence), ("ce_type", "größe".encode()), ("raw", b"\xff\x00"))
    return OutboxRow(lane, sequence, Outgoing(b"key", b"body %d" % sequence, headers, 1_000 + sequence))


def journal_row(number: int, key: str = "case-1", shard: int = 0) -> JournalRow:
    return JournalRow(shard, key, number, NOON, "audit.case-started.v1", b'{"n":%d}' % number, f"cause-{number}")


async def claimed(store: Store, *shards: int) -> Batch:
    """An empty batch of the shards' new owner."""
    return Batch(epochs={number: claim.epoch for number, claim in (await store.claim(shards)).items()})


class StoreSuite:
    """A subclass gives the fixture `open_store`."""

    async def test_first_claim(self, open_store: OpenStore) -> None:
        """A shard that nobody has owned starts at epoch 1 with nothing read, written or waiting."""
        claims = await open_store("desk").claim([0, 3])
        assert set(claims) == {0, 3}
        for claim in claims.values():
            assert claim.epoch == 1
            assert (dict(claim.next_offsets), dict(claim.lanes_in), dict(claim.lanes_out)) == ({}, {}, {})
            assert (list(claim.unpublished), list(claim.timers)) == ([], [])

    async def test_everything_is_there_for_the_next_owner(self, open_store: OpenStore) -> None:
        """A claim returns offsets, lanes, unpublished facts in lane order and timers of its shards, and of no other."""
        batch = await claimed(open_store("desk"), 0, 1)
        batch.next_offsets = {(0, "a"): 7, (1, "a"): 8}
        batch.lanes_in = {(0, "/opsfloor/audit/controls/2", "a"): 5, (1, "/elsewhere", "a"): 6}
        batch.lanes_out = {(0, PLACED, 4): 11, (1, PLACED, 4): 2}
        batch.outbox = [fact((0, PLACED, 4), 10), fact((0, PLACED, 2), 1), fact((0, PLACED, 4), 11)]
        alarm, board = TimerRow((0, "k", "lease"), NOON), TimerRow((0, "k", "plan"), None, frozenset({"plan", "x"}))
        batch.timers = {alarm.key: alarm, board.key: board, (1, "k", "lease"): TimerRow((1, "k", "lease"), NOON)}
        assert await open_store("desk").commit(batch) == frozenset()
        claim = (await open_store("desk").claim([0]))[0]
        assert claim.epoch == 2
        assert dict(claim.next_offsets) == {("a", 0): 7}
        assert dict(claim.lanes_in) == {("/opsfloor/audit/controls/2", "a"): 5}
        assert dict(claim.lanes_out) == {(PLACED, 4): 11}
        assert list(claim.unpublished) == [fact((0, PLACED, 2), 1), fact((0, PLACED, 4), 10), fact((0, PLACED, 4), 11)]
        assert sorted(claim.timers, key=lambda t: t.key) == [alarm, board]

    async def test_offsets_and_lanes_move(self, open_store: OpenStore) -> None:
        """What a later batch says of an inlet or a lane replaces what an earlier one said."""
        store = open_store("desk")
        batch = await claimed(store, 0)
        for n in (1, 2, 3):
            batch.next_offsets, batch.lanes_in, batch.lanes_out = {(0, "a"): n}, {(0, "/s", "a"): n}, {(0, "b", 1): n}
            assert await store.commit(batch) == frozenset()
        claim = (await store.claim([0]))[0]
        assert (claim.next_offsets["a", 0], claim.lanes_in["/s", "a"], claim.lanes_out["b", 1]) == (3, 3, 3)

    async def test_an_old_owner_writes_nothing(self, open_store: OpenStore) -> None:
        """One lost shard refuses the whole batch: nothing is written, for the shards still held neither."""
        old, new = open_store("desk"), open_store("desk")
        batch = await claimed(old, 0, 1)
        await new.claim([1])
        for shard in (0, 1):
            batch.rows[(shard, "k", "main")] = b"{}"
            batch.outbox.append(fact((shard, PLACED, 0), 1))
            batch.next_offsets[(shard, "a")] = 9
            batch.lanes_in[(shard, "/s", "a")] = 9
            batch.lanes_out[(shard, PLACED, 0)] = 1
            batch.timers[(shard, "k", "lease")] = TimerRow((shard, "k", "lease"), NOON)
            batch.journal.append(journal_row(1, "k", shard))
        assert await old.commit(batch) == {1}
        assert await new.load([(0, "k"), (1, "k")]) == {}
        assert await new.journal_length([(0, "k"), (1, "k")]) == {}
        for claim in (await new.claim([0, 1])).values():
            assert (dict(claim.next_offsets), dict(claim.lanes_in), dict(claim.lanes_out)) == ({}, {}, {})
            assert (list(claim.unpublished), list(claim.timers)) == ([], [])

    async def test_an_old_owner_removes_nothing(self, open_store: OpenStore) -> None:
        """A fenced batch neither deletes rows or timers nor prunes what is unpublished."""
        old, new = open_store("desk"), open_store("desk")
        batch = await claimed(old, 0)
        batch.rows, batch.outbox = {(0, "k", "main"): b"{}"}, [fact((0, PLACED, 0), 1)]
        batch.timers = {(0, "k", "lease"): TimerRow((0, "k", "lease"), NOON)}
        await old.commit(batch)
        await new.claim([0])
        late = Batch(epochs=batch.epochs, rows={(0, "k", "main"): None}, timers={(0, "k", "lease"): None})
        late.published = {(0, PLACED, 0): 1}
        assert await old.commit(late) == {0}
        assert await new.load([(0, "k")]) == {(0, "k"): {"main": b"{}"}}
        claim = (await new.claim([0]))[0]
        assert (len(claim.unpublished), len(claim.timers)) == (1, 1)

    async def test_nobody_owns_an_unclaimed_shard(self, open_store: OpenStore) -> None:
        """A batch for a shard that was never claimed is lost."""
        assert await open_store("desk").commit(Batch(epochs={5: 1}, rows={(5, "k", "main"): b"{}"})) == {5}
        assert await open_store("desk").load([(5, "k")]) == {}

    async def test_rows(self, open_store: OpenStore) -> None:
        """A row is inserted, replaced and removed; bodies come back byte for byte, only of the keys asked for."""
        store = open_store("desk")
        batch = await claimed(store, 0)
        body = '{"b": 1,  "a":"größe \\u0000"}'.encode()
        batch.rows = {(0, "k", "main"): b"1", (0, "k", "gone"): b"2", (0, "other", "main"): b"3"}
        await store.commit(batch)
        batch.rows = {(0, "k", "main"): body, (0, "k", "gone"): None, (0, "k", "never"): None}
        assert await store.commit(batch) == frozenset()
        assert await store.load([(0, "k"), (0, "absent")]) == {(0, "k"): {"main": body}}
        assert await store.load([]) == {}

    async def test_shards_are_apart(self, open_store: OpenStore) -> None:
        """The same entity key in two shards is two entities: rows, journal and timers do not meet."""
        store = open_store("desk")
        batch = await claimed(store, 0, 1)
        batch.rows = {(0, "k", "main"): b"0", (1, "k", "main"): b"1"}
        batch.journal = [journal_row(1, "k", 0), journal_row(1, "k", 1), journal_row(2, "k", 1)]
        assert await store.commit(batch) == frozenset()
        assert await store.load([(1, "k")]) == {(1, "k"): {"main": b"1"}}
        assert await store.load_shard(0) == {"k": {"main": b"0"}}
        assert await store.journal_length([(0, "k"), (1, "k")]) == {(0, "k"): 1, (1, "k"): 2}
        assert await store.journal_length([(1, "k")]) == {(1, "k"): 2}
        batch.rows, batch.journal = {(0, "k", "main"): None}, []
        await store.commit(batch)
        assert await store.load([(0, "k"), (1, "k")]) == {(1, "k"): {"main": b"1"}}

    async def test_load_shard(self, open_store: OpenStore) -> None:
        """A whole shard is read by entity and part."""
        store = open_store("desk")
        batch = await claimed(store, 2)
        batch.rows = {(2, "k", "main"): b"1", (2, "k", "more"): b"2", (2, "l", "main"): b"3"}
        await store.commit(batch)
        assert await store.load_shard(2) == {"k": {"main": b"1", "more": b"2"}, "l": {"main": b"3"}}
        assert await store.load_shard(3) == {}

    async def test_published_is_pruned(self, open_store: OpenStore) -> None:
        """Batches whose facts are all at or below `published` go, on that lane only; the lane's number stays."""
        store = open_store("desk")
        batch = await claimed(store, 0, 1)
        one, two, other = (0, PLACED, 0), (0, PLACED, 1), (1, PLACED, 0)
        for numbers in ((1, 2), (3,)):
            batch.outbox = [fact(lane, n) for lane in (one, two, other) for n in numbers]
            batch.lanes_out = dict.fromkeys((one, two, other), numbers[-1])
            await store.commit(batch)
        assert await store.commit(Batch(epochs=batch.epochs, outbox=[fact(one, 4)], published={one: 2})) == frozenset()
        claims = await store.claim([0, 1])
        assert [(row.lane, row.sequence) for row in claims[0].unpublished] == [(one, 3), (one, 4)] + [
            (two, n) for n in (1, 2, 3)
        ]
        assert [row.sequence for row in claims[1].unpublished] == [1, 2, 3]
        assert claims[0].lanes_out[PLACED, 0] == 3

    async def test_timers(self, open_store: OpenStore) -> None:
        """A timer is set, moved and removed by its name."""
        store = open_store("desk")
        batch = await claimed(store, 0)
        lease, pause = (0, "k", "lease"), (0, "k", "pause")
        batch.timers = {lease: TimerRow(lease, NOON), pause: TimerRow(pause, NOON)}
        await store.commit(batch)
        moved = TimerRow(lease, NOON.replace(microsecond=123_456), frozenset({"plan"}))
        batch.timers = {lease: moved, pause: None, (0, "k", "never"): None}
        await store.commit(batch)
        assert list((await store.claim([0]))[0].timers) == [moved]

    async def test_journal_counts_from_one(self, open_store: OpenStore) -> None:
        """The journal's length is that of the facts written; entities without facts are left out."""
        store = open_store("desk")
        batch = await claimed(store, 0)
        batch.journal = [journal_row(1), journal_row(2), journal_row(1, "case-2")]
        await store.commit(batch)
        assert await store.journal_length([(0, "case-1"), (0, "case-2"), (0, "case-3")]) == {
            (0, "case-1"): 2,
            (0, "case-2"): 1,
        }

    async def test_a_number_is_given_once(self, open_store: OpenStore) -> None:
        """A second fact with the same number is impossible: the batch raises and leaves nothing behind."""
        store = open_store("desk")
        batch = await claimed(store, 0)
        batch.journal, batch.outbox = [journal_row(1)], [fact((0, PLACED, 0), 1)]
        await store.commit(batch)
        again = Batch(epochs=batch.epochs, rows={(0, "k", "main"): b"{}"}, journal=[journal_row(1)])
        with pytest.raises(InvariantError, match="Expected"):
            await store.commit(again)
        same = Batch(epochs=batch.epochs, rows={(0, "k", "main"): b"{}"}, outbox=[fact((0, PLACED, 0), 1)])
        with pytest.raises(InvariantError, match="Expected"):
            await store.commit(same)
        assert await store.load([(0, "k")]) == {}
        assert await store.journal_length([(0, "case-1")]) == {(0, "case-1"): 1}
        assert len((await store.claim([0]))[0].unpublished) == 1

    async def test_processors_are_apart(self, open_store: OpenStore) -> None:
        """Two processors have their own epochs, rows and lanes, also for equal shard numbers and keys."""
        desk, placement = open_store("desk"), open_store("placement")
        mine, theirs = await claimed(desk, 0), await claimed(placement, 0)
        mine.rows, theirs.rows = {(0, "k", "main"): b"1"}, {(0, "k", "main"): b"2"}
        mine.next_offsets = {(0, "a"): 4}
        await desk.claim([0])
        assert await desk.commit(mine) == {0}
        assert await placement.commit(theirs) == frozenset()
        assert await desk.load([(0, "k")]) == {}
        assert await placement.load([(0, "k")]) == {(0, "k"): {"main": b"2"}}

    async def test_claims_at_once(self, open_store: OpenStore) -> None:
        """Claims at the same time get different epochs, in whatever order shards are named; only the highest writes."""
        stores = [open_store("desk") for _ in range(6)]
        orders = [[0, 1, 2], [2, 1, 0]] * 3
        claims = await asyncio.gather(*(s.claim(o) for s, o in zip(stores, orders, strict=True)))
        for shard in (0, 1, 2):
            assert sorted(claim[shard].epoch for claim in claims) == [1, 2, 3, 4, 5, 6]
        for store, claim in zip(stores, claims, strict=True):
            lost = await store.commit(Batch({0: claim[0].epoch}, {(0, "k", "main"): b"%d" % claim[0].epoch}))
            assert lost == (frozenset() if claim[0].epoch == 6 else {0})
        assert await stores[0].load([(0, "k")]) == {(0, "k"): {"main": b"6"}}

    async def test_a_claim_in_the_middle_of_a_commit(self, open_store: OpenStore) -> None:
        """A claim beside a commit sees all of it or refuses it: never a written batch that the claim did not see."""
        old, new = open_store("desk"), open_store("desk")
        for turn in range(1, ROUNDS + 1):
            batch = await claimed(old, 0, 1)
            batch.next_offsets = {(0, "a"): turn, (1, "a"): turn}
            batch.rows = {(0, f"k{n}", "main"): b"%d" % turn for n in range(50)}
            lost, claims = await asyncio.gather(old.commit(batch), new.claim([1, 0]))
            seen = {claims[n].next_offsets.get(("a", n), 0) == turn for n in (0, 1)}
            assert seen == {not lost}
