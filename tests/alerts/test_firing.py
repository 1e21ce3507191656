"""The rules in Prometheus's own tool: well formed, loud on each alert's case, silent on its near miss."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.prometheus.alerts import ALERTS
from deploy.prometheus.rules import FOLDER, documents
from tests.alerts.case import Case, Series
from tests.alerts.cases import CASES, EVERYBODY_UP

PROMTOOL = shutil.which("promtool")


def _minutes(held: str) -> int:
    return int(held[:-1]) * {"s": 0, "m": 1, "h": 60}[held[-1]]


needs_promtool = pytest.mark.skipif(
    PROMTOOL is None,
    reason="Expected promtool on PATH: `make test` installs Debian's package prometheus when it is root",
)
BY_NAME = {alert.name: alert for alert in ALERTS}
HELD = {alert.name: _minutes(alert.held) for alert in ALERTS}
SEPARATE = {"ServiceAbsent"}  # fires on an empty floor: its own case brings everybody up


def test_every_alert_has_a_case_and_every_case_an_alert() -> None:
    """Nobody adds an alert without showing when it fires and when it does not."""
    assert {case.alert for case in CASES} == {alert.name for alert in ALERTS}


@needs_promtool
def test_the_rules_are_well_formed() -> None:
    """Prometheus takes them, templates and all."""
    done = subprocess.run([str(PROMTOOL), "check", "rules", *map(str, FOLDER.glob("*.yaml"))], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


@needs_promtool
@pytest.mark.parametrize("name", sorted(HELD))
def test_each_alert_fires_on_its_case_and_not_on_the_near_miss(tmp_path: Path, name: str) -> None:
    """Two looks at each case: it fires in the first, and in the second, which is almost the same, it is silent."""
    for step in sorted({case.step for case in CASES if case.alert == name}):
        cases = [case for case in CASES if (case.alert, case.step) == (name, step)]
        looks = [_look(case, case.fires, 1) for case in cases] + [_look(case, case.silent(), 0) for case in cases]
        assert faults(tmp_path, name, looks, step) == ""


def faults(folder: Path, alert: str, looks: Sequence[Mapping[str, Any]], step: int = 1) -> str:
    """What promtool finds fault with in looks at one alert, and the recording rules that it rests on."""
    rules = yaml.safe_load(documents()["alerts.yaml"])
    (group,) = rules["groups"]
    group["rules"] = [rule for rule in group["rules"] if rule["alert"] == alert]
    (folder / "alerts.yaml").write_text(yaml.safe_dump(rules))
    recording = yaml.safe_load(documents()["recording.yaml"])
    (recorded,) = recording["groups"]
    recorded["rules"] = _rested_on(BY_NAME[alert].expr, recorded["rules"])
    (folder / "recording.yaml").write_text(yaml.safe_dump(recording))
    suite = {
        "rule_files": ["recording.yaml", "alerts.yaml"],
        "evaluation_interval": f"{step}m",
        "group_eval_order": [
            "opsfloor-recording",
            "opsfloor-alerts",
        ],  # as Prometheus does, give or take one evaluation
        "tests": list(looks),
    }
    (folder / "suite.yaml").write_text(yaml.safe_dump(suite, width=1_000))
    done = subprocess.run([str(PROMTOOL), "test", "rules", "suite.yaml"], cwd=folder, capture_output=True, text=True)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def _rested_on(expr: str, rules: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The recording rules whose values an expression reads, by others or itself, in the order in which they stand."""
    read, unread = set[str](), {expr}
    while unread:
        text = unread.pop()
        found = [rule for rule in rules if rule["record"] in text and rule["record"] not in read]
        read |= {rule["record"] for rule in found}
        unread |= {rule["expr"] for rule in found}
    return [rule for rule in rules if rule["record"] in read]


@needs_promtool
@pytest.mark.parametrize(
    ("alert", "name"), [("FuseBlown", "opsfloor_shard_fuses_total"), ("RecordLost", "opsfloor_shard_gaps_total")]
)
def test_a_processor_that_is_started_again_and_again_is_told_once(tmp_path: Path, alert: str, name: str) -> None:
    """Each process that ends of it is another instance; the person on call is called once."""
    look = {
        "interval": "1m",
        "input_series": [
            {"series": f'{name}{{instance="{n}",processor="intake/reception"}}', "values": f"_x{n} 1 stale"}
            for n in range(4)
        ],
        "promql_expr_test": [
            {
                "expr": f'count(ALERTS{{alertname="{alert}",alertstate="firing"}})',
                "eval_time": "6m",
                "exp_samples": [{"labels": "{}", "value": 1}],
            }
        ],
    }
    assert faults(tmp_path, alert, [look]) == ""


def _filled(case: Case) -> Iterator[dict[str, Any]]:
    """What the summary says of a firing alert is not empty, and is the right figure."""
    alert, when = BY_NAME[case.alert], f"{case.minutes}m"
    for label in sorted(set(re.findall(r"\$labels\.(\w+)", alert.summary))):
        expr = f'ALERTS{{alertname="{alert.name}",alertstate="firing",{label}=""}}'
        yield {"expr": expr, "eval_time": when, "exp_samples": []}
    if case.value is not None:
        samples = [{"labels": "{}", "value": case.value}]
        yield {"expr": f"max({alert.expr})", "eval_time": when, "exp_samples": samples}


def _look(case: Case, series: Series, firing: int) -> dict[str, Any]:
    alert, held = case.alert, HELD[case.alert]
    waited = f'max(count_over_time(ALERTS{{alertname="{alert}",alertstate="pending"}}[{case.minutes}m]))'
    found = series if alert in SEPARATE else {**EVERYBODY_UP, **series}
    return {
        "name": f"{alert} {'fires' if firing else 'is silent'}",
        "interval": f"{case.step}m",
        "input_series": [{"series": name, "values": values} for name, values in found.items()],
        "promql_expr_test": [
            {
                "expr": f'count(count by (alertname) (ALERTS{{alertname="{alert}",alertstate="firing"}}))',
                "eval_time": f"{case.minutes}m",
                "exp_samples": [{"labels": "{}", "value": 1}] if firing else [],
            },
            *(_filled(case) if firing else ()),
            # for as long as it is held it was pending, and only then did it fire
            *(
                [
                    {
                        "expr": f"{waited} >= bool {max(1, held // case.step)}",
                        "eval_time": f"{case.minutes}m",
                        "exp_samples": [{"labels": "{}", "value": 1}],
                    }
                ]
                if firing and held
                else []
            ),
        ],
    }
