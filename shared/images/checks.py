"""Whether an image is what a submission says it is. Looks at the header before any pixel is decoded."""

from __future__ import annotations

import hashlib
import io
import warnings
from dataclasses import dataclass

from PIL import Image, UnidentifiedImageError

from shared.contracts.intake import RejectionCode
from shared.contracts.message import ImageReference
from shared.contracts.reference import FloorLimits


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """A sound image. Units: pixels."""

    sha256: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class ImageFault:
    """Why an image is refused; `detail` says what the branch should do."""

    code: RejectionCode
    detail: str


def inspect(reference: ImageReference, content: bytes | None, limits: FloorLimits) -> ImageFacts | ImageFault:
    """Compare an image with what the submission says of it and with the floor's limits."""
    name = f"image {reference.sha256[:12]}…"
    if content is None:
        return ImageFault("image_missing", f"Expected {name} in the store, found none: upload it before submitting")
    if len(content) > limits.image_bytes_max:
        return ImageFault(
            "image_too_large", f"Expected at most {limits.image_bytes_max} bytes, {name} has {len(content)}"
        )
    found = hashlib.sha256(content).hexdigest()
    if found != reference.sha256 or len(content) != reference.size_bytes:
        return ImageFault("image_hash_mismatch", f"Expected {name}, the store holds other bytes: upload it again")
    return _inspect_form(reference, content, limits, name)


def _inspect_form(reference: ImageReference, content: bytes, limits: FloorLimits, name: str) -> ImageFacts | ImageFault:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the limit below is stricter
            with Image.open(io.BytesIO(content)) as image:
                media_type, (width, height) = Image.MIME.get(image.format or "", "unknown"), image.size
                if media_type not in limits.image_types or media_type != reference.media_type:
                    return ImageFault(
                        "image_type",
                        f"Expected {name} to be {reference.media_type}, one of {', '.join(limits.image_types)}, found {media_type}",
                    )
                if width * height > limits.image_pixels_max:
                    return ImageFault(
                        "image_too_many_pixels",
                        f"Expected at most {limits.image_pixels_max} pixels, {name} has {width}×{height}: scan it at 200 dpi",
                    )
                image.verify()
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError) as error:
        return ImageFault("image_unreadable", f"Expected {name} to be readable, found {error}: scan the page again")
    return ImageFacts(reference.sha256, width, height)
