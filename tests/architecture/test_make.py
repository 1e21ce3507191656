"""What `make check` leaves out, `make test` does."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Final

from hypothesis import settings

from tests.support.examples import USUAL, share_of

ROOT: Final = Path(__file__).parents[2]


def quick_tests(target: str) -> str:
    """The line with which a target runs the quick tests' folders."""
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    said = subprocess.run(
        ["make", "--dry-run", target], cwd=ROOT, env=outside, capture_output=True, text=True, check=True
    )
    (line,) = [line for line in said.stdout.splitlines() if "tests/unit tests/contracts tests/architecture" in line]
    return line


def test_every_commit_is_spared_the_long_tests_and_most_examples() -> None:
    """They would take it from one minute to three."""
    assert '-m "not long" --hypothesis-profile quick' in quick_tests("check")
    assert settings.get_profile("quick").max_examples == USUAL // 4


def test_the_whole_run_leaves_nothing_out() -> None:
    """No marker, no profile: every test, and every example that a law asks for."""
    line = quick_tests("test")
    assert " -m pytest" in line
    assert "long" not in line
    assert "quick" not in line
    assert settings.get_profile("opsfloor").max_examples == USUAL


def test_a_law_has_its_share_of_examples() -> None:
    """As many as the profile that is loaded has of the usual number, and one at least."""
    assert share_of(2 * USUAL) == 2 * settings().max_examples
    assert share_of(1) == 1
