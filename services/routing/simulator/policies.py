"""The known policies that ours is held against: how a team is chosen, and what a team's people do next.

All obey the same hard rules, know of other teams' queues as late as ours does, and meet the same day.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from services.routing import eligibility
from services.routing.boards import STANDING_BOARD
from services.routing.eligibility import Rulebook
from services.routing.placement.choice import seed_of
from services.routing.simulator.floor import Floor, Start, Starts
from shared.contracts.work import WorkOrder

SCAN_MAX: Final = 64  # items of one line looked at for somebody who may not do the first

Line = tuple[str, bool]  # work type, urgent


@dataclass(frozen=True, slots=True)
class DeskState:
    """How full somebody is. Units: items in hand or waiting, items that they can take at once."""

    name: str
    items: float
    capacity: float
    idle_seconds: float = 0.0


def offer_order(states: Sequence[DeskState]) -> list[DeskState]:
    """Join the shortest queue: by load ratio. Ties: the longest idle, then by name."""
    return sorted(states, key=lambda state: (state.items / state.capacity, -state.idle_seconds, state.name))


@dataclass
class KnownTeam:
    """One team under a known policy: its lines, each first come first served, and who is free."""

    team_id: str
    lines: dict[Line, deque[WorkOrder]] = field(default_factory=dict)
    free: dict[str, float] = field(default_factory=dict)  # operator → since, in order
    present: dict[str, None] = field(default_factory=dict)
    items: int = 0  # waiting and in hand
    seconds: float = 0.0  # standard time waiting


@dataclass(frozen=True, slots=True)
class View:
    """What is known of a team when an item is placed."""

    team_id: str
    able: int
    items: int
    seconds: float


ChooseTeam = Callable[[WorkOrder, Sequence[View], int], str]
Index = Callable[[WorkOrder, float], float]
"""Of the first item of a line at an instant (seconds since 1970): the largest is done next."""


def random_team(order: WorkOrder, views: Sequence[View], turn: int) -> str:
    """Any team, evenly."""
    return views[seed_of(order.work_item_id, 1) % len(views)].team_id


def round_robin(order: WorkOrder, views: Sequence[View], turn: int) -> str:
    """The teams in turn."""
    return views[turn % len(views)].team_id


def shortest_queue(order: WorkOrder, views: Sequence[View], turn: int) -> str:
    """The least items, waiting and in hand, for each person who may do it."""
    return offer_order([DeskState(view.team_id, view.items, view.able) for view in views])[0].name


def least_wait(order: WorkOrder, views: Sequence[View], turn: int) -> str:
    """The least standard time waiting for each person who may do it. Ties: the least items, then by name."""
    return min(views, key=lambda view: (view.seconds / view.able, view.items / view.able, view.team_id)).team_id


def oldest(order: WorkOrder, now: float) -> float:
    """First come, first served."""
    return -order.requested_at.timestamp()


def strict_priority(order: WorkOrder, now: float) -> float:
    """Urgent before the others, then the shorter service level, then the older: classes of 5 minutes' width."""
    level = (order.due_at - order.requested_at).total_seconds() // 300
    return (1e9 if order.urgent else 0.0) - level * 1e6 - (order.requested_at.timestamp() % 1e6)


def generalised_c_mu(order: WorkOrder, now: float) -> float:
    """Slope of a quadratic delay cost at the item's age, over its standard time; urgent items cost three times as much.

    Source:  van Mieghem 1995.
    """
    requested = order.requested_at.timestamp()
    level = max(order.due_at.timestamp() - requested, 1.0)
    return (3.0 if order.urgent else 1.0) * (now - requested + 1e-3) / level**2 / order.standard_seconds


@dataclass(frozen=True, slots=True)
class Policy:
    """A named pair of rules."""

    name: str
    team: ChooseTeam
    index: Index


POLICIES: Final[Mapping[str, Policy]] = {
    policy.name: policy
    for policy in (
        Policy("FIFO, random team", random_team, oldest),
        Policy("round robin", round_robin, oldest),
        Policy("join the shortest queue", shortest_queue, oldest),
        Policy("least expected wait", least_wait, oldest),
        Policy("strict priority", shortest_queue, strict_priority),
        Policy("generalised cµ alone", shortest_queue, generalised_c_mu),
    )
}


class KnownDealing:
    """A known policy on the floor."""

    def __init__(self, policy: Policy) -> None:
        self._policy: Final = policy
        self._teams: Final[dict[str, KnownTeam]] = {}
        self._homeless: Final[list[WorkOrder]] = []
        self._at: Final[dict[str, str]] = {}
        self._turns: Final[dict[tuple[str, ...], int]] = {}
        self._counts: dict[str, tuple[int, float]] = {}
        self._viewed = float("-inf")

    def opens(self, floor: Floor) -> None:
        """Nobody is there yet."""
        self._floor = floor
        self._book = Rulebook(floor.reference, STANDING_BOARD.empty())
        self._team_of = {one.id: one.team_id for one in floor.reference.operators.values()}
        self._teams.update({team_id: KnownTeam(team_id) for team_id in sorted(floor.reference.teams)})

    # ------------------------------------------------------------ what happens

    def arrives(self, order: WorkOrder, waits_at: str | None = None) -> Starts:
        """Choose a team; whoever is free longest there and may do it begins."""
        if waits_at is not None:
            return self._take_in(self._teams[waits_at], order)
        self._look()
        views = [view for team in self._teams.values() for view in self._view(team, order)]
        if not views:
            self._homeless.append(order)
            return ()
        around = (order.work_type, *(view.team_id for view in views))
        turn = self._turns[around] = self._turns.get(around, -1) + 1
        return self._take_in(self._teams[self._policy.team(order, views, turn)], order)

    def _take_in(self, team: KnownTeam, order: WorkOrder) -> Starts:
        self._at[order.work_item_id] = team.team_id
        team.items += 1
        for operator_id in team.free:
            if self._may(order, operator_id):
                del team.free[operator_id]
                return (Start(order.work_item_id, operator_id),)
        team.lines.setdefault((order.work_type, order.urgent), deque()).append(order)
        team.seconds += order.standard_seconds
        return ()

    def withdrawn(self, order: WorkOrder) -> Starts:
        """Take the item out of its line."""
        if order in self._homeless:
            self._homeless.remove(order)
            return ()
        team = self._teams[self._at.pop(order.work_item_id)]
        team.lines[order.work_type, order.urgent].remove(order)
        team.items -= 1
        team.seconds -= order.standard_seconds
        return ()

    def comes(self, operator_id: str) -> Starts:
        """Deal to whoever came; what nobody was there for is placed again."""
        team = self._teams[self._team_of[operator_id]]
        team.present[operator_id] = None
        starts = [*self._deal(team, operator_id)]
        homeless, self._homeless[:] = list(self._homeless), []
        for order in homeless:
            starts += self.arrives(order)
        return starts

    def goes(self, operator_id: str) -> Starts:
        """What nobody of the team who is still there may do is placed again."""
        team = self._teams[self._team_of[operator_id]]
        team.present.pop(operator_id, None)
        team.free.pop(operator_id, None)
        starts: list[Start] = []
        for line in list(team.lines.values()):
            for order in [one for one in line if not any(self._may(one, other) for other in team.present)]:
                self.withdrawn(order)
                starts += self.arrives(order)
        return starts

    def ends(self, work_item_id: str, operator_id: str, leaves: bool) -> Starts:
        """The next item for whoever stays."""
        team = self._teams[self._at.pop(work_item_id)]
        team.items -= 1
        return self.goes(operator_id) if leaves else self._deal(team, operator_id)

    # ------------------------------------------------------------------- parts

    def _deal(self, team: KnownTeam, operator_id: str) -> Starts:
        now = self._floor.now.timestamp()
        firsts = list(self._firsts(team, operator_id))
        if not firsts:
            team.free[operator_id] = self._floor.agenda.now
            return ()
        order = max(firsts, key=lambda one: (self._policy.index(one, now), -one.requested_at.timestamp()))
        line = team.lines[order.work_type, order.urgent]
        line.remove(order)
        team.seconds -= order.standard_seconds
        return (Start(order.work_item_id, operator_id),)

    def _firsts(self, team: KnownTeam, operator_id: str) -> Iterator[WorkOrder]:
        for (work_type, _), line in team.lines.items():
            if line and work_type in self._book.reference.operators[operator_id].work_types:
                looked = (line[n] for n in range(min(len(line), SCAN_MAX)))
                first = next((one for one in looked if self._may(one, operator_id)), None)
                if first is not None:
                    yield first

    def _may(self, order: WorkOrder, operator_id: str) -> bool:
        did = self._floor.items[order.work_item_id].case.did.get(operator_id)
        return (did is None or did == order.role) and (
            eligibility.hindrance(order, operator_id, self._team_of[operator_id], self._book) is None
        )

    def _look(self) -> None:
        if self._floor.agenda.now >= self._viewed + self._book.reference.limits.load_seconds:
            self._viewed = self._floor.agenda.now
            self._counts = {team.team_id: (team.items, team.seconds) for team in self._teams.values()}

    def _view(self, team: KnownTeam, order: WorkOrder) -> Iterator[View]:
        able = sum(1 for operator_id in team.present if self._may(order, operator_id))
        if able:
            yield View(team.team_id, able, *self._counts[team.team_id])
