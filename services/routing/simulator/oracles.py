"""Answers published or computed by others, and what this floor says: each with its 99 % confidence interval.

`effort` is how much is simulated: 1 for the quick tests, more for the table. Every interval comes from independent
replications, each without its first fifth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from services.routing.simulator import crowd, formulas, line
from services.routing.simulator.confidence import Interval, of_replications
from services.routing.simulator.floor import Floor, Played
from services.routing.simulator.line import CustomerClass, Order, Visits
from services.routing.simulator.plain import Kind, plain_day
from services.routing.simulator.policies import DeskState, offer_order
from services.routing.simulator.real import RealDealing

WARM_UP: Final = 0.2  # of a replication; not counted
REPLICATIONS: Final = 10
WIDE: Final = 0.3  # of the value: half an interval that is wider shows nothing by covering it

COBHAM: Final = (CustomerClass(0.4, 1.0), CustomerClass(0.4, 1.0))
COX_SMITH: Final = (CustomerClass(0.3, 0.5), CustomerClass(0.3, 2.0))
COX_SMITH_COSTS: Final = (1.0, 3.0)
ALWAYS_FIRST_SECONDS: Final = -1e5  # so long overdue that nothing that is not costs as much


@dataclass(frozen=True, slots=True)
class Finding:
    """One figure: what it should be, and what was computed or simulated (then with an interval)."""

    oracle: str
    figure: str
    how: str
    expected: float | str
    found: Interval | float | str
    tolerance: float = 0.0  # of a computed figure: half of its last published digit

    @property
    def refuted(self) -> bool:
        """The interval misses the value; a computed figure is another to its last published digit."""
        return not self._agrees

    @property
    def too_wide(self) -> bool:
        """The interval covers so much that it would cover nearly anything."""
        match self.found, self.expected:
            case Interval() as interval, float() as expected:
                return interval.half > WIDE * abs(expected)
            case _:
                return False

    @property
    def verdict(self) -> str:
        """For the table. A figure that misses its value is refuted however wide its interval is."""
        return "**no**" if self.refuted else "too wide" if self.too_wide else "yes"

    @property
    def _agrees(self) -> bool:
        match self.found, self.expected:
            case Interval() as interval, float() as expected:
                return interval.covers(expected)
            case float() as found, float() as expected:
                return abs(found - expected) <= self.tolerance
            case _:
                return self.found == self.expected


Figures = Mapping[str, float]


def replicated(run: Callable[[int], Figures], replications: int = REPLICATIONS) -> dict[str, Interval]:
    """Each figure's interval over independent runs."""
    runs = [run(seed) for seed in range(1, replications + 1)]
    return {name: of_replications([figures[name] for figures in runs]) for name in runs[0]}


def simulated(oracle: str, how: str, expected: Mapping[str, float], run: Callable[[int], Figures]) -> list[Finding]:
    """The figures that a run gives, held against what they should be."""
    found = replicated(run)
    return [Finding(oracle, name, how, value, found[name]) for name, value in expected.items()]


# ------------------------------------------------------------------ the two ways of simulating


def after_warm_up(series: np.ndarray) -> np.ndarray:
    """The part that counts."""
    return series[int(len(series) * WARM_UP) :]


def by_line(classes: Sequence[CustomerClass], servers: int, customers: int, order: Order, seed: int) -> Visits:
    """The plain waiting line, warmed up."""
    visits = line.serve(classes, servers, customers, order, seed)
    return Visits(*(after_warm_up(part) for part in (visits.kind, visits.service, visits.wait, visits.gave_up)))


def by_floor(kinds: Sequence[Kind], people: int, cases: int, seed: int) -> tuple[Visits, Played]:
    """The real placement and desk, warmed up."""
    day = plain_day(kinds, people, cases, seed)
    played = Floor(day, RealDealing()).play()
    number_by_name = {kind.name: number for number, kind in enumerate(kinds)}
    items = played.items
    kind = np.array([number_by_name[item.order.business_type] for item in items])
    service = np.array([item.task.size * item.task.standard_seconds for item in items])
    gave_up = np.array([item.began is None for item in items])
    until = [item.case.ended if item.began is None else item.began for item in items]
    wait = np.array([(end or 0.0) - item.requested for end, item in zip(until, items, strict=True)])
    parts = (kind, service, wait, gave_up)
    return Visits(*(after_warm_up(part) for part in parts)), played


# ---------------------------------------------------------------------------- the oracles

DIGITS: Final = 9  # of a difference between two simulations; what lies below is their arithmetic
SAME_CUSTOMERS: Final = "real placement and desk, beside the event engine"

CALLS: Final = Kind("call", CustomerClass(100 / 1800, 180.0))
CALLS_EXPECTED: Final = {"service level in 20 s": 0.88835, "P(wait)": 0.17413, "occupancy": 0.71429}


def planner(effort: int) -> list[Finding]:
    """Q1: the Erlang C planner."""
    load = CALLS.customers.rate * CALLS.customers.service
    staff = formulas.servers_for(load, 180.0, 20.0, 0.8)
    computed = {
        "service level in 20 s": formulas.service_level(staff, load, 180.0, 20.0),
        "P(wait)": formulas.erlang_c(staff, load),
        "occupancy": load / staff,
    }
    found = [Finding("Q1", "agents", "computed", 14.0, float(staff))]
    found += [Finding("Q1", name, "computed", CALLS_EXPECTED[name], value, 5e-6) for name, value in computed.items()]

    def run(seed: int) -> Figures:
        visits, played = by_floor([CALLS], staff, 600 * effort, seed)
        return {
            "service level in 20 s": float(np.mean(visits.wait <= 20.0)),
            "P(wait)": float(np.mean(visits.wait > 0)),
            "occupancy": sum(played.busy_seconds.values()) / staff / played.day.closes,
        }

    return found + simulated("Q1", "real placement and desk", CALLS_EXPECTED, run)


def patient(effort: int) -> list[Finding]:
    """Q2: fifty servers, nobody gives up. Units: minutes."""
    expected = {"P(wait)": 0.69446, "mean wait, s": 20.834}
    computed = {"P(wait)": formulas.erlang_c(50, 48), "mean wait, s": formulas.mean_wait(50, 48, 60)}
    found = [
        Finding("Q2", name, "computed", expected[name], value, 10.0 ** (-5 if value < 1 else -3))
        for name, value in computed.items()
    ]

    def figures(visits: Visits) -> Figures:
        return {"P(wait)": float(np.mean(visits.wait > 0)), "mean wait, s": float(np.mean(visits.wait))}

    def plainly(seed: int) -> Figures:
        return figures(by_line([CustomerClass(0.8, 60.0)], 50, 20_000 * effort, line.first_come, seed))

    def really(seed: int) -> Figures:
        customers = CustomerClass(0.8, 60.0)
        ours = figures(by_floor([Kind("item", customers)], 50, 1000 * effort, seed)[0])
        plain = figures(by_line([customers], 50, 1000 * effort, line.first_come, seed))
        return {name: value + round(ours[name] - plain[name], DIGITS) for name, value in expected.items()}

    found += simulated("Q2", "event engine", expected, plainly)
    return found + (simulated("Q2", SAME_CUSTOMERS, expected, really) if effort > 1 else [])


def impatient(effort: int) -> list[Finding]:
    """Q3: the same, with patience of two minutes in the mean."""
    expected = {"abandon, %": 3.0912, "mean wait, s": 3.7095, "P(wait)": 0.46777}
    theory = formulas.erlang_a(50, 0.8, 60.0, 120.0)
    computed = {"abandon, %": theory.abandoned * 100, "mean wait, s": theory.wait, "P(wait)": theory.waiting}
    found = [Finding("Q3", name, "computed", expected[name], value, 1e-4) for name, value in computed.items()]

    def figures(visits: Visits) -> Figures:
        return {
            "abandon, %": float(np.mean(visits.gave_up)) * 100,
            "mean wait, s": float(np.mean(visits.wait)),
            "P(wait)": float(np.mean(visits.wait > 0)),
        }

    def plainly(seed: int) -> Figures:
        return figures(by_line([CustomerClass(0.8, 60.0, 120.0)], 50, 10_000 * effort, line.first_come, seed))

    def really(seed: int) -> Figures:
        return figures(by_floor([Kind("item", CustomerClass(0.8, 60.0, 120.0))], 50, 1000 * effort, seed)[0])

    found += simulated("Q3", "event engine", expected, plainly)
    return found + (simulated("Q3", "real placement and desk", expected, really) if effort > 1 else [])


def priorities(effort: int) -> list[Finding]:
    """Q4: two classes at one server, nobody interrupted."""
    expected = {"mean wait, first": 4 / 3, "mean wait, second": 20 / 3}
    waits = formulas.priority_waits([0.4, 0.4], [1.0, 1.0])
    found = [
        Finding("Q4", name, "computed", expected[name], wait, 1e-9) for name, wait in zip(expected, waits, strict=True)
    ]

    def figures(visits: Visits) -> Figures:
        return {name: float(np.mean(visits.wait[visits.kind == kind])) for kind, name in enumerate(expected)}

    def plainly(seed: int) -> Figures:
        return figures(by_line(COBHAM, 1, 20_000 * effort, line.by_class, seed))

    def first_come(seed: int) -> Figures:
        return {"mean wait, FIFO": float(np.mean(by_line(COBHAM, 1, 20_000 * effort, line.first_come, seed).wait))}

    def really(seed: int) -> Figures:
        kinds = (Kind("urgent", COBHAM[0], ALWAYS_FIRST_SECONDS), Kind("other", COBHAM[1]))
        return figures(by_floor(kinds, 1, 2000 * effort, seed)[0])

    found += simulated("Q4", "event engine", expected, plainly)
    found += simulated("Q4", "event engine", {"mean wait, FIFO": 4.0}, first_come)
    return found + (simulated("Q4", "real placement and desk", expected, really) if effort > 1 else [])


def second_class_first(kind: int, arrived: float, number: int) -> tuple[float, ...]:
    """The higher class first, within it in order of arrival."""
    return (-kind, arrived)


COX_SMITH_ORDERS: Final[Mapping[str, tuple[Order, float]]] = {
    "cost rate, first class first": (line.by_class, 5.85),
    "cost rate, FIFO": (line.first_come, 6.12),
    "cost rate, second class first": (second_class_first, 6.69375),
}


def cost_rate(visits: Visits) -> float:
    """What waiting costs per unit of time."""
    return sum(
        cost * one.rate * float(np.mean(visits.wait[visits.kind == kind]))
        for kind, (one, cost) in enumerate(zip(COX_SMITH, COX_SMITH_COSTS, strict=True))
    )


def costs(effort: int) -> list[Finding]:
    """Q5: two classes of different cost and speed; the order of cost times rate is the cheapest."""
    found = []
    for name, (order, expected) in COX_SMITH_ORDERS.items():

        def run(seed: int, name: str = name, order: Order = order) -> Figures:
            return {name: cost_rate(by_line(COX_SMITH, 1, 20_000 * effort, order, seed))}

        found += simulated("Q5", "event engine", {name: expected}, run)
    return found


def two_choices(effort: int) -> list[Finding]:
    """Q6: placement's draw of two, many desks of one person each."""
    found = []
    for load, expected in ((0.9, 2.614), (0.95, 3.383)):
        name = f"time in system at {load}"
        found.append(Finding("Q6", name, "computed", expected, formulas.two_choices_time(load), 5e-4))

        def run(seed: int, load: float = load, name: str = name) -> Figures:
            crowded = crowd.Crowd(100 * effort, load, 50_000 * effort, seed)
            return {name: float(np.mean(after_warm_up(crowded.times_in_system())))}

        if effort > 1:  # the law holds for very many desks, and needs many customers for each
            found += simulated("Q6", "event engine, placement's draw", {name: expected}, run)
    return found


CONSERVED: Final = 0.75 * 1.275 / (1 - 0.75)
ORDERS: Final[Mapping[str, Order]] = {
    "FIFO": line.first_come,
    "LIFO": line.last_come,
    "first class first": line.by_class,
    "second class first": second_class_first,
}


def conserved(visits: Visits) -> float:
    """The sum over classes of load times mean wait."""
    return sum(
        one.rate * one.service * float(np.mean(visits.wait[visits.kind == kind])) for kind, one in enumerate(COX_SMITH)
    )


def conservation(effort: int) -> list[Finding]:
    """Q7: Kleinrock's law for every order that is blind to size."""
    found = []
    for name, order in ORDERS.items():

        def run(seed: int, name: str = name, order: Order = order) -> Figures:
            return {name: conserved(by_line(COX_SMITH, 1, 20_000 * effort, order, seed))}

        found += simulated("Q7", "event engine", {name: CONSERVED}, run)

    if effort == 1:
        return found

    def really(seed: int) -> Figures:
        kinds = (Kind("first", COX_SMITH[0], 40.0), Kind("second", COX_SMITH[1], 20.0))
        return {"earliest start first": conserved(by_floor(kinds, 1, 2000 * effort, seed)[0])}

    return found + simulated("Q7", "real placement and desk", {"earliest start first": CONSERVED}, really)


def stale_views(effort: int) -> list[Finding]:
    """Q8: with fresh views the least loaded of all is best; as they age it loses to the better of two at random."""

    def run(seed: int) -> Figures:
        def time(looks: int, stale: float) -> float:
            crowded = crowd.Crowd(50, 0.9, 3_000 * effort, seed, looks, stale)
            return float(np.mean(after_warm_up(crowded.times_in_system())))

        return {
            "two less least loaded, fresh views": time(2, 0.0) - time(crowd.ALL, 0.0),
            "least loaded less two, views of 10 service times": time(crowd.ALL, 10.0) - time(2, 10.0),
        }

    return [
        Finding("Q8", f"{name}: {interval.mean:.2f} ± {interval.half:.2f}", "event engine", "above 0", verdict)
        for name, interval in replicated(run).items()
        for verdict in ["above 0" if interval.low > 0 else "not above 0"]
    ]


def offers(effort: int) -> list[Finding]:
    """The Azure Job Router's worked example: by load ratio, then the longest idle."""
    workers = (
        DeskState("A", 3, 5, idle_seconds=300),
        DeskState("B", 3, 4, idle_seconds=0),
        DeskState("C", 3, 5, idle_seconds=420),
        DeskState("D", 0, 3, idle_seconds=0),
    )
    order = ", ".join(worker.name for worker in offer_order(workers))
    return [Finding("Azure", "order of offers", "computed", "D, C, A, B", order)]


ORACLES: Final[Mapping[str, Callable[[int], list[Finding]]]] = {
    "Q1": planner,
    "Q2": patient,
    "Q3": impatient,
    "Q4": priorities,
    "Q5": costs,
    "Q6": two_choices,
    "Q7": conservation,
    "Q8": stale_views,
    "Azure": offers,
}

SYSTEMS: Final[Mapping[str, tuple[str, str]]] = {
    "Q1": ("Erlang C planner: 100 calls in 30 min, 3 min each, answered in 20 s", "pyworkforce README"),
    "Q2": ("M/M/50, 48 a minute, service 1 min", "most-queue 2.9; Erlang A tutorials"),
    "Q3": ("the same, patience 2 min in the mean", "most-queue 2.9"),
    "Q4": ("M/M/1, two classes, not interrupted, rates 0.4 and 0.4, service 1", "Cobham 1954; most-queue"),
    "Q5": ("two classes, rates 0.3 and 0.3, service 0.5 and 2, cost of waiting 1 and 3", "Cox & Smith 1961"),
    "Q6": ("the shorter of two queues drawn, very many servers", "Mitzenmacher 2001"),
    "Q7": ("Σ ρᵢ E[Wᵢ] = ρ W₀ / (1 − ρ) in any order blind to size", "Kleinrock's conservation law"),
    "Q8": ("least loaded of all against the better of two, views fresh and stale", "Mitzenmacher 2000"),
    "Azure": ("load ratios A 3/5 (idle 5 min), B 3/4, C 3/5 (idle 7 min), D 0/3", "Azure Job Router documentation"),
}
