"""`opsfloor submit`: hand in a scanned document the way a branch does, and read the bank's receipt."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Final

import typer
from pydantic import ValidationError

from opsfloor import floor
from opsfloor.answers import AN_INSTANT, Remedied, an_id, an_instant, as_json, err, out, said
from opsfloor.publishing import command_publisher
from services.intake.submit import answers, build_submission
from shared.contracts.branch import SubmissionSent
from shared.contracts.intake import RECEIPT, SubmissionAccepted, SubmissionRejected
from shared.contracts.message import WHOLE_MAX, ImageReference, Money
from shared.images import ImageStore
from shared.reference.keys import branch_key
from shared.runtime.errors import ContractError
from shared.runtime.headers import body_of, origin_of
from shared.runtime.kafka_log import KafkaLog
from shared.runtime.log import Record
from shared.runtime.processor import derived_id
from shared.runtime.settings import Settings

RECEIPT_SECONDS: Final = 30.0
CLOCKS_MS: Final = 60_000  # by how much the clocks of this machine and of intake's may differ
AHEAD_MAX: Final = timedelta(minutes=5)  # by so much the scanner's clock may be ahead of this machine's
AT_ONCE: Final = 1_000

Receipt = SubmissionAccepted | SubmissionRejected


def _money(amount_minor: int | None, currency: str) -> Money | None:
    """The declared amount. Errors: `Remedied` for an amount that is none, or a currency: also one of no amount."""
    if amount_minor is not None and amount_minor > WHOLE_MAX:
        raise Remedied(
            f"Expected an amount of at most {WHOLE_MAX} cents, found {amount_minor}", "amounts are in minor units"
        )
    try:
        money = Money(amount_minor=amount_minor or 0, currency=currency)
    except ValidationError as error:
        raise Remedied(
            f"Expected a currency by its ISO 4217 code, found {currency!r}", "three capitals: CNY"
        ) from error
    return None if amount_minor is None else money


def _captured(text: str | None, now: datetime) -> datetime:
    """When the document was scanned. Errors: `Remedied` for what is no instant, or is still to come."""
    at = now if text is None else an_instant(text, "--captured-at")
    if at > now + AHEAD_MAX:
        raise Remedied(
            f"Expected --captured-at to have come, found {text}: now it is {now.isoformat(timespec='seconds')}",
            "write when it was scanned, with its zone, or leave `--captured-at` out: then it is now",
        )
    return at


def image_store(settings: Settings) -> ImageStore:
    """The object store that the settings name. Errors: `Remedied` when they name none."""
    try:
        return ImageStore.from_url(settings.images_url)
    except ValueError as error:
        raise Remedied(
            str(error), "set it to one, or unset it: then images lie in a folder below OPSFLOOR_HOME"
        ) from error


async def _stored(store: ImageStore, file: Path) -> ImageReference:
    """The stored image. Errors: `Remedied` for a file that is no image."""
    try:
        return await store.put(await asyncio.to_thread(file.read_bytes))
    except ContractError as error:
        raise Remedied(f"{file}: {error}", "hand in PNG or JPEG files") from error


def submit(
    images: Annotated[list[Path], typer.Argument(help="image files, PNG or JPEG", exists=True, dir_okay=False)],
    branch: Annotated[str, typer.Option(help="branch id, as in the reference data")],
    business_type: Annotated[str, typer.Option("--type", help="business type, as in the reference data")],
    amount: Annotated[int | None, typer.Option(min=1, help="declared amount in minor units (cents)")] = None,
    currency: Annotated[str, typer.Option(help="ISO 4217")] = "CNY",
    urgent: Annotated[
        bool, typer.Option("--urgent", help="due sooner: by the urgent level of its business type")
    ] = False,
    submission_id: Annotated[
        str | None,
        typer.Option(help="your own id; sent again word for word, --captured-at too, it gets the same receipt"),
    ] = None,
    captured_at: Annotated[str | None, typer.Option(help=f"when it was scanned, as {AN_INSTANT}; else now")] = None,
    wait: Annotated[
        bool, typer.Option(help=f"wait up to {RECEIPT_SECONDS:.0f} s for the bank's receipt; exits with 1 without one")
    ] = True,
    json: Annotated[bool, typer.Option("--json", help="one JSON document instead of a sentence")] = False,
) -> None:
    """Store the images, sign the submission with the branch's key, publish it; exits with 1 when the bank refuses it."""
    if submission_id is not None:
        an_id(submission_id, "leave `--submission-id` out and one is made for you")
    an_id(business_type, "deploy/reference names the business types")
    identity = submission_id or f"{branch}-{uuid.uuid4()}"
    settings = floor.settings()
    key = branch_key(settings.home / "keys", branch)
    if key is None:
        raise Remedied(
            f"Expected a branch with a key, found none of the name {branch}",
            "deploy/reference/organisation.yaml names the branches; `opsfloor reference` makes the local ones' keys",
        )
    money = _money(amount, currency)
    captured = _captured(captured_at, datetime.now(UTC))

    async def send() -> Receipt | None:
        store = image_store(settings)
        references = [await _stored(store, file) for file in images]
        message = build_submission(
            submission_id=identity,
            branch_id=branch,
            business_type=business_type,
            images=tuple(references),
            declared_amount=money,
            urgent=urgent,
            key=key,
            captured_at=captured,
        )
        async with command_publisher(f"branch/{branch}") as publish:
            if not wait:
                await publish(message, f"submission/{identity}")
                return None
            async with receipts_from_now(settings.kafka) as receipt_for:
                await publish(message, f"submission/{identity}")
                return await receipt_for(message)

    receipt = asyncio.run(send())
    _tell(identity, receipt, json)
    if isinstance(receipt, SubmissionRejected):
        raise typer.Exit(1)


@contextlib.asynccontextmanager
async def receipts_from_now(kafka: str) -> AsyncIterator[Callable[[SubmissionSent], Awaitable[Receipt]]]:
    """Listens to receipts before anything is sent, so that none is missed. Errors: `Remedied` when none comes in time."""
    tail = KafkaLog(kafka).tail([RECEIPT.name], since_ms=int(time.time() * 1000) - CLOCKS_MS)
    await tail.start()

    async def receipt_for(sent: SubmissionSent) -> Receipt:
        until = time.monotonic() + RECEIPT_SECONDS
        while time.monotonic() < until:
            for record in await tail.fetch(AT_ONCE, 0.2):
                receipt = receipt_in(record, sent)
                if receipt is not None:
                    return receipt
        raise Remedied(
            f"Expected a receipt for {sent.submission_id} within {RECEIPT_SECONDS:.0f} s, found none: it is sent, and nobody "
            "has taken it in yet",
            "`opsfloor status` tells whether intake runs; it takes the submission in when it does, do not send it again",
        )

    try:
        yield receipt_for
    finally:
        await tail.stop()


def receipt_in(record: Record, sent: SubmissionSent) -> Receipt | None:
    """The record's receipt when it is for what was sent: one for the same id may be for another copy."""
    if record.value is None or sent.submission_id.encode() not in record.value:
        return None
    try:
        message = body_of(record, origin_of(record).kind)
    except ContractError:
        return None
    if not isinstance(message, SubmissionAccepted | SubmissionRejected):
        return None
    return message if answers(message, sent) else None


def _tell(identity: str, receipt: Receipt | None, json: bool) -> None:
    case_id = receipt.case_id if isinstance(receipt, SubmissionAccepted) else derived_id("case", identity)
    refused = isinstance(receipt, SubmissionRejected)
    if json:
        told = None if receipt is None else receipt.model_dump(mode="json")
        as_json({"submission_id": identity, "case_id": None if refused else case_id, "receipt": told})
    elif isinstance(receipt, SubmissionRejected):
        err.print(
            f"[bold red]✗[/] {said(identity)} was refused, {receipt.code}\n  {said(receipt.detail)}", soft_wrap=True
        )
    else:
        done = "sent" if receipt is None else "the bank has taken in"
        where = f"; its receipt will stand in {RECEIPT.name}" if receipt is None else ""
        out.print(
            f"[green]✓[/] {done} {said(identity)}{said(where)}\n  follow it with: opsfloor case {said(case_id)}",
            soft_wrap=True,
        )
