"""Facts and rows that are written out in parts which many share: byte for byte as if each were written out whole."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from services.routing.desk.placings import PlacedHere
from services.routing.desk.state import DeskItem, Gone, ItemPhase
from services.routing.desk.store import GONE, ITEM, WRITTEN_BY
from services.routing.placement.state import Phase, PlacedItem, PlacementTable
from shared.contracts.message import Message
from shared.contracts.routing import BoardsAsOf, Candidate, WorkPlaced, WorkQueued, WorkReleased
from shared.contracts.telling import WrittenOnce, teller
from shared.contracts.work import Draft, WorkOrder

GOLDEN: Final = Path(__file__).parents[2] / "contracts" / "golden" / "routing.work-placed.v1.json"
PLACED: Final = WorkPlaced.model_validate_json(GOLDEN.read_bytes())
AT: Final = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
INSTANTS: Final = (AT, AT.astimezone(timezone(timedelta(hours=8))), AT + timedelta(microseconds=1))  # two are equal
TEXTS: Final = ("north", "南", 'a"b\\', ',"placed_at":', ',"draft":', ',"order":', ',"traceparent":"', "%b%d", "")
DRAFT: Final = Draft(value="12", authors=("ann",), attempt=1, revision=1, saved_at=AT)

instants = st.sampled_from(INSTANTS)
texts = st.sampled_from(TEXTS)
drafts = st.sampled_from([None, DRAFT])
small = st.integers(0, 3)
instants_or_none = st.sampled_from([None, *INSTANTS])
texts_or_none = st.sampled_from([None, *TEXTS])
lateness = st.one_of(st.just(0.0), st.floats(0, 1e9).map(lambda seconds: round(seconds, 1)))
considered = st.sampled_from([(), (Candidate(team_id="north"),), (Candidate(team_id="south", drawn=True),)])
boards = st.sampled_from([None, BoardsAsOf(), BoardsAsOf(reference=AT)])
orders = st.builds(
    lambda work_item_id, case_id, trace: PLACED.order.model_copy(
        update={"work_item_id": work_item_id, "case_id": case_id, "traceparent": trace}
    ),
    texts,
    texts,
    texts,
)
placings = st.fixed_dictionaries(
    {
        "team_id": texts,
        "placing": small,
        "attempt": small,
        "order": orders,
        "placed_at": instants,
        "considered": considered,
        "draw_seed": st.integers(0, 2**53),
        "plan_made_at": instants_or_none,
        "avoided": texts_or_none,
        "late_seconds": lateness,
        "boards": boards,
        "draft": drafts,
    }
)
queueings = st.fixed_dictionaries(
    {"team_id": texts, "at": instants, "placing": small, "attempt": small, "order": orders, "draft": drafts}
)
releases = st.fixed_dictionaries(
    {
        "work_item_id": texts,
        "case_id": texts,
        "at": instants,
        "team_id": texts,
        "placing": small,
        "attempt": small,
        "declined_by": st.sampled_from([(), ("ann",), ("ann", 'b"')]),
        "reason": st.sampled_from(["rerouted", "standing"]),
        "reroute_id": texts_or_none,
        "draft": drafts,
    }
)


@pytest.mark.parametrize(
    ("form", "given_fields"), [(WorkPlaced, placings), (WorkQueued, queueings), (WorkReleased, releases)]
)
def test_a_fact_is_written_as_any_body(form: Callable[..., Message], given_fields: st.SearchStrategy[Any]) -> None:
    """Whatever of it others have said before, and whatever its texts look like."""
    tell = teller(form)

    @given(st.lists(given_fields, max_size=6))
    def told(several: list[dict[str, Any]]) -> None:
        for fields in several:
            fact = tell(**fields)
            assert fact.to_json() == fact.model_dump_json().encode()

    told()


@given(st.lists(st.tuples(orders, small, small, instants, st.sampled_from([(), ("ann",)]), drafts), max_size=6))
def test_the_row_of_an_item_that_waits_is_written_as_any_row(items: list[Any]) -> None:
    """At the desk, in the queue and in hand."""
    for order, placing, attempt, since, declined_by, draft in items:
        for phase in (ItemPhase.QUEUED, ItemPhase.OFFERED):
            item = DeskItem(order, placing, attempt, since, phase, declined_by, draft=draft)
            assert WRITTEN_BY[DeskItem](item) == ITEM.dump_json(item)


@given(st.lists(st.tuples(texts, instants, small), max_size=6))
def test_the_row_of_what_left_is_written_as_any_row(left: list[tuple[str, datetime, int]]) -> None:
    """Whatever the item's id looks like."""
    for gone in (Gone(*row) for row in left):
        assert WRITTEN_BY[Gone](gone) == GONE.dump_json(gone)


@given(st.lists(st.tuples(orders, texts_or_none, small, small, texts_or_none, instants_or_none, drafts), max_size=6))
def test_the_row_of_an_item_at_placement_is_written_as_any_row(items: list[Any]) -> None:
    """Placed, waiting with all that it keeps, and placed by a release that kept more."""
    for order, team_id, placing, attempt, released_by, next_try_at, draft in items:
        name = order.work_item_id
        more = {"released_by": released_by, "next_try_at": next_try_at, "draft": draft, "barred": ("ann",)}
        for state in (
            PlacedItem(name, Phase.PLACED, order, team_id, placing, attempt),
            PlacedItem(name, Phase.PLACED, order, team_id, placing, attempt, **more),
            PlacedItem(name, Phase.WAITING, order, None, placing, attempt, **more),
        ):
            assert PlacementTable().write(state) == {"": TypeAdapter(PlacedItem).dump_json(state)}


@given(placings)
def test_an_order_goes_on_as_it_came(fields: dict[str, Any]) -> None:
    """What a desk tells of an order that it has read is what it would have written."""
    placed = PlacedHere.from_json(teller(WorkPlaced)(**fields | VALID).to_json())
    assert placed.order.to_json() == placed.order.model_dump_json().encode()


VALID: Final = {"team_id": "north", "placing": 1, "avoided": None, "order": PLACED.order}


def test_an_order_is_not_written_out_again_where_it_is_read() -> None:
    """As an earlier release wrote it, without a field that has a default, it goes on."""
    body = PLACED.to_json().replace(b'"rekey_amount":false,', b"", 1)
    assert b"rekey_amount" not in PlacedHere.from_json(body).order.to_json()


@pytest.mark.parametrize("later", [b'"traceparent":"%b","later":1}', b'"traceparent":"%b"},"later":{"a":"b"}'])
def test_an_order_of_a_later_release_is_written_out_anew(later: bytes) -> None:
    """With one more field behind its last, or behind the order: none of them becomes part of it."""
    trace = PLACED.order.traceparent.encode()
    body = PLACED.to_json().replace(b'"traceparent":"%b"}' % trace, later % trace, 1)
    assert b"later" in body
    assert PlacedHere.from_json(body).order.to_json() == PLACED.order.model_dump_json().encode()


def test_the_trace_is_the_last_field_of_an_order_and_its_ids_are_the_first() -> None:
    """Which is where both are looked for."""
    names = list(WorkOrder.model_fields)
    assert (names[:2], names[-1]) == (["work_item_id", "case_id"], "traceparent")


def test_what_was_written_of_other_objects_is_written_again() -> None:
    """Equal ones are others; and beyond the bound what was written is forgotten, never mixed up."""
    once, seen = WrittenOnce[int](2), list[int]()

    def write() -> int:
        seen.append(1)
        return len(seen)

    first, second = [1], [1]
    assert [once.of((one,), write) for one in (first, second, first)] == [1, 2, 1]
    assert [once.of((one,), write) for one in ([2], first)] == [3, 4]
