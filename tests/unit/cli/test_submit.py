"""`opsfloor submit` tells what the bank made of the submission, not only that it was sent."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from opsfloor.answers import Remedied, an_instant
from opsfloor.submit import AHEAD_MAX, _captured, _money, _tell, receipt_in
from services.intake.submit import build_submission
from shared.contracts.branch import SubmissionSent
from shared.contracts.intake import RECEIPT, SubmissionAccepted, SubmissionRejected
from shared.contracts.message import Message, Money
from shared.runtime.headers import outside_headers
from shared.runtime.log import Record

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


def sent(amount: int = 0) -> SubmissionSent:
    key = Ed25519PrivateKey.from_private_bytes(bytes(32))
    at = NOW.replace(second=amount)
    return build_submission(
        submission_id="s-1", branch_id="branch-01", business_type="none", images=(), key=key, captured_at=at
    )


def accepted(submission: SubmissionSent) -> SubmissionAccepted:
    return SubmissionAccepted(
        submission_id=submission.submission_id,
        branch_id="branch-01",
        case_id="c-1",
        content_sha256=submission.content_sha256,
        received_at=NOW,
    )


def rejected(submission: SubmissionSent) -> SubmissionRejected:
    return SubmissionRejected(
        submission_id=submission.submission_id,
        branch_id="branch-01",
        content_sha256=submission.content_sha256,
        code="unknown_business_type",
        detail="Expected one of cheque-deposit, found 'none': name one of them",
        received_at=NOW,
    )


def record(message: Message) -> Record:
    headers = outside_headers(message, "/opsfloor/intake/reception/0", "e", NOW)
    return Record(RECEIPT.name, 0, 0, b"branch-01", message.model_dump_json().encode(), headers, 0)


def test_a_receipt_is_found_by_id_and_content() -> None:
    """The receipt of an earlier document under the same id is not this one's: this one is a conflict."""
    first, second = sent(1), sent(2)
    assert receipt_in(record(accepted(first)), first) == accepted(first)
    assert receipt_in(record(accepted(first)), second) is None
    assert receipt_in(record(rejected(second)), second) == rejected(second)
    other = first.model_copy(update={"submission_id": "s-2"})
    assert receipt_in(record(accepted(other)), first) is None
    assert receipt_in(Record(RECEIPT.name, 0, 0, b"b", b"s-1 but no receipt", (), 0), first) is None


def test_the_refusal_of_a_strangers_copy_is_not_this_ones() -> None:
    """Same id, same content, another signature: only the refusal of what was itself sent is one's own."""
    mine = sent()
    forged = mine.model_copy(update={"signature": "AAAA"})
    refusal = rejected(forged).model_copy(update={"code": "bad_signature", "signature_sha256": forged.signature_sha256})
    assert receipt_in(record(refusal), mine) is None
    assert receipt_in(record(refusal), forged) == refusal


def test_a_refusal_is_told_with_the_banks_own_words(capsys: pytest.CaptureFixture[str]) -> None:
    """Code and detail on standard error; no case to follow."""
    _tell("s-1", rejected(sent()), False)
    told = capsys.readouterr()
    words = " ".join(told.err.split())
    assert "unknown_business_type" in words
    assert "Expected one of cheque-deposit" in words
    assert told.out == ""


def test_the_receipt_is_in_the_json(capsys: pytest.CaptureFixture[str]) -> None:
    """A program reads the code; a refused submission has no case."""
    _tell("s-1", rejected(sent()), True)
    refused = json.loads(capsys.readouterr().out)
    _tell("s-1", accepted(sent()), True)
    taken = json.loads(capsys.readouterr().out)
    assert (refused["case_id"], refused["receipt"]["code"]) == (None, "unknown_business_type")
    assert (taken["case_id"], taken["receipt"]["kind"]) == ("c-1", "intake.submission-accepted.v1")


def test_what_is_sent_again_names_when_it_was_scanned() -> None:
    """With the same instant it is the same content, whatever the clock says now; an instant without its zone is refused."""
    assert an_instant("2026-03-02T09:30:00+08:00", "--captured-at") == datetime(2026, 3, 2, 1, 30, tzinfo=UTC)
    for text in ("yesterday", "2026-03-02T09:30:00"):
        with pytest.raises(Remedied, match="Expected --captured-at"):
            an_instant(text, "--captured-at")


def test_nothing_is_scanned_later_than_now() -> None:
    """But for a few minutes, by which clocks differ."""
    assert _captured(None, NOW) == NOW
    assert _captured((NOW + AHEAD_MAX).isoformat(), NOW) == NOW + AHEAD_MAX
    with pytest.raises(Remedied, match="Expected --captured-at to have come"):
        _captured((NOW + AHEAD_MAX + timedelta(seconds=1)).isoformat(), NOW)


def test_a_currency_is_looked_at_though_no_amount_is_declared() -> None:
    """Whoever mistypes it has mistyped the amount's option too, or meant one."""
    assert _money(None, "CNY") is None
    assert _money(5, "CNY") == Money(amount_minor=5, currency="CNY")
    for amount in (None, 5):
        with pytest.raises(Remedied, match="Expected a currency"):
            _money(amount, "usd")
