"""The balancers of a simulated run: two of them, at times behind, at times started anew; and every decision made again."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from datetime import datetime
from operator import itemgetter
from typing import Final

from services.routing.again import Known
from services.routing.balancer.app import ASKED_ON, BOARDS
from services.routing.balancer.balance import Balance
from services.routing.boards import read_to
from services.routing.why import tell
from shared.contracts.message import Message
from shared.contracts.routing import ASSIGNMENT, PLACED, WorkAssigned, WorkPlaced
from shared.proof.cases import Finding
from shared.reference.board import REFERENCE_BOARD
from shared.runtime.boards import Boards
from shared.runtime.headers import body_of
from shared.runtime.log import Record

Records = dict[tuple[str, int], list[Record]]
ASKED: Final = {topic.name for topic in ASKED_ON}
KILLED_SHARE: Final = 0.2  # of the turns: the balancer dies, and the next one begins with what the boards say
BEHIND_SHARE: Final = 0.3  # of the turns: it plans on what it had read at its last turn


class Balancer:
    """One balancer process over the run's log."""

    def __init__(self, records: Records, name: str, now: datetime) -> None:
        self._records: Final = records
        self._boards: Final = Boards(BOARDS)
        self._read: Final[dict[tuple[str, int], int]] = {}
        self.balance: Final = Balance(self._boards.views, name, now)
        self._read_on(set(self._boards.topics()), self._boards.feed)
        self.balance.resume(now)
        ends = {place: len(rows) for place, rows in records.items() if place[0] in ASKED}
        self._read.update(self.balance.begin(ends))

    def read(self) -> None:
        """Read on, boards and arrivals."""
        self._read_on(set(self._boards.topics()), self._boards.feed)
        self._read_on(ASKED, self.balance.hear)

    def _read_on(self, topics: AbstractSet[str], take: Callable[[Record], object]) -> None:
        for place, rows in sorted(self._records.items()):
            if place[0] in topics:
                for record in rows[self._read.get(place, 0) :]:
                    take(record)
                self._read[place] = len(rows)


class PlanningRoom:
    """Who makes plans, drawn from the run's seed."""

    def __init__(
        self,
        records: Records,
        draw: random.Random,
        publish: Callable[[Message, str], None],
        now: Callable[[], datetime],
    ) -> None:
        self._records: Final = records
        self._draw: Final = draw
        self._publish: Final = publish
        self._now: Final = now
        self._balancers: Final[list[Balancer | None]] = [None, None]
        self._turns = 0

    def plan(self) -> None:
        """One of the two makes a plan, knowing all, or what it knew before, or as a new process."""
        self._turns += 1
        number, luck = self._draw.randrange(2), self._draw.random()
        balancer = self._balancers[number]
        if balancer is None or luck < KILLED_SHARE:
            balancer = self._balancers[number] = Balancer(self._records, f"balancer-{self._turns}", self._now())
        elif luck > KILLED_SHARE + BEHIND_SHARE:
            balancer.read()
        made = balancer.balance.plan(self._now(), 2.0)
        for message in (*balancer.balance.learned(self._now()), *([made] if made is not None else [])):
            self._publish(message, f"plan/{self._turns}/{message.key}")


def decided_otherwise(records: Records) -> Iterator[Finding]:
    """Decisions on the log that do not come out the same when they are made again: from their facts, the items' orders, and
    the reference data where it is still that of the decision."""
    known = _reference(records)
    for work_item_id, facts in _stories(records).items():
        for told in tell(facts, known):
            if told.again is not None and not told.again.same:
                found = f"{work_item_id}: {told.what}: made again, {told.again.found}"
                yield Finding("decisions explain themselves", found)


def _reference(records: Records) -> Known:
    boards, name = Boards((REFERENCE_BOARD,)), REFERENCE_BOARD.name
    for (topic, _), rows in sorted(records.items()):
        if topic == REFERENCE_BOARD.topic.name:
            for record in rows:
                boards.feed(record)
    return Known(boards.views[name], read_to(boards.changed_ms.get(name)))


def _stories(records: Records) -> dict[str, list[Message]]:
    """What was placed and assigned of each item, in the order of the instants of the facts."""
    stories: dict[str, list[tuple[datetime, Message]]] = {}
    for (topic, _), rows in sorted(records.items(), reverse=True):
        if topic in {PLACED.name, ASSIGNMENT.name}:
            for record in rows:
                kind = dict(record.headers).get("ce_type", b"").decode()
                if kind == WorkPlaced.kind_name() and isinstance(placed := body_of(record, kind), WorkPlaced):
                    stories.setdefault(placed.order.work_item_id, []).append((placed.placed_at, placed))
                elif kind == WorkAssigned.kind_name() and isinstance(assigned := body_of(record, kind), WorkAssigned):
                    stories.setdefault(assigned.work_item_id, []).append((assigned.at, assigned))
    return {item: [fact for _, fact in sorted(story, key=itemgetter(0))] for item, story in stories.items()}
