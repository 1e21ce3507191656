"""Every command of the runbook is run against the control room's face, with the example bank behind it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from opsfloor.cli import app
from tests.unit.emergency.front_desk import FrontDesk

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
        last = next(reversed(desk.room.book.orders), "ID")
        words = [last if word == "ID" else word for word in shlex.split(line)]
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, f"{line}\n{result.output}\n{result.exception!r}"


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
        last = next(reversed(desk.room.book.orders), "ID")
        result = CliRunner().invoke(app, [last if word == "ID" else word for word in shlex.split(line)])
        assert result.exit_code == 0, f"{line}\n{result.output}\n{result.exception!r}"


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
