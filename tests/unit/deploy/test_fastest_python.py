"""Which Python an environment is made with: the first on PATH unless another of its version is clearly faster."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from deploy import fastest_python
from deploy.fastest_python import fastest, on_path, seconds

FIRST = "first"


def put(folder: Path, name: str, says: str) -> str:
    """A Python that says so much time has gone by, or ends otherwise."""
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_text(f"#!/bin/sh\n{says}\n")
    file.chmod(0o755)
    return str(file)


@pytest.mark.parametrize(
    ("mine", "its", "taken"),
    [
        pytest.param("echo 0.30 /a", "echo 0.20 /b", "other", id="clearly faster"),
        pytest.param("echo 0.30 /a", "echo 0.28 /b", FIRST, id="hardly faster"),
        pytest.param("echo 0.30 /a", "exit 1", FIRST, id="cannot make environments, or another version"),
        pytest.param("echo 0.30 /a", "echo 0.20 /a", FIRST, id="another name of the first"),
        pytest.param("exit 1", "echo 0.20 /b", FIRST, id="the first stays when it says nothing"),
    ],
)
def test_the_first_stays_unless_another_is_clearly_faster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mine: str, its: str, taken: str
) -> None:
    """What a busy machine makes of two alike is no reason."""
    first, other = put(tmp_path / "a", "python3", mine), put(tmp_path / "b", "python3", its)
    monkeypatch.setenv("PATH", f"{tmp_path / 'a'}:{tmp_path / 'b'}:{tmp_path / 'none'}")
    assert list(on_path(first)) == [first, first, other]
    assert fastest(first) == {FIRST: first, "other": other}[taken]


def test_a_real_python_says_how_long_it_takes_and_one_of_another_version_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The loop runs on what is there."""
    found = seconds(sys.executable)
    assert found is not None
    assert found[0] > 0
    assert found[1] == sys.base_prefix
    monkeypatch.setattr(fastest_python, "LOOP", fastest_python.LOOP.replace("{minor}", "99"))
    assert seconds(sys.executable) is None
