"""Every page of the control room in a real Chromium, over a known floor: what it shows, whom it lets do what, by keyboard alone,
and by the rules of accessibility."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from deploy.local.children import free_port
from shared.contracts.intake import SubmissionSentBack
from shared.contracts.reroute import CancelReroute, EndReroute, ProposeReroute, RerouteScope, RerouteTerms
from tests.console.looking import PHONE, Person, sits_down
from tests.console.small_floor import SmallFloor, small_floor
from tests.dashboards.looking import CHROMIUM, browser, console
from tests.unit.emergency.front_desk import FrontDesk
from tests.unit.routing.floor import NOW

PAGES = ("", "/propose", "/inbox", "/orders", "/history", "/drills")
LIN, CHEN = "duty-lin", "duty-chen"
RULE = "two-centres-authorise"

pytestmark = [
    pytest.mark.skipif(
        CHROMIUM is None, reason="Expected Chromium on PATH: `make test` installs Debian's package when it is root"
    ),
    pytest.mark.timeout(180),
    pytest.mark.early,
]


@dataclass
class Stage:
    """A floor, a console over it, a browser's program."""

    floor: SmallFloor
    url: str
    chromium: Browser

    def person(self, subject: str, role: str, size: tuple[int, int] = (1_440, 900)) -> Person:
        """Somebody signs in."""
        return sits_down(self.chromium, self.url, self.floor.token(subject, role), size)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser's program for all tests: each person has a context of their own in it."""
    with browser() as found:
        yield found


@pytest.fixture(scope="module")
def door() -> int:
    """The port at which every test's floor answers: one console, which takes seconds to start, does for all."""
    return free_port()


@pytest.fixture(scope="module")
def console_url(tmp_path_factory: pytest.TempPathFactory, door: int) -> Iterator[str]:
    """A console over whatever floor answers there."""
    with console(tmp_path_factory.mktemp("console") / "console.log", routing=f"http://127.0.0.1:{door}") as url:
        yield url


@pytest.fixture
def stage(tmp_path: Path, chromium: Browser, door: int, console_url: str) -> Iterator[Stage]:
    """A floor of its own for each test, so that none sees the other's orders."""
    with small_floor(tmp_path, door) as floor:
        yield Stage(floor, console_url, chromium)
        for context in chromium.contexts:
            context.close()


def propose(floor: SmallFloor, subject: str = LIN, reroute_id: str = "r-test", **changes: object) -> str:
    """Somebody proposes to evacuate the north, by other ways than the browser."""
    fields: dict[str, object] = {"effect": "evacuate", "scope": RerouteScope(centres=("north",)), "minutes": 60}
    terms = RerouteTerms.model_validate({**fields, "reason": "<b>smoke</b>", **changes})
    code = floor.do(lambda desk: desk.room.ask(ProposeReroute, subject, reroute_id, terms=terms))
    assert code == "done"
    return reroute_id


def test_every_page_is_open_to_everybody_who_can_see_hear_or_type(stage: Stage) -> None:
    """axe finds nothing serious, at a desk and on a telephone; nothing has to be moved sideways there; nobody's words are markup."""
    propose(stage.floor)
    propose(stage.floor, reroute_id="r-gone", scope=RerouteScope(teams=("south-entry",)))
    stage.floor.do(lambda desk: desk.room.ask(CancelReroute, CHEN, "r-gone"))
    for size, name in (((1_440, 900), "desk"), (PHONE, "phone")):
        chen = stage.person(CHEN, "approver", size)
        for path in (*PAGES, "/orders/r-test", "/orders/r-gone"):
            chen.go(f"/control{path}")
            if path == "/propose":
                chen.page.get_by_label("north: Centre North").check()
                chen.page.get_by_text("Only some of the work").click()
                expect(chen.page.get_by_role("img", name="Bar chart")).to_be_visible()
            chen.keep(f"{path.strip('/').replace('/', '-') or 'floor'}-{name}")
            assert chen.serious_findings() == [], path
            wide = chen.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
            assert wide[0] <= wide[1], path
        assert chen.page.get_by_text("<b>smoke</b>").first.is_visible()
        assert chen.troubles == []
    out = stage.chromium.new_page()
    out.goto(f"{stage.url}/control/inbox")
    lost = Person(out, stage.url)
    lost.keep("sign-in")
    assert lost.serious_findings() == []


CROWDED = """
marks => { const boxes = marks.map(mark => mark.getBoundingClientRect()).filter(box => box.width);
  const chart = marks[0].ownerSVGElement.getBoundingClientRect();
  return boxes.filter((one, n) => one.left < chart.left || one.right > chart.right || boxes.some((other, m) => m < n &&
    one.left < other.right && other.left < one.right && one.top < other.bottom - 1 && other.top < one.bottom - 1)).length; }
"""
"""How many of a chart's words lie over another one, or are cut at its edge."""


def test_a_chart_is_read_on_a_telephone_too(stage: Stage) -> None:
    """Its marks stand beside each other, and nothing is cut at its edge, whether five minutes wait or hours."""
    stage.floor.load(40.0)
    lin = stage.person(LIN, "proposer", PHONE)
    lin.go("/control/propose")
    lin.page.get_by_label("north: Centre North").check()
    chart = lin.page.get_by_role("img", name="Bar chart")
    expect(chart).to_be_visible()
    expect(chart.locator("text").first).to_be_visible()
    lin.keep("chart-phone")
    assert chart.locator("text").evaluate_all(CROWDED) == 0


@pytest.mark.parametrize("size", [(1_440, 900), PHONE], ids=["desk", "phone"])
def test_an_id_stays_in_one_line_and_an_endless_word_squeezes_nothing(stage: Stage, size: tuple[int, int]) -> None:
    """Wherever they stand; the words beside it are not broken letter by letter, and the page is no wider than the screen."""
    name = propose(stage.floor, reroute_id="r-3f0c5a5a", reason=f"see {'x' * 300} there")
    stage.floor.do(lambda desk: desk.room.ask(CancelReroute, CHEN, name))
    chen = stage.person(CHEN, "approver", size)
    for path in ("/history", f"/orders/{name}"):
        chen.go(f"/control{path}")
        expect(chen.page.locator(".id").first).to_be_visible()
        lines = chen.page.locator(".id").evaluate_all("ids => ids.map(id => id.getClientRects().length)")
        assert set(lines) == {1}, path
        words = chen.page.get_by_text("cancelled").first
        assert words.evaluate("each => each.getClientRects().length") == 1
        wide = chen.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        assert wide[0] <= wide[1], path
        chen.keep(f"endless-{path.strip('/').split('/')[0]}-{size[0]}")
    chen.go("/control/history")
    boxes = chen.page.locator(".sheet").evaluate_all("all => all.map(one => one.scrollWidth - one.clientWidth)")
    assert max(boxes) == 0


def hand_in(event: SubmissionSentBack, desk: FrontDesk) -> None:
    """Reception tells the book of it."""
    desk.room.send(event)


def test_an_order_says_what_it_sent_back_to_branches(stage: Stage) -> None:
    """How many, to which; in a line of its own, and not one by one in what happened."""
    propose(stage.floor, effect="local", scope=RerouteScope(business_types=("corporate-transfer",)))
    stage.floor.do(lambda desk: desk.room.approve(CHEN, "r-test"))
    for number in range(3):
        event = SubmissionSentBack(
            submission_id=f"s-{number}", branch_id=f"branch-0{number % 2}", reroute_id="r-test", received_at=NOW
        )
        stage.floor.do(partial(hand_in, event))
    chen = stage.person(CHEN, "viewer")
    chen.go("/control/orders/r-test")
    expect(chen.page.get_by_text("3 submissions (branch-00: 2, branch-01: 1)")).to_be_visible()
    assert chen.page.get_by_role("row").filter(has_text="branch-0").count() == 0
    chen.keep("sent-back")


def test_two_people_by_keyboard_alone(stage: Stage) -> None:
    """Lin proposes, Chen approves and ends it, and nobody touches a mouse."""
    lin = stage.person(LIN, "proposer")
    lin.go("/control/propose")
    keys = lin.page.keyboard
    lin.tab_to(lin.page.get_by_role("radio", name="drain"))
    keys.press("ArrowDown")
    lin.tab_to(lin.page.get_by_label("north: Centre North"))
    keys.press("Space")
    expect(lin.page.get_by_text("Evacuate centre north for 60 min: 143 waiting items move at once.")).to_be_visible()
    lin.tab_to(lin.page.get_by_label("Why"))
    keys.type("power failure")
    lin.tab_to(lin.page.get_by_role("button", name="Propose it"))
    keys.press("Enter")
    lin.page.wait_for_url("**/orders/r-*")
    expect(lin.page.get_by_text("You proposed it: somebody else must approve it.")).to_be_visible()

    chen = stage.person(CHEN, "approver")
    chen.go("/control/inbox")
    chen.tab_to(chen.page.get_by_role("link", name="r-"))
    chen.page.keyboard.press("Enter")
    chen.tab_to(chen.page.get_by_role("checkbox", name=RULE))
    chen.page.keyboard.press("Space")
    chen.tab_to(chen.page.get_by_label("Why"))
    chen.page.keyboard.type("seen on site")
    chen.tab_to(chen.page.get_by_role("button", name="Approve exactly this"))
    chen.page.keyboard.press("Enter")
    expect(chen.page.get_by_text(": IN FORCE")).to_be_visible()
    chen.tab_to(chen.page.get_by_label("Why"))
    chen.page.keyboard.type("power is back")
    chen.tab_to(chen.page.get_by_role("button", name="End it"))
    chen.page.keyboard.press("Enter")
    expect(chen.page.get_by_text("work is coming back, 75 % still held")).to_be_visible()
    expect(chen.page.get_by_text("Done. Returning")).to_be_visible()
    for _ in range(7):  # a desk that says nothing for 45 seconds is not well, and the work would not come back
        stage.floor.pass_time(30)
        stage.floor.load()
    expect(chen.page.get_by_text(": ended")).to_be_visible()
    expect(chen.page.get_by_text("Done. Returning")).to_be_hidden()
    order = stage.floor.do(lambda desk: next(iter(desk.room.book.orders.values())))
    assert (order.proposed_by, order.approved_by, order.overridden_rules) == (LIN, CHEN, (RULE,))


def test_what_one_person_does_the_other_sees_without_reloading(stage: Stage) -> None:
    """A proposal comes into the inbox by itself, and the reader's place on the page stays."""
    chen = stage.person(CHEN, "approver")
    chen.go("/control/inbox")
    expect(chen.page.get_by_text("Nothing waits for you.")).to_be_visible()
    propose(stage.floor)
    link = chen.page.get_by_role("link", name="r-test")
    expect(link).to_be_visible()
    expect(chen.page.get_by_role("link", name="Inbox (1)")).to_be_visible()
    link.focus()
    propose(stage.floor, reroute_id="r-another", scope=RerouteScope(centres=("south",)))
    expect(chen.page.get_by_role("link", name="r-another")).to_be_visible()
    assert link.evaluate("each => each === document.activeElement")
    stage.floor.do(lambda desk: desk.room.ask(CancelReroute, LIN, "r-test"))
    expect(link).to_have_count(0)


def test_a_screen_has_one_clock_and_counts_what_waits_for_its_reader(stage: Stage) -> None:
    """An order to come, after another in the same place: its start and the rule that it breaks, wherever they are told; who
    proposed it has nothing in the inbox."""
    south = RerouteScope(teams=("south-entry",))
    propose(stage.floor, reroute_id="r-gone", scope=south)
    stage.floor.do(lambda desk: desk.room.approve(CHEN, "r-gone"))
    stage.floor.do(lambda desk: desk.room.ask(CancelReroute, CHEN, "r-gone"))
    propose(stage.floor, effect="drain", scope=south, starts_at=NOW + timedelta(minutes=4))
    for subject, inbox in ((LIN, "Inbox"), (CHEN, "Inbox (1)")):
        seen = stage.person(subject, "approver")
        for path in ("/control/orders/r-test", "/control/inbox", "/control/orders"):
            seen.go(path)
            expect(seen.page.get_by_role("link", name=inbox, exact=True)).to_be_visible()
            expect(
                seen.page.get_by_text("rain team south-entry for 60 min from 2026-03-02 10:04").first
            ).to_be_visible()
            assert "utc" not in seen.page.locator("body").inner_text().lower(), path
        seen.go("/control/orders/r-test")
        expect(seen.page.get_by_text("r-gone was over at 10:00:00").first).to_be_visible()
        expect(
            seen.page.get_by_text("Drain team south-entry for 60 min from 2026-03-02 10:04: 0 waiting")
        ).to_be_visible()
        seen.keep(f"one-clock-{subject}")


def focus_on(person: Person, says: str) -> None:
    """The keyboard stands on what says so."""
    person.page.wait_for_function("says => document.activeElement.innerText.includes(says)", arg=says)
    assert person.page.evaluate("() => document.activeElement.tagName") != "BODY"


def test_the_keyboard_stands_on_what_became_of_it(stage: Stage) -> None:
    """When the button that was pressed goes, another person ends it, the floor moves, or a row goes: it never falls to the
    page as a whole, where a screen reader says nothing."""
    propose(stage.floor, effect="drain", scope=RerouteScope(teams=("north-entry",)))
    chen = stage.person(CHEN, "approver")
    chen.go("/control/orders/r-test")
    chen.tab_to(chen.page.get_by_label("Why"))
    chen.page.keyboard.type("seen on site")
    chen.tab_to(chen.page.get_by_role("button", name="Approve exactly this"))
    chen.page.keyboard.press("Enter")
    focus_on(chen, "Done. In force until")
    chen.keep("focus-after-approval")
    chen.tab_to(chen.page.get_by_role("button", name="End it"))
    stage.floor.do(lambda desk: desk.room.ask(EndReroute, LIN, "r-test"))
    focus_on(chen, "work is coming back")
    propose(stage.floor, reroute_id="r-gone", scope=RerouteScope(teams=("south-control",)))
    chen.go("/control/inbox")
    chen.tab_to(chen.page.get_by_role("link", name="r-gone"))
    stage.floor.do(lambda desk: desk.room.ask(CancelReroute, LIN, "r-gone"))
    focus_on(chen, "For you to decide")
    propose(stage.floor, reroute_id="r-moved", scope=RerouteScope(teams=("south-entry",)))
    chen.go("/control/orders/r-moved")
    expect(chen.page.get_by_role("button", name="Approve exactly this")).to_be_visible()
    stage.floor.load(3.0)
    for box in chen.page.get_by_role("checkbox").all():
        box.check()
    chen.page.get_by_label("Why").fill("seen")
    chen.tab_to(chen.page.get_by_role("button", name="Approve exactly this"))
    chen.page.keyboard.press("Enter")
    focus_on(chen, "The floor has moved")


def test_a_form_is_proposed_once_however_often_it_is_pressed(stage: Stage) -> None:
    """The page takes its time to go, and its button stays busy until then."""
    lin = stage.person(LIN, "proposer")
    lin.go("/control/propose")
    lin.page.get_by_label("clearkey: ").check()
    lin.page.get_by_label("Why").fill("twice")
    lin.page.route("**/control/orders/r-*", lambda route: route.fulfill(status=204))  # the page stays
    button = lin.page.get_by_role("button", name="Propose it")
    button.focus()
    lin.page.keyboard.press("Enter")
    expect(lin.page.get_by_text("● Done.")).to_be_visible()
    for _ in range(3):
        lin.page.keyboard.press("Enter")
        lin.page.wait_for_timeout(500)
    assert button.get_attribute("aria-disabled") == "true"
    assert len(stage.floor.do(lambda desk: list(desk.room.book.orders))) == 1


def test_who_is_on_duty_elsewhere_is_asked_for_no_decision(stage: Stage) -> None:
    """The inbox counts nothing for them, and no button is offered that routing would refuse."""
    propose(stage.floor)
    harbour = stage.person("duty-harbour", "approver")
    harbour.go("/control/inbox")
    expect(harbour.page.get_by_text("Nothing waits for you.")).to_be_visible()
    expect(harbour.page.get_by_role("link", name="r-test")).to_be_visible()
    expect(harbour.page.get_by_role("link", name="Inbox", exact=True)).to_be_visible()
    harbour.go("/control/orders/r-test")
    expect(harbour.page.get_by_text("is not on duty for all of this scope")).to_be_visible()
    for button in ("Approve exactly this", "Refuse", "Withdraw it"):
        expect(harbour.page.get_by_role("button", name=button)).to_be_hidden()
    harbour.keep("on-duty-elsewhere")


def test_an_order_that_is_over_by_its_own_clock_is_not_shown_in_force(stage: Stage) -> None:
    """Emergency being away, the book does not note it: nothing is offered that would end or keep it."""
    propose(stage.floor, effect="drain", scope=RerouteScope(teams=("north-entry",)))
    stage.floor.do(lambda desk: desk.room.approve(CHEN, "r-test"))
    stage.floor.do(lambda desk: setattr(desk.room, "now", desk.room.now + timedelta(hours=3)))
    chen = stage.person(CHEN, "approver")
    chen.go("/control/orders/r-test")
    expect(chen.page.get_by_text("r-test: over by its own clock, not noted yet")).to_be_visible()
    expect(chen.page.get_by_text("Nothing is left to end or to keep")).to_be_visible()
    for button in ("End it", "Keep it for longer", "Stop it at once"):
        expect(chen.page.get_by_role("button", name=button)).to_be_hidden()
    chen.keep("over-by-its-own-clock")
    assert chen.serious_findings() == []


def test_what_an_order_to_come_would_do_now_is_told_of_its_own_hour(stage: Stage) -> None:
    """What was foreseen of that hour stands beside that hour, and not beside this one."""
    beside = RerouteScope(teams=("south-entry",))
    propose(stage.floor, reroute_id="r-beside", effect="drain", scope=beside, minutes=30)
    rules = stage.floor.do(lambda desk: [one.rule_id for one in desk.room.order("r-beside").preview.broken_rules])
    stage.floor.do(lambda desk: desk.room.approve(CHEN, "r-beside", override_rules=tuple(rules)))
    stage.floor.load(6.0)
    propose(stage.floor, scope=RerouteScope(teams=("north-entry",)), starts_at=NOW + timedelta(hours=2))
    chen = stage.person(CHEN, "approver")
    chen.go("/control/orders/r-test")
    told = chen.page.get_by_text("it would move")
    expect(told).to_be_visible()
    found = re.search(r"move (\d+) items \(foreseen: (\d+)\); late: (\d+) \(foreseen: (\d+)\)", told.inner_text())
    assert found is not None
    assert found[3] == found[4]
    assert found[1] == found[2]


def test_a_preview_that_is_no_longer_true_must_be_read_anew(stage: Stage) -> None:
    """The floor moves under the approver's eyes: the button goes until they have looked again; then it is that preview."""
    propose(stage.floor)
    chen = stage.person(CHEN, "approver")
    chen.go("/control/orders/r-test")
    approve = chen.page.get_by_role("button", name="Approve exactly this")
    expect(approve).to_be_visible()
    stage.floor.load(3.0)
    chen.page.get_by_role("checkbox", name=RULE).check()
    chen.page.get_by_label("Why").fill("seen on site")
    approve.click()
    expect(chen.page.get_by_text("NOT DONE")).to_be_visible()
    expect(chen.page.get_by_text("The floor has moved")).to_be_visible()
    expect(approve).to_be_hidden()
    expect(chen.page.get_by_text("143 waiting items move")).to_be_visible()
    chen.keep("preview-changed")
    chen.press("Show me the new preview")
    expect(chen.page.get_by_text("429 waiting items move at once")).to_be_visible()
    chen.page.get_by_role("checkbox", name=RULE).check()
    approve.click()
    expect(chen.page.get_by_text(": IN FORCE")).to_be_visible()


def test_a_role_sees_what_it_may_do_and_why_not_the_rest(stage: Stage) -> None:
    """A viewer changes nothing; who is not on duty is told so; a refusal of routing's stands there in its own words."""
    propose(stage.floor)
    viewer = stage.person(CHEN, "viewer")
    viewer.go("/control/orders/r-test")
    expect(viewer.page.get_by_text("Chen does not approve reroutes with the role viewer.")).to_be_visible()
    for button in ("Approve exactly this", "Refuse", "Withdraw it"):
        expect(viewer.page.get_by_role("button", name=button)).to_be_hidden()
    viewer.go("/control/propose")
    expect(viewer.page.get_by_text("Chen proposes nothing with the role viewer.")).to_be_visible()
    north = stage.person("duty-north", "proposer")
    north.go("/control/propose")
    north.page.get_by_label("south: Centre South").check()
    north.page.get_by_label("Why").fill("not mine")
    north.press("Propose it")
    expect(north.page.get_by_role("alert").filter(has_text="NOT DONE")).to_contain_text("duty-north")
    assert stage.floor.do(lambda desk: list(desk.room.book.orders)) == ["r-test"]


def test_a_glass_is_broken_only_after_a_question_and_reviewed_by_somebody_else(stage: Stage) -> None:
    """Esc is no; who broke it does not close the review."""
    lin = stage.person(LIN, "proposer")
    lin.go("/control/propose")
    lin.page.get_by_label("north-entry: North entry").check()
    lin.page.get_by_label("Minutes in force").fill("30")
    lin.page.get_by_label("Why").fill("flood")
    lin.page.get_by_text("Nobody else answers").click()
    lin.press("Break the glass …")
    expect(lin.page.get_by_role("dialog")).to_be_visible()
    lin.keep("broken-glass")
    lin.page.keyboard.press("Escape")
    expect(lin.page.get_by_role("dialog")).to_be_hidden()
    assert stage.floor.do(lambda desk: list(desk.room.book.orders)) == []
    lin.press("Break the glass …")
    lin.press("Break the glass and start it")
    lin.page.wait_for_url("**/orders/r-*")
    expect(lin.page.get_by_text("You broke the glass: somebody else must close the review.")).to_be_visible()
    chen = stage.person(CHEN, "approver")
    chen.go("/control/inbox")
    expect(chen.page.get_by_text("review open")).to_be_visible()
    chen.page.get_by_role("link", name="r-").click()
    chen.page.get_by_label("Why").fill("rightly broken: water in the room")
    chen.press("Close the review with these words")
    expect(chen.page.get_by_text(f"closed {CHEN}: rightly broken")).to_be_visible()


def test_an_order_is_kept_for_longer_and_stopped_at_once(stage: Stage) -> None:
    """With the reason on record; stopping, which has no steps, only after a question; afterwards it stands in the history."""
    propose(stage.floor)
    stage.floor.do(lambda desk: desk.room.approve(CHEN, "r-test", override_rules=(RULE,)))
    chen = stage.person(CHEN, "approver")
    chen.go("/control/orders/r-test")
    chen.page.get_by_label("Minutes more").fill("9999")
    chen.page.get_by_label("Why").fill("the line is still down")
    chen.press("Keep it for longer …")
    expect(chen.page.get_by_role("alert").filter(has_text="from 1 to 4320")).to_be_visible()
    chen.page.get_by_label("Minutes more").fill("45")
    chen.press("Keep it for longer …")
    expect(chen.page.get_by_role("dialog")).to_contain_text("For 45 more minutes. Of what waits")
    expect(chen.page.get_by_role("dialog")).to_contain_text(f"You answer for breaking {RULE}")
    chen.keep("kept-for-longer")
    chen.page.get_by_role("dialog").get_by_role("button", name="Keep it for longer").click()
    expect(chen.page.get_by_text("Done. In force until 2026-03-02 11:45:00.")).to_be_visible()
    expect(chen.page.get_by_text("1 h 45 min left")).to_be_visible()
    chen.press("Stop it at once …")
    expect(chen.page.get_by_role("alert").filter(has_text="Say why")).to_be_visible()
    chen.page.get_by_label("Why").fill("false alarm")
    chen.press("Stop it at once …")
    chen.page.get_by_role("dialog").get_by_role("button", name="Stop it at once").click()
    expect(chen.page.get_by_text("r-test: cancelled")).to_be_visible()
    expect(chen.page.get_by_text("It is over: nothing is left to do.")).to_be_visible()
    chen.go("/control/history")
    line = chen.page.get_by_role("row").filter(has_text="r-test")
    expect(line).to_contain_text("cancelled")
    expect(line).to_contain_text("false alarm")


def test_a_form_keeps_what_was_typed_while_the_floor_goes_on(stage: Stage) -> None:
    """The preview is renewed beside it every two seconds, and every change of the form shows at once."""
    lin = stage.person(LIN, "proposer")
    lin.go("/control/propose")
    lin.page.get_by_label("north: Centre North").check()
    lin.page.get_by_label("evacuate").check()
    why = lin.page.get_by_label("Why")
    why.fill("half a sen")
    expect(lin.page.get_by_text("143 waiting items move")).to_be_visible()
    lin.press("Play the next minutes")
    expect(lin.page.get_by_text("Not played: routing at")).to_be_visible()  # nobody plays here; the preview stands
    stage.floor.load(2.0)
    expect(lin.page.get_by_text("286 waiting items move")).to_be_visible()
    lin.page.get_by_label("shift").check()
    lin.page.get_by_label("Percent of the work").fill("20")
    expect(lin.page.get_by_text("Shift 20 % away from centre north")).to_be_visible()
    expect(why).to_have_value("half a sen")
    lin.page.get_by_label("Minutes in force").fill("much")
    expect(lin.page.get_by_text("from 1 to 4320, found much")).to_be_visible()


def test_the_page_says_when_what_it_shows_is_old(stage: Stage) -> None:
    """A silent desk is named; without routing everything stays, under a warning."""
    chen = stage.person(CHEN, "approver")
    stage.floor.pass_time(300)
    expect(chen.page.get_by_role("alert").filter(has_text="no word from the desks")).to_contain_text("North entry")
    expect(chen.page.get_by_text("silent").first).to_be_visible()
    stage.floor.load()
    expect(chen.page.get_by_role("alert").filter(has_text="no word from the desks")).to_be_hidden()
    stage.floor.close()
    stale = chen.page.get_by_role("alert").filter(has_text="no new figures")
    expect(stale).to_contain_text("does not answer")
    expect(stale).to_contain_text("What stands below is from")
    expect(chen.page.get_by_role("rowheader", name="Centre North").first).to_be_visible()
    chen.keep("stale")


def test_the_page_says_when_its_console_has_ended(stage: Stage, tmp_path: Path) -> None:
    """Nothing comes from a console that is gone, so the page finds it out by itself."""
    with console(tmp_path / "other.log", routing=stage.floor.url) as url:
        chen = sits_down(stage.chromium, url, stage.floor.token(CHEN, "viewer"))
        expect(chen.page.get_by_role("rowheader", name="Centre North").first).to_be_visible()
        unheard = chen.page.get_by_text("hears nothing from its console")
        expect(unheard).to_be_hidden()
    expect(unheard).to_be_visible()
    expect(chen.page.get_by_role("rowheader", name="Centre North").first).to_be_visible()
    chen.keep("unheard")


def test_a_token_that_ends_signs_its_bearer_out_in_every_tab(stage: Stage) -> None:
    """And back to where they were, with a new one; a wrong token is refused in a sentence."""
    page = stage.chromium.new_context().new_page()
    page.goto(f"{stage.url}/control/history")
    page.get_by_label("Token").fill("nonsense")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert").filter(has_text="NOT DONE")).to_contain_text("Expected a JWT")
    page.get_by_label("Token").fill(stage.floor.token(CHEN, "approver", seconds=4))
    page.keyboard.press("Enter")
    page.wait_for_url("**/control/history")
    page.wait_for_url("**/control/sign-in?next=%2Fcontrol%2Fhistory&why=ended")
    expect(page.get_by_text("You are signed out")).to_be_visible()
    page.get_by_label("Token").fill(stage.floor.token(CHEN, "approver"))
    page.keyboard.press("Enter")
    page.wait_for_url("**/control/history")
    other = page.context.new_page()
    other.goto(f"{stage.url}/control")
    expect(other.get_by_text("Centre North").first).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/control/sign-in")
    other.wait_for_url("**/control/sign-in?**")
    page.goto(f"{stage.url}/control")
    expect(page.get_by_label("Token")).to_be_visible()


def test_the_report_for_an_auditor_is_a_page_of_its_own(stage: Stage) -> None:
    """As routing writes it, with the person's own token; nobody else reads it."""
    propose(stage.floor)
    chen = stage.person(CHEN, "viewer")
    chen.page.goto(f"{stage.url}/control/orders/r-test/report")
    expect(chen.page.get_by_role("heading", name="Reroute r-test")).to_be_visible()
    stranger = stage.chromium.new_page()
    stranger.goto(f"{stage.url}/control/orders/r-test/report")
    expect(stranger.get_by_label("Token")).to_be_visible()


def test_what_nobody_has_told_yet_is_not_called_empty(stage: Stage) -> None:
    """A page that is opened while no routing answers says neither that nothing waits nor that all is well."""
    chen = stage.person(CHEN, "approver")
    chen.go("/control/orders/r-none")
    expect(chen.page.get_by_text("No such order, as far as routing knows now")).to_be_visible()
    for said in ("It touches no team", "What to do", "What was foreseen", "The report as a page"):
        expect(chen.page.get_by_text(said)).to_be_hidden()
    stage.floor.close()
    for path, claim in (
        ("", "No reroute is open"),
        ("", "name no centre"),
        ("", "No work waits"),
        ("/inbox", "Nothing waits for"),
        ("/orders", "No reroute is open"),
        ("/drills", "hold no drill calendar"),
    ):
        chen.page.goto(f"{stage.url}/control{path}")
        expect(chen.page.get_by_text("STALE: no new figures")).to_be_visible()
        expect(chen.page.get_by_text("Not known: no figures have come yet.").first).to_be_visible()
        expect(chen.page.get_by_text(claim)).to_be_hidden()
