"""What a reroute would make of contracts' shares and of what one site may carry: without it, with it, and in words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from services.routing.balancer.planner import bounds_of
from services.routing.boards import PLAN_BOARD
from services.routing.emergency.floor import FloorNow
from services.routing.emergency.preview import SHARE_TOLERATED, drift_between, preview_of
from services.routing.emergency.report import preview_words
from services.routing.emergency.shares import limit_forecasts
from services.routing.limits import share_limits
from shared.contracts.reference import Centre, Provider, ReferenceEntry
from shared.contracts.reroute import LimitForecast, ProposeReroute, RerouteScope
from shared.contracts.routing import PlanMade, PlannedWork, TeamShare
from shared.reference.board import REFERENCE_BOARD
from tests.unit.emergency.control_room import CHEN, LIN, ControlRoom, desk_load, terms
from tests.unit.emergency.upkeep import UpkeepRoom
from tests.unit.routing.floor import ENTRY, NOW, operator

SOUTH_AT_MOST = Centre(id="s", label="S", city="-", share_maximum=0.6)
PROMISED = Provider(id="keyers", label="Keyers", outside=True, data_classes=("internal",), share_minimum=0.2)
KEYERS_AT_MOST = PROMISED.model_copy(update={"share_minimum": None, "share_maximum": 0.3})
SHARES = {"north": 0.5, "south": 0.3, "vendor": 0.2}


class Agreed(ControlRoom):
    """Three teams with two people each, limits, and a plan: 100 entries an hour, by `shares`."""

    def __init__(self, *limits: ReferenceEntry, shares: Mapping[str, float] | None = None, **more: Any) -> None:
        super().__init__(queued=0)
        staff = [operator(name, "vendor", (ENTRY,)) for name in ("vic", "val")]
        for entry in (*staff, *limits):
            REFERENCE_BOARD.fold(self.views["reference"], entry.key, entry)
        self.tell_load(desk_load("vendor", ("vic", "val")))
        self.plan(SHARES if shares is None else shares, **more)

    def plan(self, shares: Mapping[str, float], per_hour: float = 100.0, **kind: Any) -> None:
        """The balancer's plan."""
        told = tuple(TeamShare(team_id=team_id, share=share) for team_id, share in shares.items())
        work = PlannedWork(work_type=ENTRY, recent_per_hour=per_hour, coming_per_hour=per_hour, shares=told, **kind)
        plan = PlanMade(
            made_at=self.now,
            made_by="b",
            good_until=self.now + timedelta(minutes=10),
            work=(work,),
            teams=(),
            saturation=0.5,
            lateness_minutes=0.0,
        )
        PLAN_BOARD.fold(self.views["plan"], plan.key, plan)

    def foreseen(self, **asked: Any) -> list[LimitForecast]:
        """Every limit, without and with the reroute."""
        return list(limit_forecasts(terms(**asked), FloorNow.of(self.views, self.book.orders.values(), self.now)))


def test_what_a_centre_would_carry_is_told_without_and_with() -> None:
    """North's half goes to the others by the plan's proportions: three to two."""
    (south,) = Agreed(SOUTH_AT_MOST).foreseen()
    assert (south.limit, south.name, south.share_without, south.share_with) == ("centre_maximum", "s", 0.3, 0.6)
    assert (south.broken, south.broken_without) == (False, False)
    assert south.words == "centre s would have 60% of all work, 30% without it, at most 60%."


def test_a_limit_that_would_be_broken_is_named_with_what_can_be_done() -> None:
    """South would carry too much; the vendor could take more of it."""
    (south,) = Agreed(SOUTH_AT_MOST.model_copy(update={"share_maximum": 0.5})).foreseen()
    assert (south.broken, south.avoidable) == (True, True)
    assert south.words == (
        "centre s would have 60% of all work, 30% without it, at most 50%: broken. "
        "The plan can still keep it by sharing work otherwise."
    )


@pytest.mark.parametrize(
    ("bound", "words"),
    [
        (0.597, "60.0% of all work, 30.0% without it, at most 59.7%"),
        (0.5999, "60.00% of all work, 30.00% without it, at most 59.99%"),
    ],
)
def test_what_lies_just_outside_is_told_with_the_digits_that_show_it(bound: float, words: str) -> None:
    """Rounded, it would read as if the limit were kept."""
    (south,) = Agreed(SOUTH_AT_MOST.model_copy(update={"share_maximum": bound})).foreseen()
    assert south.words.startswith(f"centre s would have {words}: broken.")


def test_a_limit_that_no_sharing_can_keep_says_so() -> None:
    """What is kept in the house can go nowhere but south."""
    room = Agreed(SOUTH_AT_MOST, shares={"north": 0.5, "south": 0.5}, in_house_only=True)
    (south,) = room.foreseen()
    assert (south.share_with, south.broken, south.avoidable) == (1.0, True, False)
    assert south.words.endswith("No sharing of the work can keep it.")


def test_a_promise_is_broken_by_holding_work_away_from_a_vendor() -> None:
    """A drain of the vendor leaves nothing of what the contract promises; a shift leaves a part."""
    room = Agreed(PROMISED)
    (none_left,) = room.foreseen(effect="drain", scope=RerouteScope(providers=("keyers",)))
    assert (none_left.share_with, none_left.broken, none_left.avoidable) == (0.0, True, False)
    assert "at least 20% is promised: broken. No sharing" in none_left.words
    (part,) = room.foreseen(effect="shift", percent=25, scope=RerouteScope(providers=("keyers",)))
    assert (part.share_with, part.broken, part.avoidable) == (0.15, True, True)


def test_more_than_the_bank_allows_a_vendor_is_broken() -> None:
    """North's work goes to south and the vendor alike."""
    (most,) = Agreed(KEYERS_AT_MOST).foreseen()
    assert (most.limit, most.share_without, most.share_with, most.broken) == ("provider_maximum", 0.2, 0.4, True)


def test_a_limit_that_is_broken_already_says_so() -> None:
    """Who approves sees that it is not the reroute's doing alone."""
    (south,) = Agreed(SOUTH_AT_MOST.model_copy(update={"share_maximum": 0.1})).foreseen()
    assert south.broken_without
    assert "It is broken without it, too." in south.words


@pytest.mark.parametrize("minutes", [60, 6])
def test_what_waits_counts_over_the_time_that_the_reroute_lasts(minutes: int) -> None:
    """A short reroute is mostly what waits, a long one mostly what comes; an evacuation moves what waits as well."""
    room = Agreed(SOUTH_AT_MOST, shares={"north": 0.9, "south": 0.1})
    room.tell_load(desk_load("south", ("cai", "dee"), queued=25))
    room.tell_load(desk_load("north", ("ann", "bob"), queued=75))
    (stays,) = room.foreseen(minutes=minutes, effect="drain")
    coming = 100 * minutes / 60
    assert stays.share_without == pytest.approx((25 + 0.1 * coming) / (100 + coming), abs=1e-4)
    assert stays.share_with == pytest.approx((25 + coming) / (100 + coming), abs=1e-4)
    (moves,) = room.foreseen(minutes=minutes, effect="evacuate")
    assert moves.share_with == 1.0


def test_a_vendor_is_given_nothing_that_it_may_not_see() -> None:
    """Of a data class that its contract does not name it takes nothing, however much of the rest it does."""
    room = Agreed(KEYERS_AT_MOST, shares={"north": 1.0}, data_class="secret")
    (most,) = room.foreseen()
    assert (most.share_with, most.broken) == (0.0, False)


def test_what_waits_is_given_to_nobody_who_may_not_see_it() -> None:
    """Half of what waits is the house's alone: the vendor gets half of the other half."""
    room = UpkeepRoom(queued=40)
    REFERENCE_BOARD.fold(room.views["reference"], KEYERS_AT_MOST.key, KEYERS_AT_MOST)
    (most,) = limit_forecasts(terms(), FloorNow.of(room.views, (), room.now))
    assert (most.share_without, most.share_with) == (0.0, 0.25)


def test_a_scope_by_data_class_takes_that_class_alone() -> None:
    """The plan tells data classes apart."""
    room = Agreed(SOUTH_AT_MOST)
    narrowed = RerouteScope(centres=("n",), data_classes=("secret",))
    (south,) = room.foreseen(scope=narrowed)
    assert south.share_with == south.share_without == 0.3


def test_work_that_branches_do_themselves_is_nobodys_share() -> None:
    """A local order lessens what comes; what waits stays where it lies."""
    room = Agreed(SOUTH_AT_MOST)
    room.tell_load(desk_load("south", ("cai", "dee"), queued=10))
    (south,) = room.foreseen(effect="local", scope=RerouteScope(business_types=("transfer",)))
    assert south.share_without == pytest.approx(40 / 110, abs=1e-4)
    assert (south.share_with, south.broken) == (1.0, True)


def test_without_a_plan_what_waits_speaks_alone_and_nothing_speaks_for_nothing() -> None:
    """A plan that is too old says nothing of what comes."""
    room = Agreed(SOUTH_AT_MOST)
    room.now = NOW + timedelta(hours=1)
    (unknown,) = room.foreseen()
    assert (unknown.share_without, unknown.share_with, unknown.broken) == (None, None, False)
    assert "nothing waits and no plan says what comes" in unknown.words
    room.tell_load(desk_load("north", ("ann", "bob"), queued=40))
    (waiting,) = room.foreseen()
    assert (waiting.share_without, waiting.share_with) == (0.0, 0.5)  # by people: two of four who can take it


def test_with_nobody_left_the_work_is_nobodys() -> None:
    """It goes nowhere, and counts as work all the same."""
    room = Agreed(SOUTH_AT_MOST, shares={"north": 1.0}, in_house_only=True)
    room.tell_load(desk_load("south", ()))
    (south,) = room.foreseen()
    assert (south.share_without, south.share_with, south.broken) == (0.0, 0.0, False)


def test_the_preview_and_the_plan_go_by_the_same_limits() -> None:
    """One place reads them; each is one of the balancer's bounds."""
    view = Agreed(SOUTH_AT_MOST, PROMISED.model_copy(update={"share_maximum": 0.4})).views["reference"]
    told = [(limit.kind, limit.name, limit.bound) for limit in share_limits(view)]
    assert told == [
        ("provider_minimum", "keyers", 0.2),
        ("provider_maximum", "keyers", 0.4),
        ("centre_maximum", "s", 0.6),
    ]
    bounds = bounds_of(view)
    assert (bounds.provider_minimum, bounds.provider_maximum, bounds.centre_maximum) == (
        {"keyers": 0.2},
        {"keyers": 0.4},
        {"s": 0.6},
    )


def test_a_preview_tells_the_limits_and_its_sentence_names_the_broken_ones() -> None:
    """Where nothing is agreed there is nothing to tell."""
    room = Agreed(KEYERS_AT_MOST, SOUTH_AT_MOST)
    preview = preview_of(terms(), FloorNow.of(room.views, (), room.now))
    assert [limit.broken for limit in preview.limits] == [True, False]
    assert preview_words(preview).endswith("limits broken: provider_maximum of keyers")
    assert preview_of(terms(), FloorNow.of(Agreed().views, (), NOW)).limits == ()


def test_a_limit_newly_and_clearly_broken_is_a_drift() -> None:
    """What was approved broke none: somebody looks again; a share that wavers around the bound moves nobody."""

    def with_share(share: float) -> Any:
        rest = 1 - share
        room = Agreed(SOUTH_AT_MOST, shares={"north": 0.0, "south": share, "vendor": rest})
        return preview_of(terms(), FloorNow.of(room.views, (), room.now))

    approved = with_share(0.5)
    assert drift_between(approved, with_share(0.6 + SHARE_TOLERATED / 2), 0.25) is None
    drift = drift_between(approved, with_share(0.7), 0.25)
    assert drift == "Expected no more limits broken than approved, found centre_maximum of s."
    assert drift_between(with_share(0.65), with_share(0.7), 0.25) is None


def test_a_broken_limit_hinders_nobody() -> None:
    """It is told, and a second person decides."""
    room = Agreed(KEYERS_AT_MOST)
    assert room.ask(ProposeReroute, "lin", terms=terms()) == "done"
    assert room.order().preview.limits[0].broken
    assert room.approve(CHEN) == "done"


def test_what_comes_back_from_hands_is_told_beside_what_waits() -> None:
    """A recall of an empty queue moves something too; without anything in hand nothing is said of hands."""
    room = ControlRoom()
    assert room.ask(ProposeReroute, LIN, terms=terms()) == "done"
    preview = room.order().preview
    assert preview_words(preview).startswith("10 items move, ")
    assert preview_words(preview.model_copy(update={"in_hand_moving": 5})).startswith("10 items and 5 in hand move, ")
