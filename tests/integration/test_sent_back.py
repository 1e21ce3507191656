"""A local order on a floor that runs: what it leaves with branches is counted in the order's own report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.simulation.world import image
from tests.support.terminal import running_floor, until

BRANCHES = ("branch-01", "branch-02", "branch-02")
PROPOSE = (
    "reroute propose local --business-type corporate-transfer --minutes 20 --reason 'register down' --break-glass "
    "--as duty-lin --yes --json"
)
SUBMIT = "submit {scan} --branch {branch} --type {kind} --amount 1250000 --no-wait"

pytestmark = [pytest.mark.timeout(300)]


def test_what_went_back_to_branches_is_counted_over_all_shards(stack_folder: Path) -> None:
    """From the branch by way of reception to the one book, on a real bus; other business types count nothing."""
    with running_floor(stack_folder, ("intake", "routing")) as floor:
        scan = floor.home / "scan.png"
        scan.write_bytes(image())
        name = json.loads(floor.type(PROPOSE))["reroute_id"]
        until(lambda: json.loads(floor.type(f"reroute show {name} --json"))["held_percent"] == 100)
        for branch in BRANCHES:
            floor.type(SUBMIT.format(scan=scan, branch=branch, kind="corporate-transfer"))
        floor.type(SUBMIT.format(scan=scan, branch="branch-03", kind="cheque-deposit"))
        counted = [{"branch_id": "branch-02", "submissions": 2}, {"branch_id": "branch-01", "submissions": 1}]
        until(lambda: json.loads(floor.type(f"reroute show {name} --json"))["sent_back"] == counted)
        assert "3 submissions (branch-02: 2, branch-01: 1)" in " ".join(floor.type(f"reroute show {name}").split())
        assert [line["who"] for line in json.loads(floor.type(f"reroute history {name} --json"))] == ["duty-lin", ""]
