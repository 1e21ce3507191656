"""What `opsfloor why` takes from the bus."""

from __future__ import annotations

from datetime import UTC, datetime

from opsfloor.why import Found
from shared.contracts.routing import AssignmentExpired
from shared.runtime.log import Record

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
