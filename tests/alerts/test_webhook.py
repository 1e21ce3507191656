"""A real Alertmanager, with the floor's configuration, in front of the control room's real face."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.local.children import free_port
from deploy.prometheus.alerts import ALERTS
from deploy.prometheus.instruments import ROOT
from tests.console.small_floor import SmallFloor, small_floor

PROGRAM = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
PATIENCE_SECONDS = 30.0
TEAM = "north-entry"

pytestmark = pytest.mark.skipif(
    PROGRAM is None, reason="Expected Alertmanager on PATH: `make test` installs Debian's package when it is root"
)


@pytest.fixture
def floor(tmp_path: Path) -> Iterator[SmallFloor]:
    with small_floor(tmp_path) as found:
        yield found


@pytest.fixture
def alertmanager(tmp_path: Path, floor: SmallFloor) -> Iterator[str]:
    """Configured as committed, but that `routing` is this control room and that it groups for seconds only. Gives its URL."""
    text = (ROOT / "deploy" / "prometheus" / "alertmanager.yaml").read_text()
    assert "http://routing:8080/" in text
    told = text.replace("http://routing:8080/", f"{floor.url}/").replace("group_wait: 10s", "group_wait: 1s")
    told = re.sub(r"group_interval: \w+", "group_interval: 2s", told)
    (tmp_path / "alertmanager.yaml").write_text(told)
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "control-room-token").write_text(floor.token("alertmanager", "service"))
    (secrets / "on-call-token").write_text("")
    port = free_port()
    words = [
        str(PROGRAM),
        f"--config.file={tmp_path / 'alertmanager.yaml'}",
        f"--storage.path={tmp_path / 'alerts'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    with (tmp_path / "alertmanager.log").open("wb") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log)
    try:
        url = f"http://127.0.0.1:{port}"
        _until(lambda: _ready(url))
        yield url
    finally:
        process.terminate()
        process.wait(20)


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/-/ready", timeout=2).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def _until(look: Any) -> Any:
    end = time.monotonic() + PATIENCE_SECONDS
    while not (found := look()):
        assert time.monotonic() < end, "Expected it within half a minute"
        time.sleep(0.2)
    return found


def test_an_alert_that_names_a_reroute_becomes_a_proposal_as_long_as_it_fires(
    floor: SmallFloor, alertmanager: str
) -> None:
    """`WorkWithNobody`, with the labels that its rule gives it, waits in the control room for a person's word;
    when it resolves it waits no more."""
    (rule,) = [alert for alert in ALERTS if alert.name == "WorkWithNobody"]
    filled = {name: value.replace("{{ $labels.team }}", TEAM) for name, value in (rule.labels or {}).items()}
    labels = {"alertname": rule.name, "severity": rule.severity, "team": TEAM, **filled}
    alert = {"labels": labels, "annotations": {"summary": "4 items wait"}, "startsAt": datetime.now(UTC).isoformat()}
    other = {**alert, "labels": {"alertname": "TeamOverloaded", "severity": "ticket", "team": TEAM}}
    assert httpx.post(f"{alertmanager}/api/v2/alerts", json=[alert, other]).status_code == httpx.codes.OK
    (order,) = _until(lambda: floor.do(lambda desk: list(desk.room.book.orders.values())))
    assert (order.phase, order.source, order.proposed_by) == ("proposed", "alert", "alertmanager")
    assert (order.terms.effect, order.terms.scope.teams, order.terms.minutes) == ("evacuate", (TEAM,), 60)
    gone = {**alert, "endsAt": datetime.now(UTC).isoformat()}
    assert httpx.post(f"{alertmanager}/api/v2/alerts", json=[gone]).status_code == httpx.codes.OK
    (order,) = _until(lambda: floor.do(lambda desk: [o for o in desk.room.book.orders.values() if o.over_at]))
    assert (order.phase, order.over_because) == ("cancelled", "the alert has resolved")


def test_an_alert_is_silent_while_the_one_that_explains_it_fires(alertmanager: str) -> None:
    """Routing gone: nobody is called for the load that it does not tell. The same alert alone is not kept back."""
    now = datetime.now(UTC).isoformat()
    cause = {"labels": {"alertname": "ServiceAbsent", "service": "routing", "severity": "page"}, "startsAt": now}
    effect = {"labels": {"alertname": "LoadStale", "severity": "page"}, "startsAt": now}

    def state() -> str:
        found = httpx.get(f"{alertmanager}/api/v2/alerts").json()
        return next((each["status"]["state"] for each in found if each["labels"]["alertname"] == "LoadStale"), "")

    httpx.post(f"{alertmanager}/api/v2/alerts", json=[effect])
    _until(lambda: state() == "active")
    httpx.post(f"{alertmanager}/api/v2/alerts", json=[cause, effect])
    _until(lambda: state() == "suppressed")
