"""Files that a command is to write: looked at before the work, since hours of it should not end at a mistyped folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from opsfloor.answers import Remedied

PICTURES: Final = (".svg", ".png")


def expect_writable(*files: Path | None) -> None:
    """Refuse files that could not be written; `None` is a file that nobody asked for.

    Errors:  `Remedied` naming the first of them.
    """
    for file in files:
        if file is not None:
            _expect_writable(file)


def expect_picture(file: Path | None) -> None:
    """Refuse a chart that could not be drawn or not be written."""
    if file is not None and file.suffix.lower() not in PICTURES:
        raise Remedied(f"Expected a chart as {' or '.join(PICTURES)}, found {file}", "name the file so")
    expect_writable(file)


def _expect_writable(file: Path) -> None:
    folder = file.parent
    if not folder.is_dir():
        raise Remedied(f"Expected a folder {folder} to write {file.name} into, found none", f"mkdir -p {folder}")
    if file.is_dir():
        raise Remedied(f"Expected a file to write, found the folder {file}", "name a file in it")
    if not os.access(file if file.exists() else folder, os.W_OK):
        raise Remedied(f"Expected to be allowed to write {file}, found it write-protected", "name a file elsewhere")
