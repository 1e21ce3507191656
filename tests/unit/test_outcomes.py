"""What is no answer to a work item, whoever asks: the desk while it is in hand, controls when it arrives."""

from __future__ import annotations

import pytest

from shared.contracts.work import ArbitrationRuling, AuthorisationVerdict, KeyedValue, Outcome, Wanted
from shared.outcomes import fault_of
from tests.unit.routing.floor import order


@pytest.mark.parametrize(
    ("rekeyed", "outcome", "fault"),
    [
        (True, AuthorisationVerdict(granted=True), "Expected the amount re-keyed, found none."),
        (True, AuthorisationVerdict(granted=True, rekeyed_amount=""), "Expected the amount re-keyed, found none."),
        (True, AuthorisationVerdict(granted=True, rekeyed_amount="12.00"), None),
        (True, AuthorisationVerdict(granted=False), None),
        (False, AuthorisationVerdict(granted=True), None),
        (False, KeyedValue(value="12.00"), "Expected an outcome of form 'authorisation', found 'keyed'."),
    ],
)
def test_an_amount_is_keyed_again_where_it_is_asked_for(rekeyed: bool, outcome: Outcome, fault: str | None) -> None:
    """By whoever grants; who refuses need not."""
    assert fault_of(order(step="authorisation", rekey_amount=rekeyed), outcome) == fault


AMOUNT = Wanted(form="amount", currency="CNY")
ACCOUNT = Wanted(form="account", currency="CNY")
REMARK = Wanted(form="text", currency="CNY", may_be_blank=True)
NO_AMOUNT = "Expected an amount in CNY, found figures that are none."
BLANK = "Expected a value, found a blank."


@pytest.mark.parametrize(
    ("wanted", "value", "fault"),
    [
        (AMOUNT, "1,250.00", None),
        (AMOUNT, "1250.00.", NO_AMOUNT),
        (AMOUNT, "12.00 USD", NO_AMOUNT),
        (AMOUNT, "0.00", NO_AMOUNT),
        (AMOUNT, "", BLANK),
        (ACCOUNT, "6222", None),
        (ACCOUNT, " - ", BLANK),
        (ACCOUNT, "", BLANK),
        (REMARK, "", None),
        (None, "1250.00.", None),
    ],
)
def test_what_is_to_stand_must_be_what_its_field_is(wanted: Wanted | None, value: str, fault: str | None) -> None:
    """A ruling or a re-keyed amount that cannot stand is refused while it is in hand; an older order does not say."""
    ruled = fault_of(order(step="arbitration", wanted=wanted), ArbitrationRuling(value=value))
    assert ruled == (fault and f"{fault} Key it anew, or rule it unreadable.")
    verdict = AuthorisationVerdict(granted=True, rekeyed_amount=value)
    rekeyed = fault_of(order(step="authorisation", rekey_amount=True, wanted=wanted), verdict)
    if value:
        assert rekeyed == (fault and f"{fault} Key it anew, or refuse the case.")


@pytest.mark.parametrize("wanted", [AMOUNT, ACCOUNT, REMARK, None])
def test_a_field_may_be_ruled_unreadable(wanted: Wanted | None) -> None:
    """In so many words, never by a slip of the keys: then there is no value beside it."""
    asked = order(step="arbitration", wanted=wanted)
    assert fault_of(asked, ArbitrationRuling(value="", unreadable=True)) is None
    assert "leave one of them out" in (fault_of(asked, ArbitrationRuling(value="12.00", unreadable=True)) or "")
    refused = AuthorisationVerdict(granted=False, rekeyed_amount="smudge")
    assert fault_of(order(step="authorisation", rekey_amount=True, wanted=wanted), refused) is None


def test_whoever_keys_writes_what_they_see() -> None:
    """Two keyings that cannot stand are for the arbitrator."""
    assert fault_of(order(), KeyedValue(value="smudge")) is None
    assert fault_of(order(), KeyedValue(value="")) is None
