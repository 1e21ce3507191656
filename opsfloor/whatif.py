"""`opsfloor simulate whatif`: one change, and the two days side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Annotated, Any, Final

import typer

from opsfloor import comparing
from opsfloor.answers import Remedied, as_json, out, table
from opsfloor.profiles import profile_of
from opsfloor.progress import bar
from opsfloor.sources import ProfileName, Seed, busy_day
from services.routing.simulator import changes
from services.routing.simulator.bank import Work
from services.routing.simulator.changes import Change
from services.routing.simulator.confidence import Interval, of_replications
from services.routing.simulator.day import Day
from services.routing.simulator.figures import CONFIDENCE, FIGURES, LEFT_OVER, OUTSIDE, figures_of, over_days
from services.routing.simulator.floor import Floor
from services.routing.simulator.real import Gave
from shared.contracts.reference import Operator, Provider, Team

BOUNDS: Final[Mapping[str, str]] = {
    "provider_minimum": "{} could not be given what it is promised",
    "provider_maximum": "{} had to be given more than it may have",
    "centre_maximum": "Centre {} had to be given more than one centre may have",
    "nobody_eligible": "Nobody was there for {}",
}
"""What a plan that could not keep a bound says of it, by the reason that the plan names."""

PEOPLE_MAX: Final = 1_000  # more than any centre has room for
SECONDS_MAX: Final = 86_400.0
POINTS_MAX: Final = 1e6


def whatif(
    profile: ProfileName = "bank-day",
    load: Annotated[float, typer.Option(help="work that comes in over paid time", min=0.05, max=3)] = 0.90,
    days: Annotated[int, typer.Option(help="independent days, each played with and without the change", min=2)] = 4,
    seed: Seed = 1,
    close: Annotated[str | None, typer.Option(help="a team that is closed")] = None,
    add: Annotated[str | None, typer.Option(help="people more, as TEAM=10")] = None,
    standard: Annotated[str | None, typer.Option(help="another standard time, as TYPE/STEP=SECONDS")] = None,
    cost: Annotated[str | None, typer.Option(help="another cost of lateness, as TYPE=POINTS per minute")] = None,
    vendor_share: Annotated[
        float | None, typer.Option(help="of the keyings vendors may do, the share open to them", min=0, max=1)
    ] = None,
    contract: Annotated[
        str | None,
        typer.Option(
            help="shares of all items a provider is promised and may have, as PROVIDER=0.1..0.3, =0.1.. or =..0.3"
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="one JSON document instead of a table")] = False,
) -> None:
    """Change one thing and show the two days side by side: the same cases, with the change and without it."""
    chosen = profile_of(profile)
    first = busy_day(chosen, load, seed)
    asked = {
        "close": close,
        "add": add,
        "standard": standard,
        "cost": cost,
        "vendor-share": vendor_share,
        "contract": contract,
    }
    name, change = _change({key: str(value) for key, value in asked.items() if value is not None}, first, chosen.work)
    plain = [first, *(busy_day(chosen, load, one) for one in range(seed + 1, seed + days))]
    with bar("days played") as progress:
        line = progress.add_task("", total=2 * days)
        before = [_play(day, lambda: progress.advance(line)) for day in plain]
        changed = [change(day) for day in plain]
        after = [_play(day, lambda: progress.advance(line)) for day in changed]
    asked_of = {"profile": chosen.name, "load": load, "seed": seed}
    _report(name, asked_of, before, after, json, changed == plain)


@dataclass(frozen=True, slots=True)
class DayPlayed:
    """What came of one day, and of each bound the share of the day's plans that could not keep it."""

    figures: Mapping[str, float]
    gave_way: Mapping[Gave, float]


def _play(day: Day, tell: Callable[[], None]) -> DayPlayed:
    dealing = comparing.best_of_ours()
    figures = figures_of(Floor(day, dealing).play())
    tell()
    return DayPlayed(figures, {gave: count / dealing.plans_made for gave, count in dealing.gave_way.items()})


def _change(asked: dict[str, str], day: Day, works: Sequence[Work]) -> tuple[str, Change]:
    if len(asked) != 1:
        raise Remedied(
            f"Expected exactly one change, found {len(asked)}",
            "give one of --close, --add, --standard, --cost, --vendor-share, --contract",
        )
    (kind, text), *_ = asked.items()
    return f"{kind} {text}", _changes(kind, text, day, works)


def _changes(kind: str, text: str, day: Day, works: Sequence[Work]) -> Change:
    teams = sorted({one.team_id for one in day.reference if isinstance(one, Operator)})
    types = [work.name for work in works]
    work_types = [f"{work.name}/{step}" for work in works for step in _steps(work)]
    match kind:
        case "close":
            return changes.team_closed(_known(text, teams))
        case "add":
            team, count = _pair(text, teams, PEOPLE_MAX, "use --close to take a team away")
            return changes.people_added(team, _whole(count))
        case "standard":
            work_type, seconds = _pair(text, work_types, SECONDS_MAX, "a task takes time: 1 is a second")
            return changes.standard_set(work_type, seconds)
        case "cost":
            business_type, points = _pair(text, types, POINTS_MAX, "0.001 is as good as no cost")
            return changes.cost_set(business_type, points)
        case "contract":
            return _contract(text, day)
        case _:
            _vendors(day)
            return changes.vendor_share_set(float(text))


def _vendors(day: Day) -> list[str]:
    """The outside providers that have a team. Errors: `Remedied` when there is none."""
    manned = {one.provider_id for one in day.reference if isinstance(one, Team)}
    outside = sorted(one.id for one in day.reference if isinstance(one, Provider) and one.outside and one.id in manned)
    if not outside:
        raise Remedied("Expected a vendor in the profile, found none", "take a profile with a crew of role vendor")
    return outside


def _contract(text: str, day: Day) -> Change:
    outside = _vendors(day)
    name, _, bounds = text.partition("=")
    least, dots, most = bounds.partition("..")
    if not dots:
        raise Remedied(f"Expected PROVIDER=LEAST..MOST, found {text!r}", f"write it as in {outside[0]}=0.1..0.3")
    minimum, maximum = _share(least), _share(most)
    if minimum is not None and maximum is not None and minimum > maximum:
        raise Remedied(f"Expected at most as much promised as allowed, found {bounds}", "put the smaller share first")
    return changes.contract_set(_known(name, outside), minimum, maximum)


def _share(text: str) -> float | None:
    """A share, or none where nothing stands."""
    if not text:
        return None
    try:
        value = float(text)
    except ValueError as error:
        raise Remedied(f"Expected a share, found {text!r}", "write it as in 0.15") from error
    if not 0 <= value <= 1:
        raise Remedied(f"Expected a share from 0 to 1, found {text}", "write 15 % as 0.15")
    return value


def _steps(work: Work) -> Iterator[str]:
    """The steps that the type's cases can come to; another standard for any other would change nothing."""
    yield "entry"
    if work.entries > 1:
        yield "arbitration"
    yield "review"
    if work.authorised > 0:
        yield "authorisation"


def _pair(text: str, names: Sequence[str], most: float, instead_of_none: str) -> tuple[str, float]:
    name, _, number = text.partition("=")
    try:
        value = float(number)
    except ValueError as error:
        raise Remedied(f"Expected NAME=NUMBER, found {text!r}", "write it as in north-entry=10") from error
    if not isfinite(value):
        raise Remedied(f"Expected a number that is finite, found {number}", "write it in digits, as 10 or 0.5")
    if value <= 0:
        raise Remedied(f"Expected a number above 0, found {number}", instead_of_none)
    if value > most:
        raise Remedied(f"Expected at most {most:,.0f}, found {number}", "ask for less")
    return _known(name, names), value


def _whole(count: float) -> int:
    if not count.is_integer():
        raise Remedied(f"Expected whole people, found {count:g}", "write it as in north-entry=10")
    return int(count)


def _known(name: str, names: Sequence[str]) -> str:
    if name not in names:
        raise Remedied(f"Expected one of {', '.join(names)}, found {name!r}", "name one of these")
    return name


def _report(
    name: str,
    asked_of: Mapping[str, Any],
    before: Sequence[DayPlayed],
    after: Sequence[DayPlayed],
    json: bool,
    same: bool,
) -> None:
    was, becomes = over_days([day.figures for day in before]), over_days([day.figures for day in after])
    by = {figure: _difference(figure, before, after) for figure in (*FIGURES, OUTSIDE)}
    gave_way = _gave_way(before, after)
    left = {"before": was[LEFT_OVER].mean, "after": becomes[LEFT_OVER].mean}
    if json:
        rows = {
            figure: {"before": was[figure].mean, "after": becomes[figure].mean, "by": one.mean, "by_half": one.half}
            for figure, one in by.items()
        }
        told = {"change": name, **asked_of, "days": len(before), "figures": rows}
        bounds = [
            {"reason": reason, "name": name, "before": one, "after": other}
            for (reason, name), (one, other) in gave_way.items()
        ]
        as_json({**told, LEFT_OVER: left, "plans_short_of": bounds, "changes_nothing": same})
        return
    labels = dict(FIGURES)
    if was[OUTSIDE].mean or becomes[OUTSIDE].mean:
        labels[OUTSIDE] = "done by vendors"
    cells = [
        (
            label,
            comparing.cell(figure, was[figure]),
            comparing.cell(figure, becomes[figure]),
            comparing.cell(figure, by[figure]),
            "" if by[figure].covers(0.0) else "beyond chance",
        )
        for figure, label in labels.items()
    ]
    table(f"What if: {name}", ("", "as it is", "with the change", "difference", ""), cells)
    out.print(f"{len(before)} days, each played twice on the same cases; intervals of {CONFIDENCE:.0%}.")
    if same:
        out.print("The change leaves these days as they are: what it sets is so already, hence no difference.")
    if any(left.values()):
        out.print(
            f"Cases a day that nobody there could end, counted as late: {left['before']:,.1f} as it is, "
            f"{left['after']:,.1f} with the change."
        )
    for (reason, short_of), (one, other) in gave_way.items():
        out.print(
            f"{BOUNDS[reason].format(short_of)}, in {one:.0%} of the plans as it is, in {other:.0%} with the change."
        )


def _gave_way(before: Sequence[DayPlayed], after: Sequence[DayPlayed]) -> dict[Gave, tuple[float, float]]:
    """Of each bound that some plan could not keep, the share of such plans without the change and with it."""
    bounds = sorted({gave for day in (*before, *after) for gave in day.gave_way})
    return {gave: (_mean(before, gave), _mean(after, gave)) for gave in bounds}


def _mean(days: Sequence[DayPlayed], gave: Gave) -> float:
    return sum(day.gave_way.get(gave, 0.0) for day in days) / len(days)


def _difference(figure: str, before: Sequence[DayPlayed], after: Sequence[DayPlayed]) -> Interval:
    pairs = zip(before, after, strict=True)
    return of_replications([b.figures[figure] - a.figures[figure] for a, b in pairs], CONFIDENCE)
