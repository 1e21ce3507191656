"""`opsfloor restore`: after the database went back to an earlier point, bring its tables up to what the bus was told."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import asyncpg
import orjson
import typer
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from opsfloor import database, floor
from opsfloor.answers import Remedied, as_json, err, out, said, table
from shared.contracts.message import Message
from shared.runtime.boards import BoardKeeper, Boards, views_of
from shared.runtime.bundles import facts_of
from shared.runtime.clock import clock_from_environment
from shared.runtime.errors import TransientError
from shared.runtime.headers import source_of
from shared.runtime.host import Service, ServicePlan, Surroundings
from shared.runtime.kafka_access import words_of
from shared.runtime.kafka_log import KafkaLog
from shared.runtime.kafka_tail import record_of
from shared.runtime.log import Place, Record, group_of
from shared.runtime.noted import note
from shared.runtime.postgres_store import PostgresStore
from shared.runtime.processor import Processor
from shared.runtime.recovery import Bus, Lack, Recovered, recover
from shared.runtime.schema import migrate, migrations, todo
from shared.runtime.settings import Settings
from shared.runtime.store import Claim

READ_MS: Final = 1_000
SILENT_READS_MAX: Final = 30
STILL_AT_WORK: Final = (
    "SELECT application_name AS name FROM pg_stat_activity "
    "WHERE datname = current_database() AND starts_with(application_name, 'opsfloor/')"
)
ASK: Final[Mapping[str, str]] = {
    "intake.receipt.v1": "the branches: which of their submissions of that time have no receipt; let them send those again",
    "intake.sent-back.v1": "nobody: the counts of what reroutes sent back to branches are short by these",
    "intake.case.v1": "the branches of the cases that docs/operations.md, «Cases that were lost», finds once the services run: "
    "let them send those again under the same ids",
    "branch.submission.v1": "the branches: let them send again what they sent at that time",
    "audit.posting.v1": "the core bank: which postings were requested at that time, with their ids and outcomes",
    "core.posting.v1": "the core bank: the outcomes of the postings that were requested at that time",
    "audit.case.v1": "the operators and the centre's manager: what was done on the case at that time",
    "routing.result.v1": "the operators: their results of that time, and the developers for cases that wait for one of them",
    "routing.command.v1": "the operators: who signed on and what they completed at that time",
    "routing.reroute.v1": "on-call staff: which reroutes were ordered at that time",
    "routing.reroute-command.v1": "on-call staff: which reroutes were ordered at that time",
    "vendor.standing.v1": "the vendor office: which standings were changed at that time",
}
"""Who knows what a topic lost, by topic."""
ASKED_FILE: Final = "restore-asked.jsonl"  # of every run that wrote: what it passed over, none after it finds again
ASK_ELSE: Final = "the developers, with this line: the records are gone and other records must tell"


def restore(
    write: Annotated[
        bool,
        typer.Option(
            "--write",
            help="write it; without, only look and tell: nothing is changed",
        ),
    ] = False,
    since: Annotated[
        datetime | None,
        typer.Option(
            help="read what was told from this instant on (UTC), an hour before the backup; all when not given"
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="one JSON document instead of tables")] = False,
) -> None:
    """Bring restored tables up to the bus, with all services stopped; lists what must be asked of whom, exit status 1."""
    with database.told():
        found = asyncio.run(_restore(floor.settings(), write, since))
    lacks = [asked for recovered in found.values() for asked in _asked(recovered)]
    if json:
        as_json({"written": write, "processors": {name: _counts(each) for name, each in found.items()}, "ask": lacks})
    else:
        rows = [(name, *_counts(each).values()) for name, each in found.items()]
        table("From the bus" if write else "From the bus (looked at, not written)", ("processor", *COLUMNS), rows)
        for lack in lacks:
            whose = f" {lack['entity']}" if lack["entity"] else ""
            err.print(
                f"[red]✗[/] {lack['processor']}/{lack['shard']} {lack['topic']}{said(whose)}: {said(lack['detail'])}"
            )
            err.print(f"  [bold]Ask[/] {said(lack['ask'])}")
        if not write:
            out.print(_not_written(found))
        elif not lacks:
            out.print("[green]✓[/] nothing is left that the bus tells and the tables lack")
        if (kept := floor.settings().home / ASKED_FILE).exists():
            out.print(f"what was to be asked, by every run that wrote: {kept}", soft_wrap=True)
    raise typer.Exit(1 if lacks else 0)


COLUMNS: Final = ("events folded", "completed", "decided now", "to be asked")


def _not_written(found: Mapping[str, Recovered]) -> str:
    if any(each.folded or each.completed or each.redelivered for each in found.values()):
        how = "`opsfloor restore --write`, with a second person"
        return f"[yellow]![/] the tables lack this, and nothing is written yet; {how}, brings them up"
    return "[green]✓[/] the tables lack nothing that the bus tells; there is nothing to write"


def _counts(found: Recovered) -> dict[str, int]:
    return dict(zip(COLUMNS, (found.folded, found.completed, found.redelivered, len(found.lacks)), strict=True))


def _asked(found: Recovered) -> list[dict[str, Any]]:
    return [{**asdict(lack), "ask": asked_of(lack)} for lack in found.lacks]


def keep_asked(file: Path, asked: Sequence[Mapping[str, Any]]) -> None:
    """Add to the file what is to be asked, before anything is written: after that no run finds it again."""
    if asked:
        at = datetime.now(UTC).isoformat(timespec="seconds")
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("ab") as lines:
            lines.writelines(orjson.dumps({"at": at, **each}, option=orjson.OPT_APPEND_NEWLINE) for each in asked)


def asked_of(lack: Lack) -> str:
    """Who knows what the bus does not."""
    return ASK.get(lack.topic, ASK_ELSE)


async def _restore(settings: Settings, write: bool, since: datetime | None) -> dict[str, Recovered]:
    try:
        async with asyncpg.create_pool(settings.database_url, min_size=1, max_size=4) as pool:
            await _alone(pool)
            if not write:
                await _made(pool)
            found: dict[str, Recovered] = {}
            for name in floor.SERVICES:
                if write:
                    await migrate(pool, name)
                plan: ServicePlan = importlib.import_module(f"services.{name}.wiring").PLAN
                async with _wired(plan, settings, pool) as (service, boards, log):
                    for processor in service.processors:
                        asked = settings.home / ASKED_FILE if write else None
                        found[processor.full_name] = await _one(processor, pool, boards, log, asked, since)
            return found
    except KafkaError as error:
        raise TransientError(f"Expected Kafka to answer, found {error!r}") from error


async def _made(pool: asyncpg.Pool[Any]) -> None:
    """Looking makes no tables and takes no steps. Errors: `Remedied` where there are none to look at, or those of before."""
    async with pool.acquire() as connection:
        done = {name: await floor.steps(connection, name) for name in floor.SERVICES}
    missing = [name for name, steps in done.items() if steps is None]
    if missing:
        raise Remedied(
            f"Expected a floor's tables in this database, found none of {', '.join(missing)}",
            "is it the database that was restored? Where nothing could be, `opsfloor restore --write` makes the tables anew",
        )
    earlier = [name for name, steps in done.items() if todo(steps or frozenset(), migrations(), "pre")]
    if earlier:
        raise Remedied(
            f"Expected tables of this release, found those of {', '.join(earlier)} of an earlier one",
            "`opsfloor migrate pre` brings them up to this release; then look again",
        )


async def _alone(pool: asyncpg.Pool[Any]) -> None:
    names = sorted({row["name"] for row in await pool.fetch(STILL_AT_WORK)})
    if names:
        raise Remedied(
            f"Expected no service at work on this database, found {', '.join(names)}",
            "stop every process of every service first: what they do now rests on tables that lack their last minutes",
        )


@asynccontextmanager
async def _wired(
    plan: ServicePlan, settings: Settings, pool: asyncpg.Pool[Any]
) -> AsyncIterator[tuple[Service, Boards, KafkaLog]]:
    """A service's processors and boards as they are when it runs, without running it."""

    async def nothing_is_published(message: Message, event_id: str) -> None:
        raise AssertionError(f"Expected nothing to be published while tables are brought up, found {event_id}")

    log, boards = KafkaLog(settings.kafka), Boards(plan.boards)
    keeper = BoardKeeper(boards, log)
    await keeper.start()
    try:
        around = Surroundings(settings, clock_from_environment(), log, pool, boards, nothing_is_published)
        yield plan.wire(around), boards, log
    finally:
        await keeper.stop()


async def _one(
    processor: Processor,
    pool: asyncpg.Pool[Any],
    boards: Boards,
    log: KafkaLog,
    asked: Path | None,
    since: datetime | None,
) -> Recovered:
    """What one processor's recovery comes to; written, when there is a file for what is to be asked."""
    store = PostgresStore(pool, processor.service, processor.name, processor.table.name)
    partitions = await log.partitions(processor.inputs[0].name)
    take = store.look if asked is None else store.claim
    claims = await take(range(partitions))
    bus = await _bus(processor, claims, log.bootstrap, since)
    if asked is not None:
        await store.outlive(
            {number: bus.epoch(source_of(processor.service, processor.name, number)) for number in claims}
        )
        claims = await store.claim(range(partitions))
    views = views_of(boards, (spec.name for spec in processor.boards))
    found = await recover(processor, store, bus, claims, views, clock_from_environment().now())
    if asked is None:
        return found
    keep_asked(asked, _asked(found))
    for batch in found.batches:
        if await store.commit(batch):
            raise Remedied(f"Expected to be alone with {processor.full_name}, found a service at work", "stop it first")
    inlets = {(topic.name, number): 0 for topic in processor.inputs for number in range(partitions)}
    inlets |= dict(await store.inlets(range(partitions)))
    await note(log.bootstrap, group_of(processor.name), inlets)
    return found


async def _bus(processor: Processor, claims: Mapping[int, Claim], kafka: str, since: datetime | None) -> Bus:
    """Read what the processor told beyond its tables, and what came in beyond its inlets."""
    bus, sources = Bus(), {number: source_of(processor.service, processor.name, number) for number in claims}
    beyond = {
        (sources[n], place): sequence for n, claim in claims.items() for place, sequence in claim.lanes_out.items()
    }
    starts: dict[Place, int] = {(topic.name, number): 0 for topic in processor.inputs for number in claims}
    starts |= {place: at for claim in claims.values() for place, at in claim.next_offsets.items()}
    async for record in _records(kafka, starts, None, bus.gone):
        bus.inputs[(record.topic, record.partition)].append(record)
    names = [*(topic.name for topic in processor.outputs), *(topic.dead_letters for topic in processor.inputs)]
    places = {(name, number): 0 for name in names for number in claims}
    own = frozenset(sources.values())
    async for record in _records(kafka, places, since, {}):
        if any(name == "ce_source" and value.decode() in own for name, value in record.headers):
            bus.take_fact(record, beyond)
    return bus


async def _records(
    kafka: str, starts: Mapping[Place, int], since: datetime | None, gone: dict[Place, tuple[int, int]]
) -> AsyncIterator[Record]:
    """Every record from the starts on, as far as the topics go now; notes in `gone` where it should have begun, and where
    the topic begins now that retention has taken some."""
    consumer = AIOKafkaConsumer(**words_of(kafka), enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    try:
        spots = [TopicPartition(*place) for place in starts]
        consumer.assign(spots)
        first, ends = await consumer.beginning_offsets(spots), await consumer.end_offsets(spots)
        from_time = {} if since is None else await _offsets_at(consumer, spots, since)
        for spot in spots:
            start = starts[(spot.topic, spot.partition)]
            if 0 < start < first[spot]:
                gone[(spot.topic, spot.partition)] = (start, first[spot])
            consumer.seek(spot, max(start, first[spot], min(from_time.get(spot, 0), ends[spot])))
        async for record in until(consumer, spots, ends):
            yield record
    finally:
        await consumer.stop()


async def _offsets_at(consumer: Any, spots: Sequence[Any], since: datetime) -> dict[Any, int]:
    at = since if since.tzinfo else since.replace(tzinfo=UTC)
    found = await consumer.offsets_for_times(dict.fromkeys(spots, int(at.timestamp() * 1000)))
    ends = await consumer.end_offsets(list(spots))
    return {spot: ends[spot] if entry is None else entry.offset for spot, entry in found.items()}


async def until(consumer: Any, spots: Sequence[Any], ends: Mapping[Any, int]) -> AsyncIterator[Record]:
    """The facts from where the consumer stands to these ends. Errors: `TransientError` when nothing comes of what is there."""
    silent = 0
    while True:
        left = [spot for spot in spots if await consumer.position(spot) < ends[spot]]
        if not left:
            return
        rows = await consumer.getmany(*left, timeout_ms=READ_MS)
        silent = 0 if rows else silent + 1
        if silent > SILENT_READS_MAX:
            raise TransientError(f"Expected Kafka to hand out {left[0].topic} to its end, found nothing coming")
        for found in rows.values():
            for row in found:
                if row.offset < ends[TopicPartition(row.topic, row.partition)]:
                    for fact in facts_of(record_of(row)):
                        yield fact
