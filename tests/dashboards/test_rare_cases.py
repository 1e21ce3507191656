"""The panels that a plain day leaves empty, each filled by making its case happen under a real Prometheus."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from prometheus_client import REGISTRY, start_http_server

from deploy.local.children import free_port
from deploy.local.watch import PROGRAMS, Watch
from services.audit.controls import metrics as controls
from services.routing import metrics as routing
from services.routing.balancer.metrics import plan_levels
from services.routing.boards import PlanView
from services.routing.emergency import metrics as emergency
from services.routing.emergency.effects import Effects
from services.routing.placement.waiting import Waits
from services.vendor.supervision import metrics as supervision
from shared.contracts.message import Message
from shared.reference.board import ReferenceView
from shared.reroutes import RerouteView
from shared.runtime.levels import Levels
from shared.standing import StandingView, fold_standing
from tests.dashboards.asking import EMPTY_BY_DESIGN, Answers, ask_all, panels
from tests.unit.emergency.test_effects import Moved
from tests.unit.sight.facts import fact

PATIENCE_SECONDS = 60
pytestmark = pytest.mark.skipif(
    any(shutil.which(program) is None for program in PROGRAMS),
    reason="Expected Prometheus on PATH: `make test` installs Debian's packages when it is root",
)


def rare() -> list[Message]:
    """A reroute proposed, approved and at work; an item that will be late, one that nobody may do; a command that a desk
    refused; a result of the wrong person; an error that was found."""
    active = fact("routing.reroute-order.v1")
    proposed = active.model_copy(update={"phase": "proposed", "approved_at": None, "version": 1})
    approved = active.model_copy(update={"approved_at": active.proposed_at + timedelta(seconds=40)})
    return [
        proposed,
        approved,
        fact("routing.reroute-started.v1", reroute_id=active.reroute_id, at=active.started_at),
        fact("routing.reroute-answered.v1"),
        fact("routing.work-released.v1", reroute_id=active.reroute_id),
        fact("routing.work-placed.v1", late_seconds=90.0),
        fact("routing.work-unplaceable.v1"),
        fact("routing.command-refused.v1"),
        fact("audit.result-refused.v1"),
        fact("vendor.keying-judged.v1", subject="provider", what="keyed", found_by="none"),
        fact("vendor.keying-judged.v1", subject="provider", what="error", found_by="review"),
    ]


@pytest.fixture
def process() -> Iterator[int]:
    """A process that shows this one's metrics, with three reroutes, one of them overdue and one that sends work
    back, two judged and a plan that hurts on its boards. Gives the port."""
    active = fact("routing.reroute-order.v1")
    terms = active.terms.model_copy(update={"effect": "local"})
    local = active.model_copy(update={"reroute_id": "local", "terms": terms})
    view = RerouteView(acting={each.reroute_id: each for each in (active, local)})
    late = active.model_copy(update={"reroute_id": "late", "ends_at": active.ends_at - timedelta(minutes=40)})
    ending = RerouteView(acting={each.reroute_id: each for each in (active, late)})
    standing = StandingView()
    for judged in (fact("vendor.operator-standing.v1"), fact("vendor.provider-standing.v1")):
        fold_standing(standing, "", judged)
    plan = fact("routing.plan-made.v1")
    waits = Waits("rerouted", "corporate-transfer/review", (active.reroute_id,), 2, active.proposed_at)
    effects = Effects(Moved({active.reroute_id: 40}, {"local": 7}), view, lambda: (waits,))
    asyncio.run(effects.look())
    shown = (
        effects.levels,
        emergency.reroute_levels(ending, lambda: active.ends_at - timedelta(minutes=30)),
        supervision.standing_levels(standing, ReferenceView()),
        plan_levels(PlanView(plan), lambda: plan.made_at),
    )
    levels = [Levels(each) for each in shown]
    for level in levels:
        REGISTRY.register(level)
    port = free_port()
    server, thread = start_http_server(port, "127.0.0.1")
    yield port
    server.shutdown()
    server.server_close()
    thread.join()
    for level in levels:
        REGISTRY.unregister(level)


def test_a_rare_case_fills_its_panels(tmp_path: Path, process: int) -> None:
    """Every panel of the list shows data as soon as its case happens, and plausible data."""
    waiting = [answers for answers in panels() if f"{answers.board}: {answers.question.title}" in EMPTY_BY_DESIGN]
    assert len(waiting) == len(EMPTY_BY_DESIGN)
    watch = Watch(tmp_path, owned=True, scrape_seconds=1)
    try:
        with httpx.Client(base_url=watch.up()["prometheus"], timeout=10) as prometheus:
            target = [{"targets": [f"127.0.0.1:{process}"], "labels": {"service": "routing"}}]
            (watch.folder / "targets" / "services-routing-1.json").write_text(json.dumps(target))
            _until_filled(prometheus, waiting)
    finally:
        watch.down()
    assert not [answers.question.title for answers in waiting if not (answers.complete and answers.plausible)]


def _until_filled(prometheus: httpx.Client, waiting: list[Answers]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end and not all(answers.complete for answers in waiting):
        for measure in (routing.measure, controls.measure, supervision.measure):
            measure(rare(), fact("routing.reroute-order.v1").proposed_at)
        emergency.count_alerts(["preview_changed"], [])
        _obey()
        time.sleep(1)
        ask_all(prometheus, waiting)


def _obey() -> None:
    """An order in force comes onto the board of a process that lives already."""
    order = fact("routing.reroute-order.v1")
    view, began = RerouteView(), order.started_at
    obeyed = emergency.Obeyed(view, lambda: began)
    view.acting[order.reroute_id] = order
    obeyed.look()
