"""People err at the published rates, alike on bad scans, and catch most of what others did wrong."""

from __future__ import annotations

import random
from typing import Any

import pytest

from deploy.demo.judgement import ERROR_RATE, WEAK_ERROR_RATE, outcome, read, slip
from deploy.demo.truth import UNKNOWN, Document, Truth
from deploy.demo.vouchers import misread
from services.routing.workbench.views import CompleteBody
from shared.keyed_values import parse_amount
from shared.runtime.processor import derived_id

GOOD = Document(
    {"amount": "1234.50", "payee-name": "Lotus Med"}, {"amount": "1284.50"}, bad_scan=False, amount="1234.50"
)
BAD = Document(GOOD.values, GOOD.illusion, bad_scan=True, amount="1234.50")
STEPS = ("entry", "arbitration", "inspection", "review", "authorisation")


def item(step: str, **more: Any) -> dict[str, Any]:
    """A work item as `GET /next` shows it."""
    return {"step": step, "field": "amount", "shown": [], "rekey_amount": False, **more}


def shown(value: str) -> dict[str, Any]:
    """A review item that shows one amount."""
    return item("review", field=None, shown=[{"name": "amount", "values": [value]}])


def errors(document: Document, rate: float, count: int) -> list[str]:
    """What is misread in so many readings."""
    draw = random.Random(1)
    readings = [read(document, "amount", rate, draw) for _ in range(count)]
    assert all(reading.right == (reading.value == "1234.50") for reading in readings)
    return [reading.value for reading in readings if not reading.right]


def test_a_good_operator_errs_22_times_in_10_000() -> None:
    """Between 15 and 30 of 10,000 fields keyed once are wrong."""
    assert 15 <= len(errors(GOOD, ERROR_RATE, 10_000)) <= 30


def test_a_weak_operator_errs_at_several_percent() -> None:
    """About four of a hundred."""
    assert 300 <= len(errors(GOOD, WEAK_ERROR_RATE, 10_000)) <= 500


def test_a_bad_scan_makes_people_err_alike() -> None:
    """On a bad scan a quarter is misread, and most of it to the same value, which double keying cannot find."""
    wrong = errors(BAD, ERROR_RATE, 4_000)
    assert 800 <= len(wrong) <= 1200
    assert wrong.count("1284.50") > len(wrong) / 2


@pytest.mark.parametrize("step", STEPS)
def test_every_outcome_is_one_that_the_workbench_takes(step: str) -> None:
    """Whatever people make of an item, also of one from outside this world, is a lawful completion."""
    for document in (GOOD, BAD, UNKNOWN):
        for seed in range(20):
            made, _ = outcome(item(step, rekey_amount=True), document, 0.5, random.Random(seed))
            CompleteBody.model_validate({"attempt": 1, "outcome": made, "handle_seconds": 30.0})


@pytest.mark.parametrize("step", STEPS)
def test_the_same_chance_gives_the_same_outcome(step: str) -> None:
    """What a person makes of an item follows from the item and the draw."""
    first, again = (outcome(item(step), BAD, 0.5, random.Random(4)) for _ in range(2))
    assert first == again


def test_review_catches_most_wrong_fields_and_disputes_no_right_one() -> None:
    """Nine of ten wrong values are found; a right one, whatever its spelling, never is."""
    draw = random.Random(1)
    caught = sum(not outcome(shown("1284.50"), GOOD, 0, draw)[0]["passed"] for _ in range(1000))
    assert 850 <= caught <= 950
    assert all(outcome(shown("1234.50"), GOOD, 0, draw)[0]["passed"] for _ in range(200))


def test_a_failed_review_names_fields_and_a_passed_one_none() -> None:
    """The verdict and its fields agree, as controls demands."""
    for seed in range(100):
        verdict, _ = outcome(shown("1284.50"), GOOD, 0, random.Random(seed))
        assert verdict["passed"] == (not verdict["wrong_fields"])


def test_whoever_errs_where_an_amount_must_stand_keys_another_amount() -> None:
    """The desk takes nothing else: whoever swaps the point with a figure is told so and keys it anew."""
    draw = random.Random(7)
    slips = [slip("1234.50", draw) for _ in range(500)]
    assert all(parse_amount(text, "CNY") not in (None, 123_450) for text in slips)
    assert any(parse_amount(misread("1234.50", draw), "CNY") is None for _ in range(500))


def test_what_nobody_can_read_is_ruled_unreadable_and_not_granted() -> None:
    """A document that the demo does not know has nothing on it to rule or to key again."""
    draw = random.Random(1)
    assert outcome(item("arbitration"), UNKNOWN, 0, draw)[0] == {"form": "ruling", "value": "", "unreadable": True}
    assert outcome(item("authorisation", rekey_amount=True), UNKNOWN, 0, draw)[0]["granted"] is False


def test_authorisers_grant_mostly_and_re_key_only_when_asked() -> None:
    """About one in 200 is refused; the amount is re-keyed from the image, never copied from the case."""
    draw = random.Random(1)
    verdicts = [outcome(item("authorisation", rekey_amount=True), GOOD, 0, draw)[0] for _ in range(4000)]
    assert 5 <= sum(not verdict["granted"] for verdict in verdicts) <= 45
    assert {verdict["rekeyed_amount"] for verdict in verdicts} == {"1234.50"}
    assert outcome(item("authorisation"), GOOD, 0, draw)[0]["rekeyed_amount"] is None


def test_arbiters_are_nearly_always_right() -> None:
    """Fewer than one in a hundred rulings is wrong."""
    draw = random.Random(1)
    assert sum(outcome(item("arbitration"), BAD, 0.5, draw)[1] for _ in range(2000)) < 20


def test_a_step_that_nobody_knows_is_said() -> None:
    """A new step of the floor is not silently keyed as something else."""
    with pytest.raises(ValueError, match="Expected a step"):
        outcome(item("repair"), GOOD, 0, random.Random(1))


def test_the_world_knows_a_case_before_the_floor_opens_it() -> None:
    """The truth is found by the case id that follows from the submission's; a foreign case is unknown."""
    truth = Truth()
    truth.remember("s1", GOOD)
    assert truth.of(derived_id("case", "s1")) is GOOD
    assert truth.of("another") is UNKNOWN
