"""The floor's view of the desks: where is an item and why, how full is a desk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path

from services.routing.workbench.decide import STATUS_BY_CODE, may_oversee
from services.routing.workbench.reads import DeskReads
from services.routing.workbench.views import ItemView, TeamView, item_view, team_view
from shared.http.bearer import requires
from shared.http.problems import Problem, problem_responses
from shared.http.tokens import Claims

Overseer = Annotated[Claims, Depends(requires("on_call", "team_leader", "auditor"))]
Leader = Annotated[Claims, Depends(requires("on_call", "team_leader"))]
Name = Annotated[str, Path(min_length=1, max_length=128)]


def oversight_router(reads: DeskReads, boards: Mapping[str, Any]) -> APIRouter:
    """What people on call, team leaders and auditors look up."""
    router = APIRouter(tags=["oversight"])

    @router.get(
        "/item/{work_item_id}",
        summary="Where is a work item, and why?",
        responses=problem_responses(404, 422),
    )
    async def item(work_item_id: Name, claims: Overseer) -> ItemView:
        placed = await reads.placed(work_item_id)
        _allow(claims, None if placed is None else placed.team_id)
        if placed is None:
            raise Problem(404, "unknown_item", "Expected a work item that routing has heard of; check the id")
        at_desk = None if placed.team_id is None else await reads.item(placed.team_id, work_item_id)
        return item_view(placed, at_desk)

    @router.get("/teams/{team_id}", summary="A team's desk now", responses=problem_responses(404, 422))
    async def team(team_id: Name, claims: Leader) -> TeamView:
        _allow(claims, team_id)
        desk = await reads.desk(team_id)
        if team_id not in boards["reference"].teams and not desk.operators and not desk.items:
            raise Problem(
                404,
                "unknown_team",
                f"Expected a team of the reference data, found none named {team_id!r}; check the id",
            )
        return team_view(team_id, desk)

    return router


def _allow(claims: Claims, team_id: str | None) -> None:
    refusal = may_oversee(claims, team_id)
    if refusal is not None:
        raise Problem(STATUS_BY_CODE[refusal.code], refusal.code, refusal.detail)
