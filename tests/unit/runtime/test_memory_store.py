"""The model of the store keeps the store's promises, and breaks them only as it is told to."""

from __future__ import annotations

import pytest

from shared.runtime.errors import TransientError
from shared.runtime.memory_store import MemoryDatabase
from shared.runtime.store import Batch
from tests.support.store_suite import OpenStore, StoreSuite, claimed

ROW = {(0, "k", "main"): b"1"}


class TestMemoryStore(StoreSuite):
    """The suite over the model."""

    @pytest.fixture
    def open_store(self) -> OpenStore:
        return MemoryDatabase().store


async def test_a_refused_commit() -> None:
    """A refused commit raises once and has written nothing; the next one goes through."""
    database = MemoryDatabase()
    store = database.store("desk")
    batch = await claimed(store, 0)
    batch.rows = dict(ROW)
    database.faults.refuse_commits = 1
    with pytest.raises(TransientError):
        await store.commit(batch)
    assert await store.load([(0, "k")]) == {}
    assert await store.commit(batch) == frozenset()


async def test_a_lost_acknowledgement() -> None:
    """A commit whose answer is lost raises, although everything is written."""
    database = MemoryDatabase()
    store = database.store("desk")
    batch = await claimed(store, 0)
    batch.rows = dict(ROW)
    database.faults.lose_acknowledgements = 1
    with pytest.raises(TransientError):
        await store.commit(batch)
    assert await store.load([(0, "k")]) == {(0, "k"): {"main": b"1"}}


async def test_committed_batches_are_kept() -> None:
    """The model lists what was written, with its processor, and leaves out what was lost."""
    database = MemoryDatabase(keep_batches=True)
    store = database.store("desk")
    batch = await claimed(store, 0)
    await store.commit(batch)
    await store.claim([0])
    await store.commit(Batch(epochs=dict(batch.epochs)))
    assert database.committed == [("desk", batch)]


async def test_seams_in_order() -> None:
    """Every call passes its named seams, where a simulator may end the caller."""
    seams: list[str] = []

    async def pause(seam: str) -> None:
        seams.append(seam)

    store = MemoryDatabase(pause).store("desk")
    batch = await claimed(store, 0)
    await store.load([(0, "k")])
    await store.commit(batch)
    assert seams == ["store.claim", "store.load", "store.commit.before", "store.commit.after"]


async def test_ended_between_write_and_answer() -> None:
    """A caller that is ended after the write leaves the batch written; one ended before it leaves nothing."""

    class EndedError(Exception):
        pass

    ends_at = "store.commit.before"

    async def pause(seam: str) -> None:
        if seam == ends_at:
            raise EndedError

    store = MemoryDatabase(pause).store("desk")
    batch = await claimed(store, 0)
    batch.rows = dict(ROW)
    with pytest.raises(EndedError):
        await store.commit(batch)
    assert await store.load([(0, "k")]) == {}
    ends_at = "store.commit.after"
    with pytest.raises(EndedError):
        await store.commit(batch)
    assert await store.load([(0, "k")]) == {(0, "k"): {"main": b"1"}}
