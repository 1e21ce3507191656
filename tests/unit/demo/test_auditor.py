"""The auditor sees every broken promise, and none where none was broken."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from deploy.demo.auditor import describe
from shared.contracts import routing
from shared.contracts.message import Money
from shared.contracts.work import Draft, KeyedValue
from shared.proof.cases import Finding
from shared.runtime.log import Record
from tests.unit.demo.bank import (
    NOON,
    Bus,
    accepted,
    case_of,
    closed,
    confirmed,
    opened,
    posted,
    rejected,
    requested,
    sent,
    took_part,
    unsigned,
    whole_case,
)


def completed(attempt: int = 1, operator_id: str = "anna") -> routing.WorkCompleted:
    """A result of one work item."""
    return routing.WorkCompleted(
        work_item_id="w1",
        case_id=case_of(),
        business_type="corporate-transfer",
        step="entry",
        role="entry-1",
        round=1,
        field="amount",
        operator_id=operator_id,
        team_id="north-entry",
        provider_id="house",
        attempt=attempt,
        command_id="c1",
        outcome=KeyedValue(value="1"),
        requested_at=NOON,
        assigned_at=NOON,
        completed_at=NOON,
        handle_seconds=30,
    )


def assigned(attempt: int, operator_id: str) -> routing.WorkAssigned:
    """An offer of the same item."""
    return routing.WorkAssigned(
        work_item_id="w1",
        case_id=case_of(),
        at=NOON,
        team_id="north-entry",
        provider_id="house",
        operator_id=operator_id,
        business_type="corporate-transfer",
        step="entry",
        attempt=attempt,
        requested_at=NOON,
        lease_until=NOON + timedelta(minutes=1),
        why="due first",
    )


def test_a_whole_day_without_a_fault_has_no_finding() -> None:
    """Posted, closed and rejected submissions, each with one end: nothing is found and the counts add up."""
    bus = Bus()
    whole_case(bus)
    bus.outside(sent("s2"))
    bus.floor(rejected("s2"))
    bus.outside(sent("s3"))
    bus.floor(accepted("s3"))
    bus.floor(opened("s3"))
    bus.floor(closed("s3"))
    assert bus.auditor.findings() == []
    assert bus.auditor.conservation() == {"submitted": 3, "rejected": 1, "posted": 1, "closed": 1, "open": 0}
    assert bus.auditor.rejections() == ["image_missing"]
    assert bus.auditor.floor_book() == {"CNY": 123_450}


def test_a_record_published_twice_is_one_record() -> None:
    """The same lane number again is dropped and counted, as every reader does; it doubles nothing."""
    bus = Bus()
    whole_case(bus)
    bus.again()
    assert bus.auditor.findings() == []
    assert bus.auditor.duplicates == 1


def test_a_conflicting_second_submission_leaves_the_first_receipt_standing() -> None:
    """A conflict receipt is no second end."""
    bus = Bus()
    whole_case(bus)
    bus.outside(sent(urgent=True))
    bus.floor(rejected(code="conflict", copy=sent(urgent=True)))
    assert bus.auditor.findings() == []
    assert bus.auditor.rejections() == []


@pytest.mark.parametrize("first", [True, False], ids=["first", "afterwards"])
def test_the_refusal_of_a_strangers_copy_is_no_end(first: bool) -> None:
    """Before the right one or after it: the submission has the end that the right one got, and the copy its receipt."""
    bus = Bus()
    if not first:
        whole_case(bus)
    bus.outside(unsigned())
    bus.floor(rejected(code="bad_signature", copy=unsigned()))
    if first:
        whole_case(bus)
    assert bus.auditor.findings() == []
    assert bus.auditor.conservation() == {"submitted": 1, "rejected": 0, "posted": 1, "closed": 0, "open": 0}


def test_what_only_strangers_sent_ended_at_the_door() -> None:
    """Nobody vouches for it: it is refused and opens nothing; with the right one on the bus it is open again."""
    bus = Bus()
    bus.outside(unsigned())
    bus.floor(rejected(code="bad_signature", copy=unsigned()))
    assert bus.auditor.findings() == []
    assert bus.auditor.rejections() == ["bad_signature"]
    bus.outside(sent())
    assert bus.auditor.conservation()["open"] == 1


def test_an_old_fact_sent_again_by_hand_is_no_new_fact() -> None:
    """A record of the floor's topics without a lane does not count."""
    bus = Bus()
    whole_case(bus)
    bus.outside(posted())
    assert bus.auditor.findings() == []


def test_what_nobody_can_read_is_not_judged() -> None:
    """A record without a kind is passed over."""
    bus = Bus()
    assert bus.auditor.take(Record("intake.case.v1", 0, 0, b"k", b"{}", (), 0)) is None
    assert bus.auditor.findings() == []


def no_receipt(bus: Bus) -> None:
    bus.outside(sent())


def no_case(bus: Bus) -> None:
    bus.outside(sent())
    bus.floor(accepted())


def no_end(bus: Bus) -> None:
    bus.outside(sent())
    bus.floor(accepted())
    bus.floor(opened())


def rejected_and_opened(bus: Bus) -> None:
    bus.outside(sent())
    bus.floor(rejected())
    bus.floor(opened())
    bus.floor(closed())


def a_forged_copy_without_a_receipt(bus: Bus) -> None:
    whole_case(bus)
    bus.outside(unsigned())


def a_conflict_alone(bus: Bus) -> None:
    bus.outside(sent())
    bus.floor(rejected(code="conflict"))


def the_right_one_refused_as_forged(bus: Bus) -> None:
    bus.outside(sent())
    bus.floor(rejected(code="bad_signature"))


def a_forged_copy_taken_in(bus: Bus) -> None:
    bus.outside(unsigned())
    bus.floor(accepted())
    bus.floor(opened())
    bus.floor(closed())


def a_forged_copy_that_took_the_id(bus: Bus) -> None:
    bus.outside(unsigned())
    bus.floor(rejected(code="bad_signature", copy=unsigned()))
    bus.outside(sent())
    bus.floor(rejected(code="conflict"))


def a_forged_copy_whose_case_was_opened(bus: Bus) -> None:
    bus.outside(unsigned())
    bus.floor(rejected(code="bad_signature", copy=unsigned()))
    bus.floor(opened())
    bus.floor(closed())


def two_receipts(bus: Bus) -> None:
    whole_case(bus)
    bus.floor(rejected())


def two_ends(bus: Bus) -> None:
    whole_case(bus)
    bus.floor(posted())


def opened_twice(bus: Bus) -> None:
    whole_case(bus)
    bus.floor(opened())


def two_cases(bus: Bus) -> None:
    whole_case(bus)
    bus.floor(opened(case_id="another"))


def asked_twice(bus: Bus) -> None:
    whole_case(bus)
    bus.floor(requested(posting_id="p2"))


def never_confirmed(bus: Bus) -> None:
    bus.outside(sent())
    bus.floor(accepted())
    bus.floor(opened())
    bus.floor(requested())
    bus.floor(posted())


def booked_twice(bus: Bus) -> None:
    whole_case(bus)
    bus.outside(confirmed(reference="CB-2"))


def closed_though_booked(bus: Bus) -> None:
    bus.outside(sent())
    bus.floor(accepted())
    bus.floor(opened())
    bus.floor(requested())
    bus.outside(confirmed())
    bus.floor(closed())


def another_amount(bus: Bus) -> None:
    bus.outside(sent())
    bus.floor(accepted())
    bus.floor(opened())
    bus.floor(requested())
    bus.outside(confirmed())
    bus.floor(posted(amount=Money(amount_minor=123_451, currency="CNY")))


def two_roles(bus: Bus) -> None:
    whole_case(bus)
    bus.floor(took_part("anna", "review", "s1/3"))


def one_item_counted_twice(bus: Bus) -> None:
    whole_case(bus)
    bus.floor(took_part("anna", "entry-1", "s1/1"))


def two_results(bus: Bus) -> None:
    bus.floor(assigned(1, "anna"))
    bus.floor(completed())
    bus.floor(completed())


def a_late_result(bus: Bus) -> None:
    bus.floor(assigned(1, "anna"))
    bus.floor(assigned(2, "ben"))
    bus.floor(completed(1, "anna"))


def a_gap(bus: Bus) -> None:
    whole_case(bus)
    bus.floor(took_part("cleo", "inspection", "s1/9"), skip=1)


DRAFT = Draft(value="12", authors=("anna",), attempt=1, revision=1, saved_at=NOON)


def saved(item: str, draft: Draft = DRAFT) -> routing.DraftSaved:
    """The desk keeps what somebody keyed of an item."""
    return routing.DraftSaved(
        team_id="north-entry",
        at=NOON,
        operator_id=draft.authors[-1],
        work_item_id=item,
        case_id=case_of(),
        draft=draft,
        command_id="c2",
    )


def released(item: str, draft: Draft = DRAFT) -> routing.WorkReleased:
    """The item goes back to placement with a draft."""
    return routing.WorkReleased(
        work_item_id=item,
        case_id=case_of(),
        at=NOON,
        team_id="north-entry",
        placing=1,
        attempt=1,
        reason="rerouted",
        draft=draft,
    )


def a_draft_at_another_item(bus: Bus) -> None:
    bus.floor(saved("w1"))
    bus.floor(released("w2"))


def a_draft_under_another_name(bus: Bus) -> None:
    bus.floor(saved("w1"))
    bus.floor(released("w1", DRAFT.model_copy(update={"authors": ("ben", "anna")})))


def a_result_that_names_no_author(bus: Bus) -> None:
    bus.floor(assigned(1, "anna"))
    bus.floor(completed().model_copy(update={"drafted_by": ("ben",)}))


def a_draft_by_somebody_with_another_role(bus: Bus) -> None:
    whole_case(bus)
    bus.floor(took_part("cleo", "review", "s1/3").model_copy(update={"drafted_by": ("anna",)}))


BROKEN: list[tuple[Callable[[Bus], None], str]] = [
    (no_receipt, "nothing lost"),
    (no_case, "nothing lost"),
    (no_end, "nothing lost"),
    (rejected_and_opened, "one end"),
    (a_forged_copy_without_a_receipt, "nothing lost"),
    (a_conflict_alone, "nothing lost"),
    (the_right_one_refused_as_forged, "vouched for"),
    (a_forged_copy_taken_in, "vouched for"),
    (a_forged_copy_that_took_the_id, "nothing lost"),
    (a_forged_copy_whose_case_was_opened, "vouched for"),
    (two_receipts, "one end"),
    (two_ends, "one end"),
    (opened_twice, "nothing doubled"),
    (two_cases, "nothing doubled"),
    (asked_twice, "posted once"),
    (never_confirmed, "posted once"),
    (booked_twice, "posted once"),
    (closed_though_booked, "posted once"),
    (another_amount, "equal books"),
    (two_roles, "segregation of duties"),
    (one_item_counted_twice, "one valid result"),
    (two_results, "one valid result"),
    (a_late_result, "one valid result"),
    (a_gap, "dense lanes"),
    (a_draft_at_another_item, "drafts apart"),
    (a_draft_under_another_name, "drafts apart"),
    (a_result_that_names_no_author, "drafts apart"),
    (a_draft_by_somebody_with_another_role, "segregation of duties"),
]


@pytest.mark.parametrize(("break_it", "promise"), BROKEN, ids=[case.__name__ for case, _ in BROKEN])
def test_each_broken_promise_is_found(break_it: Callable[[Bus], None], promise: str) -> None:
    """What goes wrong is found, under the name of the promise that it breaks."""
    bus = Bus()
    break_it(bus)
    assert promise in {finding.promise for finding in bus.auditor.findings()}


def test_a_draft_that_stays_with_its_item_is_no_finding() -> None:
    """Saved by one, carried on, finished by another who says so: counted as handed on."""
    bus = Bus()
    bus.floor(saved("w1"))
    bus.floor(released("w1"))
    bus.floor(assigned(2, "ben"))
    bus.floor(completed(2, "ben").model_copy(update={"drafted_by": ("anna",)}))
    assert bus.auditor.findings() == []
    assert bus.auditor.handed_on() == 1


def test_while_the_floor_works_an_open_case_is_no_loss() -> None:
    """Only a floor that came to rest owes every submission its end."""
    bus = Bus()
    no_end(bus)
    assert bus.auditor.findings(ended=False) == []
    assert bus.auditor.conservation()["open"] == 1


def test_findings_are_told_by_promise_with_the_first_few() -> None:
    """Many findings of one promise are counted, three are told."""
    told = describe([Finding("nothing lost", f"s{number}") for number in range(5)])
    assert told == {"nothing lost": {"count": 5, "first": ["s0", "s1", "s2"]}}
