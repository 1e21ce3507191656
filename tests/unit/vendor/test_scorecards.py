"""The scorecards over HTTP, on a fake of the store."""

from __future__ import annotations

from dataclasses import dataclass, field

import httpx
import pytest
from fastapi import FastAPI

from services.vendor.api import scorecard_router
from services.vendor.store import STATEMENTS
from services.vendor.supervision.state import Judged, Score
from shared.contracts.reference import Operator
from shared.http.problems import install_problems
from shared.reference.board import ReferenceView
from shared.runtime.reads import named_statements
from tests.unit.vendor.vendor_floor import NOW


def _score(subject_id: str) -> Score:
    entries = (
        Judged("w1", "cheque-deposit/entry", "none"),
        Judged("w2", "corporate-transfer/entry", "review"),
        Judged("w3", "corporate-transfer/entry", "none"),
        Judged("w4", "corporate-transfer/entry", "inspection"),
    )
    return Score(
        "provider",
        subject_id,
        provider_id=subject_id,
        standing="allowed",
        reason="Starts as allowed, as registered.",
        since=NOW,
        entries=entries,
    )


@dataclass
class FakeScores:
    """Scores in memory, by `operator:<id>` or `provider:<id>`."""

    by_key: dict[str, Score] = field(default_factory=dict)

    async def score(self, subject: str, subject_id: str) -> Score | None:
        return self.by_key.get(f"{subject}:{subject_id}")

    async def providers(self, after: str, count_max: int) -> list[Score]:
        keys = sorted(key for key in self.by_key if key.startswith("provider:") and key > f"provider:{after}")
        return [self.by_key[key] for key in keys[:count_max]]


@pytest.fixture
def client() -> httpx.AsyncClient:
    app, reference = FastAPI(), ReferenceView()
    clerk = Operator(id="anna", name="Anna", team_id="north", work_types=())
    reference.fold(clerk.key, clerk)
    scores = FakeScores({f"provider:{name}": _score(name) for name in ("bank", "swift")})
    app.include_router(scorecard_router(scores, reference))
    install_problems(app)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://vendor")


async def test_a_scorecard_tells_figures_standing_and_reason(client: httpx.AsyncClient) -> None:
    """Errors by finder and by work type, and the sentence why."""
    card = (await client.get("/providers/swift/scorecard")).json()
    assert (card["keyed"], card["errors"], card["error_rate"]) == (4, 2, 0.5)
    assert card["errors_by_finder"] == {"inspection": 1, "review": 1}
    assert card["work_types"][1] == {"work_type": "corporate-transfer/entry", "keyed": 3, "errors": 2}
    assert (card["standing"], card["reason"]) == ("allowed", "Starts as allowed, as registered.")


async def test_somebody_without_a_judged_entry_has_no_scorecard(client: httpx.AsyncClient) -> None:
    """404 with a sentence that says so, not an empty card, and not that the path is wrong."""
    answer = await client.get("/operators/anna/scorecard")
    assert (answer.status_code, answer.json()["code"]) == (404, "nothing_judged")
    assert answer.json()["detail"].startswith("Expected operator anna to have a judged entry, found none; ask again")


@pytest.mark.parametrize("subject", ["operator", "provider"])
async def test_nobody_that_the_bank_knows_has_no_scorecard_either(client: httpx.AsyncClient, subject: str) -> None:
    """404 that tells a mistyped id from one of whom nothing was judged; a score outlives its entry in the reference data."""
    answer = await client.get(f"/{subject}s/nosuch/scorecard")
    assert (answer.status_code, answer.json()["code"]) == (404, f"unknown_{subject}")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"].endswith("found none named 'nosuch' in its reference data; check the id")
    assert (await client.get("/providers/swift/scorecard")).status_code == 200


async def test_providers_are_listed_by_id_a_page_at_a_time(client: httpx.AsyncClient) -> None:
    """The last id of a page asks for the next one."""
    assert [card["subject_id"] for card in (await client.get("/providers")).json()] == ["bank", "swift"]
    assert [card["subject_id"] for card in (await client.get("/providers?after=bank&count=1")).json()] == ["swift"]
    assert (await client.get("/providers?count=0")).status_code == 422


def test_statements_have_the_names_above_them() -> None:
    """The SQL file is the only place with statements, each under its name."""
    assert set(named_statements(STATEMENTS.read_text())) == {"subject", "subjects_of_a_kind"}
    assert named_statements("-- name: one\nSELECT 1;\n-- name: two\nSELECT 2;") == {
        "one": "SELECT 1;",
        "two": "SELECT 2;",
    }
