"""The store in PostgreSQL keeps the store's promises, says which errors pass, and makes its own schema."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import asyncpg
import pytest

from shared.runtime.errors import InvariantError, TransientError
from shared.runtime.postgres_store import PostgresStore, statements
from shared.runtime.schema import migrate
from shared.runtime.shard import BLOWN, SPARED, Shard
from shared.runtime.store import Batch
from tests.support.store_suite import OpenStore, StoreSuite, claimed, fact, journal_row

SCHEMA = "routing"


@pytest.fixture
async def pool(fresh_database: str) -> AsyncIterator[asyncpg.Pool]:
    """Connections to an empty database."""
    async with asyncpg.create_pool(fresh_database, min_size=1, max_size=8) as pool:
        yield pool


@pytest.fixture
async def store(pool: asyncpg.Pool) -> PostgresStore:
    """The desk's part of a migrated schema."""
    await migrate(pool, SCHEMA)
    return PostgresStore(pool, SCHEMA, "desk", "desk_team")


class TestPostgresStore(StoreSuite):
    """The suite over a real database."""

    @pytest.fixture
    async def open_store(self, pool: asyncpg.Pool) -> OpenStore:
        await migrate(pool, SCHEMA)
        return lambda processor: PostgresStore(pool, SCHEMA, processor, f"{processor}_table")


async def test_services_migrate_at_once(pool: asyncpg.Pool) -> None:
    """Processes that start together take each step once; a later start takes none."""
    steps = await asyncio.gather(*(migrate(pool, SCHEMA) for _ in range(4)))
    assert sorted(steps)[:3] == [0, 0, 0]
    assert max(steps) == len(await pool.fetch("SELECT FROM routing.migration")) > 0
    assert await migrate(pool, SCHEMA) == 0
    assert await migrate(pool, "audit") == max(steps)


async def test_a_newer_database_is_refused(pool: asyncpg.Pool) -> None:
    """Code that does not know a step of the database does not touch it."""
    await migrate(pool, SCHEMA)
    await pool.execute("INSERT INTO routing.migration (name) VALUES ('9999_post_later.sql')")
    with pytest.raises(InvariantError, match=r"not newer.*9999_post_later"):
        await migrate(pool, SCHEMA)


async def test_a_failed_step_leaves_nothing(pool: asyncpg.Pool) -> None:
    """A step that cannot be taken is neither recorded nor half done."""
    await pool.execute("CREATE SCHEMA routing; CREATE TABLE routing.timer (of_somebody_else int)")
    with pytest.raises(asyncpg.DuplicateTableError):
        await migrate(pool, SCHEMA)
    assert await pool.fetchval("SELECT to_regclass('routing.shard')") is None
    assert await pool.fetchval("SELECT to_regclass('routing.migration')") is None


@pytest.mark.parametrize("name", ["", "Routing", "a b", "x;drop", "1st"])
def test_an_impossible_schema(name: str) -> None:
    """Only small letters reach the statements."""
    with pytest.raises(ValueError, match="Expected a schema name"):
        statements(name)


async def test_the_read_path_of_the_faces(store: PostgresStore, pool: asyncpg.Pool) -> None:
    """A service's HTTP face reads state and journal by entity, without knowing shards."""
    batch = await claimed(store, 0, 1)
    batch.rows = {(1, "team-1", "main"): b'{"operators": 3}'}
    batch.journal = [journal_row(1, "team-1", 1), journal_row(2, "team-1", 1)]
    await store.commit(batch)
    rows = await pool.fetch(
        "SELECT part, body FROM routing.state WHERE table_name = $1 AND key = $2", "desk_team", "team-1"
    )
    assert [tuple(row) for row in rows] == [("main", '{"operators": 3}')]
    facts = await pool.fetch("SELECT n, body FROM routing.journal WHERE processor = 'desk' AND key = $1", "team-1")
    assert [tuple(row) for row in facts] == [(1, '{"n":1}'), (2, '{"n":2}')]


@pytest.mark.parametrize(
    "batch",
    [
        Batch(rows={(0, "k", "main"): b"not json"}),
        Batch(rows={(0, "nul\0", "main"): b"{}"}),
        Batch(rows={(0, "half a character \ud800", "main"): b"{}"}),
        Batch(next_offsets={(0, "a"): 2**63}),
    ],
)
async def test_what_can_never_be_stored(store: PostgresStore, batch: Batch) -> None:
    """A batch that no second try could store is not called transient, and leaves nothing behind."""
    batch.epochs = (await claimed(store, 0)).epochs
    batch.outbox = [fact((0, "a", 0), 1)]
    with pytest.raises(InvariantError, match="Expected the batch to fit"):
        await store.commit(batch)
    assert list((await store.claim([0]))[0].unpublished) == []


async def all_rows(pool: asyncpg.Pool) -> dict[str, list[str]]:
    """Everything that stands in the schema, each table's rows with what PostgreSQL knows of their last writing."""
    names = await pool.fetch("SELECT tablename FROM pg_tables WHERE schemaname = $1", SCHEMA)
    return {name: [str(row) for row in await pool.fetch(f"SELECT xmin, * FROM {SCHEMA}.{name}")] for (name,) in names}


async def test_a_look_finds_what_a_claim_would_and_changes_nothing(store: PostgresStore, pool: asyncpg.Pool) -> None:
    """Nobody loses a shard to who only looks; of a shard that nobody has claimed there is nothing to be seen."""
    batch = await claimed(store, 0)
    batch.next_offsets, batch.lanes_in, batch.lanes_out = {(0, "a"): 7}, {(0, "/s", "a"): 5}, {(0, "b", 1): 3}
    batch.outbox = [fact((0, "b", 1), 3)]
    assert await store.commit(batch) == frozenset()
    before = await all_rows(pool)
    seen = await store.look([0, 1])
    assert await all_rows(pool) == before
    assert (seen[0].epoch, seen[1].epoch, dict(seen[1].next_offsets)) == (1, 0, {})
    claim = (await store.claim([0]))[0]
    assert replace(claim, epoch=1) == seen[0]


async def test_a_look_at_tables_that_no_processor_has_written_yet_makes_none(pool: asyncpg.Pool) -> None:
    """A processor's table is made by whoever claims."""
    await migrate(pool, SCHEMA)
    before = await all_rows(pool)
    assert (await PostgresStore(pool, SCHEMA, "desk", "desk_team").look([0]))[0].epoch == 0
    assert await all_rows(pool) == before


async def test_a_reset_fuse_is_found_by_the_next_claim_and_never_goes_back(store: PostgresStore) -> None:
    """Up to where unreadable records are known of is a mark beside the lanes; whoever resets late takes nothing back."""
    batch = await claimed(store, 0)
    batch.lanes_in = {(0, BLOWN, "a"): 9}
    await store.commit(batch)
    assert Shard(0, (await store.look([0]))[0]).blown() == ["a"]
    await store.spare({("a", 0): 30, ("b", 1): 4})
    await store.spare({("a", 0): 20})
    claim = (await store.claim([0]))[0]
    assert claim.lanes_in[SPARED, "a"] == 30
    assert Shard(0, claim).blown() == []


async def test_a_claim_waits_for_a_commit_under_way(store: PostgresStore, pool: asyncpg.Pool) -> None:
    """A shard's row is locked by a commit until its end, so that a claim reads what that commit wrote."""
    await claimed(store, 0)
    async with pool.acquire() as other, other.transaction():
        await other.execute("SELECT FROM routing.shard WHERE shard = 0 FOR SHARE")
        claiming = asyncio.create_task(store.claim([0]))
        await asyncio.sleep(0.3)
        assert not claiming.done()
    assert (await claiming)[0].epoch == 2


async def test_a_commit_waits_for_a_claim_under_way(store: PostgresStore, pool: asyncpg.Pool) -> None:
    """A commit that meets a claim not yet committed waits, then finds the shard lost and writes nothing."""
    batch = await claimed(store, 0)
    batch.rows = {(0, "k", "main"): b"{}"}
    async with pool.acquire() as other, other.transaction():
        await other.execute("UPDATE routing.shard SET epoch = epoch + 1 WHERE processor = 'desk' AND shard = 0")
        committing = asyncio.create_task(store.commit(batch))
        await asyncio.sleep(0.3)
        assert not committing.done()
    assert await committing == {0}
    assert await store.load([(0, "k")]) == {}


async def test_a_cut_connection(store: PostgresStore, pool: asyncpg.Pool, fresh_database: str) -> None:
    """A commit whose connection is ended in the middle is in doubt: transient. The next call has a new connection."""
    batch = await claimed(store, 0)
    outside = await asyncpg.connect(fresh_database)
    async with outside.transaction():
        await outside.execute("UPDATE routing.shard SET epoch = epoch + 1")
        committing = asyncio.create_task(store.commit(batch))
        await asyncio.sleep(0.2)
        await outside.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        with pytest.raises(TransientError, match="Expected the database to answer"):
            await committing
    await outside.close()
    assert (await store.claim([0]))[0].epoch == 3


async def test_a_deadlock(store: PostgresStore, pool: asyncpg.Pool) -> None:
    """Whoever is chosen to give way in a deadlock is told to try again."""
    batch = await claimed(store, 0)
    batch.rows = {(0, "k", "main"): b"{}"}
    await store.commit(batch)
    async with pool.acquire() as other:
        await other.execute("SET deadlock_timeout = '20s'")
        async with other.transaction():
            await other.execute("SELECT FROM routing.state WHERE key = 'k' FOR UPDATE")
            committing = asyncio.create_task(store.commit(batch))
            await asyncio.sleep(0.2)
            taking = asyncio.create_task(other.execute("UPDATE routing.shard SET epoch = epoch + 1"))
            with pytest.raises(TransientError, match="Deadlock"):
                await committing
            await taking


async def test_an_impossible_table(pool: asyncpg.Pool) -> None:
    """A table's name is part of a statement, so only small letters reach it."""
    await migrate(pool, SCHEMA)
    with pytest.raises(InvariantError, match="Expected a table name"):
        await PostgresStore(pool, SCHEMA, "desk", "x'); DROP").claim([0])
