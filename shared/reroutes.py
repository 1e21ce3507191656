"""The reroutes in force, as every service sees them, and which of them applies to what. Pure: the clock is an argument.

One order applies to each point (a team and a work item). Precedence, first difference decides: a real order before a
drill; then by effect (`STRENGTH`); then the larger share by their terms, also while one comes back; then the one that
started later; then the id.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Final

from shared.contracts.message import Message
from shared.contracts.reference import Branch, Team
from shared.contracts.reroute import REROUTE, Effect, RerouteOrder, RerouteScope
from shared.contracts.work import WorkOrder
from shared.runtime.processor import BoardSpec

STRENGTH: Final[Mapping[Effect, int]] = {"recall": 4, "evacuate": 3, "drain": 2, "shift": 1, "local": 0}
"""The stronger effect wins: it asks for everything that the weaker ones ask for, and more."""
IN_FORCE: Final = frozenset({"active", "returning"})
MOVES_QUEUE: Final = frozenset({"evacuate", "recall"})


Point = tuple[str, str]
"""A centre or a provider: (`centre` or `provider`, its id). What drills prove that the floor can do without."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What drills have shown of one point: the last that is over, and when one was passed last."""

    last: RerouteOrder
    passed_at: datetime | None = None


@dataclass(slots=True)
class RerouteView:
    """The orders that may be in force; only `fold_reroute` moves it.

    Holds:   whether one of `acting` is in force, the clock tells; `reviews` are the broken glasses that nobody has
             answered for yet; `proofs` are by point, of those that were ever drilled.
    """

    acting: dict[str, RerouteOrder] = field(default_factory=dict)
    reviews: dict[str, RerouteOrder] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    proofs: dict[Point, Proof] = field(default_factory=dict)


def fold_reroute(view: RerouteView, key: str, message: Message | None) -> None:
    """Take one record of the reroute topic; an older version of an order changes nothing."""
    if isinstance(message, RerouteOrder):
        if message.version <= view.versions.get(key, 0):
            return
        view.versions[key] = message.version
    view.acting.pop(key, None)
    view.reviews.pop(key, None)
    if isinstance(message, RerouteOrder) and message.phase in IN_FORCE:
        view.acting[key] = message
    if isinstance(message, RerouteOrder) and message.review == "open":
        view.reviews[key] = message
    if isinstance(message, RerouteOrder) and message.drill_outcome is not None:
        for point in points_of(message.terms.scope):
            view.proofs[point] = _proof_after(view.proofs.get(point), message)


def points_of(scope: RerouteScope) -> tuple[Point, ...]:
    """The points that a drill of this scope speaks of: whole centres, or whole providers; of anything narrower none."""
    bare = RerouteScope(centres=scope.centres, providers=scope.providers)
    if bare != scope or (scope.centres and scope.providers):
        return ()
    return tuple(("centre", name) for name in scope.centres) + tuple(("provider", name) for name in scope.providers)


def _proof_after(known: Proof | None, drill: RerouteOrder) -> Proof:
    """Holds: the order in which drills are heard of does not matter."""
    passed = drill.over_at if drill.drill_outcome is not None and drill.drill_outcome.outcome == "passed" else None
    if known is None:
        return Proof(drill, passed)
    last = max(known.last, drill, key=lambda order: (order.over_at or order.proposed_at, order.reroute_id))
    return Proof(last, max((at for at in (known.passed_at, passed) if at is not None), default=None))


def unproved_because(proof: Proof | None, days_max: float, now: datetime) -> str | None:
    """Why nothing proves that the floor can do without a point, in words; `None` when a recent drill does.

    Units:   `days_max` is how long a passed drill is a proof.
    """
    if proof is None:
        return "no drill was ever held"
    if proof.passed_at is None:
        return "no drill was ever passed"
    days = (now - proof.passed_at) / timedelta(days=1)
    return None if days <= days_max else f"the last drill was passed {days:.0f} days ago"


REROUTE_BOARD: Final = BoardSpec("reroutes", REROUTE, RerouteView, fold_reroute)


# ------------------------------------------------------------------------ time


def held_percent(order: RerouteOrder, now: datetime) -> int:
    """How much of its effect the order has now, by its own instants alone: 100 in force, then down the ramp, then 0."""
    if order.phase not in IN_FORCE or order.ends_at is None:
        return 0
    late = (now - order.ends_at).total_seconds()
    if late < 0:
        return 100
    step = int(late // order.return_step_seconds)
    return order.return_held[step] if step < len(order.return_held) else 0


def over_at(order: RerouteOrder) -> datetime | None:
    """When the last of its effect is gone, whoever lives then."""
    return None if order.ends_at is None else order.ends_at + ramp_of(order)


def ramp_of(order: RerouteOrder) -> timedelta:
    """How long the steps of its return take in all."""
    return len(order.return_held) * timedelta(seconds=order.return_step_seconds)


def share_now(order: RerouteOrder, now: datetime) -> float:
    """The share (0 to 1) of the items in scope that the order holds now."""
    return order.terms.percent * held_percent(order, now) / 10_000


def share_at(order: RerouteOrder, at: datetime) -> float:
    """The share that it will hold at an instant to come, as far as anybody knows now: what is approved begins as it says."""
    starts_at = order.terms.starts_at
    if order.phase != "approved" or starts_at is None:
        return share_now(order, at)
    begun = starts_at <= at < starts_at + timedelta(minutes=order.terms.minutes)
    return order.terms.percent / 100 if begun else 0.0


# ----------------------------------------------------------------------- space


def covers_team(scope: RerouteScope, team: Team) -> bool:
    """The team lies where the scope says."""
    return (
        (not scope.centres or team.centre_id in scope.centres)
        and (not scope.teams or team.id in scope.teams)
        and (not scope.providers or team.provider_id in scope.providers)
    )


def over_team(view: RerouteView, team: Team) -> list[RerouteOrder]:
    """The orders that may be in force and lie over the team, whatever they say of the work: over most teams none does."""
    return [order for order in view.acting.values() if covers_team(order.terms.scope, team)]


def covers_work_type(scope: RerouteScope, work_type: str) -> bool:
    """The scope may touch work of this type, as far as the type tells."""
    return (not scope.work_types or work_type in scope.work_types) and (
        not scope.business_types or work_type.rpartition("/")[0] in scope.business_types
    )


def covers_work(scope: RerouteScope, work: WorkOrder, branches: Mapping[str, Branch]) -> bool:
    """The work is of what the scope says. A branch without a region lies in no region."""
    if not covers_work_type(scope, work.work_type):
        return False
    if scope.data_classes and work.data_class not in scope.data_classes:
        return False
    return not scope.regions or region_of(work.branch_id, branches) in scope.regions


def region_of(branch_id: str, branches: Mapping[str, Branch]) -> str | None:
    """The branch's region, if it has one."""
    branch = branches.get(branch_id)
    return None if branch is None else branch.region


def chosen(item_id: str, share: float) -> bool:
    """Whether the item is among the share: follows from its id alone, so every process says the same.

    Holds:   who is chosen at a smaller share is chosen at every larger one, so a ramp only ever lets go, and of several
             orders over one place all together hold just what the largest holds.
    """
    if share >= 1.0:
        return True
    digest = blake2b(item_id.encode(), digest_size=8).digest()
    return int.from_bytes(digest) < share * 2**64


# ------------------------------------------------------------------ precedence


@dataclass(frozen=True, slots=True)
class Precedence:
    """Which order applies at a point, and why not the others: (reroute id, sentence)."""

    applied: RerouteOrder | None
    passed_over: tuple[tuple[str, str], ...] = ()


NOTHING: Final = Precedence(None)


def rank(order: RerouteOrder) -> tuple[bool, int, int, float, str]:
    """What orders are compared by; the greatest applies."""
    started = 0.0 if order.started_at is None else order.started_at.timestamp()
    return (not order.terms.drill, STRENGTH[order.terms.effect], order.terms.percent, started, order.reroute_id)


def resolve(orders: Iterable[RerouteOrder]) -> Precedence:
    """The one order that applies of those that touch a point."""
    there = list(orders)
    if len(there) < 2:  # nearly always, and asked for every item at every team
        return Precedence(there[0]) if there else NOTHING
    ordered = sorted(there, key=rank, reverse=True)
    first = ordered[0]
    return Precedence(first, tuple((other.reroute_id, _why(first, other)) for other in ordered[1:]))


def _why(first: RerouteOrder, other: RerouteOrder) -> str:
    where = "" if first.terms.scope == other.terms.scope else " where both lie"
    return f"{first.reroute_id} applies{where}: {_difference(first, other)}"


def _difference(first: RerouteOrder, other: RerouteOrder) -> str:
    ours, theirs = rank(first), rank(other)
    if ours[0] != theirs[0]:
        return f"it is real, {other.reroute_id} a drill"
    if ours[1] != theirs[1]:
        return f"{first.terms.effect} goes before {other.terms.effect} of {other.reroute_id}"
    if ours[2] != theirs[2]:
        return f"it takes {first.terms.percent} %, {other.reroute_id} {other.terms.percent} %"
    if ours[3] != theirs[3]:
        return f"it started later than {other.reroute_id}"
    return f"it differs from {other.reroute_id} by its id alone"


def at_point(
    view: RerouteView, team: Team, work: WorkOrder, branches: Mapping[str, Branch], now: datetime
) -> Precedence:
    """What applies to this work at this team now."""
    return resolve([order for order in over_team(view, team) if touches(order, team, work, branches, now)])


def touches(order: RerouteOrder, team: Team, work: WorkOrder, branches: Mapping[str, Branch], now: datetime) -> bool:
    """The order holds this work away from this team now."""
    return reaches(order, team, work, branches) and chosen(work.work_item_id, share_now(order, now))


def reaches(order: RerouteOrder, team: Team, work: WorkOrder, branches: Mapping[str, Branch]) -> bool:
    """The order may hold such work away from this team, whichever items it has chosen."""
    return (
        order.terms.effect != "local"
        and covers_team(order.terms.scope, team)
        and covers_work(order.terms.scope, work, branches)
    )


def sent_back(
    view: RerouteView, submission_id: str, business_type: str, branch: Branch, now: datetime
) -> RerouteOrder | None:
    """The local order by which the branch must do this new submission itself; `None` when the floor takes it."""
    locals_in_force = (
        order
        for order in view.acting.values()
        if order.terms.effect == "local"
        and (not order.terms.scope.business_types or business_type in order.terms.scope.business_types)
        and (not order.terms.scope.regions or branch.region in order.terms.scope.regions)
        and chosen(submission_id, share_now(order, now))
    )
    return resolve(locals_in_force).applied
