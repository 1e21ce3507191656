"""A placing as a desk reads it."""

from __future__ import annotations

from typing import Final, Self

from pydantic import Field

from shared.contracts.routing import AFTER_CONSIDERED, BEFORE_CONSIDERED, Candidate, WorkPlaced


class PlacedHere(WorkPlaced):
    """Placement's fact without what it considered, which takes most of the decoding and is nothing that a desk asks for."""

    considered: tuple[Candidate, ...] = Field(default=(), validation_alias="not decoded here")

    @classmethod
    def from_json(cls, body: bytes) -> Self:
        """As any body; what was considered, most of it, is not even parsed where it stands as placement writes it, and the
        order goes on as it came."""
        placed = super().from_json(without_considered(body))
        placed.order.came_in(body, _BEHIND_ORDER)
        return placed


_BEHIND_ORDER: Final = b',"placed_at":'


def without_considered(body: bytes) -> bytes:
    """A placing's body without what was considered; a body of another form as it is.

    Holds:   these names are names, as a quotation mark within a text is escaped; no candidate has a field of them.
    """
    start, end = body.find(BEFORE_CONSIDERED), body.rfind(AFTER_CONSIDERED)
    return body[:start] + body[end:] if 0 <= start < end else body


FORMS: Final = {WorkPlaced.kind_name(): PlacedHere}
