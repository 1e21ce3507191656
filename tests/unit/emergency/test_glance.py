"""What a control room's screen is shown: the floor at a glance, what a scope may name, who may do what."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from services.routing.emergency.health import SILENT_INTERVALS_MAX, UNHEARD_INTERVALS_MAX
from services.routing.metrics import SATURATED_SECONDS
from shared.contracts.reference import RerouteRule
from shared.contracts.reroute import ProposeReroute, RerouteScope
from tests.unit.audit.floor_of_cases import TRANSFER
from tests.unit.emergency.control_room import CHEN, LIN, MO, desk_load, terms
from tests.unit.emergency.front_desk import FrontDesk
from tests.unit.routing.floor import ENTRY

RULE = RerouteRule(id="two-centres", label="one more failure", form="able_centres", minimum=2)


async def seen(desk: FrontDesk, path: str, who: str = "vi", role: str = "viewer") -> Any:
    """What somebody is shown."""
    answer = await desk.client(who, role).get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


def by_id(places: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Places by their names."""
    return {place["id"]: place for place in places}


async def test_a_place_tells_how_full_it_is_and_how_late() -> None:
    """The north has 10 entries of half a minute for two people; a centre is its teams together."""
    desk = FrontDesk()
    desk.room.tell_load(desk_load("north", ("ann", "bob"), 10, completed=8, late=2))
    found = await seen(desk, "/reroute-floor")
    north = by_id(found["teams"])["north"]
    assert (north["queued"], north["present"], north["late"], north["completed"]) == (10, 2, 2, 8)
    assert north["saturation"] == round(300 / 2 / SATURATED_SECONDS, 4)
    assert by_id(found["centres"])["n"] == {
        **north,
        "id": "n",
        "label": "N",
        "provider_id": None,
    }
    work = {part["work_type"]: part for part in found["work"]}
    assert (work[ENTRY]["queued"], work[ENTRY]["people"]) == (10, 4)


async def test_a_place_is_judged_by_the_promises_of_what_its_people_do() -> None:
    """Not by those of other work; and by the new promise once there is one."""
    desk = FrontDesk()
    for objective in (0.99, 0.9):
        for name, share in (("transfer", objective), ("nobodys", 0.5)):
            promise = TRANSFER.model_copy(update={"id": name, "on_time_objective": share})
            desk.room.views["reference"].fold(promise.key, promise)
        found = await seen(desk, "/reroute-floor")
        assert by_id(found["teams"])["north"]["promised"] == [objective]
        assert by_id(found["centres"])["n"]["promised"] == [objective]


async def test_a_place_says_which_reroute_holds_its_work() -> None:
    """And how much of it; elsewhere nothing is held, and fewer are there for the work."""
    desk = FrontDesk()
    desk.room.ask(ProposeReroute, LIN, terms=terms(effect="shift", percent=40))
    desk.room.approve()
    found = await seen(desk, "/reroute-floor")
    teams = by_id(found["teams"])
    assert (teams["north"]["held_percent"], teams["north"]["reroutes"]) == (40, ["r1"])
    assert (teams["south"]["held_percent"], teams["south"]["reroutes"]) == (0, [])


async def test_some_of_a_places_work_is_not_all_of_it() -> None:
    """A whole data class held is no whole team held, nor is one of two teams a centre."""
    desk = FrontDesk()
    entry = RerouteScope(centres=("n",), data_classes=("internal",))
    desk.room.ask(ProposeReroute, LIN, terms=terms(effect="drain", scope=entry))
    desk.room.approve()
    found = await seen(desk, "/reroute-floor")
    north, centre = by_id(found["teams"])["north"], by_id(found["centres"])["n"]
    assert (north["held_percent"], north["held_partly"], north["reroutes"]) == (0, True, ["r1"])
    assert (centre["held_percent"], centre["held_partly"]) == (0, True)


async def test_a_desk_that_says_nothing_is_silent() -> None:
    """Its figures are old, and whoever looks must know."""
    desk = FrontDesk()
    assert not by_id((await seen(desk, "/reroute-floor"))["teams"])["north"]["silent"]
    desk.room.now += timedelta(seconds=SILENT_INTERVALS_MAX + 1)
    found = await seen(desk, "/reroute-floor")
    assert by_id(found["teams"])["north"]["silent"]
    assert by_id(found["centres"])["n"]["silent"]


async def test_a_bus_that_says_nothing_is_told_sooner_than_a_single_desk() -> None:
    """No desk at all is heard: nothing on the screen is of now. One that is heard alone leaves the others their time."""
    desk = FrontDesk()
    desk.room.now += timedelta(seconds=UNHEARD_INTERVALS_MAX + 1)
    teams = by_id((await seen(desk, "/reroute-floor"))["teams"])
    assert (teams["north"]["silent"], teams["south"]["silent"]) == (True, True)
    desk.room.tell_load(desk_load("south", ("cai", "dee"), at=desk.room.now, version=2))
    teams = by_id((await seen(desk, "/reroute-floor"))["teams"])
    assert (teams["north"]["silent"], teams["south"]["silent"]) == (False, False)


async def test_nobody_there_has_no_saturation_and_everything_that_waits_is_late() -> None:
    """It is not calm because a division by nobody is nothing."""
    desk = FrontDesk()
    for team in ("north", "south", "vendor"):
        desk.room.tell_load(desk_load(team, (), 5 if team == "north" else 0, version=9))
    found = await seen(desk, "/reroute-floor")
    assert by_id(found["centres"])["n"]["saturation"] is None
    work = {part["work_type"]: part for part in found["work"]}
    assert (work[ENTRY]["people"], work[ENTRY]["wait_seconds"], work[ENTRY]["misses"]) == (0, None, 5)


async def test_a_scope_may_name_what_the_reference_data_know() -> None:
    """Each once, in the order of the names, with the rules that may have to be overridden."""
    names = await seen(FrontDesk(RULE), "/reroute-names")
    assert [one["id"] for one in names["centres"]] == ["n", "s", "v"]
    assert ENTRY in [one["id"] for one in names["work_types"]]
    assert names["rules"] == [{"id": "two-centres", "label": "one more failure", "overridable": True}]


@pytest.mark.parametrize(
    ("who", "role", "may"),
    [
        (LIN, "approver", (True, True, True)),
        (LIN, "proposer", (True, False, True)),
        (LIN, "viewer", (False, False, False)),
        (MO, "approver", (True, False, False)),
        ("stranger", "approver", (False, False, False)),
    ],
)
async def test_it_takes_the_tokens_role_and_the_duty(who: str, role: str, may: tuple[bool, bool, bool]) -> None:
    """One without the other lets nobody do anything."""
    duty = await seen(FrontDesk(), "/reroute-duty", who, role)
    assert (duty["proposes"], duty["approves"], duty["breaks_glass"]) == may


async def test_a_duty_tells_where_it_holds() -> None:
    """Mo proposes for one centre; Chen everywhere."""
    assert (await seen(FrontDesk(), "/reroute-duty", MO, "proposer"))["centres"] == ["n"]
    assert (await seen(FrontDesk(), "/reroute-duty", CHEN, "approver"))["centres"] == []
