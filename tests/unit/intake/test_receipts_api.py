"""What intake tells of a submission to whoever asks: the receipt that stands."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
from fastapi import FastAPI

from services.intake.api import submission_router
from services.intake.reception.state import Submission, apply
from services.intake.store import STATEMENTS
from shared.contracts.intake import RejectionCode, SubmissionAccepted, SubmissionRejected
from shared.http.problems import install_problems
from shared.runtime.reads import named_statements

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
HASH = "a" * 64


class FakeReads:
    """Submissions in memory."""

    def __init__(self, *submissions: Submission) -> None:
        self.by_id = {submission.submission_id: submission for submission in submissions}

    async def submission(self, submission_id: str) -> Submission | None:
        return self.by_id.get(submission_id)


def rejected(code: RejectionCode) -> SubmissionRejected:
    return SubmissionRejected(
        submission_id="s-1",
        branch_id="branch-01",
        content_sha256=HASH,
        code=code,
        detail="Expected an image",
        received_at=AT,
    )


ACCEPTED = SubmissionAccepted(
    submission_id="s-1", branch_id="branch-01", case_id="c-1", content_sha256=HASH, received_at=AT
)


async def ask(path: str, *submissions: Submission) -> httpx.Response:
    app = FastAPI()
    install_problems(app)
    app.include_router(submission_router(FakeReads(*submissions)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://intake") as client:
        return await client.get(path)


async def test_a_refusal_is_told_with_its_code_and_its_words() -> None:
    """Whoever asks is told what the branch was told."""
    answer = await ask("/submissions/s-1", apply(Submission("s-1"), rejected("image_missing")))
    assert answer.json() == {
        "submission_id": "s-1",
        "branch_id": "branch-01",
        "outcome": "rejected",
        "received_at": "2026-03-02T09:00:00Z",
        "case_id": None,
        "code": "image_missing",
        "detail": "Expected an image",
        "content_sha256": HASH,
        "reroute_id": None,
    }


async def test_an_accepted_one_names_its_case_whatever_came_later_under_its_id() -> None:
    """A conflict changes nothing, and is not kept."""
    kept = apply(apply(Submission("s-1"), ACCEPTED), rejected("conflict"))
    body = (await ask("/submissions/s-1", kept)).json()
    assert (body["outcome"], body["case_id"], body["code"]) == ("accepted", "c-1", None)


async def test_what_nobody_vouched_for_is_not_found() -> None:
    """An id that only a stranger's copy named is as free as one that nobody named."""
    for submissions in ((), (apply(Submission("s-1"), rejected("bad_signature")),)):
        answer = await ask("/submissions/s-1", *submissions)
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_submission")
        assert "Expected" in answer.json()["detail"]


def test_the_statements_are_named() -> None:
    """Every statement that the reads use stands in the file."""
    assert set(named_statements(STATEMENTS.read_text())) == {"submission"}
