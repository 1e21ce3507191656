"""Real faults on a real floor: the promises hold, judged from outside."""

from __future__ import annotations

import asyncio
import logging
import shutil
import tempfile
from pathlib import Path

import pytest

from tests.faults.play import KINDS, play


@pytest.mark.alone
@pytest.mark.timeout(1_200)
def test_promises_hold_through_real_faults(caplog: pytest.LogCaptureFixture) -> None:
    """Each kind of fault strikes twice under load; every submission has one end and nothing happened twice."""
    caplog.set_level(logging.CRITICAL, "aiokafka")  # the broker is killed on purpose, thousands of lines say so
    home = Path(tempfile.mkdtemp(prefix="opsfloor-faults-"))
    home.chmod(0o755)
    report = asyncio.run(play(home, 2 * len(KINDS), seed=1, tell=lambda done, what: None))
    found = [f"{finding.promise}: {finding.detail}" for finding in report.findings]
    assert found == [], f"logs are in {home}"
    assert {kind: len(report.healed_seconds[kind]) for kind in KINDS} == dict.fromkeys(KINDS, 2)
    assert report.reroutes > 0, "Expected faults to strike while reroutes were in force, found none"
    assert report.rerouted > 0, "Expected reroutes to move work meanwhile, found none moved"
    held = report.conservation
    assert held["open"] == 0
    assert held["submitted"] == held["posted"] + held["closed"] + held["rejected"]
    assert held["posted"] > 50
    shutil.rmtree(home, ignore_errors=True)
