"""Addresses that can be none are told by every command before it begins, with what to set instead."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from opsfloor import floor
from opsfloor.answers import Remedied
from opsfloor.cli import main
from shared.runtime.database_url import checked

KAFKA, DATABASE = "OPSFLOOR_KAFKA", "OPSFLOOR_DATABASE_URL"
COMMANDS = (("status",), ("case", "c-1"), ("run", "intake"), ("stack", "up"), ("dlq", "list"), ("token", "lin"))
NONSENSE = (
    (KAFKA, "abc"),
    (KAFKA, "host:port"),
    (KAFKA, ":9092"),
    (KAFKA, "host:99999"),
    (KAFKA, "a:9092,,b:9092"),
    (KAFKA, ""),
    (KAFKA, "a b:9092"),
    (KAFKA, "http://a:9092"),
    (DATABASE, "abc"),
    (DATABASE, ""),
    (DATABASE, "postgresql:/d"),
    (DATABASE, "mysql://u@h/d"),
    (DATABASE, "postgresql://u@h:port/d"),
    (DATABASE, "postgresql://u@h:99999/d"),
    (DATABASE, "postgresql://u@h:1,h h/d"),
    (DATABASE, "postgresql://[::1/d"),
    (DATABASE, "postgresql://u@h/d/e"),
)


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Both addresses can be ones, and nothing runs."""
    monkeypatch.setenv("OPSFLOOR_HOME", str(tmp_path))
    monkeypatch.setenv(KAFKA, "127.0.0.1:1")
    monkeypatch.setenv(DATABASE, "postgresql://nobody@127.0.0.1:1/none")


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int | str | None:
    """The exit status of a command."""
    monkeypatch.setattr(sys, "argv", ["opsfloor", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


def refused(capsys: pytest.CaptureFixture[str], name: str) -> bool:
    """Whether the command named the variable as what is wrong, and said what to set it to."""
    told = " ".join(capsys.readouterr().err.split())
    return f"address in {name}: Expected" in told and "Remedy: set it to" in told and "Traceback" not in told


@pytest.mark.parametrize(("name", "value"), NONSENSE)
def test_what_can_be_no_address_is_told(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Though nothing runs and the command would not have looked at it."""
    monkeypatch.setenv(name, value)
    assert run(monkeypatch, "status") == 1
    assert refused(capsys, name)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("name", [KAFKA, DATABASE])
def test_every_command_tells_it(
    words: tuple[str, ...], name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """At once, in the same words."""
    monkeypatch.setenv(name, "nonsense")
    assert run(monkeypatch, *words) == 1
    assert refused(capsys, name)


def test_help_is_given_whatever_is_set(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Who does not know how to set it reads on."""
    monkeypatch.setenv(KAFKA, "nonsense")
    assert run(monkeypatch, "stack", "up", "--help") == 0
    assert "Usage" in capsys.readouterr().out


def test_a_file_that_is_away_is_told_by_who_needs_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The address itself is one, so that commands which do not go there do their work."""
    monkeypatch.setenv(KAFKA, f"kafka+ssl://a:9093?ca={tmp_path / 'none.pem'}")
    assert run(monkeypatch, "token", "lin", "--role", "on_call") == 0
    with pytest.raises(Remedied, match=r"none\.pem"):
        floor.settings()


def test_a_password_is_not_shown() -> None:
    """What is told ends in a terminal's scrollback and in a service's log."""
    with pytest.raises(ValueError, match="'…@h/d'"):
        checked("mysql://u:secret@h/d")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p@h/d",
        "postgres://h:5432/d?sslmode=require",
        "postgresql://u:p%40@[::1]:5432,b.example:1/d",
        "postgresql:///d?host=/tmp",
        "postgresql://u@%2Ftmp%2Fsockets/d",
        "postgresql://h",
    ],
)
def test_what_can_be_an_address_is_taken(url: str) -> None:
    """In each form that a client of the database reads."""
    assert checked(url) == url
