"""How a desk lies in the store: one row per item, operator, remembered answer, touched case and learned pace, so that it
changes row by row. The shape of each row's JSON stands in this folder's README; the workbench reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson
from pydantic import TypeAdapter

from services.routing.desk.learning import Pace
from services.routing.desk.state import (
    Answer,
    DeskItem,
    DeskOperator,
    Gone,
    Heed,
    ItemPhase,
    Pulse,
    Row,
    Tally,
    TeamDesk,
    Touch,
)
from shared.contracts.telling import WrittenOnce
from shared.runtime.errors import InvariantError

ITEM: Final = TypeAdapter(DeskItem)
OPERATOR: Final = TypeAdapter(DeskOperator)
ANSWER: Final = TypeAdapter(Answer)
TOUCH: Final = TypeAdapter(Touch)
GONE: Final = TypeAdapter(Gone)
PULSE: Final = TypeAdapter(Pulse)
PACE: Final = TypeAdapter(Pace)
HEED: Final = TypeAdapter(Heed)
TALLY: Final = TypeAdapter(Tally)


def _item_json(item: DeskItem) -> bytes:
    """As any row, byte for byte; the order is written out once for the row and for the fact that tells it."""
    if item.phase is not ItemPhase.QUEUED:
        return b'{"order":%b,%b' % (item.order.to_json(), _beside(item))
    waits = item.placing, item.attempt, item.since, item.declined_by, item.draft
    return b'{"order":%b,%b' % (item.order.to_json(), _WAITING.of(waits, lambda: _beside(item)))


def _beside(item: DeskItem) -> bytes:
    return ITEM.serializer.to_json(item, exclude={"order"})[1:]


def _gone_json(gone: Gone) -> bytes:
    """As any row, byte for byte; what all items that left at once say alike is written out once."""
    return b'{"work_item_id":%b,%b' % (
        orjson.dumps(gone.work_item_id),
        _LEFT.of((gone.at, gone.placing), lambda: _left(gone)),
    )


def _left(gone: Gone) -> bytes:
    return GONE.serializer.to_json(gone, exclude={"work_item_id"})[1:]


_LEFT: Final = WrittenOnce[bytes](64)
_WAITING: Final = WrittenOnce[bytes](256)


WRITTEN_BY: Final[Mapping[type[Row], Callable[[Any], bytes]]] = {
    DeskItem: _item_json,
    DeskOperator: OPERATOR.serializer.to_json,
    Answer: ANSWER.serializer.to_json,
    Touch: TOUCH.serializer.to_json,
    Gone: _gone_json,
    Pulse: PULSE.serializer.to_json,
    Pace: PACE.serializer.to_json,
    Heed: HEED.serializer.to_json,
    Tally: TALLY.serializer.to_json,
}


class DeskTable:
    """The rows of all desks."""

    name = "desk"

    def read(self, key: str, rows: Mapping[str, bytes]) -> TeamDesk:
        """Build the desk from its rows.

        Errors:  `InvariantError` when a part has a name that no desk writes.
        """
        desk = TeamDesk(key)
        answers: list[Answer] = []
        for part, body in rows.items():
            noun = part.partition("/")[0]
            if noun == "item":
                desk.put_item(ITEM.validate_json(body))
            elif noun == "operator":
                desk.put_operator(OPERATOR.validate_json(body))
            elif noun == "command":
                answers.append(ANSWER.validate_json(body))
            elif noun == "touched":
                desk.put_touch(TOUCH.validate_json(body))
            elif noun == "gone":
                desk.put_gone(GONE.validate_json(body))
            elif noun == "pace":
                desk.put_pace(PACE.validate_json(body))
            elif noun == "desk":
                desk.put_pulse(PULSE.validate_json(body))
            elif noun == "heed":
                desk.put_heed(HEED.validate_json(body))
            elif noun == "tally":
                desk.put_tally(TALLY.validate_json(body))
            else:
                raise InvariantError(f"Expected a part of a desk, found {part!r} at desk {key}")
        for answer in sorted(answers, key=lambda a: a.number):
            desk.put_answer(answer)
        desk.dirty.clear()
        return desk

    def write(self, state: TeamDesk) -> Mapping[str, bytes | None]:
        """The rows that changed since the last call; `None` for one that is gone."""
        changed = {part: None if row is None else WRITTEN_BY[type(row)](row) for part, row in state.dirty.items()}
        state.dirty.clear()
        return changed
