"""`opsfloor simulate`: the floor in virtual time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import track

from opsfloor import charts, comparing, oracle_table
from opsfloor.answers import Remedied, as_json, err, out, table
from opsfloor.comparing import AtLoad
from opsfloor.profiles import PROFILE_NAMES, profile
from opsfloor.progress import bar
from opsfloor.sources import Seed, days_of
from opsfloor.whatif import whatif
from opsfloor.writing import expect_picture, expect_writable
from services.routing.simulator.figures import FIGURES
from services.routing.simulator.oracles import ORACLES, Finding
from shared.runtime.collector import spare_collector

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="The floor in virtual time, with the real placement and desk."
)
app.command()(whatif)
app.command("profile")(profile)
app.callback()(spare_collector)

Chart = Annotated[Path | None, typer.Option(help="draw a chart into this file, .svg or .png", dir_okay=False)]
Json = Annotated[bool, typer.Option("--json", help="one JSON document instead of tables")]
Page = Annotated[Path | None, typer.Option(help="write the tables as Markdown into this file", dir_okay=False)]


@app.command()
def oracles(
    effort: Annotated[int, typer.Option(help="how much is simulated; 1 takes seconds, 10 minutes", min=1)] = 10,
    write: Page = None,
) -> None:
    """Simulate, or compute, what queueing theory and others have published, and hold ours against it."""
    expect_writable(write)
    asked = track(ORACLES.values(), "oracles asked", console=err, transient=True)
    findings = [one for oracle in asked for one in oracle(effort)]
    if write is None:
        out.print(oracle_table.rows(findings), markup=False)
    else:
        write.write_text(oracle_table.page(findings, effort), encoding="utf-8")
        out.print(f"{len(findings)} figures written to {write}")
    wide = [one for one in findings if one.too_wide]
    if wide:
        out.print(f"Too wide to show anything: {_named(wide)}. A higher --effort makes them narrower.")
    broken = [one for one in findings if one.refuted]
    if broken:
        raise Remedied(
            f"Expected every figure to hold, found otherwise: {_named(broken)}", "look at what changed in routing"
        )


def _named(findings: Sequence[Finding]) -> str:
    return ", ".join(f"{one.oracle} {one.figure} ({one.how})" for one in findings)


@app.command()
def compare(
    log: Annotated[Path | None, typer.Option(help="event log, CSV, also gzipped", exists=True, dir_okay=False)] = None,
    profile: Annotated[
        str | None,
        typer.Option(
            help=f"a day of this profile, where there is no log: {PROFILE_NAMES}, or a YAML file of yours; else bank-day"
        ),
    ] = None,
    load: Annotated[
        str, typer.Option(help="loads, with commas: work that comes in over paid time")
    ] = "0.80,0.90,0.95,1.05",
    days: Annotated[int, typer.Option(help="independent days per load", min=2)] = 6,
    seed: Seed = 1,
    plan_every: Annotated[
        float | None,
        typer.Option(
            help="seconds between two plans of ours, 1 as in life; else thirty loads of a desk: 60 s, of a log 1,800 s",
            min=1,
        ),
    ] = None,
    outside: Annotated[str, typer.Option(help="roles of the log that are not the floor's, with commas")] = "Applicant",
    chart: Chart = None,
    page: Page = None,
    json: Json = False,
) -> None:
    """The known policies, ours without the plan and with it, and a clairvoyant bound, on the same days."""
    expect_picture(chart)
    expect_writable(page)
    loads, seeds = _loads(load), range(seed, seed + days)
    make, title = days_of(log, profile, frozenset(part.strip() for part in outside.split(",")))
    first = make(min(loads), seed)  # a day without cases is refused before any is played
    with bar("days played") as progress:
        line = progress.add_task("", total=comparing.runs(loads, seeds))
        found = comparing.compare(make, loads, seeds, lambda: progress.advance(line), plan_every)
    if chart is not None:
        charts.save(charts.comparison(found, title), chart)
    if page is not None:
        page.write_text(comparing.as_markdown(found), encoding="utf-8")
    if json:
        as_json(
            {
                "source": title,
                "days": days,
                "seed": seed,
                "plan_every_seconds": plan_every or comparing.plan_seconds(first),
                "loads": comparing.as_document(found),
            }
        )
        return
    for at in found:
        _tell(at)
    for caution in comparing.cautions(found):
        out.print(caution)


PROMPTNESS = ("on_time", "tardiness_mean", "tardiness_p99")
PACE = ("turnaround_p50", "turnaround_p90", "turnaround_p99", "utilisation", "fairness")


def _tell(at: AtLoad) -> None:
    ahead = {name: comparing.cell("on_time", one) for name, one in at.ahead.items()}
    rows = [
        (name, *(comparing.cell(one, figures[one]) for one in PROMPTNESS), ahead.get(name, ""))
        for name, figures in at.figures.items()
    ]
    title = f"Load {at.label}, {at.cases:,.0f} cases a day"
    table(title, ("policy", *(FIGURES[one] for one in PROMPTNESS), "ours ahead by"), rows)
    rows = [(name, *(comparing.cell(one, figures[one]) for one in PACE)) for name, figures in at.figures.items()]
    table("", ("policy", *(FIGURES[one] for one in PACE)), rows)
    bound = comparing.cell("on_time", at.bound)
    out.print(f"Clairvoyant bound: {bound} on time. {comparing.verdict(at)}".replace("**", ""))


def _loads(text: str) -> list[float]:
    try:
        loads = [float(part) for part in text.split(",")]
    except ValueError as error:
        raise Remedied(f"Expected loads like 0.80,0.95, found {text!r}", "separate numbers by commas") from error
    if not all(0 < load < 3 for load in loads):
        raise Remedied(f"Expected loads above 0 and below 3, found {text!r}", "1 is as much work as paid time")
    return loads
