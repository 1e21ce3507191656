"""The desk's laws under any course of placements, commands, lapses of time and changes of standing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from services.routing import eligibility
from services.routing.desk.state import ItemPhase, OperatorPhase, TeamDesk
from services.routing.eligibility import Rulebook
from shared.contracts.routing import (
    AcceptAssignment,
    Pause,
    PickWork,
    Resume,
    SaveDraft,
    SignOff,
    WorkAssigned,
    WorkCompleted,
    WorkQueued,
    WorkReleased,
    WorkWithdrawn,
)
from shared.contracts.work import KeyedValue, ReviewVerdict
from tests.support.examples import share_of
from tests.unit.routing.floor import ENTRY, REVIEW, operator, order, stand
from tests.unit.routing.test_desk import Desk

PEOPLE = (
    operator("ann"),
    operator("bob", work_types=(ENTRY,)),
    operator("cat", grade=3, branch_id="branch-2"),
    operator("dan", work_types=(REVIEW,)),
)
WHO = st.sampled_from([person.id for person in PEOPLE])


VERB = st.sampled_from(["accept", "accept", "draft", "draft", "decline", "complete", "complete", "complete"])
MOVES = [
    *["place"] * 8,
    *["act"] * 6,
    *["act_late"] * 3,
    *["sign_on"] * 2,
    "sign_off",
    "pause",
    "resume",
    "pick",
    "recall",
    "wait",
    "wait",
    "judge",
]
Draw = Callable[[st.SearchStrategy[Any]], Any]


class AnyDay(RuleBasedStateMachine):
    """A desk's day, drawn."""

    @initialize()
    def open(self) -> None:
        self.desk = Desk(PEOPLE)
        self.desk.on(*(person.id for person in PEOPLE))
        self.placed: dict[str, int] = {}
        self.seen = 0

    # ------------------------------------------------------------ what happens

    @rule(move=st.sampled_from(MOVES), draw=st.data())
    def happen(self, move: str, draw: st.DataObject) -> None:
        """One rule for all, so that every day is a mixture by the weights of `MOVES`."""
        getattr(self, move)(draw.draw)

    def place(self, draw: Draw) -> None:
        """Placement places an item that is not here: for the first time, or again after a release."""
        name = f"item-{draw(st.integers(0, 30))}"
        if self.desk.state.item_phase(name) is not ItemPhase.ABSENT:
            return
        placing = self.placed[name] = self.placed.get(name, 0) + 1
        attempt = max((f.attempt for f in self.assignments() if f.work_item_id == name), default=0)
        role = draw(st.sampled_from(["entry-1", "entry-2", "review"]))
        work = order(
            name,
            step="review" if role == "review" else "entry",
            case_id=f"case-{draw(st.integers(0, 2))}",
            role=role,
            due_seconds=draw(st.integers(100, 3000)),
            grade_min=draw(st.sampled_from([0, 0, 0, 2])),
            branch_id=draw(st.sampled_from(["branch-1", "branch-1", "branch-2"])),
            excluded_operators=draw(st.sampled_from([(), (), (), ("ann",), ("bob", "cat")])),
            keeps_draft=role != "review",
        )
        self.desk.place(work, placing=placing, attempt=attempt)
        assert self.desk.place(work, placing=placing, attempt=attempt) == ()

    def recall(self, draw: Draw) -> None:
        name = f"item-{draw(st.integers(0, 30))}"
        self.desk.recall(name, self.placed.get(name, 1))
        assert self.desk.recall(name, self.placed.get(name, 1)) == ()

    def sign_on(self, draw: Draw) -> None:
        self.desk.on(draw(WHO))

    def sign_off(self, draw: Draw) -> None:
        self.desk.says(SignOff, draw(WHO))

    def pause(self, draw: Draw) -> None:
        self.desk.says(Pause, draw(WHO), reason=draw(st.sampled_from(["break", "lunch"])))

    def resume(self, draw: Draw) -> None:
        self.desk.says(Resume, draw(WHO))

    def pick(self, draw: Draw) -> None:
        who, name = draw(WHO), f"item-{draw(st.integers(0, 30))}"
        self.desk.says(PickWork, who, work_item_id=name, reason="the customer waits", picked_by="lea")

    def act(self, draw: Draw) -> None:
        """Somebody answers what they have in hand."""
        operator = self.desk.state.operator(draw(WHO))
        if operator.work_item_id is not None:
            self._say(draw(VERB), operator.operator_id, operator.work_item_id, operator.attempt)

    def act_late(self, draw: Draw) -> None:
        """Somebody answers one of the last assignments, which may be over long since."""
        given = self.assignments()
        if given:
            fact = given[-min(draw(st.integers(1, 6)), len(given))]
            self._say(draw(VERB), fact.operator_id, fact.work_item_id, fact.attempt)

    def _say(self, verb: str, who: str, name: str, attempt: int) -> None:
        """Say it; a result is said twice with one id, and the second time changes nothing."""
        if verb == "accept":
            self.desk.says(AcceptAssignment, who, work_item_id=name, attempt=attempt)
        elif verb == "decline":
            self.desk.declines(who, name, attempt)
        elif verb == "draft":
            keyed: dict[str, Any] = {"revision": len(self.desk.facts) + 1, "value": f"half of {name}"}
            self.desk.says(SaveDraft, who, work_item_id=name, attempt=attempt, **keyed)
        else:
            review = any(f.work_item_id == name and f.step == "review" for f in self.assignments())
            outcome = ReviewVerdict(passed=True) if review else KeyedValue(value="12.00")
            command_id = f"result-{name}-{attempt}"
            self.desk.completes(who, name, attempt, command_id=command_id, outcome=outcome)
            assert self.desk.completes(who, name, attempt, command_id=command_id, outcome=outcome) == ()

    def wait(self, draw: Draw) -> None:
        self.desk.wait(draw(st.sampled_from([0.5, 0.5, 5, 20, 70])))

    def judge(self, draw: Draw) -> None:
        stand(self.desk.views, "operator", draw(WHO), draw(st.sampled_from(["allowed", "allowed", "suspended"])))
        self.desk.fire("boards")

    # ------------------------------------------------------------- what holds

    def assignments(self) -> list[WorkAssigned]:
        return [fact for fact in self.desk.facts if isinstance(fact, WorkAssigned)]

    @invariant()
    def an_item_is_in_exactly_one_place(self) -> None:
        """Queued and in no hand, or in exactly one hand and in no queue."""
        state: TeamDesk = self.desk.state
        queued = Counter(turn[2] for queue in state.queues.values() for turn in queue.turns)
        held = Counter(op.work_item_id for op in state.operators.values() if op.work_item_id is not None)
        assert queued + held == Counter(dict.fromkeys(state.items, 1))
        for name, item in state.items.items():
            assert (item.operator_id is None) == (name in queued) == (item.phase is ItemPhase.QUEUED)
        with_lease = {op.operator_id for op in state.operators.values() if op.lease_until is not None}
        assert {operator_id for _, operator_id in state.leases} == with_lease
        for op in state.operators.values():
            at_work = op.phase in (OperatorPhase.OFFERED, OperatorPhase.WORKING, OperatorPhase.WRAPPING_UP)
            pausing = op.phase in (OperatorPhase.WRAPPING_UP, OperatorPhase.PAUSED)
            assert pausing == (op.pause_reason is not None)
            assert at_work == (op.work_item_id is not None) == (op.attempt is not None) == (op.lease_until is not None)

    @invariant()
    def nobody_got_what_they_may_not_do(self) -> None:
        """Each new assignment is asked of the hard rules again, by the boards of its moment."""
        book = Rulebook.of(self.desk.views)
        orders = {fact.order.work_item_id: fact.order for fact in self.desk.facts if isinstance(fact, WorkQueued)}
        for fact in self.desk.facts[self.seen :]:
            if isinstance(fact, WorkAssigned):
                assert eligibility.hindrance(orders[fact.work_item_id], fact.operator_id, "north", book) is None
        self.seen = len(self.desk.facts)

    @invariant()
    def an_item_has_at_most_one_result(self) -> None:
        """One result, of the last attempt that was given out."""
        last: dict[str, tuple[str, int]] = {}
        done: set[str] = set()
        for fact in self.desk.facts:
            if isinstance(fact, WorkAssigned):
                assert fact.work_item_id not in done
                assert fact.attempt == last.get(fact.work_item_id, ("", 0))[1] + 1
                last[fact.work_item_id] = (fact.operator_id, fact.attempt)
            elif isinstance(fact, WorkCompleted):
                assert fact.work_item_id not in done
                assert last[fact.work_item_id] == (fact.operator_id, fact.attempt)
                done.add(fact.work_item_id)

    @invariant()
    def nobody_has_two_roles_of_a_case(self) -> None:
        """Over all results of one case each person has one role."""
        roles: dict[tuple[str, str], set[str]] = {}
        for fact in self.desk.facts:
            if isinstance(fact, WorkCompleted):
                roles.setdefault((fact.case_id, fact.operator_id), set()).add(fact.role)
        assert all(len(had) == 1 for had in roles.values())

    @invariant()
    def a_draft_stays_with_its_item(self) -> None:
        """Nothing of one item's draft stands at another, and who drafted has had that one role in the case."""
        state: TeamDesk = self.desk.state
        for name, item in state.items.items():
            if item.draft is not None:
                assert item.draft.value == f"half of {name}"
                assert item.order.keeps_draft
                assert all(state.role_of(item.order.case_id, one) == item.order.role for one in item.draft.authors)

    @invariant()
    def what_came_in_is_done_open_or_returned(self) -> None:
        """Conservation: queued = completed + withdrawn + released + still here."""
        ends = (WorkCompleted, WorkWithdrawn, WorkReleased)
        came = Counter(f.order.work_item_id for f in self.desk.facts if isinstance(f, WorkQueued))
        left = Counter(f.work_item_id for f in self.desk.facts if isinstance(f, ends))
        assert came - left == Counter(dict.fromkeys(self.desk.state.items, 1))
        assert not left - came

    @invariant()
    def nobody_stands_idle_beside_work_they_may_do(self) -> None:
        """Who is ready may do nothing of what is queued."""
        state: TeamDesk = self.desk.state
        book = Rulebook.of(self.desk.views)
        for _, who in state.ready:
            for item in state.items.values():
                if item.phase is ItemPhase.QUEUED and who not in item.declined_by:
                    role = state.role_of(item.order.case_id, who)
                    second_role = role is not None and role != item.order.role
                    assert second_role or eligibility.hindrance(item.order, who, "north", book) is not None

    @invariant()
    def facts_and_rows_both_give_the_state(self) -> None:
        """Replay of the facts, and the stored rows, equal what is in memory."""
        contents = self.desk.state.contents()
        assert self.desk.replayed().contents() == contents
        reloaded: TeamDesk = self.desk.reloaded()
        assert reloaded.contents() == contents
        assert list(reloaded.ready) == list(self.desk.state.ready)
        assert {w: q.standard_ms for w, q in reloaded.queues.items()} == {
            w: q.standard_ms for w, q in self.desk.state.queues.items()
        }

    @invariant()
    def alarms_follow_from_the_state(self) -> None:
        """The reloaded desk wants to be woken by the same alarms."""
        alarms = self.desk.processor.alarms
        assert alarms(self.desk.reloaded()) == alarms(self.desk.state)


AnyDay.TestCase.settings = settings(max_examples=share_of(20), stateful_step_count=40)
TestAnyDay = AnyDay.TestCase
