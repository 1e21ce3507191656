"""The runbook's pages in the browser."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from nicegui.elements.markdown import prepare_content

from opsfloor.console.app import MARKDOWN, RUNBOOK

PAGES = sorted(RUNBOOK.glob("*.md"))
STEP = re.compile(r"^ *(\d+\.|-) ", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_each_step_stands_on_its_own(page: Path) -> None:
    """Also where a list follows on a sentence: nobody reads steps out of one paragraph at night."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    assert prepare_content(text, " ".join(MARKDOWN)).count("<li>") == len(STEP.findall(text))
