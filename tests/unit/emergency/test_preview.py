"""What a preview says of waits: nothing that waits is left out, whatever the order does with it."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from services.routing import eligibility
from services.routing.emergency.floor import FloorNow
from services.routing.emergency.preview import preview_of
from shared.contracts.reference import Operator
from shared.contracts.reroute import RerouteScope, SkillForecast
from shared.contracts.routing import LoadByWorkType
from tests.unit.emergency.control_room import ControlRoom, desk_load, terms
from tests.unit.emergency.drilling import DrillRoom
from tests.unit.routing.floor import ENTRY, NOW, REVIEW
from tests.unit.sight.facts import fact


def waiting(work_type: str, seconds: float) -> LoadByWorkType:
    return LoadByWorkType(work_type=work_type, queued=10, standard_seconds=seconds, oldest_requested_at=NOW)


def foreseen(reviews: float = 0.0, **changes: Any) -> SkillForecast:
    """Of entries: 1,200 s of them wait in the north, 300 s in the south, two people in each; reviews in the north."""
    room = ControlRoom()
    north = (waiting(ENTRY, 1_200), *((waiting(REVIEW, reviews),) if reviews else ()))
    room.tell_load(desk_load("north", ("ann", "bob")).model_copy(update={"queued": north}))
    room.tell_load(desk_load("south", ("cai", "dee")).model_copy(update={"queued": (waiting(ENTRY, 300),)}))
    preview = preview_of(terms(**changes), FloorNow.of(room.views, (), room.now))
    return next(skill for skill in preview.skills if skill.work_type == ENTRY)


@pytest.mark.parametrize(
    ("changes", "seconds"),
    [
        ({"effect": "shift", "percent": 1}, 600),  # the north's own two work off what is there
        ({"effect": "drain"}, 600),
        ({"effect": "evacuate"}, 750),  # 1,500 s for the two who are left
        ({"effect": "recall"}, 750),
    ],
)
def test_what_waits_is_waited_for_with_the_order_too(changes: dict[str, Any], seconds: float) -> None:
    """Without it 1,500 s of work are for four. Taking people away never makes the last of the queue wait less."""
    skill = foreseen(**changes)
    assert skill.wait_seconds_without == 375
    assert skill.wait_seconds_with == pytest.approx(seconds, rel=0.01)


def test_a_drain_is_no_less_than_a_shift_of_nearly_all() -> None:
    """One percent more moves the figures by about one percent."""
    nearly, drain = foreseen(effect="shift", percent=99), foreseen(effect="drain")
    assert nearly.wait_seconds_with == pytest.approx(drain.wait_seconds_with, rel=0.05)


def test_all_that_comes_to_the_same_people_counts() -> None:
    """Reviews move with the entries and are done by the same two: 2,100 s; of another order's scope they stay."""
    assert foreseen(reviews=600, effect="evacuate").wait_seconds_with == 1_050
    entries = RerouteScope(centres=("n",), work_types=(ENTRY,))
    assert foreseen(reviews=600, effect="evacuate", scope=entries).wait_seconds_with == 750


def test_who_may_work_is_asked_once_for_each_who_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many work types and limits are forecast: on a large floor the preview would come too late otherwise."""
    asked: Counter[str] = Counter()
    ask = eligibility.suspended

    def counted(operator: Operator, *rest: Any) -> bool:
        asked[operator.id] += 1
        return ask(operator, *rest)

    monkeypatch.setattr(eligibility, "suspended", counted)
    foreseen(reviews=600, effect="evacuate")
    assert asked == dict.fromkeys(("ann", "bob", "cai", "dee"), 1)


def test_a_local_order_says_how_many_submissions_go_back() -> None:
    """Of a hundred transfers an hour fifty in half of one, each asking for all of its keyings; without a plan nobody knows."""
    room = DrillRoom()
    template = fact("reference.business-type.v1", id="transfer")
    keyings = sum(field.keyings for field in template.fields)
    room.publish(template)
    room.expect(per_hour=100 * keyings)
    local = terms(effect="local", scope=RerouteScope(business_types=("transfer",)), minutes=30)
    floor = FloorNow.of(room.views, (), room.now)
    assert preview_of(local, floor).submissions_back == 50
    assert preview_of(terms(), floor).submissions_back is None
    late = FloorNow.of(room.views, (), room.now + timedelta(days=2))
    assert preview_of(local, late).submissions_back is None
