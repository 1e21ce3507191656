"""Vouchers show what their branch says they show."""

from __future__ import annotations

import io
import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from deploy.demo.vouchers import INSET, Hand, box_of, draw_voucher, hand_of, lay_out, misread, value_for
from shared.contracts.reference import TemplateField
from shared.keyed_values import parse_amount as amount_of
from shared.keyed_values import same
from tests.unit.demo.bank import templates

SEEDS = st.integers(0, 2**32)
FIELDS = [field for template in templates().values() for field in template.fields]


@pytest.mark.parametrize("business_type", sorted(templates()))
def test_a_voucher_is_a_readable_grey_scan_of_all_fields(business_type: str) -> None:
    """Every field of the template has a value, and the image is a grey PNG of about 1000×600."""
    template = templates()[business_type]
    voucher = draw_voucher(template, random.Random(1))
    with Image.open(io.BytesIO(voucher.png)) as page:
        assert (page.format, page.mode, page.size) == ("PNG", "L", (1000, 600))
    assert list(voucher.values) == [field.name for field in template.fields]
    assert len(voucher.png) < 200_000


def test_the_same_chance_draws_the_same_bytes() -> None:
    """A voucher follows from template and seed; another seed gives another one."""
    template = templates()["corporate-transfer"]
    first, again, other = (draw_voucher(template, random.Random(seed)) for seed in (7, 7, 8))
    assert first == again
    assert first.png != other.png


@given(seed=SEEDS, field=st.sampled_from(FIELDS))
@settings(max_examples=100)
def test_what_is_drawn_is_the_value_letter_by_letter(seed: int, field: TemplateField) -> None:
    """The strokes of a field spell its value from left to right, all inside the field's box: nothing is cut."""
    draw = random.Random(seed)
    value, hand, box = value_for(field, draw), hand_of(draw), box_of(field)
    strokes = lay_out(value, box, hand, draw)
    assert "".join(stroke.letter for stroke in strokes) == value
    assert all(one.x <= other.x for one, other in itertools.pairwise(strokes))
    assert all(box.left <= stroke.x and stroke.x + stroke.size // 2 <= box.right for stroke in strokes)
    assert all(box.top <= stroke.y and stroke.y + stroke.size <= box.lower for stroke in strokes)


def test_a_long_value_is_written_smaller() -> None:
    """A value that is too long for its box shrinks until it fits."""
    box = box_of(templates()["corporate-transfer"].fields[0])
    strokes = lay_out("W" * 30, box, Hand(size=30), random.Random(1))
    assert strokes[-1].x + strokes[-1].size <= box.right - INSET + strokes[-1].size
    assert strokes[0].size < 30


def test_the_ink_is_where_the_field_is() -> None:
    """The slice that an operator will be shown holds dark ink; the empty right margin holds next to none."""
    template = templates()["corporate-transfer"]
    with Image.open(io.BytesIO(draw_voucher(template, random.Random(3)).png)) as page:
        for field in template.fields:
            box = box_of(field)
            inside = page.crop((box.left + 4, box.top + 6, box.right - 4, box.lower - 6))
            assert sum(inside.histogram()[:100]) > 100
        margin = page.crop((970, 0, 1000, 600))
        assert sum(margin.histogram()[:100]) < 60


@pytest.mark.long
def test_some_scans_are_bad() -> None:
    """A few of a hundred scans are bad ones, and most are not."""
    template, draw = templates()["account-maintenance"], random.Random(5)
    bad = sum(draw_voucher(template, draw).bad_scan for _ in range(150))
    assert 1 <= bad <= 20


@given(seed=SEEDS, field=st.sampled_from(FIELDS))
@settings(max_examples=100)
def test_a_misreading_is_never_the_value(seed: int, field: TemplateField) -> None:
    """What somebody misreads differs from the value also by the floor's own rule of sameness."""
    draw = random.Random(seed)
    value = value_for(field, draw)
    assert not same(field.form, value, misread(value, draw), "CNY")


@given(seed=SEEDS)
@settings(max_examples=50)
def test_amounts_on_vouchers_are_amounts_to_the_floor(seed: int) -> None:
    """The floor reads every drawn amount as a positive one."""
    field = next(field for field in FIELDS if field.form == "amount")
    assert amount_of(value_for(field, random.Random(seed)), "CNY")
