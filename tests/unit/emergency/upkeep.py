"""A control room with work of two sorts, for tests: a field that a vendor may key, and one that only the house may see."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from services.routing.boards import PLAN_BOARD
from services.routing.kinds import Kind
from shared.contracts.reference import BusinessType, SliceArea, StandardTimes, TemplateField
from shared.contracts.routing import LoadByWorkType, PlanMade, PlannedWork, TeamShare
from shared.reference.board import REFERENCE_BOARD
from tests.unit.emergency.control_room import ControlRoom, desk_load
from tests.unit.routing.floor import NOW, operator

UPKEEP: Final = "upkeep/entry"
UPKEEP_REVIEW: Final = "upkeep/review"
OPEN: Final = Kind(UPKEEP)
SECRET: Final = Kind(UPKEEP, in_house_only=True, data_class="secret")
SECRET_WORDS: Final = "upkeep/entry (secret, in the house alone)"
WHOLE: Final = SliceArea(left=0, top=0, width=0.5, height=0.5)
TEMPLATE: Final = BusinessType(
    id="upkeep",
    label="Account maintenance",
    version=1,
    fields=(
        TemplateField(name="customer", label="Customer", vendor_keyings=(1,), area=WHOLE),
        TemplateField(name="change", label="Change", data_class="secret", area=WHOLE),
    ),
    sla_seconds=3600,
    standard=StandardTimes(entry=30, arbitration=30, review=30, authorisation=30, inspection=30),
)


class UpkeepRoom(ControlRoom):
    """Two people at each of two teams of the house and at a vendor, all of whom hold the work; so much waits in the north."""

    def __init__(self, queued: int = 50, house: bool = True) -> None:
        super().__init__(queued=0)
        teams = {"north": ("ann", "bob"), "south": ("cai", "dee"), "vendor": ("vic", "val")}
        people = [operator(one, team, (UPKEEP, UPKEEP_REVIEW)) for team, those in teams.items() for one in those]
        for entry in (TEMPLATE, *people):
            REFERENCE_BOARD.fold(self.views["reference"], entry.key, entry)
        for team, those in teams.items():
            self.tell_load(desk_load(team, those if house or team == "vendor" else ()))
        self.lie("north", queued)

    def lie(self, team_id: str, queued: int, work_type: str = UPKEEP) -> None:
        """So much waits at a desk, half a minute each."""
        part = LoadByWorkType(
            work_type=work_type, queued=queued, standard_seconds=30.0 * queued, oldest_requested_at=NOW
        )
        queue = (part,) if queued else ()
        self.tell_load(self.views["load"][team_id].model_copy(update={"queued": queue}))

    def plan(self, *work: tuple[Kind, float, dict[str, float]]) -> None:
        """The balancer's plan: items an hour of each kind, and how they are shared."""
        parts = [
            PlannedWork(
                **kind._asdict(),
                recent_per_hour=per_hour,
                coming_per_hour=per_hour,
                shares=tuple(TeamShare(team_id=one, share=share) for one, share in shares.items()),
            )
            for kind, per_hour, shares in work
        ]
        plan = PlanMade(
            made_at=self.now,
            made_by="b",
            good_until=self.now + timedelta(hours=1),
            work=tuple(parts),
            teams=(),
            saturation=0.5,
            lateness_minutes=0.0,
        )
        PLAN_BOARD.fold(self.views["plan"], plan.key, plan)
