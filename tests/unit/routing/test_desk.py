"""The desk: dealing, leases, attempts, refusals, boards, load."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from services.routing import eligibility
from services.routing.desk import decide as desk_decide
from services.routing.desk import guards, watch
from services.routing.desk.choice import SCAN_MAX
from services.routing.desk.dealing import LONGEST_READY
from services.routing.desk.decide import ITEM_RULES, OPERATOR_RULES
from services.routing.desk.processor import desk
from services.routing.desk.state import ItemPhase, OperatorPhase, Tally
from services.routing.desk.store import DeskTable
from shared.contracts.message import Message
from shared.contracts.reference import Operator
from shared.contracts.routing import (
    AcceptAssignment,
    AssignmentDeclined,
    AssignmentExpired,
    AssignmentRevoked,
    AssignmentTaken,
    CommandRefused,
    CompleteAssignment,
    DeclineAssignment,
    LoadSnapshot,
    OperatorAway,
    Pause,
    PickWork,
    Resume,
    SaveDraft,
    SignOff,
    SignOn,
    WorkAssigned,
    WorkCompleted,
    WorkPlaced,
    WorkQueued,
    WorkRecalled,
    WorkReleased,
    WorkWithdrawn,
)
from shared.contracts.work import KeyedValue, ReviewVerdict, WorkOrder
from shared.reference.board import REFERENCE_BOARD
from tests.unit.routing.floor import ENTRY, NOW, REVIEW, Floor, boards, kinds, only, operator, order, stand

PEOPLE = (operator("ann"), operator("bob"), operator("cat"), operator("sue", team_id="south"))


class Desk(Floor):
    """The desk of team north, with short words for what meets it."""

    def __init__(self, people: Sequence[Operator] = PEOPLE) -> None:
        super().__init__(desk(), "north", boards(people))
        self.sent = 0

    def place(self, work: WorkOrder, placing: int = 1, attempt: int = 0) -> Sequence[Message]:
        return self.send(
            WorkPlaced(
                team_id="north",
                placing=placing,
                attempt=attempt,
                order=work,
                placed_at=self.now,
                considered=(),
                draw_seed=1,
            )
        )

    def recall(self, work_item_id: str, placing: int = 1) -> Sequence[Message]:
        return self.send(
            WorkRecalled(team_id="north", work_item_id=work_item_id, case_id="c", placing=placing, reason="withdrawn")
        )

    def says(self, form: type[Message], who: str, command_id: str = "", **rest: Any) -> Sequence[Message]:
        """The operator gives a command with a new id, unless one is named."""
        self.sent += 1
        common = {
            "command_id": command_id or f"command-{self.sent}",
            "team_id": "north",
            "operator_id": who,
            "issued_at": self.now,
        }
        return self.send(form(**common, **rest))

    def on(self, *who: str) -> Sequence[Message]:
        facts: list[Message] = []
        for person in who:
            facts += self.says(SignOn, person)
        return facts

    def completes(self, who: str, work_item_id: str, attempt: int = 1, **rest: Any) -> Sequence[Message]:
        rest.setdefault("outcome", KeyedValue(value="12.00"))
        return self.says(CompleteAssignment, who, work_item_id=work_item_id, attempt=attempt, handle_seconds=20, **rest)

    def declines(self, who: str, work_item_id: str, attempt: int = 1) -> Sequence[Message]:
        return self.says(DeclineAssignment, who, work_item_id=work_item_id, attempt=attempt, reason="unreadable")


def refusal(facts: Sequence[Message]) -> str:
    return str(only(facts, CommandRefused).code)


# ---------------------------------------------------------------- dealing


def test_a_placed_item_goes_at_once_to_whoever_is_ready_longest() -> None:
    """First come, first served among those who wait; ties by id."""
    d = Desk()
    d.on("bob", "ann")
    assert only(d.place(order("a")), WorkAssigned).operator_id == "ann"  # the same instant: by id
    d.now += timedelta(seconds=1)
    d.on("cat")
    assert only(d.place(order("b")), WorkAssigned).operator_id == "bob"
    assert only(d.place(order("c")), WorkAssigned).operator_id == "cat"
    assert kinds(d.place(order("d"))) == ["WorkQueued"]


def test_the_choice_of_a_person_says_since_when_and_who_was_ready_longer() -> None:
    """Two who were ready longer are named with what kept the item from them, the longest first; the others are counted."""
    people = ("ann", "bob", "cat", "dan", "eve")
    d = Desk([operator(name) for name in people])
    d.on("ann")
    assert only(d.place(order("a")), WorkAssigned).why == f"{LONGEST_READY}, for 0 s; no others ready"
    d.now += timedelta(seconds=5)
    d.on("bob")
    d.now += timedelta(seconds=2)
    assert only(d.declines("ann", "a"), WorkAssigned).why == f"{LONGEST_READY}, for 2 s; no others ready"
    for name in ("cat", "dan", "eve"):
        d.now += timedelta(seconds=10)
        d.on(name)
    d.now += timedelta(seconds=4)
    told = only(d.place(order("b", excluded_operators=("ann", "cat", "dan"))), WorkAssigned)
    assert told.operator_id == "eve"
    assert told.why == (
        f"{LONGEST_READY}, for 4 s; 3 others ready; "
        "passed over: ann for 34 s (all_excluded), cat for 24 s (all_excluded) and 1 more"
    )


def test_a_ready_operator_gets_what_must_start_first() -> None:
    """Latest start is due less later steps less its own time; over all work types the operator holds."""
    d = Desk()
    d.place(order("late", due_seconds=2000))
    d.place(order("soon", due_seconds=1000))
    d.place(order("review", step="review", due_seconds=1010, later_seconds=500))
    assert only(d.on("ann"), WorkAssigned).work_item_id == "review"
    assert only(d.on("bob"), WorkAssigned).work_item_id == "soon"
    assert only(d.on("cat"), WorkAssigned).work_item_id == "late"


def test_nobody_is_given_what_they_may_not_do() -> None:
    """The excluded head is passed over, the item behind it is given."""
    d = Desk()
    d.place(order("first", due_seconds=900, excluded_operators=("ann",)))
    d.place(order("second"))
    assert only(d.on("ann"), WorkAssigned).work_item_id == "second"
    assert d.state.item_phase("first") is ItemPhase.QUEUED


def test_an_operator_sees_at_most_so_many_barred_items_then_waits_for_the_head_to_move() -> None:
    """Behind `SCAN_MAX` barred items the desk does not look; when one of them leaves, the next look finds the item."""
    d = Desk()
    for n in range(SCAN_MAX):
        d.place(order(f"barred-{n:03}", due_seconds=900, excluded_operators=("ann",)))
    d.place(order("open"))
    assert kinds(d.on("ann")) == ["OperatorReady"]
    d.recall("barred-000")
    assert "open" in [f.work_item_id for f in d.wait(2) if isinstance(f, WorkAssigned)]


def test_nobody_gets_two_roles_of_one_case() -> None:
    """Items that controls asked for at the same time cannot name each other's operators; the desk remembers."""
    d = Desk()
    d.place(order("one", case_id="case", role="entry-1"))
    d.place(order("two", case_id="case", role="entry-2"))
    d.place(order("same", case_id="case", role="entry-1", due_seconds=5000))
    d.on("ann")
    assert only(d.completes("ann", "one"), WorkAssigned).work_item_id == "same"
    assert kinds(d.completes("ann", "same")) == ["WorkCompleted"]
    assert only(d.on("bob"), WorkAssigned).work_item_id == "two"


def test_who_did_what_is_forgotten_after_hours_without_a_touch() -> None:
    """The memory is bounded: after four hours controls' own exclusions must do."""
    d = Desk()
    d.place(order("one", case_id="case"))
    d.on("ann")
    d.completes("ann", "one")
    assert d.state.role_of("case", "ann") == "entry-1"
    d.wait(4 * 3600 + 20)
    assert d.state.role_of("case", "ann") is None
    assert "touched/case" not in d.stored


def test_who_did_what_is_remembered_while_an_item_of_the_case_is_here() -> None:
    """Two keyings that were asked for at once name nobody: the second may lie here, or in a hand, longer than the memory."""
    d = Desk()
    d.place(order("long", standard_seconds=4000, due_seconds=900))
    d.on("bob")
    d.says(AcceptAssignment, "bob", work_item_id="long", attempt=1)
    d.place(order("one", case_id="case", role="entry-1"))
    d.on("ann")
    d.completes("ann", "one")
    d.place(order("two", case_id="case", role="entry-2", standard_seconds=4000))
    d.wait(6 * 3600)
    assert d.state.item_phase("two") is ItemPhase.QUEUED
    d.completes("bob", "long")
    d.says(AcceptAssignment, "bob", work_item_id="two", attempt=1)
    d.wait(6 * 3600)
    assert d.state.item_phase("two") is ItemPhase.IN_HAND
    assert kinds(d.declines("bob", "two")) == ["AssignmentDeclined"]
    assert d.state.role_of("case", "ann") == "entry-1"
    assert d.replayed().contents() == d.reloaded().contents() == d.state.contents()


def test_an_item_that_leaves_and_comes_back_finds_its_case_remembered() -> None:
    """Nobody else can do it: it goes to placement and returns for hours, and may be away just when the memory would end."""
    d = Desk()
    d.on("ann")
    d.place(order("one", case_id="case", role="entry-1"))
    d.completes("ann", "one")
    d.place(order("two", case_id="case", role="entry-2"))
    d.wait(30)
    for placing in range(2, 5):
        assert d.state.item_phase("two") is ItemPhase.ABSENT
        d.wait(100 * 60)
        assert kinds(d.place(order("two", case_id="case", role="entry-2"), placing)) == ["WorkQueued"]
        d.wait(30)
    d.wait(4 * 3600 + 20)
    assert d.state.role_of("case", "ann") is None
    assert d.replayed().contents() == d.reloaded().contents() == d.state.contents()


# ------------------------------------------------------------ life of an item


def test_offer_and_work_leases_have_their_lengths() -> None:
    """An offer holds for the offer lease; accepted work for its standard time times the factor, at least the least."""
    d = Desk()
    d.on("ann", "bob")
    offered = only(d.place(order("short")), WorkAssigned)
    assert offered.lease_until == NOW + timedelta(seconds=60)
    taken = d.says(AcceptAssignment, "ann", work_item_id="short", attempt=1)
    assert only(taken, AssignmentTaken).lease_until == NOW + timedelta(seconds=300)
    d.place(order("long", standard_seconds=100))
    taken = d.says(AcceptAssignment, "bob", work_item_id="long", attempt=1)
    assert only(taken, AssignmentTaken).lease_until == NOW + timedelta(seconds=600)


def test_a_result_gives_the_next_item_in_the_same_decision() -> None:
    """Completing, accepted or not, tells the result with its circumstances, and deals the next."""
    d = Desk()
    d.place(order("a"))
    d.place(order("b"))
    d.on("ann")
    d.now += timedelta(seconds=5)
    facts = d.completes("ann", "a")
    assert kinds(facts) == ["WorkCompleted", "WorkAssigned"]
    result = only(facts, WorkCompleted)
    assert (result.operator_id, result.team_id, result.provider_id, result.attempt) == ("ann", "north", "bank", 1)
    assert (result.assigned_at, result.completed_at) == (NOW, d.now)
    assert d.state.item_phase("a") is ItemPhase.ABSENT


def test_a_declined_item_goes_to_somebody_else_and_never_back() -> None:
    """The decliner gets the next item; the declined one waits for another person, one attempt later."""
    d = Desk()
    d.on("ann")
    d.place(order("a"))
    assert kinds(d.declines("ann", "a")) == ["AssignmentDeclined"]
    assert only(d.on("bob"), WorkAssigned).attempt == 2
    assert kinds(d.place(order("b"))) == ["WorkQueued", "WorkAssigned"]


def test_what_people_decline_is_counted_and_told() -> None:
    """By a word of their own: who signs off with an offer before them declines nothing. It is in the rows, too."""
    d = Desk()
    d.on("ann")
    d.place(order("a"))
    d.declines("ann", "a")
    d.on("bob")
    d.says(SignOff, "bob")
    told = only(d.wait(1), LoadSnapshot).tally
    assert told is not None
    assert (told.accepted, told.declined) == (0, 1)
    assert d.reloaded().contents() == d.state.contents()


def test_a_tally_of_before_declines_were_counted_can_be_read() -> None:
    """Its row has no such count: it begins at none."""
    older = DeskTable().read("north", {"tally": b'{"accepted":7,"expired":1,"completed":5,"late":2}'})
    assert older.tally == Tally(accepted=7, expired=1, completed=5, late=2, declined=0)


def test_a_lease_that_runs_out_marks_away_and_passes_the_item_on() -> None:
    """The operator is away until they sign on again; a late result of the old attempt is refused."""
    d = Desk()
    d.on("ann")
    d.place(order("a"))
    d.says(SignOn, "bob")
    facts = d.wait(61)
    assert [k for k in kinds(facts) if k != "LoadSnapshot"] == ["AssignmentExpired", "OperatorAway", "WorkAssigned"]
    assert only(facts, WorkAssigned).operator_id == "bob"
    assert refusal(d.completes("ann", "a", attempt=1)) == "superseded"
    assert kinds(d.completes("bob", "a", attempt=2)) == ["WorkCompleted"]
    assert refusal(d.completes("ann", "a", attempt=1)) == "superseded"
    assert kinds(d.on("ann")) == ["OperatorReady"]


def test_signing_off_gives_back_what_is_in_hand() -> None:
    """The item goes on to somebody ready; who comes back may be offered it again."""
    d = Desk()
    d.on("ann")
    d.place(order("a"))
    facts = d.says(SignOff, "ann")
    assert kinds(facts) == ["AssignmentDeclined", "OperatorSignedOff"]
    assert only(facts, AssignmentDeclined).reason == "signed off"
    assert only(d.on("ann"), WorkAssigned).attempt == 2


def test_a_recalled_item_is_withdrawn_from_the_queue_and_from_the_hand() -> None:
    """Whoever had it gets the next; a recall of an older placing, or of what has left, changes nothing."""
    d = Desk()
    d.on("ann")
    d.place(order("a"), placing=2)
    d.place(order("b"))
    assert d.recall("a", placing=1) == ()
    facts = d.recall("a", placing=2)
    assert kinds(facts) == ["WorkWithdrawn", "WorkAssigned"]
    assert only(facts, WorkWithdrawn).operator_id == "ann"
    assert d.recall("a", placing=2) == ()
    assert refusal(d.completes("ann", "a")) == "not_assigned"


def test_attempts_count_on_from_earlier_desks() -> None:
    """The attempt number never falls back, so that an old result can never match."""
    d = Desk()
    d.on("ann")
    assert only(d.place(order("a"), placing=3, attempt=7), WorkAssigned).attempt == 8


def test_a_finished_item_never_comes_back() -> None:
    """The same placement again, after the result, queues nothing."""
    d = Desk()
    d.on("ann")
    d.place(order("a"))
    d.completes("ann", "a")
    assert d.place(order("a")) == ()


def test_what_was_given_back_comes_again_only_by_a_later_placing() -> None:
    """The old placing, sent again by hand, brings nothing back: the item may be at another desk by now."""
    d = Desk()
    d.on("ann")
    d.place(order("a"))
    d.wait(20)
    d.says(SignOff, "ann")
    assert any(isinstance(f, WorkReleased) for f in d.wait(30))
    assert d.place(order("a")) == ()
    assert [type(f) for f in d.place(order("a"), placing=2)] == [WorkQueued]


# ---------------------------------------------------------------- refusals


def test_refusals_say_what_was_wrong() -> None:
    """Each unlawful command is answered with its own code."""
    d = Desk()
    assert refusal(d.on("stranger")) == "unknown_operator"
    assert refusal(d.on("sue")) == "unknown_operator"
    assert refusal(d.completes("ann", "a")) == "not_signed_on"
    d.on("ann", "bob")
    assert refusal(d.completes("ann", "a")) == "not_assigned"
    d.place(order("a"))
    assert refusal(d.completes("bob", "a")) == "superseded"
    assert refusal(d.completes("ann", "a", attempt=2)) == "superseded"
    assert refusal(d.completes("ann", "a", outcome=ReviewVerdict(passed=True))) == "wrong_outcome"
    assert d.state.item_phase("a") is ItemPhase.OFFERED


def test_the_same_command_again_changes_nothing_and_another_content_is_a_conflict() -> None:
    """The earlier answer stands, also when the client says it at another time."""
    d = Desk()
    d.on("ann")
    d.place(order("a"))
    d.place(order("b"))
    assert kinds(d.completes("ann", "a", command_id="once")) == ["WorkCompleted", "WorkAssigned"]
    d.now += timedelta(seconds=3)
    assert d.completes("ann", "a", command_id="once") == ()
    assert refusal(d.completes("ann", "b", command_id="once")) == "conflict"
    assert d.completes("ann", "a", command_id="once") == ()


def test_a_repeated_sign_on_does_not_undo_a_later_sign_off() -> None:
    """A sign-on that changed nothing is remembered too, so its echo cannot bring somebody back who has left."""
    d = Desk()
    d.on("ann")
    assert kinds(d.says(SignOn, "ann", command_id="again")) == ["CommandNoted"]
    d.says(SignOff, "ann")
    assert d.says(SignOn, "ann", command_id="again") == ()
    assert d.state.operator("ann").phase is OperatorPhase.OFF


def test_a_bounded_number_of_commands_is_remembered() -> None:
    """One row per remembered answer, the oldest overwritten."""
    d = Desk()
    for n in range(100):
        d.says(SignOn, "ann", command_id=f"c{n}")
    assert len([part for part in d.stored if part.startswith("command/ann/")]) == 32
    assert d.says(SignOn, "ann", command_id="c99") == ()
    assert kinds(d.says(SignOn, "ann", command_id="c1")) == ["CommandNoted"]
    assert d.reloaded().contents() == d.state.contents()


# ------------------------------------------------------- standing and reference


def test_suspension_is_obeyed_within_one_event() -> None:
    """What a suspended operator has in hand is taken back at once and given to somebody else."""
    d = Desk()
    d.on("ann", "bob")
    d.place(order("a"))
    stand(d.views, "operator", "ann", "suspended")
    facts = d.fire("boards")
    assert kinds(facts) == ["AssignmentRevoked", "WorkAssigned"]
    assert only(facts, AssignmentRevoked).reason == "standing"
    assert only(facts, WorkAssigned).operator_id == "bob"
    assert kinds(d.place(order("b"))) == ["WorkQueued"]


def test_a_result_of_somebody_suspended_meanwhile_is_refused() -> None:
    """Asked again at completion: the item goes back to the queue for somebody else."""
    d = Desk()
    d.on("ann", "bob")
    d.place(order("a"))
    stand(d.views, "operator", "ann", "suspended")
    facts = d.completes("ann", "a")
    assert kinds(facts) == ["CommandRefused", "AssignmentRevoked", "WorkAssigned"]
    assert refusal(facts) == "not_allowed"
    assert only(facts, WorkAssigned).operator_id == "bob"


def test_an_operator_who_leaves_the_team_is_away() -> None:
    """Reference data moves a person to another team: nothing more is given to them here."""
    d = Desk()
    d.on("ann")
    d.place(order("a"))
    moved = operator("ann", team_id="south")
    REFERENCE_BOARD.fold(d.views["reference"], moved.key, moved)
    assert kinds(d.fire("boards")) == ["AssignmentRevoked", "OperatorAway"]
    assert refusal(d.on("ann")) == "unknown_operator"


def test_items_that_nobody_of_the_team_may_do_go_back_to_placement() -> None:
    """As soon as the boards say so, with the nearest miss."""
    d = Desk([operator("ann"), operator("bob", work_types=(REVIEW,))])
    d.place(order("a"), placing=4, attempt=2)
    d.place(order("r", step="review"))
    stand(d.views, "operator", "ann", "suspended")
    gone = only(d.fire("boards"), WorkReleased)
    assert (gone.work_item_id, gone.reason, gone.placing, gone.attempt) == ("a", "standing", 4, 2)
    assert d.state.item_phase("r") is ItemPhase.QUEUED


def test_a_newly_qualified_operator_gets_the_waiting_item() -> None:
    """A change of reference data deals anew."""
    d = Desk([operator("ann", work_types=(REVIEW,)), operator("bob")])
    d.on("ann")
    assert kinds(d.place(order("a"))) == ["WorkQueued"]
    better = operator("ann", work_types=(ENTRY, REVIEW))
    REFERENCE_BOARD.fold(d.views["reference"], better.key, better)
    assert only(d.fire("boards"), WorkAssigned).operator_id == "ann"


def test_items_that_nobody_is_there_for_go_back_after_a_while() -> None:
    """Fifteen seconds after the last who might have done it left, not before."""
    d = Desk()
    d.on("ann")
    d.place(order("a"))
    d.place(order("b"))
    d.wait(20)
    d.says(SignOff, "ann")
    assert not any(isinstance(f, WorkReleased) for f in d.wait(10))
    gone = [f for f in d.wait(15) if isinstance(f, WorkReleased)]
    assert {(f.work_item_id, f.reason) for f in gone} == {("a", "nobody_present"), ("b", "nobody_present")}


def test_a_busy_desk_looks_through_every_work_type_in_turn() -> None:
    """With something new at every look, what nobody is there for leaves within so many looks more than the grace."""
    others = [f"other-{n}/entry" for n in range(12)]
    d = Desk([operator("ann"), operator("bob", work_types=tuple(others))])
    d.on("ann")
    d.place(order("at hand"))
    for n, name in enumerate(others):
        d.place(order(f"lone-{n}", business_type=name.partition("/")[0]))
    gone: set[str] = set()
    grace = d.views["reference"].limits.nobody_present_seconds
    for second in range(round(grace) + watch.LOOKS_ROUND + 1):
        d.place(order(f"new-{second}"))
        found = {f.work_item_id for f in d.wait(1) if isinstance(f, WorkReleased)}
        assert second >= grace or not found
        gone |= found
    assert gone == {f"lone-{n}" for n in range(12)}


def test_an_item_that_all_present_declined_goes_back_naming_them() -> None:
    """Placement learns who declined, and that people were there."""
    d = Desk()
    d.on("ann")
    d.place(order("a"))
    d.declines("ann", "a")
    gone = only(d.wait(30), WorkReleased)
    assert (gone.reason, gone.declined_by) == ("all_excluded", ("ann",))


def test_an_item_that_only_somebody_with_another_role_could_do_goes_back_naming_them() -> None:
    """Placement knows roles only of before it asked; who declined is named apart, and may be asked again."""
    d = Desk()
    d.on("ann", "bob")
    first = only(d.place(order("one", case_id="case", role="entry-1")), WorkAssigned).operator_id
    other = {"ann": "bob", "bob": "ann"}[first]
    d.completes(first, "one")
    d.place(order("two", case_id="case", role="entry-2"))
    d.declines(other, "two")
    gone = only(d.wait(30), WorkReleased)
    assert (gone.reason, gone.declined_by, gone.barred) == ("all_excluded", (other,), (first,))


def test_an_item_waits_while_somebody_who_may_is_busy() -> None:
    """Being busy is being present: the item stays."""
    d = Desk()
    d.on("ann")
    d.place(order("a", standard_seconds=100))
    d.says(AcceptAssignment, "ann", work_item_id="a", attempt=1)
    d.place(order("b"))
    assert set(kinds(d.wait(300))) == {"LoadSnapshot"}


# -------------------------------------------------------------------- load


def test_load_is_told_once_a_second_while_it_changes_and_rarely_otherwise() -> None:
    """The snapshot names what waits and who is there, with a rising version; silence only when nobody is there."""
    d = Desk()
    d.on("ann", "bob")
    d.place(order("a"))
    d.place(order("b"))
    d.place(order("c", requested_at=NOW - timedelta(seconds=9)))
    first = only(d.wait(0.5), LoadSnapshot)
    assert (first.version, first.present, first.in_hand) == (1, ("ann", "bob"), 2)
    assert [(q.work_type, q.queued, q.standard_seconds, q.oldest_requested_at) for q in first.queued] == [
        (ENTRY, 1, 30.0, NOW - timedelta(seconds=9))
    ]
    d.completes("ann", "a")
    d.completes("bob", "b")
    d.completes("ann", "c")
    assert kinds(d.wait(0.5)) == ["LoadSnapshot"]
    assert kinds(d.wait(29)) == ["LoadSnapshot"] * 2
    d.says(SignOff, "ann")
    d.says(SignOff, "bob")
    last = only(d.wait(100), LoadSnapshot)
    assert (last.present, last.queued, last.in_hand) == ((), (), 0)


def test_an_alarm_that_is_not_due_changes_nothing() -> None:
    """A wake-up that the batch has overtaken finds nothing to do."""
    d = Desk()
    d.on("ann")
    d.place(order("a"))
    d.wait(1)
    assert [d.fire(name) for name in ("lease", "load", "boards")] == [[], (), []]


# ------------------------------------------------------------- laws and guards


def test_every_phase_answers_every_event() -> None:
    """Rules, alarms: no pair of phase and event is without an answer."""
    commands = (
        SignOn,
        SignOff,
        Pause,
        Resume,
        PickWork,
        AcceptAssignment,
        DeclineAssignment,
        SaveDraft,
        CompleteAssignment,
    )
    assert set(OPERATOR_RULES) == {(phase, event) for phase in OperatorPhase for event in commands}
    assert set(ITEM_RULES) == {(phase, event) for phase in ItemPhase for event in (WorkPlaced, WorkRecalled)}
    d = Desk()
    d.on("ann")
    d.place(order("a"))
    assert set(d.processor.alarms(d.state)) <= set(watch.ALARM_RULES)


def test_without_the_attempt_guard_a_late_result_would_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard is what stands between an expired lease and a second opinion."""
    d = Desk()
    d.on("ann", "bob")
    d.place(order("a"))
    expired = only(d.wait(61), AssignmentExpired)
    monkeypatch.setattr(guards, "attempt_breach", lambda *_: None)
    assert only(d.completes("ann", "a", attempt=expired.attempt), WorkCompleted).operator_id == "ann"


def test_without_the_segregation_guard_one_person_would_key_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The desk's memory is what keeps two roles of a case apart when controls could not name anybody."""
    monkeypatch.setattr("services.routing.desk.dealing.segregation_breach", lambda *_: False)
    d = Desk()
    d.place(order("one", case_id="case", role="entry-1"))
    d.on("ann")
    d.completes("ann", "one")
    assert only(d.place(order("two", case_id="case", role="entry-2")), WorkAssigned).operator_id == "ann"


def test_a_decision_never_moves_the_desk() -> None:
    """`decide` reads only: deciding twice gives the same facts and leaves the desk as it was."""
    d = Desk()
    d.on("ann", "bob")
    d.place(order("a"))
    d.place(order("b"))
    d.place(order("c"))
    before = d.processor.table.read("north", d.stored).contents()
    event = CompleteAssignment(
        command_id="x",
        team_id="north",
        operator_id="ann",
        issued_at=NOW,
        work_item_id="a",
        attempt=1,
        outcome=KeyedValue(value="1"),
        handle_seconds=1,
    )
    twice = [desk_decide.decide(d.state, event, d.situation()) for _ in range(2)]
    assert twice[0] == twice[1]
    assert d.state.contents() == before
    assert d.state.dirty == {}


def test_a_decision_does_not_scan_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """With thousands waiting, one more item, one result and one expiry each ask the hard rules a handful of times."""
    d = Desk()
    for n in range(3_000):
        d.place(order(f"item-{n:04}", due_seconds=3_000 + n))
    asked = 0
    real = eligibility.hindrance

    def counting(*arguments: Any) -> Any:
        nonlocal asked
        asked += 1
        return real(*arguments)

    monkeypatch.setattr(eligibility, "hindrance", counting)
    d.on("ann")
    d.place(order("one-more"))
    d.completes("ann", "item-0000")
    d.now += timedelta(seconds=61)
    d.fire("lease")
    assert isinstance(d.facts[-1], OperatorAway)
    assert asked <= 8
    rows = d.processor.table.write(d.state)
    assert rows == {}
