"""Signing on, the next item, accept, decline, complete: over the real desk."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from services.routing.desk.state import Answer, DeskItem, DeskOperator
from services.routing.workbench.answers import Answers
from shared.contracts.routing import CompleteAssignment, WorkCompleted
from shared.contracts.work import ShownField, Wanted
from shared.runtime.patience import within
from tests.unit.routing.floor import order, stand
from tests.unit.workbench.test_tailer import ASSIGNED
from tests.unit.workbench.window import LATER, RESULT, SLICE, Window

ENDPOINTS: list[tuple[str, str, Any]] = [
    ("POST", "/sign-on", None),
    ("POST", "/sign-off", None),
    ("POST", "/pause", {"reason": "lunch"}),
    ("POST", "/resume", None),
    ("POST", "/pick", {"work_item_id": "item-1", "reason": "the branch calls"}),
    ("GET", "/commands/some-command", None),
    ("GET", "/next", None),
    ("POST", "/take", None),
    ("POST", "/assignment/item-1/accept", {"attempt": 1}),
    ("POST", "/assignment/item-1/decline", {"attempt": 1, "reason": "torn"}),
    ("PUT", "/assignment/item-1/draft", {"attempt": 1, "revision": 1, "value": "12"}),
    ("POST", "/assignment/item-1/complete", RESULT),
    ("GET", "/assignment/item-1/slice?attempt=1", None),
    ("GET", f"/assignment/item-1/images/{SLICE.image_sha256}?attempt=1", None),
]


@pytest.fixture
def window() -> Window:
    return Window()


@pytest.fixture(scope="module")
def shut() -> Window:
    """A face that lets nobody in, for tests of which none changes anything behind it."""
    return Window()


def completions(window: Window, team: str = "north") -> int:
    """How many results the desk gave out."""
    return sum(isinstance(fact, WorkCompleted) for fact in window.desks.by_team[team].facts)


@pytest.mark.parametrize(("method", "path", "body"), ENDPOINTS)
async def test_every_endpoint_wants_a_token(shut: Window, method: str, path: str, body: Any) -> None:
    """Without a token nothing of the workbench answers."""
    assert (await shut.anonymous().request(method, path, json=body)).status_code == 401


@pytest.mark.parametrize("role", ["team_leader", "auditor", "vendor_manager", "on_call", "branch", "service"])
@pytest.mark.parametrize(("method", "path", "body"), ENDPOINTS)
async def test_every_endpoint_wants_an_operator(shut: Window, method: str, path: str, body: Any, role: str) -> None:
    """No other role does an operator's work, not even with an operator's name."""
    answer = await shut.client("anna", role=role).request(method, path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (403, "wrong_role")


@pytest.mark.parametrize(
    ("subject", "team", "claims", "code"),
    [
        ("anna", None, {}, "no_team"),
        ("anna", "south", {}, "wrong_team"),
        ("anna", "nowhere", {}, "wrong_team"),
        ("nobody", "north", {}, "unknown_operator"),
        ("anna", "north", {"provider_id": "keyers"}, "wrong_provider"),
    ],
)
@pytest.mark.parametrize(("method", "path", "body"), ENDPOINTS)
async def test_token_and_reference_must_agree(
    shut: Window, method: str, path: str, body: Any, subject: str, team: str | None, claims: dict[str, str], code: str
) -> None:
    """A token whose team or provider is not the operator's own in the reference opens nothing and publishes nothing."""
    answer = await shut.client(subject, team, **claims).request(method, path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (403, code)
    assert shut.desks.published == []


async def test_an_operator_works_from_sign_on_to_sign_off(window: Window) -> None:
    """The whole round: nothing, an offer, in hand, done, gone; every answer is the desk's own."""
    anna = window.client("anna")
    assert (await anna.get("/next")).json()["code"] == "not_signed_on"
    signed = (await anna.post("/sign-on")).json()
    assert (signed["state"], signed["answer"]) == ("taken", "ready")
    assert (await anna.get("/next")).status_code == 204
    window.desks.place(order(slice=SLICE))
    offered = (await anna.get("/next")).json()
    assert (offered["work_item_id"], offered["state"], offered["attempt"]) == ("item-1", "offered", 1)
    assert (await anna.post("/assignment/item-1/accept", json={"attempt": 1})).json()["answer"] == "taken"
    assert (await anna.get("/next")).json()["state"] == "in_hand"
    done = await anna.post("/assignment/item-1/complete", json=RESULT)
    assert (done.status_code, done.json()["answer"]) == (200, "completed")
    assert (await anna.get(f"/commands/{done.json()['command_id']}")).json()["answer"] == "completed"
    assert (await anna.get("/next")).status_code == 204
    assert (await anna.post("/sign-off")).json()["answer"] == "signed_off"
    assert completions(window) == 1


async def test_a_suspended_operator_is_told_so_and_why(window: Window) -> None:
    """At the sign-on, which is taken, and whenever they ask; a colleague's standing is none of their business."""
    anna, ben = window.client("anna"), window.client("ben")
    stand(window.desks.views, "operator", "anna", "suspended")
    signed = (await anna.post("/sign-on")).json()
    assert (signed["answer"], signed["standing"]["standing"], signed["standing"]["whose"]) == (
        "ready",
        "suspended",
        "yours",
    )
    assert signed["standing"]["reason"] == window.desks.views["standing"].operators["anna"].reason != ""
    assert signed["standing"]["reason"] in signed["standing"]["detail"]
    assert "team leader" in signed["standing"]["detail"]
    assert "your own standing is suspended" in signed["standing"]["detail"]
    assert "vendor" not in signed["standing"]["detail"], "the bank's own people have none"
    assert (await anna.get("/standing")).json() == signed["standing"]
    told = (await ben.post("/sign-on")).json()["standing"]
    assert (told["standing"], told["detail"], told["since"]) == ("allowed", "", None)


async def test_people_of_a_suspended_vendor_are_told_that_it_is_not_they(window: Window) -> None:
    """Their own standing is as it was; no work comes all the same."""
    vera = window.client("vera", "vendor")
    stand(window.desks.views, "operator", "vera", "probation")
    assert (await vera.get("/standing")).json()["standing"] == "probation"
    stand(window.desks.views, "provider", window.desks.views["reference"].teams["vendor"].provider_id, "suspended")
    told = (await vera.post("/sign-on")).json()["standing"]
    assert (told["standing"], told["whose"]) == ("suspended", "your provider's")
    assert "your provider's standing is suspended" in told["detail"]
    assert "the vendor manager decides" in told["detail"]


async def test_what_an_operator_is_told_names_no_image_and_no_colleague(window: Window) -> None:
    """The assignment says that there is a slice, not of which image, and not who is excluded."""
    anna = await window.in_hand(excluded_operators=("ben",), excluded_teams=("south",))
    told = (await anna.get("/next")).text
    assert SLICE.image_sha256 not in told
    assert "ben" not in told
    assert "south" not in told


async def test_a_long_poll_is_woken_by_an_offer(window: Window) -> None:
    """Who waits for work has it as soon as the log tells, long before the poll would look by itself."""
    anna = window.client("anna")
    await anna.post("/sign-on")
    waiting = asyncio.create_task(anna.get("/next", params={"wait_seconds": 30}, timeout=60))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    window.desks.place(order(slice=SLICE))
    answer = await within(1, waiting)
    assert answer.json()["work_item_id"] == "item-1"


async def test_a_long_poll_ends_empty_handed_in_time(window: Window) -> None:
    """With no work a poll ends after the seconds that were asked for; beyond 30 nobody may ask."""
    anna = window.client("anna")
    await anna.post("/sign-on")
    assert (await within(1, anna.get("/next", params={"wait_seconds": 0.05}))).status_code == 204
    assert (await anna.get("/next", params={"wait_seconds": 31})).status_code == 422


async def test_a_long_poll_looks_by_itself_when_the_log_is_silent(
    window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An offer that the log never told is found in the desk's rows."""
    monkeypatch.setattr("services.routing.workbench.api.LOOK_AGAIN_SECONDS", 0.02)
    anna = window.client("anna")
    await anna.post("/sign-on")
    window.desks.mute = True
    waiting = asyncio.create_task(anna.get("/next", params={"wait_seconds": 30}, timeout=60))
    await asyncio.sleep(0.05)
    window.desks.place(order(slice=SLICE))
    assert (await within(1, waiting)).json()["work_item_id"] == "item-1"


async def test_the_next_item_is_taken_in_one_go(window: Window, monkeypatch: pytest.MonkeyPatch) -> None:
    """`POST /take` waits for the offer and accepts it; asked again it shows the item in hand and publishes nothing. No earlier
    answer is looked for, as the offer that was just read has none."""
    anna = window.client("anna")
    await anna.post("/sign-on")
    assert (await anna.post("/take")).status_code == 204
    waiting = asyncio.create_task(anna.post("/take", params={"wait_seconds": 30}, timeout=60))
    await asyncio.sleep(0.05)
    looked_for: list[str] = []
    real = window.desks.answer

    async def looked(team_id: str, operator_id: str, command_id: str) -> Answer | None:
        looked_for.append(command_id)
        return await real(team_id, operator_id, command_id)

    monkeypatch.setattr(window.desks, "answer", looked)
    window.desks.place(order(slice=SLICE))
    taken = (await within(1, waiting)).json()
    assert (taken["work_item_id"], taken["state"], taken["attempt"]) == ("item-1", "in_hand", 1)
    assert looked_for == []
    published = len(window.desks.published)
    assert (await anna.post("/take")).json() == taken
    assert len(window.desks.published) == published
    assert (await anna.post("/assignment/item-1/complete", json=RESULT)).json()["answer"] == "completed"


async def test_an_item_that_was_taken_back_meanwhile_is_not_in_hand(
    window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An offer whose lease ran out before it was accepted is a conflict, not work."""
    anna = window.client("anna")
    await anna.post("/sign-on")
    window.desks.place(order(slice=SLICE))
    as_offered = dict(window.desks.rows("north"))
    window.desks.wait("north", 3600)
    monkeypatch.setattr(window.desks, "rows", lambda team: as_offered)
    assert (await anna.post("/take")).status_code == 409


async def test_a_result_handed_in_twice_counts_once(window: Window) -> None:
    """The same completion again gives the same answer under the same command id, and the desk hears it once."""
    anna = await window.in_hand()
    first = await anna.post("/assignment/item-1/complete", json=RESULT)
    published = len(window.desks.published)
    again = await anna.post("/assignment/item-1/complete", json=RESULT)
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert len(window.desks.published) == published
    assert completions(window) == 1


async def test_the_same_result_again_is_the_same_command_whatever_time_is_said(window: Window) -> None:
    """Without a key a client that measures anew gets its first answer, also from a process that has heard nothing."""
    anna = await window.in_hand()
    first = await anna.post("/assignment/item-1/complete", json=RESULT)
    later = {**RESULT, "handle_seconds": RESULT["handle_seconds"] + 4.0}
    again = await anna.post("/assignment/item-1/complete", json=later)
    window.app = window.face(window.started_anew(Answers()))
    from_rows = await window.client("anna").post("/assignment/item-1/complete", json=later)
    assert [answer.status_code for answer in (again, from_rows)] == [200, 200]
    assert again.json() == from_rows.json() == first.json()
    assert completions(window) == 1


async def test_of_a_conflict_alone_the_first_answer_is_looked_up(window: Window) -> None:
    """Who sent two times before the desk answered, and is asked by a process that heard only the second, is told the first."""
    anna = await window.in_hand()
    first = await anna.post("/assignment/item-1/complete", json=RESULT)
    command, _ = window.desks.published[-1]
    assert isinstance(command, CompleteAssignment)
    heard = Answers()
    window.desks.answers = heard
    window.desks.meet("north", command.model_copy(update={"handle_seconds": 99.0}))
    window.app = window.face(window.started_anew(heard))
    known = heard.to("anna", command.command_id)
    assert known is not None
    assert known.answer == "conflict"
    told = await window.client("anna").get(f"/commands/{first.json()['command_id']}")
    assert told.json()["answer"] == "completed"


async def test_a_result_handed_in_twice_at_once_counts_once(window: Window) -> None:
    """Two copies under way together are one command to the desk."""
    anna = await window.in_hand()
    answers = await asyncio.gather(*(anna.post("/assignment/item-1/complete", json=RESULT) for _ in range(3)))
    assert {answer.json()["answer"] for answer in answers} == {"completed"}
    assert completions(window) == 1


async def test_another_process_knows_the_answer_from_the_rows(window: Window) -> None:
    """A workbench that started after the completion answers the same command from the desk's rows."""
    anna = await window.in_hand()
    first = await anna.post("/assignment/item-1/complete", json=RESULT)
    window.app = window.face(window.started_anew(Answers()))
    published = len(window.desks.published)
    again = await window.client("anna").post("/assignment/item-1/complete", json=RESULT)
    assert again.json()["answer"] == first.json()["answer"] == "completed"
    assert len(window.desks.published) == published


async def test_the_same_key_with_other_content_is_a_conflict(window: Window) -> None:
    """An Idempotency-Key stands for one content; the first answer stays."""
    anna = await window.in_hand()
    key = {"Idempotency-Key": "my-key"}
    assert (await anna.post("/assignment/item-1/complete", json=RESULT, headers=key)).json()["command_id"] == "my-key"
    other = {**RESULT, "outcome": {"form": "keyed", "value": "9,999.00"}}
    answer = await anna.post("/assignment/item-1/complete", json=other, headers=key)
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert "command my-key as it was first sent" in answer.json()["detail"]
    assert (await anna.get("/commands/my-key")).json()["answer"] == "completed"
    assert completions(window) == 1


async def test_a_refused_result_may_be_handed_in_mended(window: Window) -> None:
    """Without a key: what was refused for its form stands in nobody's way, and is refused again when it comes again."""
    anna = await window.in_hand()
    wrong = {**RESULT, "outcome": {"form": "review", "passed": True}}
    for _ in range(2):
        assert (await anna.post("/assignment/item-1/complete", json=wrong)).json()["code"] == "wrong_outcome"
    assert (await anna.post("/assignment/item-1/complete", json=RESULT)).json()["answer"] == "completed"
    assert completions(window) == 1


@pytest.mark.parametrize(
    "outcome",
    [
        {"form": "review", "passed": "yes"},
        {"form": "review", "passed": 1},
        {"form": "review", "passed": True, "wrong-fields": ["amount"]},
        {"form": "authorisation", "granted": "true"},
        {"form": "keyed", "value": "12.00", "values": ["13.00"]},
        {"form": "no-such-form", "value": "12.00"},
    ],
)
async def test_a_verdict_that_is_not_quite_one_is_no_other(window: Window, outcome: dict[str, Any]) -> None:
    """What is mistyped is refused before any desk hears of it: dropped or guessed, it would say the opposite."""
    anna = await window.in_hand()
    answer = await anna.post("/assignment/item-1/complete", json={**RESULT, "outcome": outcome})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert completions(window) == 0


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        ({"form": "review", "passed": False}, "to name fields"),
        (
            {"form": "review", "passed": True, "wrong_fields": ["amount"]},
            "a passed one to name none",
        ),
        (
            {"form": "review", "passed": False, "wrong_fields": ["seal"]},
            "shown (amount), found seal",
        ),
    ],
)
async def test_what_controls_would_not_take_is_refused_in_hand(
    window: Window, outcome: dict[str, Any], said: str
) -> None:
    """The person is told, keeps the item, and hands in a mended result."""
    shown = (ShownField(name="amount", label="Amount", values=("12.00",)),)
    anna = await window.in_hand(shown=shown, step="review")
    answer = await anna.post("/assignment/item-1/complete", json={**RESULT, "outcome": outcome})
    assert (answer.status_code, answer.json()["code"]) == (409, "wrong_outcome")
    assert said in answer.json()["detail"]
    mended = {"form": "review", "passed": True}
    again = await anna.post("/assignment/item-1/complete", json={**RESULT, "outcome": mended})
    assert again.json()["answer"] == "completed"


async def test_a_ruling_that_is_no_amount_is_refused_in_hand(window: Window) -> None:
    """One slip of the keys ends no case: the arbitrator is told, keeps the item, and hands in what they meant."""
    anna = await window.in_hand(step="arbitration", wanted=Wanted(form="amount", currency="CNY"))
    slip, meant = ({**RESULT, "outcome": {"form": "ruling", "value": value}} for value in ("1250.00.", "1250.00"))
    answer = await anna.post("/assignment/item-1/complete", json=slip)
    assert (answer.status_code, answer.json()["code"]) == (409, "wrong_outcome")
    assert "or rule it unreadable" in answer.json()["detail"]
    assert (await anna.post("/assignment/item-1/complete", json=meant)).json()["answer"] == "completed"


async def test_an_arbitrator_may_rule_that_nobody_can_read_it(window: Window) -> None:
    """In so many words, with nothing beside them."""
    anna = await window.in_hand(step="arbitration", wanted=Wanted(form="amount", currency="CNY"))
    unreadable = {**RESULT, "outcome": {"form": "ruling", "value": "", "unreadable": True}}
    assert (await anna.post("/assignment/item-1/complete", json=unreadable)).json()["answer"] == "completed"


async def test_who_has_an_item_is_not_told_to_somebody_else(window: Window) -> None:
    """Nor by a pick: a refusal names nobody but who asked."""
    await window.in_hand()
    ben = window.client("ben")
    await ben.post("/sign-on")
    for path, body in (("complete", RESULT), ("decline", {"attempt": 1, "reason": "mine"})):
        answer = await ben.post(f"/assignment/item-1/{path}", json=body)
        assert (answer.status_code, answer.json()["code"]) == (409, "superseded")
        assert "anna" not in answer.text
    picked = await ben.post("/pick", json={"work_item_id": "item-1", "reason": "urgent"})
    assert picked.status_code == 409
    assert "anna" not in picked.text


async def test_two_operators_may_choose_the_same_key(window: Window) -> None:
    """A key belongs to its operator: nobody can take another's command away by guessing its id."""
    key = {"Idempotency-Key": "same"}
    anna, ben = window.client("anna"), window.client("ben")
    assert (await anna.post("/sign-on", headers=key)).json()["answer"] == "ready"
    assert (await ben.get("/commands/same")).json()["state"] == "pending"
    assert (await ben.post("/sign-on", headers=key)).json()["answer"] == "ready"
    assert len({event_id for _, event_id in window.desks.published}) == 2


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"attempt": 2}, "superseded"),
        ({"outcome": {"form": "review", "passed": True}}, "wrong_outcome"),
    ],
)
async def test_a_refusal_of_the_desk_is_a_problem(window: Window, changes: dict[str, Any], code: str) -> None:
    """What the desk refuses is a 409 with the desk's own code and sentence, and the item stays in hand."""
    anna = await window.in_hand()
    answer = await anna.post("/assignment/item-1/complete", json={**RESULT, **changes})
    assert (answer.status_code, answer.json()["code"]) == (409, code)
    assert answer.json()["detail"].startswith("Expected ")
    assert (await anna.get("/next")).json()["state"] == "in_hand"
    assert completions(window) == 0


async def test_nobody_completes_a_colleagues_item(window: Window) -> None:
    """The desk refuses the result of whoever has not the item in hand; the right one still counts."""
    anna = await window.in_hand()
    ben = window.client("ben")
    await ben.post("/sign-on")
    answer = await ben.post("/assignment/item-1/complete", json=RESULT)
    assert (answer.status_code, answer.json()["code"]) == (409, "superseded")
    assert (await anna.post("/assignment/item-1/complete", json=RESULT)).status_code == 200


async def test_a_declined_item_goes_to_a_colleague(window: Window) -> None:
    """Decline gives the item back with its reason; somebody else is offered it as the next attempt."""
    anna, ben = await window.in_hand(), window.client("ben")
    await ben.post("/sign-on")
    answer = await anna.post("/assignment/item-1/decline", json={"attempt": 1, "reason": "illegible"})
    assert (answer.status_code, answer.json()["answer"]) == (200, "declined")
    assert (await anna.get("/next")).status_code == 204
    assert (await ben.get("/next")).json()["attempt"] == 2


async def test_a_desk_that_is_silent_leaves_the_command_pending(window: Window) -> None:
    """Without an answer it is a 202, told apart from taken; once the desk works the same command is found taken."""
    anna = await window.in_hand()
    window.desks.deaf = True
    answer = await anna.post("/assignment/item-1/complete", json=RESULT)
    assert (answer.status_code, answer.json()["state"]) == (202, "pending")
    asked = await anna.get(f"/commands/{answer.json()['command_id']}")
    assert asked.json()["state"] == "pending"
    for pending in (answer, asked):
        assert pending.headers["retry-after"] == "2"
        assert "it counts once" in pending.json()["detail"]
    window.desks.deaf = False
    command, _ = window.desks.published[-1]
    window.desks.meet("north", command)
    assert (await anna.get(f"/commands/{answer.json()['command_id']}")).json()["state"] == "taken"


async def test_a_bus_that_says_nothing_is_told_in_time_with_what_to_do(window: Window) -> None:
    """The client is still there to hear it; the same request again works once the bus does."""
    anna = await window.in_hand()
    window.desks.hung = True
    answer = await anna.post("/assignment/item-1/complete", json=RESULT)
    assert (answer.status_code, answer.json()["code"]) == (503, "broker_silent")
    assert "look at your work before you send it again" in answer.json()["detail"]
    window.desks.hung = False
    assert (await anna.post("/assignment/item-1/complete", json=RESULT)).status_code == 200


async def test_a_bus_that_is_away_is_told_and_nothing_is_lost(window: Window) -> None:
    """The command was not taken: 503, and the same request again works."""
    anna = await window.in_hand()
    window.desks.away = True
    answer = await anna.post("/assignment/item-1/complete", json=RESULT)
    assert (answer.status_code, answer.json()["code"]) == (503, "dependency_away")
    assert "broker's address" not in answer.text
    window.desks.away = False
    assert (await anna.post("/assignment/item-1/complete", json=RESULT)).status_code == 200


async def test_who_let_a_lease_run_out_is_told_to_sign_on_again(window: Window) -> None:
    """An operator marked away gets no work and a reason."""
    anna = await window.in_hand()
    window.desks.wait("north", LATER)
    answer = await anna.get("/next", params={"wait_seconds": 5})
    assert (answer.status_code, answer.json()["code"]) == (409, "not_signed_on")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"attempt": 0},
        {**RESULT, "handle_seconds": -1},
        {**RESULT, "outcome": {"form": "dance"}},
        {**RESULT, "outcome": {"form": "keyed", "value": "x" * 501}},
    ],
)
async def test_a_result_of_the_wrong_form_is_not_published(window: Window, body: dict[str, Any]) -> None:
    """What breaks the form is refused at the face; the desk never hears of it."""
    anna = await window.in_hand()
    published = len(window.desks.published)
    answer: httpx.Response = await anna.post("/assignment/item-1/complete", json=body)
    assert answer.status_code == 422
    assert len(window.desks.published) == published


async def test_an_offer_that_is_gone_again_does_not_make_the_poll_spin(
    window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Woken for an item that the rows no longer hold, a poll looks once and waits on."""
    looks = 0
    real = window.desks.seated

    async def counted(team_id: str, operator_id: str) -> tuple[DeskOperator | None, DeskItem | None]:
        nonlocal looks
        looks += 1
        await asyncio.sleep(0)
        return await real(team_id, operator_id)

    monkeypatch.setattr(window.desks, "seated", counted)
    anna = window.client("anna")
    await anna.post("/sign-on")
    waiting = asyncio.create_task(anna.get("/next", params={"wait_seconds": 0.2}))
    await asyncio.sleep(0.05)
    window.answers.hear(ASSIGNED)
    assert (await waiting).status_code == 204
    assert looks == 3  # at first, when woken, at the end


async def test_an_operator_pauses_after_what_is_in_hand_and_resumes(window: Window) -> None:
    """The result still counts, then nothing comes until they resume; a pause is no sign-off."""
    anna = await window.in_hand()
    assert (await anna.post("/pause", json={"reason": "lunch"})).json()["answer"] == "paused"
    assert (await anna.get("/next")).json()["state"] == "in_hand"
    window.desks.place(order("item-2"))
    assert (await anna.post("/assignment/item-1/complete", json=RESULT)).json()["answer"] == "completed"
    assert (await anna.get("/next")).status_code == 204
    assert (await anna.post("/resume")).json()["answer"] == "resumed"
    assert (await anna.get("/next")).json()["work_item_id"] == "item-2"


async def test_an_operator_picks_a_certain_item_with_a_reason(window: Window) -> None:
    """It is offered instead of what the desk had chosen; after a restart the answer still stands in the rows."""
    anna = window.client("anna")
    window.desks.place(order("urgent", due_seconds=900))
    window.desks.place(order("quiet", due_seconds=9000))
    await anna.post("/sign-on")
    picked = await anna.post("/pick", json={"work_item_id": "quiet", "reason": "the branch calls"})
    assert (picked.status_code, picked.json()["answer"]) == (200, "picked")
    assert (await anna.get("/next")).json()["work_item_id"] == "quiet"
    window.app = window.face(window.started_anew(Answers()))
    path = f"/commands/{picked.json()['command_id']}"
    assert (await window.client("anna").get(path)).json()["answer"] == "picked"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/pause", {}),
        ("/pause", {"reason": "no mood"}),
        ("/pick", {"work_item_id": "item-1"}),
        ("/pick", {"work_item_id": "item-1", "reason": ""}),
        ("/pick", {"work_item_id": "item-1", "reason": "x" * 201}),
    ],
)
async def test_no_pause_and_no_pick_without_a_reason(window: Window, path: str, body: dict[str, str]) -> None:
    """The reason is what is recorded, so there must be one."""
    assert (await window.client("anna").post(path, json=body)).status_code == 422
    assert window.desks.published == []


@pytest.mark.parametrize(
    ("path", "body", "key"),
    [
        ("/pick", {"work_item_id": "a\0b", "reason": "the branch calls"}, "k"),
        ("/pick", {"work_item_id": "\u202e", "reason": "the branch calls"}, "k"),
        ("/pause", {"reason": "lunch"}, "a\tb"),
        ("/assignment/item-1/accept", {"attempt": 10**30}, "k"),
        ("/assignment/item-1/complete", {**RESULT, "outcome": {**RESULT["outcome"], "value": "a\0b"}}, "k"),
        ("/assignment/item-1/decline", {"attempt": 1, "reason": "a\0b"}, "k"),
    ],
)
async def test_what_no_id_and_no_number_can_be_is_refused(window: Window, path: str, body: Any, key: str) -> None:
    """As a problem, like any other request that cannot be read: never as a fault of the service."""
    answer = await window.client("anna").post(path, json=body, headers={"Idempotency-Key": key})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert window.desks.published == []


@pytest.mark.parametrize(("changes", "code"), [({"excluded_operators": ("anna",)}, "not_allowed"), ({}, "not_queued")])
async def test_a_pick_that_the_desk_refuses_is_a_problem(window: Window, changes: dict[str, Any], code: str) -> None:
    """The hard rules, or a colleague who was quicker: the desk's own code and sentence."""
    anna, ben = window.client("anna"), window.client("ben")
    await ben.post("/sign-on")
    window.desks.place(order())
    await anna.post("/sign-on")
    if changes:
        window.desks.place(order("item-2", **changes))
    wanted = "item-2" if changes else "item-1"
    answer = await anna.post("/pick", json={"work_item_id": wanted, "reason": "the branch calls"})
    assert (answer.status_code, answer.json()["code"]) == (409, code)


# ---------------------------------------------------------------------- drafts


DRAFT: dict[str, Any] = {"attempt": 1, "revision": 1, "value": "6222-02"}


async def test_what_is_keyed_is_saved_and_shown_again(window: Window) -> None:
    """Saved whole, the newest kept, shown to whoever has the item in hand with where it comes from."""
    anna = await window.in_hand(keeps_draft=True)
    assert (await anna.get("/next")).json()["draft"] is None
    saved = await anna.put("/assignment/item-1/draft", json=DRAFT)
    assert (saved.status_code, saved.json()["answer"]) == (200, "drafted")
    assert (await anna.get(f"/commands/{saved.json()['command_id']}")).json()["answer"] == "drafted"
    await anna.put("/assignment/item-1/draft", json={**DRAFT, "revision": 2, "value": "6222-0210"})
    draft = (await anna.get("/next")).json()["draft"]
    assert (draft["value"], draft["origin"], draft["revision"]) == ("6222-0210", "you", 2)


async def test_a_save_sent_again_is_published_once_and_another_under_its_number_is_refused(window: Window) -> None:
    """The revision names the command, so that a client may send it again without a key of its own."""
    anna = await window.in_hand(keeps_draft=True)
    first = await anna.put("/assignment/item-1/draft", json=DRAFT)
    before = len(window.desks.published)
    assert (await anna.put("/assignment/item-1/draft", json=DRAFT)).json() == first.json()
    assert len(window.desks.published) == before
    other = await anna.put("/assignment/item-1/draft", json={**DRAFT, "value": "9"})
    assert (other.status_code, other.json()["code"]) == (409, "conflict")


async def test_a_save_is_answered_from_the_desks_row_when_the_log_is_silent(window: Window) -> None:
    """What memory never heard stands in the operator's row."""
    anna = await window.in_hand(keeps_draft=True)
    window.desks.mute = True
    assert (await anna.put("/assignment/item-1/draft", json=DRAFT)).json()["answer"] == "drafted"


async def test_a_colleague_sees_the_draft_in_hand_and_not_before(window: Window) -> None:
    """An offer shows nothing of it; in hand it is marked as a colleague's, who is not named."""
    anna = await window.in_hand(keeps_draft=True)
    await anna.put("/assignment/item-1/draft", json=DRAFT)
    ben = window.client("ben")
    await ben.post("/sign-on")
    await anna.post("/assignment/item-1/decline", json={"attempt": 1, "reason": "called away"})
    offered = (await ben.get("/next")).json()
    assert (offered["state"], offered["draft"]) == ("offered", None)
    taken = await ben.post("/take")
    draft = taken.json()["draft"]
    assert (draft["value"], draft["origin"], draft["revision"]) == ("6222-02", "colleague", 0)
    assert "anna" not in taken.text


async def test_a_draft_is_shown_to_nobody_who_may_not_see_the_slice(window: Window) -> None:
    """A suspension closes it at once, as it closes the picture."""
    anna = await window.in_hand(keeps_draft=True)
    await anna.put("/assignment/item-1/draft", json=DRAFT)
    stand(window.desks.views, "operator", "anna", "suspended")
    assert (await anna.get("/next")).json()["draft"] is None


@pytest.mark.parametrize(("keeps_draft", "body"), [(False, DRAFT), (True, {**DRAFT, "attempt": 2})])
async def test_the_desk_refuses_a_draft_that_it_does_not_keep(window: Window, keeps_draft: bool, body: Any) -> None:
    """Where the step keeps none, or the attempt is not the one in hand; what was keyed is not repeated."""
    anna = await window.in_hand(keeps_draft=keeps_draft)
    answer = await anna.put("/assignment/item-1/draft", json=body)
    assert answer.status_code == 409
    assert "6222" not in answer.text


async def test_a_draft_beyond_its_bounds_is_refused_and_not_repeated(window: Window) -> None:
    """The problem tells what was expected, never what was keyed."""
    anna = await window.in_hand(keeps_draft=True)
    answer = await anna.put("/assignment/item-1/draft", json={**DRAFT, "value": "6222" * 200})
    assert (answer.status_code, "6222" in answer.text) == (422, False)
