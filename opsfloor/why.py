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
from services.routing.why import Told, about, tell
from shared.contracts import routing
from shared.contracts.message import Message
from shared.runtime.errors import ContractError
from shared.runtime.headers import body_of, origin_of
from shared.runtime.kafka_log import KafkaLog
from shared.runtime.log import Record

TOPICS: Final = (routing.PLACED.name, routing.ASSIGNMENT.name)
AT_ONCE: Final = 5_000


def why(
    identity: Annotated[str, typer.Argument(metavar="ITEM", help="work item id; `opsfloor case ID` shows them")],
    replay: Annotated[bool, typer.Option("--replay", help="make each decision again from its stored fact")] = False,
    hours: Annotated[float, typer.Option(help="how far to look back on the bus", min=0.01)] = 24.0,
    json: Annotated[bool, typer.Option("--json", help="one JSON document instead of sentences")] = False,
) -> None:
    """Why a work item went where it went: the teams and items weighed, their terms, what removed them.

    With --replay every decision is made again, by the code that made it, from what its fact tells; exits with 1 when
    one comes out differently. What removed a team or an item is taken as told, with how far the boards had been read:
    they are not read as they were then. What a person picked is no decision of the code.
    """
    facts = asyncio.run(_facts_of(an_id(identity), hours))
    story = list(tell(facts))
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


async def _facts_of(identity: str, hours: float) -> list[Message]:
    """The item's facts in the order in which they were written."""
    since_ms = int((time.time() - hours * 3600) * 1000)
    tail = KafkaLog(floor.settings().kafka).tail(TOPICS, since_ms=since_ms)
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
