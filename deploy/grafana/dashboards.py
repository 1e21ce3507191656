"""`python -m deploy.grafana.dashboards write|check`: the dashboards as JSON, the same for the same questions."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from grafana_foundation_sdk.builders import bargauge, common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import LegendDisplayMode, LegendPlacement, VizOrientation
from grafana_foundation_sdk.models.dashboard import (
    DashboardLinkType,
    DataSourceRef,
    DynamicConfigValue,
    Threshold,
    ThresholdsMode,
)

from deploy.grafana.boards import BOARDS
from deploy.grafana.questions import BAD, GOOD, WARNING, Board, Question

FOLDER: Final = Path(__file__).with_name("dashboards")
WRITE: Final = "python -m deploy.grafana.dashboards write"
SOURCE: Final = DataSourceRef(type_val="prometheus", uid="opsfloor-prometheus")
HEIGHT: Final = 7
ACROSS: Final = 24

AnyPanel = timeseries.Panel | stat.Panel | bargauge.Panel


def document(board: Board) -> str:
    """One dashboard as JSON."""
    builder = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .description(board.question)
        .tags(["opsfloor"])
        .refresh("10s")
        .time("now-1h", "now")
        .timezone("browser")
        .readonly()
        .link(
            dashboard.DashboardLink("Other dashboards")
            .type(DashboardLinkType.DASHBOARDS)
            .tags(["opsfloor"])
            .keep_time(True)
        )
        .link(dashboard.DashboardLink("Runbook").type(DashboardLinkType.LINK).url("${runbook}"))
        .with_variable(dashboard.ConstantVariable("runbook").value("/public/opsfloor/runbook/README.md"))
    )
    if board.variable is not None:
        builder = builder.with_variable(_variable(*board.variable))
    for panel in board.panels:
        builder = builder.with_panel(_panel(panel))
    body = json.loads(json.dumps(builder.build(), cls=JSONEncoder))
    return json.dumps(body, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _variable(name: str, values: str) -> dashboard.QueryVariable:
    variable = dashboard.QueryVariable(name).label(name.capitalize()).datasource(SOURCE).query(values)
    return variable.include_all(True).multi(True) if name == "type" else variable


def _panel(question: Question) -> AnyPanel:
    panel = _shaped(question)
    panel.title(question.title).unit(question.unit).datasource(SOURCE).span(question.width).height(HEIGHT)
    panel.no_value(question.empty_because or "no data")
    if question.about:
        panel.description(question.about)
    if question.warns_at is not None and question.bad_at is not None:
        panel.thresholds(_thresholds(question.warns_at, question.bad_at))
    for letter, query in zip("ABCDE", question.queries, strict=False):
        target = prometheus.Dataquery().ref_id(letter).expr(query.expr).legend_format(query.legend)
        if question.shape != "line":
            target.instant()
        elif query.points_to_traces:
            target.exemplar(True)
        panel.with_target(target)
        if query.limits is not None:
            panel.override_by_query(letter, [DynamicConfigValue("thresholds", _thresholds(*query.limits).build())])
    return panel


def _shaped(question: Question) -> AnyPanel:
    match question.shape:
        case "number":
            return stat.Panel()
        case "bars":
            return bargauge.Panel().orientation(VizOrientation.HORIZONTAL).min(0)
        case "line":
            # The last value stands beside the name: nothing hangs on telling two lines apart by colour.
            legend = (
                common.VizLegendOptions()
                .display_mode(LegendDisplayMode.TABLE)
                .placement(LegendPlacement.BOTTOM)
                .calcs(["lastNotNull", "max"])
                .show_legend(True)
            )
            return timeseries.Panel().legend(legend).axis_soft_min(0)


def _thresholds(warns_at: float, bad_at: float) -> dashboard.ThresholdsConfig:
    if warns_at <= bad_at:
        steps = [Threshold(None, GOOD), Threshold(warns_at, WARNING), Threshold(bad_at, BAD)]
    else:
        steps = [Threshold(None, BAD), Threshold(bad_at, WARNING), Threshold(warns_at, GOOD)]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)


def documents() -> Mapping[str, str]:
    """Every dashboard: its JSON by its file's name."""
    return {f"{board.uid}.json": document(board) for board in BOARDS}


def main(arguments: Sequence[str] | None = None, folder: Path = FOLDER) -> int:
    """Write the dashboards, or tell whether they are current."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("write", "check"))
    if parser.parse_args(arguments).what == "write":
        folder.mkdir(exist_ok=True)
        for name, text in documents().items():
            (folder / name).write_text(text)
        return 0
    known = documents()
    stale = [name for name, text in known.items() if not _is(folder / name, text)]
    strays = sorted(file.name for file in folder.glob("*.json") if file.name not in known)
    for name in stale:
        print(f"Expected {name} to be current. Remedy: {WRITE}", file=sys.stderr)
    for name in strays:
        print(f"Expected no {name}, which Grafana would load. Remedy: take it away, or build it here", file=sys.stderr)
    return 1 if stale or strays else 0


def _is(file: Path, text: str) -> bool:
    return file.exists() and file.read_text() == text


def body_of(text: str) -> dict[str, Any]:
    """A dashboard's JSON as data."""
    found: dict[str, Any] = json.loads(text)
    return found


if __name__ == "__main__":
    sys.exit(main())
