"""Reception: taken in once and for ever, refused with a reason."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from PIL import Image
from pydantic import ValidationError

from services.intake.reception.decide import RULES, decide, refuse
from services.intake.reception.processor import Register
from services.intake.reception.state import Phase, Submission, apply
from services.intake.submit import answers, build_submission
from shared.contracts.asyncapi import HEADERS
from shared.contracts.branch import SUBMISSION, SubmissionSent
from shared.contracts.intake import CaseOpened, SubmissionAccepted, SubmissionRejected, SubmissionSentBack
from shared.contracts.message import ImageReference, Message, Money, Region
from shared.contracts.reference import Branch, FloorLimits
from shared.contracts.reroute import RerouteOrder, RerouteScope, RerouteTerms
from shared.images import ImageFacts, ImageFault, crop, inspect
from shared.reference.board import ReferenceView
from shared.reference.keys import public_text
from shared.reroutes import RerouteView
from shared.runtime.errors import ContractError
from shared.runtime.headers import body_of, origin_of
from shared.runtime.log import Record
from shared.runtime.processor import Rejection, Situation, TimerFired
from tests.simulation.world import bank
from tests.unit.sight import facts as golden

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
FACTS = ImageFacts("a" * 64, 1000, 600)


def png(width: int = 100, height: int = 60) -> bytes:
    out = io.BytesIO()
    Image.new("L", (width, height), 255).save(out, "PNG")
    return out.getvalue()


def reference_to(content: bytes, **changed: Any) -> ImageReference:
    told = {"sha256": hashlib.sha256(content).hexdigest(), "media_type": "image/png", "size_bytes": len(content)}
    return ImageReference.model_validate({**told, **changed})


def submission(**changed: Any) -> SubmissionSent:
    told: dict[str, Any] = {
        "submission_id": "s-1",
        "branch_id": "branch-01",
        "business_type": "corporate-transfer",
        "images": (reference_to(png()),),
        "key": KEY,
        "captured_at": NOW - timedelta(minutes=5),
    }
    return build_submission(**{**told, **changed})


def declaring(amount_minor: int, currency: str = "CNY", **changed: Any) -> SubmissionSent:
    return submission(declared_amount=Money(amount_minor=amount_minor, currency=currency), **changed)


def situation(observed: Any = (FACTS,), now: datetime = NOW) -> Situation:
    view = ReferenceView()
    for entry in bank():
        view.fold(entry.key, entry)
    branch = view.branches["branch-01"].model_copy(update={"public_key": public_text(KEY)})
    assert isinstance(branch, Branch)
    view.fold(branch.key, branch)
    return Situation(now, 0, "e-1", {"reference": view, "reroutes": RerouteView()}, observed)


def answer(state: Submission, event: SubmissionSent, around: Situation) -> tuple[list[Message], Submission]:
    """What is published, and the state after it."""
    decided = decide(state, event, around)
    facts = list(refuse(state, event, decided, around) if isinstance(decided, Rejection) else decided)
    for fact in facts:
        state = apply(state, fact)
    return facts, state


def test_every_phase_has_an_answer_to_a_submission() -> None:
    """Totality: no state is surprised."""
    assert {phase for phase, _ in RULES} == set(Phase)
    assert decide(Submission("s-1"), TimerFired("s-1", "none", NOW), situation()) == ()


def test_a_sound_submission_gets_a_receipt_and_a_case() -> None:
    """One receipt, one case, with the sizes that intake measured."""
    facts, state = answer(Submission("s-1"), submission(), situation())
    accepted, opened = facts
    assert isinstance(accepted, SubmissionAccepted)
    assert isinstance(opened, CaseOpened)
    assert accepted.case_id == opened.case_id == state.case_id
    assert [(size.width, size.height) for size in opened.image_sizes] == [(1000, 600)]
    assert state.phase is Phase.ACCEPTED


def test_the_same_content_gets_the_same_receipt_word_for_word() -> None:
    """However much later it comes again, and no second case: the first is told again, for whoever has lost it."""
    first, state = answer(Submission("s-1"), submission(), situation())
    again, after = answer(state, submission(), situation(now=NOW + timedelta(days=400)))
    assert isinstance(first[1], CaseOpened)
    assert again == [first[0], first[1].model_copy(update={"again": True})]
    assert after == state


def test_a_case_is_not_told_again_without_its_images() -> None:
    """They were cleared away meanwhile: the receipt stands, and nothing else is said."""
    first, state = answer(Submission("s-1"), submission(), situation())
    fault = ImageFault("image_missing", "Expected the image in the store, found none: upload it")
    again, _ = answer(state, submission(), situation(observed=[fault]))
    assert again == first[:1]


LOCAL = golden.fact("routing.reroute-order.v1").model_copy(
    update={
        "reroute_id": "r-local",
        "ends_at": NOW + timedelta(hours=1),
        "terms": RerouteTerms(
            effect="local",
            scope=RerouteScope(business_types=("corporate-transfer",)),
            minutes=60,
            reason="register down",
        ),
    }
)


def sent_back_by(order: RerouteOrder, **changed: Any) -> Situation:
    """A floor on which the order is in force."""
    around = situation(**changed)
    around.boards["reroutes"].acting[order.reroute_id] = order
    return around


def test_what_a_reroute_leaves_with_its_branch_is_told_once_by_the_orders_id() -> None:
    """With the first receipt; that is said again word for word, also when the order is over, and tells nobody else anew."""
    (receipt, left), state = answer(Submission("s-1"), submission(), sent_back_by(LOCAL))
    assert isinstance(receipt, SubmissionRejected)
    assert (receipt.code, receipt.reroute_id) == ("do_locally", "r-local")
    assert left == SubmissionSentBack(submission_id="s-1", branch_id="branch-01", reroute_id="r-local", received_at=NOW)
    for around in (sent_back_by(LOCAL), situation(now=NOW + timedelta(days=400))):
        assert answer(state, submission(), around) == ([receipt], state)


def test_a_receipt_from_before_orders_were_named_is_said_again_as_it_was() -> None:
    """The row of an earlier release names no order, and is read."""
    (receipt, _), state = answer(Submission("s-1"), submission(), sent_back_by(LOCAL))
    row = json.loads(Register().write(state)[""] or b"")
    del row["reroute_id"]
    old = Register().read("s-1", {"": json.dumps(row).encode()})
    again, _ = answer(old, submission(), sent_back_by(LOCAL))
    assert again == [receipt.model_copy(update={"reroute_id": None})]


def test_no_other_refusal_is_told_to_the_book_of_orders() -> None:
    """A fault of the submission is none of its business, though a local order is in force elsewhere."""
    around = sent_back_by(LOCAL, observed=[ImageFault("image_missing", "Expected the image, found none")])
    refused, _ = answer(Submission("s-1"), submission(business_type="cheque-deposit"), around)
    assert [type(one) for one in refused] == [SubmissionRejected]
    assert refused[0].model_dump()["reroute_id"] is None


def test_other_content_under_a_used_id_is_a_conflict_and_changes_nothing() -> None:
    """The first receipt stands."""
    _, state = answer(Submission("s-1"), submission(), situation())
    (refused,), after = answer(state, submission(business_type="cheque-deposit"), situation())
    assert isinstance(refused, SubmissionRejected)
    assert refused.code == "conflict"
    assert after == state


@pytest.mark.parametrize("left_out", [(), ("urgent",), ("urgent", "declared_amount")])
def test_a_branch_signs_what_it_sends(left_out: tuple[str, ...]) -> None:
    """As reception's page tells it to programs that have nothing of ours; a field it does not know yet changes nothing."""
    known = json.loads(submission().model_dump_json(exclude={"signature"}))
    body = {name: value for name, value in known.items() if name not in left_out} | {"business_type": "переводы"}
    signed = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    sent = json.dumps(body | {"signature": base64.b64encode(KEY.sign(signed)).decode()})
    event = SubmissionSent.model_validate_json(sent)
    assert event.signed == signed
    (receipt,), _ = answer(Submission("s-1"), event, situation())
    assert isinstance(receipt, SubmissionRejected)
    assert receipt.code == "unknown_business_type", "the signature is looked at first"


@pytest.mark.parametrize(
    "changes",
    [
        {"captured_at": "2026-03-02T10:00:00.123Z"},
        {"captured_at": "2026-03-02T10:00:00.000Z"},
        {"captured_at": "2026-03-02T18:00:00+08:00"},
        {"channel": "scanner", "page": {"b": 1, "a": [2.5, None]}},
        {"urgent": 1},
    ],
)
def test_what_is_signed_is_what_came_not_what_is_understood(changes: dict[str, Any]) -> None:
    """Other languages write instants otherwise, and a branch's system may be younger than the floor; a byte changed is seen."""
    body = json.loads(submission().model_dump_json(exclude={"signature"})) | changes
    signed = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    body["signature"] = base64.b64encode(KEY.sign(signed)).decode()
    receipts = [
        answer(Submission("s-1"), SubmissionSent.model_validate_json(json.dumps(sent)), situation())[0][0]
        for sent in (body, body | {"channel": "another"})
    ]
    assert isinstance(receipts[0], SubmissionAccepted)
    assert isinstance(receipts[1], SubmissionRejected)
    assert receipts[1].code == "bad_signature"


def test_a_rejection_is_said_again_too() -> None:
    """A rejected id has its end; the same content does not get a second chance under it."""
    event = submission()
    (first,), state = answer(Submission("s-1"), event, situation((ImageFault("image_missing", "Expected it"),)))
    (again,), _ = answer(state, event, situation(now=NOW + timedelta(hours=1)))
    assert again == first
    assert state.phase is Phase.REJECTED


FORGED: list[tuple[SubmissionSent, str]] = [
    (submission().model_copy(update={"signature": ""}), "bad_signature"),
    (submission().model_copy(update={"signature": "no base64 «"}), "bad_signature"),
    (submission(key=Ed25519PrivateKey.generate()), "bad_signature"),
    (submission().model_copy(update={"urgent": True}), "bad_signature"),
    (submission().model_copy(update={"branch_id": "branch-02"}), "bad_signature"),
    (submission(branch_id="nowhere"), "unknown_branch"),
]


@pytest.mark.parametrize(("forged", "code"), FORGED)
def test_a_copy_that_nobody_vouches_for_takes_no_id(forged: SubmissionSent, code: str) -> None:
    """It has its receipt, which names the very copy, and leaves nothing: the right one gets what it would have got."""
    (refused,), state = answer(Submission("s-1"), forged, situation())
    assert isinstance(refused, SubmissionRejected)
    assert (refused.code, refused.is_end) == (code, False)
    assert (refused.content_sha256, refused.signature_sha256) == (forged.content_sha256, forged.signature_sha256)
    assert state == Submission("s-1")
    assert answer(state, submission(), situation()) == answer(Submission("s-1"), submission(), situation())


@pytest.mark.parametrize(("forged", "code"), FORGED)
@pytest.mark.parametrize("observed", [(FACTS,), (ImageFault("image_missing", "Expected it"),)])
def test_a_copy_that_nobody_vouches_for_changes_no_end(forged: SubmissionSent, code: str, observed: Any) -> None:
    """After the right one it is refused for what it is, whatever its content, and no case is told on its account."""
    first, state = answer(Submission("s-1"), submission(), situation(observed))
    (refused,), after = answer(state, forged, situation(observed))
    assert isinstance(refused, SubmissionRejected)
    assert refused.code == code
    assert after == state
    assert answer(after, submission(), situation(observed))[0][0] == first[0]


def test_what_was_authentic_stays_so_when_the_branch_changes_its_key() -> None:
    """For ever the same receipt: of the copy as it was sent then, and of the same content signed by the new key."""
    first, state = answer(Submission("s-1"), submission(), situation())
    around, new_key = situation(), Ed25519PrivateKey.generate()
    view = around.boards["reference"]
    branch = view.branches["branch-01"].model_copy(update={"public_key": public_text(new_key)})
    view.fold(branch.key, branch)
    assert answer(state, submission(), around)[0][0] == first[0]
    assert answer(state, submission(key=new_key), around)[0][0] == first[0]
    (refused,), _ = answer(Submission("s-1"), submission(), around)
    assert isinstance(refused, SubmissionRejected)
    assert refused.code == "bad_signature"


def test_a_branch_knows_its_own_receipt() -> None:
    """Id, content and, where a copy is refused, the signature: the refusal of a stranger's copy is not its own."""
    mine, forged = submission(), submission().model_copy(update={"signature": ""})
    ((accepted, _), _), ((refused,), _) = (answer(Submission("s-1"), one, situation()) for one in (mine, forged))
    ((conflict,), _) = answer(answer(Submission("s-1"), mine, situation())[1], submission(urgent=True), situation())
    assert isinstance(accepted, SubmissionAccepted)
    assert isinstance(refused, SubmissionRejected)
    assert isinstance(conflict, SubmissionRejected)
    assert [answers(receipt, mine) for receipt in (accepted, refused, conflict)] == [True, False, False]
    assert answers(refused, forged)
    assert answers(conflict, submission(urgent=True))
    assert not answers(accepted, submission(submission_id="s-2"))


@pytest.mark.parametrize(
    ("event", "observed", "code"),
    [
        (submission(business_type="no-such-type"), (FACTS,), "unknown_business_type"),
        (declaring(-5), (FACTS,), "amount_invalid"),
        (declaring(0), (FACTS,), "amount_invalid"),
        (declaring(10**17), (FACTS,), "amount_invalid"),
        (declaring(500, "USD"), (FACTS,), "amount_currency"),
        (declaring(-5, "USD"), (FACTS,), "amount_currency"),
        (declaring(500, business_type="account-maintenance"), (FACTS,), "amount_unexpected"),
        (submission(images=()), (), "no_image"),
        (submission(), (ImageFault("image_missing", "Expected it"),), "image_missing"),
        (submission(), (ImageFault("image_unreadable", "Expected it"),), "image_unreadable"),
    ],
)
def test_what_is_wrong_is_refused_with_its_code(event: SubmissionSent, observed: Any, code: str) -> None:
    """Each fault has its reason code and a sentence, and opens no case."""
    (refused,), state = answer(Submission("s-1"), event, situation(observed))
    assert isinstance(refused, SubmissionRejected)
    assert refused.code == code
    assert refused.detail.startswith("Expected")
    assert state.phase is Phase.REJECTED


@pytest.mark.parametrize("amount_minor", [1, 123_450, 10**17 - 1])
def test_an_amount_that_somebody_could_key_is_taken(amount_minor: int) -> None:
    """From one cent up to as many figures as a keyed amount may have."""
    (accepted, opened), _ = answer(Submission("s-1"), declaring(amount_minor), situation())
    assert isinstance(accepted, SubmissionAccepted)
    assert isinstance(opened, CaseOpened)
    assert opened.declared_amount == Money(amount_minor=amount_minor, currency="CNY")


def test_a_currency_has_the_decimals_that_it_has() -> None:
    """An amount stands in whole minor units, so that a part of a cent cannot be declared; a yen has no decimals."""
    body = json.loads(declaring(500).model_dump_json())
    body["declared_amount"]["amount_minor"] = 500.5
    with pytest.raises(ValidationError, match="amount_minor"):
        SubmissionSent.model_validate_json(json.dumps(body))
    around = situation()
    view = around.boards["reference"]
    yen = view.business_types["corporate-transfer"].model_copy(update={"currency": "JPY"})
    view.fold(yen.key, yen)
    for amount_minor, taken in ((10**15 - 1, True), (10**15, False)):
        facts, _ = answer(Submission("s-1"), declaring(amount_minor, "JPY"), around)
        assert isinstance(facts[0], SubmissionAccepted) is taken


def test_folding_the_facts_from_nothing_gives_the_state() -> None:
    """Replay: the log is enough."""
    facts, state = answer(Submission("s-1"), submission(), situation())
    folded = Submission("s-1")
    for fact in facts:
        folded = apply(folded, fact)
    assert folded == state


@pytest.mark.parametrize(
    ("content", "reference", "code"),
    [
        (None, reference_to(png()), "image_missing"),
        (png(), reference_to(png(101)), "image_hash_mismatch"),
        (png(), reference_to(png()).model_copy(update={"size_bytes": 5}), "image_hash_mismatch"),
        (png(), reference_to(png(), media_type="image/jpeg"), "image_type"),
        (b"GIF89a", reference_to(b"GIF89a", media_type="image/gif"), "image_type"),
        (b"no image", reference_to(b"no image"), "image_unreadable"),
        (png(3000, 3000), reference_to(png(3000, 3000)), "image_too_many_pixels"),
        (png() + b"\0" * 60_000, reference_to(png() + b"\0" * 60_000), "image_too_large"),
    ],
)
def test_an_image_that_is_not_what_it_says_is_refused(
    content: bytes | None, reference: ImageReference, code: str
) -> None:
    """Presence, hash, type, size and pixels, before any pixel is decoded."""
    limits = FloorLimits(id="floor", image_bytes_max=50_000, image_pixels_max=1_000_000)
    found = inspect(reference, content, limits)
    assert isinstance(found, ImageFault)
    assert re.search(r": (upload|scan|save|submit)", found.detail) or code == "image_type"  # what to do about it
    assert found.code == code


def test_an_unreadable_image_is_told_in_the_same_words_each_time() -> None:
    """The receipt is published and kept: replaying the log must give it again, and nothing of the process's memory."""
    content = b"GIF89a" + bytes(40)
    found = [inspect(reference_to(content), content, FloorLimits(id="floor")) for _ in range(2)]
    assert found[0] == found[1]
    assert isinstance(found[0], ImageFault)
    assert " at 0x" not in found[0].detail


def test_a_picture_behind_the_first_is_refused() -> None:
    """Nobody would ever see it."""
    out = io.BytesIO()
    first, second = Image.new("L", (40, 40), 255), Image.new("L", (40, 40), 0)
    first.save(out, "PNG", save_all=True, append_images=[second])
    found = inspect(reference_to(out.getvalue()), out.getvalue(), FloorLimits(id="floor"))
    assert isinstance(found, ImageFault)
    assert found.code == "image_type"


def test_a_sound_image_is_measured() -> None:
    """Width and height come from the image, not from the branch."""
    content = png(120, 80)
    assert inspect(reference_to(content), content, FloorLimits(id="floor")) == ImageFacts(
        hashlib.sha256(content).hexdigest(), 120, 80
    )


def test_a_slice_is_exactly_its_region() -> None:
    """No pixel more than the item names."""
    image = Image.new("L", (100, 60), 255)
    image.putpixel((30, 20), 0)
    out = io.BytesIO()
    image.save(out, "PNG")
    region = Region(image_sha256="a" * 64, x=30, y=20, width=10, height=5)
    with Image.open(io.BytesIO(crop(out.getvalue(), region))) as piece:
        assert piece.size == (10, 5)
        assert piece.getpixel((0, 0)) == 0
        assert piece.getpixel((1, 0)) == 255


def test_a_region_beyond_the_image_is_refused() -> None:
    """Nothing is guessed beyond the edge."""
    with pytest.raises(ContractError, match="inside 100×60"):
        crop(png(), Region(image_sha256="a" * 64, x=95, y=0, width=10, height=5))


def test_whoever_follows_receptions_page_is_taken_in() -> None:
    """It names every header that the contract asks for, with a value that is read; a branch knows no other page."""
    page = Path("services/intake/reception/README.md").read_text()
    sends = dict(re.findall(r"^\| `([a-z_-]+)` \| .*?`([^`]+)`", page, re.MULTILINE))
    assert set(sends) >= {*HEADERS["required"], "content-type"}
    assert not {"sequence", "turn"} & set(sends)
    sent = submission()
    headers = tuple((name, value.encode()) for name, value in sends.items())
    record = Record(SUBMISSION.name, 0, 0, b"s-1", sent.model_dump_json().encode(), headers, 0)
    origin = origin_of(record)
    assert body_of(record, origin.kind) == sent
    assert (origin.event_id, origin.source) == ("submission/s-1", "/branch/branch-01")
