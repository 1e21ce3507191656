"""The floor and its reroutes in words: never by colour alone, on one clock, and honest about what is old."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from opsfloor.console.control.hour import OnTime
from opsfloor.console.control.previews import foreseen, rule_words, skill_line, stay_words, untouched, warnings
from opsfloor.console.control.telling import (
    by_urgency,
    full,
    inbox_words,
    local,
    oldest,
    order_line,
    past_line,
    phase_cell,
    punctual,
    silent_desks,
    time_left,
    what_now,
)
from services.routing.emergency.counted import Counted
from services.routing.emergency.glance import DutyView, PlaceGlance
from services.routing.emergency.nowhere import Nowhere, PreviewSeen, Unheard
from shared.contracts.reroute import (
    ApproveReroute,
    BrokenRule,
    CancelReroute,
    CloseReview,
    LimitForecast,
    ProposeReroute,
    RerouteOrder,
    RerouteScope,
    TakerForecast,
)
from tests.unit.console.test_control_room import ZONE, floor_at
from tests.unit.emergency.control_room import CHEN, LIN, ControlRoom, terms

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)


def place(**changes: Any) -> PlaceGlance:
    """The north, calm unless told otherwise."""
    return floor_at(0, 0, 0).teams[0].model_copy(update=changes)


@pytest.mark.parametrize(
    ("changes", "verdict", "word"),
    [
        ({"saturation": 0.2}, "good", "has room"),
        ({"saturation": 0.85}, "watch", "filling up"),
        ({"saturation": 1.0}, "bad", "full"),
        ({"saturation": None, "queued": 3}, "bad", "nobody there"),
        ({"saturation": None}, "", ""),
        ({"saturation": 0.2, "silent": True}, "bad", "silent"),
    ],
)
def test_how_full_a_place_is_has_a_word(changes: dict[str, Any], verdict: str, word: str) -> None:
    """Who cannot tell the colours apart reads it; a silent desk is not called calm."""
    cell = full(place(**changes))
    assert (cell.verdict, cell.word) == (verdict, word)


def test_figures_are_judged_by_the_dashboards_limits() -> None:
    """A quarter of an hour is too old, a minute is not."""
    assert oldest(NOW - timedelta(minutes=15), NOW).word == "too old"
    assert oldest(NOW - timedelta(minutes=1), NOW).word == ""


@pytest.mark.parametrize(
    ("late", "promised", "verdict"),
    [
        (2, (0.95,), "good"),
        (2, (0.99,), "watch"),
        (2, (0.95, 0.99), "watch"),
        (9, (0.95, 0.99), "watch"),
        (11, (0.95, 0.99), "bad"),
        (7, (0.99,), "bad"),
        (50, (), ""),
    ],
)
def test_what_is_in_time_is_judged_by_what_is_promised(late: int, promised: tuple[float, ...], verdict: str) -> None:
    """98 % are good for those of whom 95 are promised, and to be watched where 99 are; what nobody promised is not judged."""
    assert punctual(OnTime(100, late, NOW), promised).verdict == verdict


def test_of_nothing_done_there_is_no_share() -> None:
    """It is no 100 %."""
    assert punctual(OnTime(0, 0, NOW), (0.95,)).text == "none done"


def test_silent_desks_are_named_with_their_hour() -> None:
    """The warning over all pages says whose figures are old."""
    floor = floor_at(0, 0, 0)
    assert silent_desks(floor) == ""
    quiet = floor.model_copy(
        update={"teams": (place(silent=True), place(id="s", label="South", silent=True, told_at=None))}
    )
    assert silent_desks(quiet) == (
        "STALE: no word from the desks of North (since 10:00:00), South (since ever). Their figures are old."
    )


@pytest.mark.parametrize(
    ("sentence", "told"),
    [
        ("In force until 03:00:24 UTC.", "In force until 11:00:24."),
        ("by 2026-03-04 23:30:00 UTC, found 23:31:00 UTC.", "by 2026-03-05 07:30:00, found 07:31:00."),
        ("drain team x from 2026-03-02 22:56 UTC", "drain team x from 2026-03-03 06:56"),
        ("The rule holds until 17:15.", "The rule holds until 17:15."),
        ("The vendor says 09:30 UTC.", "The vendor says 09:30 UTC."),
    ],
)
def test_one_screen_has_one_clock(sentence: str, told: str) -> None:
    """Routing's sentences name UTC; on the screen they are on the floor's own clock."""
    assert local(sentence, ZONE, NOW) == told


def test_an_order_to_come_begins_by_the_same_clock_wherever_it_is_told() -> None:
    """In lists and over its preview, whatever zone its start was named in; names stay as they are written."""
    start = (NOW + timedelta(hours=5)).astimezone(timezone(timedelta(hours=-3)))
    order = ordered(starts_at=start, scope=RerouteScope(centres=("n",), teams=("north",)), effect="drain")
    assert what_now(order, ZONE) == "drain centre n, team north for 60 min from 2026-03-02 15:00"
    assert order_line(order, NOW, ZONE, None).cells[2].text == what_now(order, ZONE)
    sentence = foreseen(order.terms, order.preview, ZONE)
    assert sentence.startswith("Drain centre n, team north for 60 min from 2026-03-02 15:00: ")


def test_a_rule_is_told_by_the_same_clock_as_of_its_preview() -> None:
    """Before it is approved and before it is kept, however many days later that is read."""
    gone = BrokenRule(
        rule_id="calm", detail="Expected 300 s since r0 was over at 01:59:30 UTC: calm.", overridable=True
    )
    preview = PreviewSeen(**dict(ordered().preview) | {"broken_rules": (gone,), "taken_at": NOW})
    here = "Expected 300 s since r0 was over at 09:59:30: calm."
    assert ("watch", f"RULE calm: {here} (whoever lets it start must name it)") in warnings(preview, ZONE)
    assert rule_words(gone, preview, ZONE) == f"calm: {here}"
    assert f"You answer for breaking calm: {here}" in stay_words(45, preview, ZONE)
    assert ("bad", f"RULE calm: {here} (no drill overrides a rule)") in warnings(preview, ZONE, drill=True)


# ------------------------------------------------------------------------- orders


def ordered(*forms: type[Any], **changes: Any) -> RerouteOrder:
    """An order after these commands."""
    room = ControlRoom()
    room.ask(ProposeReroute, LIN, terms=terms(**changes))
    for form in forms:
        if form is ApproveReroute:
            room.approve()
        else:
            room.ask(form, CHEN)
    return room.order()


def test_an_order_says_how_long_it_still_waits_or_holds() -> None:
    """Whatever its phase, the reader learns what comes by itself, and when."""
    assert time_left(ordered(), NOW) == "15 min left to approve"
    assert time_left(ordered(ApproveReroute), NOW + timedelta(minutes=20)) == "40 min left"
    later = ordered(ApproveReroute, starts_at=NOW + timedelta(minutes=30))
    assert time_left(later, NOW) == "starts in 30 min"
    assert time_left(ordered(), NOW + timedelta(hours=1)) == "too late to approve"


def test_what_needs_somebody_is_marked_and_comes_first() -> None:
    """In force before proposed; both by a word in a badge."""
    waiting, acting = ordered(), ordered(ApproveReroute)
    assert [order.phase for order in by_urgency([waiting, acting])] == ["active", "proposed"]
    assert (phase_cell(acting, NOW).word, phase_cell(waiting, NOW).word) == ("IN FORCE", "waits for approval")
    opened = waiting.model_copy(update={"phase": "ended", "review": "open"})
    assert (phase_cell(opened, NOW).verdict, phase_cell(opened, NOW).word) == ("bad", "review open")


@pytest.mark.parametrize(
    ("subject", "approves", "says"), [(LIN, True, "Inbox"), (CHEN, True, "Inbox (1)"), (CHEN, False, "Inbox")]
)
def test_the_inbox_counts_what_waits_for_whoever_looks(subject: str, approves: bool, says: str) -> None:
    """Their own proposals wait for others, and what is in force for nobody."""
    duty = DutyView(
        subject=subject,
        role="approver",
        expires_at=NOW,
        name=subject,
        proposes=True,
        approves=approves,
        breaks_glass=False,
        centres=(),
        providers=(),
    )
    floor = floor_at(0, 0, 0)
    assert inbox_words(duty, [ordered(), ordered(ApproveReroute)], floor) == says
    assert inbox_words(duty, [], floor) == "Inbox"
    for elsewhere in ({"providers": ("clearkey",)}, {"centres": ("s",)}):
        assert inbox_words(duty.model_copy(update=elsewhere), [ordered()], floor) == "Inbox", "on duty elsewhere alone"
    here = duty.model_copy(update={"providers": ("house",), "centres": ("n",)})
    assert inbox_words(here, [ordered()], floor) == says


def test_an_order_over_by_its_own_clock_is_not_called_in_force() -> None:
    """Though the book has not noted it, emergency being away; and what comes back is said to."""
    order = ordered(ApproveReroute)
    assert order.ends_at is not None
    ends = order.ends_at
    back, gone = ends + timedelta(seconds=1), ends + timedelta(hours=1)
    assert phase_cell(order, ends - timedelta(seconds=1)).word == "IN FORCE"
    assert phase_cell(order, back).text == "work is coming back"
    assert phase_cell(order, gone).word == "over by its own clock, not noted yet"
    assert time_left(order, gone).startswith("all back 5")


def test_what_was_never_in_force_did_not_begin() -> None:
    """Its proposal's time is not told as its beginning."""
    cells = past_line(ordered(CancelReroute), ZONE).cells
    assert (cells[3].text, cells[4].text) == ("", "never in force")


def test_who_takes_a_work_type_is_told_in_a_few_words_and_the_rest_in_a_fold() -> None:
    """However many teams do, and none is left out."""
    skill = ordered().preview.skills[0]
    crowd = tuple(TakerForecast(team_id=f"t{number}", people=1) for number in range(60))
    cell = skill_line(skill.model_copy(update={"takers": crowd})).cells[-1]
    assert cell.text.count("(1)") + len(cell.folded) == 60
    assert 0 < cell.text.count("(1)") < 10


def test_a_line_leads_to_its_order() -> None:
    """Each with who and why; one that is over with how it ended."""
    line = order_line(ordered(), NOW, ZONE, None)
    assert line.cells[0].link == "/control/orders/r1"
    assert [cell.text for cell in line.cells[5:]] == [LIN, "", "smoke in the building"]
    over = past_line(ordered(ApproveReroute, CancelReroute), ZONE)
    assert [cell.text for cell in over.cells[1:6]] == [
        "cancelled",
        "evacuate centre n for 60 min",
        "2026-03-02 10:00",
        "0 s",
        "because",
    ]


def test_a_broken_glass_is_one_after_its_review_too() -> None:
    """In the history: nobody approved it, and who answered for it stands there."""
    room = ControlRoom()
    assert room.ask(ProposeReroute, LIN, terms=terms(minutes=20), break_glass=True) == "done"
    assert room.ask(CancelReroute, LIN) == "done"
    assert past_line(room.order(), ZONE).cells[7].text == "alone, broken glass"
    assert room.ask(CloseReview, CHEN, reason="rightly: it did burn") == "done"
    assert past_line(room.order(), ZONE).cells[7].text == "broken glass, reviewed by chen"


def test_warnings_name_dead_ends_and_rules_or_say_that_there_are_none() -> None:
    """Nothing is hidden behind a colour: each sentence begins with what it is."""
    preview = ordered().preview
    calm = preview.model_copy(update={"dead_ends": (), "broken_rules": ()})
    assert [verdict for verdict, _ in warnings(calm, ZONE)][1] == "good"
    bad = preview.model_copy(update={"dead_ends": ("transfer/entry",)})
    assert ("bad", "DEAD END: nobody is left for transfer/entry; such items wait until it is over.") in warnings(
        bad, ZONE
    )


def test_what_was_counted_item_by_item_is_told_with_a_preview() -> None:
    """Of a scope whose figures are exact there is nothing to say."""
    calm = ordered().preview
    preview = PreviewSeen(**dict(calm), counted=(Counted(work_type="a/entry", items=12),))
    assert any("at desks: 12 of a/entry." in sentence for _, sentence in warnings(preview, ZONE))
    assert not any("item by item" in sentence for _, sentence in warnings(PreviewSeen(**dict(calm)), ZONE))


def test_a_drill_that_would_be_refused_is_told_so_with_its_preview() -> None:
    """Before anybody proposes it in vain."""
    preview = PreviewSeen(**dict(ordered().preview), drill_refused="CAPACITY_CHECK_FAILED: too few.")
    assert ("bad", "REFUSED as a drill: CAPACITY_CHECK_FAILED: too few.") in warnings(preview, ZONE, drill=True)


def test_what_waits_at_no_desk_is_told_with_a_preview_and_before_an_order_is_kept() -> None:
    """Nobody is told that somebody is left for everything while an order strands work."""
    there = Nowhere(work_type="a/entry", reason="rerouted", items=32, kept=30, late=3, oldest_requested_at=NOW)
    calm = ordered().preview.model_copy(update={"dead_ends": (), "broken_rules": ()})
    preview = PreviewSeen(**dict(calm), nowhere=(there,))
    words = (
        "32 of a/entry wait at no desk (rerouted), 30 of them kept there by this order; "
        "3 are late if they still wait when it is over."
    )
    assert ("bad", f"AT NO DESK: {words}") in warnings(preview, ZONE)
    assert not any("Somebody is left" in sentence for _, sentence in warnings(preview, ZONE))
    assert "30 items are at no desk because of it, with nobody to do them; up to 3" in stay_words(45, preview, ZONE)
    assert words in stay_words(45, preview, ZONE)
    assert "No item is without a desk because of it." in stay_words(45, PreviewSeen(**dict(calm)), ZONE)
    idle = preview.skills[0].model_copy(update={"work_type": "a/entry", "queued": 0, "dead_end": False})
    assert (untouched(idle, calm), untouched(idle, preview)) == (True, False)
    assert not untouched(idle.model_copy(update={"people_with": 0}), calm)


def test_limits_are_told_broken_or_kept() -> None:
    """What a contract promises and a site may carry stands beside the rules."""
    preview = ordered().preview
    kept = LimitForecast(
        limit="centre_maximum", name="s", bound=0.6, share_without=0.3, share_with=0.5, words="centre s would have 50%."
    )
    broken = kept.model_copy(update={"broken": True, "words": "centre s would have 70%: broken."})
    told = warnings(preview.model_copy(update={"limits": (kept, broken)}), ZONE)
    assert ("good", "Kept: centre s would have 50%.") in told
    assert ("watch", "LIMIT: centre s would have 70%: broken.") in told


def test_old_figures_are_called_so_on_the_floors_own_clock() -> None:
    """Beside a preview and before an order is kept for longer; of what was stored with an order nothing is old."""
    old = Unheard(team_id="north", told_at=NOW)
    silent = PreviewSeen(**dict(ordered().preview), unheard=(old,), all_unheard=True)
    told = "STALE: no desk has been heard since 2026-03-02 10:00:00: the broker is silent or away."
    verdict, words = warnings(silent, ZONE)[0]
    assert (verdict, words.startswith(told)) == ("bad", True)
    assert stay_words(45, silent, ZONE).startswith(told)
    one = PreviewSeen(**dict(ordered().preview), unheard=(old,))
    assert stay_words(45, one, ZONE).startswith("STALE: no word from the desks of north (since 2026-03-02 10:00:00)")
    for fresh in (ordered().preview, PreviewSeen(**dict(ordered().preview))):
        assert not any("STALE" in words for _, words in warnings(fresh, ZONE))


def test_a_drill_that_cannot_be_kept_says_so_before_anybody_is_asked() -> None:
    """Why, in the book's own words."""
    preview = PreviewSeen(**dict(ordered().preview), drill_refused="Expected no drill between 11:00 and 13:00.")
    assert "It cannot be kept: Expected no drill between 11:00 and 13:00." in stay_words(45, preview, ZONE)


def test_what_begins_later_counts_the_queues_of_today() -> None:
    """In the sentence that says what it would do."""
    order = ordered(starts_at=NOW + timedelta(hours=5))
    assert "queues and people are those of 2026-03-02 10:00:00" in foreseen(order.terms, order.preview, ZONE)
    assert "queues and people" not in foreseen(ordered().terms, ordered().preview, ZONE)
