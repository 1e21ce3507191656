"""The case API and the sentences of its timeline."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from services.audit.api import case_id_of, case_router
from services.audit.controls.metrics import ANSWERS_REFUSED, measure
from services.audit.controls.processor import controls
from services.audit.controls.state import Case, Phase, apply, empty
from services.audit.store import STATEMENTS, JournalEntry
from services.audit.timeline import _SAYINGS, sentence
from services.audit.wiring import names_in
from shared.contracts.audit import CASE as CASE_TOPIC
from shared.contracts.audit import POSTING, WORK, ResultAccepted
from shared.contracts.message import Message, Topic
from shared.contracts.registry import CONTRACTS
from shared.contracts.work import ArbitrationRuling, AuthorisationVerdict, ReviewVerdict
from shared.http.problems import install_problems
from shared.runtime.reads import named_statements
from tests.unit.audit.floor_of_cases import (
    CaseRun,
    confirmed,
    failed,
    opened,
    reference,
    result,
    run_in,
    started,
    with_amount,
)

NAMES = {"op-north1": "Chen Wei"}


class FakeCaseReads:
    """Cases and journals in memory."""

    def __init__(self, *runs: CaseRun) -> None:
        self.runs = {run.case.case_id: run for run in runs}

    async def case(self, case_id: str) -> Case | None:
        run = self.runs.get(case_id)
        return None if run is None else run.case

    async def journal(self, case_id: str) -> Sequence[JournalEntry]:
        run = self.runs[case_id]
        return [
            JournalEntry(number, run.now, fact.kind_name(), fact.model_dump(mode="json"), "cause")
            for number, fact in enumerate(run.facts, start=1)
        ]


def posted_run() -> CaseRun:
    """A posted case whose id follows from its submission, as intake's do."""
    case_id = case_id_of("submission-1")
    run = CaseRun(case=empty(case_id))
    source = run_in(Phase.POSTED)
    for fact in source.facts:
        moved = _moved(fact, case_id)
        run.case = apply(run.case, moved)
        run.facts.append(moved)
    return run


def _moved(fact: Message, case_id: str) -> Message:
    body: dict[str, Any] = fact.model_dump()
    if "order" in body:
        body["order"]["case_id"] = case_id
    else:
        body["case_id"] = case_id
    return type(fact).model_validate(body)


async def ask(path: str, *runs: CaseRun) -> httpx.Response:
    app = FastAPI()
    install_problems(app)
    app.include_router(case_router(FakeCaseReads(*runs), lambda operator: NAMES.get(operator, operator)))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://audit") as client:
        return await client.get(path)


async def test_a_case_tells_its_whole_life() -> None:
    """The answer has where the case stands and one sentence per fact, in order."""
    run = posted_run()
    body = (await ask(f"/cases/{run.case.case_id}", run)).json()
    assert (body["phase"], body["branch_id"], body["core_reference"]) == ("posted", "branch-1", "C-1")
    assert body["values"] == {"amount": "12500.00", "account": "622202100112", "payee": "Li Ping"}
    assert body["on_time"] is True
    assert [entry["number"] for entry in body["timeline"]] == list(range(1, len(run.facts) + 1))
    lines = [entry["sentence"] for entry in body["timeline"]]
    assert "Chen Wei (north) keyed amount (entry-1) in 31 s" in lines
    assert lines[-1] == "posted: 12500.00 CNY booked as C-1, on time"


async def test_a_running_case_tells_what_it_waits_for() -> None:
    """Open items stand in the answer with who may not do them."""
    run = started().key_all()
    body = (await ask("/cases/case-1", run)).json()
    [item] = body["open_items"]
    assert (item["step"], item["role"], item["excluded_operators"]) == (
        "review",
        "review-1",
        ["op-north1", "op-south1"],
    )
    assert (body["phase"], body["on_time"], body["reason"]) == ("reviewing", None, None)


async def test_a_case_closed_at_once_has_an_answer() -> None:
    """A case of an unknown business type never started, and still tells why it ended."""
    run = CaseRun()
    run.take(opened("gone"))
    body = (await ask("/cases/case-1", run)).json()
    assert (body["phase"], body["reason"], body["business_type"]) == ("closed", "unknown_business_type", "gone")


async def test_a_submission_leads_to_its_case() -> None:
    """A submission's id gives the case id, and is taken in place of it."""
    run = posted_run()
    answer = await ask("/submissions/submission-1", run)
    assert answer.json() == {"submission_id": "submission-1", "case_id": run.case.case_id}
    assert (await ask("/cases/submission-1", run)).json()["case_id"] == run.case.case_id


@pytest.mark.parametrize("path", ["/cases/nothing", "/submissions/nothing"])
async def test_what_is_unknown_is_not_found(path: str) -> None:
    """An unknown id is a problem with a remedy, not an empty case."""
    answer = await ask(path, posted_run())
    assert answer.status_code == 404
    assert "Expected" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("came", "words"),
    [(confirmed(), "an answer of the core bank"), (result(started().order("entry-1"), "op-north1"), "a result")],
)
async def test_a_case_that_nobody_opened_is_not_found(came: Message, words: str) -> None:
    """What comes under an id that is no case makes none of it."""
    run = CaseRun()
    run.take(came)
    answer = await ask("/cases/case-1", run)
    assert (answer.status_code, answer.json()["code"]) == (404, "never_opened")
    assert words in answer.json()["detail"]


async def test_a_case_of_another_submission_is_not_given_away() -> None:
    """The case under the derived id must itself name the submission."""
    run = posted_run()
    run.case = Case(run.case.case_id, submission_id="another")
    assert (await ask("/submissions/submission-1", run)).status_code == 404


def test_every_fact_of_controls_has_a_sentence() -> None:
    """Whatever controls publishes can be told."""
    topics = {topic.name for topic in controls().outputs}
    published = {contract for contract in CONTRACTS.values() if _topic_name(contract) in topics}
    assert set(_SAYINGS) == published
    assert topics == {WORK.name, CASE_TOPIC.name, POSTING.name}


def _topic_name(contract: type[Message]) -> str:
    topic = getattr(contract, "topic", None)  # a parked record has the topic of whatever could not be read
    return topic.name if isinstance(topic, Topic) else ""


def long_life() -> CaseRun:
    """A case with nearly every turn."""
    run = started(urgent=True).key_all(amount="600,000.00")
    run.do("arbitration", "op-north2", ArbitrationRuling(value="600,000.00"))
    run.do("review-1", "op-south2", ReviewVerdict(passed=False, wrong_fields=("payee",), remark="smudge"))
    run.do("arbitration-2", "op-north4", ArbitrationRuling(value="Li Bing"))
    run.do("review-2", "op-south3")
    run.do("authorisation-1", "op-north1")
    run.do("authorisation-1", "op-north7", AuthorisationVerdict(granted=True, rekeyed_amount="1.00"))
    run.do("arbitration-3", "op-north5", ArbitrationRuling(value="600,000.00"))
    run.do("review-3", "op-south4")
    run.do("authorisation-2", "op-north3", AuthorisationVerdict(granted=True, rekeyed_amount="600,000"))
    run.take(failed())
    run.take(confirmed())
    return run


@pytest.mark.parametrize(
    "line",
    [
        "the keyings of amount differ: '600,000.00' / '12,500.00'",
        "op-north2 (north) ruled on amount in 31 s",
        "amount stands as '600000.00' by arbitration",
        "arbitration found that op-south1 (south) had keyed amount wrong: '12,500.00', right is '600000.00'",
        "the review by op-south2 (south) disputes payee («smudge»)",
        "review found that Chen Wei (north) had keyed payee wrong: 'Li Ping', right is 'Li Bing'",
        "600000.00 CNY: 1 authoriser needed, grade 2 or above, re-keying the amount",
        "a result of Chen Wei (north) does not count (excluded_person): "
        "Expected one role per person on a case, found op-north1 with entry-1 and authorisation-1",
        "the authoriser re-keyed another amount: '600000.00' / '1.00'",
        "authorised by op-north3 (north), 1 of 1",
        "closed without posting (refused_by_core), on time: blocked: account blocked",
        "the core bank's answer (confirmed) does not fit (contradiction): "
        "Expected the posting refused by the core, found C-1",
    ],
)
def test_sentences(line: str) -> None:
    """The turns of a case, as an auditor reads them."""
    lines = [
        sentence(fact.kind_name(), fact.model_dump(mode="json"), lambda operator: NAMES.get(operator, operator))
        for fact in long_life().facts
    ]
    assert line in lines


def test_sentences_of_two_authorisers() -> None:
    """A tier of two tells its conditions."""
    [tier] = [fact for fact in with_amount("6,000,000.00").facts if fact.kind_name() == "audit.tier-applied.v1"]
    assert sentence(tier.kind_name(), tier.model_dump(mode="json")) == (
        "6000000.00 CNY: 2 authorisers needed, grade 2 or above, from different teams, re-keying the amount"
    )


def test_a_draft_is_told_with_the_result() -> None:
    """The timeline says who began and who finished."""
    run = started()
    [accepted] = [
        fact
        for fact in run.take(result(run.order("entry-1", "amount"), "op-north1", drafted_by=("op-south3",)))
        if isinstance(fact, ResultAccepted)
    ]
    line = sentence(accepted.kind_name(), accepted.model_dump(mode="json"), names_in(reference()))
    assert line == "Op 1 (north) keyed amount (entry-1) in 31 s, begun by Op 3 as a draft"


def test_what_nobody_knows_is_still_told() -> None:
    """A fact of a newer version breaks no timeline."""
    assert "audit.thing.v9" in sentence("audit.thing.v9", {})
    assert "audit.case-posted.v1" in sentence("audit.case-posted.v1", {"case_id": 1})


def test_people_have_names() -> None:
    """A person is told by name, and by the id once the reference data forget them."""
    name_of = names_in(reference())
    assert (name_of("op-north1"), name_of("op-gone")) == ("Op 1", "op-gone")


def test_a_refused_answer_is_counted() -> None:
    """Whoever watches the floor sees that the core bank contradicts itself."""
    counted = ANSWERS_REFUSED.labels("contradiction")
    before = counted._value.get()
    run = run_in(Phase.CLOSED)
    measure(run.take(confirmed()), run.now)
    assert counted._value.get() == before + 1


def test_the_statements_are_named() -> None:
    """Every statement that the reads use stands in the file."""
    assert set(named_statements(STATEMENTS.read_text())) == {"case", "journal"}
    assert isinstance(started().now, datetime)
