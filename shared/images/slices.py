"""Cutting the crop that a work item names: the only part of an image that its operator sees."""

from __future__ import annotations

import io
import warnings

from PIL import Image

from shared.contracts.message import Region
from shared.images.checks import UNREADABLE
from shared.images.upright import orientation_of, stored_box, turned, upright_size
from shared.runtime.errors import ContractError


def crop(content: bytes, region: Region) -> bytes:
    """The region of the upright picture as a PNG of its own, without metadata.

    Errors:  `ContractError` when the region reaches beyond the image, or the image breaks off when it is decoded.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a file that is odd; reception took it
            return _cut(content, region)
    except UNREADABLE as error:
        raise ContractError(f"Expected image {region.image_sha256[:12]}… to be readable, found {error}") from error


def _cut(content: bytes, region: Region) -> bytes:
    with Image.open(io.BytesIO(content)) as image:
        image.load()
        orientation = orientation_of(image, UNREADABLE)
        width, height = upright_size(image.size, orientation)
        right, lower = region.x + region.width, region.y + region.height
        if right > width or lower > height:
            raise ContractError(f"Expected a region inside {width}×{height}, found one up to {right}×{lower}")
        piece = image.crop(stored_box((region.x, region.y, right, lower), image.size, orientation))
        piece = _on_paper(turned(piece, orientation))
        piece.info = {}  # Pillow would write the scan's colour profile into the slice
        out = io.BytesIO()
        piece.save(out, "PNG", compress_level=1)
        return out.getvalue()


def _on_paper(piece: Image.Image) -> Image.Image:
    """As it would look printed, in 8 bits: what is transparent is white paper, and more bits are rounded down."""
    if piece.mode.startswith("I"):  # 16 bits of grey, which a plain conversion clips at 255: a white sheet
        return piece.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    if piece.has_transparency_data:
        paper = Image.new("RGBA", piece.size, "white")
        paper.alpha_composite(piece.convert("RGBA"))
        piece = paper
    return piece.convert("L" if piece.mode in ("1", "L") else "RGB")
