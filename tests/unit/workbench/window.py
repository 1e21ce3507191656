"""The workbench with real desks behind it: commands go straight to the desk's pure core, reads come from its rows."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import timedelta
from io import BytesIO
from typing import Any, Final

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from PIL import Image
from starlette.types import ASGIApp

from services.routing.desk.processor import desk
from services.routing.desk.state import Answer, DeskItem, DeskOperator
from services.routing.desk.store import ANSWER, ITEM, OPERATOR
from services.routing.placement.state import Phase, PlacedItem
from services.routing.workbench.answers import Answers
from services.routing.workbench.api import Workbench, workbench_routers
from services.routing.workbench.commands import CommandCounter
from services.routing.workbench.reads import DeskNow
from services.routing.workbench.slices import SliceCutter
from shared.contracts.message import Message, Region
from shared.contracts.routing import WorkPlaced
from shared.contracts.work import WorkOrder
from shared.http.app import build_app
from shared.http.tokens import Issuer, Verifier
from shared.runtime.errors import TransientError
from tests.support.shared_face import SharedFace
from tests.unit.routing.floor import ARBITRATION, ENTRY, NOW, REVIEW, Floor, boards, operator, order

KEY: Final = Ed25519PrivateKey.generate()
PEOPLE: Final = (
    operator("anna", "north", (ENTRY, REVIEW, ARBITRATION)),
    operator("ben", "north"),
    operator("vera", "vendor"),
    operator("sam", "south"),
)


def voucher() -> bytes:
    """An image in which every pixel tells its place."""
    image = Image.new("RGB", (60, 40))
    image.putdata([(x * 4, y * 6, 7) for y in range(40) for x in range(60)])
    out = BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


VOUCHER: Final = voucher()
VOUCHER_ID: Final = hashlib.sha256(VOUCHER).hexdigest()
SLICE: Final = Region(image_sha256=VOUCHER_ID, x=10, y=5, width=20, height=8)


class Shelf:
    """Images in memory; counts how often it is asked."""

    def __init__(self) -> None:
        self.content = {VOUCHER_ID: VOUCHER}
        self.asked = 0

    async def get(self, sha256: str) -> bytes | None:
        self.asked += 1
        return self.content.get(sha256)


class Desks:
    """Three real desks, their rows, and a bus that can be deaf or away.

    Holds:   `deaf`: commands lie on the bus and no desk takes them; `mute`: the desks work and nobody hears of it.
    """

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self.views = boards(PEOPLE)
        self.by_team = {team: Floor(desk(), team, self.views) for team in ("north", "south", "vendor")}
        self.placed_items: dict[str, PlacedItem] = {}
        self.published: list[tuple[Message, str]] = []
        self.deaf = self.mute = self.away = self.hung = False

    async def publish(self, message: Message, event_id: str) -> None:
        if self.away:
            raise TransientError("the broker's address")
        if self.hung:
            await asyncio.Event().wait()
        self.published.append((message, event_id))
        if not self.deaf:
            self.meet(message.key, message)

    def meet(self, team_id: str, event: Message) -> None:
        """An event meets a desk; the workbench hears the facts."""
        facts = self.by_team[team_id].send(event)
        if not self.mute:
            for fact in facts:
                self.answers.hear(fact)

    def place(self, work: WorkOrder, team_id: str = "north") -> None:
        """Placement chooses the team for an item."""
        self.placed_items[work.work_item_id] = PlacedItem(work.work_item_id, Phase.PLACED, work, team_id, placing=1)
        fact = WorkPlaced(team_id=team_id, placing=1, attempt=0, order=work, placed_at=NOW, considered=(), draw_seed=1)
        self.meet(team_id, fact)

    def wait(self, team_id: str, seconds: float) -> None:
        """Time passes at every desk; leases run out."""
        for team, floor in self.by_team.items():
            for fact in floor.wait(seconds):
                if team == team_id and not self.mute:
                    self.answers.hear(fact)

    def rows(self, team_id: str) -> dict[str, bytes]:
        return self.by_team[team_id].stored if team_id in self.by_team else {}

    async def seated(self, team_id: str, operator_id: str) -> tuple[DeskOperator | None, DeskItem | None]:
        body = self.rows(team_id).get(f"operator/{operator_id}")
        operator = None if body is None else OPERATOR.validate_json(body)
        item_id = None if operator is None else operator.work_item_id
        return operator, None if item_id is None else await self.item(team_id, item_id)

    async def item(self, team_id: str, work_item_id: str) -> DeskItem | None:
        body = self.rows(team_id).get(f"item/{work_item_id}")
        return None if body is None else ITEM.validate_json(body)

    async def answer(self, team_id: str, operator_id: str, command_id: str) -> Answer | None:
        bodies = (b for part, b in self.rows(team_id).items() if part.startswith(f"command/{operator_id}/"))
        row = self.rows(team_id).get(f"operator/{operator_id}")
        last = None if row is None else OPERATOR.validate_json(row).last_draft
        answers = (*map(ANSWER.validate_json, bodies), *([] if last is None else [last]))
        return next((a for a in answers if a.command_id == command_id), None)

    async def desk(self, team_id: str) -> DeskNow:
        rows = self.rows(team_id)
        people = [OPERATOR.validate_json(body) for part, body in rows.items() if part.startswith("operator/")]
        items = [ITEM.validate_json(body) for part, body in rows.items() if part.startswith("item/")]
        return DeskNow({p.operator_id: p for p in people}, {i.work_item_id: i for i in items})

    async def placed(self, work_item_id: str) -> PlacedItem | None:
        return self.placed_items.get(work_item_id)


class Alive:
    def live(self) -> bool:
        return True

    def ready(self) -> tuple[bool, list[str]]:
        return True, []


FACE: Final = SharedFace(
    Workbench, lambda bench: build_app("routing", Verifier(KEY.public_key()), workbench_routers(bench), Alive())
)


class Window:
    """The whole face over the desks, and clients for people."""

    def __init__(self, answer_seconds: float = 0.05) -> None:
        self.answers = Answers()
        self.desks = Desks(self.answers)
        self.shelf = Shelf()
        self.answer_seconds = answer_seconds
        self.bench = self.started_anew(self.answers)
        self.app = self.face(self.bench)

    def started_anew(self, answers: Answers) -> Workbench:
        """A workbench process with an empty memory over the same truth."""
        return Workbench(
            reads=self.desks,
            boards=self.desks.views,
            answers=answers,
            counter=CommandCounter(self.desks, answers, self.desks.publish, self.answer_seconds, publish_seconds=0.2),
            slices=SliceCutter(self.shelf),
            now=lambda: self.desks.by_team["north"].now,
        )

    def face(self, bench: Workbench) -> ASGIApp:
        return FACE.over(bench)

    def client(
        self, subject: str, team: str | None = "north", role: str = "operator", **claims: Any
    ) -> httpx.AsyncClient:
        """Somebody's client, with a token."""
        token = Issuer(KEY).issue(subject, role, team_id=team, **claims)
        return self.anonymous(Authorization=f"Bearer {token}")

    def anonymous(self, **headers: str) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://floor", headers=headers)

    async def in_hand(self, subject: str = "anna", team: str = "north", **changes: Any) -> httpx.AsyncClient:
        """Somebody who has signed on and taken `item-1` in hand."""
        found = self.client(subject, team)
        self.desks.place(order(**({"slice": SLICE} | changes)), team)
        assert (await found.post("/sign-on")).status_code == 200
        assert (await found.post("/assignment/item-1/accept", json={"attempt": 1})).status_code == 200
        return found


RESULT: Final[dict[str, Any]] = {
    "attempt": 1,
    "outcome": {"form": "keyed", "value": "1,250.00"},
    "handle_seconds": 21.5,
}
LATER: Final = timedelta(hours=1).total_seconds()
