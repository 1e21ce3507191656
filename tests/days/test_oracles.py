"""The simulator and its formulas against outside answers; the long ones run with `make oracles`."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.routing.simulator import line
from services.routing.simulator.confidence import Interval
from services.routing.simulator.line import CustomerClass
from services.routing.simulator.oracles import ORACLES, SYSTEMS, WIDE, Finding, by_floor, by_line
from services.routing.simulator.plain import Kind


@pytest.mark.parametrize("oracle", list(ORACLES))
def test_the_published_value_is_reproduced(oracle: str) -> None:
    """Computed to its last published digit, or covered by the 99 % interval of the simulation."""
    findings = ORACLES[oracle](1)
    assert findings
    assert [one for one in findings if one.refuted] == []


def test_every_oracle_names_its_source() -> None:
    """The page tells for each oracle which system it is and who says so."""
    assert set(SYSTEMS) == set(ORACLES)


def test_an_interval_that_covers_nearly_anything_shows_nothing() -> None:
    """20.8 within 25.6 ± 26.0 is no proof; a miss stays a miss however wide the interval."""
    verdicts = [
        Finding("Q", "wait", "simulated", 20.834, found).verdict
        for found in (Interval(25.6, 26.0), Interval(20.0, 4.0), Interval(60.0, 30.0), 21.0)
    ]
    assert verdicts == ["too wide", "yes", "**no**", "**no**"]


def test_the_page_in_docs_shows_what_it_says() -> None:
    """No figure of the long run is refuted, and none too wide to show anything."""
    rows = [
        text.strip("| \n").split(" | ") for text in Path("docs/oracles.md").read_text(encoding="utf-8").splitlines()
    ]
    figures = [row for row in rows if row[0] in ORACLES and len(row) == 6]
    intervals = [(float(row[2]), float(row[3].partition("±")[2])) for row in figures if "±" in row[3]]
    assert {row[0] for row in figures} == set(ORACLES)
    assert {row[5] for row in figures} == {"yes"}
    assert [(value, half) for value, half in intervals if half > WIDE * value] == []


def test_fifty_people_at_the_real_desk_serve_as_the_plain_line_does() -> None:
    """Customer by customer: what Q2 holds beside the event engine."""
    customers = CustomerClass(0.8, 60.0)
    ours, _ = by_floor([Kind("item", customers)], 50, 2000, 2)
    plain = by_line([customers], 50, 2000, line.first_come, 2)
    assert plain.wait.mean() > 1.0
    assert ours.wait == pytest.approx(plain.wait, abs=1e-6)
