"""The boards that routing reads: what the bank allows, how full the desks are, and the plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from services.routing.kinds import Kind
from shared.contracts.message import Message
from shared.contracts.routing import ARRIVALS, LOAD, PLAN, ArrivalsLearned, BoardsAsOf, LoadSnapshot, PlanMade
from shared.runtime.processor import BoardSpec, Situation
from shared.standing import STANDING_BOARD

LoadView = dict[str, LoadSnapshot]  # by team; always a little stale


@lru_cache(maxsize=1024)
def somebody_for(work_type: str) -> str:
    """What the load board tells when somebody more has come to a desk who holds the work type.

    Holds:   no comma, which parts such names where alarms lie as rows.
    """
    return f"somebody for {work_type.replace(',', ';')}"


def fold_load(view: LoadView, key: str, message: Message | None) -> Iterable[str]:
    """Take one record of the load topic into the view; an older version of a desk's load changes nothing.

    Returns: for what somebody has come since, as `somebody_for` names it.
    """
    if message is None:
        view.pop(key, None)
        return ()
    if not isinstance(message, LoadSnapshot):
        return ()
    known = view.get(message.team_id)
    if known is not None and known.version >= message.version:
        return ()
    view[message.team_id] = message
    if known is not None and known.present == message.present and known.capacity == message.capacity:
        return ()
    before = {} if known is None else {part.work_type: part.present for part in known.capacity}
    return [somebody_for(one.work_type) for one in message.capacity if one.present > before.get(one.work_type, 0)]


def _no_load() -> LoadView:
    return {}


LOAD_BOARD: Final = BoardSpec("load", LOAD, _no_load, fold_load)


@dataclass(slots=True)
class PlanView:
    """The plan made last, whoever made it; only `fold_plan` moves it."""

    plan: PlanMade | None = None
    shares: dict[Kind, Mapping[str, float]] = field(default_factory=dict)

    def shares_for(self, kind: Kind, now: datetime) -> Mapping[str, float] | None:
        """The teams' shares of a kind of work; `None` without a plan that is still good, or that knows the kind."""
        return self.in_force(now).shares.get(kind)

    def in_force(self, now: datetime) -> PlanView:
        """The plan while it is good, none afterwards."""
        return PlanView() if self.plan is None or now > self.plan.good_until else self


def fold_plan(view: PlanView, key: str, message: Message | None) -> None:
    """Take one record of the plan topic; a plan made before the one at hand changes nothing, so that two balancers
    do no harm."""
    if message is None:
        view.plan, view.shares = None, {}
    elif isinstance(message, PlanMade) and (view.plan is None or view.plan.made_at < message.made_at):
        view.plan = message
        view.shares = {
            Kind.told(part): {one.team_id: one.share for one in part.shares} for part in message.work if part.shares
        }


PLAN_BOARD: Final = BoardSpec("plan", PLAN, PlanView, fold_plan)

LearnedView = dict[str, ArrivalsLearned]  # by record key


def fold_learned(view: LearnedView, key: str, message: Message | None) -> None:
    """Take one record of the learned arrivals; what was learned earlier than what is at hand changes nothing."""
    if message is None:
        view.pop(key, None)
    elif isinstance(message, ArrivalsLearned):
        known = view.get(key)
        if known is None or known.at < message.at:
            view[key] = message


def _nothing_learned() -> LearnedView:
    return {}


ARRIVALS_BOARD: Final = BoardSpec("arrivals", ARRIVALS, _nothing_learned, fold_learned)

__all__ = [
    "ARRIVALS_BOARD",
    "LOAD_BOARD",
    "PLAN_BOARD",
    "STANDING_BOARD",
    "LearnedView",
    "LoadView",
    "PlanView",
    "fold_learned",
    "fold_load",
    "fold_plan",
    "read_to",
]


def as_of(situation: Situation) -> BoardsAsOf | None:
    """How far what the bank allows had been read, for the fact of a decision; `None` where nobody says."""
    told = situation.as_of
    return _as_of(told.get("reference"), told.get("standing"), told.get("reroutes")) if told else None


@lru_cache(maxsize=64)  # the same for thousands of decisions
def _as_of(reference: int | None, standing: int | None, reroutes: int | None) -> BoardsAsOf:
    return BoardsAsOf(reference=read_to(reference), standing=read_to(standing), reroutes=read_to(reroutes))


def read_to(stamp_ms: int | None) -> datetime | None:
    """The latest stamp of the records that a board took, as facts tell it; `None` of an empty board."""
    return None if stamp_ms is None else datetime.fromtimestamp(stamp_ms / 1000, UTC)
