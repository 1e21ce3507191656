"""Whether an image is what a submission says it is, to its last pixel. Looks at the header before any is decoded."""

from __future__ import annotations

import hashlib
import io
import struct
import warnings
import zlib
from dataclasses import dataclass
from typing import Final, NamedTuple

from PIL import Image, UnidentifiedImageError
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from shared.contracts.intake import RejectionCode
from shared.contracts.message import ImageReference
from shared.contracts.reference import FloorLimits
from shared.images.upright import orientation_of, upright_size

SCANS_MAX: Final = 50  # of a JPEG; a scanner writes one, a progressive picture about ten
PILLOW_PIXELS_MAX: Final = 2 * (Image.MAX_IMAGE_PIXELS or 0)  # of a picture that it opens at all
_SCAN: Final = b"\xff\xda"  # the marker that each of them begins with

UNREADABLE: Final = (
    Image.DecompressionBombError,
    AttributeError,
    EOFError,
    IndexError,
    KeyError,
    OSError,
    OverflowError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What Pillow raises on broken or hostile bytes: its parsers trust lengths and counts that the file itself states."""


class Head(NamedTuple):
    """What an image says of itself before any of it is decoded. Units: pixels of the picture as it is stored."""

    media_type: str
    size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """A sound image. Units: pixels of the upright picture."""

    sha256: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class ImageFault:
    """Why an image is refused; `detail` says what the branch should do."""

    code: RejectionCode
    detail: str


def inspect(reference: ImageReference, content: bytes | None, limits: FloorLimits) -> ImageFacts | ImageFault:
    """Compare an image with what the submission says of it and with the floor's limits.

    Units:   takes milliseconds, a second or more at the limits, and four bytes of memory for each pixel: never on an event
             loop, and few at a time.
    Holds:   its time is bounded by the limits: each scan of a JPEG costs a look at all pixels and next to no bytes, so
             their number is bounded as well.
    """
    name = f"image {reference.sha256[:12]}…"
    if content is None:
        return ImageFault("image_missing", f"Expected {name} in the store, found none: upload it before submitting")
    if len(content) > limits.image_bytes_max:
        return ImageFault(
            "image_too_large",
            f"Expected at most {limits.image_bytes_max} bytes, {name} has {len(content)}: scan it at 200 dpi, or save it as JPEG",
        )
    if hashlib.sha256(content).hexdigest() != reference.sha256:
        return ImageFault("image_hash_mismatch", f"Expected {name}, the store holds other bytes: upload it again")
    if len(content) != reference.size_bytes:
        return ImageFault(
            "image_hash_mismatch",
            f"Expected {name} to have {reference.size_bytes} bytes, as submitted, found {len(content)}: submit its true size",
        )
    if reference.media_type not in limits.image_types:
        return _other_type(reference.media_type, limits, name)
    return _inspect_form(reference, content, limits, name)


def _inspect_form(reference: ImageReference, content: bytes, limits: FloorLimits, name: str) -> ImageFacts | ImageFault:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a file that is odd; the limits below are stricter
            with Image.open(io.BytesIO(content), formats=_formats(limits)) as image:
                media_type, (width, height) = Image.MIME.get(image.format or "", "unknown"), image.size
                if media_type != reference.media_type:
                    return ImageFault(
                        "image_type", f"Expected {name} to be {reference.media_type}, as submitted, found {media_type}"
                    )
                if width * height > limits.image_pixels_max:
                    return _too_many(limits.image_pixels_max, name, (width, height))
                if getattr(image, "n_frames", 1) > 1:
                    return ImageFault("image_type", f"Expected {name} to be one picture, found several: scan one page")
                if image.format == "JPEG" and content.count(_SCAN) > SCANS_MAX:
                    return ImageFault(
                        "image_unreadable",
                        f"Expected at most {SCANS_MAX} scans in {name}, found {content.count(_SCAN)}: save it as a baseline JPEG",
                    )
                image.verify()  # a PNG's checksums, which decoding passes over
            width, height = upright_size((width, height), _decode(content, limits))
    except UNREADABLE as error:
        if isinstance(error, Image.DecompressionBombError) and (head := very_large(content)) is not None:
            return _too_many(min(limits.image_pixels_max, PILLOW_PIXELS_MAX), name, head.size)
        return ImageFault(
            "image_unreadable",
            f"Expected {name} to be readable as {' or '.join(limits.image_types)}, found {_said(error)}: scan the page again",
        )
    return ImageFacts(reference.sha256, width, height)


def _other_type(media_type: str, limits: FloorLimits, name: str) -> ImageFault:
    return ImageFault("image_type", f"Expected {name} to be one of {', '.join(limits.image_types)}, found {media_type}")


def _too_many(most: int, name: str, size: tuple[int, int]) -> ImageFault:
    width, height = size
    return ImageFault(
        "image_too_many_pixels",
        f"Expected at most {most} pixels, {name} has {width}×{height}: scan it at 200 dpi",
    )


def very_large(content: bytes) -> Head | None:
    """What the head says of a PNG or JPEG that Pillow does not open, for its size; `None` when it is neither."""
    for form in (PngImageFile, JpegImageFile):
        try:
            with form(io.BytesIO(content)) as image:
                return Head(Image.MIME[form.format], image.size)
        except UNREADABLE:
            continue
    return None


def _said(error: Exception) -> str:
    """What Pillow found, without its objects' addresses: a receipt is the same whenever its submission is read again."""
    return "another form, or a broken head" if isinstance(error, UnidentifiedImageError) else str(error)


def _decode(content: bytes, limits: FloorLimits) -> int:
    """Decode all of the picture, a JPEG at an eighth of its size. Returns its orientation.

    Errors:  `UNREADABLE`, when it breaks off or makes no sense.
    """
    with Image.open(io.BytesIO(content), formats=_formats(limits)) as image:
        image.draft("L", (1, 1))
        image.load()
        return orientation_of(image, UNREADABLE)


def _formats(limits: FloorLimits) -> list[str]:
    """Only the parsers of the allowed types ever see a branch's bytes: each other one is a door for nothing."""
    Image.init()
    return [form for form, media_type in Image.MIME.items() if media_type in limits.image_types]
