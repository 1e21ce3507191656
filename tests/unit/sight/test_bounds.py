"""The bounds of labels, which are declared by hand, against the contracts that the values come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import get_args

import pytest

from deploy.prometheus.instruments import Instrument, instruments
from deploy.prometheus.labels import LABELS, series_max
from services.vendor.supervision.metrics import STANDINGS
from shared.contracts import audit, intake, reroute, routing, vendor
from shared.contracts.message import Part
from shared.contracts.work import WorkOrder
from shared.runtime.metrics import begin


def _of(contract: type[Part], field: str) -> frozenset[str]:
    """The values that a field of a contract may have."""
    found = frozenset(get_args(contract.model_fields[field].annotation))
    assert found, f"Expected {contract.__name__}.{field} to be one of some words"
    return found


_STEPS = _of(WorkOrder, "step")
_STANDINGS = _of(vendor.ProviderStanding, "standing")
_REASONS = frozenset(get_args(routing.UnplaceableReason))
_EFFECTS = _of(reroute.RerouteTerms, "effect")
VALUES: Mapping[tuple[str, str], frozenset[str]] = {
    ("opsfloor_intake_receipts_total", "outcome"): frozenset({"accepted", *get_args(intake.RejectionCode)}),
    ("opsfloor_cases_total", "outcome"): _of(audit.CaseClosed, "code") | {"posted"},
    ("opsfloor_drills_total", "outcome"): frozenset(get_args(reroute.DrillResult)),
    ("opsfloor_results_refused_total", "code"): _of(audit.ResultRefused, "code"),
    ("opsfloor_core_answers_refused_total", "code"): _of(audit.PostingAnswerRefused, "code"),
    ("opsfloor_desk_commands_refused_total", "code"): _of(routing.CommandRefused, "code"),
    ("opsfloor_reroute_commands_total", "code"): _of(reroute.RerouteAnswered, "code"),
    ("opsfloor_items_released_total", "reason"): _of(routing.WorkReleased, "reason"),
    ("opsfloor_items_unplaceable_total", "reason"): _REASONS,
    ("opsfloor_unplaceable_items", "reason"): _REASONS,
    ("opsfloor_unplaceable_oldest_seconds", "reason"): _REASONS,
    ("opsfloor_plan_bound_relaxed_ratio", "reason"): _of(routing.BoundRelaxed, "reason"),
    ("opsfloor_inspections_total", "verdict"): _of(vendor.CaseAppraised, "verdict"),
    ("opsfloor_keyings_judged_total", "what"): _of(vendor.KeyingJudged, "what"),
    ("opsfloor_keyings_judged_total", "found_by"): _of(vendor.KeyingJudged, "found_by"),
    ("opsfloor_keying_errors_total", "found_by"): _of(audit.KeyingErrorFound, "found_by"),
    ("opsfloor_reroutes_total", "phase"): _of(reroute.RerouteOrder, "phase"),
}
"""What an instrument's label may say, by the contract that it is taken from."""
EVERYWHERE: Mapping[str, frozenset[str]] = {"step": _STEPS, "standing": _STANDINGS, "effect": _EFFECTS}
"""Labels that say the same wherever they are."""
OWN_WORDS = {  # counted by the code's own words: no contract says them
    ("opsfloor_assignments_total", "outcome"),
    ("opsfloor_entries_total", "outcome"),
    ("opsfloor_workbench_commands_total", "outcome"),
    ("opsfloor_workbench_images_total", "outcome"),
    ("opsfloor_workbench_images_total", "what"),
    ("opsfloor_plans_failed_total", "reason"),
    ("opsfloor_reroute_alerts_total", "outcome"),
    ("opsfloor_reviews_total", "verdict"),
}


def _worded() -> Iterator[tuple[str, str]]:
    labels = {label for _, label in VALUES}
    for each in instruments():
        yield from ((each.name, label) for label in each.labels if label in labels)


def test_no_label_of_words_goes_without_its_contract() -> None:
    """A new instrument with an outcome, a code or a reason says where its words come from."""
    assert set(_worded()) == set(VALUES) | OWN_WORDS


@pytest.mark.parametrize(("name", "label"), sorted(VALUES))
def test_a_contract_has_no_more_words_than_its_label_may_take_on(name: str, label: str) -> None:
    """Whoever adds a code to a contract raises the bound, and with it the budget of series."""
    assert len(VALUES[name, label]) <= LABELS[label].values_max


@pytest.mark.parametrize("label", sorted(EVERYWHERE))
def test_a_label_that_says_the_same_everywhere_is_bounded_exactly(label: str) -> None:
    """Steps, standings and effects."""
    assert len(EVERYWHERE[label]) == LABELS[label].values_max
    assert set(STANDINGS) == _STANDINGS


@pytest.mark.parametrize("each", [each for each in instruments() if each.form != "gauge"], ids=lambda each: each.name)
def test_what_is_there_from_the_start_is_within_the_bound(each: Instrument) -> None:
    """A process shows no more series of an instrument than the page says: not even of its 13 kinds of receipt."""
    begin("test/bounds")
    children = len(getattr(each.source, "_metrics", {}))
    if set(each.labels) & {"processor", "business_type", "team", "provider", "route"}:
        return  # what other tests have counted in this process is no floor's
    assert children * each.series_per_child <= series_max(each)
