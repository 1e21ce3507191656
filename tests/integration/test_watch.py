"""`opsfloor stack up --with-metrics`, with the real programs and without them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from deploy.local.watch import PROGRAMS, REMEDY, Watch
from opsfloor.answers import Remedied
from opsfloor.cli import app

needs_programs = pytest.mark.skipif(
    any(shutil.which(program) is None for program in PROGRAMS),
    reason="Expected Prometheus on PATH: `make test` installs Debian's packages when it is root",
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own; broker and database are somebody's already, so that nothing else is started."""
    monkeypatch.setenv("OPSFLOOR_HOME", str(tmp_path))
    monkeypatch.setenv("OPSFLOOR_KAFKA", "127.0.0.1:1")
    monkeypatch.setenv("OPSFLOOR_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    return tmp_path


@needs_programs
def test_both_programs_come_up_keep_exemplars_and_go_down(home: Path) -> None:
    """Prometheus has the rules, knows its Alertmanager and keeps exemplars; a second `up` starts nothing; `down` ends both."""
    run = CliRunner().invoke
    try:
        first = run(app, ["stack", "up", "--with-metrics", "--json"])
        assert first.exit_code == 0, first.output
        found = json.loads(first.stdout)
        with httpx.Client(base_url=found["prometheus"]) as prometheus:
            flags = prometheus.get("/api/v1/status/flags").json()["data"]
            groups = prometheus.get("/api/v1/rules").json()["data"]["groups"]
        assert "exemplar-storage" in flags["enable-feature"]
        assert {group["name"] for group in groups} == {"opsfloor-recording", "opsfloor-alerts"}
        assert httpx.get(f"{found['alertmanager']}/-/ready").status_code == httpx.codes.OK
        again = json.loads(run(app, ["stack", "up", "--with-metrics", "--json"]).stdout)
        assert again == found
    finally:
        assert run(app, ["stack", "down"]).exit_code == 0
    assert Watch(home).prometheus() is None


def test_without_the_programs_it_says_how_to_get_them(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A newcomer is told what to install, and nothing is half started."""
    monkeypatch.setenv("PATH", str(home))
    result = CliRunner().invoke(app, ["stack", "up", "--with-metrics"])
    assert result.exit_code == 1
    assert isinstance(result.exception, Remedied)
    assert "prometheus" in str(result.exception)
    assert result.exception.remedy == REMEDY
    assert not (home / "prometheus").exists()
