"""The oracles as a page: what others say, and what this floor says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.routing.simulator.confidence import Interval
from services.routing.simulator.oracles import REPLICATIONS, SAME_CUSTOMERS, SYSTEMS, WARM_UP, WIDE, Finding

HEAD: Final = "| | figure | expected | found | how | holds |\n|---|---|---|---|---|---|\n"


def page(findings: Sequence[Finding], effort: int) -> str:
    """The page in `docs/`."""
    systems = "".join(f"| {name} | {system} | {source} |\n" for name, (system, source) in SYSTEMS.items())
    return (
        "# Outside answers that the floor simulator reproduces\n\n"
        f"Written by `make oracles` (`opsfloor simulate oracles --effort {effort}`). Simulated figures are means of "
        f"{REPLICATIONS} independent replications, each without its first {WARM_UP:.0%}, with their 99 % confidence "
        "interval; seeds are fixed, so the page comes out the same to the last digit. «real placement and desk» runs "
        "`services/routing/placement` and `services/routing/desk` as they run in life, on virtual time; «event engine» "
        "runs a plain waiting line on the same engine, where the system asked about is not how the floor works or needs "
        f"more customers than the real code serves in a minute. «{SAME_CUSTOMERS}» is the published value and by how much "
        "the real code differs from the event engine on the same customers (a control variate): alone it would need "
        "forty times as many of them for an interval that shows anything. Of 99 % intervals one in a hundred misses its "
        f"value by chance; one that reaches further than {WIDE:.0%} of the value to either side is told as «too wide», "
        "since it would cover nearly anything.\n\n"
        f"| | system | source |\n|---|---|---|\n{systems}\n{HEAD}{rows(findings)}"
    )


def rows(findings: Sequence[Finding]) -> str:
    """One line per figure."""
    return "".join(
        f"| {one.oracle} | {one.figure} | {_text(one.expected)} | {_text(one.found)} | {one.how} | {one.verdict} |\n"
        for one in findings
    )


def _text(value: Interval | float | str) -> str:
    match value:
        case Interval():
            return f"{value.mean:.4f} ± {value.half:.4f}"
        case float():
            return f"{value:.5g}"
        case _:
            return value
