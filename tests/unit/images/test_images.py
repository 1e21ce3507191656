"""Images: stored by what they are, believed only after a look, never cut beyond their edge."""

from __future__ import annotations

import hashlib
import io
import random
import re
import shutil
import struct
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from shared.contracts.message import ImageReference, Region
from shared.contracts.reference import FloorLimits
from shared.images import ImageFacts, ImageFault, ImageStore, crop, inspect
from shared.images.checks import PILLOW_PIXELS_MAX, SCANS_MAX
from shared.runtime.errors import ContractError, TransientError

LIMITS = FloorLimits(id="floor")
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def picture(form: str = "PNG", size: tuple[int, int] = (40, 30), **saved: Any) -> bytes:
    """A small image in the named format."""
    out = io.BytesIO()
    Image.new("L", size, 200).save(out, form, **saved)
    return out.getvalue()


def told(content: bytes, media_type: str = "image/png") -> ImageReference:
    """What an honest branch says of the bytes."""
    digest = hashlib.sha256(content).hexdigest()
    return ImageReference(sha256=digest, media_type=media_type, size_bytes=len(content))


def chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The chunks of a PNG: name and body."""
    at = len(SIGNATURE)
    while at < len(content):
        (length,) = struct.unpack(">I", content[at : at + 4])
        yield content[at + 4 : at + 8], content[at + 8 : at + 8 + length]
        at += 12 + length


def chunk(name: bytes, body: bytes) -> bytes:
    """One PNG chunk whose checksum is right, whatever it says."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def hostile(seed: int) -> bytes:
    """A PNG with a few chunks cut, renamed, changed or added, each with a right checksum."""
    draw = random.Random(seed)
    parts = list(chunks(picture(dpi=(200, 200))))
    names = [name for name, _ in parts] + [b"PLTE", b"tRNS", b"iCCP", b"zTXt", b"gAMA", b"cHRM", b"acTL", b"fcTL"]
    for _ in range(draw.randint(1, 3)):
        at = draw.randrange(len(parts))
        name, body = parts[at]
        parts[at] = draw.choice(
            [
                (name, body[: draw.randint(0, len(body))]),
                (draw.choice(names), body),
                (name, draw.randbytes(draw.randint(0, 30))),
            ]
        )
    return SIGNATURE + b"".join(chunk(name, body) for name, body in parts)


@given(st.integers(0, 10**9))
@settings(max_examples=100)
def test_no_bytes_break_the_inspector(seed: int) -> None:
    """A branch's file is a fact or a fault, never an error that would stop reception at that record for ever."""
    content = hostile(seed)
    assert isinstance(inspect(told(content), content, LIMITS), ImageFacts | ImageFault)


@pytest.mark.parametrize("name", [b"gAMA", b"cHRM", b"pHYs", b"sRGB", b"iCCP", b"acTL", b"fcTL", b"tRNS"])
def test_an_empty_chunk_with_a_right_checksum_is_no_error(name: bytes) -> None:
    """Lengths that the file itself states are not trusted."""
    (head, *rest) = chunks(picture())
    content = SIGNATURE + b"".join(chunk(n, b) for n, b in (head, (name, b""), *rest))
    assert isinstance(inspect(told(content), content, LIMITS), ImageFacts | ImageFault)


def of_size(width: int, height: int) -> bytes:
    """A PNG whose head promises so many pixels, whatever follows."""
    (_, *rest) = chunks(picture())
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return SIGNATURE + b"".join(chunk(n, b) for n, b in ((b"IHDR", head), *rest))


def large_jpeg() -> bytes:
    """A JPEG whose head promises 60,000 × 60,000 pixels, whatever follows."""
    content = picture("JPEG")
    at = content.index(b"\xff\xc0") + 5
    return content[:at] + struct.pack(">HH", 60_000, 60_000) + content[at + 4 :]


def test_a_bomb_is_refused_by_its_head() -> None:
    """A head that promises 60,000 × 60,000 pixels is refused before any pixel is decoded."""
    content = of_size(60_000, 60_000)
    found = inspect(told(content), content, LIMITS)
    assert isinstance(found, ImageFault)
    assert found.code == "image_too_many_pixels"
    assert found.detail.startswith("Expected at most 40000000 pixels, image ")
    assert "has 60000×60000" in found.detail


def test_what_pillow_itself_does_not_open_is_told_with_its_limit() -> None:
    """A bank that allows more than it can: the receipt names what holds."""
    content = of_size(20_000, 9_000)
    most = FloorLimits(id="floor", image_pixels_max=10**9)
    found = inspect(told(content), content, most)
    assert isinstance(found, ImageFault)
    assert found.code == "image_too_many_pixels"
    assert f"at most {PILLOW_PIXELS_MAX} pixels" in found.detail


@pytest.mark.parametrize(("form", "media_type"), [("JPEG", "image/jpeg"), ("PNG", "image/png")])
def test_a_scan_that_broke_off_is_unreadable(form: str, media_type: str) -> None:
    """A true hash of half a picture: the branch is told at once, not the person who was to key it."""
    canvas = Image.effect_noise((400, 300), 90)
    stream = io.BytesIO()
    canvas.save(stream, form)
    whole = stream.getvalue()
    assert isinstance(inspect(told(whole, media_type), whole, LIMITS), ImageFacts)
    for share in (0.2, 0.5, 0.9):
        content = whole[: int(len(whole) * share)]
        found = inspect(told(content, media_type), content, LIMITS)
        assert isinstance(found, ImageFault), share
        assert found.code == "image_unreadable"


def scanned(scans: int) -> bytes:
    """A sound progressive JPEG whose second scan stands there again and again; so many scans in all."""
    stream = io.BytesIO()
    Image.effect_noise((64, 64), 90).save(stream, "JPEG", progressive=True)
    whole = stream.getvalue()
    first, second, third, *_ = (at.start() for at in re.finditer(rb"\xff\xda", whole))
    again = whole[first:second][whole[first:second].rindex(b"\xff\xc4") :] + whole[second:third]
    again = again[: again.rindex(b"\xff\xc4")]  # the table of the scan that follows
    missing = scans - whole.count(b"\xff\xda")
    return whole.removesuffix(b"\xff\xd9") + again * missing + b"\xff\xd9"


def test_a_picture_of_very_many_scans_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each costs a look at every pixel and a few bytes: of a file within all limits tens of thousands could stop intake."""
    most = scanned(SCANS_MAX)
    assert isinstance(inspect(told(most, "image/jpeg"), most, LIMITS), ImageFacts)
    monkeypatch.setattr("shared.images.checks._decode", None)
    content = scanned(SCANS_MAX + 1)
    found = inspect(told(content, "image/jpeg"), content, LIMITS)
    assert isinstance(found, ImageFault)
    assert (found.code, "51" in found.detail) == ("image_unreadable", True)


def with_pixels(data: bytes, size: tuple[int, int] = (800, 1000), interlaced: int = 0) -> bytes:
    """A grey PNG whose compressed pixels are these bytes, whatever they are; all its checksums are right."""
    head = struct.pack(">IIBBBBB", *size, 8, 0, 0, 0, interlaced)
    return SIGNATURE + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


ROWS = b"".join(b"\0" + bytes(range(200)) * 4 for _ in range(1000))


@pytest.mark.parametrize(
    "data",
    [
        b"garbage" * 50,
        b"",
        zlib.compress(ROWS[:500]),
        zlib.compress(ROWS[:-1]),
        zlib.compress(ROWS)[:-3_000],
        zlib.compress(b"\x09" + ROWS[1:]),
        zlib.compress(ROWS)[:1_000] + b"\xff" * 200 + zlib.compress(ROWS)[1_200:],
    ],
    ids=["no deflate", "nothing", "500 bytes", "a byte short", "broken off", "no such filter", "overwritten"],
)
def test_a_png_is_decoded_to_its_last_pixel(data: bytes) -> None:
    """Right checksums around pixels that cannot be had: told at the door, and not found by whoever was to key it."""
    assert isinstance(inspect(told(whole := with_pixels(zlib.compress(ROWS))), whole, LIMITS), ImageFacts)
    content = with_pixels(data)
    found = inspect(told(content), content, LIMITS)
    assert isinstance(found, ImageFault)
    assert found.code == "image_unreadable"


def test_what_is_accepted_can_be_cut() -> None:
    """An interlaced picture, one of a palette and one of 16 bits: taken in, and every slice of them can be shown."""
    pictures = [Image.new("P", (60, 40), 3), Image.new("I;16", (60, 40), 999), Image.new("RGBA", (60, 40))]
    contents = [with_pixels(zlib.compress(b"\0" * 100), (8, 8), interlaced=1)]
    for one in pictures:
        out = io.BytesIO()
        one.save(out, "PNG")
        contents.append(out.getvalue())
    for content in contents:
        reference = told(content)
        assert isinstance(inspect(reference, content, LIMITS), ImageFacts)
        assert crop(content, Region(image_sha256=reference.sha256, x=1, y=1, width=5, height=5))


def test_a_bomb_behind_a_small_head_is_not_blown_up() -> None:
    """Pixels beyond what the head promises are never inflated: it costs a small share of what inflating them would."""
    bomb = zlib.compress(bytes(100_000_000))
    content = with_pixels(bomb, (10, 10))
    begun = time.process_time()
    inspect(told(content), content, LIMITS)
    looked = time.process_time() - begun
    zlib.decompress(bomb)
    assert looked < (time.process_time() - begun - looked) / 4


def test_only_the_allowed_formats_are_parsed() -> None:
    """A TIFF is refused whatever the branch calls it: its parser never sees the bytes. Scanning it again would not help."""
    content = picture("TIFF")
    for called, code in (("image/tiff", "image_type"), ("image/png", "image_unreadable")):
        found = inspect(told(content, called), content, LIMITS)
        assert isinstance(found, ImageFault)
        assert found.code == code


def test_the_limits_themselves_are_allowed() -> None:
    """Exactly so many bytes and pixels pass; one less allowed, and the image is refused."""
    content = picture()
    exact = FloorLimits(id="floor", image_bytes_max=len(content), image_pixels_max=40 * 30)
    assert inspect(told(content), content, exact) == ImageFacts(told(content).sha256, 40, 30)
    for name, code in (("image_bytes_max", "image_too_large"), ("image_pixels_max", "image_too_many_pixels")):
        tight = exact.model_copy(update={name: getattr(exact, name) - 1})
        found = inspect(told(content), content, tight)
        assert isinstance(found, ImageFault)
        assert found.code == code


async def test_what_is_put_is_got_by_its_hash(tmp_path: Path) -> None:
    """The reference says what the bytes are; the same bytes twice are one object."""
    store = ImageStore.in_folder(tmp_path / "images")
    for form, media_type in (("PNG", "image/png"), ("JPEG", "image/jpeg")):
        content = picture(form)
        first, second = await store.put(content), await store.put(content)
        assert first == second == told(content, media_type)
        assert await store.get(first.sha256) == content
    assert len([file for file in (tmp_path / "images").rglob("*") if file.is_file()]) == 2


async def test_a_very_large_image_is_stored_without_a_word(tmp_path: Path) -> None:
    """Whether it has too many pixels is said in reception's receipt, not by a warning of Pillow's in between."""
    store = ImageStore.in_folder(tmp_path / "images")
    for content in (of_size(12_000, 12_000), of_size(20_000, 9_000)):
        assert await store.put(content) == told(content)
    content = large_jpeg()
    assert await store.put(content) == told(content, "image/jpeg")


@pytest.mark.parametrize("address", ["nonsense", "ftp://x", "s3://", "az://x", "file:///proc/none", "s3://a b"])
def test_an_address_that_names_no_store_is_told_in_a_line(address: str) -> None:
    """With the setting's name, what may stand there, and nothing of a library's inside."""
    with pytest.raises(ValueError, match="Expected OPSFLOOR_IMAGES") as refused:
        ImageStore.from_url(address)
    assert address in str(refused.value)
    assert "\n" not in str(refused.value)


async def test_an_unknown_image_is_none(tmp_path: Path) -> None:
    """Absence is an answer."""
    assert await ImageStore.from_url(f"file://{tmp_path}/images").get("0" * 64) is None
    assert await ImageStore.from_url("memory://").get("0" * 64) is None


async def test_no_image_is_stored_that_is_none(tmp_path: Path) -> None:
    """Whoever hands in a text is told, and nothing is left behind."""
    store = ImageStore.in_folder(tmp_path / "images")
    large_gif = b"GIF89a" + struct.pack("<HH", 60_000, 60_000) + b"\0\0\0;"
    for content in (b"Dear bank, please pay", large_gif):
        with pytest.raises(ContractError, match="Expected the bytes of an image"):
            await store.put(content)
    assert list((tmp_path / "images").iterdir()) == []


async def test_a_vanished_folder_is_away_not_empty(tmp_path: Path) -> None:
    """An unmounted store must not make a thousand submissions «image missing» for ever."""
    store = ImageStore.in_folder(tmp_path / "images")
    reference = await store.put(picture())
    assert store.hindrance() == ""
    shutil.rmtree(tmp_path / "images")
    with pytest.raises(TransientError):
        await store.get(reference.sha256)
    assert "the image store's folder is gone" in store.hindrance()
    assert str(tmp_path) not in store.hindrance()
    (tmp_path / "images").write_text("a file where the folder was")
    with pytest.raises(TransientError):
        await store.get(reference.sha256)


async def test_a_folder_that_held_images_is_not_made_anew(tmp_path: Path) -> None:
    """Whoever starts, or hands something in, while it is gone would make an empty one, and what waits would be rejected
    for ever; when it is back, whoever had opened the store without it goes on."""
    folder = tmp_path / "images"
    before = ImageStore.in_folder(folder)
    reference = await before.put(picture())
    folder.rename(tmp_path / "elsewhere")
    meanwhile = ImageStore.from_url(f"file://{folder}")
    for store in (before, meanwhile):
        with pytest.raises(TransientError, match="found none"):
            await store.get(reference.sha256)
        with pytest.raises(TransientError, match="put the folder back"):
            await store.put(picture("JPEG"))
    assert not folder.exists()
    (tmp_path / "elsewhere").rename(folder)
    for store in (before, meanwhile):
        assert await store.get(reference.sha256) == picture()


async def test_a_folder_that_somebody_else_fills_is_known_to_whoever_has_read_from_it(tmp_path: Path) -> None:
    """A branch system writes its images itself; and a folder in which none ever lay is made when it is missing."""
    folder, reference = tmp_path / "images", told(picture())
    assert await ImageStore.in_folder(folder).get(reference.sha256) is None
    shutil.rmtree(folder)
    reader = ImageStore.in_folder(folder)
    (folder / reference.sha256[:2]).mkdir()
    (folder / reference.sha256[:2] / reference.sha256).write_bytes(picture())
    assert await reader.get(reference.sha256) == picture()
    shutil.rmtree(folder)
    with pytest.raises(TransientError):
        await ImageStore.in_folder(folder).get(reference.sha256)
    folder.mkdir()  # a person says that its images are lost for good
    assert await ImageStore.in_folder(folder).get(reference.sha256) is None


@given(st.integers(0, 60), st.integers(0, 60), st.integers(1, 60), st.integers(1, 60))
@settings(max_examples=60)
def test_a_slice_is_its_region_or_refused(x: int, y: int, width: int, height: int) -> None:
    """Inside: exactly that many pixels. Over the edge by one: refused."""
    region = Region(image_sha256="a" * 64, x=x, y=y, width=width, height=height)
    if x + width <= 40 and y + height <= 30:
        with Image.open(io.BytesIO(crop(picture(), region))) as piece:
            assert piece.size == (width, height)
    else:
        with pytest.raises(ContractError, match="inside 40×30"):
            crop(picture(), region)


def test_a_slice_carries_nothing_of_the_whole() -> None:
    """A thumbnail, a comment or a profile in the scan's metadata would show a vendor more than the slice."""
    exif = Image.Exif()
    exif[0x010E] = "payee: Li Lei"
    content = picture("JPEG", exif=exif.tobytes(), comment=b"payee: Li Lei", icc_profile=b"payee: Li Lei")
    assert b"Li Lei" in content
    piece = crop(content, Region(image_sha256="a" * 64, x=0, y=0, width=10, height=10))
    assert {name for name, _ in chunks(piece)} == {b"IHDR", b"IDAT", b"IEND"}


@pytest.mark.parametrize(
    ("mode", "ink", "paper"),
    [
        ("L", 0, 255),
        ("1", 0, 1),
        ("I;16", 0, 65_535),
        ("RGB", (0, 0, 0), (255, 255, 255)),
        ("RGBA", (0, 0, 0, 255), (0, 0, 0, 0)),
        ("LA", (0, 255), (0, 0)),
    ],
)
def test_a_slice_shows_ink_on_paper_whatever_the_form(mode: str, ink: Any, paper: Any) -> None:
    """Sixteen bits of grey are no white sheet, and what is transparent is no black one: both keyers would see nothing."""
    page = Image.new(mode, (40, 30), paper)
    page.paste(ink, (10, 10, 30, 20))
    out = io.BytesIO()
    page.save(out, "PNG")
    content = out.getvalue()
    assert isinstance(inspect(told(content), content, LIMITS), ImageFacts)
    piece = crop(content, Region(image_sha256="a" * 64, x=5, y=5, width=10, height=10))
    with Image.open(io.BytesIO(piece)) as image:
        grey = image.convert("L")
    assert (grey.getpixel((0, 0)), grey.getpixel((9, 9))) == (255, 0)


def test_an_image_that_breaks_off_is_refused_when_it_is_cut() -> None:
    """A cut-off scan passes a look at its head; whoever asks for a slice gets a reason, not a crash."""
    content = picture("JPEG", (400, 300))
    region = Region(image_sha256="a" * 64, x=0, y=0, width=400, height=300)
    with pytest.raises(ContractError, match="to be readable"):
        crop(content[: len(content) // 2], region)
