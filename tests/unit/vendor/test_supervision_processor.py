"""Supervision as the runtime runs it: its table, its keys, and the hop from cases to subjects."""

from __future__ import annotations

from collections import deque

import pytest

from services.vendor.supervision.processor import supervision
from services.vendor.supervision.state import Case, Score, State
from shared.contracts.message import Message
from shared.contracts.vendor import InspectionRequested, OperatorStanding
from shared.reference.board import ReferenceView
from shared.runtime.processor import Rejection
from tests.unit.vendor.vendor_floor import Bench, FakeReference, accepted, entry, inspected, judged, posted, situation

PROCESSOR = supervision()


def _stored(state: State) -> object:
    rows = PROCESSOR.table.write(state)
    return PROCESSOR.table.read("anything", {part: body for part, body in rows.items() if body is not None})


def test_cases_and_scores_come_back_from_the_table_as_they_were() -> None:
    """The tag tells which of the two a document is."""
    case = Bench("case:c1")
    case.take(accepted())
    case.take(posted(entry()))
    score = Bench("operator:ada")
    score.take(judged("w1"))
    score.take(judged("w1", "review"))
    assert _stored(case.state) == case.state
    assert _stored(score.state) == score.state


@pytest.mark.parametrize(
    ("key", "state"),
    [("case:c1", Case("c1")), ("operator:ada", Score("operator", "ada")), ("provider:x:y", Score("provider", "x:y"))],
)
def test_an_entity_without_rows_is_new(key: str, state: State) -> None:
    """The key says what it is."""
    assert PROCESSOR.table.read(key, {}) == state


def test_supervision_takes_the_kinds_of_its_rules_and_no_others() -> None:
    """Everything else on its topics is passed over undecoded."""
    assert PROCESSOR.takes == {
        "audit.result-accepted.v1",
        "audit.keying-error-found.v1",
        "audit.case-posted.v1",
        "routing.work-completed.v1",
        "vendor.keying-judged.v1",
    }


def _run(events: list[Message]) -> tuple[dict[str, State], list[Message]]:
    """Every event to its entity, and supervision's own findings back in, as the topic brings them."""
    states: dict[str, State] = {}
    waiting, facts = deque(events), list[Message]()
    while waiting:
        event = waiting.popleft()
        key = PROCESSOR.key(event) if event.kind_name() in PROCESSOR.takes else None
        if key is None:
            continue
        state = states.get(key) or PROCESSOR.table.read(key, {})
        decided = PROCESSOR.decide(state, event, situation())
        assert not isinstance(decided, Rejection)
        for fact in decided:
            assert fact.topic in PROCESSOR.outputs
            state = PROCESSOR.apply(state, fact)
            waiting.append(fact)
            facts.append(fact)
        states[key] = state
    return states, facts


def test_an_error_that_inspection_finds_reaches_the_standing_of_who_keyed_it() -> None:
    """From accepted entries over the sample and the inspector's reading to a suspension."""
    items = [f"w{number}" for number in range(8)]
    _, asked = _run([*(accepted(item) for item in items), posted(*(entry(item) for item in items))])
    orders = [fact.order for fact in asked if isinstance(fact, InspectionRequested)]
    readings: list[Message] = [inspected(order.work_item_id, "99.00") for order in orders]
    before: list[Message] = [*(accepted(item) for item in items), posted(*(entry(item) for item in items))]
    states, facts = _run([*before, *readings])
    score = states["operator:ada"]
    assert isinstance(score, Score)
    assert (score.keyed, score.errors, score.standing) == (8, 8, "suspended")
    changes = [fact.standing for fact in facts if isinstance(fact, OperatorStanding)]
    assert changes == ["probation", "allowed", "suspended"]


def test_the_fake_reference_has_what_the_real_board_has() -> None:
    """Whatever supervision reads on the fake is there on the board."""
    fake, real = FakeReference(), ReferenceView()
    assert all(type(getattr(real, name)) is type(getattr(fake, name)) for name in vars(fake))
