"""What reception keeps over any course of events: one end per submission id, and its receipts said word for word."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from services.intake.reception.processor import DECODES_MAX, reception
from services.intake.reception.state import Submission
from services.intake.submit import build_submission
from shared.contracts.branch import SubmissionSent
from shared.contracts.intake import CaseOpened, SubmissionAccepted, SubmissionRejected
from shared.contracts.message import ImageReference, Message
from shared.contracts.reference import Branch, FloorLimits
from shared.images import ImageFacts, ImageFault, ImageStore, inspect
from shared.reference.board import ReferenceView
from shared.reference.keys import public_text
from shared.reroutes import RerouteView
from shared.runtime.errors import TransientError
from shared.runtime.processor import Rejection, Situation, derived_id
from tests.simulation.world import bank
from tests.support.examples import share_of
from tests.unit.intake.test_reception import png, reference_to

NOW: Final = datetime(2026, 3, 2, 9, tzinfo=UTC)
KEY: Final = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
FACTS: Final = ImageFacts("a" * 64, 1000, 600)
MISSING: Final = ImageFault("image_missing", "Expected the image")
BLACK: Final = png(7, 7)
PROCESSOR: Final = reception(ImageStore(None))  # the laws look at no image


def view_of_the_bank() -> ReferenceView:
    """The example bank, with a key of the tests' own for its first branch."""
    view = ReferenceView()
    for entry in bank():
        view.fold(entry.key, entry)
    branch = view.branches["branch-01"].model_copy(update={"public_key": public_text(KEY)})
    assert isinstance(branch, Branch)
    view.fold(branch.key, branch)
    return view


VIEW: Final = view_of_the_bank()


def submission(business_type: str = "corporate-transfer", *, signed: bool = True, **told: Any) -> SubmissionSent:
    """A submission under the one id of these tests."""
    event = build_submission(
        submission_id="s-1",
        branch_id="branch-01",
        business_type=business_type,
        images=told.get("images", (reference_to(BLACK),)),
        key=KEY,
        captured_at=NOW,
    )
    return event if signed else event.model_copy(update={"signature": ""})


COURSES: Final = st.lists(
    st.tuples(
        st.sampled_from(["corporate-transfer", "cheque-deposit", "no-such-type"]),
        st.booleans(),
        st.sampled_from([FACTS, MISSING]),
    ),
    min_size=1,
    max_size=8,
)


def situation(observed: Sequence[Any], number: int = 0) -> Situation:
    """The `number`-th moment of a course."""
    return Situation(
        NOW + timedelta(minutes=number), 0, f"e-{number}", {"reference": VIEW, "reroutes": RerouteView()}, observed
    )


def step(state: Any, event: SubmissionSent, around: Situation) -> tuple[list[Message], Any]:
    """One event as the runtime takes it: the state read from its rows, the facts folded, the rows written."""
    decided = PROCESSOR.decide(state, event, around)
    facts = list(PROCESSOR.refuse(state, event, decided, around) if isinstance(decided, Rejection) else decided)
    for fact in facts:
        state = PROCESSOR.apply(state, fact)
    rows: Mapping[str, bytes | None] = PROCESSOR.table.write(state)
    return facts, PROCESSOR.table.read("s-1", {part: body for part, body in rows.items() if body is not None})


@given(COURSES)
@settings(max_examples=share_of(100))
def test_one_submission_id_has_one_end_over_any_course(course: list[tuple[str, bool, Any]]) -> None:
    """Conservation, replay and determinism at once.

    Every event gets exactly one receipt; at most one case is ever opened, with the first signed event, and told again as
    it was; the first signed content keeps its first receipt, every other signed content is a conflict; what is not signed
    is refused and changes nothing; the facts alone give the state.
    """
    state, log = Submission("s-1"), []
    first_facts: list[Message] = []
    for number, (business_type, signed, observed) in enumerate(course):
        event, around = submission(business_type, signed=signed), situation([observed], number)
        facts, after = step(state, event, around)
        assert step(state, event, around) == (facts, after)
        receipts = [fact for fact in facts if isinstance(fact, SubmissionAccepted | SubmissionRejected)]
        opened = [fact for fact in facts if isinstance(fact, CaseOpened)]
        assert len(receipts) == 1
        if not signed:
            assert isinstance(receipts[0], SubmissionRejected)
            assert (receipts[0].code, opened, after) == ("bad_signature", [], state)
        elif not first_facts:
            first_facts, first_type = facts, business_type
            assert len(opened) == isinstance(receipts[0], SubmissionAccepted)
        else:
            first_opened = [fact for fact in first_facts if isinstance(fact, CaseOpened)]
            assert opened in ([], [fact.model_copy(update={"again": True}) for fact in first_opened])
            if business_type == first_type:
                assert receipts == first_facts[:1]
            else:
                assert isinstance(receipts[0], SubmissionRejected)
                assert receipts[0].code == "conflict"
            assert after == state
        state = after
        log += facts
    folded = Submission("s-1")
    for fact in log:
        folded = PROCESSOR.apply(folded, fact)
    assert folded == state


def test_an_id_that_only_strangers_named_leaves_no_row() -> None:
    """Whoever may write the topic cannot fill the registry; an id that an earlier release let them use up is free again."""
    _, state = step(Submission("s-1"), submission(signed=False), situation([FACTS]))
    assert PROCESSOR.table.write(state) == {}
    burned = (
        b'{"submission_id":"s-1","phase":"rejected","branch_id":"branch-01","code":"bad_signature","detail":"Expected"}'
    )
    assert PROCESSOR.table.read("s-1", {"": burned}) == Submission("s-1")


def test_the_case_id_follows_from_the_submission_id() -> None:
    """A branch can ask after its case before any receipt has reached it."""
    _, state = step(Submission("s-1"), submission(), situation([FACTS]))
    assert state.case_id == derived_id("case", "s-1")


def test_the_remedy_of_a_rejection_names_a_new_id() -> None:
    """Mending the fault and sending it under the same id would meet the registry: the sentence says so."""
    (refused, *_), _ = step(Submission("s-1"), submission(), situation([MISSING]))
    assert isinstance(refused, SubmissionRejected)
    assert refused.detail == "Expected the image; then send it under a new submission id"


def test_only_submissions_are_its_business() -> None:
    """Receptions of other kinds on the topic are passed over."""
    event = submission()
    assert PROCESSOR.key(event) == "s-1"
    (accepted, *_), _ = step(Submission("s-1"), event, situation([FACTS]))
    assert PROCESSOR.key(accepted) is None


async def test_images_are_looked_at_in_the_order_of_the_events(tmp_path: Path) -> None:
    """Findings meet their own event, each image in its place, the missing one named."""
    store = ImageStore.in_folder(tmp_path)
    first, second = await store.put(png(10, 20)), await store.put(png(30, 40))
    absent = reference_to(png(50, 60))
    observe = reception(store).observe
    assert observe is not None
    events = [submission(images=images) for images in ((first, second), (absent,), (second,), ())]
    found = await observe(events, {"reference": VIEW})
    sizes = [[(f.width, f.height) if isinstance(f, ImageFacts) else f.code for f in findings] for findings in found]
    assert sizes == [[(10, 20), (30, 40)], ["image_missing"], [(30, 40)], []]
    assert await observe(events[:1], {"reference": VIEW}) == found[:1]


async def test_a_submission_of_too_many_pixels_is_looked_at_no_further(tmp_path: Path) -> None:
    """Together they may have so many and no more, so that what one submission costs is bounded; nor after a first fault."""
    store = ImageStore.in_folder(tmp_path)
    first, second, third = [await store.put(png(10, 10 + n)) for n in range(3)]
    absent = reference_to(png(50, 60))
    observe = reception(store).observe
    assert observe is not None
    limits = FloorLimits(id="floor", submission_pixels_max=210)
    view = replace(VIEW, limits=limits)
    events = [
        submission(images=images) for images in ((first, second), (first, second, third, absent), (absent, third))
    ]
    exact, more, missing = await observe(events, {"reference": view})
    assert [type(found) for found in exact] == [ImageFacts, ImageFacts]
    assert [found.code for found in more] == ["image_too_many_pixels"]
    assert "found 330" in more[0].detail
    assert [found.code for found in missing] == ["image_missing"]


async def test_images_are_decoded_beside_the_event_loop_one_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Decoding takes milliseconds, in which leases are kept and boards are read, and much memory for a moment."""
    at_work, threads = Counter[str](), set[int]()

    def slowly(image: ImageReference, content: bytes | None, limits: FloorLimits) -> ImageFacts | ImageFault:
        at_work["now"] += 1
        at_work["most"] = max(at_work["most"], at_work["now"])
        threads.add(threading.get_ident())
        time.sleep(0.01)
        at_work["now"] -= 1
        return inspect(image, content, limits)

    monkeypatch.setattr("services.intake.reception.processor.inspect", slowly)
    store = ImageStore.in_folder(tmp_path)
    images = [await store.put(png(width, 20)) for width in range(10, 16)]
    observe = reception(store).observe
    assert observe is not None
    found = await observe([submission(images=(image,)) for image in images], {"reference": VIEW})
    assert [findings[0].width for findings in found] == [10, 11, 12, 13, 14, 15]
    assert at_work["most"] == DECODES_MAX
    assert threading.get_ident() not in threads


async def test_no_image_is_touched_of_what_is_refused_anyway_and_the_same_one_is_touched_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever may write the branches' topic could keep reception decoding for hours."""
    looks = Counter[str]()

    def counted(image: ImageReference, content: bytes | None, limits: FloorLimits) -> ImageFacts | ImageFault:
        looks[image.sha256] += 1
        return inspect(image, content, limits)

    monkeypatch.setattr("services.intake.reception.processor.inspect", counted)
    store = ImageStore.in_folder(tmp_path)
    shown, hidden = await store.put(png(10, 20)), await store.put(png(30, 40))
    observe = reception(store).observe
    assert observe is not None
    forged = submission(images=(hidden,) * 3, signed=False)
    strange = submission("no-such-type", images=(hidden,))
    right = submission(images=(shown,) * 3)
    found = await observe([forged, strange, right, right], {"reference": VIEW})
    assert [len(findings) for findings in found] == [0, 0, 3, 3]
    assert looks == {shown.sha256: 1}


def test_nothing_is_taken_in_that_nobody_has_looked_at() -> None:
    """The reference data became new between look and decision: it is looked at again. What is known is said again."""
    with pytest.raises(TransientError, match="looked at"):
        PROCESSOR.decide(Submission("s-1"), submission(), situation([]))
    _, state = step(Submission("s-1"), submission(), situation([FACTS]))
    (receipt,), _ = step(state, submission(), situation([]))
    assert isinstance(receipt, SubmissionAccepted)


async def test_of_too_many_images_none_is_looked_at() -> None:
    """Each costs its decoding: one record must not keep reception at it for minutes."""
    observe = reception(ImageStore(None)).observe  # a store that cannot be asked
    assert observe is not None
    event = submission(images=(reference_to(BLACK),) * (VIEW.limits.images_max + 1))
    [findings] = await observe([event], {"reference": VIEW})
    (refused, *_), _ = step(Submission("s-1"), event, situation(findings))
    assert isinstance(refused, SubmissionRejected)
    assert refused.code == "too_many_images"


async def test_nothing_is_refused_before_there_is_reference_data(tmp_path: Path) -> None:
    """A floor that starts before its first `opsfloor reference` waits; its branches are not unknown for ever."""
    observe = reception(ImageStore.in_folder(tmp_path)).observe
    assert observe is not None
    with pytest.raises(TransientError, match="opsfloor reference"):
        await observe([submission()], {"reference": ReferenceView()})


async def test_an_image_store_that_is_away_stops_the_batch(tmp_path: Path) -> None:
    """Nothing is decided without having looked."""
    store = ImageStore.in_folder(tmp_path / "images")
    image = await store.put(BLACK)
    (tmp_path / "images").rename(tmp_path / "away")
    observe = reception(store).observe
    assert observe is not None
    with pytest.raises(TransientError):
        await observe([submission(images=(image,)), submission()], {"reference": VIEW})
