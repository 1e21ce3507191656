"""`opsfloor why ITEM`: routing's decisions about a work item in sentences, and made again from the stored facts."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict
from typing import Annotated, Final

import typer

from opsfloor import floor
from opsfloor.answers import Remedied, an_id, as_json, out, said
from opsfloor.progress import bar
from services.routing.again import Known
from services.routing.boards import read_to
from services.routing.why import Told, about, tell
from shared.contracts import routing
from shared.contracts.message import Message
from shared.reference.board import REFERENCE_BOARD
from shared.runtime.boards import BoardKeeper, Boards
from shared.runtime.errors import ContractError
from shared.runtime.headers import body_of, origin_of
from shared.runtime.kafka_log import KafkaLog
from shared.runtime.log import Log, Record

TOPICS: Final = (routing.PLACED.name, routing.ASSIGNMENT.name)
AT_ONCE: Final = 5_000


def why(
    identity: Annotated[str, typer.Argument(metavar="ITEM", help="work item id; `opsfloor case ID` shows them")],
    replay: Annotated[bool, typer.Option("--replay", help="make each decision again from its stored fact")] = False,
    hours: Annotated[float, typer.Option(help="how far to look back on the bus", min=0.01)] = 24.0,
    json: Annotated[bool, typer.Option("--json", help="one JSON document instead of sentences")] = False,
) -> None:
    """Why a work item went where it went: the teams and items weighed, their terms, what removed them.

    With --replay every decision is made again from what its fact tells; exits with 1 when one comes out differently.

    Made again: a placing's seed, waits and choice, by the code that made it; what tells most of why nobody may do it; each
    index that a desk weighed, the stay bonus, and which is the largest. While the reference data is still the one that the
    fact names, slopes are made again too, from slack, age and delay cost, and operator, team and provider must be in it;
    else the answer says that slopes are taken as told, and why.

    Taken as told: what removed a team or an item, learned rates, who was ready longest, and what was weighed to keep
    somebody free. Standings and reroutes are not read as they were then. What a person picked is no decision of the code.
    """
    facts, known = asyncio.run(_found(an_id(identity), hours, replay))
    story = list(tell(facts, known))
    if not story:
        raise Remedied(
            f"Expected facts about {identity} on the bus in the last {hours:g} hours, found none",
            "check the id with `opsfloor item ID`; `--hours` looks further back",
        )
    if json:
        as_json([asdict(told) | {"again": asdict(told.again) if replay and told.again else None} for told in story])
    else:
        out.print("Times are the floor's, in UTC.", style="dim")
        for told in story:
            _print(told, replay)
    if replay:
        _judge(story, json)


def _print(told: Told, replay: bool) -> None:
    at = "        " if told.at is None else f"{told.at:%H:%M:%S}"
    out.print(f"[bold]{at}[/] {said(told.what)}", soft_wrap=True)
    for line in told.because:
        out.print(f"           {said(line)}", style="dim", soft_wrap=True)
    if replay and told.again is not None:
        sign = "[green]✓ again:[/]" if told.again.same else "[bold red]✗ again:[/]"
        out.print(f"         {sign} {said(told.again.found)}", soft_wrap=True)


def _judge(story: list[Told], quiet: bool) -> None:
    made = [told.again for told in story if told.again is not None]
    differing = sum(not again.same for again in made)
    if not quiet:
        word = "decision" if len(made) == 1 else "decisions"
        out.print(
            f"[green]✓[/] {len(made)} {word} made again, the same each time"
            if not differing
            else f"[bold red]✗[/] {differing} of {len(made)} {word} came out differently"
        )
    if differing:
        raise typer.Exit(1)


async def _found(identity: str, hours: float, replay: bool) -> tuple[list[Message], Known | None]:
    """The item's facts, and the reference data at hand where decisions are made again."""
    log = KafkaLog(floor.settings().kafka)
    facts = await _facts_of(log, identity, hours)
    return facts, await reference_of(log) if replay and facts else None


async def reference_of(log: Log) -> Known:
    """The reference data as it stands on the bus now."""
    boards = Boards((REFERENCE_BOARD,))
    keeper = BoardKeeper(boards, log)
    try:
        await keeper.start()
    finally:
        await keeper.stop()
    name = REFERENCE_BOARD.name
    return Known(boards.views[name], read_to(boards.changed_ms.get(name)))


async def _facts_of(log: KafkaLog, identity: str, hours: float) -> list[Message]:
    """The item's facts in the order in which they were written."""
    since_ms = int((time.time() - hours * 3600) * 1000)
    tail = log.tail(TOPICS, since_ms=since_ms)
    await tail.start()
    found = Found(identity)
    try:
        with bar("records read") as progress:
            line = progress.add_task("", total=None)
            while True:
                records = await tail.fetch(AT_ONCE, 0.3)
                progress.advance(line, len(records))
                for record in records:
                    found.take(record)
                if not records and await tail.ready():
                    break
    finally:
        await tail.stop()
    return found.facts()


class Found:
    """The facts about one item among the records of the bus. Holds: a fact that was published again is the same fact."""

    def __init__(self, identity: str) -> None:
        self._identity: Final = identity
        self._needle: Final = identity.encode()
        self._by_event: Final[dict[str, tuple[int, int, Message]]] = {}

    def take(self, record: Record) -> None:
        """Keep the record's fact when it is about the item: asked of the bytes first, since most are not."""
        if record.value is None or self._needle not in record.value:
            return
        try:
            origin = origin_of(record)
            fact = body_of(record, origin.kind)
        except ContractError:
            return
        if about(fact, self._identity):
            self._by_event.setdefault(origin.event_id, (record.timestamp_ms, record.offset, fact))

    def facts(self) -> list[Message]:
        """In the order in which they were written."""
        return [fact for _, _, fact in sorted(self._by_event.values(), key=lambda entry: entry[:2])]
