"""Branches hand in what they scanned, mostly well, and read what the bank says of it."""

from __future__ import annotations

import random
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature

from deploy.demo.arrivals import Arrival
from deploy.demo.branches import Branches, Habit, habit_of
from deploy.demo.truth import Truth
from shared.contracts.branch import SubmissionSent
from shared.contracts.message import base64_bytes
from shared.contracts.reference import FloorLimits
from shared.images import ImageFacts, ImageFault, ImageStore, inspect
from shared.reference.keys import make_branch_key
from shared.runtime.clock import ScaledClock
from tests.unit.demo.bank import NOON, Notebook, accepted, case_of, rejected, templates

SEED = 3


def branches(folder: Path, notebook: Notebook) -> Branches:
    """The demo's branches, with a folder of their own."""
    return Branches(
        templates(),
        ImageStore.in_folder(folder / "images"),
        folder / "keys",
        ScaledClock(NOON, time.time(), 1.0),
        notebook.publish,
        Truth(),
        SEED,
    )


def an_id_with(habit: Habit) -> str:
    """A submission id under which this seed's branches behave so."""
    ids = (f"branch-01-{number:06d}" for number in range(100_000))
    return next(one for one in ids if habit_of(random.Random(f"{SEED}/{one}")) is habit)


async def hand_in(folder: Path, habit: Habit) -> tuple[Branches, list[SubmissionSent], str]:
    """Hand in one document in that way."""
    notebook, submission_id = Notebook(), an_id_with(habit)
    world = branches(folder, notebook)
    await world.hand_in(Arrival(NOON, "branch-01", "corporate-transfer", False, 1), submission_id)
    sent = [message for message, _ in notebook.published if isinstance(message, SubmissionSent)]
    return world, sent, submission_id


async def image_of(world: Branches, submission: SubmissionSent) -> ImageFacts | ImageFault:
    """What intake will find."""
    reference = submission.images[0]
    return inspect(reference, await world.images.get(reference.sha256), FloorLimits(id="floor"))


def verify(folder: Path, submission: SubmissionSent) -> None:
    """Check the signature as intake does."""
    key = make_branch_key(folder / "keys", submission.branch_id).public_key()
    key.verify(base64_bytes(submission.signature), submission.signing_bytes())


async def test_a_plain_submission_is_signed_and_its_image_is_there(tmp_path: Path) -> None:
    """Signature and image are sound, the declared amount is the drawn one, and the world knows the truth."""
    world, [submission], submission_id = await hand_in(tmp_path, Habit.PLAIN)
    verify(tmp_path, submission)
    assert isinstance(await image_of(world, submission), ImageFacts)
    document = world.truth.of(case_of(submission_id))
    assert submission.declared_amount is not None
    assert document.amount == f"{submission.declared_amount.amount_minor / 100:.2f}"
    assert document.values["amount"] != document.illusion["amount"]
    assert (world.sent, world.repeats) == (1, 0)


async def test_some_are_sent_twice_word_for_word(tmp_path: Path) -> None:
    """The second record says the same: the floor must say the same receipt again."""
    world, [first, second], _ = await hand_in(tmp_path, Habit.TWICE)
    assert first == second
    assert (world.sent, world.repeats) == (1, 1)


async def test_some_come_after_a_strangers_copy(tmp_path: Path) -> None:
    """The copy does not verify and its refusal is not taken for the branch's own receipt; the right one follows."""
    world, [copy, own], submission_id = await hand_in(tmp_path, Habit.FORGED)
    with pytest.raises(InvalidSignature):
        verify(tmp_path, copy)
    verify(tmp_path, own)
    assert copy.signing_bytes() == own.signing_bytes()
    world.hear(rejected(submission_id, "bad_signature", copy))
    assert submission_id in world.unanswered
    assert (world.sent, world.repeats) == (1, 0)


async def test_some_signatures_are_broken(tmp_path: Path) -> None:
    """A bad signature is base64 of the right length and does not verify."""
    _, [submission], _ = await hand_in(tmp_path, Habit.BAD_SIGNATURE)
    with pytest.raises(InvalidSignature):
        verify(tmp_path, submission)


async def test_some_images_were_never_uploaded(tmp_path: Path) -> None:
    """The reference points at nothing."""
    world, [submission], _ = await hand_in(tmp_path, Habit.IMAGE_MISSING)
    found = await image_of(world, submission)
    assert isinstance(found, ImageFault)
    assert found.code == "image_missing"


async def test_some_reuse_an_id_for_other_content(tmp_path: Path) -> None:
    """The second record is sound but another document; the truth stays the first one."""
    world, [first, second], submission_id = await hand_in(tmp_path, Habit.OTHER_CONTENT)
    verify(tmp_path, second)
    assert first.submission_id == second.submission_id
    assert first.images != second.images
    assert first.declared_amount is not None
    assert world.truth.of(case_of(submission_id)).amount == f"{first.declared_amount.amount_minor / 100:.2f}"


async def test_the_same_seed_hands_in_the_same_documents(tmp_path: Path) -> None:
    """What is scanned under an id does not depend on what came before."""
    _, [one], _ = await hand_in(tmp_path / "a", Habit.PLAIN)
    _, [other], _ = await hand_in(tmp_path / "b", Habit.PLAIN)
    assert one.images == other.images


async def test_a_day_is_handed_in_in_order(tmp_path: Path) -> None:
    """Every arrival becomes one submission of its branch, numbered."""
    notebook = Notebook()
    world = branches(tmp_path, notebook)
    day = [Arrival(NOON - timedelta(days=1), f"branch-0{n}", "cheque-deposit", False, 1) for n in (1, 2, 3)]
    await world.work(day)
    sent = {message.key for message, _ in notebook.published}
    assert sent == {"branch-01-000001", "branch-02-000002", "branch-03-000003"}
    assert world.sent == 3


async def test_a_branch_waits_for_its_receipt(tmp_path: Path) -> None:
    """A submission is unanswered until a receipt of either kind is read."""
    world, [own], submission_id = await hand_in(tmp_path, Habit.PLAIN)
    assert world.unanswered == {submission_id: own}
    world.hear(accepted("another"))
    world.hear(None)
    assert world.unanswered == {submission_id: own}
    world.hear(rejected(submission_id, copy=own))
    assert world.unanswered == {}
    assert world.receipts == Counter({"accepted": 1, "image_missing": 1})


def test_most_submissions_are_plain() -> None:
    """A few of a hundred give the floor something to be firm about, and every way occurs."""
    draw = random.Random(1)
    habits = Counter(habit_of(draw) for _ in range(3000))
    assert set(habits) == set(Habit)
    assert habits[Habit.PLAIN] > 2800
