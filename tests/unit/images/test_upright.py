"""A scan that was stored on its side or in a mirror is looked at, measured and cut upright."""

from __future__ import annotations

import hashlib
import io
import random

import pytest
from PIL import Image, ImageOps
from PIL.ExifTags import Base

from shared.contracts.message import ImageReference, Region
from shared.contracts.reference import FloorLimits
from shared.images import ImageFacts, crop, inspect

LIMITS = FloorLimits(id="floor", image_pixels_max=37 * 23)
REGIONS = ((0, 0, 5, 3), (11, 7, 9, 4), (2, 20, 17, 2), (0, 0, 1, 1))


def stored(form: str, orientation: int) -> bytes:
    """A picture of which no two pixels need be alike, with what EXIF says of it."""
    image = Image.frombytes("RGB", (37, 23), random.Random(orientation).randbytes(37 * 23 * 3))
    exif = Image.Exif()
    exif[Base.Orientation] = orientation
    out = io.BytesIO()
    image.save(out, form, exif=exif)
    return out.getvalue()


def as_seen(content: bytes) -> Image.Image:
    """As every viewer shows it."""
    with Image.open(io.BytesIO(content)) as image:
        return ImageOps.exif_transpose(image).convert("RGB")


def told(content: bytes, form: str) -> ImageReference:
    digest = hashlib.sha256(content).hexdigest()
    return ImageReference(sha256=digest, media_type=f"image/{form.lower()}", size_bytes=len(content), label="voucher")


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_in_each_of_the_eight_orientations(form: str, orientation: int) -> None:
    """What the size says, what a slice shows and what a viewer shows are one picture; the limit is of what is stored."""
    content = stored(form, orientation)
    seen = as_seen(content)
    facts = inspect(told(content, form), content, LIMITS)
    assert isinstance(facts, ImageFacts)
    assert (facts.width, facts.height) == seen.size
    for x, y, width, height in REGIONS:
        if x + width > seen.width or y + height > seen.height:
            continue
        region = Region(image_sha256=facts.sha256, x=x, y=y, width=width, height=height)
        with Image.open(io.BytesIO(crop(content, region))) as piece:
            assert piece.tobytes() == seen.crop((x, y, x + width, y + height)).tobytes()
            assert not piece.getexif()
    whole = Region(image_sha256=facts.sha256, x=0, y=0, width=facts.width, height=facts.height)
    with Image.open(io.BytesIO(crop(content, whole))) as piece:
        assert piece.tobytes() == seen.tobytes()


@pytest.mark.parametrize("orientation", [0, 9, 65_535])
def test_what_is_no_orientation_turns_nothing(orientation: int) -> None:
    """As in every viewer."""
    content = stored("PNG", orientation)
    facts = inspect(told(content, "PNG"), content, LIMITS)
    assert isinstance(facts, ImageFacts)
    assert (facts.width, facts.height) == (37, 23)


def test_exif_that_cannot_be_read_turns_nothing() -> None:
    """The picture itself is sound."""
    out = io.BytesIO()
    Image.new("RGB", (37, 23)).save(out, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\x7f" + b"\x12" * 40)
    facts = inspect(told(out.getvalue(), "JPEG"), out.getvalue(), LIMITS)
    assert isinstance(facts, ImageFacts)
    region = Region(image_sha256=facts.sha256, x=30, y=20, width=7, height=3)
    assert crop(out.getvalue(), region)
