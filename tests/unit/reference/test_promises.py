"""A promise that the turnaround's histogram has no edge for is told before it is published."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from opsfloor.cli import app
from opsfloor.promises import between_edges
from services.audit.controls.metrics import MINUTES
from shared.contracts.reference import BusinessType
from shared.reference import load

BANK = Path(__file__).parents[3] / "deploy" / "reference"
EDGES = [minutes * 60 for minutes in MINUTES]
TYPE = next(entry for entry in load(BANK) if isinstance(entry, BusinessType))


def test_the_example_bank_promises_edges_only() -> None:
    """Nothing is said of it."""
    assert between_edges(load(BANK), EDGES) == []


@pytest.mark.parametrize(
    ("update", "said"),
    [
        ({"sla_seconds": 1_500}, "sla_seconds 1500 is no edge"),
        ({"sla_seconds": 1_500}, "at 1200 and 1800 only"),
        ({"sla_urgent_seconds": 400}, "sla_urgent_seconds 400 is no edge"),
        ({"sla_seconds": 90_000}, "at 28800 only"),
        ({"sla_seconds": 30}, "at 60 only"),
    ],
)
def test_a_promise_between_two_edges_is_told(update: dict[str, float], said: str) -> None:
    """With the edges around it; the urgent promise likewise."""
    (sentence,) = between_edges([TYPE.model_copy(update=update)], EDGES)
    assert said in sentence


def test_the_check_says_so_and_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lateness is counted exactly, so the bank is valid: the command warns and ends well."""
    monkeypatch.setenv("OPSFLOOR_HOME", str(tmp_path / "home"))
    for file in BANK.glob("*.yaml"):
        text = file.read_text().replace("sla_seconds: 1200", "sla_seconds: 1500")
        (tmp_path / file.name).write_text(text)
    done = CliRunner().invoke(app, ["reference", str(tmp_path), "--check"])
    assert done.exit_code == 0, done.output
    assert "sla_seconds 1500 is no edge" in " ".join(done.output.split())
    assert "no edge" not in CliRunner().invoke(app, ["reference", str(BANK), "--check"]).output
