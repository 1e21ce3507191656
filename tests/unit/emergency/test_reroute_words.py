"""What the command line says of reroutes: nobody's words are markup, nothing that was typed is dropped or guessed."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console
from typer.testing import CliRunner

from opsfloor import answers, floor, reroute, reroute_words
from opsfloor.answers import Remedied
from opsfloor.cli import app
from opsfloor.reroute_words import next_steps, order_words, scope_words, tell_look, tell_stay, until_words
from services.routing.placement.waiting import Waits
from shared.contracts.reference import Centre, Provider, RerouteRule
from shared.contracts.reroute import CancelReroute, ExtendReroute, ProposeReroute, RerouteScope
from shared.contracts.routing import LoadByWorkType
from shared.reference.board import REFERENCE_BOARD
from shared.reroutes import over_at
from tests.unit.emergency.control_room import CHEN, LIN, ControlRoom, desk_load, terms
from tests.unit.emergency.front_desk import FrontDesk
from tests.unit.routing.floor import NOW

MARKUP = "stop [inc-4711] see [red]ticket [/] \\"
PROPOSE = ["reroute", "propose", "drain", "--team", "south-entry", "--as", "duty-lin", "--reason"]
GLASS = [*PROPOSE, "flood", "--break-glass"]  # half an hour, unless told otherwise
SHORT_GLASS = [
    *PROPOSE[:3],
    "--team",
    "clearkey-one",
    "--as",
    "duty-chen",
    "--reason",
    "a",
    "--break-glass",
    "--minutes",
    "5",
]
WAITING = LoadByWorkType(
    work_type="corporate-transfer/entry", queued=500, standard_seconds=17_500.0, oldest_requested_at=NOW
)


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of a known width."""
    monkeypatch.setattr(answers.out, "_width", 200)


def said(*words: str) -> str:
    """What the command line prints, when all goes well."""
    result = CliRunner().invoke(app, ["reroute", *words])
    assert result.exit_code == 0, f"{result.output}\n{result.exception!r}"
    return result.output


def refused(*words: str) -> Remedied:
    """The refusal, which has a remedy that somebody at a keyboard can follow."""
    result = CliRunner().invoke(app, ["reroute", *words])
    assert isinstance(result.exception, Remedied), f"{result.output}\n{result.exception!r}"
    assert result.exception.remedy != floor.LOOK
    return result.exception


def test_nobodys_words_are_markup(desk: FrontDesk) -> None:
    """A reason is shown as it was typed, in every table and sentence, and breaks none of them."""
    assert CliRunner().invoke(app, [*PROPOSE, MARKUP, "--yes"]).exit_code == 0
    name = next(iter(desk.room.book.orders))
    for words in (("list",), ("show", name), ("history", name)):
        assert MARKUP.strip() in said(*words), words


def test_a_terminal_obeys_nobodys_words(capsys: pytest.CaptureFixture[str]) -> None:
    """An escape sequence in a reason neither clears the screen nor hides what comes after."""
    answers.complain(Remedied("before \x1b[2J after", "[/] none"))
    told = capsys.readouterr().err
    assert "\x1b[2J" not in told
    assert "after" in told
    assert "[/] none" in told


@pytest.mark.parametrize(
    "words",
    [
        ["preview", "drain", "--centre", "[/]"],
        ["preview", "drain", "--data-class", "nonsense"],
        ["preview", "drain", "--work-type", "corporate-transfer/dreaming"],
        ["preview", "drain", "--centre", "north", "--percent", "50"],
        ["history", "r-[/]"],
        ["show", "../openapi.json"],
        [*GLASS[1:], "--yes", "--override", "nonsense-rule"],
        [*PROPOSE[1:], "flood", "--yes", "--override", "two-centres-authorise"],
        ["approve", "r-1", "--reason", "x", "--yes", "--override", "nonsense-rule"],
        ["propose", "drain", "--centre", "north", "--reason", "x", "--as", "", "--yes"],
        ["propose", "drain", "--centre", "north", "--reason", "", "--as", "duty-lin", "--yes"],
    ],
)
def test_what_is_mistyped_is_refused_with_its_remedy(words: list[str], desk: FrontDesk) -> None:
    """No name is guessed, nothing that was typed is dropped in silence, and nothing is proposed."""
    refused(*words)
    assert not desk.room.book.orders


@pytest.mark.parametrize("word", ["show", "history"])
def test_a_reroute_that_nobody_knows_is_named(word: str, desk: FrontDesk) -> None:
    """As it was typed, and not the end of the address that was asked."""
    assert "to know r-9f/3," in str(refused(word, "r-9f/3"))


def test_a_name_like_the_mistyped_one_is_offered(desk: FrontDesk) -> None:
    """Who mistypes a rule at three in the morning reads how it is written."""
    assert "two-centres-authorise" in refused(*GLASS[1:], "--yes", "--override", "two-centre-authorise").remedy


@pytest.mark.parametrize("words", [[*GLASS, "--json"], ["reroute", "approve", "ID", "--reason", "x", "--json"]])
def test_work_never_moves_unseen_and_unasked(words: list[str], desk: FrontDesk) -> None:
    """With --json there is no preview and no question: without --yes neither a glass breaks nor an approval is given."""
    assert CliRunner().invoke(app, [*PROPOSE, "x", "--yes"]).exit_code == 0
    name = next(iter(desk.room.book.orders))
    asked = refused(*[name if word == "ID" else word for word in words[1:]])
    assert "--yes" in asked.what
    assert [order.phase for order in desk.room.book.orders.values()] == ["proposed"]


def test_what_speaks_against_it_comes_before_the_figures(desk: FrontDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a small terminal too, where a screen holds two dozen lines."""
    monkeypatch.setattr(answers.out, "_width", 80)
    told = said("preview", "drain", "--centre", "north", "--centre", "north")
    assert "centre north for" in told
    assert 0 < told.index("RULE") < (told + "By work type").index("By work type")
    assert len(told.splitlines()) < 24


def test_limits_are_told_broken_before_the_figures_and_kept_behind(desk: FrontDesk) -> None:
    """South would carry all of it; the vendor's contract is kept."""
    south = Centre(id="south", label="S", city="-", share_maximum=0.5)
    keyers = Provider(id="clearkey", label="C", outside=True, data_classes=("internal",), share_maximum=0.5)
    for entry in (south, keyers):
        REFERENCE_BOARD.fold(desk.room.views["reference"], entry.key, entry)
    waiting = LoadByWorkType(
        work_type="corporate-transfer/review", queued=4, standard_seconds=180.0, oldest_requested_at=None
    )
    north = desk_load("north-control", ("north-control-01",)).model_copy(update={"queued": (waiting,)})
    desk.room.tell_load(north)
    told = said("preview", "evacuate", "--centre", "north")
    assert "LIMIT centre south would have 100% of all work, 0% without it, at most 50%: broken." in told
    assert told.index("LIMIT") < told.index("By work type") < told.index("provider clearkey would have 0% of all work")


def test_what_the_simulator_saw_follows_or_why_it_saw_nothing(
    desk: FrontDesk, capsys: pytest.CaptureFixture[str]
) -> None:
    """The preview stands without it; nobody who breaks the glass waits for it."""
    assert "Not played by the simulator: routing refused (look_too_slow)" in said(
        "preview", "drain", "--centre", "north"
    )
    assert "Not played" not in said(*GLASS[1:], "--yes")
    seen = {"done": 100, "late": 2, "waiting": 5}
    worse = {"done": 80, "late": 12, "waiting": 25}
    tell_look({"minutes": 30.0, "items": 105, "left_out": 900, "without": seen, "with_it": worse, "seconds": 1.2})
    told = " ".join(capsys.readouterr().out.split())
    assert told == (
        "Played on virtual time, the next 30 min of 105 items, the most urgent; 900 more wait: "
        "done 100 → 80, late 2 → 12, still waiting 5 → 25."
    )


def test_a_preview_of_a_later_start_goes_by_that_hour(desk: FrontDesk) -> None:
    """What begins in a blocked window breaks its rule; now it would not."""
    closing = RerouteRule(id="closing", label="the rail closes", form="blocked_window", begins="16:30", ends="17:15")
    REFERENCE_BOARD.fold(desk.room.views["reference"], closing.key, closing)
    words = ("preview", "drain", "--centre", "north")
    assert "the rail closes" not in said(*words)
    assert "the rail closes" in said(*words, "--starts-at", "2026-03-02T16:45+08:00")
    assert "--starts-at" in refused(*words, "--starts-at", "soon").what
    assert "`--starts-at`" in refused(*words, "--starts-at", "2020-01-01T00:00Z").remedy


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("preview", "drain", "--centre", "north", "--minutes", "0"), "Expected --minutes from 1 to 4320, found 0"),
        ((*GLASS[1:], "--yes", "--minutes", "4321"), "Expected --minutes from 1 to 4320, found 4321"),
        (("drill", "--centre", "north", "--minutes", "5"), "Expected --minutes from 10 to 240, found 5"),
        (("extend", "r1", "0", "--reason", "x", "--yes"), "Expected MINUTES from 1 to 4320, found 0"),
        (("preview", "shift", "--centre", "north", "--percent", "101"), "Expected --percent from 1 to 100, found 101"),
        (
            ("preview", "drain", "--centre", "north", "--starts-at", "14:00"),
            "Expected --starts-at to be an instant, found '14:00'",
        ),
        (
            ("preview", "drain", "--centre", "north", "--starts-at", "2026-03-02T14:00"),
            "Expected --starts-at with its zone, found '2026-03-02T14:00'",
        ),
    ],
)
def test_what_cannot_be_is_told_by_the_name_that_was_typed(words: tuple[str, ...], says: str, desk: FrontDesk) -> None:
    """Before the floor is asked, and never by the name of a field of a request."""
    assert refused(*words).what == says
    assert not desk.room.book.orders


def test_who_proposed_it_is_told_to_cancel_it(desk: FrontDesk) -> None:
    """Nobody else is needed for that."""
    assert CliRunner().invoke(app, [*PROPOSE, "flood", "--yes"]).exit_code == 0
    (name,) = desk.room.book.orders
    found = refused("refuse", name, "--reason", "a mistake", "--as", "duty-lin")
    assert (found.code, found.remedy) == ("own_proposal", f"withdraw it: `opsfloor reroute cancel {name} --reason WHY`")
    own = refused("approve", name, "--reason", "mine", "--as", "duty-lin", "--yes")
    assert own.remedy == floor.REMEDIES["own_proposal"]


def test_who_keeps_it_for_too_long_is_told_how_long_is_the_most(desk: FrontDesk) -> None:
    """Of what two people agreed to by the 72 hours, and when the same may be proposed anew; a glass has its own remedy."""
    scope = RerouteScope(teams=("north-entry",))
    assert desk.room.ask(ProposeReroute, LIN, terms=terms(scope=scope, effect="drain")) == "done"
    assert desk.room.approve(CHEN) == "done"
    found = refused("extend", "r1", "4320", "--reason", "for ever", "--as", CHEN, "--yes")
    assert found.code == "too_long"
    assert "found 2026-03-05 03:00:00 UTC; nothing holds for more than 72 hours" in found.what
    assert found.remedy == (
        "72 hours are the most: extend it by at most 4257 minutes, or propose it anew for when all of it is back: "
        "`opsfloor reroute propose … --starts-at 2026-03-02T03:03Z`"
    )
    anew = ("propose", "drain", "--team", "north-entry", "--reason", "still", "--as", LIN, "--yes")
    assert "✓" in said(*anew, "--starts-at", "2026-03-02T03:03:00+00:00")
    assert desk.room.ask(ExtendReroute, CHEN, minutes=4257) == "done"
    full = refused("extend", "r1", "1", "--reason", "for ever", "--as", CHEN, "--yes", "--json")
    assert full.remedy.startswith("72 hours are the most: propose it anew for when all of it is back")


def test_a_glass_is_kept_by_two_people_alone(desk: FrontDesk) -> None:
    """The remedy of half an hour is a second person; one for later is none."""
    assert CliRunner().invoke(app, [*GLASS, "--yes"]).exit_code == 0
    (name,) = desk.room.book.orders
    found = refused("extend", name, "60", "--reason", "wet", "--as", "duty-chen", "--yes")
    assert (found.code, found.remedy) == ("too_long", floor.REMEDIES["too_long"])
    later = refused(*SHORT_GLASS[1:], "--yes", "--starts-at", f"{desk.room.now + timedelta(hours=1):%Y-%m-%dT%H:%MZ}")
    assert later.code == "start_too_far"
    assert later.remedy.startswith("leave `--starts-at` out; or leave `--break-glass` out")


def test_a_command_that_does_not_fit_tells_the_one_that_does(desk: FrontDesk) -> None:
    """With the order's id, to be copied."""
    assert CliRunner().invoke(app, [*PROPOSE, "flood", "--yes"]).exit_code == 0
    (name,) = desk.room.book.orders
    end = ("end", name, "--reason", "dry", "--as", "duty-lin")
    assert refused(*end).remedy.startswith(f"cancel it: `opsfloor reroute cancel {name} --reason WHY`")
    late = ("approve", name, "--reason", "seen", "--as", "duty-chen", "--yes")
    desk.room.now += timedelta(minutes=15)
    assert refused(*late).remedy == "propose it anew: `opsfloor reroute propose`"
    desk.room.wait(0)
    assert desk.room.order(name).phase == "expired"
    found = refused(*late)
    assert found.what.endswith(f"Expected a proposal to approve, found {name} expired; propose it anew.")
    assert (found.code, found.remedy) == ("wrong_phase", "propose it anew: `opsfloor reroute propose`")
    assert "nothing of it is left to stop" in refused(*end).remedy


def test_the_drill_calendar_is_told_by_one_clock(desk: FrontDesk) -> None:
    """When it is held each week and when it comes next, both in UTC, as every other table of the command line."""
    told = said("drills")
    assert "when (UTC)" in told
    assert "Asia/Shanghai" not in told
    (line,) = (line for line in told.splitlines() if "clearkey-weekly" in line)
    assert "each week thu/tue/wed 06:30, 30 min" in line
    assert "2026-03-03 06:30:00 UTC" in line


def test_a_drill_of_an_early_hour_is_on_the_day_before_in_utc(desk: FrontDesk) -> None:
    """As the reference data say 03:00 on Monday, it is Sunday there."""
    early = (
        desk.room.views["reference"].drills["north-weekly"].model_copy(update={"begins": "03:00", "weekdays": ("mon",)})
    )
    REFERENCE_BOARD.fold(desk.room.views["reference"], early.key, early)
    assert "each week sun 19:00, 30 min" in " ".join(said("drills").split())


def test_the_next_line_of_a_proposal_is_taken_when_it_is_typed(desk: FrontDesk) -> None:
    """With each rule that it breaks by name, or it would be refused; of one that nobody overrides it says so."""
    told = CliRunner().invoke(app, [*PROPOSE[:3], "--centre", "north", *PROPOSE[5:], "flood", "--yes"]).output
    (order,) = desk.room.book.orders.values()
    broken = [rule.rule_id for rule in order.preview.broken_rules]
    assert broken
    line = " ".join(told.split()).split("a second person: opsfloor ")[1].split(" Next: ")[0]
    assert all(f"--override {name}" in line for name in broken)
    assert "nobody can approve" not in told
    said(*line.removeprefix("reroute ").replace("NAME", "duty-chen").split(), "--yes")
    fixed = order.model_dump(mode="json")
    fixed["preview"]["broken_rules"][0]["overridable"] = False
    assert f"{broken[0]} cannot be overridden" in next(iter(next_steps(fixed)))


def test_a_drill_is_offered_no_override(desk: FrontDesk) -> None:
    """It overrides nothing, and `drill` has no such option; what is in earnest is offered it."""
    scope = RerouteScope(providers=("clearkey",))
    assert desk.room.ask(ProposeReroute, LIN, terms=terms(scope=scope)) == "done"
    assert desk.room.approve(CHEN) == "done"
    assert desk.room.ask(CancelReroute, LIN) == "done"
    told = CliRunner().invoke(app, ["reroute", "drill", "--provider", "clearkey", "--as", "duty-lin", "--yes"]).output
    assert "is late twice. (no drill overrides a rule)" in told
    assert "--override" not in told
    assert "(override with --override no-flapping)" in said("preview", "drain", "--provider", "clearkey")


def test_who_keeps_a_drill_is_offered_no_override(desk: FrontDesk, capsys: pytest.CaptureFixture[str]) -> None:
    """What is broken by its staying is overridden by nobody."""
    preview = json.loads(said("preview", "drain", "--centre", "north", "--json"))
    tell_stay(30, preview, drill=True)
    told = capsys.readouterr().out
    assert "(no drill overrides a rule)" in told
    assert "--override" not in told


def test_an_id_is_never_broken_in_two(desk: FrontDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is what people copy."""
    assert CliRunner().invoke(app, [*PROPOSE, "flood " * 20 + "a" * 300, "--yes"]).exit_code == 0
    monkeypatch.setattr(answers.out, "_width", 80)
    told = said("list").split()
    assert next(iter(desk.room.book.orders)) in " ".join(told)
    assert {"south-entry", "duty-lin", "proposed"} <= set(told)


def test_completion_offers_what_the_command_fits(desk: FrontDesk) -> None:
    """Nobody is offered to approve what is over, though its review be open."""
    assert CliRunner().invoke(app, [*GLASS, "--yes"]).exit_code == 0
    name = next(iter(desk.room.book.orders))
    assert CliRunner().invoke(app, ["reroute", "cancel", name, "--reason", "x", "--as", "duty-lin"]).exit_code == 0
    assert reroute.ids("proposed")("") == []
    assert reroute.ids(review=True)("r-") == [name]


def test_names_are_said_in_whole_words_and_once() -> None:
    """As people say them."""
    assert scope_words({"data_classes": ["personal"], "centres": ["north", "north"]}) == (
        "data class personal, centre north"
    )


def in_words(room: ControlRoom) -> dict[str, Any]:
    """The order as the command line reads it."""
    return room.order().model_dump(mode="json")


def test_an_order_is_told_with_the_minutes_that_it_has_by_now() -> None:
    """An hour that was made three is not called an hour."""
    room = ControlRoom()
    assert room.ask(ProposeReroute, LIN, terms=terms()) == "done"
    assert room.approve(CHEN) == "done"
    assert "for 60 min" in order_words(in_words(room))
    assert room.ask(ExtendReroute, CHEN, minutes=120) == "done"
    assert "for 180 min" in order_words(in_words(room))


def test_work_on_its_way_back_is_not_called_held_until_a_time_that_is_gone() -> None:
    """While it returns the time told is the one when all is back."""
    room = ControlRoom()
    assert room.ask(ProposeReroute, LIN, terms=terms()) == "done"
    assert room.approve(CHEN) == "done"
    order = room.order().model_copy(update={"phase": "returning"})
    assert order.ends_at is not None
    back = order.ends_at + timedelta(seconds=3 * order.return_step_seconds)
    told = until_words(order.model_dump(mode="json"), order.ends_at)
    assert f"all back at {back:%Y-%m-%d %H:%M:%S} UTC" in told
    assert "until" not in told


def test_a_reroute_of_nothing_is_told_by_its_terms() -> None:
    """Before it begins the minutes are those that were asked for."""
    room = ControlRoom()
    assert room.ask(ProposeReroute, LIN, terms=terms(minutes=5)) == "done"
    assert "for 5 min" in order_words(in_words(room))


def test_completion_offers_the_names_that_a_scope_may_have(desk: FrontDesk) -> None:
    """Work types, too, though nobody has written them down: each business type has its steps."""
    assert reroute.names("centres")("no") == ["north"]
    assert "cheque-deposit/review" in reroute.names("work_types")("cheque-deposit/")
    assert reroute.names("rules")("two") == ["two-centres-authorise"]


def test_nobody_is_told_that_somebody_is_left_where_nobody_is(
    desk: FrontDesk, capsys: pytest.CaptureFixture[str]
) -> None:
    """Though the order does not make it so, and nothing of it waits."""
    preview = json.loads(said("preview", "drain", "--team", "north-entry", "--json"))
    idle = next(one for one in preview["skills"] if not one["queued"] and not one["dead_end"])
    told = []
    for people in (1, 0):
        idle["people_with"] = people
        tell_stay(30, preview)
        told += re.findall(r"Of (\d+) other work types nothing waits", capsys.readouterr().out)
    somebody, nobody = map(int, told)
    assert nobody == somebody - 1


def test_whoever_agrees_is_told_when_it_begins(desk: FrontDesk) -> None:
    """By the preview before it is proposed, in the list, before it is approved, and on record."""
    later = desk.room.now + timedelta(days=2)
    spoken, words = (
        f"from {later:%Y-%m-%d %H:%M} UTC",
        ("drain", "--team", "north-entry", "--starts-at", f"{later:%Y-%m-%dT%H:%MZ}"),
    )
    assert spoken in " ".join(said("preview", *words).split())
    assert spoken in " ".join(said("propose", *words, "--reason", "works", "--as", LIN, "--yes").split())
    (name,) = desk.room.book.orders
    for look in (("show", name), ("list",), ("approve", name, "--reason", "agreed", "--as", CHEN, "--yes")):
        assert spoken in " ".join(said(*look).split()), look
    assert f"from {later:%Y-%m-%d %H:%M:%S} UTC" in " ".join(said("history", name).split())


def test_who_keeps_an_order_for_longer_sees_what_that_does(desk: FrontDesk) -> None:
    """Beside the floor without it, before it is done."""
    scope = RerouteScope(teams=("north-entry",))
    assert desk.room.ask(ProposeReroute, LIN, terms=terms(scope=scope, effect="drain")) == "done"
    assert desk.room.approve(CHEN) == "done"
    keep = ("extend", "r1", "30", "--reason", "still down", "--as", CHEN, "--yes")
    told = said(*keep)
    assert "Kept in force for 30 more minutes it would leave the floor like this" in told
    assert told.index("Kept in force") < told.index("In force until")
    assert desk.room.ask(CancelReroute, LIN) == "done"
    assert refused(*keep).what == "Expected an order in force to keep for longer, found r1 cancelled"
    assert "Expected routing to know r9" in refused("extend", "r9", *keep[2:]).what
    assert "Expected an id of at most 128 printable characters" in refused("show", "").what


def test_what_is_not_in_force_is_not_kept_and_what_to_do_instead_is_told(desk: FrontDesk) -> None:
    """Before anything is previewed, whether it waits for approval, for its hour, or is over."""
    scope, later = RerouteScope(teams=("north-entry",)), desk.room.now + timedelta(hours=2)
    assert desk.room.ask(ProposeReroute, LIN, terms=terms(scope=scope, starts_at=later)) == "done"
    keep = ("extend", "r1", "30", "--reason", "still down", "--as", CHEN, "--yes")
    told = []
    acts: tuple[Callable[[], str], ...] = (lambda: desk.room.approve(CHEN), lambda: desk.room.ask(CancelReroute, LIN))
    for act in (lambda: "", *acts):
        act()
        result = CliRunner().invoke(app, ["reroute", *keep])
        assert isinstance(result.exception, Remedied)
        assert result.output == ""
        told.append((result.exception.what.rpartition(" ")[2], result.exception.remedy.partition(":")[0]))
    assert told == [
        ("proposed", "have it approved first"),
        (
            "approved",
            "keep it for longer once it has begun (`opsfloor reroute show r1` says when); or cancel it, and propose it "
            "for longer",
        ),
        ("cancelled", "propose it anew"),
    ]


async def test_the_face_previews_keeping_of_what_is_in_force_alone() -> None:
    """What nobody has approved is kept by nobody."""
    desk = FrontDesk()
    assert desk.room.ask(ProposeReroute, LIN, terms=terms()) == "done"
    answer = await desk.client("vi", "viewer").get("/reroutes/r1/stay", params={"minutes": 5})
    assert (answer.status_code, answer.json()["detail"]) == (409, "Expected an order in force, found r1 proposed.")


def unread(*words: str) -> int:
    """The exit code of a command whose reader is gone before it says a word."""
    reads, writes = os.pipe()
    os.close(reads)
    try:
        return subprocess.run(
            [sys.executable, "-m", "opsfloor", *words], stdout=writes, stdin=subprocess.DEVNULL
        ).returncode
    finally:
        os.close(writes)


def test_what_was_said_yes_to_is_done_though_nobody_reads_on(desk: FrontDesk) -> None:
    """As with `| head`: the preview is cut short, the command is not. Without a yes nothing is done."""
    assert unread(*PROPOSE, "flood", "--yes") == 0
    (name,) = desk.room.book.orders
    agree = ("reroute", "approve", name, "--reason", "seen", "--as", "duty-chen")
    assert unread(*agree) != 0
    assert desk.room.order(name).phase == "proposed"
    assert unread(*agree, "--yes") == 0
    assert desk.room.order(name).phase == "active"
    ends_at = desk.room.order(name).ends_at
    assert unread("reroute", "extend", name, "30", "--reason", "still", "--as", "duty-chen", "--yes") == 0
    assert desk.room.order(name).ends_at == (ends_at or NOW) + timedelta(minutes=30)


def test_what_an_order_strands_is_told_to_whoever_keeps_it(desk: FrontDesk) -> None:
    """It lies in no queue, and is the very thing to look at before keeping."""
    scope = RerouteScope(teams=("north-entry", "south-entry"), work_types=("account-maintenance/entry",))
    assert desk.room.ask(ProposeReroute, LIN, terms=terms(scope=scope)) == "done"
    assert desk.room.approve(CHEN) == "done"
    desk.waiting = (Waits("rerouted", "account-maintenance/entry", ("r1",), 32, NOW),)
    told = " ".join(said("extend", "r1", "30", "--reason", "still down", "--as", CHEN, "--yes").split())
    assert "32 items are at no desk because of it, with nobody to do them; up to 0 of those would be late." in told
    assert (
        "AT NO DESK 32 of account-maintenance/entry wait at no desk (rerouted), 32 of them kept there by this" in told
    )
    assert "other work types nothing waits" not in told


def test_a_sort_that_nobody_may_be_given_is_told_before_the_figures(desk: FrontDesk) -> None:
    """The vendor is there for one field of it and may not see the other; the house's people are all in the scope."""
    upkeep = LoadByWorkType(
        work_type="account-maintenance/entry", queued=50, standard_seconds=4_500.0, oldest_requested_at=NOW
    )
    desk.room.tell_load(desk_load("north-entry", ("north-entry-01",)).model_copy(update={"queued": (upkeep,)}))
    desk.room.tell_load(desk_load("clearkey-one", ("clearkey-one-01",)))
    told = " ".join(
        said("preview", "evacuate", "--provider", "house", "--work-type", "account-maintenance/entry").split()
    )
    assert (
        "DEAD END nobody left for account-maintenance/entry (personal, in the house alone), "
        "about 25 of the 50 of account-maintenance/entry that wait: such items wait until it is over"
    ) in told
    assert "clearkey-one (1)" in told


def test_what_asks_again_is_shown_with_its_new_preview(desk: FrontDesk) -> None:
    """The one who must approve it reads there what they approve."""
    scope = RerouteScope(centres=("north",))
    assert desk.room.ask(ProposeReroute, LIN, terms=terms(scope=scope, effect="evacuate")) == "done"
    desk.room.tell_load(desk_load("north-entry", ("north-entry-01",)).model_copy(update={"queued": (WAITING,)}))
    assert desk.room.approve(CHEN) == "preview_changed"
    told = said("show", "r1")
    assert "500 waiting items move now" in told
    assert "asked again" in told
    assert "(now: 500 items move" in " ".join(told.split())


def test_a_drill_can_be_looked_at_before_it_is_proposed(desk: FrontDesk) -> None:
    """Whether the rest could carry it is said beside what it would do; of a real order nothing is said of that."""
    as_drill, in_earnest = (
        said("preview", "drain", "--centre", "north", "--centre", "south", *more) for more in (("--drill",), ())
    )
    assert "REFUSED as a drill: CAPACITY_CHECK_FAILED: " in as_drill
    assert "REFUSED" not in in_earnest


def test_a_drills_long_id_leaves_room_for_words_on_a_narrow_terminal(
    desk: FrontDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At 80 columns the id is whole, to be copied, and what the order does can be read."""
    drill = "drill-north-weekly-20261128T0630"
    assert desk.room.ask(ProposeReroute, LIN, drill, terms=terms(effect="drain")) == "done"
    order = desk.room.order(drill).model_dump(mode="json")
    for width, below in ((80, True), (140, False)):
        told = io.StringIO()
        monkeypatch.setattr(reroute_words, "out", Console(file=told, width=width))
        monkeypatch.setattr(answers, "out", Console(file=told, width=width))
        reroute_words.tell_list([order], desk.room.now)
        lines = told.getvalue().splitlines()
        assert any(drill in line for line in lines)
        assert any("drain centre n for" in line for line in lines)
        assert any(drill in line and "drain" in line for line in lines) is not below
        assert max(map(len, lines)) <= width


def test_a_glass_of_its_full_time_is_not_offered_for_longer(desk: FrontDesk) -> None:
    """Nobody may keep it: two people propose the same."""
    told = CliRunner().invoke(app, [*GLASS, "--yes"]).output
    assert "propose the same without --break-glass before it ends" in told
    assert "--starts-at" not in told
    assert "reroute extend" not in told
    assert "reroute extend" in CliRunner().invoke(app, [*SHORT_GLASS, "--yes"]).output


UNHEARD = [
    (("end", "r1", "--reason", "back", "--as", LIN), "`opsfloor reroute show r1`"),
    (("approve", "r1", "--reason", "ok", "--as", CHEN, "--yes"), "`opsfloor reroute show r1`"),
    (("extend", "r1", "30", "--reason", "x", "--as", CHEN, "--yes"), "`opsfloor reroute show r1`"),
    ((*PROPOSE[1:], "again", "--yes"), "`opsfloor reroute list --all`"),
]
SAME_AGAIN = "typed again within 15 minutes it is the same command, and done once"


@pytest.mark.parametrize(("words", "look"), UNHEARD)
def test_a_command_that_nobody_answered_may_still_be_done(
    words: tuple[str, ...], look: str, desk: FrontDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the broker hung, whether the answer fails to come in time or routing says that there is none yet: nobody is told
    that routing is away, and who would type it again learns what that does."""
    assert desk.room.ask(ProposeReroute, LIN, terms=terms(scope=RerouteScope(teams=("north-entry",)))) == "done"
    if words[0] != "approve":
        assert desk.room.approve(CHEN) == "done"
    desk.hung = True
    silent = refused(*words)
    assert (silent.code, silent.what) == ("broker_silent", reroute.SILENT)
    assert SAME_AGAIN in silent.remedy
    desk.hung, desk.mute = False, True
    spoken = " ".join(said(*words).split())
    assert "it may still be done" in spoken
    assert "look first, `opsfloor reroute show r" in spoken
    assert SAME_AGAIN in spoken
    ask = httpx.request

    def hung(method: str, url: str, headers: dict[str, str], **more: Any) -> httpx.Response:
        if "Idempotency-Key" in headers:
            raise httpx.ReadTimeout("timed out")
        return ask(method, url, headers=headers, **more)

    monkeypatch.setattr(httpx, "request", hung)
    lost = refused(*words)
    assert (lost.code, "start routing" in lost.remedy) == ("unanswered", False)
    assert "it may still be done" in lost.remedy
    assert look in lost.remedy
    assert SAME_AGAIN in lost.remedy


@pytest.mark.parametrize("words", [each for each, _ in UNHEARD])
def test_a_command_that_nobody_answered_is_the_same_when_it_is_typed_again(
    words: tuple[str, ...], desk: FrontDesk
) -> None:
    """Until somebody answers it; after that what is typed is another. With other words it is another at once."""
    assert desk.room.ask(ProposeReroute, LIN, terms=terms(scope=RerouteScope(teams=("north-entry",)))) == "done"
    if words[0] != "approve":
        assert desk.room.approve(CHEN) == "done"
    desk.mute = True
    assert "The same was sent before" not in said(*words)
    assert "The same was sent before, and nobody answered" in said(*words)
    assert len(set(desk.published)) == 1 < len(desk.published)
    said(*("other words" if word == words[words.index("--reason") + 1] else word for word in words))
    assert len(set(desk.published)) == 2
    desk.mute = False
    assert "✓" in said(*words)
    assert len(set(desk.published)) == 2
    CliRunner().invoke(app, ["reroute", *words])
    assert len(set(desk.published)) == 3


def test_an_answer_of_long_ago_is_told_with_what_the_order_is_now(
    desk: FrontDesk, capsys: pytest.CaptureFixture[str]
) -> None:
    """A proposal typed again after the broker hung was carried out meanwhile, and cancelled since."""
    assert desk.room.ask(ProposeReroute, LIN, terms=terms()) == "done"
    answer = {"code": "done", "reroute_id": "r1", "detail": "Proposed."}
    reroute._told(answer, "propose", LIN, json=False)
    assert "Now:" not in capsys.readouterr().out
    assert desk.room.ask(CancelReroute, LIN) == "done"
    reroute._told(answer, "propose", LIN, json=False)
    assert "Now: cancelled; the line above" in " ".join(capsys.readouterr().out.split())


def test_who_approves_a_floor_that_has_moved_is_told_where_to_look(desk: FrontDesk) -> None:
    """By the order's own id, to be copied."""
    scope = RerouteScope(teams=("north-entry",))
    assert desk.room.ask(ProposeReroute, LIN, terms=terms(scope=scope)) == "done"
    load = desk.room.views["load"]["north-entry"]
    desk.room.tell_load(load.model_copy(update={"queued": (WAITING,)}))
    found = refused("approve", "r1", "--reason", "seen", "--as", CHEN, "--yes")
    assert found.code == "preview_changed"
    assert found.remedy.startswith("look again with `opsfloor reroute show r1`")


def test_what_was_typed_long_ago_is_meant_anew(desk: FrontDesk, tmp_path: Path) -> None:
    """After a quarter of an hour, whatever became of it; and a file that says nothing keeps nobody from acting."""
    words = (*PROPOSE[1:], "flood", "--yes")
    desk.mute = True
    said(*words)
    (kept,) = (tmp_path / "unanswered").iterdir()
    os.utime(kept, (0, 0))
    assert "The same was sent before" not in said(*words)
    kept.write_text("torn")
    assert "The same was sent before" not in said(*words)
    assert len(set(desk.published)) == 3


def test_old_figures_are_called_so(desk: FrontDesk) -> None:
    """With the broker hung no desk is heard: a preview, a proposal, an approval and an extension say since when."""
    scope = RerouteScope(teams=("north-entry",))
    assert desk.room.ask(ProposeReroute, LIN, terms=terms(scope=scope, effect="drain")) == "done"
    desk.room.now = NOW + timedelta(seconds=15)
    look = ("preview", "drain", "--team", "south-entry")
    assert "STALE" not in said(*look)
    desk.room.now += timedelta(seconds=1)
    told = "STALE no desk has been heard since 2026-03-02 02:00:00 UTC: the broker is silent or away."
    assert told in said(*look)
    assert told in said(*PROPOSE[1:], "flood", "--yes")
    assert told in said("approve", "r1", "--reason", "seen", "--as", CHEN, "--yes")
    assert told in said("extend", "r1", "5", "--reason", "still", "--as", CHEN, "--yes")
    desk.room.now += timedelta(seconds=40)
    _everybody_speaks(desk, but="south-entry")
    assert "STALE no word from the desks of south-entry (since 2026-03-02 02:00:00 UTC)" in said(*look)
    _everybody_speaks(desk)
    assert "STALE" not in said(*look)


def _everybody_speaks(desk: FrontDesk, but: str = "") -> None:
    loads = desk.room.views["load"]
    for team_id in [name for name in loads if name != but]:
        desk.room.tell_load(loads[team_id].model_copy(update={"at": desk.room.now}))


def test_an_empty_floor_has_no_old_figures(desk: FrontDesk) -> None:
    """Nobody is there and nothing waits, so that desks have nothing to say, all night long."""
    loads = desk.room.views["load"]
    for team_id in list(loads):
        desk.room.tell_load(desk_load(team_id, ()))
    desk.room.now += timedelta(hours=8)
    assert "STALE" not in said("preview", "drain", "--team", "south-entry")


def test_a_preview_of_what_begins_later_says_whose_queues_it_counts(desk: FrontDesk) -> None:
    """Today's: whoever reads the figures, now or when it waits for approval, must not take them for those of that hour."""
    later = ("--starts-at", f"{NOW + timedelta(hours=3):%Y-%m-%dT%H:%MZ}")
    told = "It begins at 2026-03-02 05:00:00 UTC: queues and people are those of 2026-03-02 02:00:00 UTC"
    assert told in said("preview", "drain", "--team", "south-entry", *later)
    assert "It begins at" not in said("preview", "drain", "--team", "south-entry")
    assert told in said(*PROPOSE[1:], "flood", "--yes", *later)
    (name,) = desk.room.book.orders
    assert told in said("show", name)


def test_what_time_is_left_goes_by_the_floors_clock(desk: FrontDesk) -> None:
    """That of the machine at which one types may be another day's."""
    assert desk.room.ask(ProposeReroute, LIN, terms=terms(scope=RerouteScope(teams=("north-entry",)))) == "done"
    assert "expires, 15 min left" in said("list")
    assert desk.room.approve(CHEN) == "done"
    desk.room.now += timedelta(minutes=20)
    assert "ends, 40 min left" in said("list")
    assert "40 min left" in said("show", "r1")


def test_who_would_keep_what_cannot_be_kept_hears_it_before_they_are_asked(desk: FrontDesk) -> None:
    """The look beforehand refuses what the book would: nothing is sent, and nothing is asked."""
    scope = RerouteScope(providers=("clearkey",))
    assert desk.room.ask(ProposeReroute, LIN, terms=terms(scope=scope, effect="drain", drill=True)) == "done"
    assert desk.room.approve(CHEN) == "done"
    extend = ("extend", "r1", "--reason", "more", "--as", CHEN)
    assert refused(*extend, "4000").code == "drill_minutes"
    assert not desk.published


def test_an_order_that_is_over_by_its_own_clock_is_not_called_active(desk: FrontDesk) -> None:
    """However long the book does not say so, emergency or the broker being away: nobody is sent to end it or to keep it."""
    scope = RerouteScope(teams=("north-entry",))
    assert desk.room.ask(ProposeReroute, LIN, terms=terms(scope=scope, effect="drain")) == "done"
    assert desk.room.approve(CHEN) == "done"
    assert "ACTIVE" in said("show", "r1")
    ends_at = desk.room.order().ends_at
    assert ends_at is not None
    desk.room.now = ends_at + timedelta(seconds=1)  # on its way back, and nobody has noted that
    assert "RETURNING" in said("show", "r1")
    assert "it comes back by itself" in said("show", "r1")
    desk.room.now = ends_at + timedelta(hours=1)
    assert desk.room.order().phase == "active"
    told, listed = (" ".join(said(*words).split()) for words in (("show", "r1"), ("list",)))
    gone = over_at(desk.room.order())
    assert gone is not None
    assert "OVER BY ITS OWN CLOCK" in told
    assert f"Over since {gone.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" in told
    assert "the book has not noted that" in told
    assert "reroute end" not in told
    assert "reroute extend" not in told
    assert "active" not in listed
    assert "not noted yet" in listed
    keep = refused("extend", "r1", "30", "--reason", "still down", "--as", CHEN, "--yes")
    assert "over by its own clock" in keep.what
    assert "propose it anew" in keep.remedy


def test_whoever_agrees_to_an_order_to_come_compares_like_with_like(desk: FrontDesk) -> None:
    """What was foreseen of its own hour beside that hour as it looks now, and not beside this one."""
    desk.room.tell_load(desk_load("north-entry", ("north-entry-01",)).model_copy(update={"queued": (WAITING,)}))
    scope, later = RerouteScope(teams=("north-entry",)), desk.room.now + timedelta(hours=2)
    beside = terms(scope=RerouteScope(teams=("south-entry",)), minutes=30)  # over by then, and in force now
    assert desk.room.ask(ProposeReroute, LIN, "r0", terms=beside) == "done"
    rules = tuple(rule.rule_id for rule in desk.room.order("r0").preview.broken_rules)
    assert desk.room.approve(CHEN, "r0", override_rules=rules) == "done"
    assert desk.room.ask(ProposeReroute, LIN, terms=terms(scope=scope, starts_at=later)) == "done"
    rules = tuple(rule.rule_id for rule in desk.room.order().preview.broken_rules)
    named = [word for rule in rules for word in ("--override", rule)]
    told = " ".join(said("approve", "r1", "--reason", "agreed", "--as", CHEN, "--yes", *named).split())
    found = re.search(
        r"([\d,]+) items would move \(foreseen: ([\d,]+)\) and ([\d,]+) be late \(foreseen: ([\d,]+)\)", told
    )
    assert found is not None, told
    moving, foreseen, late, late_foreseen = found.groups()
    assert (moving, late) == (foreseen, late_foreseen)
    now = json.loads(said("preview", "evacuate", "--team", "north-entry", "--json"))
    assert f"{sum(skill['misses_with'] for skill in now['skills']):,}" != late, "this hour is another matter"


def test_what_a_local_order_does_is_said_as_a_sentence() -> None:
    """As its effect's name is no verb."""
    local = {
        "effect": "local",
        "percent": 100,
        "scope": {"business_types": ["transfer"]},
        "minutes": 60,
        "drill": False,
    }
    told = "send back to its branches what is new of business type transfer for 60 min"
    assert reroute_words.terms_words(local) == told


def test_who_takes_a_work_type_is_told_in_a_few_lines(desk: FrontDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many teams do; the rest of them is counted."""
    desk.room.tell_load(desk_load("north-entry", ("north-entry-01",)).model_copy(update={"queued": (WAITING,)}))
    assert "clearkey-one" in said("preview", "drain", "--team", "north-entry")
    monkeypatch.setattr(reroute_words, "TAKERS_MAX", 1)
    told = said("preview", "drain", "--team", "north-entry")
    assert re.search(r"and \d more", told), told
