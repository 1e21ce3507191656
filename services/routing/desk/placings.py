"""A placing as a desk reads it."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from shared.contracts.routing import Candidate, WorkPlaced


class PlacedHere(WorkPlaced):
    """Placement's fact without what it considered, which takes most of the decoding and is nothing that a desk asks for."""

    considered: tuple[Candidate, ...] = Field(default=(), validation_alias="not decoded here")


FORMS: Final = {WorkPlaced.kind_name(): PlacedHere}
