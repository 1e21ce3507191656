"""Every command of the runbook is run against the control room's face, with the example bank behind it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from opsfloor import answers
from opsfloor.cli import app
from shared.contracts.routing import LoadByWorkType
from tests.unit.emergency.control_room import desk_load
from tests.unit.emergency.front_desk import FrontDesk
from tests.unit.routing.floor import NOW

ROOT = Path(__file__).parents[3]
RUNBOOK = (ROOT / "docs" / "runbook" / "reroutes.md").read_text("utf-8")
SECTIONS = re.split(r"^## ", RUNBOOK, flags=re.MULTILINE)[1:]
PLAYED = [section for section in SECTIONS if "$ opsfloor" in section]


def test_there_are_ten_situations() -> None:
    """Numbered, each with something to type."""
    assert sum(section[0].isdigit() for section in PLAYED) == 10


@pytest.mark.parametrize("section", PLAYED, ids=[section.splitlines()[0] for section in PLAYED])
def test_a_situation_of_the_runbook_goes_as_written(section: str, desk: FrontDesk) -> None:
    """Each command ends well; `ID` is what the last proposal was named."""
    for line in re.findall(r"^\$ opsfloor (.*)$", section, flags=re.MULTILINE):
        well(desk, line)


def lines_of(number: int) -> list[str]:
    """What stands to be typed in a situation."""
    section = next(section for section in PLAYED if section.startswith(f"{number}. "))
    return re.findall(r"^\$ opsfloor (.*)$", section, flags=re.MULTILINE)


def typed(desk: FrontDesk, line: str) -> Result:
    """Type one line; `ID` is what the last proposal was named."""
    last = next(reversed(desk.room.book.orders), "ID")
    return CliRunner().invoke(app, [last if word == "ID" else word for word in shlex.split(line)])


def well(desk: FrontDesk, line: str) -> str:
    """What a line that ends well says, on one line."""
    result = typed(desk, line)
    assert result.exit_code == 0, f"{line}\n{result.output}\n{result.exception!r}"
    return " ".join(result.output.split())


def test_what_it_will_do_stands_there_before_it_does(desk: FrontDesk) -> None:
    """Situation 1 says what one should see: how many items move and who takes them, then the minutes left."""
    desk.room.tell_load(desk_load("north-entry", sorted(desk.room.views["load"]["north-entry"].present), 70))
    propose, approve, show, *_ = lines_of(1)
    said = well(desk, propose)
    assert "70 waiting items move now" in said
    assert "RULE" in said
    well(desk, approve)
    assert re.search(r"Holds 100 % of that work, until \S+ \S+ UTC, ", well(desk, show))


def crowded(desk: FrontDesk) -> None:
    """Forty corporate transfers wait at the vendor, seventy in the north."""
    for team_id, queued in (("clearkey-one", 40), ("north-entry", 70)):
        waiting = LoadByWorkType(
            work_type="corporate-transfer/entry",
            queued=queued,
            standard_seconds=35.0 * queued,
            oldest_requested_at=NOW,
        )
        load = desk_load(team_id, sorted(desk.room.views["load"][team_id].present))
        desk.room.tell_load(load.model_copy(update={"queued": (waiting,)}))


def test_a_vendor_that_stops_is_seen_to_be_emptied(desk: FrontDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Situation 3 says what one should see: what moves and to whom, the contract's limit, the four hours, all of it held."""
    monkeypatch.setattr(answers.out, "_width", 200)
    crowded(desk)
    preview, propose, approve, show = lines_of(3)
    seen = well(desk, preview)
    assert "40 waiting items move now" in seen
    assert "north-entry (16)" in seen
    assert "DEAD END" not in seen
    assert "LIMIT provider clearkey would have 0% of all work" in seen
    assert re.search(r"LIMIT centre north .* The plan can still keep it", seen)
    assert "somebody else must approve it by 2026-03-02 02:15:00 UTC" in well(desk, propose)
    assert "In force until 2026-03-02 06:00:00 UTC" in well(desk, approve)
    assert "Holds 100 % of that work" in well(desk, show)


def test_a_slow_centre_is_seen_to_keep_its_queue(desk: FrontDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Situation 5 says what one should see: nothing that waits moves, the centre still takes, a share of it is held."""
    monkeypatch.setattr(answers.out, "_width", 200)
    crowded(desk)
    propose, approve, show = lines_of(5)
    seen = well(desk, propose)
    assert "0 waiting items move now" in seen
    assert "42 → 37" in seen
    for skill in next(reversed(desk.room.book.orders.values())).preview.skills:  # «cleared in» may grow a little
        assert skill.wait_seconds_with == pytest.approx(skill.wait_seconds_without, rel=0.2)
        assert skill.misses_with == skill.misses_without
    assert "north-entry (16)" in seen
    assert "In force until 2026-03-02 03:30:00 UTC" in well(desk, approve)
    assert "Holds 30 % of that work" in well(desk, show)


@pytest.mark.parametrize("number", [1, 3, 5])
def test_a_situation_says_what_one_should_see(number: int) -> None:
    """Who types a command at night compares what it says with something."""
    (section,) = (section for section in PLAYED if section.startswith(f"{number}. "))
    assert "You should see" in section


def test_an_approval_names_the_rule_that_it_would_break(desk: FrontDesk) -> None:
    """Situation 7: without the name it is refused, and the refusal says the name that the page types next."""
    propose, show, approve = lines_of(7)
    well(desk, propose)
    rule = "two-centres-authorise"
    refused = typed(desk, approve.replace(f"--override {rule}", ""))
    assert refused.exit_code == 1
    assert rule in str(refused.exception)
    well(desk, show)
    well(desk, approve)
    assert next(reversed(desk.room.book.orders.values())).overridden_rules == (rule,)


def test_an_approval_of_a_floor_that_has_moved_is_asked_for_again(desk: FrontDesk) -> None:
    """Situation 8: all but one have gone home since; nothing starts, `show` tells it, and the same line then agrees."""
    propose, show, approve = lines_of(8)
    well(desk, propose)
    desk.room.tell_load(desk_load("south-entry", ()))
    desk.room.tell_load(desk_load("clearkey-one", ()))
    moved = typed(desk, approve)
    assert "preview_changed" in f"{moved.output}{moved.exception}"
    order = next(reversed(desk.room.book.orders.values()))
    assert order.phase == "proposed"
    well(desk, show)
    well(desk, approve)
    assert next(reversed(desk.room.book.orders.values())).phase == "active"


PROPOSED = "reroute propose drain --provider clearkey --minutes 30 --reason announced --as duty-lin --yes"
APPROVED = "reroute approve ID --reason announced --as duty-chen --yes"
GLASS = "reroute propose drain --team north-entry --minutes 30 --reason flood --break-glass --as duty-lin --yes"
BEFORE = {
    **dict.fromkeys(("show", "history"), (PROPOSED,)),
    **dict.fromkeys(("extend", "end", "cancel"), (PROPOSED, APPROVED)),
    "review": (GLASS,),
}
"""What has happened when somebody types a page's command."""
ON_PAGES = sorted(
    {
        command
        for page in (ROOT / "docs" / "runbook").glob("*.md")
        for command in re.findall(r"`opsfloor (reroute [^`]+)`", page.read_text("utf-8"))
    }
)


@pytest.mark.parametrize("command", ON_PAGES)
def test_a_reroute_command_of_an_alerts_page_goes_as_written(
    command: str, desk: FrontDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Typed by somebody on duty, with the order that the alert is about."""
    monkeypatch.setenv("OPSFLOOR_ACTOR", "duty-chen")
    for line in (*BEFORE.get(command.split()[1], ()), command):
        well(desk, line)


def test_the_answers_are_the_same_as_documents(desk: FrontDesk) -> None:
    """`--json` on every way of looking."""
    run = CliRunner().invoke
    proposed = ["reroute", "propose", "drain", "--team", "north-entry", "--reason", "x", "--as", "duty-lin", "--json"]
    assert run(app, proposed).exit_code == 0
    name = next(iter(desk.room.book.orders))
    for words in (["list"], ["drills"], ["show", name], ["history", name], ["preview", "drain", "--centre", "north"]):
        assert run(app, ["reroute", *words, "--json"]).exit_code == 0


def test_a_refusal_tells_what_to_do(desk: FrontDesk) -> None:
    """The problem's own words, and a remedy."""
    propose = ["reroute", "propose", "drain", "--centre", "nowhere", "--reason", "x", "--as", "duty-lin", "--yes"]
    result = CliRunner().invoke(app, propose)
    assert result.exit_code == 1
    assert "nowhere" in str(result.exception)
