"""The control room's HTTP face over a book in memory, and clients for people on duty."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Final

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.routing.emergency.api import Control, reroute_routers
from services.routing.emergency.counted import Narrowed
from services.routing.emergency.counter import RerouteCounter
from services.routing.emergency.looking import LookAhead, Looks
from services.routing.emergency.state import Answer
from services.routing.placement.waiting import Waits
from services.routing.simulator.ahead import Ahead
from shared.contracts.message import Message
from shared.contracts.reference import RerouteRule
from shared.contracts.reroute import RerouteFact, RerouteOrder, RerouteSentBack, RerouteTerms
from shared.http.app import build_app
from shared.http.tokens import Issuer, Verifier
from shared.reroutes import REROUTE_BOARD
from tests.support.shared_face import SharedFace
from tests.unit.emergency.control_room import ControlRoom

KEY: Final = Ed25519PrivateKey.generate()


class Alive:
    def live(self) -> bool:
        return True

    def ready(self) -> tuple[bool, list[str]]:
        return True, []


class Blind:
    """Plays nothing: the preview stands without it."""

    async def look(self, days: Sequence[Ahead], terms: RerouteTerms) -> LookAhead | None:
        return None


@cache
def face_for(key: Ed25519PrivateKey) -> SharedFace[Control]:
    """The application that lets in whoever has a token of this key."""
    verifier = Verifier(key.public_key())
    return SharedFace(Control, lambda control: build_app("routing", verifier, reroute_routers(control), Alive()))


class FrontDesk:
    """The face, and the truth behind it. Holds: a `mute` book takes commands and answers none; a `hung` bus does not even say
    whether it took them."""

    def __init__(
        self,
        *rules: RerouteRule,
        key: Ed25519PrivateKey = KEY,
        room: ControlRoom | None = None,
        looker: Looks | None = None,
    ) -> None:
        self.room = room or ControlRoom(*rules)
        self.mute = False
        self.hung = False
        self.published: Final[list[str]] = []  # what the bus was handed, by event id
        self.counted: Final[list[Narrowed]] = []  # what the database was asked to count
        counter = RerouteCounter(self, self.publish, answer_seconds=0.01, publish_seconds=0.2)
        self.waiting: Sequence[Waits] = ()
        control = Control(
            self, self.room.views, counter, lambda: self.room.now, lambda: self.waiting, looker or Blind()
        )
        self.app = face_for(key).over(control)

    def client(self, subject: str, role: str) -> httpx.AsyncClient:
        """Somebody's client, with a token."""
        headers = {"Authorization": f"Bearer {Issuer(KEY).issue(subject, role)}"}
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://floor", headers=headers)

    # ------------------------------------------------------------------ the truth

    async def publish(self, message: Message, event_id: str) -> None:
        self.published.append(event_id)
        if self.hung:
            await asyncio.Event().wait()
        if not self.mute:
            self.hear(self.room.send(message))

    def hear(self, facts: Sequence[Message]) -> None:
        """The boards take what was published."""
        for fact in facts:
            if isinstance(fact, RerouteOrder):
                REROUTE_BOARD.fold(self.room.views["reroutes"], fact.key, fact)

    async def orders(self) -> Sequence[RerouteOrder]:
        return sorted(self.room.book.orders.values(), key=lambda order: (order.proposed_at, order.reroute_id))

    async def open_orders(self) -> Sequence[RerouteOrder]:
        return [order for order in await self.orders() if order.over_at is None or order.review == "open"]

    async def begun(self, first: datetime, last: datetime) -> Sequence[RerouteOrder]:
        return [o for o in await self.orders() if o.started_at is not None and first <= o.started_at <= last]

    async def order(self, reroute_id: str) -> RerouteOrder | None:
        return self.room.book.orders.get(reroute_id)

    async def answer(self, command_id: str) -> Answer | None:
        return self.room.book.answers.get(command_id)

    async def history(self, reroute_id: str) -> Sequence[Message]:
        facts = (fact for fact in self.room.facts if isinstance(fact, RerouteFact))
        return [fact for fact in facts if fact.reroute_id == reroute_id and not isinstance(fact, RerouteSentBack)]

    async def moved(self, reroute_id: str) -> Mapping[str, int]:
        return {"north": 7} if reroute_id in self.room.book.orders else {}

    async def waiting_at_desks(self, those: Narrowed) -> Mapping[str, int]:
        self.counted.append(those)
        return {"upkeep/entry": 3, "upkeep/review": 2}

    async def sent_back(self, reroute_id: str) -> Mapping[str, int]:
        return dict(self.room.book.sent_back.get(reroute_id, {}))
