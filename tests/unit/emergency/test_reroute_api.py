"""The control room's HTTP face: who may do what, the same key twice, problems with their code, alerts, reports."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from prometheus_client import REGISTRY

from services.routing.emergency import api
from services.routing.emergency.counted import Counted, Narrowed, counted_words
from services.routing.placement.waiting import Waits
from shared.contracts.reference import Branch, RerouteRule
from shared.contracts.reroute import CancelReroute, ProposeReroute, RefuseReroute, RerouteScope
from shared.reference.board import REFERENCE_BOARD
from tests.unit.emergency.control_room import CHEN, LIN, desk_load, terms
from tests.unit.emergency.drilling import DRILL, DrillRoom
from tests.unit.emergency.front_desk import FrontDesk
from tests.unit.emergency.upkeep import UPKEEP, UPKEEP_REVIEW, UpkeepRoom
from tests.unit.routing.floor import NOW

TERMS: dict[str, Any] = {"effect": "evacuate", "scope": {"centres": ["n"]}, "minutes": 60, "reason": "<b>smoke</b>"}
WHY = {"reason": "because"}


async def proposed(desk: FrontDesk, **changes: Any) -> str:
    """Lin proposes to evacuate, or what is said; returns the reroute's id."""
    answer = await desk.client(LIN, "proposer").post("/reroutes", json={"terms": TERMS | changes})
    assert (answer.status_code, answer.json()["code"]) == (200, "done")
    return str(answer.json()["reroute_id"])


async def approved(desk: FrontDesk, reroute_id: str, who: str = CHEN, role: str = "approver") -> httpx.Response:
    """Somebody approves the preview as it stands."""
    order = (await desk.client(who, "viewer").get(f"/reroutes/{reroute_id}")).json()["order"]
    body = {"preview_sha256": order["preview"]["sha256"], "reason": "seen on site"}
    return await desk.client(who, role).post(f"/reroutes/{reroute_id}/approve", json=body)


async def test_two_people_put_a_reroute_in_force() -> None:
    """Propose, look, approve; the list shows it in force."""
    desk = FrontDesk()
    answer = await approved(desk, await proposed(desk))
    assert answer.status_code == 200
    listed = (await desk.client("vi", "viewer").get("/reroutes", params={"open": True})).json()
    assert [(order["phase"], order["approved_by"]) for order in listed] == [("active", CHEN)]


async def test_a_preview_changes_nothing() -> None:
    """Anybody who may look may ask what would happen; its hash is the one that a proposal made now gets."""
    desk = FrontDesk()
    shown = (await desk.client("vi", "viewer").post("/reroutes/preview", json=TERMS)).json()
    assert shown["items_moving"] == 10
    assert desk.room.book.orders == {}
    assert desk.room.order(await proposed(desk)).preview.sha256 == shown["sha256"]


@pytest.mark.parametrize(
    "slip",
    [{"percnt": 10}, {"colour": "red"}, {"scope": {"centres": ["n"], "work_type": ["transfer/entry"]}}],
    ids=["a term", "a field of nothing", "a part of the scope"],
)
async def test_a_slip_of_the_pen_makes_no_reroute_wider(slip: dict[str, Any]) -> None:
    """What nobody understands is refused, at every way in and whatever stands around it."""
    desk, asked = FrontDesk(), {**TERMS, **slip}
    for path, body in (("/reroutes", {"terms": asked}), ("/reroutes/preview", asked), ("/reroutes/look-ahead", asked)):
        answer = await desk.client(LIN, "proposer").post(path, json=body)
        assert answer.status_code == 422, path
        assert "Expected no field but those of terms" in answer.json()["detail"]
    assert desk.room.book.orders == {}


async def test_what_should_have_begun_is_not_previewed() -> None:
    """A preview of yesterday would be read as one of now."""
    asked = {**TERMS, "starts_at": "2020-01-01T00:00:00Z"}
    answer = await FrontDesk().client("vi", "viewer").post("/reroutes/preview", json=asked)
    assert (answer.status_code, answer.json()["code"]) == (409, "start_past")


async def test_what_a_scope_by_region_or_class_has_at_desks_is_counted_item_by_item() -> None:
    """The boards cannot tell it; it stands beside what is hashed, and of a scope that they can tell nobody counts."""
    desk = FrontDesk(room=UpkeepRoom())
    for name, region in (("b-east", "east"), ("b-west", "west"), ("b-none", None)):
        branch = Branch(id=name, label=name, region=region, public_key="local")
        REFERENCE_BOARD.fold(desk.room.views["reference"], branch.key, branch)

    async def counted(**scope: Any) -> Any:
        body = {**TERMS, "scope": {"centres": ["n"], **scope}}
        answer = await desk.client("vi", "viewer").post("/reroutes/preview", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()["counted"]

    entries = [{"work_type": UPKEEP, "items": 3}]
    assert await counted(regions=["east"], work_types=[UPKEEP]) == entries
    assert await counted(data_classes=["secret"]) == [*entries, {"work_type": UPKEEP_REVIEW, "items": 2}]
    assert await counted() is None
    assert desk.counted == [Narrowed(["north"], ["b-east"], None), Narrowed(["north"], None, ("secret",))]


async def test_a_drill_that_the_rest_could_not_carry_is_foretold_and_refused_by_its_own_code() -> None:
    """The preview says what the answer to the proposal will say; of a real order there is nothing to say."""
    desk = FrontDesk(room=UpkeepRoom())
    body = {**TERMS, "scope": {"providers": ["bank"], "work_types": [UPKEEP]}}
    viewer = desk.client("vi", "viewer")
    foretold = (await viewer.post("/reroutes/preview", json={**body, "drill": True})).json()["drill_refused"]
    assert foretold.startswith("CAPACITY_CHECK_FAILED: Expected somebody left for")
    answer = await desk.client(LIN, "proposer").post("/reroutes", json={"terms": {**body, "drill": True}})
    assert (answer.status_code, answer.json()["code"]) == (409, "capacity_check_failed")
    assert answer.json()["detail"] == foretold
    assert (await viewer.post("/reroutes/preview", json=body)).json()["drill_refused"] is None


async def test_a_preview_does_not_wait_for_the_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """A queue of a hundred thousand on a busy database: what the boards tell comes in time, and nothing is said of the count."""
    desk = FrontDesk(room=UpkeepRoom())

    async def slow(those: Narrowed) -> Mapping[str, int]:
        await asyncio.Event().wait()
        return {}

    monkeypatch.setattr(desk, "waiting_at_desks", slow)
    monkeypatch.setattr(api, "COUNT_SECONDS_MAX", 0.01)
    body = {**TERMS, "scope": {"centres": ["n"], "data_classes": ["secret"]}}
    shown = await desk.client("vi", "viewer").post("/reroutes/preview", json=body)
    assert (shown.status_code, shown.json()["counted"], shown.json()["items_moving"]) == (200, None, 25)


def test_the_count_is_told_in_a_sentence() -> None:
    """Nothing where the figures are exact; that nothing waits is worth a word."""
    found = (Counted(work_type="transfer/entry", items=1_300), Counted(work_type="transfer/review", items=2))
    assert counted_words(None) == ""
    assert counted_words(()).endswith("the scope has now at desks: nothing.")
    assert counted_words(found).endswith("at desks: 1,300 of transfer/entry, 2 of transfer/review.")


async def test_what_waits_at_no_desk_is_told_beside_what_is_hashed() -> None:
    """By work type and reason, with how much the order itself keeps there; of other work nothing."""
    desk = FrontDesk(room=UpkeepRoom())
    narrow = {**TERMS, "scope": {"providers": ["bank"], "work_types": [UPKEEP]}}
    answer = await desk.client(LIN, "proposer").post("/reroutes", json={"terms": narrow})
    name = answer.json()["reroute_id"]
    assert (await approved(desk, name)).status_code == 200
    viewer, old = desk.client("vi", "viewer"), desk.room.now - timedelta(minutes=30)
    calm = (await viewer.post("/reroutes/preview", json=narrow)).json()
    desk.waiting = (
        Waits("rerouted", UPKEEP, (name,), 30, old),
        Waits("rerouted", UPKEEP, (name, "r-2"), 2, desk.room.now),
        Waits("nobody_qualified", UPKEEP, (), 4, desk.room.now),
        Waits("nobody_qualified", UPKEEP_REVIEW, (), 9, old),
    )
    shown = (await viewer.get(f"/reroutes/{name}/stay", params={"minutes": 45})).json()
    assert [(one["reason"], one["items"], one["kept"], one["late"]) for one in shown["nowhere"]] == [
        ("nobody_qualified", 4, 0, 0),
        ("rerouted", 32, 32, 18),  # 58 minutes are allowed: what is older than 13 now is late in 45
    ]
    again = (await viewer.post("/reroutes/preview", json=narrow)).json()
    assert [(one["items"], one["kept"]) for one in again["nowhere"]] == [(4, 0), (32, 0)]
    assert (calm["nowhere"], again["sha256"]) == ([], calm["sha256"])


@pytest.mark.parametrize(
    ("path", "role"),
    [("/reroutes", "viewer"), ("/reroutes/r1/approve", "proposer"), ("/reroutes/alerts", "approver")],
)
async def test_a_role_does_no_more_than_it_says(path: str, role: str) -> None:
    """Viewers do not propose, proposers do not approve, people raise no alerts."""
    body = {"terms": TERMS, "preview_sha256": "0" * 64, "reason": "x", "alerts": []}
    assert (await FrontDesk().client(LIN, role).post(path, json=body)).status_code == 403


async def test_the_proposer_does_not_approve_whatever_their_role() -> None:
    """Not even with an approver's token: it is the person who counts."""
    desk = FrontDesk()
    answer = await approved(desk, await proposed(desk), LIN)
    assert (answer.status_code, answer.json()["code"]) == (403, "own_proposal")
    assert answer.headers["content-type"] == "application/problem+json"


async def test_the_same_key_is_the_same_command() -> None:
    """Sent again it finds its answer; with another content it is a conflict."""
    desk, key = FrontDesk(), {"Idempotency-Key": "k1"}
    first = await desk.client(LIN, "proposer").post("/reroutes", json={"terms": TERMS}, headers=key)
    again = await desk.client(LIN, "proposer").post("/reroutes", json={"terms": TERMS}, headers=key)
    assert first.json() == again.json()
    assert len(desk.room.book.orders) == 1
    other = {"terms": {**TERMS, "minutes": 61}}
    conflict = await desk.client(LIN, "proposer").post("/reroutes", json=other, headers=key)
    assert (conflict.status_code, conflict.json()["code"]) == (409, "conflict")


async def test_a_book_that_does_not_answer_leaves_the_command_pending() -> None:
    """202, and the command can be asked for later."""
    desk = FrontDesk()
    desk.mute = True
    answer = await desk.client(LIN, "proposer").post("/reroutes", json={"terms": TERMS})
    assert (answer.status_code, answer.json()["code"]) == (202, "pending")
    asked = await desk.client(LIN, "viewer").get(f"/reroute-commands/{answer.json()['command_id']}")
    assert asked.status_code == 404


async def test_a_misspelt_field_is_refused() -> None:
    """`break_glas` must not pass for a proposal."""
    answer = await FrontDesk().client(LIN, "proposer").post("/reroutes", json={"terms": TERMS, "break_glas": True})
    assert answer.status_code == 422


async def test_a_bus_that_says_nothing_is_told_in_time_with_what_to_do() -> None:
    """The client is still there to hear it; the command may come out of the bus later."""
    desk = FrontDesk()
    desk.hung = True
    answer = await desk.client(LIN, "proposer").post("/reroutes", json={"terms": TERMS})
    assert (answer.status_code, answer.json()["code"]) == (503, "broker_silent")
    for words in ("may still be carried out", "look at the orders before you send it again", "same Idempotency-Key"):
        assert words in answer.json()["detail"]


@pytest.mark.parametrize("words", ["yes", "false", 1, 0, [], {}])
async def test_what_is_true_or_false_is_said_so(words: object) -> None:
    """Whatever else could be taken for it: a glass is not broken by a guess."""
    client = FrontDesk().client(LIN, "on_call")
    for body in ({"terms": TERMS, "break_glass": words}, {"terms": {**TERMS, "drill": words}}):
        answer = await client.post("/reroutes", json=body)
        assert (answer.status_code, "true or false" in answer.text) == (422, True)
    assert (await client.post("/reroutes/preview", json={**TERMS, "drill": words})).status_code == 422


@pytest.mark.parametrize("words", ["30", True])
async def test_a_number_is_said_as_one(words: object) -> None:
    """In the terms, and where an order is kept for longer."""
    desk = FrontDesk()
    reroute_id = await proposed(desk)
    for part in ("minutes", "percent"):
        said = {"terms": {**TERMS, "effect": "shift", part: words}}
        answer = await desk.client(LIN, "proposer").post("/reroutes", json=said)
        assert (answer.status_code, f"a number in {part}" in answer.text) == (422, True)
    answer = await desk.client(CHEN, "approver").post(f"/reroutes/{reroute_id}/extend", json={**WHY, "minutes": words})
    assert (answer.status_code, "a number in minutes" in answer.text) == (422, True)


async def test_extend_end_cancel_refuse_and_review_reach_the_book() -> None:
    """Each verb has its path."""
    desk = FrontDesk()
    reroute_id = await proposed(desk)
    chen, lin = desk.client(CHEN, "approver"), desk.client(LIN, "proposer")
    assert (await chen.post(f"/reroutes/{reroute_id}/refuse", json=WHY)).status_code == 200
    second = await proposed_with_glass(desk)
    assert (await chen.post(f"/reroutes/{second}/review", json={"reason": "rightly so"})).status_code == 200
    assert (await chen.post(f"/reroutes/{second}/extend", json={"minutes": 5, **WHY})).status_code == 200
    assert (await lin.post(f"/reroutes/{second}/end", json=WHY)).status_code == 200
    assert (await lin.post(f"/reroutes/{second}/cancel", json=WHY)).status_code == 200
    assert desk.room.order(second).phase == "cancelled"


async def proposed_with_glass(desk: FrontDesk) -> str:
    """Lin breaks the glass."""
    body = {"terms": {**TERMS, "minutes": 20}, "break_glass": True}
    return str((await desk.client(LIN, "proposer").post("/reroutes", json=body)).json()["reroute_id"])


async def test_a_report_tells_the_whole_life_and_escapes_what_people_wrote() -> None:
    """Proposed, approved, in force, what moved; as a page without scripts."""
    desk = FrontDesk()
    reroute_id = await proposed(desk)
    await approved(desk, reroute_id)
    client = desk.client("au", "auditor")
    report = (await client.get(f"/reroutes/{reroute_id}")).json()
    assert [line["who"] for line in report["life"]] == [LIN, CHEN, ""]
    assert report["moved"] == [{"team_id": "north", "items": 7}]
    page = await client.get(f"/reroutes/{reroute_id}/report.html")
    assert "&lt;b&gt;smoke&lt;/b&gt;" in page.text
    assert "<b>smoke" not in page.text
    assert len((await client.get(f"/reroutes/{reroute_id}/history")).json()) == 3


async def test_a_rule_that_would_break_is_a_problem_that_names_it() -> None:
    """The approver reads which name to give."""
    desk = FrontDesk(RerouteRule(id="two", label="two", form="able_centres", step="review", minimum=2))
    answer = await approved(desk, await proposed(desk))
    assert answer.json()["code"] == "rules_broken"
    assert "two" in answer.json()["detail"]


ALERT = {
    "status": "firing",
    "labels": {"alertname": "CentreDown", "reroute": "evacuate", "reroute_centre": "n"},
    "annotations": {"summary": "Centre N answers no more"},
    "startsAt": "2026-03-02T02:00:00Z",
    "fingerprint": "abc",
}


async def test_a_firing_alert_becomes_one_proposal_however_often_it_is_told() -> None:
    """Resolved ones that proposed nothing and ones without the labels become nothing."""
    desk = FrontDesk()
    unknown = {**ALERT, "status": "resolved", "fingerprint": "another"}
    others = [unknown, {**ALERT, "labels": {"alertname": "Lag"}}]
    for _ in range(2):
        answer = await desk.client("alertmanager", "service").post(
            "/reroutes/alerts", json={"alerts": [ALERT, *others]}
        )
        assert answer.json()["passed_over"] == 2
    orders = list(desk.room.book.orders.values())
    assert [(order.phase, order.source, order.proposed_by) for order in orders] == [
        ("proposed", "alert", "alertmanager")
    ]


def alert(**labels: str) -> Mapping[str, object]:
    return {**ALERT, "labels": {"alertname": "CentreDown", **labels}}


async def told_alert(desk: FrontDesk, body: Mapping[str, object]) -> Any:
    answer = await desk.client("alertmanager", "service").post("/reroutes/alerts", json={"alerts": [body]})
    return answer.json()


async def test_an_alert_says_how_much_and_of_which_data() -> None:
    """Blanks after a comma are no part of a name; the id can be read out over the telephone."""
    desk = FrontDesk()
    labels = {"reroute": "shift", "reroute_centre": "n, s", "reroute_percent": "30", "reroute_data_class": "internal"}
    (proposal,) = (await told_alert(desk, alert(**labels, reroute_minutes="20")))["proposals"]
    order = desk.room.book.orders[proposal["reroute_id"]]
    assert (order.terms.percent, order.terms.minutes) == (30, 20)
    assert order.terms.scope == RerouteScope(centres=("n", "s"), data_classes=("internal",))
    assert len(order.reroute_id) == len("r-12345678")


@pytest.mark.parametrize(
    ("labels", "named"),
    [
        ({"reroute": "drain", "reroute_centre": "n", "reroute_dataclass": "personal"}, "reroute_dataclass"),
        ({"reroute": "drain", "reroute_centre": "n", "reroute_minutes": "an hour"}, "minutes"),
        ({"reroute": "shift", "reroute_centre": "n", "reroute_percent": "0"}, "percent"),
        ({"reroute": "dance", "reroute_centre": "n"}, "effect"),
        ({"reroute": "drain", "reroute_centre": "n", "reroute_provider": " , "}, "reroute_provider"),
    ],
)
async def test_an_alert_that_cannot_be_read_proposes_nothing_and_is_told(labels: dict[str, str], named: str) -> None:
    """A label that is not known might have narrowed the scope: without it more would move than was meant."""
    desk = FrontDesk()
    before = REGISTRY.get_sample_value("opsfloor_reroute_alerts_total", {"outcome": "unreadable"}) or 0
    (why,) = (await told_alert(desk, alert(**labels)))["unreadable"]
    assert named in why
    assert not desk.room.book.orders
    assert REGISTRY.get_sample_value("opsfloor_reroute_alerts_total", {"outcome": "unreadable"}) == before + 1


async def test_an_alert_whose_proposal_is_refused_is_counted() -> None:
    """No order shows it, and somebody waits for it."""
    before = REGISTRY.get_sample_value("opsfloor_reroute_alerts_total", {"outcome": "refused"}) or 0
    told = await told_alert(FrontDesk(), alert(reroute="drain", reroute_centre="nowhere"))
    assert ([refused["code"] for refused in told["refused"]], told["proposals"]) == (["scope_unknown"], [])
    assert REGISTRY.get_sample_value("opsfloor_reroute_alerts_total", {"outcome": "refused"}) == before + 1


async def test_alerts_leave_people_their_places() -> None:
    """A notification of a hundred: twenty become proposals, the others are told why not; then people propose as ever."""
    desk = FrontDesk()
    flood = [{**alert(reroute="drain", reroute_centre="n"), "fingerprint": f"f{n}"} for n in range(100)]
    answer = await desk.client("alertmanager", "service").post("/reroutes/alerts", json={"alerts": flood})
    told = answer.json()
    assert (len(told["proposals"]), {refused["code"] for refused in told["refused"]}) == (20, {"too_many_open"})
    assert "found 20; approve or refuse some first" in told["refused"][0]["detail"]
    assert desk.room.ask(ProposeReroute, LIN, "mine", terms=terms()) == "done"
    first = told["proposals"][0]["reroute_id"]
    assert desk.room.ask(RefuseReroute, LIN, first) == "done"
    assert len((await told_alert(desk, flood[-1]))["proposals"]) == 1


async def test_an_alert_that_goes_on_proposes_again_what_nobody_saw() -> None:
    """Not while it is proposed; after it expired, once; and not when a person said no."""
    desk = FrontDesk()
    (first,) = (await told_alert(desk, ALERT))["proposals"]
    assert (await told_alert(desk, ALERT))["proposals"] == [first]
    desk.room.wait(3_600)
    assert desk.room.order(first["reroute_id"]).phase == "expired"
    (second,) = (await told_alert(desk, ALERT))["proposals"]
    assert desk.room.order(second["reroute_id"]).phase == "proposed"
    assert second["reroute_id"] != first["reroute_id"]
    body = {"reason": "not needed"}
    await desk.client(CHEN, "approver").post(f"/reroutes/{second['reroute_id']}/refuse", json=body)
    decided = REGISTRY.get_sample_value("opsfloor_reroute_alerts_total", {"outcome": "decided"}) or 0
    (third,) = (await told_alert(desk, ALERT))["proposals"]
    assert (third["command_id"], third["reroute_id"], third["code"]) == (
        second["command_id"],
        second["reroute_id"],
        "decided",
    )
    assert f"{second['reroute_id']} is refused" in third["detail"]
    assert REGISTRY.get_sample_value("opsfloor_reroute_alerts_total", {"outcome": "decided"}) == decided + 1
    assert not list(desk.room.book.open_orders())


RESOLVED = {**ALERT, "status": "resolved"}


async def test_a_resolved_alert_withdraws_what_it_proposed() -> None:
    """Nobody who looks into the inbox agrees to what is needed no more; should it fire again, it proposes anew."""
    desk = FrontDesk()
    await told_alert(desk, ALERT)
    desk.room.wait(3_600)  # nobody saw the first one
    (second,) = (await told_alert(desk, ALERT))["proposals"]
    before = REGISTRY.get_sample_value("opsfloor_reroute_alerts_total", {"outcome": "withdrawn"}) or 0
    told = await told_alert(desk, RESOLVED)
    assert ([one["reroute_id"] for one in told["withdrawn"]], told["passed_over"]) == ([second["reroute_id"]], 0)
    order = desk.room.order(second["reroute_id"])
    assert (order.phase, order.over_because) == ("cancelled", "the alert has resolved")
    assert REGISTRY.get_sample_value("opsfloor_reroute_alerts_total", {"outcome": "withdrawn"}) == before + 1
    assert (await told_alert(desk, RESOLVED))["passed_over"] == 1
    for again in (ALERT, {**ALERT, "startsAt": "2026-03-02T05:00:00Z"}):
        (third,) = (await told_alert(desk, again))["proposals"]
        assert desk.room.order(third["reroute_id"]).phase == "proposed"


async def test_what_people_agreed_to_stays_when_its_alert_resolves() -> None:
    """In force it is theirs to end; and nobody withdraws so what somebody else proposed."""
    desk = FrontDesk()
    (proposal,) = (await told_alert(desk, ALERT))["proposals"]
    await approved(desk, proposal["reroute_id"])
    told = await told_alert(desk, RESOLVED)
    assert (told["withdrawn"], told["passed_over"]) == ([], 1)
    assert desk.room.order(proposal["reroute_id"]).phase == "active"
    assert desk.room.ask(CancelReroute, "alertmanager", proposal["reroute_id"]) == "not_authorised"
    assert desk.room.ask(ProposeReroute, LIN, "mine", terms=terms(scope=RerouteScope(centres=("s",)))) == "done"
    assert desk.room.ask(CancelReroute, "alertmanager", "mine") == "not_authorised"


async def test_an_alert_that_was_refused_by_a_rule_proposes_again() -> None:
    """The equal order that stood against it is over."""
    desk = FrontDesk()
    await approved(desk, await proposed(desk))
    (refused,) = (await told_alert(desk, ALERT))["refused"]
    assert refused["code"] == "same_scope_in_force"
    body = {"reason": "over"}
    await desk.client(LIN, "proposer").post(f"/reroutes/{next(iter(desk.room.book.orders))}/cancel", json=body)
    (again,) = (await told_alert(desk, ALERT))["proposals"]
    assert again["code"] == "done"


async def test_a_report_tells_what_waits_with_nobody() -> None:
    """For the proposer and for whoever looks: the report, its page, the floor."""
    desk = FrontDesk()
    reroute_id = await proposed(desk)
    await approved(desk, reroute_id)
    desk.waiting = (Waits("rerouted", "transfer/review", (reroute_id,), 3, desk.room.now),)
    client = desk.client("vi", "viewer")
    assert (await client.get(f"/reroutes/{reroute_id}")).json()["unplaceable"] == 3
    assert "3 items" in (await client.get(f"/reroutes/{reroute_id}/report.html")).text
    desk.room.now += timedelta(minutes=64)  # over by its own clock; placement tries what waits again in a moment
    assert (await client.get(f"/reroutes/{reroute_id}")).json()["unplaceable"] == 0
    work = {part["work_type"]: part for part in (await client.get("/reroute-floor")).json()["work"]}
    assert (work["transfer/review"]["nowhere"], work["transfer/review"]["nowhere_because"]) == (3, ["rerouted"])


async def test_blanks_are_no_reason() -> None:
    """Neither for a proposal nor for anything else that must be answered for."""
    desk = FrontDesk()
    reroute_id = await proposed(desk)
    blank = {"reason": "  "}
    assert (await desk.client(LIN, "proposer").post(f"/reroutes/{reroute_id}/cancel", json=blank)).status_code == 422
    body = {"terms": {"effect": "drain", "scope": {"centres": ["n"]}, "minutes": 5, "reason": " "}}
    assert (await desk.client(LIN, "proposer").post("/reroutes", json=body)).status_code == 422


async def test_an_unknown_reroute_is_not_found() -> None:
    """By every path."""
    client = FrontDesk().client(CHEN, "approver")
    assert (await client.get("/reroutes/none")).status_code == 404
    assert (await client.post("/reroutes/none/refuse", json=WHY)).status_code == 404


async def test_the_calendar_tells_what_comes_what_came_of_it_and_what_is_unproved() -> None:
    """Before its first drill a centre is unproved; announced, the drill is under way; afterwards its outcome stands."""
    desk = FrontDesk(room=DrillRoom())
    client = desk.client("vi", "viewer")
    before = (await client.get("/reroutes/drills")).json()
    assert before["entries"][0]["next_at"] == "2026-03-02T02:30:00Z"
    assert [(p["noun"], p["id"], p["unproved_because"]) for p in before["points"]] == [
        ("centre", "n", "no drill was ever held"),
        ("centre", "s", "no drill was ever held"),
        ("centre", "v", "no drill was ever held"),
        ("provider", "keyers", "no drill was ever held"),
    ]
    desk.hear(desk.room.wait(20 * 60))
    announced = (await client.get("/reroutes/drills")).json()
    assert announced["entries"][0]["under_way"]["reroute_id"] == DRILL
    assert announced["points"][0]["entries"] == ["north-weekly"]
    await desk.client(LIN, "proposer").post(f"/reroutes/{DRILL}/cancel", json={"reason": "not today"})
    after = (await client.get("/reroutes/drills")).json()
    assert after["entries"][0]["under_way"] is None
    assert after["entries"][0]["last"]["outcome"]["outcome"] == "not_held"
    assert after["points"][0]["unproved_because"] == "no drill was ever passed"


@pytest.mark.parametrize(("summary", "reason"), [(" ", "CentreDown"), ("\x07\x07", "CentreDown"), ("smoke", "smoke")])
async def test_an_alert_without_words_still_proposes(summary: str, reason: str) -> None:
    """The emergency is there, whatever came out of somebody's template."""
    desk = FrontDesk()
    body = {**alert(reroute="drain", reroute_centre="n"), "annotations": {"summary": summary}}
    (proposal,) = (await told_alert(desk, body))["proposals"]
    assert desk.room.book.orders[proposal["reroute_id"]].terms.reason == reason


async def test_rules_are_named_by_whoever_starts_it() -> None:
    """Named with a proposal they would be forgotten without a word."""
    body = {
        "terms": {"effect": "drain", "scope": {"centres": ["n"]}, "minutes": 5, "reason": "x"},
        "override_rules": ["two"],
    }
    answer = await FrontDesk().client(LIN, "proposer").post("/reroutes", json=body)
    assert (answer.status_code, "override_rules with break_glass" in answer.text) == (422, True)


async def held_drill(desk: FrontDesk, begins: timedelta) -> str:
    """A drill of the north of 30 minutes in force, a window of two hours later on in which none may be held."""
    opens = NOW.astimezone(ZoneInfo("Asia/Shanghai")) + begins
    closes = opens + timedelta(hours=2)
    window = RerouteRule(
        id="cut-off",
        label="busy",
        form="blocked_window",
        begins=f"{opens:%H:%M}",
        ends=f"{closes:%H:%M}",
        drills_only=True,
    )
    REFERENCE_BOARD.fold(desk.room.views["reference"], window.key, window)
    reroute_id = await proposed(desk, effect="drain", minutes=30, drill=True)
    assert desk.room.approve(CHEN, reroute_id) == "done"
    return reroute_id


@pytest.mark.parametrize(("minutes", "refused"), [(30, False), (31, True)])
async def test_who_would_keep_a_drill_sees_that_it_would_lie_in_a_blocked_window(minutes: int, refused: bool) -> None:
    """Beforehand, in the words in which the extension is refused: counted from its end, as the extension is."""
    desk = FrontDesk()
    desk.room.tell_load(desk_load("north", ("ann", "bob")))  # nothing waits, so that a drill makes nothing late
    name = await held_drill(desk, timedelta(hours=1))
    shown = (await desk.client(LIN, "viewer").get(f"/reroutes/{name}/stay", params={"minutes": minutes})).json()
    answer = await desk.client(CHEN, "approver").post(
        f"/reroutes/{name}/extend", json={"reason": "more", "minutes": minutes}
    )
    assert (shown["drill_refused"] is not None, answer.status_code == 409) == (refused, refused)
    if refused:
        assert shown["drill_refused"] == answer.json()["detail"]
        assert "Expected no drill between 11:00 and 13:00" in shown["drill_refused"]


@pytest.mark.parametrize(
    ("minutes", "later", "code"), [(5, 64, "wrong_phase"), (4320, 0, "too_long"), (5, 62, None), (60, 0, None)]
)
async def test_who_would_keep_an_order_hears_beforehand_that_it_cannot_be(
    minutes: int, later: int, code: str | None
) -> None:
    """It is over by its own instants, noted or not; or would be in force for too long. Looking and doing say the same."""
    desk = FrontDesk()
    name = await proposed(desk)
    assert desk.room.approve(CHEN, name) == "done"
    desk.room.now += timedelta(minutes=later)
    looked = await desk.client(LIN, "viewer").get(f"/reroutes/{name}/stay", params={"minutes": minutes})
    done = await desk.client(CHEN, "approver").post(
        f"/reroutes/{name}/extend", json={"reason": "more", "minutes": minutes}
    )
    if code is None:
        assert (looked.status_code, done.status_code) == (200, 200)
    else:
        assert looked.json()["detail"] == done.json()["detail"]
        assert (looked.status_code, looked.json()["code"]) == (done.status_code, done.json()["code"]) == (409, code)


async def test_a_drill_over_by_its_own_end_is_not_called_under_way() -> None:
    """The broker is away, so that the book notes nothing: it comes back by its own instants, and is over by them."""
    desk = FrontDesk(room=DrillRoom())
    desk.room.wait(30 * 60)
    began = desk.room.now
    assert desk.room.order(DRILL).phase == "active"
    viewer = desk.client(LIN, "viewer")
    seen = []
    for minutes in (29, 31, 34):
        desk.room.now = began + timedelta(minutes=minutes)
        seen.append((await viewer.get("/reroutes/drills")).json()["entries"][0]["under_way"]["phase"])
    assert seen == ["active", "returning", "over by its own clock"]
    page = await viewer.get(f"/reroutes/{DRILL}/report.html")
    assert "over by its own clock" in page.text
