"""Facts made of checked parts are those that the contract makes, byte for byte; and figures are rounded as Python rounds."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.routing.desk import decide as desk_rules
from services.routing.desk.choice import rounded
from services.routing.placement import decide as placement_rules
from services.routing.simulator.bank import PROFILES, bank_day
from services.routing.simulator.floor import Floor
from services.routing.simulator.real import RealDealing
from shared.contracts.message import Message
from shared.contracts.routing import (
    AssignmentTaken,
    HeadConsidered,
    LoadSnapshot,
    WorkAssigned,
    WorkCompleted,
    WorkPlaced,
    WorkQueued,
)
from shared.contracts.telling import retold, teller
from tests.unit.routing.floor import NOW, order, told_as_checked

HEAD: dict[str, Any] = {
    "work_item_id": "a",
    "work_type": "transfer/entry",
    "index": 1.0,
    "slope_per_minute": 0.5,
    "rate_per_hour": 120.0,
    "slack_seconds": -0.5,
    "age_seconds": 3.0,
}


def test_what_is_told_is_what_the_contract_makes() -> None:
    """Equal, the same bytes, the same order of fields whatever the order in which they are given; and as frozen."""
    told, made = teller(HeadConsidered)(**dict(reversed(HEAD.items()))), HeadConsidered(**HEAD)
    assert told == made
    assert told.model_dump_json() == made.model_dump_json()
    assert told.model_copy(update={"stays": True}) == made.model_copy(update={"stays": True})
    with pytest.raises(ValidationError, match="frozen"):
        told.index = 2.0  # type: ignore[misc]


@pytest.mark.parametrize("part", [teller(HeadConsidered)(**HEAD), HeadConsidered(**HEAD)])
def test_what_is_told_again_is_as_a_copy_of_the_contract(part: HeadConsidered) -> None:
    """Equal, the same bytes, the same fields named as given; the part itself stays as it was."""
    before = part.model_dump_json()
    again, copied = (
        retold(part, stays=True, removed_by="given"),
        part.model_copy(update={"stays": True, "removed_by": "given"}),
    )
    assert again == copied
    assert again.model_dump_json() == copied.model_dump_json()
    assert again.model_fields_set == copied.model_fields_set
    assert part.model_dump_json() == before


def test_what_was_not_checked_is_found_out() -> None:
    """An id that no contract lets pass: the guard over every fact of these tests sees it."""
    assert told_as_checked(teller(WorkQueued)(team_id="north", at=NOW, placing=1, attempt=0, order=order()))
    with pytest.raises(ValidationError, match="printable"):
        told_as_checked(teller(HeadConsidered)(**(HEAD | {"work_item_id": "a\n"})))


def test_every_fact_of_a_day_is_what_the_contract_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Placement and desks from opening until half an hour later, in a small centre."""
    facts: list[Message] = []
    for rules in (desk_rules, placement_rules):
        monkeypatch.setattr(rules, "decide", _kept(rules.decide, facts))
    Floor(bank_day(PROFILES["small-centre"], 0.5, 3), RealDealing(loads_a_plan=None)).play(until=9 * 3600)
    assert {WorkPlaced, WorkQueued, WorkAssigned, AssignmentTaken, WorkCompleted, LoadSnapshot} <= {*map(type, facts)}
    assert [fact for fact in facts if not told_as_checked(fact)] == []


def _kept(decide: Any, facts: list[Message]) -> Any:
    def deciding(*given: Any) -> Any:
        found = decide(*given)
        facts.extend(found)
        return found

    return deciding


@given(st.floats(allow_nan=False, allow_infinity=False) | st.floats(-1e6, 1e6), st.sampled_from([1, 6]))
@example(-0.04, 1)
@example(0.0, 6)
@example(0.25, 1)
@example(1e22, 6)
def test_a_figure_is_rounded_to_the_last_bit_as_python_rounds_it(figure: float, digits: int) -> None:
    """The sign of nought too, since it stands in the fact."""
    found, expected = rounded(figure, digits), round(figure, digits)
    assert (found, math.copysign(1.0, found)) == (expected, math.copysign(1.0, expected))


@given(st.integers(-(10**9), 10**9), st.integers(-3, 3), st.sampled_from([1, 6]))
def test_next_to_the_middle_of_two_it_is_left_to_python(half: int, ulps: int, digits: int) -> None:
    """The middle itself and its nearest neighbours on both sides."""
    figure = float((Decimal(half) + Decimal("0.5")).scaleb(-digits))
    for _ in range(abs(ulps)):
        figure = math.nextafter(figure, math.inf if ulps > 0 else -math.inf)
    assert rounded(figure, digits) == round(figure, digits)
