"""`opsfloor submit`: hand in a scanned document the way a branch does."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from opsfloor import floor
from opsfloor.answers import Remedied, as_json, out
from opsfloor.run import command_publisher
from services.intake.submit import build_submission
from shared.contracts.message import ImageReference, Money
from shared.images import ImageStore
from shared.reference.keys import branch_key
from shared.runtime.errors import ContractError
from shared.runtime.processor import derived_id


def _money(amount_minor: int | None, currency: str) -> Money | None:
    """The declared amount. Errors: `Remedied` for a currency that is none."""
    try:
        return None if amount_minor is None else Money(amount_minor=amount_minor, currency=currency)
    except ValidationError as error:
        raise Remedied(
            f"Expected a currency by its ISO 4217 code, found {currency!r}", "three capitals: CNY"
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
    amount: Annotated[int | None, typer.Option(min=0, help="declared amount in minor units (cents)")] = None,
    currency: Annotated[str, typer.Option(help="ISO 4217")] = "CNY",
    urgent: Annotated[
        bool, typer.Option("--urgent", help="due sooner: by the urgent level of its business type")
    ] = False,
    submission_id: Annotated[
        str | None, typer.Option(help="your own id; the same id and content is the same case")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="one JSON document instead of a sentence")] = False,
) -> None:
    """Store the images, sign the submission with the branch's key, publish it."""
    if submission_id is not None and not submission_id.strip():
        raise Remedied("Expected an id, found an empty one", "leave `--submission-id` out and one is made for you")
    identity = submission_id or f"{branch}-{uuid.uuid4()}"
    settings = floor.settings()
    key = branch_key(settings.home / "keys", branch)
    if key is None:
        raise Remedied(
            f"Expected a branch with a key, found none of the name {branch}",
            "deploy/reference/organisation.yaml names the branches; `opsfloor reference` makes the local ones' keys",
        )
    money = _money(amount, currency)

    async def send() -> None:
        store = ImageStore.from_url(settings.images_url)
        references = [await _stored(store, file) for file in images]
        message = build_submission(
            submission_id=identity,
            branch_id=branch,
            business_type=business_type,
            images=tuple(references),
            declared_amount=money,
            urgent=urgent,
            key=key,
            captured_at=datetime.now(UTC),
        )
        async with command_publisher(f"branch/{branch}") as publish:
            await publish(message, f"submission/{identity}")

    asyncio.run(send())
    case_id = derived_id("case", identity)
    if json:
        as_json({"submission_id": identity, "case_id": case_id})
    else:
        out.print(f"[green]✓[/] sent {identity}\n  follow it with: opsfloor case {case_id}", soft_wrap=True)
