"""Whole cases driven at random: legal and illegal results, repeats, answers of the core bank in any order."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from services.audit.controls.decide import decide
from services.audit.controls.state import ENDED, apply, empty
from shared.contracts.audit import CaseClosed, CasePosted, PostingRequested
from shared.contracts.message import Message
from shared.contracts.work import (
    ArbitrationRuling,
    AuthorisationVerdict,
    KeyedValue,
    Outcome,
    ReviewVerdict,
    WorkOrder,
)
from tests.support.examples import share_of
from tests.unit.audit.floor_of_cases import (
    CASE,
    CaseRun,
    check_promises,
    confirmed,
    failed,
    opened,
    result,
    right_outcome,
)

STEPS_MAX = 60
PEOPLE = [f"op-{team}{number}" for team in ("north", "south", "outside") for number in range(8)] + ["op-home", "nobody"]
AMOUNTS = ("12,500.00", "60,000.00", "600,000.00", "6,000,000.00")
NOISE = ("result", "result", "result", "result", "wrong", "form", "repeat", "late", "reopened", "confirmed", "failed")


def wrong_outcome(order: WorkOrder) -> Outcome:
    """What a careless, or a strict, person answers."""
    match order.step:
        case "entry":
            return KeyedValue(value="1.00" if order.field == "amount" else "misread")
        case "arbitration":
            return (
                ArbitrationRuling(value="1250.00.")
                if order.round == 1
                else ArbitrationRuling(value="", unreadable=True)
            )
        case "review":
            return ReviewVerdict(passed=False, wrong_fields=("payee",))
        case _:
            return AuthorisationVerdict(granted=order.rekey_amount, rekeyed_amount="1.00")


def ill_formed(order: WorkOrder) -> Outcome:
    """An outcome of another step."""
    return KeyedValue(value="x") if order.step != "entry" else ReviewVerdict(passed=True)


def drawn_event(data: st.DataObject, run: CaseRun, amount: str, told: list[Message]) -> Message:
    """The next thing that happens to the case."""
    what = data.draw(st.sampled_from(NOISE))
    orders = list(run.case.open_items.values())
    if what == "repeat" and told:
        return data.draw(st.sampled_from(told))
    if what == "reopened" or (not orders and not told):
        return opened()
    if what == "confirmed" or (what == "result" and not orders):
        return confirmed(posting_id=data.draw(st.sampled_from([run.case.posting_id or "none", "other"])))
    if what == "failed" or not orders:
        return failed(posting_id=run.case.posting_id or "none")
    order = data.draw(st.sampled_from(orders))
    operator = data.draw(st.sampled_from(PEOPLE))
    right = right_outcome(order, {"amount": amount, "account": "6222", "payee": "Li Ping"})
    outcome = {"wrong": wrong_outcome, "form": ill_formed}.get(what, lambda _: right)(order)
    changes = {"work_item_id": "no-such-item"} if what == "late" else {}
    return result(order, operator, outcome, **changes)


def finish(run: CaseRun, amount: str) -> None:
    """Careful people who have not touched the case bring it to its end."""
    fresh = [person for person in PEOPLE if person.startswith(("op-north", "op-south"))]
    for _ in range(200):
        if run.case.phase in ENDED:
            return
        orders = list(run.case.open_items.values())
        if not orders:
            run.take(confirmed())
            continue
        order = orders[0]
        values = {"amount": amount, "account": "6222", "payee": "Li Ping"}
        for person in fresh:
            held = run.case.roles.get(person, order.role) == order.role and person not in order.excluded_operators
            team = "north" if person.startswith("op-north") else "south"
            if held and team not in order.excluded_teams and int(person[-1]) % 4 >= order.grade_min:
                run.take(result(order, person, right_outcome(order, values)))
                break
        else:
            return  # nobody is left who may: the item waits, visibly


@settings(max_examples=share_of(100))
@given(st.data())
def test_whatever_comes_the_promises_hold(data: st.DataObject) -> None:
    """One role per person, one result per item, one posting, one end; replay and repetition change nothing."""
    run = CaseRun()
    told: list[Message] = []
    amount = data.draw(st.sampled_from(AMOUNTS))
    run.take(opened())
    for _ in range(data.draw(st.integers(0, STEPS_MAX))):
        event = drawn_event(data, run, amount, told)
        told.append(event)
        first = decide(run.case, event, run.situation())
        assert decide(run.case, event, run.situation()) == first, "Expected the same decision for the same state"
        run.take(event)
        assert run.take(event) == [], "Expected no effect of the second delivery"
        check_promises(run)
    finish(run, amount)
    check_promises(run)
    replayed = empty(CASE)
    for fact in run.facts:
        replayed = apply(replayed, fact)
    assert replayed == run.case
    if not run.case.open_items:
        assert len(run.of(CasePosted) + run.of(CaseClosed)) == 1
    assert bool(run.of(PostingRequested)) >= bool(run.of(CasePosted))


@settings(max_examples=share_of(25))
@given(st.data(), st.sampled_from(AMOUNTS))
def test_careful_people_get_every_case_posted(data: st.DataObject, amount: str) -> None:
    """When everybody reads right, a case is posted, whoever of those allowed does what and in which order."""
    run = CaseRun()
    run.take(opened())
    while run.case.open_items:
        order = data.draw(st.sampled_from(list(run.case.open_items.values())))
        values = {"amount": amount, "account": "6222", "payee": "Li Ping"}
        run.take(result(order, data.draw(st.sampled_from(PEOPLE)), right_outcome(order, values)))
        if len(run.facts) > 400:
            finish(run, amount)
    run.take(confirmed())
    check_promises(run)
    assert len(run.of(CasePosted)) == 1
