"""Drawing vouchers: the fields of a process template with values in them, in print and in something like handwriting."""

from __future__ import annotations

import io
import random
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from shared.contracts.reference import BusinessType, TemplateField

WIDTH: Final = 1000
HEIGHT: Final = 600
NOISE_DOTS: Final = 120
NAMES: Final = (
    "Orient Trading",
    "Blue River Steel",
    "Jade Logistics",
    "Harvest Foods",
    "North Star Textiles",
    "Lotus Med",
)
PURPOSES: Final = ("goods", "rent March", "salaries", "freight", "invoice 2207", "advance", "loan interest")
CHANGES: Final = ("new address", "new phone", "new signatory", "close sub account", "English statement")


@dataclass(frozen=True, slots=True)
class Voucher:
    """A drawn voucher and what really stands in its fields. `bad_scan`: people misread it, and misread it alike."""

    png: bytes
    values: dict[str, str]
    bad_scan: bool


@lru_cache(maxsize=16)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=size)


def amount_minor(draw: random.Random) -> int:
    """A business amount in minor units: mostly small, sometimes of the large-value tiers."""
    low, high = draw.choices(
        ((1_000_00, 49_000_00), (51_000_00, 490_000_00), (510_000_00, 4_900_000_00), (5_100_000_00, 9_000_000_00)),
        weights=(62, 28, 8, 2),
    )[0]
    return draw.randrange(low, high)


def value_for(field: TemplateField, draw: random.Random) -> str:
    """What stands in a field."""
    if field.form == "amount":
        minor = amount_minor(draw)
        return f"{minor // 100}.{minor % 100:02d}"
    if field.form == "account":
        return f"6222{draw.randrange(10**12):012d}"
    if field.name == "purpose":
        return draw.choice(PURPOSES)
    if field.name == "change":
        return draw.choice(CHANGES)
    return draw.choice(NAMES)


def draw_voucher(template: BusinessType, draw: random.Random) -> Voucher:
    """One scanned voucher of a business type."""
    page = Image.new("L", (WIDTH, HEIGHT), 246)
    pen = ImageDraw.Draw(page)
    pen.text((40, 24), template.label.upper(), fill=40, font=_font(34))
    pen.line((40, 76, WIDTH - 40, 76), fill=60, width=3)
    values = {field.name: value_for(field, draw) for field in template.fields}
    for field in template.fields:
        _draw_field(page, pen, field, values[field.name], draw)
    bad = draw.random() < 0.04
    for _ in range(NOISE_DOTS * (12 if bad else 1)):
        x, y = draw.randrange(WIDTH), draw.randrange(HEIGHT)
        pen.ellipse((x, y, x + draw.randrange(1, 4), y + 2), fill=draw.randrange(90, 200))
    out = io.BytesIO()
    page.rotate(draw.uniform(-0.4, 0.4), fillcolor=246).save(out, "PNG", compress_level=1)
    return Voucher(out.getvalue(), values, bad)


def _draw_field(
    page: Image.Image, pen: ImageDraw.ImageDraw, field: TemplateField, value: str, draw: random.Random
) -> None:
    left, top = int(field.area.left * WIDTH), int(field.area.top * HEIGHT)
    right, lower = left + int(field.area.width * WIDTH), top + int(field.area.height * HEIGHT)
    pen.text((left, top - 20), field.label, fill=110, font=_font(15))
    pen.rectangle((left, top, right, lower), outline=150)
    x = left + 12
    for letter in value:
        size = 30 + draw.randrange(-2, 3)
        pen.text((x, top + 16 + draw.randrange(-4, 5)), letter, fill=draw.randrange(20, 90), font=_font(size))
        x += int(pen.textlength(letter, font=_font(size))) + draw.randrange(0, 3)


def misread(value: str, draw: random.Random) -> str:
    """A typical keying error: a digit mistaken, two swapped, one lost."""
    if len(value) < 3:
        return value + "0"
    at = draw.randrange(len(value) - 1)
    kind = draw.random()
    if kind < 0.5 and value[at].isdigit():
        return value[:at] + str((int(value[at]) + draw.choice((1, 3, 5))) % 10) + value[at + 1 :]
    if kind < 0.8 and value[at] != value[at + 1]:
        return value[:at] + value[at + 1] + value[at] + value[at + 2 :]
    return value[:at] + value[at + 1 :]
