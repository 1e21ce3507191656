"""The operator's workbench: sign on, next work, the slice, accept, decline, complete."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Depends, Header, Path, Query, Response
from pydantic import AfterValidator

from services.routing.desk.state import DeskItem, ItemPhase
from services.routing.eligibility import Rulebook
from services.routing.workbench.answers import Answers, Verdict, happens
from services.routing.workbench.commands import CommandCounter
from services.routing.workbench.decide import (
    STATUS_BY_CODE,
    Seat,
    allowed_now,
    current,
    draft_of,
    may_oversee,
    part_of_an_image,
    seat,
    slice_of,
    whole_image_of,
)
from services.routing.workbench.metrics import LONG_POLLS, SLICES
from services.routing.workbench.oversight import oversight_router
from services.routing.workbench.reads import DeskReads
from services.routing.workbench.slices import SliceCutter
from services.routing.workbench.views import (
    AssignmentView,
    AttemptBody,
    CommandView,
    CompleteBody,
    DeclineBody,
    DraftBody,
    PauseBody,
    PickBody,
    PickForBody,
    SignedOnView,
    StandingView,
    assignment_view,
    command_view,
    standing_view,
)
from shared.contracts.message import printable
from shared.contracts.routing import (
    AcceptAssignment,
    Command,
    CompleteAssignment,
    DeclineAssignment,
    Pause,
    PickWork,
    Resume,
    SaveDraft,
    SignOff,
    SignOn,
)
from shared.http.bearer import requires
from shared.http.problems import RETRY_SECONDS, Problem, problem_responses
from shared.http.tokens import Claims
from shared.runtime.processor import Rejection, derived_id

WAIT_SECONDS_MAX: Final = 30.0
LOOK_AGAIN_SECONDS: Final = 5.0  # a long poll looks by itself, should the log have nothing to say

ItemId = Annotated[str, Path(min_length=1, max_length=128)]
ImageId = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]
Attempt = Annotated[int, Query(ge=1, description="the attempt that is in hand, from GET /next")]
Key = Annotated[
    Annotated[str, AfterValidator(printable)] | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=128,
        description="the command's id: the same key again is the same command; derived when absent",
    ),
]
_V = TypeVar("_V")
NO_STORE: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
PNG: Final[dict[int | str, dict[str, Any]]] = {200: {"content": {"image/png": {}}, "description": "the picture"}}
TAKEN: Final[dict[int | str, dict[str, Any]]] = {
    202: {"model": CommandView, "description": "The desk has not answered yet; see /commands/{command_id}"},
    **problem_responses(409, 422),
}


@dataclass(frozen=True)
class Workbench:
    """Everything that the endpoints work with.

    Holds:   `boards` has the views `reference` and `standing`; `now` is the floor's clock.
    """

    reads: DeskReads
    boards: Mapping[str, Any]
    answers: Answers
    counter: CommandCounter
    slices: SliceCutter
    now: Callable[[], datetime]

    def seat_of(self, claims: Claims) -> Seat:
        """The bearer's seat, or the problem that they have none."""
        return _granted(seat(claims, Rulebook.of(self.boards)))

    async def now_at(self, sitting: Seat) -> DeskItem | None:
        """What the operator is offered or has in hand; a problem when not signed on."""
        return _granted(current(sitting, *await self.reads.seated(sitting.team_id, sitting.operator_id)))

    async def next_for(self, sitting: Seat, wait_seconds: float) -> DeskItem | None:
        """As `now_at`, but wait so long for an offer."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait_seconds
        with self.answers.expecting_work(sitting.operator_id) as offered, LONG_POLLS.track_inprogress():
            while True:
                offered.clear()  # before looking: an offer that comes while we look is not slept through
                item = await self.now_at(sitting)
                left = deadline - loop.time()
                if item is not None or left <= 0:
                    return item
                await happens(offered, min(left, LOOK_AGAIN_SECONDS))

    async def in_hand(self, sitting: Seat, item: DeskItem) -> DeskItem:
        """The item once the operator has accepted it; as it was when the desk has not answered yet."""
        if item.phase is ItemPhase.IN_HAND:
            return item
        named = _named(sitting, "accept", item.work_item_id, item.attempt, None, self.now())
        verdict = await self.counter.hand_in_unanswered(AcceptAssignment(**named))
        if verdict is not None and verdict.refused:
            raise Problem(409, verdict.answer, verdict.detail)
        taken = await self.reads.item(sitting.team_id, item.work_item_id)
        return item if taken is None or taken.operator_id != sitting.operator_id else taken

    def seen(self, item: DeskItem, sitting: Seat) -> AssignmentView:
        """The item as the operator may see it now."""
        return assignment_view(item, sitting, draft_of(sitting, item, self.now(), Rulebook.of(self.boards)))

    def standing(self, sitting: Seat) -> StandingView:
        """What the bank allows the operator now."""
        return standing_view(_granted(allowed_now(sitting, Rulebook.of(self.boards))), sitting.outside)

    async def hand_in(self, command: Command, response: Response, *, named_by_content: bool = False) -> CommandView:
        """Publish the command and say what became of it; a refusal is a problem."""
        verdict = await self.counter.hand_in(command, named_by_content=named_by_content)
        if verdict is not None and verdict.refused:
            raise Problem(409, verdict.answer, verdict.detail)
        response.status_code = 202 if verdict is None else 200
        return _told(command.command_id, verdict, response)

    async def slice_png(self, sitting: Seat, work_item_id: str, attempt: int) -> bytes:
        """Exactly the region that the item names, for whoever has it in hand."""
        item = await self.reads.item(sitting.team_id, work_item_id)
        region = _shown("slice", slice_of(sitting, item, attempt, self.now(), Rulebook.of(self.boards)))
        cut = _granted(await self.slices.cut(region))
        return _granted(part_of_an_image(sitting, cut)).png

    async def whole_image(self, sitting: Seat, work_item_id: str, sha256: str, attempt: int) -> bytes:
        """A whole image that the item lists, for the bank's own people."""
        item = await self.reads.item(sitting.team_id, work_item_id)
        book = Rulebook.of(self.boards)
        listed = _shown("whole", whole_image_of(sitting, item, sha256, attempt, self.now(), book))
        return _granted(await self.slices.whole(listed))


def workbench_routers(bench: Workbench) -> Sequence[tuple[APIRouter, tuple[str, ...]]]:
    """The routers of routing's HTTP face, each with the roles that may use it."""
    return (
        (operator_router(bench), ("operator",)),
        (leader_router(bench), ("team_leader",)),
        (oversight_router(bench.reads, bench.boards), ("on_call", "team_leader", "auditor")),
    )


def leader_router(bench: Workbench) -> APIRouter:
    """What a team leader commands at the own team's desk."""
    router = APIRouter(tags=["leading"])

    @router.post("/teams/{team_id}/pick", summary="Give a waiting item to one of my operators", responses=TAKEN)
    async def pick(
        team_id: ItemId,
        body: PickForBody,
        response: Response,
        claims: Annotated[Claims, Depends(requires("team_leader"))],
        key: Key = None,
    ) -> CommandView:
        refusal = may_oversee(claims, team_id)
        if refusal is not None:
            raise Problem(STATUS_BY_CODE[refusal.code], refusal.code, refusal.detail)
        now = bench.now()
        command_id = key or derived_id(claims.subject, body.operator_id, body.work_item_id, now.isoformat())
        picked = PickWork(
            command_id=command_id,
            team_id=team_id,
            operator_id=body.operator_id,
            issued_at=now,
            work_item_id=body.work_item_id,
            reason=body.reason,
            picked_by=claims.subject,
        )
        return await bench.hand_in(picked, response)

    return router


def operator_router(bench: Workbench) -> APIRouter:
    """What an operator asks and commands."""
    router = APIRouter(tags=["workbench"])

    async def seated(claims: Claims = Depends(requires("operator"))) -> Seat:
        return bench.seat_of(claims)

    _presence(router, bench, seated)
    _work(router, bench, seated)
    _pictures(router, bench, seated)
    return router


Seated = Callable[..., Awaitable[Seat]]


def _presence(router: APIRouter, bench: Workbench, seated: Seated) -> None:
    @router.post("/sign-on", summary="Be at the desk and ready for work", responses=TAKEN)
    async def sign_on(response: Response, sitting: Seat = Depends(seated), key: Key = None) -> SignedOnView:
        told = await bench.hand_in(SignOn(**_signed(sitting, "sign-on", key, bench.now())), response)
        return SignedOnView(**told.model_dump(), standing=bench.standing(sitting))

    @router.get("/standing", summary="What does the bank allow me now, and why?")
    async def standing(sitting: Seat = Depends(seated)) -> StandingView:
        """Worth asking when no work comes."""
        return bench.standing(sitting)

    @router.post("/sign-off", summary="Leave the desk; what is in hand goes back", responses=TAKEN)
    async def sign_off(response: Response, sitting: Seat = Depends(seated), key: Key = None) -> CommandView:
        return await bench.hand_in(SignOff(**_signed(sitting, "sign-off", key, bench.now())), response)

    @router.post("/pause", summary="Take no more work for a while; what is in hand is finished", responses=TAKEN)
    async def pause(
        body: PauseBody, response: Response, sitting: Seat = Depends(seated), key: Key = None
    ) -> CommandView:
        signed = _signed(sitting, "pause", key, bench.now())
        return await bench.hand_in(Pause(**signed, reason=body.reason), response)

    @router.post("/resume", summary="Take work again", responses=TAKEN)
    async def resume(response: Response, sitting: Seat = Depends(seated), key: Key = None) -> CommandView:
        return await bench.hand_in(Resume(**_signed(sitting, "resume", key, bench.now())), response)

    @router.post("/pick", summary="Give me a certain waiting item, with the reason", responses=TAKEN)
    async def pick(body: PickBody, response: Response, sitting: Seat = Depends(seated), key: Key = None) -> CommandView:
        signed = _signed(sitting, f"pick/{body.work_item_id}", key, bench.now())
        picked = PickWork(**signed, work_item_id=body.work_item_id, reason=body.reason, picked_by=sitting.operator_id)
        return await bench.hand_in(picked, response)

    @router.get(
        "/commands/{command_id}", summary="What became of one of my commands?", responses=problem_responses(422)
    )
    async def command(command_id: ItemId, response: Response, sitting: Seat = Depends(seated)) -> CommandView:
        """Nobody can tell a command that its desk has not come to from one that never came: both are `pending`."""
        verdict = await bench.counter.known(sitting.team_id, sitting.operator_id, command_id)
        return _told(command_id, verdict, response)


def _work(router: APIRouter, bench: Workbench, seated: Seated) -> None:
    @router.get(
        "/next",
        summary="My current or next work item; waits for one",
        response_model=AssignmentView,
        responses={204: {"description": "No work came in time; ask again"}, **problem_responses(409, 422)},
    )
    async def next_item(
        sitting: Seat = Depends(seated), wait_seconds: Annotated[float, Query(ge=0, le=WAIT_SECONDS_MAX)] = 0.0
    ) -> AssignmentView | Response:
        item = await bench.next_for(sitting, wait_seconds)
        return Response(status_code=204) if item is None else bench.seen(item, sitting)

    @router.post(
        "/take",
        summary="Wait for my next work item and take it in hand, in one go",
        response_model=AssignmentView,
        responses={204: {"description": "No work came in time; ask again"}, **problem_responses(409, 422)},
    )
    async def take(
        sitting: Seat = Depends(seated), wait_seconds: Annotated[float, Query(ge=0, le=WAIT_SECONDS_MAX)] = 0.0
    ) -> AssignmentView | Response:
        item = await bench.next_for(sitting, wait_seconds)
        if item is None:
            return Response(status_code=204)
        return bench.seen(await bench.in_hand(sitting, item), sitting)

    @router.post("/assignment/{work_item_id}/accept", summary="Take the offered item in hand", responses=TAKEN)
    async def accept(
        work_item_id: ItemId, body: AttemptBody, response: Response, sitting: Seat = Depends(seated), key: Key = None
    ) -> CommandView:
        named = _named(sitting, "accept", work_item_id, body.attempt, key, bench.now())
        return await bench.hand_in(AcceptAssignment(**named), response)

    @router.post("/assignment/{work_item_id}/decline", summary="Give the item back, with the reason", responses=TAKEN)
    async def decline(
        work_item_id: ItemId, body: DeclineBody, response: Response, sitting: Seat = Depends(seated), key: Key = None
    ) -> CommandView:
        named = _named(sitting, "decline", work_item_id, body.attempt, key, bench.now())
        return await bench.hand_in(DeclineAssignment(**named, reason=body.reason), response)

    @router.put("/assignment/{work_item_id}/draft", summary="Save what I have keyed so far", responses=TAKEN)
    async def draft(
        work_item_id: ItemId, body: DraftBody, response: Response, sitting: Seat = Depends(seated), key: Key = None
    ) -> CommandView:
        named = _named(sitting, f"draft/{body.revision}", work_item_id, body.attempt, key, bench.now())
        return await bench.hand_in(SaveDraft(**named, revision=body.revision, value=body.value), response)

    @router.post("/assignment/{work_item_id}/complete", summary="Hand in the result", responses=TAKEN)
    async def complete(
        work_item_id: ItemId, body: CompleteBody, response: Response, sitting: Seat = Depends(seated), key: Key = None
    ) -> CommandView:
        # A result that was refused for what it says may be handed in mended: without a key each result is a command of its own.
        said = derived_id("complete", body.outcome.model_dump_json())
        named = _named(sitting, said, work_item_id, body.attempt, key, bench.now())
        result = CompleteAssignment(**named, outcome=body.outcome, handle_seconds=body.handle_seconds)
        return await bench.hand_in(result, response, named_by_content=key is None)


def _pictures(router: APIRouter, bench: Workbench, seated: Seated) -> None:
    @router.get(
        "/assignment/{work_item_id}/slice",
        summary="The slice of the item in hand, cut now",
        response_class=Response,
        responses={**PNG, **problem_responses(404, 409, 422)},
    )
    async def slice_image(work_item_id: ItemId, attempt: Attempt, sitting: Seat = Depends(seated)) -> Response:
        png = await bench.slice_png(sitting, work_item_id, attempt)
        return Response(png, media_type="image/png", headers=NO_STORE)

    @router.get(
        "/assignment/{work_item_id}/images/{sha256}",
        summary="A whole image that the item in hand lists; the bank's own people only",
        response_class=Response,
        responses={200: {"content": {"image/png": {}, "image/jpeg": {}}}, **problem_responses(404, 409, 422)},
    )
    async def whole_image(
        work_item_id: ItemId, sha256: ImageId, attempt: Attempt, sitting: Seat = Depends(seated)
    ) -> Response:
        content = await bench.whole_image(sitting, work_item_id, sha256, attempt)
        media_type = "image/png" if content.startswith(b"\x89PNG") else "image/jpeg"
        return Response(content, media_type=media_type, headers=NO_STORE)


def _told(command_id: str, verdict: Verdict | None, response: Response) -> CommandView:
    """What became of the command; without an answer, when to ask again."""
    if verdict is None:
        response.headers["Retry-After"] = str(RETRY_SECONDS)
    return command_view(command_id, verdict)


def _granted(found: _V | Rejection) -> _V:
    """The value, or its refusal as a problem."""
    if isinstance(found, Rejection):
        raise Problem(STATUS_BY_CODE[found.code], found.code, found.detail)
    return found


def _shown(what: str, found: _V | Rejection) -> _V:
    SLICES.labels(what, found.code if isinstance(found, Rejection) else "shown").inc()
    return _granted(found)


def _signed(sitting: Seat, verb: str, key: str | None, issued_at: datetime) -> dict[str, Any]:
    # Signing on is asked for anew every day: without a key each request is a command of its own.
    return _command(sitting, key or derived_id(sitting.operator_id, verb, issued_at.isoformat()), issued_at)


def _named(
    sitting: Seat, verb: str, work_item_id: str, attempt: int, key: str | None, issued_at: datetime
) -> dict[str, Any]:
    command_id = key or derived_id(sitting.operator_id, work_item_id, str(attempt), verb)
    return {**_command(sitting, command_id, issued_at), "work_item_id": work_item_id, "attempt": attempt}


def _command(sitting: Seat, command_id: str, issued_at: datetime) -> dict[str, Any]:
    return {
        "command_id": command_id,
        "team_id": sitting.team_id,
        "operator_id": sitting.operator_id,
        "issued_at": issued_at,
    }
