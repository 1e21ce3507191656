"""Somebody is suspended by their score on a floor that runs, and comes back; somebody leaves the bank, and is off the floor."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from aiokafka import AIOKafkaProducer

from deploy.local import Stack
from shared.contracts.vendor import FINDING, KeyingJudged
from shared.runtime.headers import outside_headers
from shared.runtime.log import partition_of
from shared.runtime.topics import PARTITIONS_DEFAULT
from tests.support.terminal import ROOT, Terminal, running_floor, until

WHO: Final = "north-entry-01"
KEYED: Final = 50
WRONG: Final = 10
HEARD_SECONDS: Final = 2.0  # a supervision that obeyed would have, within moments
pytestmark = pytest.mark.timeout(600)


def judged(number: int, wrong: bool) -> KeyingJudged:
    """One entry of theirs, and that it was wrong."""
    return KeyingJudged(
        subject="operator",
        subject_id=WHO,
        operator_id=WHO,
        provider_id="house",
        team_id="north-entry",
        work_item_id=f"w-{number}",
        case_id=f"c-{number}",
        work_type="corporate-transfer/entry",
        what="error" if wrong else "keyed",
        found_by="review" if wrong else "none",
        at=datetime.now(UTC),
    )


async def tell(kafka: str, judgements: list[KeyingJudged]) -> None:
    """What supervision tells itself of cases, as on-call staff would send it again: without a lane."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    try:
        for one in judgements:
            key = one.key.encode()
            await producer.send_and_wait(
                FINDING.name,
                one.model_dump_json().encode(),
                key=key,
                partition=partition_of(key, PARTITIONS_DEFAULT),
                headers=list(outside_headers(one, "/test", f"{one.what}/{one.work_item_id}", one.at)),
            )
    finally:
        await producer.stop()


def scorecard(floor: Terminal) -> dict[str, Any]:
    """How they stand, as the vendor manager reads it; empty while nothing of theirs was judged."""
    (note,) = (floor.home / "run").glob("vendor-*.json")
    token = floor.type("token lin --role vendor_manager").strip()
    answer = httpx.get(
        f"{json.loads(note.read_text())['url']}/operators/{WHO}/scorecard", headers={"Authorization": f"Bearer {token}"}
    )
    found: dict[str, Any] = answer.json() if answer.is_success else {}
    return found


def registered_with(folder: Path, at: datetime) -> Path:
    """The bank's reference data, in which the vendor manager has written when the operator is reinstated."""
    shutil.copytree(ROOT / "deploy" / "reference", folder)
    people = folder / "operators.yaml"
    line = f"  - {{id: {WHO}, "
    text = people.read_text()
    assert text.count(line) == 1
    people.write_text(text.replace(line, f"{line}reinstated_at: '{at.isoformat()}', "))
    return folder


def test_who_is_suspended_comes_back_when_the_reference_data_says_so(stack_folder: Path, tmp_path: Path) -> None:
    """An older word ends nothing; a newer one does, with no further entry judged, and the score begins anew."""
    with running_floor(stack_folder, ("vendor",)) as floor:
        kafka = Stack(floor.home).addresses().kafka
        entries = [judged(n, False) for n in range(KEYED)] + [judged(n, True) for n in range(WRONG)]
        asyncio.run(tell(kafka, entries))
        suspended = until(lambda: (card := scorecard(floor)).get("standing") == "suspended" and card)
        since = datetime.fromisoformat(suspended["since"])

        floor.type(f"reference {registered_with(tmp_path / 'older', since - timedelta(days=1))}")
        time.sleep(HEARD_SECONDS)
        assert scorecard(floor)["standing"] == "suspended"
        floor.type(f"reference {registered_with(tmp_path / 'newer', since + timedelta(microseconds=1))}")
        card = until(lambda: (card := scorecard(floor)).get("standing") == "probation" and card)
        assert "by the vendor manager" in card["reason"]
        assert card["judged_in_standing"] < KEYED
        assert card["errors"] == 0


def workbench(floor: Terminal, method: str, path: str) -> int:
    """What the workbench answers the operator. Returns its status."""
    (note,) = (floor.home / "run").glob("routing-*.json")
    token = floor.type(f"token {WHO} --role operator --team north-entry").strip()
    url = f"{json.loads(note.read_text())['url']}{path}"
    return httpx.request(method, url, json={}, headers={"Authorization": f"Bearer {token}"}).status_code


def test_who_the_reference_data_name_no_more_is_off_the_floor(stack_folder: Path, tmp_path: Path) -> None:
    """Nothing is published before somebody has said what is to become of them; then it holds within moments."""
    fewer = tmp_path / "fewer"
    shutil.copytree(ROOT / "deploy" / "reference", fewer)
    people = fewer / "operators.yaml"
    people.write_text("".join(line for line in people.read_text().splitlines(True) if f"id: {WHO}," not in line))
    with running_floor(stack_folder, ("routing",)) as floor:
        until(lambda: workbench(floor, "POST", "/sign-on") == 200)
        with pytest.raises(AssertionError, match=rf"found 1 that it does\s+not:\s+operator\s+{WHO}") as refused:
            floor.type(f"reference {fewer}")
        assert "--remove" in str(refused.value)
        floor.type(f"reference {fewer} --keep")
        time.sleep(HEARD_SECONDS)
        assert workbench(floor, "POST", "/sign-on") == 200
        assert f"Taken off the floor: operator {WHO}" in floor.type(f"reference {fewer} --remove")
        until(lambda: workbench(floor, "POST", "/sign-on") == 403)
        floor.type("reference deploy/reference")
        until(lambda: workbench(floor, "POST", "/sign-on") == 200)
