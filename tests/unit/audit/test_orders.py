"""What the items of a case ask for, of whom, and by when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.audit.controls.due import due_at
from services.audit.controls.orders import cut
from services.audit.controls.tiers import tier_for
from shared.contracts.audit import CaseClosed, CaseStarted, TierApplied
from shared.contracts.intake import ImageSize
from shared.contracts.message import Region
from shared.contracts.reference import SliceArea
from shared.contracts.work import DECLARED, AuthorisationVerdict
from shared.runtime.errors import InvariantError
from tests.unit.audit.floor_of_cases import MAINTENANCE, NOW, TRANSFER, VOUCHER, CaseRun, opened, started, with_amount


def test_every_keying_of_every_field_is_asked_for() -> None:
    """A case asks for each field as often as it is keyed, with its slice and nothing more of the image."""
    orders = started().case.open_items.values()
    assert sorted((order.field, order.role) for order in orders) == [
        ("account", "entry-1"),
        ("account", "entry-2"),
        ("amount", "entry-1"),
        ("amount", "entry-2"),
        ("payee", "entry-1"),
    ]
    assert all(order.slice is not None and not order.whole_images and not order.shown for order in orders)


def test_vendors_get_only_the_named_keying() -> None:
    """An item is in-house only unless the template opens this keying to vendors."""
    open_to_vendors = [order for order in started().case.open_items.values() if not order.in_house_only]
    assert [(order.field, order.role, order.data_class) for order in open_to_vendors] == [
        ("account", "entry-1", "confidential")
    ]


def test_an_item_knows_its_time() -> None:
    """An item carries its standard time and that of all later steps; the declared amount foretells the tier."""
    small = started().order("entry-1", "amount")
    assert (small.standard_seconds, small.later_seconds) == (35, 45)
    large = started(declared_amount={"amount_minor": 900_000_000, "currency": "CNY"}).order("entry-1", "amount")
    assert large.later_seconds == 45 + 2 * 30
    assert started(declared_amount=None).order("entry-1", "amount").later_seconds == 45 + 2 * 30


def test_a_slice_is_cut_in_pixels_inside_the_image() -> None:
    """Fractions become pixels of the labelled image and never reach beyond it."""
    assert cut(SliceArea(left=0.5, top=0.1, width=0.4, height=0.1), opened()) == Region(
        image_sha256=VOUCHER, x=500, y=80, width=400, height=80
    )
    edge = cut(SliceArea(left=0.99, top=0.99, width=1, height=1), opened())
    assert isinstance(edge, Region)
    assert (edge.x + edge.width, edge.y + edge.height) == (1000, 800)
    tiny = cut(
        SliceArea(left=0.9, top=0.9, width=0.001, height=0.001),
        opened(image_sizes=(ImageSize(image_sha256=VOUCHER, width=2, height=2),)),
    )
    assert isinstance(tiny, Region)
    assert (tiny.width, tiny.height) == (1, 1)


def test_no_image_to_cut_from_closes_the_case() -> None:
    """Without a measured image of the template's label nobody is shown anything: the case is closed, with reason."""
    assert cut(SliceArea(image="seal", left=0, top=0, width=1, height=1), opened()) is None
    run = started(image_sizes=())
    assert [fact.code for fact in run.of(CaseClosed)] == ["image_missing"]
    assert not run.case.open_items


def test_the_reviewer_sees_the_whole_case() -> None:
    """A review shows the whole images, every field and the declared amount, in-house only."""
    order = started().key_all().order("review-1")
    shown = {field.name: field.values for field in order.shown}
    assert shown == {
        "amount": ("12500.00",),
        "account": ("622202100112",),
        "payee": ("Li Ping",),
        DECLARED: ("12500.00 CNY",),
    }
    assert order.whole_images == (VOUCHER,)
    assert order.in_house_only
    assert order.excluded_operators == ("op-north1", "op-south1")


def test_the_amount_is_rekeyed_blind() -> None:
    """Where the tier asks for a re-keyed amount, no figure is shown to the authoriser."""
    order = with_amount("600,000.00").order("authorisation-1")
    assert order.rekey_amount
    assert order.grade_min == 2
    assert {field.name for field in order.shown} == {"account", "payee"}


def test_two_authorisers_come_from_different_teams() -> None:
    """The second authorisation is asked for after the first and excludes the first authoriser's team."""
    run = with_amount("6,000,000.00")
    assert run.order("authorisation-1").excluded_teams == ()
    assert run.order("authorisation-1").later_seconds == 30
    run.do("authorisation-1", "op-north3", AuthorisationVerdict(granted=True, rekeyed_amount="6000000"))
    second = run.order("authorisation-2")
    assert second.excluded_teams == ("north",)
    assert "op-north3" in second.excluded_operators
    assert second.later_seconds == 0


@pytest.mark.parametrize(
    ("amount", "authorisers", "grade"),
    [("49,999.99", 0, 0), ("50,000.00", 1, 1), ("499,999.99", 1, 1), ("500,000", 1, 2), ("5000000", 2, 2)],
)
def test_the_amount_chooses_the_tier(amount: str, authorisers: int, grade: int) -> None:
    """A tier's bound is exclusive."""
    [tier] = with_amount(amount).of(TierApplied)
    assert (tier.authorisers, tier.grade_min) == (authorisers, grade)


def test_no_amount_takes_the_last_tier_and_no_tiers_none() -> None:
    """Without an amount the most careful tier applies; a template without tiers asks for no authorisation."""
    assert tier_for(TRANSFER, None).authorisers == 2
    assert tier_for(MAINTENANCE, None).authorisers == 0


def test_the_template_stays_with_the_case() -> None:
    """A later change of the reference does not touch a case that runs."""
    run = started()
    run.view.business_types["transfer"] = TRANSFER.model_copy(update={"version": 4, "review": False, "tiers": ()})
    run.key_all()
    assert run.order("review-1")
    assert run.of(CaseStarted)[0].template_version == 3


def test_an_unknown_business_type_closes_the_case() -> None:
    """A business type that has vanished from the reference ends the case at once."""
    run = CaseRun()
    run.take(opened("gone"))
    assert [fact.code for fact in run.of(CaseClosed)] == ["unknown_business_type"]
    assert len(run.facts) == 1


CLOSING = TRANSFER.model_copy(update={"cut_off": "17:15", "posting_lead_seconds": 300.0})


@pytest.mark.parametrize(
    ("received", "urgent", "due"),
    [
        ((2, 0), False, (4, 2, 20)),  # 10:00 in Shanghai: the service level
        ((2, 0), True, (4, 2, 5)),
        ((9, 0), False, (4, 9, 10)),  # 17:00: capped by 17:15 less five minutes
        ((9, 10), False, (5, 9, 10)),  # 17:10: the last posting instant has come, so tomorrow's
        ((15, 59), False, (5, 9, 10)),  # 23:59
        ((16, 1), False, (4, 16, 21)),  # 00:01 of the 5th: a new day, its closing far ahead
    ],
)
def test_due(received: tuple[int, int], urgent: bool, due: tuple[int, int, int]) -> None:
    """Due is the service level, capped by the day's closing; after it, the next day's closing."""
    at = datetime(2026, 5, 4, *received, tzinfo=UTC)
    assert due_at(CLOSING, at, urgent, "Asia/Shanghai") == datetime(2026, 5, *due, tzinfo=UTC)


def test_no_closing_no_cap() -> None:
    """A template without cut-off promises its service level."""
    assert due_at(TRANSFER, NOW, False, "Asia/Shanghai") == NOW + timedelta(seconds=1200)


def test_an_impossible_time_zone_stops_the_process() -> None:
    """A time zone that does not exist is no reason to promise a wrong hour."""
    with pytest.raises(InvariantError, match="Expected an IANA time zone"):
        due_at(CLOSING, NOW, False, "Mars/Olympus")
