"""What the recording rules make of the figures, shown to Prometheus's own tool."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from deploy.prometheus.rules import documents

RECEIPTS = "opsfloor_intake_receipts_total"
CENTRALISED = "floor:opsfloor_centralisation:ratio_rate1h"


@pytest.mark.skipif(
    shutil.which("promtool") is None, reason="Expected promtool on PATH: `make test` installs it as root"
)
def test_the_centralisation_ratio_is_the_share_that_was_not_sent_back(tmp_path: Path) -> None:
    """Nine taken in for one that the branch is to do itself; what was refused for other reasons counts for neither."""
    (tmp_path / "recording.yaml").write_text(documents()["recording.yaml"])
    handed_in = [
        {"series": f'{RECEIPTS}{{outcome="accepted"}}', "values": "0+9x90"},
        {"series": f'{RECEIPTS}{{outcome="do_locally"}}', "values": "0+1x90"},
        {"series": f'{RECEIPTS}{{outcome="bad_signature"}}', "values": "0+5x90"},
    ]
    silent = [{**each, "values": "0x90"} for each in handed_in]
    looks = [
        {
            "interval": "1m",
            "input_series": series,
            "promql_expr_test": [{"expr": CENTRALISED, "eval_time": "80m", "exp_samples": expected}],
        }
        for series, expected in ((handed_in, [{"labels": CENTRALISED, "value": 0.9}]), (silent, []))
    ]
    suite = {"rule_files": ["recording.yaml"], "evaluation_interval": "1m", "tests": looks}
    (tmp_path / "suite.yaml").write_text(yaml.safe_dump(suite, width=1_000))
    done = subprocess.run(["promtool", "test", "rules", "suite.yaml"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
