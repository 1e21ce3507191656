"""An operator sees exactly the slice of the item in hand; a vendor's operator no whole image by any route."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from services.routing.desk.state import DeskItem, ItemPhase
from services.routing.eligibility import Rulebook
from services.routing.workbench.decide import Seat, held, slice_of, whole_image_of
from services.routing.workbench.slices import SliceCutter
from shared.contracts.message import Region
from shared.runtime.processor import Rejection
from tests.unit.routing.floor import NOW, REVIEW, boards, operator, order, stand
from tests.unit.workbench.window import LATER, RESULT, SLICE, VOUCHER, VOUCHER_ID, Shelf, Window

PICTURE = "/assignment/item-1/slice"
WHOLE = f"/assignment/item-1/images/{VOUCHER_ID}"
REVIEWED: dict[str, Any] = {"step": "review", "slice": None, "field": None, "whole_images": (VOUCHER_ID,)}


@pytest.fixture
def window() -> Window:
    return Window()


def pixels(png: bytes) -> list[Any]:
    with Image.open(BytesIO(png)) as image:
        return list(image.convert("RGB").get_flattened_data())


async def test_the_slice_is_the_crop_and_nothing_else(window: Window) -> None:
    """Pixel by pixel what the item names, in its size, and the bytes hold no metadata and are not kept by caches."""
    anna = await window.in_hand()
    answer = await anna.get(PICTURE, params={"attempt": 1})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert answer.headers["cache-control"] == "no-store"
    with Image.open(BytesIO(answer.content)) as image:
        assert image.size == (SLICE.width, SLICE.height)
        assert not image.info
    expected = [
        (x * 4, y * 6, 7) for y in range(SLICE.y, SLICE.y + SLICE.height) for x in range(SLICE.x, SLICE.x + SLICE.width)
    ]
    assert pixels(answer.content) == expected


async def test_an_offer_shows_nothing_before_it_is_accepted(window: Window) -> None:
    """Offered is not in hand."""
    anna = window.client("anna")
    await anna.post("/sign-on")
    window.desks.place(order(slice=SLICE))
    answer = await anna.get(PICTURE, params={"attempt": 1})
    assert (answer.status_code, answer.json()["code"]) == (403, "not_in_hand")


async def test_a_colleague_sees_nothing_and_learns_nothing(window: Window) -> None:
    """Somebody else's item and one that does not exist are refused in the same words."""
    await window.in_hand()
    ben = window.client("ben")
    await ben.post("/sign-on")
    others = await ben.get(PICTURE, params={"attempt": 1})
    missing = await ben.get("/assignment/item-9/slice", params={"attempt": 1})
    assert others.status_code == missing.status_code == 403
    assert others.json()["detail"] == missing.json()["detail"]
    assert (await ben.get(WHOLE, params={"attempt": 1})).status_code == 403


@pytest.mark.parametrize(("attempt", "status", "code"), [(2, 409, "superseded"), (0, 422, "invalid_request")])
async def test_only_the_current_attempt_shows(window: Window, attempt: int, status: int, code: str) -> None:
    """Another attempt than the one in hand shows nothing."""
    anna = await window.in_hand()
    answer = await anna.get(PICTURE, params={"attempt": attempt})
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_the_slice_is_gone_with_the_item(window: Window) -> None:
    """After completing, and after a lease that ran out, the picture is closed."""
    anna = await window.in_hand()
    await anna.post("/assignment/item-1/complete", json=RESULT)
    assert (await anna.get(PICTURE, params={"attempt": 1})).status_code == 403
    late = Window()
    anna = await late.in_hand()
    late.desks.wait("north", LATER)
    assert (await anna.get(PICTURE, params={"attempt": 1})).status_code == 403


async def test_a_lease_that_is_over_closes_the_picture_before_the_desk_has_noticed(window: Window) -> None:
    """The face goes by the clock, too: between the lease's end and the desk's alarm nothing is shown."""
    anna = await window.in_hand()
    floor = window.desks.by_team["north"]
    floor.now = NOW.replace(year=NOW.year + 1)
    answer = await anna.get(PICTURE, params={"attempt": 1})
    assert (answer.status_code, answer.json()["code"]) == (409, "lease_over")


async def test_a_suspended_operator_sees_no_more_of_the_item_in_hand(window: Window) -> None:
    """A standing that changes closes the picture at once, before the desk has taken the item back."""
    anna = await window.in_hand()
    assert (await anna.get(PICTURE, params={"attempt": 1})).status_code == 200
    stand(window.desks.views, "operator", "anna", "suspended")
    answer = await anna.get(PICTURE, params={"attempt": 1})
    assert (answer.status_code, answer.json()["code"]) == (403, "barred")


async def test_a_reviewer_of_the_bank_sees_the_images_that_the_item_lists(window: Window) -> None:
    """The whole image, as the branch sent it, and no other image of the store."""
    window.shelf.content["b" * 64] = VOUCHER
    anna = await window.in_hand(**REVIEWED)
    assert (await anna.get("/next")).json()["whole_images"] == [VOUCHER_ID]
    answer = await anna.get(WHOLE, params={"attempt": 1})
    assert (answer.status_code, answer.content) == (200, VOUCHER)
    other = await anna.get(f"/assignment/item-1/images/{'b' * 64}", params={"attempt": 1})
    assert (other.status_code, other.json()["code"]) == (403, "not_listed")
    assert (await anna.get(PICTURE, params={"attempt": 1})).json()["code"] == "no_slice"


async def test_who_keys_a_slice_does_not_see_its_whole_image(window: Window) -> None:
    """The image behind a slice is not listed, so it is not shown, to the bank's own people either."""
    anna = await window.in_hand()
    answer = await anna.get(WHOLE, params={"attempt": 1})
    assert (answer.status_code, answer.json()["code"]) == (403, "not_listed")


VENDOR_ROUTES = [
    WHOLE,
    PICTURE,
    f"/assignment/item-1/images/{VOUCHER_ID.upper()}",
    f"/assignment/item-1/images/../../{VOUCHER_ID}",
    f"/images/{VOUCHER_ID}",
    "/item/item-1",
    "/teams/vendor",
]


def forced_into(window: Window, **changes: Any) -> None:
    """Rows as they must never be: a vendor's operator has an item in hand that lists whole images."""
    desk = window.desks.by_team["vendor"]
    work = order(**({"in_house_only": False, "slice": None, "whole_images": (VOUCHER_ID,)} | changes))
    item = DeskItem(work, 1, 1, NOW, ItemPhase.IN_HAND, (), "vera", NOW, NOW.replace(year=NOW.year + 1))
    desk.state.put_item(item)
    desk.stored |= {part: body for part, body in desk.processor.table.write(desk.state).items() if body is not None}


@pytest.mark.parametrize("path", VENDOR_ROUTES)
@pytest.mark.parametrize("in_house_only", [True, False])
async def test_a_vendor_gets_no_whole_image_by_any_route(window: Window, path: str, in_house_only: bool) -> None:
    """Even with a row that lists the image in the vendor's hand, every path refuses."""
    forced_into(window, in_house_only=in_house_only)
    answer = await window.client("vera", "vendor").get(path, params={"attempt": 1})
    assert answer.status_code >= 400
    assert answer.headers["content-type"] == "application/problem+json"


async def test_the_refusal_names_the_vendor_rule(window: Window) -> None:
    """An outside operator is told why, and the image is never fetched."""
    forced_into(window)
    answer = await window.client("vera", "vendor").get(WHOLE, params={"attempt": 1})
    assert (answer.status_code, answer.json()["code"]) == (403, "outside_provider")
    assert window.shelf.asked == 0


async def test_a_vendor_keys_a_slice(window: Window) -> None:
    """The ordinary case of an outside operator: the slice, and no image named."""
    vera = await window.in_hand("vera", "vendor", in_house_only=False)
    assert (await vera.get("/next")).json()["whole_images"] == []
    assert (await vera.get(PICTURE, params={"attempt": 1})).status_code == 200
    assert (await vera.get(WHOLE, params={"attempt": 1})).json()["code"] == "outside_provider"


async def test_a_slice_that_is_the_whole_image_is_closed_to_vendors(window: Window) -> None:
    """A region over more than half of its image would show the whole: refused outside, shown inside."""
    whole = Region(image_sha256=VOUCHER_ID, x=0, y=0, width=60, height=40)
    vera = await window.in_hand("vera", "vendor", in_house_only=False, slice=whole)
    answer = await vera.get(PICTURE, params={"attempt": 1})
    assert (answer.status_code, answer.json()["code"]) == (403, "slice_too_large")
    inside = Window()
    anna = await inside.in_hand(slice=whole)
    assert (await anna.get(PICTURE, params={"attempt": 1})).status_code == 200


@pytest.mark.parametrize(
    ("content", "region", "status", "code"),
    [
        ({}, SLICE, 404, "image_missing"),
        ({VOUCHER_ID: b"no image"}, SLICE, 409, "bad_region"),
        ({VOUCHER_ID: VOUCHER}, SLICE.model_copy(update={"width": 99}), 409, "bad_region"),
    ],
)
async def test_a_picture_that_cannot_be_cut_is_told(
    window: Window, content: dict[str, bytes], region: Region, status: int, code: str
) -> None:
    """A missing image, an unreadable one and a region outside of it are problems with their own codes."""
    anna = await window.in_hand(slice=region)
    window.shelf.content = content
    answer = await anna.get(PICTURE, params={"attempt": 1})
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_the_cache_holds_no_more_than_its_bytes() -> None:
    """Images are fetched once while they fit; the least used go first; one that is too large is never kept."""
    shelf = Shelf()
    shelf.content |= dict.fromkeys("abc", VOUCHER)
    cutter = SliceCutter(shelf, cached_bytes_max=2 * len(VOUCHER))
    for name in "aab":
        await cutter.whole(name)
    assert shelf.asked == 2
    await cutter.whole("c")
    assert cutter.cached_bytes == 2 * len(VOUCHER)
    await cutter.whole("b")
    assert shelf.asked == 3
    await cutter.whole("a")
    assert shelf.asked == 4
    tight = SliceCutter(shelf, cached_bytes_max=len(VOUCHER) - 1)
    await tight.whole("a")
    assert tight.cached_bytes == 0


PHASES = st.sampled_from(ItemPhase)
HOLDERS = st.sampled_from([None, "anna", "ben", "vera"])


@settings(max_examples=100)
@given(
    phase=PHASES,
    holder=HOLDERS,
    attempt=st.integers(1, 3),
    asked=st.integers(1, 3),
    lease_seconds=st.integers(-2, 2),
    seat=st.sampled_from([Seat("anna", "north", False), Seat("vera", "vendor", True)]),
    in_house_only=st.booleans(),
    listed=st.booleans(),
)
def test_what_is_shown_is_in_this_hand_now(
    phase: ItemPhase,
    holder: str | None,
    attempt: int,
    asked: int,
    lease_seconds: int,
    seat: Seat,
    in_house_only: bool,
    listed: bool,
) -> None:
    """Over all rows: a region is granted only in hand, to its holder, for the current attempt, under a lease that
    runs; a whole image never to an outside operator; and whatever is not granted is a refusal."""
    book = Rulebook.of(boards((operator("anna"), operator("vera", "vendor", work_types=("transfer/entry", REVIEW)))))
    work = order(in_house_only=in_house_only, slice=SLICE, whole_images=(VOUCHER_ID,) if listed else ())
    lease = NOW.replace(minute=30 + lease_seconds)
    item = DeskItem(work, 1, attempt, NOW, phase, (), holder, NOW, lease)
    now = NOW.replace(minute=30)
    lawful = (
        phase is ItemPhase.IN_HAND and holder == seat.operator_id and attempt == asked and lease_seconds > 0
    ) and not (seat.outside and (in_house_only or listed))
    assert isinstance(held(seat, item, asked, now, book), DeskItem) == lawful
    assert (slice_of(seat, item, asked, now, book) == SLICE) == lawful
    whole = whole_image_of(seat, item, VOUCHER_ID, asked, now, book)
    assert (whole == VOUCHER_ID) == (lawful and listed and not seat.outside)
    assert whole == VOUCHER_ID or isinstance(whole, Rejection)
