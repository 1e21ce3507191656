"""People on call, team leaders and auditors see where work is and why."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from services.routing.placement.state import Phase, PlacedItem
from shared.contracts.routing import WorkAssigned
from tests.unit.routing.floor import NOW, order
from tests.unit.workbench.window import Window


@pytest.fixture
def window() -> Window:
    return Window()


@pytest.mark.parametrize("path", ["/item/item-1", "/teams/north"])
@pytest.mark.parametrize("role", ["operator", "vendor_manager", "branch", "service"])
async def test_the_floors_view_is_not_for_everybody(window: Window, path: str, role: str) -> None:
    """Other roles are refused, and so is nobody."""
    assert (await window.anonymous().get(path)).status_code == 401
    assert (await window.client("anna", role=role).get(path)).json()["code"] == "wrong_role"


async def test_an_auditor_sees_items_and_no_desks(window: Window) -> None:
    """Who is at a desk is for leaders and people on call."""
    window.desks.place(order())
    auditor = window.client("aud", None, role="auditor")
    assert (await auditor.get("/item/item-1")).status_code == 200
    assert (await auditor.get("/teams/north")).json()["code"] == "wrong_role"


async def test_a_team_leader_looks_at_the_own_team_only(window: Window) -> None:
    """Another team's desk and items are closed, and an unknown item tells nothing."""
    window.desks.place(order())
    leader = window.client("lead", "vendor", role="team_leader")
    for path in ("/item/item-1", "/item/item-9", "/teams/north"):
        answer = await leader.get(path)
        assert (answer.status_code, answer.json()["code"]) == (403, "not_your_team")
    own = window.client("lead", "north", role="team_leader")
    assert (await own.get("/item/item-1")).status_code == 200
    assert (await own.get("/teams/north")).status_code == 200


async def test_an_item_is_followed_from_queue_to_hand(window: Window) -> None:
    """The sentence and the fields say where it is at every turn."""
    on_call = window.client("oc", None, role="on_call")
    assert (await on_call.get("/item/item-1")).status_code == 404
    window.desks.place(order())
    told = (await on_call.get("/item/item-1")).json()
    assert (told["phase"], told["team_id"], told["desk"]["state"]) == ("placed", "north", "queued")
    assert re.fullmatch(r"Waits in the queue of north since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\.", told["sentence"])
    anna = window.client("anna")
    await anna.post("/sign-on")
    assert (await on_call.get("/item/item-1")).json()["sentence"] == "Offered to anna of north, attempt 1."
    await anna.post("/assignment/item-1/accept", json={"attempt": 1})
    told = (await on_call.get("/item/item-1")).json()
    assert (told["desk"]["operator_id"], told["desk"]["attempt"]) == ("anna", 1)
    assert told["sentence"] == "In the hands of anna of north, attempt 1."


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"phase": Phase.WAITING, "team_id": None, "reason": "nobody_present", "tries": 3, "next_try_at": NOW},
            "Waits at placement, nobody may do it now: nobody_present; tried 3 times.",
        ),
        ({"team_id": None}, "Called back from its desk."),
        ({"team_id": "south"}, "Placed at south; its desk has not taken it in yet, or is done with it."),
        (
            {"phase": Phase.CLOSED, "order": None, "team_id": None, "outcome": "accepted"},
            "Closed: its result was accepted.",
        ),
        ({"phase": Phase.CLOSED, "order": None, "team_id": None, "outcome": "cancelled"}, "Closed: cancelled."),
    ],
)
async def test_why_an_item_is_where_it_is(window: Window, changes: dict[str, Any], sentence: str) -> None:
    """Waiting, called back, on its way and closed: each has its sentence."""
    placed = PlacedItem("item-1", Phase.PLACED, order(), "north", placing=1)
    window.desks.placed_items["item-1"] = replace(placed, **changes)
    answer = await window.client("oc", None, role="on_call").get("/item/item-1")
    assert (answer.status_code, answer.json()["sentence"]) == (200, sentence)


async def test_a_desk_is_seen_by_work_type_and_person(window: Window) -> None:
    """Queues count what waits, not what is in hand; operators come with their phase."""
    await window.in_hand()
    window.desks.place(order("item-2", standard_seconds=20))
    window.desks.place(order("item-3", standard_seconds=40))
    told = (await window.client("oc", None, role="on_call").get("/teams/north")).json()
    assert (told["present"], told["offered"], told["in_hand"]) == (1, 0, 1)
    assert [(q["work_type"], q["queued"], q["standard_seconds"]) for q in told["queues"]] == [("transfer/entry", 2, 60)]
    assert [(o["operator_id"], o["phase"], o["work_item_id"]) for o in told["operators"]] == [
        ("anna", "working", "item-1")
    ]


async def test_a_team_that_the_bank_does_not_have_has_no_desk(window: Window) -> None:
    """404 with what to do, not an empty desk; a team without people has one, and so has one that was dissolved over work."""
    on_call = window.client("oc", None, role="on_call")
    answer = await on_call.get("/teams/nosuch")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_team")
    assert "found none named 'nosuch'; check the id" in answer.json()["detail"]
    assert (await on_call.get("/teams/south")).json()["operators"] == []
    await window.in_hand()
    del window.desks.views["reference"].teams["north"]
    assert (await on_call.get("/teams/north")).json()["in_hand"] == 1


async def test_the_openapi_document_is_complete(window: Window) -> None:
    """Every operation has a summary, a described answer, and problems for 401, 403 and 503."""
    document = (await window.client("anna").get("/openapi.json")).json()
    operations = [
        (path, operation)
        for path, methods in document["paths"].items()
        for operation in methods.values()
        if path not in ("/health", "/ready", "/metrics")
    ]
    assert len(operations) == 18
    for path, operation in operations:
        assert operation["summary"], path
        assert {"401", "403", "503", "422"} - {"422"} <= operation["responses"].keys(), path
        for status, answer in operation["responses"].items():
            if status >= "400":
                assert "application/problem+json" in answer["content"], (path, status)
        success = operation["responses"]["200"]["content"]
        schema = success.get("application/json", {}).get("schema", {})
        assert "$ref" in schema or any(form.startswith("image/") for form in success), path


PICK = {"work_item_id": "quiet", "operator_id": "anna", "reason": "the branch calls"}


async def test_a_team_leader_gives_a_waiting_item_to_one_of_their_operators(window: Window) -> None:
    """The desk's fact names who picked it and why; the same key again gives the same answer and no second item."""
    anna, lea = window.client("anna"), window.client("lea", role="team_leader")
    window.desks.place(order("urgent", due_seconds=900))
    window.desks.place(order("quiet", due_seconds=9000))
    await anna.post("/sign-on")
    key = {"Idempotency-Key": "pick-1"}
    for _ in range(2):
        told = await lea.post("/teams/north/pick", json=PICK, headers=key)
        assert (told.status_code, told.json()["answer"]) == (200, "picked")
    assert (await anna.get("/next")).json()["work_item_id"] == "quiet"
    given = [fact for fact in window.desks.by_team["north"].facts if isinstance(fact, WorkAssigned) and fact.picked]
    assert [(f.picked.picked_by, f.picked.reason) for f in given if f.picked] == [("lea", "the branch calls")]


@pytest.mark.parametrize(
    ("role", "team", "code"),
    [
        ("team_leader", "south", "not_your_team"),
        ("team_leader", None, "not_your_team"),
        ("operator", "north", "wrong_role"),
        ("on_call", None, "wrong_role"),
        ("auditor", None, "wrong_role"),
    ],
)
async def test_only_the_teams_own_leader_picks_for_others(
    window: Window, role: str, team: str | None, code: str
) -> None:
    """Anybody else is refused and nothing is published."""
    told = await window.client("lea", team, role).post("/teams/north/pick", json=PICK)
    assert (told.status_code, told.json()["code"]) == (403, code)
    assert window.desks.published == []


async def test_the_team_view_tells_who_pauses_and_why(window: Window) -> None:
    """Paused is neither present nor gone."""
    anna = window.client("anna")
    await anna.post("/sign-on")
    assert (await anna.post("/pause", json={"reason": "lunch"})).status_code == 200
    told = (await window.client("lea", role="team_leader").get("/teams/north")).json()
    assert told["present"] == 0
    assert [(o["phase"], o["pause_reason"]) for o in told["operators"]] == [("paused", "lunch")]
