"""What a desk reads of a placing."""

from __future__ import annotations

from pathlib import Path

from services.routing.desk.placings import FORMS, PlacedHere
from services.routing.desk.processor import desk
from shared.contracts.routing import WorkPlaced
from tests.unit.routing.floor import Floor, boards, operator

GOLDEN = Path(__file__).parents[2] / "contracts" / "golden" / "routing.work-placed.v1.json"


def test_a_desk_reads_all_of_a_placing_but_what_was_considered() -> None:
    """Every other field is the same in the desk's own form, and what was considered is not decoded, even if broken."""
    body = GOLDEN.read_bytes()
    whole, read = WorkPlaced.model_validate_json(body), PlacedHere.model_validate_json(body)
    assert whole.considered
    assert read.model_dump() == whole.model_dump() | {"considered": ()}
    assert PlacedHere.model_validate_json(body.replace(b'"considered":[', b'"considered":[1,')) == read
    assert {WorkPlaced.kind_name(): PlacedHere} == FORMS


def test_a_desk_decides_the_same_by_its_own_form() -> None:
    """What was considered changes nothing that a desk does."""
    body = GOLDEN.read_bytes()
    whole = WorkPlaced.model_validate_json(body)
    decided = [
        Floor(desk(), whole.team_id, boards((operator("ann", team_id=whole.team_id),))).send(
            form.model_validate_json(body)
        )
        for form in (WorkPlaced, PlacedHere)
    ]
    assert decided[0]
    assert decided[0] == decided[1]
