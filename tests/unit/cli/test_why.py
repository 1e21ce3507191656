"""What `opsfloor why` takes from the bus: the item's facts, and the reference data at hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import typer

from opsfloor.why import Found, reference_of, why
from services.routing.again import Known
from shared.contracts.message import Message
from shared.contracts.reference import REFERENCE, Team
from shared.contracts.routing import AssignmentExpired, WorkAssigned
from shared.runtime.headers import outside_headers
from shared.runtime.log import Outgoing, Record
from shared.runtime.memory_log import MemoryLog
from tests.unit.routing.floor import only
from tests.unit.routing.test_again import a_desk, at_hand, forged
from tests.unit.routing.test_choice import work

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


def test_a_forged_slope_ends_the_command_with_one_and_the_answer_says_what_it_should_be(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The index follows from what was forged; the true fact comes out the same, with who was ready longest in its sentence."""
    d = a_desk()
    d.on("ann")
    fact = only(d.place(work("mine", 20)), WorkAssigned)
    for told_so, code in ((fact, None), (forged(fact, "mine", slope_per_minute=0.5), 1)):

        async def found(*_: object, one: Message = told_so) -> tuple[list[Message], Known]:
            return [one], at_hand(d)

        monkeypatch.setattr("opsfloor.why._found", found)
        assert exit_of(lambda: why("mine", replay=True)) == code
        told = " ".join(capsys.readouterr().out.split())
        assert "longest ready of those who may do it, for 0 s; no others ready" in told
        assert ("by the reference data, the slope of mine is" in told) == (code == 1)
        assert ("the slopes made again too; rates as told" in told) == (code is None)


def exit_of(run: Callable[[], None]) -> int | None:
    """The status that a command ends with; `None` when it just returns."""
    try:
        run()
    except typer.Exit as ended:
        return ended.exit_code
    return None
