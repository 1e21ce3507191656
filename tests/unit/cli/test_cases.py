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


def test_a_cases_items_are_told_by_id(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """`opsfloor item` and `opsfloor why` want them whole; what the case still waits for is marked."""
    asked = [
        {
            "at": "2026-03-02T09:00:00Z",
            "sentence": "asked",
            "body": {"order": {"work_item_id": one, "role": role, "field": field}},
        }
        for one, role, field in (("w-1", "entry-1", "amount"), ("w-2", "review", None))
    ]
    answer = {**ANSWER, "timeline": [*ANSWER["timeline"], *asked], "open_items": [{"work_item_id": "w-2"}]}
    monkeypatch.setattr(floor, "ask", lambda *_, **__: answer)
    cases.case("c-1")
    told = [[cell.strip() for cell in line.split("│")[1:-1]] for line in capsys.readouterr().out.splitlines()]
    assert ["w-1", "entry-1 of amount", ""] in told
    assert ["w-2", "review", "open"] in told


def test_an_item_is_told_for_people(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """No programmer's words, instants to the second, nothing of what is not there."""
    answer = {"work_item_id": "w-1", "team_id": None, "due_at": "2026-03-02T09:20:00.123456Z", "late": False}
    monkeypatch.setattr(floor, "ask", lambda *_, **__: answer)
    cases.item("w-1")
    told = capsys.readouterr().out
    assert "2026-03-02 09:20:00 UTC" in told
    assert "work item id" in told
    assert "None" not in told
    assert "team" not in told


def test_json_has_everything(capsys: pytest.CaptureFixture[str]) -> None:
    """A program gets the service's own answer."""
    cases.case("c-1", json=True)
    assert json.loads(capsys.readouterr().out) == ANSWER
