"""All policies over the same days, at several loads, and how far ours is ahead."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from services.routing.simulator.bound import on_time_bound
from services.routing.simulator.confidence import Interval, of_replications
from services.routing.simulator.day import Day
from services.routing.simulator.figures import CONFIDENCE, FIGURES, LEFT_OVER, OUTSIDE, figures_of, over_days
from services.routing.simulator.floor import Dealing, Floor
from services.routing.simulator.policies import POLICIES, KnownDealing, Policy
from services.routing.simulator.real import LOADS_A_PLAN, RealDealing
from shared.contracts.reference import FloorLimits

OURS: Final[Mapping[str, Callable[[], RealDealing]]] = {
    "ours without plan": lambda: RealDealing(loads_a_plan=None),
    "ours": RealDealing,
}

MakeDay = Callable[[float, int], Day]
"""The day of a load and a seed."""

LEAST_IN_TWO_DIGITS: Final = 0.01
NEAR: Final = 0.05  # of the bound: as near as ours is to come
FEW_DAYS: Final = 20  # with fewer, intervals of tardiness cover clearly less often than they say


def best_of_ours() -> RealDealing:
    """The floor's own way of dealing, with all that it has."""
    return list(OURS.values())[-1]()


def plan_seconds(day: Day) -> float:
    """How often ours makes a plan of such a day where nobody says."""
    limits = next((entry for entry in day.reference if isinstance(entry, FloorLimits)), FloorLimits(id="floor"))
    return LOADS_A_PLAN * limits.load_seconds


def _known(policy: Policy) -> Callable[[], Dealing]:
    return lambda: KnownDealing(policy)


DEALINGS: Final[Mapping[str, Callable[[], Dealing]]] = {
    **{name: _known(policy) for name, policy in POLICIES.items()},
    **OURS,
}


@dataclass(frozen=True, slots=True)
class AtLoad:
    """What came out at one load. Holds: `ahead` is ours less the policy in on-time share, day by day on the same days."""

    load: float
    cases: float
    figures: Mapping[str, Mapping[str, Interval]]  # policy → figure
    ahead: Mapping[str, Interval]  # policy
    bound: Interval
    days: int

    @property
    def label(self) -> str:
        """The load in digits, however small."""
        return f"{self.load:.2f}" if self.load >= LEAST_IN_TWO_DIGITS else f"{self.load:.1g}"

    @property
    def best(self) -> str:
        """The last of ours: the one that is to be ahead."""
        return list(OURS)[-1]

    @property
    def behind(self) -> list[str]:
        """The policies that ours is not ahead of outside the interval."""
        return [name for name, interval in self.ahead.items() if interval.low <= 0]

    @property
    def near_bound(self) -> bool:
        """Whether ours comes within `NEAR` of the bound."""
        return self.figures[self.best]["on_time"].mean >= (1 - NEAR) * self.bound.mean


def compare(
    make: MakeDay,
    loads: Sequence[float],
    seeds: Sequence[int],
    tell: Callable[[], None],
    plan_seconds: float | None = None,
) -> list[AtLoad]:
    """Play every policy over every day; `tell` after each run. Ours makes its plan so often, else as `RealDealing` does."""
    dealings = {**DEALINGS, list(OURS)[-1]: lambda: RealDealing(plan_seconds=plan_seconds)}
    return [_at(load, [make(load, seed) for seed in seeds], tell, dealings) for load in loads]


def _at(
    load: float, days: Sequence[Day], tell: Callable[[], None], dealings: Mapping[str, Callable[[], Dealing]]
) -> AtLoad:
    by_policy: dict[str, list[dict[str, float]]] = {}
    for name, dealing in dealings.items():
        for day in days:
            by_policy.setdefault(name, []).append(figures_of(Floor(day, dealing()).play()))
            tell()
    bound = []
    for day in days:
        bound.append(on_time_bound(day))
        tell()
    ours = by_policy[list(OURS)[-1]]
    ahead = {
        name: of_replications(
            [mine["on_time"] - theirs["on_time"] for mine, theirs in zip(ours, found, strict=True)], CONFIDENCE
        )
        for name, found in by_policy.items()
        if name != list(OURS)[-1]
    }
    return AtLoad(
        load,
        sum(len(day.cases) for day in days) / len(days),
        {name: over_days(found) for name, found in by_policy.items()},
        ahead,
        of_replications(bound, CONFIDENCE),
        len(days),
    )


def runs(loads: Sequence[float], seeds: Sequence[int]) -> int:
    """How many runs there are to tell of."""
    return len(loads) * len(seeds) * (len(DEALINGS) + 1)


def as_document(found: Sequence[AtLoad]) -> list[dict[str, Any]]:
    """For programs."""
    return [
        {
            "load": at.load,
            "cases_per_day": at.cases,
            "policies": {
                name: {figure: {"mean": one.mean, "half": one.half} for figure, one in figures.items()}
                for name, figures in at.figures.items()
            },
            "ahead_of": {name: {"mean": one.mean, "half": one.half} for name, one in at.ahead.items()},
            "bound": {"mean": at.bound.mean, "half": at.bound.half},
            "not_ahead_of": at.behind,
            "within_5_percent_of_bound": at.near_bound,
        }
        for at in found
    ]


PERCENT: Final = frozenset({"on_time", "utilisation"})


def cell(figure: str, one: Interval) -> str:
    """A figure with its interval."""
    if figure in PERCENT or figure == OUTSIDE:
        return f"{one.mean * 100:.1f} ± {one.half * 100:.1f} %"
    digits = 3 if figure == "fairness" else 1
    return f"{one.mean:.{digits}f} ± {one.half:.{digits}f}"


def as_markdown(found: Sequence[AtLoad]) -> str:
    """One table per load, each with a sentence on what the aim says, and what to be careful of."""
    return "\n".join([*(_section(at) for at in found), *(f"{caution}\n" for caution in cautions(found))])


def cautions(found: Sequence[AtLoad]) -> list[str]:
    """What the intervals are not worth."""
    days = min(at.days for at in found)
    if days >= FEW_DAYS:
        return []
    return [
        f"Where tardiness is little on most days and much on a few, its intervals of {CONFIDENCE:.0%} over {days} days cover less "
        "often than that; those of the share on time nearly as often."
    ]


def _section(at: AtLoad) -> str:
    head = "| policy | " + " | ".join(FIGURES.values()) + " | ours ahead by |\n|" + "---|" * (len(FIGURES) + 2) + "\n"
    rows = "".join(
        f"| {name} | "
        + " | ".join(cell(figure, figures[figure]) for figure in FIGURES)
        + f" | {cell('on_time', at.ahead[name]) if name in at.ahead else ''} |\n"
        for name, figures in at.figures.items()
    )
    bound = f"| *clairvoyant bound* | {cell('on_time', at.bound)} |" + " |" * len(FIGURES) + "\n"
    return f"### Load {at.label} ({at.cases:,.0f} cases a day)\n\n{head}{rows}{bound}\n{verdict(at)}\n"


def verdict(at: AtLoad) -> str:
    """What came of the aim at this load."""
    ahead = (
        "Ahead of every listed policy outside the interval"
        if not at.behind
        else f"**Not ahead outside the interval of: {', '.join(at.behind)}**"
    )
    share = at.figures[at.best]["on_time"].mean / at.bound.mean if at.bound.mean else 1.0
    near = f"{'within' if at.near_bound else '**not** within'} 5 % of the bound ({share:.1%} of it)"
    return f"{ahead}; {near}.{_left_over(at)}\n"


def _left_over(at: AtLoad) -> str:
    left = {name: figures[LEFT_OVER].mean for name, figures in at.figures.items() if figures[LEFT_OVER].mean > 0}
    if not left:
        return ""
    told = ", ".join(f"{name} {mean:,.1f}" for name, mean in left.items())
    return f" Cases a day that nobody there could end, counted as late: {told}."
