"""A real Prometheus scrapes a real floor under a short day's load; every panel shows data, or says why it does not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from deploy.local.watch import PROGRAMS, Watch
from tests.dashboards.asking import EMPTY_BY_DESIGN, Answers, ask, ask_all, panels

SUBMISSIONS = 200
DAY_SECONDS = 60
DEMO_SECONDS_MAX = 400

pytestmark = [
    pytest.mark.skipif(
        any(shutil.which(program) is None for program in PROGRAMS),
        reason="Expected Prometheus on PATH: `make test` installs Debian's packages when it is root",
    ),
    pytest.mark.timeout(600),
]


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> list[Answers]:
    """Every panel asked again and again while the demo's day is played, and what it answered."""
    home = tmp_path_factory.mktemp("floor")
    floor = home / "demo" / "1"  # where the demo's first day lives
    watch = Watch(floor, owned=True, scrape_seconds=1)
    found = panels()
    day = _play(home)
    try:
        end = time.monotonic() + DEMO_SECONDS_MAX
        while day.poll() is None and not list((floor / "run").glob("*.json")):
            time.sleep(0.2)
        with httpx.Client(base_url=watch.up()["prometheus"], timeout=30) as prometheus:
            while day.poll() is None and time.monotonic() < end:
                ask_all(prometheus, found)
                time.sleep(1)
    finally:
        day.terminate()
        day.wait(30)
        watch.down()
    assert day.returncode == 0, (home / "demo.log").read_text()[-3_000:]
    return found


def _play(home: Path) -> subprocess.Popen[bytes]:
    words = ["-m", "deploy.demo", f"--submissions={SUBMISSIONS}", f"--seconds={DAY_SECONDS}"]
    with (home / "demo.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, *words], env={**os.environ, "OPSFLOOR_HOME": str(home)}, stdout=log, stderr=log
        )


def test_every_panel_shows_data_or_says_why_not(asked: list[Answers]) -> None:
    """Only what is on the list stays empty on a plain day, and each of those panels names its reason itself."""
    empty = {f"{answers.board}: {answers.question.title}" for answers in asked if not answers.complete}
    allowed = set(EMPTY_BY_DESIGN)
    assert empty <= allowed, f"Expected data in {sorted(empty - allowed)}"
    unexplained = [
        answers.question.title
        for answers in asked
        if f"{answers.board}: {answers.question.title}" in allowed and not answers.question.empty_because
    ]
    assert not unexplained


def test_every_value_is_plausible(asked: list[Answers]) -> None:
    """Shares lie between 0 and 1, counts are not negative, a process has less memory than its machine."""
    wrong = {
        answers.question.title: (answers.lowest, answers.highest)
        for answers in asked
        if answers.filled and not answers.plausible
    }
    assert not wrong


def test_prometheus_says_so_when_a_query_is_wrong(tmp_path: Path) -> None:
    """The proof can fail: a query that Prometheus does not understand is refused."""
    watch = Watch(tmp_path, owned=True)
    try:
        with (
            httpx.Client(base_url=watch.up()["prometheus"]) as prometheus,
            pytest.raises(AssertionError, match="to be understood"),
        ):
            ask(prometheus, "sum by (")
    finally:
        watch.down()
