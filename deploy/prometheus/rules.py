"""`python -m deploy.prometheus.rules write|check`: recording rules and alerts, from the tables of windows and alerts."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from deploy.prometheus.alerts import (
    ALERTS,
    BURNS,
    CORE_ANSWERED,
    CORE_ASKED,
    PARKED_LATELY,
    REMEMBERED,
    Alert,
    Burn,
    late,
    late_limit,
)
from deploy.prometheus.lately import beginnings, lately

FOLDER: Final = Path(__file__).with_name("rules")
WRITE: Final = "python -m deploy.prometheus.rules write"
WINDOWS: Final = ("5m", "30m", "1h", "6h", "3d", "30d")
_LATE: Final = 'opsfloor_cases_total{on_time="no",outcome!="unknown_business_type"}'
_ENDED: Final = 'opsfloor_cases_total{outcome!="unknown_business_type"}'
_ANSWERED: Final = 'outcome=~"posted|refused_by_core"'
_HANDED_IN: Final = 'opsfloor_intake_receipts_total{outcome=~"%s"}'
_OBJECTIVE: Final = "business_type:opsfloor_objective_on_time:max"


def recordings() -> dict[str, str]:
    """Every recording rule: its expression by its name."""
    found = {late(window): _late_share(window) for window in WINDOWS}
    for window in sorted({burn.long for burn in BURNS}):
        found[f"business_type:opsfloor_cases_late:increase{window}"] = (
            f"sum by (business_type) (increase({_LATE}[{window}]))"
        )
    return {
        **found,
        **beginnings(),
        _OBJECTIVE: "max by (business_type) (opsfloor_objective_on_time_ratio)",
        **{late_limit(burn): _late_limit(burn) for burn in BURNS},
        "business_type:opsfloor_budget_left:ratio": (f"1 - {late('30d')} / on (business_type) (1 - {_OBJECTIVE})"),
        # one counter over itself: two counters that a scrape first sees at different heights can give a share above 1
        "business_type:opsfloor_first_pass:ratio_rate1h": (
            'sum by (business_type) (rate(opsfloor_cases_posted_total{first_pass="yes"}[1h]))\n'
            "  / (sum by (business_type) (rate(opsfloor_cases_posted_total[1h])) > 0)"
        ),
        "floor:opsfloor_core_queue:postings_increase1d": (
            "clamp_min(sum(increase(opsfloor_postings_requested_total[1d]))\n"
            f"  - sum(increase(opsfloor_cases_total{{{_ANSWERED}}}[1d])), 0)"
        ),
        CORE_ASKED: _latest("opsfloor_core_asked_timestamp_seconds", CORE_ASKED),
        CORE_ANSWERED: _latest("opsfloor_core_answered_timestamp_seconds", CORE_ANSWERED),
        PARKED_LATELY: f"round(sum({lately('opsfloor_shard_parked_total', '1h')}))",
        "floor:opsfloor_centralisation:ratio_rate1h": (
            f"sum(rate({_HANDED_IN % 'accepted'}[1h]))\n  / (sum(rate({_HANDED_IN % 'accepted|do_locally'}[1h])) > 0)"
        ),
        "business_type:opsfloor_work_queue_items:sum": _of_types(
            "sum", "opsfloor_work_queue_items", "opsfloor_unplaceable_items"
        ),
        "business_type:opsfloor_work_oldest_seconds:max": _of_types(
            "max", "opsfloor_work_oldest_seconds", "opsfloor_unplaceable_oldest_seconds"
        ),
        # nobody may have a shift, then there is none of it; who is there without one counts as well
        "floor:opsfloor_due_operators:sum": (
            "sum(max by (team) (opsfloor_desk_expected_operators))\n"
            "  + (sum(max by (team) (opsfloor_desk_present_operators)) or vector(0))"
        ),
        "business_type:opsfloor_results:rate10m": "sum by (business_type) (rate(opsfloor_results_total[10m]))",
        "provider:opsfloor_items_completed:share1h": (
            "sum by (provider) (rate(opsfloor_provider_items_completed_total[1h]))\n"
            "  / on () group_left () (sum(rate(opsfloor_provider_items_completed_total[1h])) > 0)"
        ),
    }


def _late_share(window: str) -> str:
    # Where nothing was late yet there may be no series of late cases: they count as none, not as unknown.
    ended = f"sum by (business_type) (rate({_ENDED}[{window}]))"
    return f"(sum by (business_type) (rate({_LATE}[{window}])) or 0 * {ended})\n  / ({ended} > 0)"


def _late_limit(burn: Burn) -> str:
    # Where the objective is low, so many times the budget is more than all cases: then a tenth of what was promised.
    budget, hardly_any = f"{burn.factor:g} * (1 - {_OBJECTIVE})", f"1 - 0.1 * {_OBJECTIVE}"
    return f"({budget} < {hardly_any}) or {hardly_any}"


def _of_types(how: str, at_desks: str, at_none: str) -> str:
    # What waits at no desk waits all the same; the two have different labels, so that `or` keeps both.
    parts = f'label_replace(max by (work_type) ({at_desks}), "business_type", "$1", "work_type", "(.*)/.*")'
    return f"{how} by (business_type) ({parts}\n  or max by (reason, business_type) ({at_none}))"


def _latest(instant: str, itself: str) -> str:
    # Its own last value is among what it takes the latest of: it outlives every process, for as long as need be.
    return f"max({instant} or last_over_time({itself}[{REMEMBERED}]))"


def documents() -> dict[str, str]:
    """The rule files: their text by their name."""
    recording = [{"record": name, "expr": expr} for name, expr in recordings().items()]
    alerting = [_rule(alert) for alert in ALERTS]
    return {
        "recording.yaml": _text("opsfloor-recording", recording),
        "alerts.yaml": _text("opsfloor-alerts", alerting),
    }


def _rule(alert: Alert) -> Mapping[str, Any]:
    return {
        "alert": alert.name,
        "expr": alert.expr,
        "for": alert.held,
        "labels": {"severity": alert.severity, **(alert.labels or {})},
        "annotations": {
            "summary": alert.summary,
            "dashboard": f"/d/{alert.board}",
            "runbook": f"docs/runbook/{alert.name}.md",
        },
    }


def _text(group: str, rules: Sequence[Mapping[str, Any]]) -> str:
    body = yaml.safe_dump({"groups": [{"name": group, "rules": list(rules)}]}, sort_keys=False, width=200)
    return f"# Generated by `{WRITE}`; do not edit.\n{body}"


def main(arguments: Sequence[str] | None = None, folder: Path = FOLDER) -> int:
    """Write the rule files, or tell whether they are current."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("write", "check"))
    if parser.parse_args(arguments).what == "write":
        folder.mkdir(exist_ok=True)
        for name, text in documents().items():
            (folder / name).write_text(text)
        return 0
    stale = [name for name, text in documents().items() if not _is(folder / name, text)]
    for name in stale:
        print(f"Expected {name} to be current. Remedy: {WRITE}", file=sys.stderr)
    return 1 if stale else 0


def _is(file: Path, text: str) -> bool:
    return file.exists() and file.read_text() == text


if __name__ == "__main__":
    sys.exit(main())
