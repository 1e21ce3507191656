"""What a preview says of waits: nothing that waits is left out, whatever the order does with it."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.routing import eligibility
from services.routing.emergency.capacity import capacity_fault
from services.routing.emergency.floor import FloorNow
from services.routing.emergency.nowhere import stranded_words
from services.routing.emergency.preview import drift_between, preview_of
from shared.contracts.reference import Branch, Operator, Tier
from shared.contracts.reroute import Preview, ProposeReroute, RerouteScope, SkillForecast
from shared.contracts.routing import LoadByWorkType
from shared.reference.board import REFERENCE_BOARD
from tests.support.examples import share_of
from tests.unit.emergency.control_room import CHEN, LIN, ControlRoom, desk_load, terms
from tests.unit.emergency.drilling import DrillRoom
from tests.unit.emergency.upkeep import OPEN, SECRET, SECRET_WORDS, TEMPLATE, UPKEEP, UPKEEP_REVIEW, UpkeepRoom
from tests.unit.routing.floor import ENTRY, NOW, REVIEW, operator
from tests.unit.sight.facts import fact


def waiting(work_type: str, seconds: float) -> LoadByWorkType:
    return LoadByWorkType(work_type=work_type, queued=10, standard_seconds=seconds, oldest_requested_at=NOW)


def foreseen(reviews: float = 0.0, **changes: Any) -> SkillForecast:
    """Of entries: 1,200 s of them wait in the north, 300 s in the south, two people in each; reviews in the north."""
    room = ControlRoom()
    north = (waiting(ENTRY, 1_200), *((waiting(REVIEW, reviews),) if reviews else ()))
    room.tell_load(desk_load("north", ("ann", "bob")).model_copy(update={"queued": north}))
    room.tell_load(desk_load("south", ("cai", "dee")).model_copy(update={"queued": (waiting(ENTRY, 300),)}))
    preview = preview_of(terms(**changes), FloorNow.of(room.views, (), room.now))
    return next(skill for skill in preview.skills if skill.work_type == ENTRY)


@pytest.mark.parametrize(
    ("changes", "seconds"),
    [
        ({"effect": "shift", "percent": 1}, 600),  # the north's own two work off what is there
        ({"effect": "drain"}, 600),
        ({"effect": "evacuate"}, 750),  # 1,500 s for the two who are left
        ({"effect": "recall"}, 750),
    ],
)
def test_what_waits_is_waited_for_with_the_order_too(changes: dict[str, Any], seconds: float) -> None:
    """Without it the north's two work off what is there, too: what stays there waits as long with it, what moves longer."""
    skill = foreseen(**changes)
    assert skill.wait_seconds_without == 600
    assert skill.wait_seconds_with == pytest.approx(seconds, rel=0.01)


@pytest.mark.parametrize("changes", [{"effect": "drain"}, {"effect": "shift", "percent": 50}])
@pytest.mark.parametrize("north", [0, 30])
def test_who_takes_nothing_new_makes_nothing_sooner(changes: dict[str, Any], north: int) -> None:
    """The full south is closed: what waits in the north, or comes to it, waits no less than with both open."""
    room = ControlRoom()
    here = (waiting(ENTRY, north),) if north else ()
    room.tell_load(desk_load("north", ("ann", "bob")).model_copy(update={"queued": here}))
    room.tell_load(desk_load("south", ("cai", "dee")).model_copy(update={"queued": (waiting(REVIEW, 9_000),)}))
    south = terms(scope=RerouteScope(centres=("s",)), **changes)
    skills = preview_of(south, FloorNow.of(room.views, (), room.now)).skills
    (entry,) = [skill for skill in skills if skill.work_type == ENTRY]
    before, after = entry.wait_seconds_without, entry.wait_seconds_with
    assert before == pytest.approx((9_000 + north) / 4)
    assert after is not None
    assert before is not None
    assert after >= before


def test_what_its_own_people_work_off_in_time_is_not_late_though_nothing_new_comes() -> None:
    """Both teams are drained: of what waits there the last is done in 600 s, and nobody takes what comes."""
    both = foreseen(effect="drain", scope=RerouteScope(centres=("n", "s")))
    assert (both.people_with, both.queued, both.wait_seconds_with) == (0, 20, 600)
    assert both.misses_with == both.misses_without == 0
    assert foreseen(effect="evacuate", scope=RerouteScope(centres=("n", "s"))).misses_with == 20


SECONDS = st.integers(0, 20_000)
SKEWED = st.tuples(SECONDS, SECONDS, SECONDS)  # of entries in the north, of entries and of reviews in the south


def shifted(room: ControlRoom, percent: int) -> SkillForecast:
    """What a shift of so much away from the north does to the entries."""
    preview = preview_of(terms(effect="shift", percent=percent), FloorNow.of(room.views, (), room.now))
    return next(skill for skill in preview.skills if skill.work_type == ENTRY)


def skewed(north: int, south: int, reviews: int) -> ControlRoom:
    """So many seconds of entries wait in the north, of entries and reviews in the south; two people in each."""
    room = ControlRoom()
    there = (waiting(ENTRY, south), waiting(REVIEW, reviews))
    for team_id, people, parts in (
        ("north", ("ann", "bob"), (waiting(ENTRY, north),)),
        ("south", ("cai", "dee"), there),
    ):
        room.tell_load(desk_load(team_id, people).model_copy(update={"queued": parts}))
    return room


@settings(max_examples=share_of(60))
@given(SKEWED)
def test_the_figures_of_a_shift_rise_smoothly_from_those_without_it(seconds: tuple[int, int, int]) -> None:
    """However unevenly it waits: one percent is about nothing, more percent is never less."""
    room = skewed(*seconds)
    course = [shifted(room, percent) for percent in (1, 5, 30, 70, 99, 100)]
    told = [course[0].wait_seconds_without, *(skill.wait_seconds_with for skill in course)]
    waits = [wait for wait in told if wait is not None]
    assert len(waits) == len(told)
    late = [course[0].misses_without, *(skill.misses_with for skill in course)]
    assert waits == sorted(waits)
    assert late == sorted(late)
    assert waits[1] == pytest.approx(waits[0], rel=0.01, abs=0.2)
    assert late[1] - late[0] <= 1


def test_a_shift_is_not_charged_with_the_queue_that_waits_there_anyway() -> None:
    """Three quarters wait in the north, whose own two work it off with the order and without it."""
    for percent in (1, 30, 100):
        skill = shifted(skewed(8_790, 2_700, 0), percent)
        assert (skill.moves, skill.wait_seconds_without, skill.wait_seconds_with) == (0, 4_395, 4_395)
        assert skill.misses_with == skill.misses_without > 0


def test_a_shift_away_from_those_who_have_little_to_do_counts_by_its_percent() -> None:
    """The south has most of it, and less help with what comes: more of it is late."""
    none, half, whole = (shifted(skewed(600, 9_000, 0), percent) for percent in (1, 50, 100))
    waits = [skill.wait_seconds_with for skill in (none, half, whole)]
    assert waits == sorted({wait for wait in waits if wait is not None})
    assert none.misses_with < half.misses_with < whole.misses_with


def test_a_drain_is_no_less_than_a_shift_of_nearly_all() -> None:
    """One percent more moves the figures by about one percent."""
    nearly, drain = foreseen(effect="shift", percent=99), foreseen(effect="drain")
    assert nearly.wait_seconds_with == pytest.approx(drain.wait_seconds_with, rel=0.05)


def test_all_that_comes_to_the_same_people_counts() -> None:
    """Reviews move with the entries and are done by the same two: 2,100 s; of another order's scope they stay."""
    assert foreseen(reviews=600, effect="evacuate").wait_seconds_with == 1_050
    entries = RerouteScope(centres=("n",), work_types=(ENTRY,))
    assert foreseen(reviews=600, effect="evacuate", scope=entries).wait_seconds_with == 750


def test_who_may_work_is_asked_once_for_each_who_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many work types and limits are forecast: on a large floor the preview would come too late otherwise."""
    asked: Counter[str] = Counter()
    ask = eligibility.suspended

    def counted(operator: Operator, *rest: Any) -> bool:
        asked[operator.id] += 1
        return ask(operator, *rest)

    monkeypatch.setattr(eligibility, "suspended", counted)
    foreseen(reviews=600, effect="evacuate")
    assert asked == dict.fromkeys(("ann", "bob", "cai", "dee"), 1)


def test_a_local_order_says_how_many_submissions_go_back() -> None:
    """Of a hundred transfers an hour fifty in half of one, each asking for all of its keyings; without a plan nobody knows."""
    room = DrillRoom()
    template = fact("reference.business-type.v1", id="transfer")
    keyings = sum(field.keyings for field in template.fields)
    room.publish(template)
    room.expect(per_hour=100 * keyings)
    local = terms(effect="local", scope=RerouteScope(business_types=("transfer",)), minutes=30)
    floor = FloorNow.of(room.views, (), room.now)
    assert preview_of(local, floor).submissions_back == 50
    assert preview_of(terms(), floor).submissions_back is None
    late = FloorNow.of(room.views, (), room.now + timedelta(days=2))
    assert preview_of(local, late).submissions_back is None


NORTH_ENTRIES = RerouteScope(centres=("n",), work_types=(UPKEEP,))
HOUSE = RerouteScope(providers=("bank",), work_types=(UPKEEP,))


def looked_at(room: UpkeepRoom, **changes: Any) -> Preview:
    """What an order for the whole house would do to the work, unless told otherwise."""
    return preview_of(
        terms(**({"scope": HOUSE} | changes)), FloorNow.of(room.views, room.book.orders.values(), room.now)
    )


def test_a_sort_that_nobody_left_may_see_is_a_dead_end_told_beforehand() -> None:
    """The vendor takes the one field and may not see the other: half of what waits, by the template's keyings."""
    preview = looked_at(UpkeepRoom(queued=50))
    assert preview.dead_ends == (SECRET_WORDS,)
    (skill,) = preview.skills
    assert [(sort.sort, sort.items) for sort in skill.dead_sorts] == [(SECRET_WORDS, 25)]
    assert [(taker.team_id, taker.people) for taker in skill.takers] == [("vendor", 2)]
    assert (skill.dead_end, skill.wait_seconds_with, skill.misses_without, skill.misses_with) == (False, None, 0, 25)
    assert stranded_words(SECRET_WORDS, preview) == ", about 25 of the 50 of upkeep/entry that wait"


def test_how_much_has_nobody_goes_by_the_plan_where_there_is_one() -> None:
    """Three of four that come to the north are of the sort: of the other the plan gives most to the vendor."""
    room = UpkeepRoom(queued=40)
    room.plan((OPEN, 100, {"north": 0.2, "vendor": 0.8}), (SECRET, 60, {"north": 1.0}))
    (skill,) = looked_at(room).skills
    assert [sort.items for sort in skill.dead_sorts] == [30]


def test_a_sort_that_only_the_template_names_is_told_though_the_plan_has_not_heard_of_it() -> None:
    """Too many sorts rather than too few."""
    room = UpkeepRoom()
    room.plan((OPEN, 100, {"north": 1.0}))
    assert looked_at(room).dead_ends == (SECRET_WORDS,)


def test_a_sort_that_has_nobody_without_the_order_either_is_told_where_it_waits_alone() -> None:
    """By night the house is away: what the vendor holds is nothing that it may not see, and no order's doing."""
    vendor = RerouteScope(providers=("keyers",), work_types=(UPKEEP,))
    night = UpkeepRoom(queued=0, house=False)
    night.lie("vendor", 10)
    (skill,) = looked_at(night, scope=vendor, effect="shift", percent=50).skills
    assert (skill.dead_end, [sort.sort for sort in skill.dead_sorts], skill.misses_with) == (False, [PART_WORDS], 0)
    assert looked_at(night, scope=vendor).dead_ends == (UPKEEP,)
    night.lie("north", 10)
    assert looked_at(night, scope=vendor, effect="shift", percent=50).dead_ends == (PART_WORDS, SECRET_WORDS)


def test_what_no_vendor_does_counts_nobody_at_a_vendor() -> None:
    """Whoever of them holds the step: it shows whole images."""
    room = UpkeepRoom(queued=0)
    room.lie("north", 10, UPKEEP_REVIEW)
    preview = looked_at(room, scope=RerouteScope(providers=("bank",), work_types=(UPKEEP_REVIEW,)))
    assert preview.dead_ends == (UPKEEP_REVIEW,)
    assert preview.skills[0].people_without == 4


def test_what_stays_where_it_is_and_has_people_there_is_not_counted_as_stranded() -> None:
    """A drain leaves what waits to those who are there; what comes has nobody."""
    (skill,) = looked_at(UpkeepRoom(), effect="drain").skills
    assert [(sort.sort, sort.items) for sort in skill.dead_sorts] == [(SECRET_WORDS, 0)]


def test_a_sort_waits_for_those_who_may_be_given_it() -> None:
    """Of 1,500 s half is for the south's two alone, and the other half comes to the south as well as to the vendor."""
    (skill,) = looked_at(UpkeepRoom(), scope=NORTH_ENTRIES).skills
    assert skill.dead_sorts == ()
    assert skill.wait_seconds_with == 750
    assert skill.wait_seconds_without == 750  # the north's own two, for all that lies there


def test_a_dead_sort_that_was_not_approved_is_a_drift() -> None:
    """Somebody looks again."""
    room = UpkeepRoom()
    before = looked_at(room, scope=NORTH_ENTRIES)
    room.tell_load(desk_load("south", ()))
    drift = drift_between(before, looked_at(room, scope=NORTH_ENTRIES), 0.25)
    assert drift == f"Expected somebody left for {SECRET_WORDS} as approved, found nobody."


def test_the_rest_must_be_able_to_carry_each_sort_that_comes() -> None:
    """Two of the house for 3.3 people's work of the one sort; the vendor's two help with the other alone."""
    room = UpkeepRoom(queued=0)
    room.plan((SECRET, 400, {"north": 1.0}), (OPEN, 1, {"vendor": 1.0}))
    floor, drill = FloorNow.of(room.views, (), room.now), terms(drill=True, effect="drain")
    fault = capacity_fault(preview_of(drill, floor), drill, floor)
    assert fault == (
        f"CAPACITY_CHECK_FAILED: Expected work coming for at most 1.80 of the 2 people left for {SECRET_WORDS} (90%), "
        "found for 3.33."
    )


def test_a_grade_that_large_amounts_ask_for_is_told_when_the_last_who_has_it_goes() -> None:
    """Somebody is left for the small ones; where nobody has the grade without the order either it is not the order's doing."""
    room, large = UpkeepRoom(queued=0), "upkeep/authorisation"
    tiers = (Tier(below_minor=100, authorisers=1), Tier(below_minor=None, authorisers=1, grade_min=1))
    staff = (operator("ann", work_types=(large,), grade=1), operator("cai", "south", (large,), grade=0))
    for entry in (TEMPLATE.model_copy(update={"tiers": tiers}), *staff):
        REFERENCE_BOARD.fold(room.views["reference"], entry.key, entry)
    north = RerouteScope(centres=("n",), work_types=(large,))
    assert looked_at(room, scope=north).dead_ends == ("upkeep/authorisation (grade 1 or above)",)
    assert looked_at(room, scope=north, effect="shift", percent=50).dead_ends == ()
    south = RerouteScope(centres=("s",), work_types=(large,))
    assert looked_at(room, scope=south).dead_ends == ()
    room.tell_load(desk_load("north", ("bob",)))
    assert looked_at(room, scope=south).dead_ends == (large,)


PART_WORDS = "part of upkeep/entry (internal)"


@pytest.mark.parametrize(("percent", "part"), [(30, 0.3), (99, 0.99)])
def test_what_everybody_who_could_do_it_keeps_a_share_of_has_nobody_for_that_share(percent: int, part: float) -> None:
    """Who is chosen is chosen at every team: three of ten that come find nobody, however many are there for the others."""
    room = ControlRoom()
    shift = {"effect": "shift", "percent": percent}
    everywhere = preview_of(
        terms(**shift, scope=RerouteScope(work_types=(ENTRY,))), FloorNow.of(room.views, (), room.now)
    )
    assert everywhere.dead_ends == (f"part of {ENTRY}",)
    assert [(sort.part, sort.items) for sort in everywhere.skills[0].dead_sorts] == [(part, 0)]
    assert stranded_words(f"part of {ENTRY}", everywhere) == f", {part:.0%} of what comes"
    assert (
        preview_of(terms(**shift), FloorNow.of(room.views, (), room.now)).dead_ends == ()
    )  # the south takes all of it


def test_what_moves_to_those_who_keep_a_share_strands_by_that_share() -> None:
    """The south holds 40 % away by another order: of ten that leave the north four are given to nobody, and are late."""
    room = ControlRoom(queued=10)
    south = terms(effect="shift", percent=40, scope=RerouteScope(centres=("s",)))
    assert (room.ask(ProposeReroute, LIN, terms=south), room.approve(CHEN)) == ("done", "done")
    preview = preview_of(terms(), FloorNow.of(room.views, room.book.orders.values(), room.now))
    (skill,) = (one for one in preview.skills if one.work_type == ENTRY)
    assert preview.dead_ends == (f"part of {ENTRY}", f"part of {REVIEW}")
    assert [(sort.part, sort.items) for sort in skill.dead_sorts] == [(0.4, 4)]
    assert skill.misses_with == 4


def by_branches(room: ControlRoom) -> ControlRoom:
    """Three branches, one of them in the east."""
    for name, region in (("b-1", "east"), ("b-2", "west"), ("b-3", "west")):
        branch = Branch(id=name, label=name, region=region, public_key="local")
        REFERENCE_BOARD.fold(room.views["reference"], branch.key, branch)
    return room


def test_an_order_by_region_is_forecast_by_its_part_of_the_branches() -> None:
    """A third of what waits in the north, which the south takes; everywhere, nobody is left for that third."""
    room = by_branches(ControlRoom(queued=30))
    floor = FloorNow.of(room.views, (), room.now)
    preview = preview_of(terms(scope=RerouteScope(centres=("n",), regions=("east",))), floor)
    (skill,) = (one for one in preview.skills if one.work_type == ENTRY)
    assert (skill.moves, skill.queued, skill.people_without, skill.people_with) == (10, 10, 4, 2)
    assert preview.dead_ends == ()
    everywhere = preview_of(terms(effect="drain", scope=RerouteScope(regions=("east",))), floor)
    assert f"{ENTRY} of east" in everywhere.dead_ends
    assert not any(skill.dead_end for skill in everywhere.skills)
    local = terms(effect="local", scope=RerouteScope(business_types=("transfer",), regions=("east",)))
    assert preview_of(local, floor).submissions_back is None


def test_orders_of_other_regions_do_not_meet() -> None:
    """While the east is drained in the south, the west of the north still goes there; the east has nobody."""
    room = by_branches(ControlRoom(queued=30))
    south = terms(effect="drain", scope=RerouteScope(centres=("s",), regions=("east",)))
    assert (room.ask(ProposeReroute, LIN, terms=south), room.approve(CHEN)) == ("done", "done")
    floor = FloorNow.of(room.views, room.book.orders.values(), room.now)
    west = preview_of(terms(scope=RerouteScope(centres=("n",), regions=("west",))), floor)
    assert (west.items_moving, west.dead_ends) == (20, ())
    east = preview_of(terms(scope=RerouteScope(centres=("n",), regions=("east",))), floor)
    assert f"{ENTRY} of east" in east.dead_ends
    (all_of_it,) = (s for s in preview_of(terms(), floor).skills if s.work_type == ENTRY)
    (third,) = all_of_it.dead_sorts
    assert (third.sort, round(third.part, 3)) == (f"part of {ENTRY}", 0.333)


def test_a_region_whose_branches_are_gone_stops_no_preview() -> None:
    """Orders that name it outlive the reference data that knew it: nothing comes from there any more."""
    room = by_branches(ControlRoom(queued=30))
    east = terms(effect="drain", scope=RerouteScope(centres=("s",), regions=("east",)))
    assert (room.ask(ProposeReroute, LIN, terms=east), room.approve(CHEN)) == ("done", "done")
    del room.views["reference"].branches["b-1"]
    floor = FloorNow.of(room.views, room.book.orders.values(), room.now)
    preview = preview_of(terms(scope=RerouteScope(centres=("n",), regions=("east",))), floor)
    assert preview.items_moving == 0


SECRETS = RerouteScope(centres=("n",), data_classes=("secret",))


def test_an_order_by_data_class_moves_that_sort_alone() -> None:
    """Half of what waits in the north, which the south takes; the other half stays with the two who are there."""
    room = UpkeepRoom(queued=40)
    preview = looked_at(room, scope=SECRETS)
    (skill,) = preview.skills
    assert (preview.items_moving, skill.moves, skill.queued) == (20, 20, 20)
    assert (skill.people_without, skill.people_with, [taker.team_id for taker in skill.takers]) == (4, 2, ["south"])
    assert skill.wait_seconds_with == 300  # 600 s stay with two, and 600 s come to the other two
    room.tell_load(desk_load("vendor", ()))
    whole = looked_at(room, scope=NORTH_ENTRIES).skills[0]
    assert (whole.moves, whole.people_with, whole.wait_seconds_with) == (40, 2, 600)


def test_an_order_by_data_class_leaves_the_other_sort_its_people() -> None:
    """With the secret ones held everywhere in the house nobody may see them; the others are done as before."""
    (skill,) = looked_at(UpkeepRoom(queued=50), scope=HOUSE.model_copy(update={"data_classes": ("secret",)})).skills
    assert [(sort.sort, sort.items) for sort in skill.dead_sorts] == [(SECRET_WORDS, 25)]
    assert (skill.moves, skill.people_without, skill.people_with, skill.misses_with) == (25, 4, 0, 25)
    assert (skill.takers, skill.dead_end) == ((), False)


def test_an_order_by_a_class_that_a_type_has_nothing_of_says_nothing_of_the_type() -> None:
    """Reviews show whole cases, which are of no field's class."""
    room = UpkeepRoom(queued=0)
    room.lie("north", 10, UPKEEP_REVIEW)
    assert [skill.work_type for skill in looked_at(room, scope=SECRETS).skills] == [UPKEEP]
    assert looked_at(room, scope=SECRETS).items_moving == 0


def test_another_order_by_data_class_holds_that_sort_alone() -> None:
    """While it is in force the north's secret ones have the south alone, and the north still takes the others."""
    room = UpkeepRoom(queued=0)
    first = terms(scope=SECRETS, effect="drain")
    assert (room.ask(ProposeReroute, LIN, terms=first), room.approve(CHEN)) == ("done", "done")
    south = RerouteScope(centres=("s",), work_types=(UPKEEP,))
    preview = looked_at(room, scope=south)
    assert preview.also_in_force == ("r1",)
    assert preview.dead_ends == (SECRET_WORDS,)
    assert [(one.team_id, one.people) for one in preview.skills[0].takers] == [("north", 2), ("vendor", 2)]


def test_a_drill_by_data_class_asks_whether_that_sort_finds_people() -> None:
    """The other sort, of which as much comes, keeps all who are there."""
    room = UpkeepRoom(queued=0)
    room.plan((SECRET, 200, {"north": 1.0}), (OPEN, 700, {"north": 1.0}))
    drill, floor = terms(drill=True, effect="drain", scope=SECRETS), FloorNow.of(room.views, (), room.now)
    assert capacity_fault(preview_of(drill, floor), drill, floor) is None
    whole = drill.model_copy(update={"scope": NORTH_ENTRIES})
    assert "work coming for at most" in str(capacity_fault(preview_of(whole, floor), whole, floor))
