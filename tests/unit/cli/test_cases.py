"""`opsfloor case ID`: what is known of a case, for people."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from opsfloor import answers, cases, floor
from opsfloor.answers import Remedied

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


RECEIPT: dict[str, Any] = {
    "submission_id": "s-1",
    "branch_id": "branch-01",
    "outcome": "rejected",
    "received_at": "2026-03-02T09:00:00.123456Z",
    "case_id": None,
    "code": "image_missing",
    "detail": "Expected the image, found none: upload it; then send it under a new submission id",
    "content_sha256": "a" * 64,
    "reroute_id": None,
}
UNKNOWN = Remedied("Expected audit to know s-1, found nothing of it", "check the id", "unknown")
NO_INTAKE = Remedied("Expected a running intake service, found none", "start it")


def answering(monkeypatch: pytest.MonkeyPatch, **by_service: Any) -> None:
    """Services that answer so, or raise."""

    def ask(service: str, path: str, role: str) -> Any:
        answer = by_service[service]
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(floor, "ask", ask)


def test_a_submission_that_intake_refused_is_told_with_its_receipt(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not that it may be on its way: which code, when, and what to do."""
    answering(monkeypatch, audit=UNKNOWN, intake=RECEIPT)
    cases.case("s-1")
    told = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for words in ("refused at intake", "image_missing", "2026-03-02 09:00:00 UTC", "under a new submission id"):
        assert words in told
    cases.case("s-1", json=True)
    assert json.loads(capsys.readouterr().out) == RECEIPT


def test_a_submission_whose_case_is_on_its_way_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Accepted a moment ago: controls have not come to it."""
    accepted = {**RECEIPT, "outcome": "accepted", "case_id": "c-1", "code": None, "detail": ""}
    answering(monkeypatch, audit=UNKNOWN, intake=accepted)
    cases.case("s-1")
    told = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "accepted at intake" in told
    assert "c-1" in told
    assert "code" not in told


@pytest.mark.parametrize(
    ("audit", "intake", "what", "remedy"),
    [
        (UNKNOWN, Remedied("Expected intake to know s-1", "check", "unknown"), UNKNOWN.what, "check the id"),
        (UNKNOWN, NO_INTAKE, UNKNOWN.what, "check the id; and ask again once intake"),
        (Remedied("audit refused", "look", "dependency_away"), RECEIPT, "audit refused", "look"),
    ],
)
def test_what_nobody_knows_is_told_as_such(
    audit: Exception, intake: Any, what: str, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Intake is asked of what audit does not know, and of nothing else."""
    answering(monkeypatch, audit=audit, intake=intake)
    with pytest.raises(Remedied) as told:
        cases.case("s-1")
    assert told.value.what == what
    assert told.value.remedy.startswith(remedy)


@pytest.mark.parametrize(
    ("problem", "code", "what"),
    [
        (
            {"code": "never_opened", "detail": "Expected a case that intake opened"},
            "never_opened",
            "that intake opened",
        ),
        ({"code": "unknown_case", "detail": "Expected an id"}, "unknown", "audit to know c-9, found nothing of it"),
        (None, "unknown", "audit to know c-9, found nothing of it"),
    ],
)
def test_what_is_not_found_is_told_in_the_services_words_where_they_say_more(
    problem: dict[str, str] | None, code: str, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A case that nobody opened is not one that may be on its way."""
    answer = httpx.Response(404, text="no JSON") if problem is None else httpx.Response(404, json=problem)
    monkeypatch.undo()
    monkeypatch.setattr(floor, "bearer", lambda *_: {})
    monkeypatch.setattr(floor, "_call", lambda *_: answer)
    with pytest.raises(Remedied) as told:
        floor.ask("audit", "/cases/c-9", role="auditor")
    assert told.value.code == code
    assert what in told.value.what
