"""Virtual time, chance and intervals."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from typing import Final

import numpy as np
import pytest

from services.routing.simulator.agenda import Agenda
from services.routing.simulator.bank import PROFILES, bank_day
from services.routing.simulator.chance import stream
from services.routing.simulator.confidence import of_batches, of_replications, student
from services.routing.simulator.floor import Floor
from services.routing.simulator.line import CustomerClass, Order, by_class, first_come
from services.routing.simulator.oracles import ALWAYS_FIRST_SECONDS, by_floor, by_line
from services.routing.simulator.plain import Kind, plain_day
from services.routing.simulator.real import RealDealing
from shared.runtime.collector import without_collector

KINDS = (Kind("slow", CustomerClass(0.02, 60.0, 120.0), 600.0), Kind("quick", CustomerClass(0.04, 20.0), 300.0))


def test_events_happen_in_order_of_time_then_of_entry() -> None:
    """What is due at the same instant happens in the order in which it was entered."""
    agenda, seen = Agenda(), list[str]()
    for when, name in ((2.0, "c"), (1.0, "a"), (1.0, "b")):
        agenda.at(when, seen.append, name)
    agenda.at(1.0, lambda: agenda.at(0.0, seen.append, f"late at {agenda.now}"))
    agenda.run(until=1.5)
    assert seen == ["a", "b", "late at 1.0"]
    agenda.run()
    assert seen[-1] == "c"


def test_a_purpose_has_a_stream_of_its_own() -> None:
    """The same seed and purpose draw the same; another purpose or replication draws otherwise."""
    first = stream(7, "sizes").random(3).tolist()
    assert stream(7, "sizes").random(3).tolist() == first
    assert stream(7, "arrivals").random(3).tolist() != first
    assert stream(7, "sizes", 1).random(3).tolist() != first


@pytest.mark.parametrize(
    ("confidence", "freedom", "quantile"),
    [
        *((0.95, freedom, quantile) for freedom, quantile in ((1, 12.7062), (2, 4.3027), (3, 3.1824), (30, 2.0423))),
        *((0.99, freedom, quantile) for freedom, quantile in ((1, 63.6567), (2, 9.9248), (9, 3.2498), (120, 2.6174))),
    ],
)
def test_student_is_the_table_s(confidence: float, freedom: int, quantile: float) -> None:
    """All digits of the printed tables: two days, the fewest that are asked for, leave one degree of freedom."""
    assert student(confidence, freedom) == pytest.approx(quantile, abs=6e-5)


def test_intervals_of_two_days_cover_as_often_as_they_say() -> None:
    """Of 4,000 intervals of 90 % about nine in ten cover the true mean: of so few a wider one is needed."""
    draw = np.random.default_rng(2)
    pairs = draw.normal(5.0, 1.0, (4000, 2)).tolist()
    assert np.mean([of_replications(pair, 0.9).covers(5.0) for pair in pairs]) == pytest.approx(0.9, abs=0.015)


def test_intervals_cover_as_often_as_they_say() -> None:
    """Of 400 intervals of 90 % about nine in ten cover the true mean, by batches and by replications."""
    draw = np.random.default_rng(1)
    batched = [of_batches(draw.normal(5.0, 1.0, 250), 0.9).covers(5.0) for _ in range(400)]
    replicated = [of_replications(draw.normal(5.0, 1.0, 10).tolist(), 0.9).covers(5.0) for _ in range(400)]
    assert 0.85 < np.mean(batched) < 0.95
    assert 0.85 < np.mean(replicated) < 0.95


@pytest.mark.long
def test_a_seed_gives_the_same_run_to_the_last_digit() -> None:
    """Who does what and when is the same again; another seed gives another day."""

    def course(seed: int) -> list[tuple[str, float | None, str | None]]:
        played = Floor(plain_day(KINDS, 3, 200, seed), RealDealing()).play()
        return [(item.order.work_item_id, item.ended, item.operator_id) for item in played.items]

    assert course(3) == course(3)
    assert course(3) != course(4)


def test_a_day_leaves_nothing_to_the_collector() -> None:
    """It is kept away meanwhile: what happens on the floor makes no cycles, or a long day would fill the memory."""
    floor = Floor(bank_day(PROFILES["small-centre"], 0.9, 1), RealDealing())
    gc.collect()
    with without_collector():
        floor.play(11 * 3600)
        assert len(floor.items) > 100
        assert gc.collect() == 0


ONE: Final = CustomerClass(0.8, 1.0)
TWO: Final = (CustomerClass(0.4, 1.0), CustomerClass(0.4, 1.0))


@pytest.mark.parametrize(
    ("kinds", "order"),
    [
        ((Kind("item", ONE),), first_come),
        ((Kind("urgent", TWO[0], ALWAYS_FIRST_SECONDS), Kind("other", TWO[1])), by_class),
    ],
)
@pytest.mark.long
def test_the_real_desk_serves_as_the_plain_line_does(kinds: Sequence[Kind], order: Order) -> None:
    """On the same draws every single wait agrees, first come first served and by class, to the clock's microsecond."""
    really, _ = by_floor(kinds, 1, 1500, 9)
    plainly = by_line([kind.customers for kind in kinds], 1, 1500, order, 9)
    assert np.max(plainly.wait) > 10
    assert np.max(np.abs(really.wait - plainly.wait)) < 1e-3


def test_every_case_ends_exactly_once() -> None:
    """With people there all day each case is done or withdrawn, and each item has at most one operator and one end."""
    played = Floor(plain_day(KINDS, 3, 400, 5), RealDealing()).play()
    assert all(course.ended is not None for course in played.cases)
    done = [item for item in played.items if item.ended is not None]
    withdrawn = [course for course in played.cases if course.withdrawn]
    assert withdrawn
    assert len(done) + len(withdrawn) == len(played.cases) == len(played.items)
    assert sum(played.busy_seconds.values()) == pytest.approx(sum(i.task.size * i.task.standard_seconds for i in done))
