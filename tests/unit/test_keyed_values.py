"""Two keyings are compared by what they mean."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.keyed_values import Form, amount_text, parse_amount, same, tidy


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("1234.5", "CNY", 123_450),
        ("1,234.50", "CNY", 123_450),
        (" ¥ 1 234.50 ", "CNY", 123_450),
        ("RMB 12.00", "CNY", 1_200),
        ("12.00 CNY", "CNY", 1_200),
        ("１２．５０", "CNY", 1_250),
        ("500", "JPY", 500),
        ("1.234", "KWD", 1_234),
        ("12.00 USD", "CNY", None),
        ("$12.00", "CNY", None),
        ("$12.00", "USD", 1_200),
        ("RMB 12.00", "JPY", None),
        ("1,23", "CNY", None),
        ("1.234", "CNY", None),
        ("0.00", "CNY", None),
        ("-5", "CNY", None),
        ("", "CNY", None),
        ("twelve", "CNY", None),
        ("1" * 16, "CNY", None),
        ("٣٤", "CNY", None),
        ("￥１２．５０", "CNY", 1_250),
        ("１，２３４．５０元", "CNY", 123_450),
        ("¥12.50元", "CNY", 1_250),
        ("100元50", "CNY", None),
        ("1,¥234", "CNY", None),
        ("12.CNY50", "CNY", None),
        ("10²", "CNY", None),
        ("10₂", "CNY", None),
        ("10②", "CNY", None),
        ("10½", "CNY", None),
        ("⒈50", "CNY", None),
    ],
)
def test_amounts(text: str, currency: str, minor: int | None) -> None:
    """An amount is positive, has no more decimals than its currency, and groups only thousands."""
    assert parse_amount(text, currency) == minor


@pytest.mark.parametrize(
    ("form", "one", "other", "alike"),
    [
        ("amount", "12,500.00", "12500", True),
        ("amount", "12,500.00", "12,500.01", False),
        ("amount", "smudge", "smudge", True),
        ("amount", "10²", "102", False),
        ("account", "６２２２", "6222", True),
        ("account", "6222²", "62222", False),
        ("account", "6222 0210-0112", "622202100112", True),
        ("account", "6222", "6223", False),
        ("text", "Li  Ping", "li ping ", True),
        ("text", "Ｌｉ Ping", "Li Ping", True),
        ("text", "Li Ping", "LiPing", False),
        ("date", "2026年5月4日", "2026-05-04", True),
        ("date", "20260504", "2026/5/4", True),
        ("date", "2026-05-04", "2026-05-05", False),
        ("choice", "Yes", "YES", True),
    ],
)
def test_same(form: Form, one: str, other: str, alike: bool) -> None:
    """Keyings that mean the same match; others do not."""
    assert same(form, one, other, "CNY") is alike


@settings(max_examples=100)
@given(st.integers(min_value=1, max_value=10**15 - 1), st.sampled_from(["CNY", "JPY", "KWD"]))
def test_amount_text_is_read_back(minor: int, currency: str) -> None:
    """What is written into the books is read as the same amount."""
    assert parse_amount(amount_text(minor, currency), currency) == minor


@pytest.mark.parametrize(
    ("currency", "minor"), [("ISK", 1_000), ("XOF", 1_000), ("CNY", 100_000), ("JOD", 1_000_000), ("CLF", 10_000_000)]
)
def test_an_amount_has_the_decimals_of_its_currency(currency: str, minor: int) -> None:
    """A thousand of each, in minor units, by ISO 4217."""
    assert parse_amount("1,000", currency) == minor


@settings(max_examples=200)
@given(st.integers(min_value=1, max_value=10**9), st.data())
def test_nothing_inside_a_figure_is_passed_over(minor: int, data: st.DataObject) -> None:
    """A mark stands beside the figure or the text is no amount: what somebody wrote into it changes what it says."""
    figure = amount_text(minor, "CNY")
    at = data.draw(st.integers(min_value=0, max_value=len(figure)))
    mark = data.draw(st.sampled_from(["¥", "￥", "元", "RMB", "CNY", "²", "₃", "④", "¾", "⑴"]))
    beside = at in (0, len(figure)) and mark in ("¥", "￥", "元", "RMB", "CNY")
    assert parse_amount(f"{figure[:at]}{mark}{figure[at:]}", "CNY") == (minor if beside else None)


@settings(max_examples=200)
@given(st.text(max_size=8))
def test_what_stands_is_an_amount_only_if_what_was_keyed_is(text: str) -> None:
    """Tidying makes no amount of what is none."""
    assert parse_amount(tidy("amount", text, "CNY"), "CNY") == parse_amount(text, "CNY")


@settings(max_examples=100)
@given(st.sampled_from(["text", "account", "amount", "date", "choice"]), st.text(max_size=30))
def test_tidying_settles(form: Form, text: str) -> None:
    """Tidying never fails, and what is tidy matches what it was made from."""
    assert same(form, text, tidy(form, text, "CNY"), "CNY") or tidy(form, text, "CNY") != text
    assert same(form, text, text, "CNY")
