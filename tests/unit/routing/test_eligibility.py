"""The hard rules: who may do what. Everything unknown is a no."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.routing.boards import LOAD_BOARD
from services.routing.eligibility import Rulebook, hindrance, most_telling, team_hindrance
from services.routing.placement.choice import Glance, Sight, choose
from shared.contracts.work import WorkOrder
from shared.reference.board import REFERENCE_BOARD
from tests.unit.routing.floor import ENTRY, IMAGE, NOW, boards, load, operator, order, stand

PEOPLE = (
    operator("ann"),
    operator("bob", grade=3, branch_id="branch-1"),
    operator("cat", work_types=(ENTRY,)),
    operator("sue", team_id="south", standing="suspended"),
    operator("vic", team_id="vendor"),
    operator("lost", team_id="no-such-team"),
)


def book(views: dict[str, Any] | None = None) -> Rulebook:
    return Rulebook.of(views or boards(PEOPLE))


@pytest.mark.parametrize(
    ("work", "who", "team", "expected"),
    [
        (order(), "ann", "north", None),
        (order(step="review"), "ann", "north", None),
        (order(step="review"), "cat", "north", "nobody_qualified"),
        (order(grade_min=2), "ann", "north", "nobody_qualified"),
        (order(), "nobody", "north", "nobody_qualified"),
        (order(), "ann", "south", "nobody_qualified"),
        (order(), "lost", "no-such-team", "nobody_qualified"),
        (order(data_class="secret"), "ann", "north", None),
        (order(data_class="unheard-of"), "ann", "north", "data_class_barred"),
        (order(in_house_only=False), "vic", "vendor", None),
        (order(in_house_only=True), "vic", "vendor", "vendor_barred"),
        (order(in_house_only=False, whole_images=(IMAGE,)), "vic", "vendor", "vendor_barred"),
        (order(step="review", in_house_only=False), "vic", "vendor", "vendor_barred"),
        (order(in_house_only=False, data_class="secret"), "vic", "vendor", "data_class_barred"),
        (order(excluded_operators=("ann",)), "ann", "north", "all_excluded"),
        (order(excluded_teams=("north",)), "ann", "north", "all_excluded"),
        (order(), "bob", "north", "all_excluded"),
        (order(branch_id="branch-2"), "bob", "north", None),
        (order(), "sue", "south", "standing"),
    ],
)
def test_each_rule_says_no_to_its_own_case(work: WorkOrder, who: str, team: str, expected: str | None) -> None:
    """Each hard rule bars exactly what it names, and nothing else is barred."""
    assert hindrance(work, who, team, book()) == expected


def test_published_standing_replaces_the_initial_one() -> None:
    """A suspended operator becomes allowed, and an allowed one suspended, by supervision's word."""
    views = boards(PEOPLE)
    stand(views, "operator", "sue", "allowed")
    stand(views, "operator", "ann", "suspended")
    assert hindrance(order(), "sue", "south", book(views)) is None
    assert hindrance(order(), "ann", "north", book(views)) == "standing"


def test_a_suspended_provider_bars_all_its_people() -> None:
    """The standing of a provider counts for everybody in its teams."""
    views = boards(PEOPLE)
    stand(views, "provider", "keyers", "suspended")
    assert hindrance(order(in_house_only=False), "vic", "vendor", book(views)) == "standing"


def test_a_removed_provider_bars_all_its_people() -> None:
    """A provider that reference data no longer names may do nothing."""
    views = boards(PEOPLE)
    REFERENCE_BOARD.fold(views["reference"], "provider:bank", None)
    assert hindrance(order(), "ann", "north", book(views)) == "nobody_qualified"


def test_a_team_is_barred_by_its_nearest_miss() -> None:
    """Of a team's reasons the one that got furthest through the rules is told."""
    views = boards([operator("x", work_types=()), operator("y", branch_id="branch-1")])
    assert team_hindrance(order(), "north", book(views)) == "all_excluded"
    assert team_hindrance(order(), "empty", book(views)) == "nobody_qualified"
    assert team_hindrance(order(branch_id="branch-2"), "north", book(views)) is None


def test_most_telling_reason_follows_the_stated_precedence() -> None:
    """Somebody merely absent is nearer than somebody suspended, who is nearer than nobody qualified."""
    assert most_telling(["nobody_qualified", "nobody_present", "standing"]) == "nobody_present"
    assert most_telling([]) == "nobody_qualified"


def test_the_load_board_keeps_the_newest_version() -> None:
    """A snapshot that a former owner of the desk writes late does not replace a newer one; a tombstone removes it."""
    view = LOAD_BOARD.empty()
    for snapshot in (load("north", ["ann"], version=2), load("north", [], version=1)):
        LOAD_BOARD.fold(view, "north", snapshot)
    assert view["north"].version == 2
    LOAD_BOARD.fold(view, "north", None)
    assert view == {}


ORDERS = st.builds(
    lambda step, grade, data_class, house, people, teams, branch: order(
        step=step,
        grade_min=grade,
        data_class=data_class,
        in_house_only=house,
        excluded_operators=tuple(people),
        excluded_teams=tuple(teams),
        branch_id=branch,
    ),
    st.sampled_from(["entry", "review"]),
    st.integers(0, 3),
    st.sampled_from(["internal", "secret", "unheard-of"]),
    st.booleans(),
    st.lists(st.sampled_from([person.id for person in PEOPLE]), max_size=2, unique=True),
    st.lists(st.sampled_from(["north", "south", "vendor"]), max_size=1),
    st.sampled_from(["branch-1", "branch-2"]),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(ORDERS, min_size=1, max_size=8))
def test_what_is_asked_once_for_many_is_what_each_would_have_been_told(orders: list[WorkOrder]) -> None:
    """A batch's memory of teams and candidates changes nothing: same counts, same reasons, same choice."""
    people = [person.id for person in PEOPLE]
    views = boards(PEOPLE, [load("north", people, 90.0), load("south", people), load("vendor", people, 10.0)])
    shared = Glance({"north": {ENTRY: 60.0}})
    rules = book(views)
    for number, work in enumerate(orders):
        mine = work.model_copy(update={"work_item_id": f"item-{number}"})
        for team_id in ("north", "south", "vendor", "empty"):
            muster = shared.muster(mine, team_id, rules)
            assert muster.hindrance(mine) == team_hindrance(mine, team_id, rules)
            able = sum(hindrance(mine, person, team_id, rules) is None for person in people)
            assert muster.count(mine, people) == able
        alone = choose(mine, 1, None, Sight.of(views, NOW, Glance({"north": {ENTRY: 60.0}})))
        assert choose(mine, 1, None, Sight.of(views, NOW, shared)) == alone
