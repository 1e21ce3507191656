"""A replay that cannot go on says so, and an earlier one that was killed leaves nobody who would be given its work."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer

from opsfloor import floor
from opsfloor.answers import Remedied
from opsfloor.event_log import Activity
from opsfloor.replay import replay as replay_log
from opsfloor.replaying import Replay, left_over, reference_of
from shared.contracts.audit import PostingRequested
from shared.contracts.core import PostingConfirmed
from shared.contracts.intake import SubmissionRejected
from shared.contracts.reference import Operator, ReferenceEntry
from shared.reference.board import ReferenceView
from shared.runtime.patience import within

NOW = datetime(2023, 2, 6, 9, tzinfo=UTC)


@pytest.fixture(autouse=True)
def addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A floor that nobody asks anything of."""
    monkeypatch.setenv("OPSFLOOR_KAFKA", "127.0.0.1:1")
    monkeypatch.setenv("OPSFLOOR_DATABASE_URL", "postgresql://127.0.0.1:1/none")


def activity(line: int, role: str) -> Activity:
    """One that takes a minute."""
    return Activity(line, f"case-{line}", "check", "ann", role, NOW, NOW, NOW + timedelta(minutes=1))


def replay() -> Replay:
    """Of one case."""
    return Replay({"case-1": [activity(1, "clerk")]}, 60.0, lambda done: None)


def published(*entries: ReferenceEntry) -> ReferenceView:
    """What stands on the bus."""
    view = ReferenceView()
    for entry in entries:
        view.fold(entry.key, entry)
    return view


def test_people_of_an_earlier_replay_are_taken_off_the_floor() -> None:
    """Those that play now, and the bank's own, stay."""
    before, now = reference_of({"c": [activity(1, "boss")]}), reference_of({"c": [activity(1, "clerk")]})
    own = Operator(id="ann", name="Ann", team_id="north", work_types=())
    keys = {entry.key for entry in now}
    gone = {entry.key for entry in before if isinstance(entry, Operator)}
    assert set(left_over(published(*before, *now, own), keys)) == gone
    assert len(gone) == 1


async def test_a_replay_that_stands_still_ends_and_says_where() -> None:
    """Something was handed in, nobody is at work, and nothing comes of it."""
    still = replay()
    still._done[1] = asyncio.Event()
    still._handed_in[1] = 0.0
    with pytest.raises(Remedied, match="1 activities handed in and nothing given out"):
        await within(10, still._go_on(0.05))


@pytest.mark.parametrize("why", ["somebody is at work", "it has ended", "something was heard"])
async def test_a_replay_that_goes_on_is_left_alone(why: str) -> None:
    """A long activity, a pause in the log, a busy floor."""
    going = replay()
    going._done[1] = asyncio.Event()
    going._handed_in[1] = 0.0
    going._at_work = int(why == "somebody is at work")
    if why == "it has ended":
        going._done[1].set()
    watching = asyncio.create_task(going._go_on(0.2))
    for _ in range(20):
        if why == "something was heard":
            going._moved = asyncio.get_running_loop().time()
        await asyncio.sleep(0.03)
    assert not watching.done()
    watching.cancel()


def test_a_replay_that_is_broken_off_says_what_it_leaves_and_how_that_ends(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Ctrl-C: how many are open, as which case, and the command that plays it again; a shell's exit status of it."""
    log = tmp_path / "log.csv"
    log.write_text(
        "case_id,activity,resource,start_time,end_time\n"
        "c-1,check,ann,2023-02-06T09:00:00,2023-02-06T09:01:00\n"
        "c-2,check,ann,2023-02-06T09:02:00,2023-02-06T09:03:00\n"
    )
    left: list[str] = []

    async def broken_off(playing: Replay) -> None:
        for line in (2, 3):
            playing._done[line], playing._handed_in[line] = asyncio.Event(), 0.0
        playing._done[2].set()
        left.append(playing.case_of(3))
        raise KeyboardInterrupt

    monkeypatch.setattr(Replay, "play", broken_off)
    monkeypatch.setattr(floor, "running", lambda service: ["one"])
    monkeypatch.setattr(sys, "argv", ["opsfloor", "replay", "my log.csv", "--speed", "60"])
    with pytest.raises(typer.Exit) as stopped:
        replay_log(log, speed=60.0)
    assert stopped.value.exit_code == 130
    told = " ".join(capsys.readouterr().err.split())
    assert "1 of its submissions are open" in told
    assert left[0] in told
    assert "opsfloor replay 'my log.csv' --speed 60" in told


async def test_what_an_earlier_replay_left_unconfirmed_is_confirmed_once() -> None:
    """Its people do what is left of it, and nobody else stands in for its core bank; the bank's own postings are not touched."""
    told: list[str] = []

    async def publish(message: object, event_id: str) -> None:
        assert isinstance(message, PostingConfirmed)
        told.append(message.posting_id)

    playing = replay()
    for posting, business_type in (("p-1", "log-check"), ("p-2", "log-check"), ("p-3", "corporate-transfer")):
        await playing._hear(requested(posting, business_type), publish)
    await playing._hear(PostingConfirmed(posting_id="p-2", case_id="c", core_reference="r", booked_at=NOW), publish)
    assert told == []
    await playing._confirm_owed(publish)
    await playing._confirm_owed(publish)
    assert told == ["p-1"]


def requested(posting_id: str, business_type: str) -> PostingRequested:
    return PostingRequested(
        posting_id=posting_id,
        case_id="c",
        business_type=business_type,
        branch_id="log-branch",
        amount=None,
        fields={},
        requested_at=NOW,
    )


async def test_a_refused_document_ends_the_replay() -> None:
    """It would be waited for, for ever; another sender's refusal is none of its business."""
    playing = replay()

    async def publish(message: object, event_id: str) -> None:
        raise AssertionError("Expected nothing published")

    def refused(submission_id: str) -> SubmissionRejected:
        return SubmissionRejected(
            submission_id=submission_id,
            branch_id="log-branch",
            content_sha256="0" * 64,
            code="unknown_business_type",
            detail="Expected one of none",
            received_at=NOW,
        )

    await playing._hear(refused("s-1"), publish)
    await playing._hear(PostingConfirmed(posting_id="p", case_id="c", core_reference="r", booked_at=NOW), publish)
    with pytest.raises(Remedied, match="unknown_business_type: Expected one of none"):
        await playing._hear(refused(playing._submission_id(1)), publish)
