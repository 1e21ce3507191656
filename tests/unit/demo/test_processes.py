"""The services of a demo as processes: what is said when one does not come up."""

from __future__ import annotations

from deploy.demo.processes import UP_SECONDS, found


def test_a_process_that_is_not_ready_is_told_from_one_that_ended() -> None:
    """Whoever reads it knows whether to wait for the machine or to look for a fault."""
    assert found(None) == f"found it still starting after {UP_SECONDS:.0f} s, as on a machine that is very busy"
    assert found(-9) == "found that it ended with status -9"
