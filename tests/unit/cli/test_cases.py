"""`opsfloor case ID`: what is known of a case, for people."""

from __future__ import annotations

import json
from typing import Any

import pytest

from opsfloor import answers, cases, floor

ANSWER: dict[str, Any] = {
    "case_id": "c-1",
    "phase": "review",
    "received_at": "2026-03-02T09:00:00.123456Z",
    "due_at": "2026-03-02T09:20:00.123456+00:00",
    "ended_at": None,
    "on_time": True,
    "reason": None,
    "values": {},
    "open_items": [],
    "timeline": [{"at": "2026-03-02T09:00:00Z", "sentence": "Controls took the case up"}],
}


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(service: str, path: str, role: str) -> dict[str, Any]:
        return ANSWER

    monkeypatch.setattr(floor, "ask", ask)
    monkeypatch.setattr(answers.out, "width", 80)


def test_what_is_not_known_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    """No programmer's words, instants to the second, and each line fits a terminal."""
    cases.case("c-1")
    told = capsys.readouterr().out
    assert "None" not in told
    assert "ended at" not in told
    assert "2026-03-02 09:00:00 UTC" in told
    assert "123456" not in told
    assert "yes" in told
    assert max(map(len, told.splitlines())) <= 80


def test_json_has_everything(capsys: pytest.CaptureFixture[str]) -> None:
    """A program gets the service's own answer."""
    cases.case("c-1", json=True)
    assert json.loads(capsys.readouterr().out) == ANSWER
