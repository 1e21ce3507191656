"""What `make demo` leaves behind, and what it says to the shell."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from deploy.demo.__main__ import BROKEN, _fresh_folder, _tell
from tests.unit.demo.test_summary import SEEN, summary_of


def day_folder(parent: Path) -> Path:
    """A day's folder with the data of broker and database."""
    folder = _fresh_folder(parent)
    (folder / "kafka").mkdir()
    (folder / "postgres").mkdir()
    return folder


def test_every_day_has_a_folder_of_its_own(tmp_path: Path) -> None:
    """Folders are counted up; what else lies there does not disturb."""
    (tmp_path / "notes").mkdir()
    assert [_fresh_folder(tmp_path).name for _ in range(3)] == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("sent", "keep", "status", "stays"),
    [(3, False, 0, False), (3, True, 0, True), (4, False, BROKEN, True)],
    ids=["kept", "kept and asked to stay", "broken"],
)
def test_the_data_goes_only_after_a_day_that_was_kept(
    tmp_path: Path, sent: int, keep: bool, status: int, stays: bool
) -> None:
    """A broken promise gives a non-zero status and leaves everything to look at; a kept one tidies up."""
    folder = day_folder(tmp_path)
    summary = summary_of(replace(SEEN, sent=sent))
    out = io.StringIO()
    assert _tell(summary, Console(file=out), folder / "summary.json", folder, keep=keep) == status
    assert (folder / "summary.json").exists()
    assert (folder / "kafka").exists() is (folder / "postgres").exists() is stays
    assert ("OPSFLOOR_HOME" in out.getvalue()) is keep
