"""What the items of a case ask for, of whom, and by when."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.audit.controls.due import cut_off_left_seconds, due_at
from services.audit.controls.orders import cut
from services.audit.controls.tiers import tier_for
from shared.contracts.audit import CaseClosed, CaseStarted, TierApplied
from shared.contracts.intake import ImageSize
from shared.contracts.message import Region
from shared.contracts.reference import BusinessType, SliceArea
from shared.contracts.work import DECLARED, AuthorisationVerdict
from shared.runtime.errors import InvariantError
from tests.support.examples import share_of
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


@pytest.mark.parametrize(
    ("cut_off", "lead", "received", "due"),
    [
        ("00:00", 60, "2026-05-04 23:59:30", "2026-05-05 23:59:00"),
        ("00:00", 60, "2026-05-04 10:00:00", "2026-05-04 10:20:00"),
        ("00:00", 60, "2026-05-04 23:50:00", "2026-05-04 23:59:00"),
        ("00:00", 0, "2026-05-04 10:00:00", "2026-05-04 10:20:00"),
        ("00:00", 0, "2026-05-04 23:50:00", "2026-05-05 00:00:00"),
        ("00:30", 3600, "2026-05-04 23:45:00", "2026-05-05 23:30:00"),
        ("00:30", 3600, "2026-05-04 23:20:00", "2026-05-04 23:30:00"),
        ("17:15", 100_000, "2026-05-04 13:00:00", "2026-05-04 13:20:00"),
        ("17:15", 100_000, "2026-05-04 13:20:00", "2026-05-04 13:28:20"),
        ("17:15", 100_000, "2026-05-04 13:30:00", "2026-05-05 13:28:20"),
    ],
)
def test_due_at_the_edge_of_a_day(cut_off: str, lead: float, received: str, due: str) -> None:
    """A day's last posting instant is the one that lies in the day, whichever day's cut-off it goes by."""
    template = TRANSFER.model_copy(update={"cut_off": cut_off, "posting_lead_seconds": float(lead)})
    zone = ZoneInfo("Asia/Shanghai")
    at, expected = (datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC) for text in (received, due))
    assert due_at(template, at, False, "Asia/Shanghai") == expected
    assert cut_off_left_seconds(template, at, "Asia/Shanghai") == pytest.approx(
        (last_posting_on(template, at.astimezone(zone)) - at).total_seconds()
    )


def last_posting_on(template: BusinessType, at: datetime) -> datetime:
    """The last posting instant of the local day, by trying each cut-off near it."""
    lead, closing = timedelta(seconds=template.posting_lead_seconds), time.fromisoformat(template.cut_off or "")
    begin, end = (datetime.combine(at.date() + timedelta(days=days), time.min, at.tzinfo) for days in (0, 1))
    days = (begin.date() + timedelta(days=number) for number in range(-1, 10))
    instants = [datetime.combine(day, closing, at.tzinfo).astimezone(UTC) - lead for day in days]
    return max(instant for instant in instants if instant <= end)


@settings(max_examples=share_of(300))
@given(
    st.timedeltas(timedelta(0), timedelta(days=363)),
    st.times().map(lambda found: found.strftime("%H:%M")),
    st.floats(0, 300_000),
    st.floats(1, 200_000),
    st.booleans(),
    st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe"]),
)
def test_due_whatever_the_cut_off_and_the_lead(
    passed: timedelta, cut_off: str, lead: float, level: float, urgent: bool, name: str
) -> None:
    """Never before receipt; the service level while the day's last posting lies ahead, but not after it; else the next day's."""
    template = TRANSFER.model_copy(
        update={
            "cut_off": cut_off,
            "posting_lead_seconds": lead,
            "sla_seconds": level,
            "sla_urgent_seconds": level / 2,
        }
    )
    at, zone = datetime(2026, 1, 1, tzinfo=UTC) + passed, ZoneInfo(name)
    promised, last = (
        at + timedelta(seconds=level / 2 if urgent else level),
        last_posting_on(template, at.astimezone(zone)),
    )
    due = due_at(template, at, urgent, name)
    assert due > at
    if at < last:
        assert due == min(promised, last)
    else:
        assert last < due <= at + timedelta(hours=49)
        assert due in [last_posting_on(template, at.astimezone(zone) + timedelta(days=days)) for days in (1, 2)]


def test_no_closing_no_cap() -> None:
    """A template without cut-off promises its service level."""
    assert due_at(TRANSFER, NOW, False, "Asia/Shanghai") == NOW + timedelta(seconds=1200)


def test_an_impossible_time_zone_stops_the_process() -> None:
    """A time zone that does not exist is no reason to promise a wrong hour."""
    with pytest.raises(InvariantError, match="Expected an IANA time zone"):
        due_at(CLOSING, NOW, False, "Mars/Olympus")
