"""The simulator and its formulas against outside answers; the long ones run with `make oracles`."""

from __future__ import annotations

import pytest

from services.routing.simulator.oracles import ORACLES, SYSTEMS


@pytest.mark.parametrize("oracle", list(ORACLES))
def test_the_published_value_is_reproduced(oracle: str) -> None:
    """Computed to its last published digit, or covered by the 99 % interval of the simulation."""
    findings = ORACLES[oracle](1)
    assert findings
    assert [one for one in findings if not one.holds] == []


def test_every_oracle_names_its_source() -> None:
    """The page tells for each oracle which system it is and who says so."""
    assert set(SYSTEMS) == set(ORACLES)
