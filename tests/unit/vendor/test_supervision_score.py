"""How judged entries move a score and a score moves a standing."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.vendor.supervision.state import Score
from shared.contracts.message import Message
from shared.contracts.vendor import EntryScored, OperatorStanding, ProviderStanding
from shared.standing import StandingView, fold_standing
from tests.support.examples import share_of
from tests.unit.vendor.vendor_floor import LIMITS, NOW, Bench, FakeReference, judged, situation


def _standings(facts: Sequence[Message]) -> list[str]:
    return [fact.standing for fact in facts if isinstance(fact, OperatorStanding | ProviderStanding)]


def _score(bench: Bench) -> Score:
    assert isinstance(bench.state, Score)
    return bench.state


def _operator(name: str = "ada") -> Bench:
    return Bench(f"operator:{name}")


def _keyed(bench: Bench, count: int, wrong: int = 0, start: int = 0) -> None:
    name = bench.key.partition(":")[2]
    for number in range(start, start + count):
        bench.take(judged(f"w{number}", subject_id=name))
        if number - start < wrong:
            bench.take(judged(f"w{number}", "review", subject_id=name))


def test_the_first_entry_publishes_the_registered_standing() -> None:
    """Ada is registered on probation, and the standing says so before anything follows from it."""
    facts = _operator().take(judged("w1"))
    assert [type(fact) for fact in facts] == [OperatorStanding, EntryScored]
    assert _standings(facts) == ["probation"]


def test_who_is_not_registered_starts_on_probation() -> None:
    """Unknown people fail closed."""
    bench = _operator("ghost")
    facts = bench.take(judged("w1", subject_id="ghost"))
    assert _standings(facts) == ["probation"]
    assert "not in the register" in _score(bench).reason


def test_probation_ends_after_enough_good_entries_with_the_sentence_why() -> None:
    """Five judged entries without an error: allowed, sampled at the allowed share."""
    bench = _operator()
    _keyed(bench, 5)
    assert _standings(bench.facts) == ["probation", "allowed"]
    last = bench.facts[-1]
    assert isinstance(last, OperatorStanding)
    assert last.inspected_share == LIMITS.allowed_inspected_share
    assert last.reason == (
        "Allowed: 5 entries judged on probation, 0 of the last 5 entries wrong (0.0%), "
        "at or below the restoring rate of 10.0%."
    )


def test_probation_lasts_while_the_error_rate_lies_above_the_restoring_rate() -> None:
    """One wrong in six is too many; one in ten is not."""
    bench = _operator()
    _keyed(bench, 9, wrong=1)
    assert _score(bench).standing == "probation"
    _keyed(bench, 1, start=9)
    assert _score(bench).standing == "allowed"


def test_nobody_is_suspended_on_thin_evidence() -> None:
    """Seven judged entries, however bad, suspend nobody; the eighth does."""
    bench = _operator("bob")
    _keyed(bench, 7, wrong=7)
    assert _score(bench).standing == "allowed"
    bench.take(judged("w7", subject_id="bob"))
    assert _score(bench).standing == "suspended"
    assert _score(bench).reason == (
        "Suspended: 7 of the last 8 entries wrong (87.5%), at or above the suspending rate of 25.0%."
    )


def test_between_the_two_rates_a_standing_stays_as_it_is() -> None:
    """Hysteresis: 20 percent suspends nobody, and restores nobody."""
    bench = _operator("bob")
    _keyed(bench, 10)
    for number in range(2):
        bench.take(judged(f"w{number}", "review", subject_id="bob"))
    assert _score(bench).standing == "allowed"
    bench.take(judged("w2", "review", subject_id="bob"))
    assert _score(bench).standing == "suspended"
    _keyed(bench, 5, start=10)
    assert _score(bench).error_rate == pytest.approx(0.2)
    assert _score(bench).standing == "suspended"


def test_a_suspension_by_the_score_ends_in_probation_and_probation_begins_anew() -> None:
    """Below the restoring rate the subject is on probation again, for another full count of entries."""
    bench = _operator("bob")
    _keyed(bench, 8, wrong=2)
    assert _score(bench).standing == "suspended"
    _keyed(bench, 14, start=8)
    assert _standings(bench.facts)[-2:] == ["suspended", "probation"]
    judged_until_now = _score(bench).judged_in_standing
    assert judged_until_now < LIMITS.probation_items
    _keyed(bench, LIMITS.probation_items - judged_until_now, start=22)
    assert _standings(bench.facts)[-1] == "allowed"


def test_a_suspension_that_a_person_registered_is_not_lifted_by_the_score() -> None:
    """Eve is suspended by the register; no number of good entries changes that."""
    bench = _operator("eve")
    _keyed(bench, 30)
    assert _standings(bench.facts) == ["suspended"]


def _registered(bench: Bench, at: datetime | None, now: datetime = NOW) -> None:
    """The register says when the subject is reinstated."""
    reference, (noun, _, name) = FakeReference(), bench.key.partition(":")
    entries: dict[str, Any] = reference.operators if noun == "operator" else reference.providers
    entries[name] = entries[name].model_copy(update={"reinstated_at": at})
    bench.at = situation(reference, now=now)


@pytest.mark.parametrize(("subject", "name"), [("operator", "bob"), ("operator", "eve"), ("provider", "swift")])
def test_a_suspension_ends_when_the_vendor_manager_says_so(subject: Literal["operator", "provider"], name: str) -> None:
    """Who is suspended gets no work, so nothing else ends it: whether the score gave it or the register. The score begins
    anew, or the next entry would suspend again; and an older word, or none, ends nothing."""
    bench = Bench(f"{subject}:{name}")
    bench.take_all([judged(f"w{n}", found, subject, name) for n in range(8) for found in ("none", "review")])
    assert _score(bench).standing == "suspended"
    for word in (None, NOW - timedelta(days=1), NOW):
        _registered(bench, word)
        assert bench.wake() == []
    _registered(bench, NOW + timedelta(seconds=1), NOW + timedelta(seconds=2))
    (told,) = bench.wake()
    assert isinstance(told, OperatorStanding | ProviderStanding)
    assert (told.standing, told.reinstated, told.inspected_share) == ("probation", True, 1.0)
    assert "by the vendor manager" in told.reason
    assert (_score(bench).keyed, _score(bench).judged_in_standing) == (0, 0)
    assert bench.wake() == []
    bench.take(judged("w9", "none", subject, name))
    assert _score(bench).standing == "probation"
    assert bench.replayed() == bench.state


def _suspended(name: str = "bob") -> Bench:
    bench = _operator(name)
    _keyed(bench, 8, wrong=8)
    assert _score(bench).standing == "suspended"
    return bench


@settings(max_examples=share_of(60))
@given(st.integers(-30, 30), st.integers(0, 30), st.integers(-30, 30))
def test_an_instant_ends_one_suspension_and_none_before_it_comes(word: int, later: int, published: int) -> None:
    """Whatever stands on the topic: not before it has come, by this clock or by that of whoever published it, not when it
    is older than the suspension, and never a second one, though this clock lies behind."""
    bench, at, now = _suspended(), NOW + timedelta(seconds=word), NOW + timedelta(seconds=later)
    _registered(bench, at, now)
    stamp = NOW + timedelta(seconds=published)
    bench.at = bench.at._replace(as_of={"reference": int(stamp.timestamp() * 1000)})
    assert bool(bench.wake()) is (0 < word <= max(later, published))
    _keyed(bench, 8, wrong=8, start=20)
    assert _score(bench).standing == "suspended"
    assert bench.wake() == []


def test_an_instant_still_to_come_does_not_undo_what_follows() -> None:
    """An instant of tomorrow once lifted every suspension of today, moments after it was given."""
    bench = _suspended()
    _registered(bench, NOW + timedelta(days=1))
    assert bench.wake() == []
    assert _score(bench).standing == "suspended"
    bench.at = bench.at._replace(now=NOW + timedelta(days=1))
    assert len(bench.wake()) == 1


def test_who_is_in_no_register_stays_suspended() -> None:
    """Nobody can say that they are reinstated."""
    bench = _operator("ghost")
    _keyed(bench, 8, wrong=8)
    assert _score(bench).standing == "suspended"
    assert bench.wake() == []


def test_an_error_of_one_work_item_counts_once_whoever_finds_it() -> None:
    """Arbitration and inspection finding the same error is one error."""
    bench = _operator()
    bench.take_all([judged("w1"), judged("w1", "arbitration")])
    assert bench.take(judged("w1", "inspection")) == ()
    assert bench.take(judged("w1", "arbitration")) == ()
    assert (_score(bench).keyed, _score(bench).errors) == (1, 1)


def test_an_error_of_an_entry_outside_the_window_changes_nothing() -> None:
    """What the score no longer looks back on is not held against anybody."""
    bench = _operator()
    _keyed(bench, 21)
    assert _score(bench).keyed == 20
    assert bench.take(judged("w0", "review")) == ()
    assert len(bench.take(judged("w1", "review"))) == 1


def test_a_provider_is_scored_like_an_operator_and_published_under_its_own_key() -> None:
    """The provider's window counts the entries of all its people."""
    bench = Bench("provider:swift")
    for number in range(8):
        bench.take(judged(f"w{number}", subject="provider", subject_id="swift"))
        bench.take(judged(f"w{number}", "review", subject="provider", subject_id="swift"))
    assert _standings(bench.facts) == ["allowed", "suspended"]
    assert bench.facts[-1].key == "provider:swift"


_JUDGEMENTS = st.lists(
    st.tuples(st.integers(0, 30), st.sampled_from(["none", "none", "arbitration", "review", "inspection"])),
    max_size=60,
)


@settings(max_examples=share_of(60))
@given(_JUDGEMENTS, st.sampled_from(["ada", "bob", "eve"]))
def test_a_score_is_the_fold_of_its_facts_and_counts_nothing_twice(steps: list[tuple[int, str]], operator: str) -> None:
    """Replay, idempotence, and the published figures are those of the window."""
    bench = Bench(f"operator:{operator}")
    for number, found_by in steps:
        event = judged(f"w{number}", found_by, subject_id=operator)  # type: ignore[arg-type]  # drawn from the literal
        facts = bench.take(event)
        for fact in facts:
            if isinstance(fact, EntryScored):
                assert (fact.keyed, fact.errors) == (_score(bench).keyed, _score(bench).errors)
        after = bench.state
        assert list(bench.take(event)) == []
        assert bench.state == after
    score = _score(bench)
    assert bench.replayed() == score
    assert score.keyed <= LIMITS.score_window
    assert len({e.work_item_id for e in score.entries}) == score.keyed
    changes = _standings(bench.facts)
    assert all(one != other for one, other in itertools.pairwise(changes))


def test_the_standing_view_follows_the_topic_and_a_tombstone_restores_the_initial_standing() -> None:
    """Routing reads what supervision published last, or else what the register says."""
    view = StandingView()
    bench = Bench("operator:bob", situation(FakeReference()))
    _keyed(bench, 8, wrong=8)
    for fact in bench.facts:
        fold_standing(view, fact.key, fact)
    assert view.operator("bob", "allowed") == "suspended"
    assert view.operator("ada", "probation") == "probation"
    assert view.provider("swift", "allowed") == "allowed"
    fold_standing(view, "operator:bob", None)
    assert view.operator("bob", "allowed") == "allowed"
