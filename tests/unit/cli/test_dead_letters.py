"""Parked records: shown as text where they are text, and sent again as they were, but from outside."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from opsfloor import answers, dead_letters
from opsfloor.answers import Remedied
from opsfloor.dead_letters import again, home, one, raw_key_and_value, readable
from services.intake.submit import build_submission
from shared.contracts import core
from shared.contracts.ops import RecordParked, RecordRedriven
from shared.runtime.engine import Engine, Limits, Tally
from shared.runtime.log import Outgoing, partition_of
from shared.runtime.memory_log import MemoryLog
from shared.runtime.outbox import rows_of, runs_of
from shared.runtime.shard import Shard
from shared.runtime.store import Batch, Claim
from tests.unit.runtime.test_runner import PROCESSOR

BODY = b'{"kind":"branch.submitted.v1"'


def text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


PARKED = RecordParked(
    parked_id="p-1",
    processor="intake/reception",
    origin_topic="branch.submission.v1",
    origin_partition=3,
    origin_offset=17,
    raw_key=text(b"s-1"),
    raw_value=text(BODY),
    raw_headers=(
        ("ce_type", text(b"branch.submitted.v1")),
        ("ce_id", text(b"e-1")),
        ("ce_source", text(b"/branch/branch-01")),
        ("sequence", text(b"00000000000000000042")),
        ("correlationid", text(b"s-1")),
    ),
    reason="Expected a JSON document, found its first half",
    at=datetime(2026, 3, 2, 9, tzinfo=UTC),
)


def test_a_record_is_sent_again_as_it_was_but_from_outside() -> None:
    """Key, body and headers are its own; without its place on a lane no reader takes it for a gap or a duplicate."""
    sent = again(PARKED)
    headers = dict(sent.headers)
    assert (sent.key, sent.value) == (b"s-1", BODY)
    assert headers["ce_type"] == b"branch.submitted.v1"
    assert headers["correlationid"] == b"s-1"
    assert "sequence" not in headers
    assert headers["ce_source"] == b"/opsfloor/redrive"
    assert len(headers) == len(sent.headers)


async def test_a_tombstone_and_a_record_without_a_key_are_sent_again_as_such() -> None:
    """What a reader parks and somebody sends again is what was written: none is another than an empty one."""
    for key, value in ((None, None), (b"", b""), (b"k", None), (None, b"{")):
        log = MemoryLog(1, [core.POSTING.name, core.POSTING.dead_letters])
        log.append((core.POSTING.name, 0), Outgoing(key, value, (), 0))
        engine, batch = Engine(PROCESSOR, 1, Limits()), Batch()
        engine.shards = {0: Shard(0, Claim(1, {}, {}, {}, (), ()))}
        engine.take(engine.read(log.records[(core.POSTING.name, 0)]), batch, Tally(), PARKED.at)
        (row,) = rows_of(*runs_of(batch.outbox))
        parked = RecordParked.model_validate_json(row.record.value or b"")
        assert again(parked)[:2] == (key, value)


def test_a_record_parked_by_an_earlier_release_is_sent_again() -> None:
    """It does not say whether it had a key: it had what it tells."""
    assert raw_key_and_value(PARKED) == (b"s-1", BODY)


def test_the_same_record_sent_twice_carries_the_same_identity() -> None:
    """Whoever redrives again, in doubt, sends the same event."""
    assert dict(again(PARKED).headers)["ce_id"] == dict(again(PARKED).headers)["ce_id"] == b"redrive/p-1"


def test_what_strayed_is_sent_home_and_anything_else_where_it_was_read() -> None:
    """A submission on another partition than its id's was parked for that alone; of half a record nobody knows the key."""
    assert home(PARKED, 8) == 3
    sent = build_submission(
        submission_id="s-1",
        branch_id="branch-01",
        business_type="cheque-deposit",
        images=(),
        key=Ed25519PrivateKey.generate(),
        captured_at=PARKED.at,
    )
    kind = (("ce_type", text(sent.kind.encode())),)
    strayed = PARKED.model_copy(update={"raw_value": text(sent.model_dump_json().encode()), "raw_headers": kind})
    assert [home(strayed, count) for count in (8, 96)] == [partition_of(b"s-1", count) for count in (8, 96)]
    assert partition_of(b"s-1", 8) != 3


@pytest.mark.parametrize(
    ("raw", "shown"),
    [(b"", ""), ("Ünïcode".encode(), "Ünïcode"), (b"\xff\xfe\x00", "3 bytes: fffe00")],
)
def test_bytes_are_shown_as_text_where_they_are_text(raw: bytes, shown: str) -> None:
    """A reader of the list needs to see what was sent."""
    assert readable(text(raw)) == shown


def test_an_unknown_record_is_refused_with_where_to_look() -> None:
    """Nothing is sent for an id that nobody parked."""
    assert one({"p-1": PARKED}, "p-1") is PARKED
    with pytest.raises(Remedied, match="p-2") as refused:
        one({"p-1": PARKED}, "p-2")
    assert "dlq list" in refused.value.remedy


def test_the_list_fits_a_terminal_and_its_ids_are_taken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each id stands on one line, short and enough to show and redrive the record; whoever needs all of it takes JSON."""
    ids = ("59cd16b5-04ec-5666-9fe6-000000000001", "59cd16b5-1111-5666-9fe6-000000000002")
    parked = {one: PARKED.model_copy(update={"parked_id": one}) for one in ids}
    redriven = {
        ids[1]: [RecordRedriven(parked_id=ids[1], origin_topic="t", actor="ann", reason="mended", at=PARKED.at)]
    }

    async def read(topic: str | None) -> object:
        return parked, redriven

    monkeypatch.setattr(dead_letters, "_read", read)
    monkeypatch.setattr(answers.out, "width", 80)
    dead_letters.list_parked()
    told = capsys.readouterr().out
    assert max(map(len, told.splitlines())) <= 80
    assert len(told.splitlines()) < 14
    for shown, whole in (("59cd16b5-0", ids[0]), ("59cd16b5-1", ids[1])):
        assert shown in told.split()
        assert one(parked, shown).parked_id == whole
    assert "sent again by ann" in told
    with pytest.raises(Remedied, match="found 2"):
        one(parked, "59cd16b5")
    with pytest.raises(Remedied, match="found none"):
        one(parked, "59")


@pytest.mark.parametrize(
    ("actor", "reason"), [("", "mended"), ("ann", " "), ("a" * 129, "mended"), ("a\x1b", "mended")]
)
def test_nobody_sends_again_without_a_name_and_a_reason(actor: str, reason: str) -> None:
    """It is told before anything is read or sent."""
    with pytest.raises(Remedied, match="who sends them again"):
        dead_letters.redrive(["p-1"], actor, reason, yes=True)


def test_a_record_that_was_sent_again_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever looks at it learns who has tried, when and why."""
    again_by = RecordRedriven(parked_id="p-1", origin_topic="t", actor="ann", reason="mended", at=PARKED.at)

    async def read(topic: str | None) -> object:
        return {"p-1": PARKED}, {"p-1": [again_by]}

    monkeypatch.setattr(dead_letters, "_read", read)
    dead_letters.show("p-1", json=True)
    assert json.loads(capsys.readouterr().out)["redriven"] == ["ann, 2026-03-02 09:00: mended"]


@pytest.mark.parametrize("topic", ["nope", "branch.submission.v1.dlq"])
def test_a_topic_that_is_none_is_not_called_empty(topic: str) -> None:
    """Whoever mistypes it, or names the dead letters themselves, is told a topic; nothing is read."""
    with pytest.raises(Remedied, match="Expected a topic of the floor") as refused:
        dead_letters.list_parked(topic=topic)
    assert "branch.submission.v1" in refused.value.remedy
