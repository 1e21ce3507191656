"""What `opsfloor why` takes from the bus: the item's facts, and the reference data at hand."""

from __future__ import annotations

from datetime import UTC, datetime

from opsfloor.why import Found, reference_of
from shared.contracts.reference import REFERENCE, Team
from shared.contracts.routing import AssignmentExpired
from shared.runtime.headers import outside_headers
from shared.runtime.log import Outgoing, Record
from shared.runtime.memory_log import MemoryLog

AT = datetime(2026, 3, 2, 2, tzinfo=UTC)


def record(offset: int, event_id: str, item: str = "item-1", attempt: int = 1) -> Record:
    fact = AssignmentExpired(work_item_id=item, case_id="c", at=AT, team_id="north", operator_id="ann", attempt=attempt)
    headers = (("ce_type", fact.kind_name().encode()), ("ce_id", event_id.encode()))
    return Record(fact.topic.name, 0, offset, b"k", fact.model_dump_json().encode(), headers, 1000 + offset)


def test_a_fact_that_was_published_again_is_told_once() -> None:
    """A process killed before it noted what was out publishes it again; every reader drops it, and so does this one."""
    found = Found("item-1")
    for one in (record(5, "e-2", attempt=2), record(3, "e-1"), record(9, "e-1"), record(4, "e-3", item="item-2")):
        found.take(one)
    assert [fact.attempt for fact in found.facts() if isinstance(fact, AssignmentExpired)] == [1, 2]


def test_what_names_the_item_and_cannot_be_read_is_passed_over() -> None:
    """It lies in the dead letters, for whoever mends it."""
    found = Found("item-1")
    found.take(record(1, "e-1")._replace(headers=()))
    found.take(record(2, "e-2")._replace(value=b"item-1"))
    assert found.facts() == []


async def test_the_reference_data_at_hand_is_of_its_latest_stamp() -> None:
    """As a decision's fact tells it: the latest of all records, in whatever order they lie; none of an empty topic."""
    log = MemoryLog(1, [REFERENCE.name])
    assert (await reference_of(log)).as_of is None
    for name, stamp_ms in (("north", 1_772_445_600_250), ("south", 1_772_442_000_000)):
        team = Team(id=name, label=name, centre_id="c", provider_id="bank")
        headers = outside_headers(team, "/test", f"event-{name}", AT)
        body = team.model_dump_json().encode()
        log.append((REFERENCE.name, 0), Outgoing(team.key.encode(), body, headers, stamp_ms))
    known = await reference_of(log)
    assert set(known.view.teams) == {"north", "south"}
    assert known.as_of == datetime(2026, 3, 2, 10, 0, 0, 250_000, UTC)
