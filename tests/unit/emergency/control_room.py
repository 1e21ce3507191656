"""A control room for tests: a small bank on duty, and the book of reroutes run as the shell does."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from services.routing.emergency.processor import emergency
from services.routing.emergency.state import OrderBook
from shared.contracts.message import Message
from shared.contracts.reference import Centre, RerouteDuty, RerouteRule
from shared.contracts.reroute import (
    ApproveReroute,
    RerouteAnswered,
    RerouteCommand,
    RerouteOrder,
    RerouteScope,
    RerouteTerms,
)
from shared.contracts.routing import DeskTally, LoadByWorkType, LoadSnapshot
from shared.reference.board import REFERENCE_BOARD
from tests.unit.routing.floor import ENTRY, NOW, Floor, boards, operator

LIN: Final = "lin"  # proposes, approves, breaks glass, everywhere
CHEN: Final = "chen"  # the same
MO: Final = "mo"  # proposes, for centre n alone
DUTIES: Final = (
    RerouteDuty(id=LIN, name="Lin", approves=True, breaks_glass=True),
    RerouteDuty(id=CHEN, name="Chen", approves=True, breaks_glass=True),
    RerouteDuty(id=MO, name="Mo", centres=("n",)),
)
CENTRES: Final = tuple(Centre(id=name, label=name.upper(), city="Beijing") for name in ("n", "s", "v"))
PEOPLE: Final = (operator("ann"), operator("bob"), operator("cai", "south"), operator("dee", "south"))
NORTH: Final = RerouteScope(centres=("n",))


def terms(**changes: Any) -> RerouteTerms:
    """Evacuate centre n for an hour, unless told otherwise."""
    fields: dict[str, Any] = {"effect": "evacuate", "scope": NORTH, "minutes": 60, "reason": "smoke in the building"}
    return RerouteTerms(**(fields | changes))


def desk_load(
    team_id: str, present: Sequence[str], queued: int = 0, version: int = 1, at: Any = NOW, **tally: int
) -> LoadSnapshot:
    """What a desk tells: so many entries of half a minute wait."""
    waiting = LoadByWorkType(
        work_type=ENTRY, queued=queued, standard_seconds=30.0 * queued, oldest_requested_at=NOW if queued else None
    )
    return LoadSnapshot(
        team_id=team_id,
        at=at,
        version=version,
        queued=(waiting,) if queued else (),
        in_hand=0,
        present=tuple(present),
        tally=DeskTally(**tally),
    )


class ControlRoom(Floor):
    """The book of reroutes, with people who command it."""

    def __init__(self, *rules: RerouteRule, queued: int = 10) -> None:
        loads = (desk_load("north", ("ann", "bob"), queued), desk_load("south", ("cai", "dee")))
        views = boards(PEOPLE, loads)
        for entry in (*CENTRES, *DUTIES, *rules):
            REFERENCE_BOARD.fold(views["reference"], entry.key, entry)
        super().__init__(emergency(), "floor", views)
        self.asked = 0

    @property
    def book(self) -> OrderBook:
        """The book as it stands."""
        assert isinstance(self.state, OrderBook)
        return self.state

    def order(self, reroute_id: str = "r1") -> RerouteOrder:
        """One reroute as it stands."""
        return self.book.orders[reroute_id]

    def command(self, form: type[RerouteCommand], actor: str, reroute_id: str = "r1", **fields: Any) -> RerouteCommand:
        """A new command of somebody."""
        self.asked += 1
        common = {"command_id": f"c{self.asked}", "reroute_id": reroute_id, "actor": actor, "issued_at": self.now}
        return form(**common, reason=fields.pop("reason", "because"), **fields)

    def ask(self, form: type[RerouteCommand], actor: str, reroute_id: str = "r1", **fields: Any) -> str:
        """Hand a command in; returns the answer's code."""
        return answer_in(self.send(self.command(form, actor, reroute_id, **fields))).code

    def approve(self, actor: str = CHEN, reroute_id: str = "r1", **fields: Any) -> str:
        """Approve the preview as it stands."""
        sha256 = self.order(reroute_id).preview.sha256
        return self.ask(ApproveReroute, actor, reroute_id, preview_sha256=sha256, **fields)

    def tell_load(self, load: LoadSnapshot) -> None:
        """A desk tells its load."""
        self.views["load"][load.team_id] = load

    def everybody_well(self, seconds: float = 0.0) -> None:
        """Both desks tell that people are there, as of now."""
        for team_id, people in (("north", ("ann", "bob")), ("south", ("cai", "dee"))):
            self.tell_load(desk_load(team_id, people, at=self.now + timedelta(seconds=seconds)))

    def replayed_contents(self) -> tuple[object, ...]:
        """What the facts alone give."""
        return self.replayed().contents()  # type: ignore[no-any-return]  # the state of this processor is a book

    def reloaded_contents(self) -> tuple[object, ...]:
        """What the rows alone give."""
        return self.reloaded().contents()  # type: ignore[no-any-return]  # the state of this processor is a book


def answer_in(facts: Sequence[Message]) -> RerouteAnswered:
    """The one answer among the facts."""
    found = [fact for fact in facts if isinstance(fact, RerouteAnswered)]
    assert len(found) == 1, f"Expected one answer, found {facts}"
    return found[0]
