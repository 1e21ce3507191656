"""The HTTP faces read in PostgreSQL what the processors wrote there: as the fakes of their own tests say it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import asyncpg
import pytest

from services.audit.controls.processor import controls
from services.audit.store import PostgresCaseReads
from services.intake.reception.processor import Register, reception
from services.intake.reception.state import Submission, apply
from services.intake.store import PostgresSubmissionReads
from services.routing.desk.processor import desk
from services.routing.desk.state import DeskItem, ItemPhase, new_desk
from services.routing.emergency.counted import Narrowed
from services.routing.emergency.postgres_reads import PostgresBookReads
from services.routing.emergency.processor import emergency
from services.routing.placement.processor import placement
from services.routing.placement.state import Phase, PlacedItem, alarms
from services.routing.placement.store import PostgresWaitingReads
from services.routing.placement.waiting import Waits
from services.routing.workbench.store import PostgresDeskReads
from services.vendor.store import PostgresScores
from services.vendor.supervision.processor import supervision
from services.vendor.supervision.state import Score
from shared.contracts.intake import RejectionCode, SubmissionRejected, SubmissionSentBack
from shared.contracts.reroute import CancelReroute, ProposeReroute, RerouteAnswered, RerouteProposed, RerouteScope
from shared.contracts.work import Draft
from shared.images import ImageStore
from shared.runtime import reads as reading
from shared.runtime.errors import TransientError
from shared.runtime.patience import within
from shared.runtime.postgres_store import PostgresStore
from shared.runtime.processor import Processor
from shared.runtime.reads import look
from shared.runtime.schema import migrate
from shared.runtime.store import JournalRow, TimerRow
from tests.support.store_suite import claimed
from tests.unit.audit.floor_of_cases import CASE, with_amount
from tests.unit.emergency.control_room import LIN, ControlRoom, terms
from tests.unit.emergency.test_reroute_life import bank
from tests.unit.routing.floor import order as an_order
from tests.unit.sight.facts import fact
from tests.unit.workbench.window import Window

Rows = Mapping[str, bytes | None]
AT = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.fixture
async def pool(fresh_database: str) -> AsyncIterator[asyncpg.Pool]:
    """Connections to a database with every service's schema."""
    async with asyncpg.create_pool(fresh_database, min_size=1, max_size=4) as pool:
        for schema in ("audit", "intake", "routing", "vendor"):
            await migrate(pool, schema)
        yield pool


async def kept(pool: asyncpg.Pool, processor: Processor, rows: Mapping[str, Rows], *journal: JournalRow) -> None:
    """Commit rows, by key and part, as the processor's runner does."""
    store = PostgresStore(pool, processor.service, processor.name, processor.table.name)
    batch = await claimed(store, 0)
    batch.rows = {(0, key, part): body for key, parts in rows.items() for part, body in parts.items()}
    batch.journal = list(journal)
    await store.commit(batch)


async def test_the_workbench_reads_the_desks_rows(pool: asyncpg.Pool) -> None:
    """Operator, item in hand, answers to commands, the whole desk and the placing are what the desk and placement wrote."""
    window = Window()
    await window.in_hand("anna")
    await window.client("ben").post("/sign-on")
    desks = window.desks
    await kept(pool, desk(), {"north": desks.rows("north")})
    table = placement().table
    await kept(pool, placement(), {key: table.write(item) for key, item in desks.placed_items.items()})
    reads = PostgresDeskReads(pool)

    found, before = await reads.seated("north", "anna")
    assert (found, before) == await desks.seated("north", "anna")
    assert found is not None
    assert before is not None
    assert before.work_item_id == "item-1"
    idle, nothing = await reads.seated("north", "ben")
    assert (idle, nothing) == await desks.seated("north", "ben")
    assert idle is not None
    assert nothing is None
    assert await reads.seated("north", "nobody") == (None, None)
    item = await reads.item("north", "item-1")
    assert item is not None
    assert (item, item.operator_id) == (await desks.item("north", "item-1"), "anna")
    whole = await reads.desk("north")
    assert set(whole.operators) == {"anna", "ben"}
    assert whole == await desks.desk("north")
    placed = await reads.placed("item-1")
    assert isinstance(placed, PlacedItem)
    assert placed == desks.placed_items["item-1"]


def waiting_item(name: str, waited_minutes: int, **changes: Any) -> PlacedItem:
    """An item of transfers that waits because nobody is present."""
    order = fact("routing.work-placed.v1").order
    asked = order.model_copy(update={"work_item_id": name, "requested_at": AT - timedelta(minutes=waited_minutes)})
    item = PlacedItem(name, Phase.WAITING, asked, reason="nobody_present", tries=1, next_try_at=AT)
    return replace(item, **changes)


async def test_what_waits_at_no_desk_is_counted_off_placements_rows(pool: asyncpg.Pool) -> None:
    """By reason and business type, with the oldest; what is at a desk or closed is not counted, nor what an old timer names."""
    items = [
        waiting_item("w-1", 5),
        waiting_item("w-2", 14),
        waiting_item("w-6", 1, reason="rerouted", held_by=("r-1", "r-2")),
        waiting_item("w-3", 2, reason="all_excluded", next_try_at=None),
        waiting_item("w-4", 90, phase=Phase.PLACED, team_id="north"),
        waiting_item("w-5", 90, phase=Phase.CLOSED, order=None),
    ]
    table = placement().table
    store = PostgresStore(pool, "routing", "placement", table.name)
    batch = await claimed(store, 0)
    batch.rows = {(0, each.work_item_id, part): body for each in items for part, body in table.write(each).items()}
    batch.timers = {
        (0, each.work_item_id, "try"): TimerRow((0, each.work_item_id, "try"), alarm.at, alarm.boards)
        for each in items
        for alarm in alarms(replace(each, phase=Phase.WAITING) if each.work_item_id == "w-4" else each).values()
    }
    await store.commit(batch)
    transfers = waiting_item("w", 0).order
    assert transfers is not None
    found = await PostgresWaitingReads(pool).waiting()
    assert sorted(found, key=lambda waits: waits.reason) == [
        Waits("all_excluded", transfers.work_type, (), 1, AT - timedelta(minutes=2)),
        Waits("nobody_present", transfers.work_type, (), 2, AT - timedelta(minutes=14)),
        Waits("rerouted", transfers.work_type, ("r-1", "r-2"), 1, AT - timedelta(minutes=1)),
    ]


async def test_the_workbench_finds_answers_by_their_command(pool: asyncpg.Pool) -> None:
    """Whoever asks again after a lost answer gets the answer of that very command, and nobody else's."""
    window = Window()
    anna = await window.in_hand("anna", keeps_draft=True)
    await anna.put("/assignment/item-1/draft", json={"attempt": 1, "revision": 1, "value": "12"})
    await kept(pool, desk(), {"north": window.desks.rows("north")})
    reads, state = PostgresDeskReads(pool), window.desks.by_team["north"].state
    last_draft = state.operators["anna"].last_draft
    answers = [*state.answers["anna"].values(), last_draft]
    assert [answer.answer for answer in answers] == ["ready", "taken", "drafted"]
    for answer in answers:
        assert await reads.answer("north", "anna", answer.command_id) == answer
        assert await reads.answer("north", "ben", answer.command_id) is None


async def test_what_nobody_wrote_is_not_there(pool: asyncpg.Pool) -> None:
    """An unknown name is an answer, not an error."""
    reads = PostgresDeskReads(pool)
    assert await reads.seated("north", "anna") == (None, None)
    assert await reads.item("north", "item-1") is None
    assert await reads.answer("north", "anna", "c-1") is None
    assert await reads.placed("item-1") is None
    assert not (await reads.desk("north")).items
    assert await PostgresCaseReads(pool).case(CASE) is None
    assert await PostgresCaseReads(pool).journal(CASE) == []
    assert await PostgresSubmissionReads(pool).submission("s-1") is None
    assert await PostgresScores(pool).score("operator", "anna") is None


async def test_a_case_and_its_journal_are_read_whole_and_in_order(pool: asyncpg.Pool) -> None:
    """The auditor sees every fact of the case, first to last, with what it was decided on."""
    run = with_amount("60,000.00")
    journal = [
        JournalRow(0, CASE, n, run.now, fact.kind_name(), fact.model_dump_json().encode(), f"cause-{n}")
        for n, fact in enumerate(run.facts, 1)
    ]
    assert len(journal) > 10  # so that an order by text would be wrong
    await kept(pool, controls(), {CASE: controls().table.write(run.case)}, *reversed(journal))
    reads = PostgresCaseReads(pool)
    assert await reads.case(CASE) == run.case
    told = await reads.journal(CASE)
    assert [entry.number for entry in told] == list(range(1, len(journal) + 1))
    assert [entry.kind for entry in told] == [fact.kind_name() for fact in run.facts]
    assert told[0].cause == "cause-1"


async def test_a_submission_is_read_as_reception_remembers_it(pool: asyncpg.Pool, tmp_path: Path) -> None:
    """A refusal with its code and words; an id that an older release let a stranger use up is free."""
    refused = apply(Submission("s-1"), _rejected("s-1", "image_missing"))
    used_up = replace(apply(Submission("s-2"), _rejected("s-2", "image_missing")), code="bad_signature")
    rows = {one.submission_id: Register().write(one) for one in (refused, used_up)}
    await kept(pool, reception(ImageStore.from_url(tmp_path.as_uri())), rows)
    reads = PostgresSubmissionReads(pool)
    assert await reads.submission("s-1") == refused
    assert await reads.submission("s-2") == Submission("s-2")


def _rejected(submission_id: str, code: RejectionCode) -> SubmissionRejected:
    return SubmissionRejected(
        submission_id=submission_id,
        branch_id="branch-01",
        content_sha256="a" * 64,
        code=code,
        detail="Expected an image",
        received_at=AT,
    )


async def test_providers_are_paged_by_id(pool: asyncpg.Pool) -> None:
    """Pages follow on each other without a hole, and people are not among the providers."""
    names = ("bank", "keyers", "keyers-2", "swift")
    scores = [Score("provider", name) for name in names] + [Score("operator", "anna")]
    table = supervision().table
    await kept(pool, supervision(), {f"{s.subject}:{s.subject_id}": table.write(s) for s in scores})
    reads = PostgresScores(pool)
    assert await reads.score("provider", "swift") == Score("provider", "swift")
    first = await reads.providers("", 2)
    second = await reads.providers(first[-1].subject_id, 9)
    assert sorted(score.subject_id for score in (*first, *second)) == list(names)
    assert len(first) == 2


async def test_open_reroutes_are_read_without_those_that_are_over(pool: asyncpg.Pool) -> None:
    """However many were before; a broken glass whose review is open is not over for those who must close it."""
    room = ControlRoom()
    for name, effect in (("r3", "drain"), ("r2", "evacuate"), ("r1", "recall")):
        room.ask(ProposeReroute, LIN, name, terms=terms(minutes=20, effect=effect), break_glass=name == "r2")
        room.wait(1)
    room.ask(CancelReroute, LIN, "r3")
    room.ask(CancelReroute, LIN, "r2")
    await kept(pool, emergency(), {"floor": room.stored})
    reads = PostgresBookReads(pool)
    assert [order.reroute_id for order in await reads.orders()] == ["r3", "r2", "r1"]
    assert await reads.open_orders() == [room.order("r2"), room.order("r1")]
    begun = [order for order in await reads.orders() if order.started_at is not None]
    assert begun
    for order in begun:
        at = order.started_at
        assert at is not None
        assert order in await reads.begun(at, at)
        assert order not in await reads.begun(at + timedelta(microseconds=1), at + timedelta(days=1))
        assert order not in await reads.begun(at - timedelta(days=1), at - timedelta(microseconds=1))


async def test_what_went_back_to_branches_is_read_as_counts_and_not_as_life(pool: asyncpg.Pool) -> None:
    """Thousands of submissions are a row of the book; the life of the order stays what people did."""
    room = bank()
    scope = RerouteScope(business_types=("transfer",))
    assert room.ask(ProposeReroute, LIN, "r1", terms=terms(effect="local", scope=scope)) == "done"
    for number in range(3):
        room.send(
            SubmissionSentBack(
                submission_id=f"s-{number}", branch_id=f"b-{number % 2}", reroute_id="r1", received_at=room.now
            )
        )
    journal = [
        JournalRow(0, "floor", n, room.now, fact.kind_name(), fact.model_dump_json().encode(), f"cause-{n}")
        for n, fact in enumerate(room.facts, 1)
    ]
    await kept(pool, emergency(), {"floor": room.stored}, *journal)
    reads = PostgresBookReads(pool)
    assert await reads.sent_back("r1") == {"b-0": 2, "b-1": 1}
    assert await reads.sent_back("r2") == {}
    assert await reads.sent_back_by_reroute() == {"r1": 3}
    assert [type(fact) for fact in await reads.history("r1")] == [RerouteProposed, RerouteAnswered]


async def test_what_waits_at_desks_is_counted_by_branch_and_class(pool: asyncpg.Pool) -> None:
    """Queued items alone, at the named desks; one that the database cannot read is left out and hides no other."""
    north, south = new_desk("north"), new_desk("south")
    for name, branch, data_class in (
        ("1", "branch-1", "internal"),
        ("2", "branch-2", "internal"),
        ("3", "branch-1", "secret"),
        ("4", "b", "secret"),
    ):
        north.put_item(DeskItem(an_order(name, branch_id=branch, data_class=data_class), 1, 0, AT))
    draft = Draft(value="nul \u0000", authors=("ann",), attempt=1, revision=1, saved_at=AT)
    north.put_item(DeskItem(an_order("5"), 1, 0, AT, draft=draft))
    north.put_item(DeskItem(an_order("6"), 1, 1, AT, phase=ItemPhase.IN_HAND, operator_id="ann"))
    north.put_item(DeskItem(an_order("7", step="review"), 1, 0, AT))
    south.put_item(DeskItem(an_order("8"), 1, 0, AT))
    table = desk().table
    await kept(pool, desk(), {"north": table.write(north), "south": table.write(south)})
    reads = PostgresBookReads(pool)
    assert await reads.waiting_at_desks(Narrowed(["north"], None, ["internal"])) == {
        "transfer/entry": 2,
        "transfer/review": 1,
    }
    assert await reads.waiting_at_desks(Narrowed(["north", "south"], ["branch-1"], None)) == {
        "transfer/entry": 3,
        "transfer/review": 1,
    }
    assert await reads.waiting_at_desks(Narrowed(["north"], ["b"], ("secret",))) == {"transfer/entry": 1}
    assert await reads.waiting_at_desks(Narrowed(["south"], [], None)) == {}


async def test_a_text_that_the_database_cannot_read_back_hides_no_other_order(pool: asyncpg.Pool) -> None:
    """PostgreSQL's ->> fails on U+0000, for the whole statement: a reason from before such words were refused."""
    room = ControlRoom()
    for name, effect in (("r1", "drain"), ("r2", "evacuate"), ("r3", "recall")):
        room.ask(ProposeReroute, LIN, name, terms=terms(effect=effect))
        room.wait(1)
    odd = {"terms": terms(reason="nul \u0000 here")}
    open_one, over_one = (room.order(name).model_copy(update=odd) for name in ("r1", "r3"))
    over_one = over_one.model_copy(update={"over_at": room.now, "phase": "cancelled"})
    for order in (open_one, over_one):
        room.stored[f"order/{order.reroute_id}"] = order.model_dump_json().encode()
    facts = [fact for fact in room.facts if isinstance(fact, RerouteProposed)]
    facts[0] = facts[0].model_copy(update=odd)
    journal = [
        JournalRow(0, "floor", n, room.now, fact.kind_name(), fact.model_dump_json().encode(), f"cause-{n}")
        for n, fact in enumerate(facts, 1)
    ]
    await kept(pool, emergency(), {"floor": room.stored}, *journal)
    reads = PostgresBookReads(pool)
    assert await reads.open_orders() == [open_one, room.order("r2")]
    for name in ("r1", "r2", "r3"):
        assert [fact.key for fact in await reads.history(name)] == [name]


async def test_a_database_that_is_away_is_told_as_passing(fresh_database: str) -> None:
    """The faces answer 503 for it, and a client tries again."""
    async with asyncpg.create_pool(fresh_database, min_size=1, max_size=1) as pool:
        reads = (PostgresDeskReads(pool), PostgresCaseReads(pool), PostgresScores(pool))
    with pytest.raises(TransientError):
        await reads[0].seated("north", "anna")
    with pytest.raises(TransientError):
        await reads[1].case(CASE)
    with pytest.raises(TransientError):
        await reads[2].score("provider", "bank")


class Way:
    """The way to a database, which may be cut so that neither end hears of it: as of a database that hangs."""

    def __init__(self, host: str, port: int) -> None:
        self._to = host, port
        self._open = asyncio.Event()
        self._open.set()
        self._taken: set[asyncio.Task[Any]] = set()

    async def close(self) -> None:
        """End what goes over it."""
        for task in self._taken:
            task.cancel()
        await asyncio.gather(*self._taken, return_exceptions=True)

    def hang(self) -> None:
        """Nothing goes on in either direction, and nobody is told."""
        self._open.clear()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            await self._open.wait()
            writer.write(data)
        writer.close()

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A client has come."""
        self._taken.add(cast(asyncio.Task[Any], asyncio.current_task()))
        there, to = await asyncio.open_connection(*self._to)
        try:
            await asyncio.gather(self._carry(reader, to), self._carry(there, writer))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            for end in (to, writer):
                end.transport.abort()


@asynccontextmanager
async def over_a_way(database_url: str) -> AsyncIterator[tuple[Way, asyncpg.Pool]]:
    """A pool of one connection whose database can be made to hang."""
    parts = urlsplit(database_url)
    assert parts.hostname is not None
    assert parts.port is not None
    way = Way(parts.hostname, parts.port)
    server = await asyncio.start_server(way.take, "127.0.0.1", 0)
    here = server.sockets[0].getsockname()[1]
    pool = await asyncpg.create_pool(database_url.replace(f":{parts.port}", f":{here}"), min_size=1, max_size=1)
    try:
        yield way, pool
    finally:
        pool.terminate()
        server.close()
        await way.close()


async def test_whoever_reads_in_a_database_that_hangs_is_told_so(
    fresh_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once and again, also where the pool has no other connection; and who waits no longer than so long goes on."""
    async with over_a_way(fresh_database) as (way, pool), asyncio.timeout(60):
        await look(pool)
        monkeypatch.setattr(reading, "READ_SECONDS_MAX", 0.3)
        way.hang()
        for _ in range(2):
            with pytest.raises(TransientError, match="Expected the database to answer"):
                await look(pool)
            with pytest.raises(TransientError, match="Expected the database to answer"):
                await PostgresScores(pool).score("provider", "bank")


async def test_who_waits_no_longer_for_a_database_that_hangs_goes_on(fresh_database: str) -> None:
    """The read is given up, and does not wait in turn until the database has dropped it."""
    async with over_a_way(fresh_database) as (way, pool), asyncio.timeout(60):
        await look(pool)
        way.hang()
        with pytest.raises(TimeoutError):
            await within(0.3, PostgresScores(pool).score("provider", "bank"))
