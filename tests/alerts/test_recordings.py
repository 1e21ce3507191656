"""What the recording rules make of the figures, shown to Prometheus's own tool."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from deploy.grafana.boards import ABOVE_PROMISE, BUS, CALLS, FLOOR, SILENT
from deploy.prometheus.alerts import SERVICES
from deploy.prometheus.rules import documents

RECEIPTS = "opsfloor_intake_receipts_total"
CENTRALISED = "floor:opsfloor_centralisation:ratio_rate1h"


COUNTED = "opsfloor_cases_total"
QUEUE = "floor:opsfloor_core_queue:postings_increase1d"
needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="Expected promtool on PATH: `make test` installs it as root"
)


def asked(tmp_path: Path, name: str, series: dict[str, str], expected: float | None) -> None:
    """What a recording rule says after eighty minutes of these series, a value a minute; none: nothing."""
    (tmp_path / "recording.yaml").write_text(documents()["recording.yaml"])
    samples = [] if expected is None else [{"labels": "{}", "value": expected}]
    look = {
        "interval": "1m",
        "input_series": [{"series": each, "values": values} for each, values in series.items()],
        "promql_expr_test": [{"expr": f"round({name}, 0.01)", "eval_time": "80m", "exp_samples": samples}],
    }
    suite = {"rule_files": ["recording.yaml"], "evaluation_interval": "1m", "tests": [look]}
    (tmp_path / "suite.yaml").write_text(yaml.safe_dump(suite, width=1_000))
    done = subprocess.run(["promtool", "test", "rules", "suite.yaml"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
@pytest.mark.parametrize(("a_minute", "ratio"), [((9, 1), 0.9), ((9, 0), 1.0), ((0, 0), None)])
def test_the_centralisation_ratio_is_the_share_that_was_not_sent_back(
    tmp_path: Path, a_minute: tuple[int, int], ratio: float | None
) -> None:
    """Nine taken in for one that the branch is to do itself; what was refused for other reasons counts for neither."""
    accepted, locally = a_minute
    series = {
        f'{RECEIPTS}{{outcome="accepted"}}': f"0+{accepted}x90",
        f'{RECEIPTS}{{outcome="do_locally"}}': f"0+{locally}x90",
        f'{RECEIPTS}{{outcome="bad_signature"}}': "0+5x90",
    }
    asked(tmp_path, CENTRALISED, series, ratio)


@needs_promtool
def test_the_core_banks_queue_is_what_was_asked_less_what_was_answered(tmp_path: Path) -> None:
    """Over processes and business types, refusals are answers too, and a process that starts anew changes nothing."""
    series = {
        'opsfloor_postings_requested_total{business_type="a",instance="1"}': "0+10x40 0+10x50",
        'opsfloor_postings_requested_total{business_type="b",instance="2"}': "0+5x90",
        f'{COUNTED}{{business_type="a",outcome="posted",instance="2"}}': "0+9x40 360x50",
        f'{COUNTED}{{business_type="b",outcome="refused_by_core",instance="2"}}': "0+5x90",
        f'{COUNTED}{{business_type="b",outcome="refused_by_authoriser",instance="2"}}': "0+7x90",
    }
    asked(tmp_path, QUEUE, series, 10 * 40 + 10 * 39 - 9 * 40)


MISSES = next(panel for panel in FLOOR.panels if panel.title == "What will be late wherever it goes?").queries[0].expr


@needs_promtool
@pytest.mark.parametrize(("answers", "told"), [("1x90", 0.0), ("1x79 0x10", None)])
def test_a_count_of_0_is_told_only_while_somebody_counts(tmp_path: Path, answers: str, told: float | None) -> None:
    """Nothing was foretold to be late, and routing answers: 0. It has died a moment ago: nothing, which is not well."""
    asked(tmp_path, MISSES, {'up{job="routing",instance="r"}': answers}, told)


@needs_promtool
@pytest.mark.parametrize(("answers", "told"), [("1x90", -0.04), ("1x79 0x10", None)])
def test_what_is_on_time_is_measured_by_each_types_own_promise(
    tmp_path: Path, answers: str, told: float | None
) -> None:
    """91 of 100 where 95 are promised. With audit gone a moment ago the rate of the last minutes is not told."""
    labels = 'business_type="a",outcome="posted",instance="1"'
    series = {
        f'{COUNTED}{{{labels},on_time="yes"}}': "0+91x90",
        f'{COUNTED}{{{labels},on_time="no"}}': "0+9x90",
        'opsfloor_objective_on_time_ratio{business_type="a"}': "0.95x90",
        'up{job="audit",instance="1"}': answers,
    }
    asked(tmp_path, f"sum({ABOVE_PROMISE})", series, told)


def everybody(**other: str) -> dict[str, str]:
    """Every service answers, for as long as this says it does."""
    return {f'up{{job="{name}",instance="{name}"}}': other.get(name, "1x90") for name in SERVICES}


PAGE = 'ALERTS{alertname="x",alertstate="firing",severity="page"}'


@needs_promtool
@pytest.mark.parametrize(
    ("series", "pages", "unknown"),
    [
        (everybody(), 0.0, None),
        (everybody(audit="1x79 0x10"), None, 1.0),  # its last scrape has just failed
        (everybody(audit="1x70"), None, 1.0),  # it has gone, and with it its target
        ({}, None, 5.0),  # Prometheus has only begun
        (everybody() | {'up{job="audit",instance="second"}': "0x90"}, 0.0, None),
        (everybody(audit="1x79 0x10") | {PAGE: "1x90"}, 1.0, 1.0),
    ],
)
def test_that_nobody_is_called_is_told_only_while_everybody_is_heard(
    tmp_path: Path, series: dict[str, str], pages: float | None, unknown: float | None
) -> None:
    """In the minute before an alert says that a service is gone, the wall says neither 0 nor good: it says not yet known."""
    asked(tmp_path, f"sum({CALLS % 'page'})", series, pages)
    asked(tmp_path, f"count({SILENT})", series, unknown)


_BROKEN = next(panel for panel in BUS.panels if panel.title == "Is anything lost, unreadable or stopped?")
PARKED = next(query.expr for query in _BROKEN.queries if query.legend == "parked, last hour")


@needs_promtool
@pytest.mark.parametrize(
    ("counted", "began", "told"),
    [
        ("_x60 3x30", "_x60 3590x30", 3.0),  # it came up with them, twenty minutes ago
        ("0x50 1x40", "-86400x90", 1.0),
        ("0 0 1x90", "-86400x90", 0.0),  # one, longer than an hour ago: the process works on with it
        ("1x90", "-86400x90", 0.0),
        ("_x5 3x90", "_x5 290x90", 0.0),
        ("_x60 3x2 stale", "_x60 3590x2 stale", 3.0),  # it has died since
    ],
)
def test_what_was_parked_longer_than_an_hour_ago_is_bad_no_more(
    tmp_path: Path, counted: str, began: str, told: float
) -> None:
    """Parking ends no process: the wall is well again an hour after the last one."""
    names = 'job="audit",instance="a"'
    series = {
        f'opsfloor_shard_parked_total{{{names},processor="audit/controls"}}': counted,
        f"process_start_time_seconds{{{names}}}": began,
    }
    asked(tmp_path, PARKED, everybody() | series, told)
    # while a service is not heard, what is bad stays bad, and nothing is called well
    asked(tmp_path, PARKED, everybody(vendor="1x79 0x10") | series, told or None)
