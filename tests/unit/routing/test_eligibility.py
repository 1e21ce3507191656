"""The hard rules: who may do what. Everything unknown is a no."""

from __future__ import annotations

from typing import Any

import pytest

from services.routing.boards import LOAD_BOARD
from services.routing.eligibility import Rulebook, able, hindrance, most_telling, team_hindrance
from shared.contracts.message import Step
from shared.contracts.work import WorkOrder
from shared.reference.board import REFERENCE_BOARD
from tests.unit.routing.floor import ENTRY, IMAGE, boards, load, operator, order, stand

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


@pytest.mark.parametrize("grade", [1, 2, 3])
@pytest.mark.parametrize("branch", ["branch-1", "branch-2"])
@pytest.mark.parametrize("step", ["entry", "review"])
@pytest.mark.parametrize("data_class", ["secret", "unheard-of", None])
@pytest.mark.parametrize("excluded", [(), ("ann",), ("ann", "bob", "vic")])
def test_a_team_is_asked_as_its_people_are(
    grade: int, branch: str, step: Step, data_class: str | None, excluded: tuple[str, ...]
) -> None:
    """How many of a team are able, and what keeps all of them, is what each of them is told when asked alone."""
    work = order(grade_min=grade, branch_id=branch, step=step, excluded_operators=excluded, in_house_only=False)
    work = work if data_class is None else work.model_copy(update={"data_class": data_class})
    views = boards(PEOPLE)
    rules = book(views)
    for published in ("allowed", "suspended"):
        stand(views, "operator", "sue", published)
        for team in ("north", "south", "vendor", "no-such-team", "nowhere"):
            members = [one.id for one in PEOPLE if one.team_id == team]
            told = [hindrance(work, one, team, rules) for one in members]
            assert able(work, [*members, "stranger"], team, rules) == told.count(None)
            kept = None if None in told else most_telling(one for one in told if one is not None)
            assert team_hindrance(work, team, rules) == kept


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
