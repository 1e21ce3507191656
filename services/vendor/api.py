"""HTTP face of supervision: scorecards. Reads only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container
from datetime import datetime
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict

from services.vendor.store import Scores
from services.vendor.supervision.state import Score
from shared.contracts.vendor import Standing
from shared.http.problems import Problem, problem_responses
from shared.reference.board import ReferenceView

PROVIDERS_MAX: Final = 200
Name = Annotated[str, Path(min_length=1, max_length=128)]


class WorkTypeScore(BaseModel):
    """The figures of one work type inside the window."""

    model_config = ConfigDict(frozen=True)

    work_type: str
    keyed: int
    errors: int


class Scorecard(BaseModel):
    """How well an operator or provider keyed lately, what they may do, and why.

    Units:   counts of entries inside the window; rates as fractions.
    """

    model_config = ConfigDict(frozen=True)

    subject: Literal["operator", "provider"]
    subject_id: str
    provider_id: str
    standing: Standing | None
    reason: str
    since: datetime | None
    keyed: int
    errors: int
    error_rate: float
    judged_in_standing: int
    errors_by_finder: dict[str, int]
    work_types: tuple[WorkTypeScore, ...]


def scorecard_of(score: Score) -> Scorecard:
    """What a score looks like to a vendor's supervisor."""
    keyed = Counter(entry.work_type for entry in score.entries)
    wrong = Counter(entry.work_type for entry in score.entries if entry.wrong != "none")
    finders = Counter(entry.wrong for entry in score.entries if entry.wrong != "none")
    return Scorecard(
        subject=score.subject,
        subject_id=score.subject_id,
        provider_id=score.provider_id,
        standing=score.standing,
        reason=score.reason,
        since=score.since,
        keyed=score.keyed,
        errors=score.errors,
        error_rate=score.error_rate,
        judged_in_standing=score.judged_in_standing,
        errors_by_finder=dict(sorted(finders.items())),
        work_types=tuple(
            WorkTypeScore(work_type=work_type, keyed=count, errors=wrong[work_type])
            for work_type, count in sorted(keyed.items())
        ),
    )


def no_scorecard(subject: str, subject_id: str, known: Container[str]) -> Problem:
    """Why there is none: the bank has no such operator or provider, or nothing of theirs was judged yet."""
    if subject_id not in known:
        detail = f"Expected one of the bank's {subject}s, found none named {subject_id!r} in its reference data; check the id"
        return Problem(404, f"unknown_{subject}", detail)
    detail = (
        f"Expected {subject} {subject_id} to have a judged entry, found none; ask again when one of theirs was judged"
    )
    return Problem(404, "nothing_judged", detail)


def scorecard_router(read: Scores, reference: ReferenceView) -> APIRouter:
    """The routes of the scorecards; whoever mounts them says which roles may read."""
    router = APIRouter(tags=["scorecards"])

    async def card(subject: str, subject_id: str, known: Container[str]) -> Scorecard:
        score = await read.score(subject, subject_id)
        if score is None:
            raise no_scorecard(subject, subject_id, known)
        return scorecard_of(score)

    @router.get(
        "/operators/{operator_id}/scorecard",
        summary="How well an operator keyed lately, and their standing",
        responses=problem_responses(404, 422),
    )
    async def operator_scorecard(operator_id: Name) -> Scorecard:
        return await card("operator", operator_id, reference.operators)

    @router.get(
        "/providers/{provider_id}/scorecard",
        summary="How well a provider keyed lately, and its standing",
        responses=problem_responses(404, 422),
    )
    async def provider_scorecard(provider_id: Name) -> Scorecard:
        return await card("provider", provider_id, reference.providers)

    @router.get(
        "/providers",
        summary="The scorecards of all providers, by id, a page at a time",
        responses=problem_responses(422),
    )
    async def providers(
        after: Annotated[str, Query(max_length=128)] = "",
        count: Annotated[int, Query(ge=1, le=PROVIDERS_MAX)] = PROVIDERS_MAX,
    ) -> list[Scorecard]:
        return [scorecard_of(score) for score in await read.providers(after, count)]

    return router
