"""`opsfloor dlq`: what readers parked, sending it again, and letting them read on; with who and why on record."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Final

import asyncpg
import typer

from opsfloor import database, floor
from opsfloor.answers import Remedied, as_json, err, out, said, table
from opsfloor.publishing import command_publisher
from shared.contracts.flow import READERS
from shared.contracts.message import Message
from shared.contracts.ops import REDRIVE, FuseReset, RecordParked, RecordRedriven
from shared.contracts.registry import TOPICS
from shared.runtime.engine import home_of
from shared.runtime.errors import ContractError
from shared.runtime.headers import body_of, origin_of
from shared.runtime.kafka_log import KafkaLog
from shared.runtime.log import Outgoing, Record
from shared.runtime.noted import ends
from shared.runtime.postgres_store import PostgresStore
from shared.runtime.shard import BLOWN, Shard

app: Final = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Records that a reader could not take: list, show, redrive, reset-fuse.",
)
ACTOR_MAX: Final = 128
ID_MIN: Final = 8  # characters of an id that are enough, where no other record's begins alike
LANE_HEADERS: Final = frozenset({"sequence", "ce_source", "ce_id"})
Json = Annotated[bool, typer.Option("--json", help="one JSON document instead of a table")]


@app.command("list")
def list_parked(
    topic: Annotated[str | None, typer.Option(help="only records parked from this topic")] = None, json: Json = False
) -> None:
    """Every parked record: where it came from, why it was parked, whether it was sent again."""
    parked, redriven = asyncio.run(_read(topic))
    rows = [
        {
            "parked_id": p.parked_id,
            "topic": p.origin_topic,
            "partition": p.origin_partition,
            "offset": p.origin_offset,
            "processor": p.processor,
            "at": p.at.isoformat(timespec="seconds"),
            "redriven": ", ".join(f"{r.actor}: {r.reason}" for r in redriven.get(p.parked_id, [])),
            "reason": p.reason,
        }
        for p in parked.values()
    ]
    if json:
        as_json(rows)
    elif parked:
        table("Parked records", ("id", "from", "reason"), _briefly(parked, redriven), whole=("id",))
    else:
        out.print("[green]✓[/] nothing is parked")


def _briefly(
    parked: Mapping[str, RecordParked], redriven: Mapping[str, Sequence[RecordRedriven]]
) -> Iterator[tuple[str, str, str]]:
    """What fits a terminal: ids as short as they may be, `show` and `--json` have the rest."""
    length = ID_MIN
    while len({parked_id[:length] for parked_id in parked}) < len(parked):
        length += 1
    for p in parked.values():
        again = "".join(f"\nsent again by {r.actor}: {r.reason}" for r in redriven.get(p.parked_id, ()))
        yield p.parked_id[:length], f"{p.origin_topic} {p.origin_partition}/{p.origin_offset}", p.reason + again


@app.command("show")
def show(parked_id: Annotated[str, typer.Argument(help="from `opsfloor dlq list`")], json: Json = False) -> None:
    """One parked record, whole: headers and raw bytes as text where they are text."""
    parked, redriven = asyncio.run(_read(None))
    record = one(parked, parked_id)
    answer = record.model_dump(mode="json") | {
        "raw_key": readable(record.raw_key) if record.has_key else "none",
        "raw_value": readable(record.raw_value) if record.has_value else "none: a tombstone",
        "raw_headers": {name: readable(value) for name, value in record.raw_headers},
        "redriven": [f"{r.actor}, {r.at:%Y-%m-%d %H:%M}: {r.reason}" for r in redriven.get(record.parked_id, ())],
    }
    if json:
        as_json(answer)
    else:
        table(f"Parked record {record.parked_id}", ("", ""), answer.items())


@app.command("redrive")
def redrive(
    parked_ids: Annotated[list[str], typer.Argument(help="from `opsfloor dlq list`")],
    actor: Annotated[str, typer.Option(help="who you are; kept on record")],
    reason: Annotated[str, typer.Option(help="why it will work now; kept on record")],
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
) -> None:
    """Send parked records to their topic again; readers take each at most once, by its business key."""
    _expect_named(actor, reason, "sends them again")
    parked, redriven = asyncio.run(_read(None))
    records = [one(parked, parked_id) for parked_id in parked_ids]
    for record in records:
        for earlier in redriven.get(record.parked_id, []):
            sentence = f"{record.parked_id} was sent again by {earlier.actor}: {earlier.reason}"
            err.print(f"[yellow]![/] {said(sentence)}")
    if not yes and not typer.confirm(f"Send {len(records)} record(s) to their topics again?"):
        raise typer.Exit(1)
    asyncio.run(_send(records, actor, reason))
    out.print(f"[green]✓[/] sent {len(records)} record(s) again, recorded as {said(actor)}: {said(reason)}")


@app.command("reset-fuse")
def reset_fuse(
    processor: Annotated[str, typer.Argument(help="whose fuse has blown, as in intake/reception")],
    actor: Annotated[str, typer.Option(help="who you are; kept on record")],
    reason: Annotated[str, typer.Option(help="what was done about the writer; kept on record")],
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
) -> None:
    """Let a processor read on whose fuse has blown. What waits by now and cannot be read is parked, however much it is."""
    _expect_named(actor, reason, "resets the fuse")
    topics = [topic for topic, readers in READERS.items() if processor in readers]
    if not topics or processor.partition("/")[0] not in floor.SERVICES:
        readers = {reader for each in READERS.values() for reader in each if reader.partition("/")[0] in floor.SERVICES}
        raise Remedied(
            f"Expected a processor of the floor, found {said(processor)}", f"name one of {', '.join(sorted(readers))}"
        )
    with database.told():
        reset = asyncio.run(_reset(processor, topics, actor, reason, ask=not yes))
    if reset:
        out.print(f"[green]✓[/] the fuse of {processor} is reset, recorded as {said(actor)}: {said(reason)}")
        out.print(f"Start it again where nothing does so by itself: `opsfloor run {processor.partition('/')[0]}`")
    else:
        out.print(f"[green]✓[/] the fuse of {processor} is whole, and nothing was done")


async def _reset(processor: str, topics: Sequence[str], actor: str, reason: str, *, ask: bool) -> bool:
    """Reset the fuse where it has blown, on record first. Returns whether it had."""
    settings = floor.settings()
    service, _, name = processor.partition("/")
    read_to = dict(await ends(settings.kafka, topics))
    async with asyncpg.create_pool(settings.database_url, min_size=1, max_size=1) as pool:
        store = PostgresStore(pool, service, name, name)
        claims = await store.look(sorted({number for _, number in read_to}))
        shards = [Shard(number, claim) for number, claim in claims.items()]
        blown = sorted({topic for shard in shards for topic in shard.blown()})
        if not blown:
            return False
        read = {place: at for claim in claims.values() for place, at in claim.next_offsets.items()}
        waiting = sum(max(0, end - read.get(place, 0)) for place, end in read_to.items() if place in read)
        out.print(f"[yellow]![/] blown at {', '.join(blown)}; {waiting} records wait to be read")
        if ask and not typer.confirm("Read on, and park what of them cannot be read, however much it is?"):
            raise typer.Exit(1)
        marks = {(topic, shard.number): shard.lanes_in[BLOWN, topic] for shard in shards for topic in shard.blown()}
        now = datetime.now(UTC)
        told = FuseReset(processor=processor, actor=actor, reason=reason, waiting=waiting, at=now)
        async with command_publisher() as publish:
            await publish(told, f"fuse-reset/{processor}/{now.isoformat()}")
        await store.spare({place: max(end, marks.get(place, 0)) for place, end in read_to.items()})
    return True


def _expect_named(actor: str, reason: str, does: str) -> None:
    """Errors: `Remedied` where nobody could say later who it was, and why."""
    if not (actor.strip() and reason.strip() and actor.isprintable() and len(actor) <= ACTOR_MAX):
        raise Remedied(
            f"Expected who {does}, in at most {ACTOR_MAX} printable characters, and why: both are kept on record",
            "name yourself with `--actor` and what was mended with `--reason`",
        )


def one(parked: dict[str, RecordParked], parked_id: str) -> RecordParked:
    """The parked record of that id, or whose id alone begins so. Errors: `Remedied` when there is none, or several."""
    found = [p for known, p in parked.items() if known == parked_id]
    found = found or [p for known, p in parked.items() if len(parked_id) >= ID_MIN and known.startswith(parked_id)]
    if len(found) != 1:
        raise Remedied(
            f"Expected one parked record {parked_id}, found {len(found) or 'none'}", "`opsfloor dlq list` shows the ids"
        )
    return found[0]


def readable(encoded: str) -> str:
    """Base64 as text, where it is text; else its length and its beginning in hexadecimal digits."""
    raw = base64.b64decode(encoded)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return f"{len(raw)} bytes: {raw[:60].hex()}"


async def _send(records: Sequence[RecordParked], actor: str, reason: str) -> None:
    log = KafkaLog(floor.settings().kafka)
    publisher = log.publisher()
    await publisher.start()
    try:
        async with command_publisher() as publish:
            for record in records:
                await publish(
                    RecordRedriven(
                        parked_id=record.parked_id,
                        origin_topic=record.origin_topic,
                        actor=actor,
                        reason=reason,
                        at=datetime.now(UTC),
                    ),
                    f"redrive/{record.parked_id}/{actor}",
                )
                place = (record.origin_topic, home(record, await log.partitions(record.origin_topic)))
                failed = await publisher.publish({place: [again(record)]})
                if failed:
                    raise Remedied(f"Expected {record.origin_topic} to take the record: {failed}", "try again")
    finally:
        await publisher.stop()


def home(parked: RecordParked, partitions: int) -> int:
    """The partition to send it to: where it was read, but for one that strayed there."""
    headers = tuple((name, base64.b64decode(value)) for name, value in parked.raw_headers)
    key, value = raw_key_and_value(parked)
    record = Record(parked.origin_topic, parked.origin_partition, parked.origin_offset, key, value, headers, 0)
    message = _decode(record)
    return record.partition if message is None else home_of(record, message, partitions)


def raw_key_and_value(parked: RecordParked) -> tuple[bytes | None, bytes | None]:
    """What was read, byte for byte; `None` is no key, and no value: a tombstone."""
    key = base64.b64decode(parked.raw_key) if parked.has_key else None
    return key, base64.b64decode(parked.raw_value) if parked.has_value else None


def again(record: RecordParked) -> Outgoing:
    """The parked record as it was, but from outside: without its place on a lane."""
    headers = tuple((name, base64.b64decode(value)) for name, value in record.raw_headers if name not in LANE_HEADERS)
    headers += (("ce_source", b"/opsfloor/redrive"), ("ce_id", f"redrive/{record.parked_id}".encode()))
    key, value = raw_key_and_value(record)
    return Outgoing(key, value, headers, int(datetime.now(UTC).timestamp() * 1000))


async def _read(topic: str | None) -> tuple[dict[str, RecordParked], dict[str, list[RecordRedriven]]]:
    if topic is not None and topic not in TOPICS:
        like = topic.removesuffix(".dlq")
        known = like if like in TOPICS else ", ".join(sorted(TOPICS))
        raise Remedied(f"Expected a topic of the floor, found {said(topic)}", f"name one of {known}")
    names = [f"{name}.dlq" for name in TOPICS if topic is None or name == topic]
    parked: dict[str, RecordParked] = {}
    redriven: dict[str, list[RecordRedriven]] = {}
    for message in [decoded for record in await _everything([*names, REDRIVE.name]) if (decoded := _decode(record))]:
        if isinstance(message, RecordParked):
            parked[message.parked_id] = message
        elif isinstance(message, RecordRedriven):
            redriven.setdefault(message.parked_id, []).append(message)
    return parked, redriven


def _decode(record: Record) -> Message | None:
    try:
        return body_of(record, origin_of(record).kind)
    except ContractError as error:
        err.print(f"[yellow]![/] {said(f'{record.topic}[{record.partition}]@{record.offset}: {error}')}")
        return None


async def _everything(topics: Sequence[str]) -> list[Record]:
    tail = KafkaLog(floor.settings().kafka).tail(topics)
    await tail.start()
    try:
        records: list[Record] = []
        while True:
            records += await tail.fetch(5_000, 0.2)
            if await tail.ready():
                return records
    finally:
        await tail.stop()
