"""Each alert, its rules, its page and what stands behind them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperArgument

from deploy.prometheus.alerts import ALERTS, BURNS
from deploy.prometheus.instruments import ROOT, instruments
from deploy.prometheus.rules import main, recordings
from opsfloor.cli import app
from tests.support.command_line import under

RUNBOOK = ROOT / "docs" / "runbook"
NAMES = sorted({alert.name for alert in ALERTS})


def test_the_rule_files_are_current(tmp_path: Path) -> None:
    """What is committed is what the tables say; a file that is not is refused, with the remedy."""
    assert main(["check"]) == 0, "Remedy: python -m deploy.prometheus.rules write"
    assert main(["check"], tmp_path) == 1
    assert main(["write"], tmp_path) == 0
    assert main(["check"], tmp_path) == 0


def test_the_burn_rates_are_the_workbooks() -> None:
    """14.4 over an hour and five minutes, 6 over six hours and thirty minutes, 1 over three days and six hours."""
    assert [(b.factor, b.long, b.short) for b in BURNS] == [(14.4, "1h", "5m"), (6.0, "6h", "30m"), (1.0, "3d", "6h")]


def test_rules_name_only_what_exists() -> None:
    """Every metric in a rule is an instrument, a histogram's series, a recording rule or Prometheus's own `up`."""
    text = "\n".join([*recordings().values(), *(alert.expr for alert in ALERTS)])
    assert not sorted(set(re.findall(r"[a-z_:]*opsfloor_[a-z_:0-9]+[a-z0-9]", text)) - known_names())


def known_names() -> set[str]:
    """All names that a query may use."""
    names = set(recordings())
    for each in instruments():
        names |= (
            {each.name} if each.form != "histogram" else {f"{each.name}_{part}" for part in ("bucket", "sum", "count")}
        )
    return names


@pytest.mark.parametrize("name", NAMES)
def test_every_alert_has_its_page(name: str) -> None:
    """A page says what it means for the bank, how to confirm it, what to do, and when to wake whom."""
    text = (RUNBOOK / f"{name}.md").read_text()
    assert text.startswith(f"# {name}\n")
    for heading in ("## What it means for the bank", "## Confirm", "## Do", "## Wake"):
        assert heading in text, f"Expected «{heading}» in {name}.md"


def test_every_page_has_its_alert() -> None:
    """No page is left of an alert that is gone."""
    assert sorted(page.stem for page in RUNBOOK.glob("[A-Z]*.md") if page.stem != "README") == NAMES


PAGES = (*sorted(RUNBOOK.glob("*.md")), *(ROOT / "docs").glob("*.md"), ROOT / "README.md")


def _commands() -> Iterator[tuple[str, str]]:
    """A page's commands between backticks, and those in blocks of every document; from `|`, `;`, `#` on it is the shell's."""
    for page in PAGES:
        text = page.read_text()
        blocks = "\n".join(re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
        inline = re.findall(r"`((?:opsfloor|make) [^`]+)`", text) if page.parent == RUNBOOK else []
        for command in (*inline, *re.findall(r"^(?:\$ |\.venv/bin/)?((?:opsfloor|make) .+)$", blocks, re.MULTILINE)):
            yield page.stem, re.split(r" [|>#&]|;", command)[0].strip()


@pytest.mark.parametrize(("page", "command"), sorted(set(_commands())))
def test_every_command_of_a_page_exists(page: str, command: str) -> None:
    """Somebody woken at night types what stands there: command, subcommand, options and make's targets are real."""
    first, *words = command.split()
    if first == "make":
        assert re.search(rf"^{re.escape(words[0])}:", (ROOT / "Makefile").read_text(), re.MULTILINE), command
    else:
        _check(_opsfloor(), words, command)


@cache
def _opsfloor() -> Any:
    return typer.main.get_command(app)


def _check(found: Any, words: Sequence[str], command: str) -> None:
    rest = list(words)
    while (known := under(found)) is not None:
        if rest == ["--help"]:
            return
        assert rest, f"Expected a subcommand in `{command}`"
        assert rest[0] in known, f"Expected `{command}` to exist, there is no {rest[0]}"
        found = known[rest.pop(0)]
    options = {name for parameter in found.params for name in parameter.opts} | {"--help"}
    used = {word.split("=")[0] for word in rest if word.startswith("--")}
    passed_on = found.context_settings.get("ignore_unknown_options", False)  # to a tool of somebody else's
    assert passed_on or used <= options, f"Expected options of `{command}` among {sorted(options)}"
    if "--help" not in used:
        needed = [each for each in found.params if isinstance(each, TyperArgument) and each.required]
        assert len([word for word in rest if not word.startswith("--")]) >= len(needed), command


def test_inhibitions_name_alerts_that_exist() -> None:
    """A renamed alert does not silently stop to silence others."""
    text = (ROOT / "deploy" / "prometheus" / "alertmanager.yaml").read_text()
    named = {name for found in re.findall(r'alertname=~?"([^"]+)"', text) for name in found.split("|")}
    assert named
    assert named <= set(NAMES)
