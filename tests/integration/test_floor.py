"""The four services on a real broker and a real database, nobody disturbing them."""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
from collections import defaultdict
from pathlib import Path
from typing import Final

import pytest

from shared.contracts import audit, branch
from shared.contracts.message import Message
from shared.runtime.headers import origin_of
from shared.runtime.log import group_of
from shared.runtime.patience import within
from tests.faults.floor import PROCESSORS, SERVICES, Floor
from tests.simulation.world import KEY, image
from tests.support.span_receiver import SpanReceiver, receiving

POSTED_SECONDS: Final = 60.0
TOLD_SECONDS: Final = 60.0
GROUP, TOPIC, _, AT, _, LAG = range(6)  # the columns of Kafka's ConsumerGroupCommand
READERS: Final = {(group_of(each.name), topic.name) for each in PROCESSORS for topic in each.inputs}


class EvenTempered(random.Random):
    """Draws the middle every time: nobody errs, refuses, walks away or says a thing twice."""

    def random(self) -> float:
        return 0.5


class OneCase(Floor):
    """A floor whose branches send one submission each time they are asked, and whose people answer at once."""

    async def _live(self) -> None:
        while True:
            self.world.work(diligent=True)
            self.world.book(diligent=True)
            await asyncio.sleep(0.05)


async def posted(floor: Floor) -> audit.CasePosted:
    """Wait until the floor has posted its case."""
    end = asyncio.get_running_loop().time() + POSTED_SECONDS
    while asyncio.get_running_loop().time() < end:
        ends: list[Message] = [*floor.audit().ends()]
        for fact in ends:
            assert isinstance(fact, audit.CasePosted), fact
            return fact
        await asyncio.sleep(0.1)
    raise AssertionError(f"Expected a posted case, found {floor.audit().conservation()}, {dict(floor.audit().counts)}")


async def lags(floor: Floor) -> dict[tuple[str, str], list[tuple[int, int]]]:
    """Records read and not yet read of each partition that was read at all, by group and topic, as Kafka's tool says."""
    words = ("-m", "opsfloor", "stack", "kafka", "consumer-groups", "--describe", "--all-groups")
    found = {"OPSFLOOR_KAFKA": floor.addresses.kafka, "OPSFLOOR_DATABASE_URL": floor.addresses.database_url}
    asked = await asyncio.create_subprocess_exec(
        sys.executable, *words, env={**os.environ, **found}, stdout=asyncio.subprocess.PIPE
    )
    told, _ = await within(TOLD_SECONDS, asked.communicate())
    assert asked.returncode == 0, told.decode()
    rows: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for line in told.decode().splitlines():
        columns = line.split()
        if len(columns) > LAG and columns[AT].isdigit():
            rows[columns[GROUP], columns[TOPIC]].append((int(columns[AT]), int(columns[LAG])))
    return rows


async def read_up(floor: Floor) -> dict[tuple[str, str], int]:
    """How much each group has read of each topic, once Kafka's own tool says that nobody has anything left to read."""
    end = asyncio.get_running_loop().time() + TOLD_SECONDS
    rows = await lags(floor)
    while any(lag for places in rows.values() for _, lag in places) and asyncio.get_running_loop().time() < end:
        rows = await lags(floor)
    assert not [place for place, places in rows.items() if any(lag for _, lag in places)], rows
    return {place: sum(at for at, _ in places) for place, places in rows.items()}


async def handed_in(floor: Floor, home: Path, business_type: str) -> tuple[int, str]:
    """`opsfloor submit` by hand: its exit status, and the code in the receipt that it printed."""
    key = home / "keys" / "branches" / "branch-01.key"
    key.parent.mkdir(parents=True, exist_ok=True)
    key.write_bytes(KEY.private_bytes_raw())
    (home / "scan.png").write_bytes(image())
    words = (
        "-m",
        "opsfloor",
        "submit",
        str(home / "scan.png"),
        "--branch",
        "branch-01",
        "--type",
        business_type,
        "--json",
    )
    found = {
        "OPSFLOOR_KAFKA": floor.addresses.kafka,
        "OPSFLOOR_DATABASE_URL": floor.addresses.database_url,
        "OPSFLOOR_HOME": str(home),
    }
    asked = await asyncio.create_subprocess_exec(
        sys.executable, *words, env={**os.environ, **found}, stdout=asyncio.subprocess.PIPE
    )
    told, _ = await within(TOLD_SECONDS, asked.communicate())
    return asked.returncode or 0, str(json.loads(told)["receipt"]["code"])


def told_of(floor: Floor, receiver: SpanReceiver, case_id: str) -> None:
    """The spans of the case are one trace over all four services, and the posting's record names one of them."""
    (posting,) = [r for place, rows in floor.mirror.log.records.items() if place[0] == audit.POSTING.name for r in rows]
    sent = next(
        r
        for place, rows in floor.mirror.log.records.items()
        for r in rows
        if place[0] == branch.SUBMISSION.name and b"no-such-type" not in (r.value or b"")
    )
    trace_id, span_id = origin_of(posting).traceparent[3:35], origin_of(posting).traceparent[36:52]
    spans = {span.span_id: span for span in receiver.spans if span.trace_id == trace_id}
    assert origin_of(sent).traceparent[3:35] == trace_id
    assert {span.service for span in spans.values()} == {f"opsfloor-{name.partition('-')[0]}" for name in SERVICES}
    assert {span.attributes["opsfloor.case_id"] for span in spans.values()} == {case_id}
    assert {span.parent_id for span in spans.values()} - spans.keys() == {origin_of(sent).traceparent[36:52]}
    assert "audit.posting-requested.v1" in spans[span_id].attributes["opsfloor.facts"]


@pytest.mark.alone
async def test_one_submission_goes_through_four_real_services_to_its_posting(
    stack_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One signed submission becomes one posted case, by entries, review, authorisation and the core bank's word; Kafka's own
    tool sees who has read how far; its spans are one trace."""
    with receiving() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint)
        await one_submission(stack_folder, receiver)


async def one_submission(stack_folder: Path, receiver: SpanReceiver) -> None:
    """The whole story on a stack of its own."""
    floor = OneCase(stack_folder, seed=0, names=SERVICES, draw=EvenTempered())
    try:
        await floor.open()
        async with floor.living():
            await floor.ready()
            floor.world.submit()
            fact = await posted(floor)
            refused = await handed_in(floor, stack_folder, "no-such-type")
            held = await floor.rest(10.0)
            read = await read_up(floor)
        findings = await floor.judge()
    finally:
        floor.close()
    counts = floor.audit().counts
    assert held == {"submitted": 2, "rejected": 1, "posted": 1, "closed": 0, "open": 0}
    assert refused == (1, "unknown_business_type")
    assert fact.posting_id in floor.audit().requests
    assert counts["audit.posting-requested.v1"] == 1
    assert counts["audit.authorised.v1"] >= 1
    assert findings == []
    assert read.keys() <= READERS
    assert read["opsfloor-reception", "branch.submission.v1"] == 2
    assert read["opsfloor-controls", "intake.case.v1"] == 1
    told_of(floor, receiver, fact.case_id)
