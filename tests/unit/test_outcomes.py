"""What is no answer to a work item, whoever asks: the desk while it is in hand, controls when it arrives."""

from __future__ import annotations

import pytest

from shared.contracts.work import AuthorisationVerdict, KeyedValue, Outcome
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
