"""The page of metrics, the names on it, and how many series a process may show."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.prometheus.instruments import PREFIX, Instrument, instruments
from deploy.prometheus.labels import LABELS, SERIES_MAX, unbounded
from deploy.prometheus.metrics_page import PAGE, main, page, process_max
from services.audit.controls import metrics as controls
from services.routing import metrics as routing
from services.vendor.supervision import metrics as supervision
from shared.contracts.routing import LoadByWorkType, LoadSnapshot
from shared.reference.board import ReferenceView
from shared.runtime.levels import Levels
from shared.standing import StandingView
from tests.unit.sight.facts import fact

UNITS = (
    "seconds",
    "ratio",
    "items",
    "submissions",
    "operators",
    "records",
    "facts",
    "bytes",
    "info",
    "connections",
    "judged",
)
WITHOUT_UNIT = {  # counts whose unit is the noun itself
    "opsfloor_database_connections_max",
    "opsfloor_provider_standing",
    "opsfloor_drill_unproved_scopes",
    "opsfloor_reroute_reviews_open",
    "opsfloor_reroutes_in_force",
    "opsfloor_shard_batch_events",
    "opsfloor_shard_entities",
    "opsfloor_shard_owned",
    "opsfloor_workbench_long_polls",
}
TEAMS, TYPES, BRANCHES, OPERATORS = 200, 40, 10_000, 20_000
STEPS = ("entry", "arbitration", "review", "authorisation", "inspection")


def test_the_page_is_current(tmp_path: Path) -> None:
    """docs/metrics.md says what the instruments are; a page that is not current is refused, with the remedy."""
    assert PAGE.read_text() == page(), "Remedy: python -m deploy.prometheus.metrics_page write"
    stale = tmp_path / "metrics.md"
    stale.write_text(page().replace("opsfloor_cases_total", "opsfloor_gone_total"))
    assert main(["check"], stale) == 1
    assert main(["write"], stale) == 0
    assert main(["check"], stale) == 0


@pytest.mark.parametrize("each", instruments(), ids=lambda each: each.name)
def test_names_and_labels_keep_the_conventions(each: Instrument) -> None:
    """A prefix, base units, `_total` for counters and only for them, and labels that somebody has bounded."""
    assert re.fullmatch(rf"{PREFIX}[a-z]+(_[a-z]+)+", each.name)
    assert each.name.endswith("_total") == (each.form == "counter")
    assert each.form == "counter" or each.name.endswith(UNITS) or each.name in WITHOUT_UNIT
    assert each.documentation[0].isupper() or each.documentation[0] == "1"
    assert not unbounded(each), f"Expected labels of deploy/prometheus/labels.py, found {unbounded(each)}"


@pytest.mark.parametrize("service", ["intake", "audit", "routing", "vendor"])
def test_labels_bound_the_series_of_a_process(service: str) -> None:
    """If every label took on every value at once, one process would still stay below ten thousand series."""
    assert process_max(instruments(), service) < SERIES_MAX


@pytest.fixture
def clean() -> Iterator[None]:
    """Instruments that are empty, and afterwards as they were: some have series from the start, which others look for."""
    sources = [each.source for each in instruments() if each.labels and hasattr(each.source, "clear")]
    before = [dict(source._metrics) for source in sources]
    for source in sources:
        source.clear()
    yield
    for source, series in zip(sources, before, strict=True):
        source.clear()
        source._metrics.update(series)


def _series(owner: str) -> int:
    counted = [each for each in instruments() if each.owner == owner and hasattr(each.source, "collect")]
    return sum(len(list(family.samples)) for each in counted for family in each.source.collect())


@pytest.mark.usefixtures("clean")
def test_a_whole_banks_day_stays_below_ten_thousand_series() -> None:
    """200 teams, 40 business types, 10,000 branches, 20,000 operators, all through one process of each service."""
    types = [f"type-{number:02}" for number in range(TYPES)]
    teams = [f"team-{number:03}" for number in range(TEAMS)]
    done = fact("routing.work-completed.v1")
    for number in range(OPERATORS):
        update = {
            "operator_id": f"op-{number:05}",
            "team_id": teams[number % TEAMS],
            "provider_id": f"provider-{number % 20}",
            "business_type": types[number % TYPES],
            "step": STEPS[number // TEAMS % len(STEPS)],
            "work_item_id": f"w-{number}",
        }
        routing.measure([done.model_copy(update=update)], done.completed_at)
    posted = fact("audit.case-posted.v1")
    accepted = fact("audit.result-accepted.v1")
    for number in range(BRANCHES):
        update = {"branch_id": f"br-{number:05}", "business_type": types[number % TYPES], "case_id": f"c-{number}"}
        controls.measure([posted.model_copy(update=update)], posted.at)
        step = {"business_type": types[number % TYPES], "step": STEPS[number // TYPES % len(STEPS)]}
        controls.measure([accepted.model_copy(update=step)], posted.at)
    assert _series("routing") + _levels(types, teams) < SERIES_MAX
    assert _series("routing") > TEAMS * len(STEPS), "Expected every team and step to have been counted"
    assert TYPES < _series("audit") < SERIES_MAX


def _levels(types: list[str], teams: list[str]) -> int:
    golden: LoadSnapshot = fact("routing.load-snapshot.v1")
    queued = tuple(
        LoadByWorkType(work_type=f"{name}/{step}", queued=1, standard_seconds=30, oldest_requested_at=golden.at)
        for name in types
        for step in STEPS
    )
    view = {team: golden.model_copy(update={"team_id": team, "queued": queued, "present": ("op",)}) for team in teams}
    families = Levels(routing.load_levels(view, lambda: golden.at)).collect()
    return sum(len(family.samples) for family in families)


def test_no_label_is_a_person_a_branch_or_a_case() -> None:
    """Ids never become labels: there are more of them than Prometheus can hold, and some are people."""
    assert not {"operator", "operator_id", "branch", "branch_id", "case", "case_id", "work_item_id"} & set(LABELS)
    assert all(not unbounded(each) for each in instruments())


def test_supervision_reads_standing_off_its_board() -> None:
    """Who stands how is known right after a start, before anything changes."""
    provider = fact("vendor.provider-standing.v1", provider_id="clearkey", standing="suspended", keyed=40, errors=4)
    view = StandingView(providers={"clearkey": provider})
    read = {
        (level.name, labels): value for level, labels, value in supervision.standing_levels(view, ReferenceView())()
    }
    assert read[("opsfloor_provider_standing", ("clearkey", "suspended"))] == 1
    assert read[("opsfloor_provider_standing", ("clearkey", "allowed"))] == 0


def test_a_provider_whom_nobody_has_judged_stands_as_the_reference_data_begins() -> None:
    """Its series are there before the first judged entry, so that its first change shows as one."""
    reference = ReferenceView(providers={"clearkey": fact("reference.provider.v1", initial_standing="allowed")})
    read = {
        (level.name, labels): value for level, labels, value in supervision.standing_levels(StandingView(), reference)()
    }
    assert read[("opsfloor_provider_standing", ("clearkey", "allowed"))] == 1
    assert read[("opsfloor_provider_standing", ("clearkey", "suspended"))] == 0
