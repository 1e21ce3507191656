"""The floor's promises over many seeded days, and each guard proved by taking it out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import pytest
import structlog

from services.audit.controls import guards as control_guards
from services.intake.reception import decide as reception
from services.intake.reception import state as reception_state
from services.intake.reception.state import Phase, Submission
from services.routing.desk import dealing
from services.routing.desk import guards as desk_guards
from shared.contracts.branch import SubmissionSent
from shared.contracts.intake import SubmissionSentBack
from shared.runtime import engine, memory_store, runner, shard
from shared.runtime.processor import Facts, Rejection, Situation
from tests.simulation.__main__ import first_day, play_many
from tests.simulation.run import KINDS, MET, Outcome, Run, play, silence

SEEDS = 500
SEEDS_FOR_A_GUARD = 250  # the rarest violation shows on one day in ten
PUBLISHING = ("publish error", "publish acknowledgement lost")  # a lane that goes on past them is seldom met among all
ROUNDS_ENOUGH = 400  # for a day to come to rest, on which nothing is lost


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    before = structlog.get_config()
    silence()
    yield
    structlog.configure(**before)


def never(*_: Any, **__: Any) -> None:
    """A guard that never objects."""


@pytest.fixture(scope="module")
def days() -> list[Outcome]:
    """Many days under every kind of fault."""
    return play_many(range(SEEDS), show=False)


@pytest.mark.timeout(1800)
def test_every_promise_holds_on_every_day(days: list[Outcome]) -> None:
    """Nothing lost, nothing doubled, one end each, dense lanes, replay equal: on every seed."""
    broken = [f"{day.command}: {day.findings[0]}" for day in days if day.findings]
    assert not broken, "\n".join(broken[:5])
    assert len(days) == SEEDS


def test_every_kind_of_fault_has_happened(days: list[Outcome]) -> None:
    """A simulation in which some fault never strikes proves nothing about it."""
    struck: Counter[str] = Counter()
    for day in days:
        struck.update(day.faults)
    assert [kind for kind in KINDS if not struck[kind]] == []


def test_trouble_meets_work_on_desks_and_in_hands(days: list[Outcome]) -> None:
    """Before the time of rest, items were placed, assigned, taken and completed: else desks would never meet a fault."""
    met: Counter[str] = Counter()
    for day in days:
        met.update(day.met)
    assert min(met[kind] for kind in MET) > len(days)


def test_drills_are_held_and_refused(days: list[Outcome]) -> None:
    """In trouble some drills run to their end, some the rest could not carry, and some find no approver in time."""
    came: Counter[str] = Counter()
    for day in days:
        came.update(day.drills)
    assert min(came["failed"] + came["unmeasured"] + came["passed"], came["refused"], came["not_held"]) > 0, came


def test_drafts_are_handed_on(days: list[Outcome]) -> None:
    """Recalls and lapsed leases take half-keyed items on, and somebody else finishes them."""
    assert sum(day.drafts_handed_on for day in days) > len(days) // 5


def test_submissions_are_sent_back_to_their_branches(days: list[Outcome]) -> None:
    """Local orders are in force while branches send, and send again."""
    assert sum(day.sent_back for day in days) > len(days) // 4


def test_copies_are_forged_before_and_after_the_right_one(days: list[Outcome]) -> None:
    """Whoever may write the branches' topic does: on most days, and at both times."""
    forged: Counter[str] = Counter()
    for day in days:
        forged.update(day.forged)
    assert min(forged["before"], forged["after"]) > len(days) // 4, forged


def test_what_goes_in_comes_out(days: list[Outcome]) -> None:
    """In = rejected + posted + closed, with nothing open at rest; and all three ends do occur."""
    total: Counter[str] = Counter()
    for day in days:
        total.update(day.conservation)
    assert total["submitted"] == total["rejected"] + total["posted"] + total["closed"]
    assert min(total["rejected"], total["posted"], total["closed"]) > 0


def test_a_seed_gives_the_same_day_again() -> None:
    """One integer draws the whole run."""
    first, second = play(7), play(7)
    assert (first.faults, first.steps, first.conservation) == (second.faults, second.steps, second.conservation)


def first_broken(
    seeds: int = SEEDS_FOR_A_GUARD,
    wanted: Callable[[Outcome], bool] = lambda day: bool(day.findings),
    kinds: Sequence[str] = KINDS,
) -> Outcome | None:
    """The first day on which a promise is broken while these kinds of fault strike."""
    return first_day(range(seeds), wanted, partial(play, kinds=kinds))


def told_anew(state: Submission, event: SubmissionSent, situation: Situation) -> Facts | Rejection:
    """What a reroute left with its branch is told to the book of orders whenever the receipt is said again."""
    again = reception.say_again(state, event, situation)
    if state.reroute_id is None or isinstance(again, Rejection):
        return again
    left = SubmissionSentBack(
        submission_id=state.submission_id,
        branch_id=state.branch_id,
        reroute_id=state.reroute_id,
        received_at=situation.now,
    )
    return (*again, left)


TOLD_ANEW = dict(reception.RULES) | {(Phase.REJECTED, SubmissionSent): told_anew}


@pytest.mark.parametrize(
    ("module", "name", "instead", "kinds"),
    [
        pytest.param(memory_store, "epoch_holds", lambda *_: True, KINDS, id="epoch condition"),
        pytest.param(shard, "duplicate_on_lane", lambda *_: False, KINDS, id="duplicate drop"),
        pytest.param(engine, "strays_from", lambda *_: "", ("stray record",), id="strays are parked"),
        pytest.param(runner, "poisoned", lambda *_: False, PUBLISHING, id="poisoned lanes"),
        pytest.param(desk_guards, "attempt_breach", never, KINDS, id="attempt number"),
        pytest.param(reception, "signed_by", lambda *_: True, KINDS, id="signature"),
        pytest.param(reception_state, "UNAUTHENTIC", frozenset(), KINDS, id="a forged copy takes no id"),
    ],
)
def test_without_the_guard_the_simulator_finds_the_violation(
    monkeypatch: pytest.MonkeyPatch, module: Any, name: str, instead: Any, kinds: Sequence[str]
) -> None:
    """Each guard is needed: without it some day breaks a promise."""
    monkeypatch.setattr(module, name, instead)
    assert first_broken(kinds=kinds) is not None


def test_the_kinds_of_fault_can_be_chosen() -> None:
    """With the guard in place a day on which publications alone fail, and so all the more often, breaks nothing."""
    days = [play(seed, kinds=PUBLISHING) for seed in range(6)]
    assert {kind for day in days for kind in day.faults} == set(PUBLISHING)
    assert [day.findings for day in days] == [[]] * len(days)


def test_without_posting_once_the_simulator_finds_the_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    """A case that is opened again while its posting is under way asks for a second one, but for the guard."""
    assert play(3, redrives_while_posting=True).findings == []
    monkeypatch.setattr(control_guards, "posting_due", lambda *_: True)
    found = play(3, redrives_while_posting=True).findings
    assert any(finding.promise == "posted once" for finding in found), found


def test_without_counting_once_the_simulator_finds_the_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    """A branch that asks again about what it was told to do itself is told the same, and the book counts it once."""
    asking = partial(play, branches_ask_again=True)
    calm = [asking(seed) for seed in range(4)]
    assert ([day.findings for day in calm], sum(day.sent_back for day in calm) > 0) == ([[]] * 4, True)
    monkeypatch.setattr(reception, "RULES", TOLD_ANEW)
    day = first_day(range(SEEDS_FOR_A_GUARD), lambda day: any(f.promise == "sent back" for f in day.findings), asking)
    assert day is not None


def test_without_segregation_of_duties_the_simulator_finds_the_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Desk and controls both keep duties apart; without either, somebody holds two roles of a case."""
    monkeypatch.setattr(dealing, "segregation_breach", never)
    monkeypatch.setattr(control_guards, "segregation_breach", never)
    day = first_broken(wanted=lambda day: any(f.promise == "segregation of duties" for f in day.findings))
    assert day is not None


def test_controls_alone_keep_duties_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """A desk that forgot its rule does no harm: controls refuse the result and ask again."""
    monkeypatch.setattr(dealing, "segregation_breach", never)
    day = first_broken(12, lambda day: any(f.promise == "segregation of duties" for f in day.findings))
    assert day is None, day


def test_a_record_that_the_bus_lost_stops_the_reader() -> None:
    """With gap detection a lost record is noticed before anything after it is read."""
    day = play(3, bus_loses_a_record=True)
    assert any("a record was lost" in finding.detail for finding in day.findings), day.findings


def test_without_gap_detection_a_lost_record_is_a_lost_submission(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the guard nobody stops, and the submission never has its end: not in the time that is enough without the loss."""
    assert play(3, rest_rounds_max=ROUNDS_ENOUGH).findings == []
    monkeypatch.setattr(shard, "gap_on_lane", lambda *_: False)
    day = play(3, bus_loses_a_record=True, rest_rounds_max=ROUNDS_ENOUGH)
    assert not any("a record was lost" in finding.detail for finding in day.findings)
    assert day.findings


def test_facts_out_of_order_are_found() -> None:
    """The judge sees two facts about one key that changed places on the bus, though no lane has a gap."""
    run = Run(3)
    assert run.play().findings == []
    places = run.stage.log.records
    place, first, second = next(
        (place, one, other)
        for place, records in sorted(places.items())
        if place[0] == "audit.case.v1"
        for one, other in zip(range(len(records)), range(1, len(records)), strict=False)
        if records[one].key == records[other].key and records[one].value != records[other].value
    )
    records = places[place]
    mine, its = records[first], records[second]
    records[first], records[second] = mine._replace(value=its.value), its._replace(value=mine.value)
    assert "order per key" in {finding.promise for finding in run._judge()}
