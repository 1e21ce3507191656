"""A real Prometheus scrapes a real floor under a short day's load; every panel shows data, or says why it does not.

So does the floor's own page, in a real Chromium.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from deploy.grafana.boards import ABOVE_PROMISE, BOARDS, FLOOR, SERVICE
from deploy.grafana.questions import Query
from deploy.local.watch import PROGRAMS, Watch
from opsfloor.console.app import path_of
from tests.dashboards.asking import EMPTY_BY_DESIGN, Answers, ask, ask_all, expressions, panels, traces
from tests.dashboards.looking import CHROMIUM, SCREENS, SIZES, Seen, browser, console, look, seen_now
from tests.support.span_receiver import ReceivedSpan, receiving

SUBMISSIONS = 200
DAY_SECONDS = 60
SCRAPE_SECONDS = 2
ASK_SECONDS = 3.0
DEMO_SECONDS_MAX = 400
BUSINESS_TYPES = {"account-maintenance", "cheque-deposit", "corporate-transfer"}

pytestmark = [
    pytest.mark.skipif(
        any(shutil.which(program) is None for program in PROGRAMS),
        reason="Expected Prometheus on PATH: `make test` installs Debian's packages when it is root",
    ),
    pytest.mark.timeout(600),
    pytest.mark.alone,
]


needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="Expected Chromium on PATH: `make test` installs Debian's package when it is root"
)


@dataclass(frozen=True)
class Day:
    """What was seen of a day.

    Shape:   `asked` are all panels with what they answered; `pointed` the traces that a panel's query points to, by the
             panel's title and the query; `spans` what the floor told of itself; `seen` the pages by board and size, none
             without Chromium; `afterwards` is the first page once Prometheus had ended.
    """

    asked: list[Answers]
    pointed: Mapping[tuple[str, Query], set[str]]
    spans: Mapping[str, list[ReceivedSpan]]
    alive: Seen | None
    seen: Mapping[tuple[str, str], Seen]
    afterwards: Seen | None


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Day:
    """Every panel asked again and again while the demo's day is played; then its pages are looked at."""
    home = tmp_path_factory.mktemp("floor")
    floor = home / "demo" / "1"  # where the demo's first day lives
    watch = Watch(floor, owned=True, scrape_seconds=SCRAPE_SECONDS)
    found, began = panels(), time.time()
    with receiving() as receiver:
        playing = _play(home, receiver.endpoint)
        try:
            address, alive = _ask_until_it_is_over(playing, floor, watch, found)
            pointed = _pointed(address, found, began)
            seen, afterwards = _look(address, watch, home / "console.log") if CHROMIUM else ({}, None)
        finally:
            playing.terminate()
            playing.wait(30)
            watch.down()
    assert playing.returncode == 0, (home / "demo.log").read_text()[-3_000:]
    _keep(found)
    spans: dict[str, list[ReceivedSpan]] = {}
    for span in receiver.spans:
        spans.setdefault(span.trace_id, []).append(span)
    return Day(found, pointed, spans, alive, seen, afterwards)


def _keep(found: list[Answers]) -> None:
    """What each panel showed, beside the pictures."""
    SCREENS.mkdir(parents=True, exist_ok=True)
    shown = {f"{each.board}: {each.question.title}": [each.lowest, each.highest] for each in found if each.filled}
    (SCREENS / "panels.json").write_text(json.dumps(shown, indent=1))


def _ask_until_it_is_over(
    playing: subprocess.Popen[bytes], floor: Path, watch: Watch, found: list[Answers]
) -> tuple[str, Seen | None]:
    """Prometheus is started as soon as a service is there. Returns where it answers, and the first page on its way."""
    alive: Seen | None = None
    end = time.monotonic() + DEMO_SECONDS_MAX
    while playing.poll() is None and not list((floor / "run").glob("*.json")):
        time.sleep(0.2)
    address = watch.up()["prometheus"]
    with httpx.Client(base_url=address, timeout=30) as prometheus:
        while playing.poll() is None and time.monotonic() < end:
            ask_all(prometheus, found)
            if CHROMIUM and alive is None and len(ask(prometheus, ABOVE_PROMISE)) == len(BUSINESS_TYPES):
                alive = _look_once(address, floor / "console.log")
            time.sleep(ASK_SECONDS)
    return address, alive


def _look_once(prometheus: str, log: Path) -> Seen:
    with console(log, prometheus=prometheus) as url, browser() as chromium:
        return look(chromium, url, "desk", "floor-alive")


def _pointed(address: str, found: list[Answers], began: float) -> dict[tuple[str, Query], set[str]]:
    with httpx.Client(base_url=address, timeout=30) as prometheus:
        return {
            (answers.question.title, query): traces(prometheus, query, began, time.time())
            for answers in found
            for query in answers.question.queries
            if query.points_to_traces and answers.question.shape == "line"
        }


def _look(prometheus: str, watch: Watch, log: Path) -> tuple[dict[tuple[str, str], Seen], Seen]:
    """Every board at a desk and the first one at a wall; then the first again, without its Prometheus."""
    views = [(board, "desk") for board in BOARDS] + [(FLOOR, "wall")]
    with console(log, prometheus=prometheus) as url, browser() as chromium:
        seen = {
            (board.uid, size): look(chromium, url + path_of(board), size, board.uid.removeprefix("opsfloor-"))
            for board, size in views
        }
        page = chromium.new_page()
        page.goto(url)
        page.locator(".panel table").first.wait_for()
        watch.down()
        page.get_by_role("alert").filter(has_text="No new figures").wait_for(timeout=30_000)
        return seen, seen_now(page)


def _play(home: Path, receiver: str) -> subprocess.Popen[bytes]:
    words = ["-m", "deploy.demo", f"--submissions={SUBMISSIONS}", f"--seconds={DAY_SECONDS}"]
    with (home / "demo.log").open("wb") as log:
        env = {**os.environ, "OPSFLOOR_HOME": str(home), "OTEL_EXPORTER_OTLP_ENDPOINT": receiver}
        return subprocess.Popen([sys.executable, *words], env=env, stdout=log, stderr=log)


def test_every_panel_shows_data_or_says_why_not(day: Day) -> None:
    """Only what is on the list stays empty on a plain day, and each of those panels names its reason itself."""
    empty = {f"{answers.board}: {answers.question.title}" for answers in day.asked if not answers.complete}
    allowed = set(EMPTY_BY_DESIGN)
    assert empty <= allowed, f"Expected data in {sorted(empty - allowed)}"
    unexplained = [
        answers.question.title
        for answers in day.asked
        if f"{answers.board}: {answers.question.title}" in allowed and not answers.question.empty_because
    ]
    assert not unexplained


def test_every_value_is_plausible(day: Day) -> None:
    """Shares lie between 0 and 1, counts are not negative, a process has less memory than its machine."""
    wrong = {
        answers.question.title: (answers.lowest, answers.highest)
        for answers in day.asked
        if answers.filled and not answers.plausible
    }
    assert not wrong


def test_every_line_of_a_histogram_points_to_traces_that_are_there(day: Day) -> None:
    """What Grafana asks beside such a line: Prometheus has kept exemplars, and their traces were told."""
    assert len(day.pointed) >= 10
    without = [where for where, found in day.pointed.items() if not found & set(day.spans)]
    assert not without


def test_a_slow_case_is_followed_from_the_line_through_every_service(day: Day) -> None:
    """A point of «How long does a case take?» leads to spans of intake, audit and routing, the posting among them."""
    found = set.union(*(found for (title, _), found in day.pointed.items() if title == "How long does a case take?"))
    whole = [spans for trace_id, spans in day.spans.items() if trace_id in found]
    services = {"opsfloor-intake", "opsfloor-audit", "opsfloor-routing"}
    assert any(services <= {span.service for span in spans} for spans in whole)
    assert any("core.posting-confirmed.v1" in span.name for spans in whole for span in spans)


def test_every_service_can_be_chosen_and_the_balancer(day: Day) -> None:
    """«One service» offers who says which release it is, and shows each one's memory and boards; what one of them does not
    have, the panel says why."""
    for title in ("Which release runs?", "How much memory does it take?", "How old is what it decides by?"):
        (answers,) = (answers for answers in day.asked if answers.question.title == title)
        assert answers.filled >= set(expressions(answers.question.queries[0]))
    bare = [
        answers.question.title
        for answers in day.asked
        if answers.board == SERVICE.uid and not answers.question.empty_because
        for of_service in zip(*(expressions(query) for query in answers.question.queries), strict=True)
        if not answers.filled & set(of_service)
    ]
    assert bare == []


def test_every_plan_was_told(day: Day) -> None:
    """The balancer tells its plans, before it was killed and after."""
    plans = [span for spans in day.spans.values() for span in spans if span.name == "plan routing/balancer"]
    assert len({span.began_ns // 1_000_000_000 for span in plans}) > DAY_SECONDS / 4
    assert {span.attributes["opsfloor.outcome"] for span in plans} <= {"decided", "bus"}


@needs_chromium
def test_every_board_is_on_the_floors_own_page(day: Day) -> None:
    """Where there is no Grafana: each panel with a value or with the reason why it has none, and no complaint."""
    for board in BOARDS:
        page = day.seen[board.uid, "desk"]
        assert list(page.panels) == [question.title for question in board.panels]
        assert [title for title, words in page.panels.items() if not words] == []
        assert page.troubles == ()


@needs_chromium
def test_the_first_page_tells_each_promise_while_the_floor_works_and_nothing_once_nobody_measures(day: Day) -> None:
    """A wall that says good of a dead floor is worse than an empty one."""
    question = "How far is the share on time above its promise?"
    assert day.alive is not None
    margins = day.alive.panels[question]
    assert set(margins.split()) >= BUSINESS_TYPES
    assert margins.count("%") == len(BUSINESS_TYPES)
    assert "no answer from" in day.seen[FLOOR.uid, "desk"].panels[question]


@needs_chromium
def test_the_first_page_is_one_screen_at_a_desk_and_at_a_wall(day: Day) -> None:
    """Nobody scrolls a wall, and its text is as much larger as the wall is."""
    desk, wall = (day.seen[FLOOR.uid, size] for size in ("desk", "wall"))
    assert wall.height <= wall.room
    assert wall.text_px / desk.text_px >= 0.9 * SIZES["wall"][0] / SIZES["desk"][0]
    assert list(wall.panels) == list(desk.panels)


@needs_chromium
def test_the_page_says_when_its_figures_are_no_longer_renewed(day: Day) -> None:
    """The day is over and no service answers; then Prometheus ends too: what stands there stays, under a warning."""
    assert "no service of the floor answers" in day.seen[FLOOR.uid, "desk"].warning
    assert day.afterwards is not None
    assert "What stands below is from" in day.afterwards.warning
    assert all(day.afterwards.panels.values())


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
