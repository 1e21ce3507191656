"""The configurations of Prometheus and Alertmanager, checked by their own tools."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.prometheus.instruments import ROOT

HERE = ROOT / "deploy" / "prometheus"
CONFIGURATION = HERE / "alertmanager.yaml"


def said(*words: str | Path, cwd: Path = HERE) -> str:
    """What a tool of Prometheus prints when it agrees. Skips where Debian's packages are not installed."""
    if shutil.which(str(words[0])) is None:
        pytest.skip(f"Expected {words[0]} on PATH: `make test` installs Debian's packages when it is root")
    done = subprocess.run(list(map(str, words)), cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_takes_its_configuration(tmp_path: Path) -> None:
    """Rules, targets and token where the configuration says."""
    shutil.copytree(HERE, tmp_path / "p", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    (tmp_path / "p" / "secrets").mkdir()
    (tmp_path / "p" / "secrets" / "scrape-token").touch()
    assert "is valid prometheus config" in said("promtool", "check", "config", "prometheus.yaml", cwd=tmp_path / "p")


def test_alertmanager_takes_its_configuration() -> None:
    """Routes, receivers and inhibitions are well formed."""
    assert "SUCCESS" in said("amtool", "check-config", CONFIGURATION)


@pytest.mark.parametrize(("severity", "receiver"), [("page", "on-call"), ("ticket", "day-list")])
def test_the_severity_says_who_hears_of_it(severity: str, receiver: str) -> None:
    """A page wakes somebody, a ticket does not."""
    words = ("amtool", "config", "routes", "test", f"--config.file={CONFIGURATION}", f"severity={severity}")
    assert said(*words).strip() == receiver


def test_an_alert_that_names_a_reroute_goes_to_the_control_room_as_well() -> None:
    """It becomes a proposal there, and people hear of it as of any other."""
    words = (
        "amtool",
        "config",
        "routes",
        "test",
        f"--config.file={CONFIGURATION}",
        "severity=ticket",
        "reroute=evacuate",
    )
    assert said(*words).strip() == "control-room,day-list"
