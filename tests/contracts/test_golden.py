"""A golden example of every kind and version: fixed files that every later version of the code must still read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from shared.contracts.message import Money, with_nul
from shared.contracts.promises import key_form
from shared.contracts.registry import CONTRACTS

GOLDEN = Path(__file__).parent / "golden"
KINDS = sorted(path.stem for path in GOLDEN.glob("*.json"))
EARLIER = sorted(
    path.stem for path in (GOLDEN / "earlier").glob("*.json")
)  # <kind>.<number>: as it stood before a change


def _keeps(golden: Any, found: Any) -> bool:
    """Whether everything that the golden example says is still said; newer optional fields may stand beside it."""
    if isinstance(golden, dict):
        return isinstance(found, dict) and all(k in found and _keeps(v, found[k]) for k, v in golden.items())
    if isinstance(golden, list):
        return isinstance(found, list) and len(golden) == len(found) and all(map(_keeps, golden, found))
    return bool(golden == found)


def test_every_kind_has_a_golden_example_and_none_is_orphaned() -> None:
    """A new kind comes with its example; an old example stays as long as records of its kind may lie about."""
    assert sorted(CONTRACTS) == KINDS, "Expected one file tests/contracts/golden/<kind>.json for every kind"


@pytest.mark.parametrize("kind", KINDS)
def test_a_golden_example_is_read_and_written_as_it_stands(kind: str) -> None:
    """Reading, writing and reading again loses and changes nothing."""
    text = (GOLDEN / f"{kind}.json").read_text("utf-8")
    message = CONTRACTS[kind].model_validate_json(text)
    written = message.model_dump_json()
    assert message.to_json() == written.encode()
    assert CONTRACTS[kind].model_validate_json(written) == message
    assert _keeps(json.loads(text), json.loads(written))


@pytest.mark.parametrize("name", EARLIER)
def test_an_example_that_was_changed_is_read_as_it_stood_before(name: str) -> None:
    """Records like it lie about: whatever was made narrower since, in code too, must take them."""
    text = (GOLDEN / "earlier" / f"{name}.json").read_text("utf-8")
    message = CONTRACTS[name.rpartition(".")[0]].model_validate_json(text)
    assert _keeps(json.loads(text), json.loads(message.model_dump_json()))


@pytest.mark.parametrize("kind", KINDS)
def test_a_golden_example_has_a_key_of_the_promised_form(kind: str) -> None:
    """The form of the key that the documents promise is the key that the code gives."""
    contract = CONTRACTS[kind]
    message = contract.model_validate_json((GOLDEN / f"{kind}.json").read_text("utf-8"))
    fields = {name: getattr(message, name) for name in contract.model_fields}
    assert key_form(contract).format(**fields) == message.key


@pytest.mark.parametrize("kind", KINDS)
def test_readers_pass_over_fields_that_they_do_not_know(kind: str) -> None:
    """A newer writer's extra field does not stop an older reader."""
    golden = json.loads((GOLDEN / f"{kind}.json").read_text("utf-8"))
    contract = CONTRACTS[kind]
    assert contract.model_validate({**golden, "field_of_the_future": 1}) == contract.model_validate(golden)


@pytest.mark.parametrize("amount", [2**63, -(2**63), 10**30])
def test_a_number_that_nobody_can_hold_is_refused(amount: int) -> None:
    """It would be read, and then stop whoever writes it out."""
    with pytest.raises(ValidationError):
        Money(amount_minor=amount, currency="CNY")
    assert Money(amount_minor=2**63 - 1, currency="CNY").amount_minor == 2**63 - 1


@pytest.mark.parametrize(
    ("body", "found"),
    [(rb'"a\u0000b"', True), (rb'"\\\u0000"', True), (rb'"\\u0000"', False), (rb'"\u0001"', False), (b"", False)],
)
def test_a_nul_is_told_from_its_escape_written_out(body: bytes, found: bool) -> None:
    """Whoever writes about the escape is not refused for it."""
    assert with_nul(body) is found
