"""Reception as the shard runtime runs it, and the one thing that it has to look at outside: the images."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from services.intake.reception.decide import decide, refuse, refused_unseen
from services.intake.reception.state import Phase, Submission, apply
from shared.contracts import branch, intake
from shared.contracts.branch import SubmissionSent
from shared.contracts.intake import UNAUTHENTIC, CaseOpened, SubmissionAccepted, SubmissionRejected, SubmissionSentBack
from shared.contracts.message import ImageReference, Message
from shared.contracts.reference import FloorLimits
from shared.images import ImageFacts, ImageFault, ImageStore, inspect
from shared.reference.board import REFERENCE_BOARD, ReferenceView
from shared.reroutes import REROUTE_BOARD
from shared.runtime.errors import TransientError
from shared.runtime.processor import DocumentTable, Measure, Processor

BATCH_MAX: Final = 16  # submissions decided together: their images may take seconds each
FETCHES_MAX: Final = 16  # images fetched, and held, at the same time
DECODES_MAX: Final = 1  # images decoded at the same time: one may take four bytes for each pixel that is allowed


Looks = dict[ImageReference, asyncio.Future[ImageFacts | ImageFault]]


class Register(DocumentTable[Submission]):
    """One row per submission id that an authentic copy has used. An id that only strangers named leaves none.

    Holds:   an id that an earlier release let such a copy use up is free again.
    """

    def __init__(self) -> None:
        super().__init__("reception_submission", Submission, Submission)

    def read(self, key: str, rows: Mapping[str, bytes]) -> Submission:
        state = super().read(key, rows)
        return Submission(key) if state.code in UNAUTHENTIC else state

    def write(self, state: Submission) -> Mapping[str, bytes | None]:
        return {} if state.phase is Phase.NEW else super().write(state)


def reception(images: ImageStore, measure: Measure | None = None) -> Processor:
    """The registry of submissions: dedup for ever, receipts, cases."""
    gate, decoding = asyncio.Semaphore(FETCHES_MAX), asyncio.Semaphore(DECODES_MAX)

    async def look_at(message: Message, boards: Mapping[str, Any], looks: Looks) -> list[ImageFacts | ImageFault]:
        if not isinstance(message, SubmissionSent):
            return []
        view: ReferenceView = boards["reference"]
        if refused_unseen(message, view):
            return []
        if len(message.images) > view.limits.images_max:
            return [too_many(message, view.limits)]
        found: list[ImageFacts | ImageFault] = []
        pixels = 0
        for image in message.images:
            if image not in looks:
                looks[image] = asyncio.ensure_future(finding(image, view.limits))
            look = await looks[image]
            if isinstance(look, ImageFault):
                return [look]
            found.append(look)
            pixels += look.width * look.height
            if pixels > view.limits.submission_pixels_max:
                return [too_large(pixels, view.limits)]
        return found

    async def finding(image: ImageReference, limits: FloorLimits) -> ImageFacts | ImageFault:
        async with gate:
            content = await images.get(image.sha256)
            async with decoding:
                return await asyncio.to_thread(inspect, image, content, limits)

    async def observe(messages: Sequence[Message], boards: Mapping[str, Any]) -> Sequence[Any]:
        _expect_reference(boards["reference"])
        looks: Looks = {}  # the same image several times is decoded once
        return await asyncio.gather(*(look_at(message, boards, looks) for message in messages))

    return Processor(
        service="intake",
        name="reception",
        inputs=(branch.SUBMISSION,),
        outputs=(intake.RECEIPT, intake.CASE, intake.SENT_BACK),
        key=_key,
        owner=_owner,
        table=Register(),
        decide=decide,
        apply=apply,
        refuse=refuse,
        boards=(REFERENCE_BOARD, REROUTE_BOARD),
        observe=observe,
        records_max=BATCH_MAX,
        measure=measure,
    )


def too_many(message: SubmissionSent, limits: FloorLimits) -> ImageFault:
    """Why none of the images is looked at: each one costs its decoding."""
    return ImageFault(
        "too_many_images",
        f"Expected at most {limits.images_max} images, found {len(message.images)}: hand the document in as several",
    )


def too_large(pixels: int, limits: FloorLimits) -> ImageFault:
    """Why the rest of the images is not looked at: what a submission costs is bounded."""
    return ImageFault(
        "image_too_many_pixels",
        f"Expected at most {limits.submission_pixels_max} pixels in all images together, found {pixels} and more: scan them "
        "at 200 dpi, or hand the document in as several",
    )


def _expect_reference(view: ReferenceView) -> None:
    """Wait rather than refuse every branch for ever, on a floor whose reference data is not published yet."""
    if not view.branches or not view.business_types:
        raise TransientError(
            "Expected branches and business types in the reference data: `opsfloor reference FOLDER` first"
        )


def _owner(fact: Message) -> str | None:
    match fact:
        case SubmissionAccepted() | SubmissionRejected() | CaseOpened() | SubmissionSentBack():
            return fact.submission_id
        case _:
            return None


def _key(message: Message) -> str | None:
    return message.submission_id if isinstance(message, SubmissionSent) else None
