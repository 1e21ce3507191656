"""Decisions in sentences, and made again from their facts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.routing.again import Again, assign_again
from services.routing.boards import PLAN_BOARD
from services.routing.placement.choice import REMOVED_TOLD
from services.routing.placement.processor import placement
from services.routing.why import place_again, refuse_again, tell
from shared.contracts.audit import WorkRequested
from shared.contracts.reference import Operator, Team
from shared.contracts.routing import HeadConsidered, Picked, WorkAssigned, WorkPlaced, WorkUnplaceable
from shared.reference.board import REFERENCE_BOARD
from tests.support.examples import share_of
from tests.unit.routing.floor import NOW, REVIEW, Floor, boards, load, only, operator, order
from tests.unit.routing.test_placement import PEOPLE, plan


def placed(
    work_item_id: str = "item-1",
    teams: int = 20,
    planned: bool = True,
    due_seconds: float = 1200,
    favourite: str | None = None,
    alike: bool = False,
) -> WorkPlaced:
    """A decision among many teams, by a plan or without."""
    views = boards([operator(f"p{n}", team_id=f"t{n:02}") for n in range(teams)])
    for n in range(teams):
        team = Team(id=f"t{n:02}", label="t", centre_id="c", provider_id="bank")
        REFERENCE_BOARD.fold(views["reference"], team.key, team)
        backlog_seconds = 0.0 if alike else 37.0 * (n % 7) + 600 * (n % 2)
        views["load"][team.id] = load(team.id, [f"p{n}"], backlog_seconds=backlog_seconds)
    if planned:
        shares = {f"t{n:02}": 1 / teams for n in range(0, teams, 2)}
        made = plan(shares | ({favourite: 0.3} if favourite else {}))
        PLAN_BOARD.fold(views["plan"], made.key, made)
    f = Floor(placement(), work_item_id, views)
    fact: WorkPlaced = only(f.send(WorkRequested(order=order(work_item_id, due_seconds=due_seconds))), WorkPlaced)
    return fact


@settings(max_examples=share_of(60))
@given(st.integers(0, 10_000), st.integers(1, 30), st.booleans(), st.sampled_from([300, 700, 1200, 5000]))
def test_placement_decides_the_same_again_from_its_fact(n: int, teams: int, planned: bool, due_seconds: float) -> None:
    """However many teams there were, twelve candidates in the fact are enough: also when it could be in time nowhere."""
    assert place_again(placed(f"item-{n}", teams, planned, due_seconds)).same


@pytest.mark.parametrize("n", range(20))
def test_a_late_item_among_teams_that_wait_alike_is_placed_the_same_again(n: int) -> None:
    """Twenty idle teams and nobody in time: the plan's favourite gets it, drawn or not, and the fact tells of it."""
    fact = placed(f"late-{n}", due_seconds=-100, favourite="t18", alike=True)
    assert fact.team_id == "t18"
    assert "t18" in [candidate.team_id for candidate in fact.considered]
    assert place_again(fact).same


def test_beside_a_chosen_team_three_removed_ones_travel_and_else_all_that_find_room() -> None:
    """Ten teams with nobody there: three beside the one that is chosen; where nobody may do it, all of them."""
    people = [operator(f"p{n}", team_id=f"t{n}") for n in range(10)]
    for there, told in (([load("north", ["ann"])], REMOVED_TOLD), ([], 11)):
        views = boards([operator("ann"), *people], there)
        for n in range(10):
            team = Team(id=f"t{n}", label="t", centre_id="c", provider_id="bank")
            REFERENCE_BOARD.fold(views["reference"], team.key, team)
        (fact,) = (
            f
            for f in Floor(placement(), "item-1", views).send(WorkRequested(order=order()))
            if hasattr(f, "considered")
        )
        assert sum(candidate.removed_by == "nobody_present" for candidate in fact.considered) == told


def test_a_decision_says_how_far_its_boards_had_been_read() -> None:
    """Whoever asks later which rules and reroutes were known then finds the instant in the fact and in the sentence."""
    f = Floor(placement(), "item-1", boards(PEOPLE, [load("north", ["ann"])]))
    f.as_of = {"reference": 1_772_442_000_250, "reroutes": 1_772_445_600_000, "load": 1}
    fact = only(f.send(WorkRequested(order=order())), WorkPlaced)
    assert fact.boards is not None
    read_at = datetime(2026, 3, 2, 9, 0, 0, 250_000, UTC)
    assert (fact.boards.reference, fact.boards.standing) == (read_at, None)
    (told,) = tell([fact])
    assert told.because[-1] == (
        "by the boards as of: reference 2026-03-02 09:00:00, reroutes 2026-03-02 10:00:00 (UTC, by the clocks of the machines)"
    )


def test_another_team_another_lateness_or_another_seed_is_seen() -> None:
    """A fact that somebody has changed does not come out the same."""
    fact = placed()
    other = next(c.team_id for c in fact.considered if c.team_id != fact.team_id)
    assert not place_again(fact.model_copy(update={"team_id": other})).same
    assert not place_again(fact.model_copy(update={"late_seconds": 5.0})).same
    assert not place_again(fact.model_copy(update={"draw_seed": fact.draw_seed + 1})).same
    assert not place_again(fact.model_copy(update={"considered": ()})).same
    better = tuple(
        c if c.team_id != fact.team_id else c.model_copy(update={"expected_wait_seconds": 9e9}) for c in fact.considered
    )
    assert not place_again(fact.model_copy(update={"considered": better})).same


FORGED: dict[str, float] = {
    "backlog_seconds": 990,
    "sent_since_seconds": 900,
    "own_seconds": 990,
    "present": 2,
    "in_hand": 100,
    "eligible_present": 1,
    "item_seconds": 3000,
    "expected_wait_seconds": 46,
}


@pytest.mark.parametrize("part", FORGED)
def test_a_wait_that_does_not_follow_from_its_parts_is_seen(part: str) -> None:
    """Each part counts, though the team is the same each time: what waits, what of it is of the item's type, who is
    there, what they have in hand."""
    busy = load("north", ["al", "amy", "ann"], 90).model_copy(update={"in_hand": 2})
    f = Floor(placement(), "item-1", boards([*PEOPLE, operator("amy"), operator("al", work_types=(REVIEW,))], [busy]))
    fact = only(f.send(WorkRequested(order=order())), WorkPlaced)
    north = next(c for c in fact.considered if c.team_id == "north")
    assert (north.present, north.in_hand, north.own_seconds, north.expected_wait_seconds) == (3, 2, 90, 45)
    assert place_again(fact).same
    forged = tuple(c.model_copy(update={part: FORGED[part]}) if c is north else c for c in fact.considered)
    assert not place_again(fact.model_copy(update={"considered": forged})).same


def test_a_fact_of_before_the_parts_of_a_wait_were_told_is_made_again_from_the_wait() -> None:
    """It says so, and is no different decision for that."""
    fact = placed()
    untold = dict.fromkeys(("own_seconds", "present", "in_hand", "item_seconds"))
    older = tuple(c.model_copy(update=untold) for c in fact.considered)
    assert place_again(fact).found.endswith("; the waits made again too")
    again = place_again(fact.model_copy(update={"considered": older}))
    assert again.same
    assert again.found.endswith("; waits as the fact tells them, without their parts")


def test_a_placing_is_told_with_its_plan_its_terms_and_what_removed_the_others() -> None:
    """What an on-call person reads: the draw, the terms of who was open, the reason of who was not."""
    views = boards(PEOPLE, (load("north", ["ann"], 90), load("south", ["sue"], 30)))
    made = plan({"north": 0.6, "south": 0.4})
    PLAN_BOARD.fold(views["plan"], made.key, made)
    f = Floor(placement(), "item-1", views)
    (told,) = tell(f.send(WorkRequested(order=order())))
    assert told.what == "Placement gave it to south (placing 1)"
    text = "\n".join(told.because)
    assert "drawn by the plan of 02:00:00" in text
    assert "south (40% of the plan)" in text
    assert (
        "chosen: south would begin in 30 s and take 30 s: 30 s of work waiting, 30 s of all that is of its own type; "
        "0 in hand, 1 present, 1 of them may do it (load 1)" in text
    )
    assert "north would begin in 90 s" in text
    assert "removed: vendor (vendor_barred)" in text


def head(work_item_id: str, slope: float, rate: float = 60.0, **changes: object) -> HeadConsidered:
    terms = {
        "work_item_id": work_item_id,
        "work_type": "transfer/entry",
        "index": round(slope * rate / 60.0, 6),
        "slope_per_minute": slope,
        "rate_per_hour": rate,
        "slack_seconds": 100.0,
        "age_seconds": 10.0,
    }
    return HeadConsidered.model_validate(terms | changes)


def assigned(*considered: HeadConsidered, picked: Picked | None = None) -> WorkAssigned:
    return WorkAssigned(
        work_item_id="item-1",
        case_id="case-1",
        at=NOW,
        team_id="north",
        provider_id="bank",
        operator_id="ann",
        business_type="transfer",
        step="entry",
        attempt=1,
        requested_at=NOW - timedelta(seconds=10),
        lease_until=NOW + timedelta(minutes=1),
        why="largest index",
        considered=considered,
        picked=picked,
    )


def test_the_desk_decides_the_same_again_from_its_fact() -> None:
    """The largest index of those that could be given; one that was barred may have a larger one."""
    fact = assigned(head("item-1", 2.0), head("item-2", 1.5), head("item-3", 9.0, removed_by="second_role"))
    assert assign_again(fact).same
    assert "passed over (second_role): item-3" in next(tell([fact])).because[2]


def test_each_weighed_item_is_told_with_all_terms_of_its_index() -> None:
    """Slope and rate, and what the slope goes by: slack and age."""
    (told,) = tell([assigned(head("item-1", 2.0, age_seconds=75.0))])
    assert told.because[0].endswith("2.000 points per minute of delay × 60.0 items an hour; slack 100 s, age 75 s")


def test_a_desks_choice_that_does_not_follow_is_seen() -> None:
    """A larger index that could be given; an index that is not slope times rate; no terms at all."""
    assert not assign_again(assigned(head("item-1", 2.0), head("item-2", 3.0))).same
    assert not assign_again(assigned(head("item-1", 2.0, index=7.0))).same
    assert not assign_again(assigned()).same


def test_a_pick_is_told_as_one() -> None:
    """Nothing was weighed, so that there is nothing to weigh again: a person answers for it."""
    (told,) = tell([assigned(picked=Picked(picked_by="lee", reason="the customer waits", command_id="c-1"))])
    assert told.again is None


def unplaceable(*people: Operator) -> WorkUnplaceable:
    f = Floor(placement(), "item-1", boards(people))
    fact: WorkUnplaceable = only(f.send(WorkRequested(order=order())), WorkUnplaceable)
    return fact


def test_why_nobody_may_is_found_again_from_what_removed_each_team() -> None:
    """The nearest miss; another reason, another sentence or a team that could be chosen is seen."""
    fact = unplaceable(*PEOPLE)
    assert refuse_again(fact) == Again(True, "nobody_present tells most, of 3 teams that the fact tells of")
    assert next(tell([fact])).again == refuse_again(fact)
    assert refuse_again(unplaceable()).same
    opened = (fact.considered[0].model_copy(update={"removed_by": None}), *fact.considered[1:])
    for forged in ({"reason": "standing"}, {"detail": "Because."}, {"considered": opened}):
        assert not refuse_again(fact.model_copy(update=forged)).same


def test_a_team_that_the_order_itself_excludes_cannot_have_been_open() -> None:
    """Of the hard rules this one stands in the order."""
    fact = placed()
    order_against = fact.order.model_copy(update={"excluded_teams": (fact.team_id,)})
    assert not place_again(fact.model_copy(update={"order": order_against})).same


def test_a_plan_from_after_the_placing_is_explained() -> None:
    """Two clocks: a batch looks at its own when it begins."""
    fact = placed()
    (told,) = tell([fact.model_copy(update={"plan_made_at": fact.placed_at + timedelta(seconds=29)})])
    assert any("29 s or more ahead" in sentence for sentence in told.because)
    assert not any("ahead" in sentence for sentence in next(tell([fact])).because)
