"""What a desk reads of a placing."""

from __future__ import annotations

from pathlib import Path

from pydantic import TypeAdapter

from services.routing.desk.placings import FORMS, PlacedHere, without_considered
from services.routing.desk.processor import desk
from services.routing.desk.state import DeskItem
from services.routing.desk.store import ITEM, WRITTEN_BY
from services.routing.placement.state import Phase, PlacedItem, PlacementTable
from shared.contracts.routing import WorkPlaced, WorkQueued
from shared.contracts.work import ShownField
from tests.unit.routing.floor import Floor, boards, operator

GOLDEN = Path(__file__).parents[2] / "contracts" / "golden" / "routing.work-placed.v1.json"


def test_a_desk_reads_all_of_a_placing_but_what_was_considered() -> None:
    """Every other field is the same in the desk's own form, and what was considered is not decoded, even if broken."""
    body = GOLDEN.read_bytes()
    whole, read = WorkPlaced.model_validate_json(body), PlacedHere.from_json(body)
    assert whole.considered
    assert read.model_dump() == whole.model_dump() | {"considered": ()}
    assert PlacedHere.from_json(body.replace(b'"considered":[', b'"considered":[1,')) == read
    assert {WorkPlaced.kind_name(): PlacedHere} == FORMS


def test_what_was_considered_is_not_even_parsed_in_a_body_as_placement_writes_it() -> None:
    """Also where a text looks like the names that it stands between; nothing else stands there."""
    whole = WorkPlaced.model_validate_json(GOLDEN.read_bytes())
    shown = ShownField(name="memo", label=',"considered":[', values=(',"draw_seed":1',))
    placed = whole.model_copy(update={"order": whole.order.model_copy(update={"shown": (shown,)})})
    body = placed.to_json()
    assert len(without_considered(body)) < len(body) - len(whole.considered)
    assert PlacedHere.from_json(body).model_dump() == placed.model_dump() | {"considered": ()}
    assert PlacedHere.from_json(body.replace(b',"considered":[', b',"considered":[}')).order == placed.order
    names = list(WorkPlaced.model_fields)
    assert names[names.index("considered") + 1] == "draw_seed"


def test_an_order_is_written_out_once_and_byte_for_byte_as_in_any_body() -> None:
    """In the facts that tell it and in the rows that keep it, whatever its texts look like."""
    whole = WorkPlaced.model_validate_json(GOLDEN.read_bytes())
    shown = ShownField(name="memo", label=',"placed_at":"', values=(',"draft":', ',"team_id":', ',"draw_seed":'))
    order = whole.order.model_copy(update={"shown": (shown,)})
    placed = whole.model_copy(update={"order": order})
    queued = WorkQueued(team_id="north", at=whole.placed_at, placing=2, attempt=0, order=order)
    for fact in (placed, queued):
        assert fact.to_json() == fact.model_dump_json().encode()
    held = DeskItem(order, 2, 0, whole.placed_at)
    assert WRITTEN_BY[DeskItem](held) == ITEM.dump_json(held)
    item = PlacedItem(order.work_item_id, Phase.PLACED, order, "north", placing=2)
    for state in (item, PlacedItem("closed", Phase.CLOSED)):
        assert PlacementTable().write(state) == {"": TypeAdapter(PlacedItem).dump_json(state)}


def test_a_desk_decides_the_same_by_its_own_form() -> None:
    """What was considered changes nothing that a desk does."""
    body = GOLDEN.read_bytes()
    whole = WorkPlaced.model_validate_json(body)
    decided = [
        Floor(desk(), whole.team_id, boards((operator("ann", team_id=whole.team_id),))).send(form.from_json(body))
        for form in (WorkPlaced, PlacedHere)
    ]
    assert decided[0]
    assert decided[0] == decided[1]
