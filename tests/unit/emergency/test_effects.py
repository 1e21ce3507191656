"""What reroutes in force have done, told as levels; how long it took until they were in force."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import REGISTRY

from services.routing.emergency.effects import Effects
from services.routing.emergency.metrics import Obeyed, measure
from services.routing.placement.waiting import Waits
from shared.contracts.reroute import ApproveReroute, ProposeReroute, RerouteOrder
from shared.reroutes import RerouteView
from shared.runtime.errors import TransientError
from tests.unit.emergency.control_room import CHEN, LIN, ControlRoom, terms
from tests.unit.sight.facts import fact, shown

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


class Moved:
    """The rows, as far as they tell what reroutes have moved and sent back; or a database that is away."""

    def __init__(self, found: Mapping[str, int] | None, back: Mapping[str, int] | None = None) -> None:
        self.found = found
        self.back = back or {}
        self.looks = self.looks_back = 0

    async def moved_by_reroute(self) -> Mapping[str, int]:
        self.looks += 1
        if self.found is None:
            raise TransientError("Expected the database to answer")
        return self.found

    async def sent_back_by_reroute(self) -> Mapping[str, int]:
        self.looks_back += 1
        return self.back


def on_board(*reroute_ids: str) -> RerouteView:
    order = fact("routing.reroute-order.v1")
    return RerouteView(acting={name: order.model_copy(update={"reroute_id": name}) for name in reroute_ids})


def told(effects: Effects) -> dict[tuple[str, str], float]:
    return {(level.name.removeprefix("opsfloor_reroute_"), of): value for level, (of,), value in effects.levels()}


async def test_each_reroute_on_the_board_tells_what_it_moved_and_left() -> None:
    """One that moved nothing says 0; one that is over has no series any more, however much it moved."""
    waiting = (
        Waits("rerouted", "a/entry", ("r-2", "r-over"), 1, NOW),
        Waits("rerouted", "b/entry", ("r-2",), 2, NOW),
        Waits("nobody_present", "b/entry", (), 4, NOW),
    )
    effects = Effects(Moved({"r-1": 40, "r-over": 9}), on_board("r-1", "r-2"), lambda: waiting)
    await effects.look()
    assert told(effects) == {
        ("moved_items", "r-1"): 40,
        ("unplaceable_items", "r-1"): 0,
        ("moved_items", "r-2"): 0,
        ("unplaceable_items", "r-2"): 3,
    }


async def test_a_local_order_on_the_board_tells_what_it_sent_back() -> None:
    """One that sent nothing says 0; of any other nobody asks."""
    board, reads = on_board("r-1", "r-2", "r-3"), Moved({}, {"r-1": 12, "r-over": 5})
    for name in ("r-1", "r-2"):
        order = board.acting[name]
        local = order.terms.model_copy(update={"effect": "local"})
        board.acting[name] = order.model_copy(update={"terms": local})
    effects = Effects(reads, board, tuple)
    await effects.look()
    back = {of: value for (name, of), value in told(effects).items() if name == "sent_back_submissions"}
    assert back == {"r-1": 12, "r-2": 0}
    other = Moved({})
    await Effects(other, on_board("r-3"), tuple).look()
    assert (other.looks, other.looks_back) == (1, 0)


async def test_nothing_is_looked_up_while_nothing_is_in_force() -> None:
    """The database is asked only when there is something to tell."""
    moved = Moved({})
    await Effects(moved, on_board(), tuple).look()
    assert moved.looks == 0


async def test_while_the_database_is_away_the_last_look_stands() -> None:
    """Desks move nothing then either."""
    moved = Moved({"r-1": 40})
    effects = Effects(moved, on_board("r-1"), tuple)
    await effects.look()
    moved.found = None
    with pytest.raises(TransientError):
        await effects.look()
    assert told(effects)["moved_items", "r-1"] == 40


def effect_seconds(seen_after: float, order: RerouteOrder) -> tuple[float, float]:
    """How many effects were counted more, and their seconds, when the order stands on a board so long after its proposal."""
    before, view, clock = _effects(), RerouteView(), [order.proposed_at]
    obeyed = Obeyed(view, lambda: clock[0])
    obeyed.look()
    clock[0] = order.proposed_at + timedelta(seconds=seen_after)
    view.acting[order.reroute_id] = order.model_copy(update={"started_at": clock[0]})
    obeyed.look()
    obeyed.look()
    count, seconds = _effects()
    return count - before[0], seconds - before[1]


def _effects() -> tuple[float, float]:
    name = "opsfloor_reroute_effect_seconds"
    return REGISTRY.get_sample_value(f"{name}_count") or 0.0, REGISTRY.get_sample_value(f"{name}_sum") or 0.0


def test_effect_is_counted_from_the_approval() -> None:
    """Approved after 40 s, in force after 41."""
    order = fact("routing.reroute-order.v1")
    approved = order.model_copy(update={"approved_at": order.proposed_at + timedelta(seconds=40)})
    assert effect_seconds(41, approved) == pytest.approx((1, 1))


def test_an_order_for_later_is_waited_for_from_its_start() -> None:
    """Approved at once for ten minutes from now: what was asked for is no delay."""
    order = fact("routing.reroute-order.v1")
    terms = order.terms.model_copy(update={"starts_at": order.proposed_at + timedelta(minutes=10)})
    assert effect_seconds(602, order.model_copy(update={"approved_at": order.proposed_at, "terms": terms})) == (
        pytest.approx((1, 2))
    )


def test_what_began_before_the_process_is_no_effect() -> None:
    """A process that starts reads old orders off the bus."""
    before, order = _effects(), fact("routing.reroute-order.v1")
    view = RerouteView(acting={order.reroute_id: order.model_copy(update={"started_at": NOW - timedelta(hours=1)})})
    Obeyed(view, lambda: NOW).look()
    assert _effects() == before


def test_an_order_that_begins_with_its_approval_was_approved() -> None:
    """It is told once, as active; both phases are counted."""
    room, labels = ControlRoom(), {"effect": "evacuate", "phase": "approved"}
    assert room.ask(ProposeReroute, LIN, terms=terms()) == "done"
    before = REGISTRY.get_sample_value("opsfloor_reroutes_total", labels) or 0.0
    preview = room.order().preview.sha256
    measure(room.send(room.command(ApproveReroute, CHEN, preview_sha256=preview)), room.now)
    assert REGISTRY.get_sample_value("opsfloor_reroutes_total", labels) == before + 1


@pytest.mark.parametrize("kind", ["routing.reroute-returning.v1", "routing.reroute-over.v1"])
def test_a_return_that_went_on_though_it_was_not_well_calls_as_one_that_fell_back(kind: str) -> None:
    """Its work is at a place that is not well, and no order holds it back."""
    before = shown("opsfloor_reroute_fall_backs_total")
    measure([fact(kind, not_well=True), fact(kind)], NOW)
    assert shown("opsfloor_reroute_fall_backs_total") == before + 1
