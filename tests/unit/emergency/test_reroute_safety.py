"""The rules that two people, or nobody, may pass: who is left, however the scope is spelt; longer than agreed; glass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from html import escape
from typing import Any

import pytest

from services.routing.emergency.floor import FloorNow
from services.routing.emergency.report import line_of
from services.routing.emergency.safety import broken_rules, overlaps
from shared.contracts.reference import Branch, Operator, RerouteRule
from shared.contracts.reroute import (
    CancelReroute,
    CloseReview,
    EndReroute,
    ExtendReroute,
    ProposeReroute,
    RerouteScope,
)
from shared.reference.board import REFERENCE_BOARD
from shared.reroutes import chosen, resolve, share_now
from tests.unit.emergency.control_room import CHEN, LIN, NORTH, ControlRoom, desk_load, terms
from tests.unit.emergency.front_desk import FrontDesk
from tests.unit.routing.floor import NOW, operator

SOMEBODY = RerouteRule(
    id="somebody", label="nothing is posted", form="able_centres", step="review", minimum=1, overridable=False
)
TWO = RerouteRule(id="two", label="one more must not stop us", form="able_centres", step="review", minimum=2)
TYPES = ("transfer/review", "payroll/review", "cheque/review")
BOTH = {"centres": ("n", "s")}


class Office(ControlRoom):
    """A floor of two centres, three business types, three regions and two data classes; everybody reviews all types."""

    def __init__(self, *rules: RerouteRule, people: Sequence[Operator] = ()) -> None:
        super().__init__(*rules)
        staff = people or [operator(name, team, TYPES) for name, team in STAFF]
        branches = [
            Branch(id=f"b-{region}", label=region, region=region, public_key="local") for region in ("a", "b", "c")
        ]
        for entry in (*staff, *branches):
            REFERENCE_BOARD.fold(self.views["reference"], entry.key, entry)

    def broken(self, *in_force: Any, **asked: Any) -> list[str]:
        """The rules that a reroute would break, with these in force already."""
        for number, order in enumerate(in_force):
            assert self.ask(ProposeReroute, LIN, f"old{number}", terms=terms(**order)) == "done"
            assert self.approve(CHEN, f"old{number}") == "done"
        floor = FloorNow.of(self.views, self.book.orders.values(), self.now)
        return [rule.rule_id for rule in broken_rules(terms(**asked), floor, ())]


STAFF = (("ann", "north"), ("bob", "north"), ("cai", "south"), ("dee", "south"))
EVERYTHING = [
    {},
    {"work_types": TYPES},
    {"regions": ("a", "b", "c")},
    {"data_classes": ("internal", "secret")},
    {"work_types": TYPES, "regions": ("c", "b", "a"), "data_classes": ("secret", "internal", "secret")},
    {"teams": ("north", "south")},
    {"providers": ("bank",)},
]


@pytest.mark.parametrize("narrowed", EVERYTHING, ids=str)
@pytest.mark.parametrize("effect", ["drain", "evacuate", "recall", "shift"])
def test_a_scope_that_names_everything_is_as_one_that_names_nothing(effect: str, narrowed: dict[str, Any]) -> None:
    """However it is spelt: nobody would be left who reviews."""
    scope = RerouteScope(**(BOTH | narrowed))
    assert Office(SOMEBODY).broken(effect=effect, scope=scope) == ["somebody"]


@pytest.mark.parametrize(
    "narrowed",
    [
        {"work_types": TYPES[:1]},
        {"work_types": ("transfer/entry",)},
        {"regions": ("a", "b")},
        {"data_classes": ("secret",)},
    ],
    ids=str,
)
def test_a_scope_that_leaves_everybody_something_of_the_step_breaks_no_rule(narrowed: dict[str, Any]) -> None:
    """Who reviews other types, regions or classes still reviews."""
    scope = RerouteScope(**(BOTH | narrowed))
    assert Office(SOMEBODY, TWO).broken(effect="recall", scope=scope) == []


def test_who_does_only_the_type_that_is_taken_is_not_left() -> None:
    """Each person by what they may do: in the south nobody does anything but transfers."""
    people = [operator("ann", "north", TYPES), operator("cai", "south", TYPES[:1]), operator("dee", "south", TYPES[:1])]
    scope = RerouteScope(centres=("n", "s"), work_types=TYPES[:1])
    assert Office(SOMEBODY, TWO, people=people).broken(effect="drain", scope=scope) == ["two"]


def test_orders_that_take_everything_together_are_seen_together() -> None:
    """Two regions first, the third later: the last of them breaks the rule."""
    first = {"effect": "drain", "scope": RerouteScope(**BOTH, regions=("a", "b"))}
    last = RerouteScope(**BOTH, regions=("c",))
    assert Office(SOMEBODY).broken(first, effect="drain", scope=last) == ["somebody"]
    assert Office(SOMEBODY).broken(effect="drain", scope=last) == []


def test_what_comes_back_is_not_taken_again_past_a_rule() -> None:
    """The north has begun to come back, so the south may be drained; then the north must not be taken again."""
    office = Office(SOMEBODY)
    for name, centre in (("above", "n"), ("below", "s")):
        assert (
            office.ask(ProposeReroute, LIN, name, terms=terms(scope=RerouteScope(centres=(centre,)), effect="drain"))
            == "done"
        )
    assert office.approve(CHEN, "above") == "done"
    assert office.approve(CHEN, "below") in ("rules_broken", "rule_not_overridable", "preview_changed")
    assert office.ask(EndReroute, LIN, "above") == "done"
    office.book.orders["below"] = office.order("above").model_copy(
        update={"reroute_id": "below", "phase": "active", "terms": office.order("below").terms}
    )
    assert office.ask(ExtendReroute, LIN, "above", minutes=1) == "rule_not_overridable"


def falling_back(*rules: RerouteRule, then: Sequence[RerouteRule] = (), named: Sequence[str] = ()) -> Office:
    """The north has been evacuated past what is named; its leases run out as its work comes back, and these rules hold."""
    people = [operator(f"n{n}", "north", TYPES) for n in range(8)] + [operator("cai", "south", TYPES)]
    office = Office(*rules, people=people)
    present = tuple(f"n{n}" for n in range(8))
    office.tell_load(desk_load("north", present))
    assert office.ask(ProposeReroute, LIN, terms=terms()) == "done"
    assert office.approve(CHEN, override_rules=named) == "done"
    assert office.ask(EndReroute, LIN) == "done"
    for rule in then:
        REFERENCE_BOARD.fold(office.views["reference"], rule.key, rule)
    office.tell_load(desk_load("north", present, at=NOW + timedelta(seconds=59), accepted=4, expired=3))
    return office


def last_sentence(office: Office) -> str:
    """The last line of the order's life."""
    lines = [line for fact in office.facts if (line := line_of(fact)) is not None]
    return lines[-1].sentence


def test_a_return_that_is_not_well_goes_on_where_nobody_may_be_taken_again() -> None:
    """The south is evacuated meanwhile: taken again, nobody would be left who reviews. Both reasons are on record."""
    office = falling_back(SOMEBODY)
    assert office.ask(ProposeReroute, LIN, "below", terms=terms(scope=RerouteScope(centres=("s",)))) == "done"
    assert office.approve(CHEN, "below") == "done"
    office.wait(60)
    assert (office.order().phase, office.order().return_steps_done, office.order().fell_back) == ("returning", 2, 0)
    assert last_sentence(office) == (
        "returning, 50 % still held: Expected at most 20% of leases to run out at north, found 3. It is not taken again: "
        "Expected at least 1 centres able to do review to be left, found 0: nothing is posted."
    )
    assert office.ask(CancelReroute, LIN, "below") == "done"
    office.tell_load(desk_load("north", (), at=office.now))
    office.wait(60)
    assert (office.order().phase, office.order().fell_back) == ("active", 1)


MILD = TWO.model_copy(update={"minimum": 1})


@pytest.mark.parametrize(
    ("before", "named", "phase"), [(MILD, (), "returning"), (MILD, ("two",), "returning"), (TWO, ("two",), "active")]
)
def test_a_rule_bars_a_fall_back_unless_the_orders_people_overrode_it(
    before: RerouteRule, named: tuple[str, ...], phase: str
) -> None:
    """It asks for two centres by now; whoever approved the order saw it broken and named it, or named it as a habit, or not."""
    office = falling_back(before, then=(TWO,), named=named)
    office.wait(60)
    assert office.order().phase == phase
    assert ("Override by naming: two." in last_sentence(office)) == (phase == "returning")


def test_a_name_that_is_not_needed_leaves_nothing_behind() -> None:
    """A runbook names a rule whatever the hour: it is taken, told as not needed, and a later extension must name it anew."""
    room = ControlRoom(MILD, SOMEBODY.model_copy(update={"minimum": 1}))
    assert room.ask(ProposeReroute, LIN, terms=terms(minutes=5)) == "done"
    assert room.approve(CHEN, override_rules=("two", "somebody")) == "done"
    assert room.order().overridden_rules == ()
    assert detail(room).endswith("Not overridden, since not broken: somebody, two.")
    assert room.ask(ExtendReroute, CHEN, minutes=1, override_rules=("two",)) == "done"
    assert room.order().overridden_rules == ()
    REFERENCE_BOARD.fold(room.views["reference"], TWO.key, TWO)
    assert room.ask(ExtendReroute, CHEN, minutes=5) == "rules_broken"
    assert room.ask(ExtendReroute, CHEN, minutes=5, override_rules=("two",)) == "done"
    assert (room.order().overridden_rules, "Not overridden" in detail(room)) == (("two",), False)


def test_a_broken_glass_overrides_what_it_breaks_and_nothing_else() -> None:
    """Both are named, one is broken."""
    room = ControlRoom(TWO, RerouteRule(id="flap", label="to and fro", form="anti_flap", wait_seconds=300))
    said = room.ask(ProposeReroute, LIN, terms=terms(minutes=5), break_glass=True, override_rules=("two", "flap"))
    assert said == "done"
    assert room.order().overridden_rules == ("two",)
    assert detail(room).endswith("Not overridden, since not broken: flap.")


def detail(room: ControlRoom) -> str:
    """The sentence of the last answer."""
    return [answer.detail for answer in room.book.answers.values()][-1]


def test_a_rule_that_is_gone_keeps_nothing_from_falling_back() -> None:
    """Its name stands in the order still; only who names one anew must name one that is there."""
    office = falling_back(TWO, named=("two",))
    del office.views["reference"].reroute_rules["two"]
    assert office.ask(ExtendReroute, CHEN, minutes=90, override_rules=("two",)) == "rule_unknown"
    office.wait(60)
    assert office.order().phase == "active"
    assert office.ask(ExtendReroute, CHEN, minutes=90) == "done"


def test_several_shifts_hold_what_the_largest_holds() -> None:
    """Each draws the same items first: what every preview and rule reckons with."""
    ids = [f"item-{n}" for n in range(2_000)]
    held = [{one for one in ids if chosen(one, share)} for share in (0.5, 0.86, 0.9)]
    assert held[0] < held[1] < held[2]
    assert 0.87 < len(held[2]) / len(ids) < 0.93


def test_an_order_under_another_names_the_rule_that_it_breaks_by_itself() -> None:
    """The north is drained already; the same people by other names: when the first ends the second stands alone."""
    above = {"effect": "drain", "scope": RerouteScope(centres=("n",))}
    office = Office(TWO)
    assert office.ask(ProposeReroute, LIN, "above", terms=terms(**above)) == "done"
    assert office.approve(CHEN, "above", override_rules=("two",)) == "done"
    assert office.broken(effect="evacuate", scope=RerouteScope(teams=("north",))) == ["two"]
    assert office.broken(effect="evacuate", scope=RerouteScope(work_types=("transfer/entry",))) == []


def test_an_order_on_its_way_back_counts_by_what_it_still_holds() -> None:
    """Eight in the north: at 75 % two of them are left, and the south may be evacuated; at 100 % nobody would be."""
    people = [operator(f"n{n}", "north", TYPES) for n in range(8)] + [operator("cai", "south", TYPES)]
    office = Office(SOMEBODY, people=people)
    office.tell_load(desk_load("north", tuple(f"n{n}" for n in range(8))))
    north, south = ({"scope": RerouteScope(centres=(name,))} for name in ("n", "s"))
    assert office.broken(north, **south) == ["somebody"]
    assert office.ask(EndReroute, LIN, "old0") == "done"
    assert office.broken(**south) == []


@pytest.mark.parametrize(("percent", "found"), [(99, ["somebody"]), (50, []), (10, [])])
def test_a_shift_counts_by_what_it_leaves(percent: int, found: list[str]) -> None:
    """A hundredth of four people is nobody."""
    assert Office(SOMEBODY).broken(effect="shift", percent=percent, scope=RerouteScope(**BOTH)) == found


# ---------------------------------------------------------- longer than agreed


def in_force(room: ControlRoom, **named: Any) -> ControlRoom:
    """Lin proposes to evacuate the north for five minutes, Chen approves."""
    assert room.ask(ProposeReroute, LIN, terms=terms(minutes=5)) == "done"
    assert room.approve(CHEN, **named) == "done"
    return room


def test_the_proposer_alone_keeps_nothing_for_longer_than_agreed() -> None:
    """Nor after ending it early: up to the agreed end they may, beyond it another must."""
    room = in_force(ControlRoom())
    assert room.ask(ExtendReroute, LIN, minutes=1) == "own_proposal"
    room.now += timedelta(minutes=1)
    assert room.ask(EndReroute, LIN) == "done"
    assert room.ask(ExtendReroute, LIN, minutes=5) == "own_proposal"
    assert room.ask(ExtendReroute, LIN, minutes=4) == "done"
    assert room.order().ends_at == NOW + timedelta(minutes=5)
    assert room.ask(ExtendReroute, CHEN, minutes=60) == "done"
    assert room.order().ends_at == NOW + timedelta(minutes=65)


def test_the_rules_are_asked_again_before_it_stays() -> None:
    """The south has lost its people meanwhile: who keeps it names the rule, and the name is on record."""
    room = in_force(ControlRoom(TWO), override_rules=("two",))
    assert room.ask(ExtendReroute, CHEN, minutes=5) == "done"
    other = RerouteRule(id="hands", label="hands", form="able_people", step="review", minimum=2)
    for rule in (other, RerouteRule(id="flap", label="to and fro", form="anti_flap", wait_seconds=9_999)):
        REFERENCE_BOARD.fold(room.views["reference"], rule.key, rule)
    room.tell_load(desk_load("south", ("cai",)))
    assert room.ask(ExtendReroute, CHEN, minutes=5) == "rules_broken"
    assert room.ask(ExtendReroute, CHEN, minutes=5, override_rules=("hands",)) == "done"
    assert room.order().overridden_rules == ("two", "hands")


def test_a_rule_that_holds_for_everybody_keeps_it_from_staying() -> None:
    """Nobody is left in the south: it ends as agreed."""
    room = in_force(ControlRoom(SOMEBODY))
    room.tell_load(desk_load("south", ()))
    assert room.ask(ExtendReroute, CHEN, minutes=5) == "rule_not_overridable"


async def test_the_face_takes_the_names_of_rules_to_extend() -> None:
    """403 for the proposer, 200 for another."""
    desk = FrontDesk()
    in_force(desk.room)
    body = {"minutes": 5, "reason": "longer", "override_rules": []}
    assert (await desk.client(LIN, "approver").post("/reroutes/r1/extend", json=body)).status_code == 403
    assert (await desk.client(CHEN, "approver").post("/reroutes/r1/extend", json=body)).status_code == 200


# --------------------------------------------------------------- a second glass


def glass(room: ControlRoom, actor: str, reroute_id: str, **scope: Any) -> str:
    """Somebody breaks the glass for ten minutes; returns the answer's code."""
    asked = terms(minutes=10, effect="drain", scope=RerouteScope(**scope))
    return room.ask(ProposeReroute, actor, reroute_id, terms=asked, break_glass=True)


def test_nobody_breaks_a_second_glass_before_the_first_is_answered_for() -> None:
    """Not elsewhere either, and not when the first is over."""
    room = ControlRoom()
    assert glass(room, LIN, "r1", centres=("n",)) == "done"
    assert glass(room, LIN, "r2", centres=("s",)) == "glass_open"
    assert room.ask(CancelReroute, LIN) == "done"
    assert glass(room, LIN, "r2", centres=("s",)) == "glass_open"
    assert room.ask(CloseReview, CHEN) == "done"
    assert glass(room, LIN, "r2", centres=("s",)) == "done"


def test_nobody_breaks_a_glass_where_one_holds() -> None:
    """Another person, another spelling of the scope, reviewed or not: propose it instead."""
    room = ControlRoom()
    assert glass(room, LIN, "r1", centres=("n",)) == "done"
    assert glass(room, CHEN, "r2", teams=("north",)) == "glass_open"
    assert room.ask(CloseReview, CHEN) == "done"
    assert glass(room, LIN, "r2", teams=("north",)) == "glass_open"
    assert glass(room, CHEN, "r2", centres=("s",)) == "done"
    assert room.ask(ProposeReroute, LIN, "r3", terms=terms(effect="recall")) == "done"


# ----------------------------------------------------------------- what competes


async def test_only_orders_that_compete_are_said_to_overlap() -> None:
    """A local order competes with no drain, two centres not with each other; a team of the centre does."""
    desk = FrontDesk()
    room, branch = desk.room, Branch(id="b-a", label="a", region="a", public_key="local")
    REFERENCE_BOARD.fold(room.views["reference"], branch.key, branch)
    for name, effect, scope in (
        ("north", "drain", {"centres": ("n",)}),
        ("south", "evacuate", {"centres": ("s",)}),
        ("local", "local", {"regions": ("a",)}),
        ("secret", "shift", {"data_classes": ("secret",), "teams": ("north",)}),
        ("internal", "shift", {"data_classes": ("internal",), "teams": ("north",)}),
    ):
        assert room.ask(ProposeReroute, LIN, name, terms=terms(effect=effect, scope=RerouteScope(**scope))) == "done"
        assert room.approve(CHEN, name) == "done"
    client = desk.client("au", "auditor")
    told = {name: (await client.get(f"/reroutes/{name}")).json()["passed_over"] for name in room.book.orders}
    assert told["south"] == told["local"] == []
    assert told["north"] == [
        "north applies where both lie: drain goes before shift of internal",
        "north applies where both lie: drain goes before shift of secret",
    ]
    assert told["secret"] == ["north applies where both lie: drain goes before shift of secret"]


def eighty_and_thirty() -> ControlRoom:
    """Two shifts over the north, the larger one on its way back."""
    room = ControlRoom()
    for name, percent, scope in (("r-80", 80, NORTH), ("r-30", 30, RerouteScope(teams=("north",)))):
        asked = terms(effect="shift", percent=percent, scope=scope)
        assert (room.ask(ProposeReroute, LIN, name, terms=asked), room.approve(CHEN, name)) == ("done", "done")
    assert room.ask(EndReroute, LIN, "r-80") == "done"
    return room


@pytest.mark.parametrize(
    ("steps", "words", "first", "second"),
    [
        (0, "it holds 60 % now", 0.6, 0.0),
        (1, "it holds 40 % now", 0.4, 0.0),
        (2, "it holds 20 % now, and r-30 the 10 % beyond that", 0.2, 0.1),
    ],
)
def test_which_of_two_applies_is_told_with_what_each_holds_now(
    steps: int, words: str, first: float, second: float
) -> None:
    """As counted over many items by what desks ask."""
    room = eighty_and_thirty()
    one, other = (room.order(name) for name in ("r-80", "r-30"))
    now = room.now + timedelta(seconds=steps * one.return_step_seconds + 1)
    said = overlaps(other, (one, other), list(room.views["reference"].teams.values()), now)
    assert said == (f"r-80 applies where both lie: it takes 80 %, r-30 30 %; {words}",)
    counts = Counter(
        applied.reroute_id
        for n in range(20_000)
        if (applied := resolve([o for o in (one, other) if chosen(f"item-{n}", share_now(o, now))]).applied)
    )
    assert counts["r-80"] / 20_000 == pytest.approx(first, abs=0.01)
    assert counts["r-30"] / 20_000 == pytest.approx(second, abs=0.01)


async def test_what_came_over_an_order_on_its_way_back_is_told_as_it_was_then() -> None:
    """After both are over, too."""
    room = eighty_and_thirty()
    room.now += timedelta(seconds=1)
    small = terms(effect="shift", percent=70)
    assert (room.ask(ProposeReroute, LIN, "r-70", terms=small), room.approve(CHEN, "r-70")) == ("done", "done")
    for name in room.book.orders:
        assert room.ask(CancelReroute, LIN, name) == "done"
    client = FrontDesk(room=room).client("au", "auditor")
    told = {name: (await client.get(f"/reroutes/{name}")).json()["life"] for name in ("r-80", "r-70")}
    words = "r-80 applies: it takes 80 %, r-70 70 %; it holds 60 % now, and r-70 the 10 % beyond that"
    assert f"r-70 came over the same place: {words}" in [line["sentence"] for line in told["r-80"]]
    assert any(words in line["sentence"] for line in told["r-70"] if line["sentence"].startswith("in force"))


async def test_which_of_two_orders_applied_stays_on_record() -> None:
    """The later one says it as it begins, the earlier one when that came: whoever reads either life after both are over, on
    the screen or the page, knows."""
    desk = FrontDesk()
    room, client = desk.room, desk.client("au", "auditor")
    for name, effect in (("first", "drain"), ("second", "drain"), ("third", "shift")):
        scope = RerouteScope(teams=("north",)) if name == "second" else RerouteScope(centres=("n",))
        assert room.ask(ProposeReroute, LIN, name, terms=terms(effect=effect, scope=scope)) == "done"
        room.now += timedelta(seconds=1)
        assert room.approve(CHEN, name) == "done"
    for name in ("first", "second", "third"):
        assert room.ask(CancelReroute, LIN, name) == "done"
    begun, met = {}, {}
    for name in room.book.orders:
        report = (await client.get(f"/reroutes/{name}")).json()
        assert report["passed_over"] == []
        sentences = [line["sentence"] for line in report["life"]]
        (begun[name],) = [sentence for sentence in sentences if sentence.startswith("in force")]
        met[name] = [sentence for sentence in sentences if "came over" in sentence]
        page = (await client.get(f"/reroutes/{name}/report.html")).text
        assert all(escape(sentence) in page for sentence in (begun[name], *met[name]))
        assert sorted(report["life"], key=lambda line: line["at"]) == report["life"]
    assert met == {
        "first": [
            "second came over the same place: second applies where both lie: it started later than first",
            "third came over the same place: first applies: drain goes before shift of third",
        ],
        "second": ["third came over the same place: second applies where both lie: drain goes before shift of third"],
        "third": [],
    }
    assert "over the same place" not in begun["first"]
    assert begun["second"].endswith(
        "UTC; over the same place second applies where both lie: it started later than first"
    )
    assert begun["third"].endswith(
        "; over the same place first applies: drain goes before shift of third; "
        "second applies where both lie: drain goes before shift of third"
    )
