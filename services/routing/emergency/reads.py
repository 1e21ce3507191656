"""What the faces of emergency read: the protocol that the store and the tests' fake keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from services.routing.emergency.counted import Narrowed
from services.routing.emergency.state import Answer
from shared.contracts.message import Message
from shared.contracts.reroute import RerouteOrder


class BookReads(Protocol):
    """Reads of the truth. Errors: `TransientError` when the database is away."""

    async def orders(self) -> Sequence[RerouteOrder]:
        """Every reroute at hand, in the order of proposal."""

    async def open_orders(self) -> Sequence[RerouteOrder]:
        """The reroutes that are not over or whose review is open, in the order of proposal: few, whatever was before."""

    async def begun(self, first: datetime, last: datetime) -> Sequence[RerouteOrder]:
        """The reroutes at hand that came in force between these instants, both included, in the order of proposal."""

    async def order(self, reroute_id: str) -> RerouteOrder | None:
        """One reroute; `None` when nobody proposed it, or it is long over."""

    async def answer(self, command_id: str) -> Answer | None:
        """The answer to a command; `None` when there is none yet, or none any more."""

    async def history(self, reroute_id: str) -> Sequence[Message]:
        """Every fact of the reroute's life, from the journal, in order; of what it sent back only the count is read."""

    async def moved(self, reroute_id: str) -> Mapping[str, int]:
        """How many items left each desk by the reroute."""

    async def waiting_at_desks(self, those: Narrowed) -> Mapping[str, int]:
        """How many of these items wait at desks, by work type."""

    async def sent_back(self, reroute_id: str) -> Mapping[str, int]:
        """How many submissions went back to each branch by the reroute."""
