"""What limits make of whom an item may go to: parts of all work, kept over many items, and never nobody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.routing.boards import PLAN_BOARD
from services.routing.placement.bounds import Groups, groups_of, groups_spared, kept_out
from services.routing.placement.choice import Choice, Sight, choose
from services.routing.placement.processor import placement
from services.routing.simulator.ahead import in_force
from services.routing.why import place_again
from shared.contracts.audit import WorkRequested
from shared.contracts.message import Message
from shared.contracts.reroute import RerouteScope, RerouteTerms
from shared.contracts.routing import LimitPlanned, LoadSnapshot, PlanMade, PlannedWork, TeamShare, WorkPlaced
from shared.reroutes import REROUTE_BOARD, chosen
from tests.support.examples import share_of
from tests.unit.routing.floor import ENTRY, NOW, Floor, boards, load, only, order
from tests.unit.routing.test_placement import PEOPLE

ITEMS = 3_000
ROUGHLY = 0.03  # three standard deviations of a part of so many items

Limit = tuple[str, str, float, float]


def limits_of(*limits: Limit) -> Sequence[LimitPlanned]:
    """Which limit, of whom, what it says and what is planned."""
    return [
        LimitPlanned.model_validate(dict(zip(("limit", "name", "bound", "planned"), one, strict=True)))
        for one in limits
    ]


def plan_of(shares: Mapping[str, float], *limits: Limit) -> Message:
    """A plan of this one kind of work, which the bank's own people may do and others."""
    parts = tuple(TeamShare(team_id=team, share=share) for team, share in shares.items())
    return PlanMade(
        made_at=NOW,
        made_by="b",
        good_until=NOW.replace(year=NOW.year + 1),
        work=tuple(
            PlannedWork(work_type=ENTRY, in_house_only=house, recent_per_hour=60, coming_per_hour=60, shares=parts)
            for house in (True, False)
        ),
        teams=(),
        saturation=0.5,
        lateness_minutes=0.0,
        limits=tuple(limits_of(*limits)),
    )


def floor_with(*loads: LoadSnapshot, plan: Message | None = None, people: Any = PEOPLE) -> Mapping[str, Any]:
    views = boards(people, loads)
    if plan is not None:
        PLAN_BOARD.fold(views["plan"], plan.key, plan)
    return views


def choices(views: Mapping[str, Any], count: int = ITEMS, **changes: Any) -> Sequence[Choice]:
    """What each of so many items alike is given."""
    sight = Sight.of(views, NOW, None)
    return [choose(order(f"item-{n}", due_seconds=50_000, **changes), 1, None, sight) for n in range(count)]


def parts(found: Sequence[Choice]) -> Mapping[str | None, float]:
    return {team: items / len(found) for team, items in Counter(one.team_id for one in found).items()}


def busy(team_id: str, person: str, seconds: float) -> LoadSnapshot:
    return load(team_id, [person], seconds)


def test_without_limits_the_shorter_wait_decides_whatever_the_plan() -> None:
    """As two draws of two teams see both: that is why limits are asked apart."""
    views = floor_with(busy("north", "ann", 10), busy("south", "sue", 900), plan=plan_of({"north": 0.1, "south": 0.9}))
    assert parts(choices(views, 50)) == {"north": 1.0}


@pytest.mark.parametrize(
    ("limit", "least", "most"),
    [
        (("centre_maximum", "n", 0.3, 0.3), 0.0, 0.3),
        (("centre_maximum", "n", 0.5, 0.3), 0.3, 0.5),
        (("centre_maximum", "n", 0.2, 0.3), 0.0, 0.3),
        (("centre_maximum", "n", 1.0, 0.3), 1.0, 1.0),
    ],
)
def test_a_centre_has_no_more_than_its_maximum_though_it_is_always_free(
    limit: Limit, least: float, most: float
) -> None:
    """What it is planned below its maximum it may have more; where the plan breaks the limit, what the plan says."""
    plan = plan_of({"north": 0.3, "south": 0.7}, limit)
    found = parts(choices(floor_with(busy("north", "ann", 0), busy("south", "sue", 900), plan=plan)))
    assert least - ROUGHLY <= found["north"] <= most + ROUGHLY
    assert found["north"] + found.get("south", 0.0) == pytest.approx(1.0)


def test_who_is_promised_work_gets_it_though_others_are_free() -> None:
    """Planned a tenth above what is promised, the vendor may have a tenth less."""
    limit = ("provider_minimum", "keyers", 0.4, 0.5)
    plan = plan_of({"north": 0.5, "vendor": 0.5}, limit)
    views = floor_with(busy("north", "ann", 0), busy("vendor", "vic", 900), plan=plan)
    found = parts(choices(views, in_house_only=False))
    assert found["vendor"] == pytest.approx(0.4, abs=ROUGHLY)


def test_the_only_open_team_gets_all_whatever_its_maximum() -> None:
    """Work goes somewhere: the limit gives way."""
    plan = plan_of({"north": 0.5, "south": 0.5}, ("centre_maximum", "n", 0.5, 0.5))
    assert parts(choices(floor_with(busy("north", "ann", 0), plan=plan), 200)) == {"north": 1.0}


def test_the_fact_names_whose_limit_kept_the_item_from_a_team_and_the_choice_can_be_made_again() -> None:
    """Without the boards."""
    plan = plan_of({"north": 0.3, "south": 0.7}, ("centre_maximum", "n", 0.3, 0.3))
    views = floor_with(busy("north", "ann", 0), busy("south", "sue", 900), plan=plan)
    facts = [
        only(Floor(placement(), name, views).send(WorkRequested(order=order(name, due_seconds=50_000))), WorkPlaced)
        for name in (f"item-{n}" for n in range(share_of(40)))
    ]
    assert all(place_again(fact).same for fact in facts)
    away = [fact for fact in facts if fact.team_id == "south"]
    assert away
    assert {c.kept_out_by for fact in away for c in fact.considered if c.team_id == "north"} == {"n"}


# ------------------------------------------------------------------- reroutes


def shifted(percent: int) -> Any:
    terms = RerouteTerms(
        effect="shift", percent=percent, scope=RerouteScope(teams=("north",)), minutes=60, reason="half are ill"
    )
    return in_force(terms, NOW)


@pytest.mark.parametrize("percent", [20, 50, 80])
@pytest.mark.parametrize("planned", [True, False])
def test_a_shift_leaves_a_team_its_part_less_so_much_though_it_is_always_free(percent: int, planned: bool) -> None:
    """Not so much of all work, which it would win in the draws again."""
    plan = plan_of({"north": 0.5, "south": 0.5}) if planned else None
    views = floor_with(busy("north", "ann", 0), busy("south", "sue", 900), plan=plan)
    held = shifted(percent)
    REROUTE_BOARD.fold(views["reroutes"], held.key, held)
    found = choices(views)
    assert parts(found)["north"] == pytest.approx(0.5 * (1 - percent / 100), abs=ROUGHLY)
    names = [f"item-{n}" for n in range(ITEMS)]
    assert not any(
        chosen(name, percent / 100) for name, one in zip(names, found, strict=True) if one.team_id == "north"
    )


def test_a_shift_of_everybody_who_could_do_it_holds_no_more_than_it_says() -> None:
    """There is nobody for the rest of their parts to go to."""
    views = floor_with(busy("north", "ann", 0), people=PEOPLE[:2])
    held = shifted(30)
    REROUTE_BOARD.fold(views["reroutes"], held.key, held)
    assert parts(choices(views)) == {"north": pytest.approx(0.7, abs=ROUGHLY), None: pytest.approx(0.3, abs=ROUGHLY)}


# ----------------------------------------------------------------- properties


TEAMS = ("north", "south", "vendor")
wholes = st.integers(1, 20)


@given(st.tuples(wholes, wholes, wholes), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_no_item_is_ever_kept_from_everybody(
    weights: tuple[int, ...], north: float, south: float, vendor: float
) -> None:
    """Whatever the limits, and however the plan stands to them."""
    shares = {team: weight / sum(weights) for team, weight in zip(TEAMS, weights, strict=True)}
    told = limits_of(
        ("centre_maximum", "n", north, shares["north"]),
        ("centre_maximum", "s", south, shares["south"]),
        ("provider_minimum", "keyers", min(vendor, north), shares["vendor"]),
        ("provider_maximum", "keyers", vendor, shares["vendor"]),
    )
    groups: Groups = {
        **groups_of(shares, told, boards(PEOPLE, ())["reference"]),
        "reroute": groups_spared({"north": "r-1", "south": "r-2"}, shares, shares),
    }
    for n in range(20):
        assert len(kept_out(f"item-{n}", groups, TEAMS)) < len(TEAMS)
