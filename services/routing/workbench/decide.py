"""Who may see and do what at the workbench. Pure: claims, boards and rows in, a value or a rejection out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from services.routing.desk.state import SIGNED_ON, DeskItem, DeskOperator, ItemPhase
from services.routing.eligibility import Rulebook, hindrance
from shared.contracts.message import Region
from shared.contracts.vendor import OperatorStanding, ProviderStanding, Standing
from shared.contracts.work import Draft
from shared.http.tokens import Claims
from shared.runtime.processor import Rejection

SLICE_SHARE_MAX: Final = 0.5
"""A slice that covers more of its image is no slice: an outside operator would see the whole."""

STATUS_BY_CODE: Final[Mapping[str, int]] = {
    "no_team": 403,
    "unknown_operator": 403,
    "wrong_team": 403,
    "wrong_provider": 403,
    "not_in_hand": 403,
    "barred": 403,
    "outside_provider": 403,
    "not_listed": 403,
    "slice_too_large": 403,
    "not_your_team": 403,
    "superseded": 409,
    "lease_over": 409,
    "not_signed_on": 409,
    "no_slice": 404,
    "image_missing": 404,
    "bad_region": 409,
}
"""HTTP status by rejection code."""
WRONG_TEAM: Final = Rejection("wrong_team", "Expected the token's team to be the operator's own; ask for a new token")
NARROWEST_FIRST: Final[Sequence[Standing]] = ("suspended", "probation", "allowed")


@dataclass(frozen=True, slots=True)
class Slice:
    """A slice, encoded. Units: `share` of the whole image's area, 0 to 1."""

    png: bytes
    share: float


@dataclass(frozen=True, slots=True)
class Seat:
    """A verified operator at the desk of the team that the reference names, too."""

    operator_id: str
    team_id: str
    outside: bool


def seat(claims: Claims, book: Rulebook) -> Seat | Rejection:
    """Where the bearer sits. Anything that token and reference do not agree on is a no."""
    if claims.team_id is None:
        return Rejection("no_team", "Expected a token that names the operator's team; ask for one with `--team`")
    if claims.subject not in book.reference.operators:
        return Rejection("unknown_operator", "Expected an operator of the reference data; have the person registered")
    provider = book.provider_of(claims.team_id)
    if book.member(claims.team_id, claims.subject) is None or provider is None:
        return WRONG_TEAM
    if claims.provider_id is not None and claims.provider_id != provider.id:
        return Rejection("wrong_provider", "Expected the token's provider to be the team's own; ask for a new token")
    return Seat(claims.subject, claims.team_id, provider.outside)


@dataclass(frozen=True, slots=True)
class Allowed:
    """What the bank allows an operator now, and on whose account. Holds: without `published` nobody was judged yet."""

    standing: Standing
    whose: Literal["yours", "your provider's"]
    published: OperatorStanding | ProviderStanding | None


def allowed_now(sitting: Seat, book: Rulebook) -> Allowed | Rejection:
    """The narrower of the standings that count for the operator, their own where both are alike."""
    operator, provider = book.member(sitting.team_id, sitting.operator_id), book.provider_of(sitting.team_id)
    if operator is None or provider is None:
        return WRONG_TEAM
    view = book.standing
    own = view.operator(operator.id, operator.initial_standing)
    found = [Allowed(own, "yours", view.operators.get(operator.id))]
    if provider.outside:
        theirs = view.provider(provider.id, provider.initial_standing)
        found.append(Allowed(theirs, "your provider's", view.providers.get(provider.id)))
    return min(found, key=lambda each: NARROWEST_FIRST.index(each.standing))


def current(sitting: Seat, operator: DeskOperator | None, item: DeskItem | None) -> DeskItem | Rejection | None:
    """What the operator is offered or has in hand; `None` when there is nothing now."""
    if operator is None or operator.phase not in SIGNED_ON:
        return Rejection("not_signed_on", "Expected an operator who is signed on; POST /sign-on first")
    if item is None or item.operator_id != sitting.operator_id or item.phase is ItemPhase.QUEUED:
        return None
    return item


def held(sitting: Seat, item: DeskItem | None, attempt: int, now: datetime, book: Rulebook) -> DeskItem | Rejection:
    """The item, if this operator has this attempt of it in hand right now and still may do it.

    Holds:   an item of somebody else and one that does not exist are refused in the same words.
    """
    if item is None or item.phase is not ItemPhase.IN_HAND or item.operator_id != sitting.operator_id:
        return Rejection("not_in_hand", "Expected a work item that you have accepted and not finished; see GET /next")
    if item.attempt != attempt:
        return Rejection("superseded", "Expected the attempt that is in hand now; GET /next names it")
    if item.lease_until is None or item.lease_until <= now:
        return Rejection("lease_over", "Expected a lease that still runs; sign on again for other work")
    reason = hindrance(item.order, sitting.operator_id, sitting.team_id, book)
    if reason is not None:
        return Rejection(
            "barred", f"Expected an operator who may do this work now, found {reason}; ask your team leader"
        )
    return item


def slice_of(sitting: Seat, item: DeskItem | None, attempt: int, now: datetime, book: Rulebook) -> Region | Rejection:
    """The region that the operator may see: exactly the one that the item names."""
    found = held(sitting, item, attempt, now, book)
    if isinstance(found, Rejection):
        return found
    if found.order.slice is None:
        return Rejection("no_slice", "Expected a work item with a slice; this one shows whole images")
    return found.order.slice


def draft_of(sitting: Seat, item: DeskItem, now: datetime, book: Rulebook) -> Draft | None:
    """What was keyed of the item so far, for whoever may see its slice now; nothing to anybody else."""
    found = held(sitting, item, item.attempt, now, book)
    if isinstance(found, Rejection) or found.draft is None or not found.draft.value:
        return None
    return found.draft


def whole_image_of(
    sitting: Seat, item: DeskItem | None, sha256: str, attempt: int, now: datetime, book: Rulebook
) -> str | Rejection:
    """The hash of a whole image that the operator may see. Nobody of an outside provider, whatever the order says."""
    if sitting.outside:
        return Rejection("outside_provider", "Expected an operator of the bank; vendors see slices only")
    found = held(sitting, item, attempt, now, book)
    if isinstance(found, Rejection):
        return found
    if sha256 not in found.order.whole_images:
        return Rejection("not_listed", "Expected an image that the work item lists; GET /next names them")
    return sha256


def part_of_an_image(sitting: Seat, cut: Slice) -> Slice | Rejection:
    """The slice, if it leaves out most of the image or the operator is the bank's own."""
    if sitting.outside and cut.share > SLICE_SHARE_MAX:
        return Rejection(
            "slice_too_large",
            "Expected a slice of a part of the image; tell the owner of the template, or the branch whose scan is tiny",
        )
    return cut


def may_oversee(claims: Claims, team_id: str | None) -> Rejection | None:
    """A team leader looks at the own team only; people on call and auditors look everywhere."""
    if claims.role == "team_leader" and (team_id is None or claims.team_id != team_id):
        return Rejection("not_your_team", "Expected your own team, or an item that lies at its desk")
    return None
