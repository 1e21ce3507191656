"""A process that fails beside a Prometheus lives until it was asked why."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from deploy.local.watch import SCRAPE_SECONDS, SOURCE, Watch
from opsfloor.run import _be_heard

NAME = "OPSFLOOR_LAST_WORDS_SECONDS"


@pytest.mark.parametrize(
    ("prometheus", "said", "waits"),
    [("http://127.0.0.1:9", None, "30"), (None, None, None), ("http://127.0.0.1:9", "5", "5")],
)
def test_who_is_scraped_waits_for_two_scrapes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, prometheus: str | None, said: str | None, waits: str | None
) -> None:
    """Alone nobody waits, and what somebody has set stands."""
    monkeypatch.setenv("OPSFLOOR_HOME", str(tmp_path))
    monkeypatch.setattr(Watch, "prometheus", lambda self: prometheus)
    monkeypatch.setenv(NAME, said or "")
    if said is None:
        monkeypatch.delenv(NAME)
    _be_heard()
    assert os.environ.get(NAME) == waits


def test_it_is_the_time_between_two_scrapes() -> None:
    """What the configuration says."""
    found = yaml.safe_load((SOURCE / "prometheus.yaml").read_text())["global"]["scrape_interval"]
    assert found == f"{SCRAPE_SECONDS:g}s"
