"""Real faults on a real floor: the promises hold, judged from outside."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

import pytest

from tests.faults.play import KINDS, play


@pytest.mark.timeout(600)
def test_promises_hold_through_real_faults() -> None:
    """Each kind of fault strikes twice under load; every submission has one end and nothing happened twice."""
    home = Path(tempfile.mkdtemp(prefix="opsfloor-faults-"))
    home.chmod(0o755)
    report = asyncio.run(play(home, 2 * len(KINDS), seed=1, tell=lambda done, what: None))
    assert report.findings == [], f"logs are in {home}"
    assert {kind: len(report.healed_seconds[kind]) for kind in KINDS} == dict.fromkeys(KINDS, 2)
    held = report.conservation
    assert held["open"] == 0
    assert held["submitted"] == held["posted"] + held["closed"] + held["rejected"]
    assert held["posted"] > 50
    shutil.rmtree(home, ignore_errors=True)
