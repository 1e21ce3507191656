"""What an operator has keyed stays with the item: kept by the desk, carried by placement, never seen by the other keying."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from pydantic import ValidationError

from services.routing.desk.state import COMMANDS_KEPT, DeskItem
from services.routing.placement.processor import placement
from shared.contracts.audit import WorkRequested
from shared.contracts.message import Message
from shared.contracts.routing import (
    AcceptAssignment,
    AssignmentRevoked,
    CommandNoted,
    CommandRefused,
    DraftSaved,
    SaveDraft,
    SignOff,
    WorkAssigned,
    WorkCompleted,
    WorkPlaced,
    WorkQueued,
    WorkReleased,
    WorkUnplaceable,
)
from shared.contracts.work import DRAFT_AUTHORS_MAX, DRAFT_CHARACTERS_MAX, Draft, WorkOrder
from tests.unit.routing.floor import NOW, Floor, boards, kinds, load, only, order, stand
from tests.unit.routing.test_desk import Desk
from tests.unit.routing.test_obedience import PEOPLE, put, reroute


def slice_of(item: str = "a", **changes: Any) -> WorkOrder:
    """An entry whose template keeps drafts."""
    fields: dict[str, Any] = {"keeps_draft": True, "case_id": "case-1"}
    return order(item, **(fields | changes))


def at_work(*, item: WorkOrder | None = None, who: str = "ann") -> Desk:
    """Somebody has an item in hand."""
    found = Desk()
    found.place(item or slice_of())
    found.on(who)
    found.says(AcceptAssignment, who, work_item_id="a", attempt=1)
    return found


def saves(
    floor: Desk, value: str, revision: int = 1, who: str = "ann", attempt: int = 1, **more: Any
) -> Sequence[Message]:
    """Somebody saves what they have keyed."""
    return floor.says(SaveDraft, who, work_item_id="a", attempt=attempt, revision=revision, value=value, **more)


def held(floor: Floor, item: str = "a") -> DeskItem:
    found: DeskItem = floor.state.items[item]
    return found


# ---------------------------------------------------------------------- saving


def test_the_newest_draft_is_kept() -> None:
    """A larger revision replaces the draft; one that comes late changes nothing."""
    d = at_work()
    assert only(saves(d, "12"), DraftSaved).draft.authors == ("ann",)
    saves(d, "1250", 3)
    assert kinds(saves(d, "125", 2)) == ["CommandNoted"]
    draft = held(d).draft
    assert draft is not None
    assert (draft.value, draft.revision, draft.attempt) == ("1250", 3, 1)


def test_the_same_save_again_changes_nothing_and_other_content_is_a_conflict() -> None:
    """A command keeps its answer."""
    d = at_work()
    saves(d, "12", command_id="once")
    assert saves(d, "12", command_id="once") == ()
    assert only(saves(d, "13", command_id="once"), CommandRefused).code == "conflict"


def test_many_drafts_push_no_other_answer_out_of_memory() -> None:
    """However often somebody saves, the desk still knows what it answered before."""
    d = at_work()
    d.says(AcceptAssignment, "ann", "again", work_item_id="a", attempt=1)
    for revision in range(1, COMMANDS_KEPT + 5):
        saves(d, "1", revision)
    assert d.state.answered("ann", "again") is not None
    assert len(d.state.answers["ann"]) < COMMANDS_KEPT


@pytest.mark.parametrize("step", ["review", "authorisation"])
def test_a_step_without_drafts_keeps_none(step: Any) -> None:
    """A verdict is one person's own."""
    d = at_work(item=slice_of(step=step, keeps_draft=False) if step == "review" else slice_of(keeps_draft=False))
    refused = only(saves(d, "looks right"), CommandRefused)
    assert refused.code == "not_allowed"
    assert "looks right" not in refused.detail
    assert held(d).draft is None


def test_only_the_holder_of_the_attempt_saves() -> None:
    """A colleague, an old attempt, and somebody who has only been offered the item are refused."""
    d = at_work()
    d.on("bob")
    assert only(saves(d, "9", who="bob"), CommandRefused).code == "superseded"
    assert only(saves(d, "9", attempt=2), CommandRefused).code == "superseded"
    offered = Desk()
    offered.place(slice_of())
    offered.on("ann")
    assert only(saves(offered, "9"), CommandRefused).code == "not_assigned"
    assert held(d).draft is None


def test_who_may_no_longer_do_the_work_saves_nothing() -> None:
    """The hard rules are asked again."""
    d = at_work()
    stand(d.views, "operator", "ann", "suspended")
    assert only(saves(d, "9"), CommandRefused).code == "not_allowed"


def test_a_draft_is_bounded() -> None:
    """In length, and in how many people may have keyed some of it."""
    with pytest.raises(ValidationError):
        saves(at_work(), "9" * (DRAFT_CHARACTERS_MAX + 1))
    d = at_work()
    saves(d, "1")
    crowd = tuple(f"somebody-{n}" for n in range(DRAFT_AUTHORS_MAX))
    full = Draft(value="1", authors=crowd, attempt=1, revision=1, saved_at=NOW)
    d.state.put_item(DeskItem(**{**_fields(held(d)), "draft": full}))
    assert only(saves(d, "2", 2), CommandRefused).code == "not_allowed"


def _fields(item: DeskItem) -> dict[str, Any]:
    return {name: getattr(item, name) for name in item.__dataclass_fields__}


def test_a_draft_stands_in_no_repr() -> None:
    """What is logged of a fact or a command holds nothing of a customer's."""
    d = at_work()
    fact = only(saves(d, "6222021001"), DraftSaved)
    command = SaveDraft(
        command_id="c",
        team_id="north",
        operator_id="ann",
        issued_at=NOW,
        work_item_id="a",
        attempt=1,
        revision=1,
        value="6222",
    )
    assert "6222" not in repr(fact) + repr(command) + repr(held(d))


# -------------------------------------------------------------------- carrying


def test_a_recall_takes_the_draft_along() -> None:
    """In hand, half keyed, recalled: the item leaves with what was keyed."""
    d = at_work()
    saves(d, "1250")
    put(d, reroute("recall"))
    facts = d.fire("boards")
    assert only(facts, AssignmentRevoked).reason == "rerouted"
    draft = only(facts, WorkReleased).draft
    assert draft is not None
    assert (draft.value, draft.authors) == ("1250", ("ann",))


def released(draft: Draft) -> WorkReleased:
    """North gives the item back."""
    return WorkReleased(
        work_item_id="a",
        case_id="case-1",
        at=NOW,
        team_id="north",
        placing=1,
        attempt=1,
        reason="rerouted",
        draft=draft,
    )


DRAFT = Draft(value="1250", authors=("ann",), attempt=1, revision=4, saved_at=NOW)


def test_placement_carries_the_draft_to_the_next_team() -> None:
    """At once, or after the item has waited for somebody."""
    floor = Floor(placement(), "a", boards(PEOPLE, [load("north", ["ann"]), load("south", ["cai"], 9_000)]))
    floor.send(WorkRequested(order=slice_of()))
    put(floor, reroute("recall"))
    assert only(floor.send(released(DRAFT)), WorkPlaced).draft == DRAFT
    alone = Floor(placement(), "a", boards(PEOPLE, [load("north", ["ann"])]))
    alone.send(WorkRequested(order=slice_of()))
    put(alone, reroute("recall"))
    assert only(alone.send(released(DRAFT)), WorkUnplaceable).draft == DRAFT
    assert alone.reloaded() == alone.replayed() == alone.state
    assert only(alone.wait(1_000), WorkPlaced).draft == DRAFT


def test_the_next_desk_keeps_the_draft_and_names_its_author_in_the_result() -> None:
    """The result is the doer's; it tells whose draft they were shown."""
    d = Desk()
    d.on("bob")
    placed = WorkPlaced(
        team_id="north", placing=2, attempt=1, order=slice_of(), placed_at=NOW, considered=(), draw_seed=1, draft=DRAFT
    )
    assert only(d.send(placed), WorkQueued).draft == DRAFT
    d.says(AcceptAssignment, "bob", work_item_id="a", attempt=2)
    assert only(saves(d, "1250.0", who="bob", attempt=2), DraftSaved).draft.authors == ("ann", "bob")
    result = only(d.completes("bob", "a", 2), WorkCompleted)
    assert (result.operator_id, result.drafted_by) == ("bob", ("ann",))


@pytest.mark.parametrize("how", ["lease", "decline", "sign off"])
def test_a_draft_outlives_the_attempt(how: str) -> None:
    """A lease that runs out, a decline and a sign-off leave it with the item; an own draft makes nobody else an author."""
    d = at_work()
    saves(d, "12")
    if how == "lease":
        d.wait(400)
    elif how == "decline":
        d.declines("ann", "a")
    else:
        d.says(SignOff, "ann")
    kept = d.state.items.get("a")
    draft = kept.draft if kept is not None else only(d.facts, WorkReleased).draft
    assert draft is not None
    assert draft.value == "12"


def test_an_own_draft_names_no_other_author() -> None:
    """Who comes back to their own draft finished it alone."""
    d = at_work()
    saves(d, "12")
    assert only(d.completes("ann", "a"), WorkCompleted).drafted_by == ()


def test_the_draft_of_the_suspended_goes_with_them() -> None:
    """What somebody keyed who may no longer do the work is no help; what a colleague had keyed before them stays."""
    d = at_work()
    saves(d, "12")
    stand(d.views, "operator", "ann", "suspended")
    facts = d.fire("boards")
    assert only(facts, AssignmentRevoked).reason == "standing"
    assert held(d).draft is None
    other = at_work()
    other.state.put_item(DeskItem(**{**_fields(held(other)), "draft": DRAFT.model_copy(update={"authors": ("cat",)})}))
    stand(other.views, "operator", "ann", "suspended")
    other.fire("boards")
    assert held(other).draft is not None


# ----------------------------------------------------------------- segregation


def test_the_second_keying_never_comes_with_the_draft_of_the_first() -> None:
    """Two keyings of one field are two items: nothing of the one reaches the other, not even by way of a recall."""
    d = at_work()
    d.place(slice_of("b", role="entry-2"))
    saves(d, "1250")
    assert held(d, "b").draft is None
    put(d, reroute("recall"))
    drafts = {fact.work_item_id: fact.draft for fact in d.fire("boards") if isinstance(fact, WorkReleased)}
    assert drafts["a"] is not None
    assert drafts["b"] is None


def test_who_has_drafted_a_keying_does_no_other_step_of_the_case() -> None:
    """The author's reading may become the result: they have had a part, though somebody else finishes."""
    d = at_work()
    saves(d, "1250")
    d.declines("ann", "a")
    for name, role, step in (("b", "entry-2", "entry"), ("c", "review", "review")):
        given = [f.operator_id for f in d.place(slice_of(name, role=role, step=step)) if isinstance(f, WorkAssigned)]
        assert given == []
    assert only(d.place(slice_of("d", case_id="case-2")), WorkAssigned).operator_id == "ann"


def test_who_only_looked_may_do_another_step() -> None:
    """Without a draft nothing of theirs is in the result: the rule above hangs on the draft."""
    d = at_work()
    d.declines("ann", "a")
    assert only(d.place(slice_of("b", role="entry-2")), WorkAssigned).operator_id == "ann"


def test_facts_and_rows_give_the_same_desk() -> None:
    """Replay and reload with drafts; a row of an older release is read as it stands."""
    d = at_work()
    saves(d, "1250")
    d.declines("ann", "a")
    assert d.replayed().contents() == d.state.contents() == d.reloaded().contents()
    old = at_work()
    assert b'"draft":null' in old.stored["item/a"]
    old.stored["item/a"] = old.stored["item/a"].replace(b',"draft":null', b"")
    assert old.reloaded().contents() == old.state.contents()


def test_nothing_is_noted_twice() -> None:
    """A late revision is answered as any command that changes nothing."""
    d = at_work()
    saves(d, "1250", 2)
    late = saves(d, "12", 1, command_id="late")
    assert only(late, CommandNoted).command_id == "late"
    assert saves(d, "12", 1, command_id="late") == ()
