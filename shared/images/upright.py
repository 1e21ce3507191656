"""How a picture is to be held: scanners and telephones store it as it came and write in EXIF which way is up.

Every size and every region on the floor is of the upright picture, as whoever looks at it sees it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from PIL import Image
from PIL.ExifTags import Base
from PIL.Image import Transpose

Box = tuple[int, int, int, int]
"""Left, upper, right, lower, in pixels."""

TURNS: Final[Mapping[int, Transpose]] = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
"""What makes a picture upright, by its EXIF orientation; for 1, and for what is no orientation, nothing."""

ON_ITS_SIDE: Final = frozenset({5, 6, 7, 8})


def orientation_of(image: Image.Image, unreadable: tuple[type[Exception], ...]) -> int:
    """The EXIF orientation of a loaded picture, 1 where it says none that can be read."""
    try:
        found = image.getexif().get(Base.Orientation, 1)
    except unreadable:
        return 1
    return found if found in TURNS else 1


def upright_size(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Width and height of the upright picture, from those of the stored one."""
    width, height = size
    return (height, width) if orientation in ON_ITS_SIDE else size


def stored_box(box: Box, size: tuple[int, int], orientation: int) -> Box:
    """Where a box of the upright picture lies in the stored one, of this size."""
    left, upper, right, lower = box
    width, height = size
    if orientation in ON_ITS_SIDE:
        left, upper, right, lower = upper, left, lower, right
    if orientation in {2, 3, 7, 8}:
        left, right = width - right, width - left
    if orientation in {3, 4, 6, 7}:
        upper, lower = height - lower, height - upper
    return left, upper, right, lower


def turned(piece: Image.Image, orientation: int) -> Image.Image:
    """A piece of a stored picture, upright."""
    return piece.transpose(TURNS[orientation]) if orientation in TURNS else piece
