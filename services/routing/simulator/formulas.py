"""Queueing theory in closed form: first guesses for staffing, and answers that the simulator must reproduce.

Units:   rates and times in one unit of the caller's; `load` is arrival rate times mean service time (erlangs).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp


def erlang_b(servers: int, load: float) -> float:
    """The share of arrivals that find all servers busy when nobody may wait."""
    blocked = 1.0
    for n in range(1, servers + 1):
        blocked = load * blocked / (n + load * blocked)
    return blocked


def erlang_c(servers: int, load: float) -> float:
    """The share of arrivals that must wait; 1 when the servers cannot carry the load."""
    if load >= servers:
        return 1.0
    blocked = erlang_b(servers, load)
    return servers * blocked / (servers - load * (1 - blocked))


def service_level(servers: int, load: float, service: float, target: float) -> float:
    """The share of arrivals that wait at most `target`."""
    if load >= servers:
        return 0.0
    return 1.0 - erlang_c(servers, load) * exp(-(servers - load) * target / service)


def mean_wait(servers: int, load: float, service: float) -> float:
    """The mean wait of all arrivals."""
    return float("inf") if load >= servers else erlang_c(servers, load) * service / (servers - load)


def servers_for(load: float, service: float, target: float, level: float) -> int:
    """The fewest servers with which at least `level` of the arrivals wait at most `target`."""
    servers = int(load) + 1
    while service_level(servers, load, service, target) < level:
        servers += 1
    return servers


@dataclass(frozen=True, slots=True)
class Impatient:
    """Erlang A: the share that gives up, the share that waits, the mean wait of all."""

    abandoned: float
    waiting: float
    wait: float


def erlang_a(servers: int, arrivals: float, service: float, patience: float) -> Impatient:
    """M/M/n with exponential patience, by its birth and death equations."""
    weights = [1.0]
    states = 0
    while states < servers or weights[-1] > 1e-14 * max(weights):
        states += 1
        leaving = min(states, servers) / service + max(states - servers, 0) / patience
        weights.append(weights[-1] * arrivals / leaving)
    total = sum(weights)
    queue = sum(weight * (n - servers) for n, weight in enumerate(weights) if n > servers) / total
    return Impatient(queue / patience / arrivals, sum(weights[servers:]) / total, queue / arrivals)


def priority_waits(rates: Sequence[float], services: Sequence[float]) -> list[float]:
    """Mean waits at one server, classes in order of priority, nobody interrupted, exponential service.

    Source:  Cobham 1954.
    """
    residual = sum(rate * service**2 for rate, service in zip(rates, services, strict=True))
    waits, before = [], 0.0
    for rate, service in zip(rates, services, strict=True):
        after = before + rate * service
        waits.append(residual / ((1 - before) * (1 - after)))
        before = after
    return waits


def two_choices_time(load: float, choices: int = 2) -> float:
    """Mean time in system, in service times, when arrivals join the shorter of `choices` of very many queues.

    Source:  Mitzenmacher 2001.
    """
    total, level = 0.0, 1
    while (term := load ** ((choices**level - choices) / (choices - 1))) > 1e-12:
        total += term
        level += 1
    return total
