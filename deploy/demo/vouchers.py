"""Drawing vouchers: the fields of a process template with values in them, in print and in something like handwriting."""

from __future__ import annotations

import io
import random
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final

from PIL import Image, ImageDraw, ImageFilter, ImageFont

from shared.contracts.reference import BusinessType, TemplateField

WIDTH: Final = 1000
HEIGHT: Final = 600
PAPER: Final = 244
INSET: Final = 12  # between a box and its first letter; what a wandering hand may use up
SIZE_MIN: Final = 10
DOTS: Final = 120
DOTS_BAD: Final = 1400
PRINTED: Final = 0.3
BAD_SCANS: Final = 0.04
TILT_MAX: Final = 0.4  # degrees: a slice still shows its whole field
NAMES: Final = (
    "Orient Trading",
    "Blue River Steel",
    "Jade Logistics",
    "Harvest Foods",
    "North Star Textiles",
    "Lotus Med",
    "Golden Loom",
    "Huangpu Marine",
)
PURPOSES: Final = ("goods", "rent March", "salaries", "freight", "invoice 2207", "advance", "loan interest")
CHANGES: Final = ("new address", "new phone", "new signatory", "close sub account", "English statement")


@dataclass(frozen=True, slots=True)
class Voucher:
    """A drawn voucher and what really stands in its fields. `bad_scan`: people misread it, and misread it alike."""

    png: bytes
    values: dict[str, str]
    bad_scan: bool


@dataclass(frozen=True, slots=True)
class Hand:
    """How a person, or a printer, writes.

    Units:   `size`, `wobble`, `gap` in pixels; `slant` in hundredths of a pixel to the right per pixel upward; `drift`
             in pixels down per letter; `ink` from the darkest to the palest grey.
    """

    size: int
    slant: int = 0
    wobble: int = 0
    drift: float = 0.0
    gap: int = 1
    ink: tuple[int, int] = (35, 35)


@dataclass(frozen=True, slots=True)
class Stroke:
    """One letter at its place. Units: pixels from the page's upper left corner."""

    letter: str
    x: int
    y: int
    size: int
    grey: int


@dataclass(frozen=True, slots=True)
class Box:
    """Where a field stands on the page. Units: pixels."""

    left: int
    top: int
    right: int
    lower: int


# ------------------------------------------------------------------- values


def amount_minor(draw: random.Random) -> int:
    """A business amount in minor units: mostly small, sometimes of the large-value tiers."""
    low, high = draw.choices(
        ((1_000_00, 49_000_00), (51_000_00, 490_000_00), (510_000_00, 4_900_000_00), (5_100_000_00, 9_000_000_00)),
        weights=(62, 28, 8, 2),
    )[0]
    return draw.randrange(low, high)


def value_for(field: TemplateField, draw: random.Random) -> str:
    """What stands in a field: after its form, and among texts after its name."""
    match field.form:
        case "amount":
            minor = amount_minor(draw)
            return f"{minor // 100}.{minor % 100:02d}"
        case "account":
            return f"6222{draw.randrange(10**12):012d}"
        case "date":
            return f"2026-03-{draw.randrange(1, 29):02d}"
        case "text" | "choice":
            return draw.choice({"purpose": PURPOSES, "change": CHANGES}.get(field.name, NAMES))


def misread(value: str, draw: random.Random) -> str:
    """A typical keying error: a digit mistaken, two letters swapped, one lost. Never the value itself."""
    if len(value) < 3:
        return value + "0"
    at = draw.randrange(len(value) - 1)
    kind = draw.random()
    naught = "." in value[:at] and not value[at:].strip("0")  # lost, it would leave the amount as it is
    if value[at].isdigit() and (kind < 0.5 or naught):
        return value[:at] + str((int(value[at]) + draw.choice((1, 3, 5))) % 10) + value[at + 1 :]
    if kind < 0.8 and value[at].casefold() != value[at + 1].casefold():
        return value[:at] + value[at + 1] + value[at] + value[at + 2 :]
    return value[:at] + value[at + 1 :]


# ------------------------------------------------------------------ writing


def hand_of(draw: random.Random) -> Hand:
    """Whoever filled the form in: a printer, or a person with a slant and a temper of their own."""
    if draw.random() < PRINTED:
        return Hand(size=28)
    darkest = draw.randrange(15, 60)
    return Hand(
        size=draw.randrange(26, 33),
        slant=draw.randrange(-5, 30, 5),
        wobble=draw.randrange(1, 4),
        drift=draw.uniform(-0.25, 0.25),
        gap=draw.randrange(0, 4),
        ink=(darkest, darkest + draw.randrange(20, 60)),
    )


def box_of(field: TemplateField) -> Box:
    """The field's area on the page."""
    left, top = int(field.area.left * WIDTH), int(field.area.top * HEIGHT)
    return Box(left, top, left + int(field.area.width * WIDTH), top + int(field.area.height * HEIGHT))


def lay_out(value: str, box: Box, hand: Hand, draw: random.Random) -> list[Stroke]:
    """Every letter of a value at its place inside the box; a long value is written smaller, never cut."""
    size = hand.size
    while size > SIZE_MIN and _length(value, hand, size) > box.right - box.left - 2 * INSET:
        size -= 1
    x, strokes = box.left + INSET, []
    middle = (box.top + box.lower - size) // 2
    for number, letter in enumerate(value):
        y = middle + int(hand.drift * number) + draw.randint(-hand.wobble, hand.wobble)
        strokes.append(Stroke(letter, x, y, size, draw.randint(*hand.ink)))
        x += _advance(letter, size) + draw.randint(0, hand.gap)
    return strokes


def _length(value: str, hand: Hand, size: int) -> int:
    return sum(_advance(letter, size) + hand.gap for letter in value)


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=size)


@lru_cache(maxsize=4096)
def _advance(letter: str, size: int) -> int:
    return round(_font(size).getlength(letter))


@lru_cache(maxsize=8192)
def _glyph(letter: str, size: int, slant: int) -> Image.Image:
    """A letter as a mask, leaning by the slant. The same few hundred are used again and again: they make it fast."""
    height = size + size // 2
    mask = Image.new("L", (_advance(letter, size) + size // 2, height), 0)
    ImageDraw.Draw(mask).text((0, 0), letter, fill=255, font=_font(size))
    if slant == 0:
        return mask
    lean = slant / 100
    return mask.transform(
        mask.size, Image.Transform.AFFINE, (1, lean, -lean * size, 0, 1, 0), Image.Resampling.BILINEAR
    )


# ------------------------------------------------------------------ drawing


def draw_voucher(template: BusinessType, draw: random.Random) -> Voucher:
    """One scanned voucher of a business type. The same template and chance give the same bytes."""
    values = {field.name: value_for(field, draw) for field in template.fields}
    bad = draw.random() < BAD_SCANS
    page, hand = _form(template).copy(), hand_of(draw)
    for field in template.fields:
        for stroke in lay_out(values[field.name], box_of(field), hand, draw):
            page.paste(stroke.grey, (stroke.x, stroke.y), _glyph(stroke.letter, stroke.size, hand.slant))
    return Voucher(_png(_scanned(page, bad, draw)), values, bad)


@lru_cache(maxsize=64)
def _form(template: BusinessType) -> Image.Image:
    """The empty form, as it lies at the counter."""
    page = Image.new("L", (WIDTH, HEIGHT), PAPER)
    pen = ImageDraw.Draw(page)
    pen.text((40, 24), template.label.upper(), fill=40, font=_font(34))
    pen.line((40, 76, WIDTH - 40, 76), fill=60, width=3)
    for field in template.fields:
        box = box_of(field)
        pen.text((box.left, box.top - 20), field.label, fill=110, font=_font(15))
        pen.rectangle((box.left, box.top, box.right, box.lower), outline=150)
    return page


def _scanned(page: Image.Image, bad: bool, draw: random.Random) -> Image.Image:
    """The page as the scanner gives it: dust, a little askew; a bad scan is also blurred, pale and streaked."""
    pen = ImageDraw.Draw(page)
    if bad:
        for _ in range(6):
            y = draw.randrange(HEIGHT)
            pen.line((0, y, WIDTH, y + draw.randint(-6, 6)), fill=draw.randrange(190, 225), width=2)
    for _ in range(DOTS_BAD if bad else DOTS):
        x, y = draw.randrange(WIDTH), draw.randrange(HEIGHT)
        pen.ellipse((x, y, x + draw.randrange(1, 4), y + 2), fill=draw.randrange(90, 200))
    if bad:
        page = page.filter(ImageFilter.GaussianBlur(1.6)).point(lambda grey: 90 + grey * 6 // 10)
    return page.rotate(draw.uniform(-TILT_MAX, TILT_MAX), fillcolor=236 if bad else PAPER)


def _png(page: Image.Image) -> bytes:
    out = io.BytesIO()
    page.save(out, "PNG", compress_level=1)
    return out.getvalue()
