"""How the book lies in the store: one row per order, per what it sent back, per remembered answer; one for what drills go by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from pydantic import TypeAdapter

from services.routing.emergency.state import Almanac, Answer, OrderBook, Row, SentBack
from shared.contracts.reroute import RerouteOrder
from shared.runtime.errors import InvariantError

ANSWER: Final = TypeAdapter(Answer)
ALMANAC: Final = TypeAdapter(Almanac)
SENT_BACK: Final = TypeAdapter(SentBack)


class BookTable:
    """The rows of the book of reroutes."""

    name = "emergency"

    def read(self, key: str, rows: Mapping[str, bytes]) -> OrderBook:
        """Build the book from its rows. Errors: `InvariantError` for a part that no book writes."""
        book = OrderBook()
        for part, body in rows.items():
            noun = part.partition("/")[0]
            if noun == "order":
                order = RerouteOrder.model_validate_json(body)
                book.orders[order.reroute_id] = order
            elif noun == "answer":
                answer = ANSWER.validate_json(body)
                book.answers[answer.command_id] = answer
            elif noun == "back":
                row = SENT_BACK.validate_json(body)
                book.sent_back[row.reroute_id] = Counter(row.submissions_by_branch)
            elif noun == "almanac":
                book.almanac = ALMANAC.validate_json(body)
            else:
                raise InvariantError(f"Expected a part of the book of reroutes, found {part!r}")
        return book

    def write(self, state: OrderBook) -> Mapping[str, bytes | None]:
        """The rows that changed since the last call; `None` for one that is gone."""
        changed = {part: _row(content) for part, content in state.dirty.items()}
        state.dirty.clear()
        return changed


def _row(content: Row | None) -> bytes | None:
    match content:
        case None:
            return None
        case Answer():
            return ANSWER.dump_json(content)
        case Almanac():
            return ALMANAC.dump_json(content)
        case SentBack():
            return SENT_BACK.dump_json(content)
        case _:
            return content.model_dump_json().encode()
