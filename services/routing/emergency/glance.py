"""The floor at a glance, what a scope may name, and what the asker may do: what a control room's screen shows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from services.routing.emergency.floor import FloorNow
from services.routing.emergency.health import silent, unheard
from services.routing.emergency.outlook import Outlook, Prospect
from services.routing.metrics import SATURATED_SECONDS, backlog_seconds
from services.routing.placement.waiting import Waits
from shared.contracts.reference import RerouteDuty, Team
from shared.contracts.reroute import RerouteOrder, RerouteScope
from shared.contracts.routing import LoadSnapshot
from shared.http.tokens import Claims, Role
from shared.reference.board import ReferenceView
from shared.reroutes import covers_team, held_percent


class View(BaseModel):
    """A frozen answer."""

    model_config = ConfigDict(frozen=True)


class NamedView(View):
    """Something that a scope may name."""

    id: str
    label: str


class RuleView(NamedView):
    """A safety rule. Whoever lets a reroute start that breaks it must name it, where that helps at all."""

    overridable: bool


class ScopeNames(View):
    """What a reroute's scope may name, and the rules that may have to be named."""

    centres: tuple[NamedView, ...]
    teams: tuple[NamedView, ...]
    providers: tuple[NamedView, ...]
    business_types: tuple[NamedView, ...]
    work_types: tuple[NamedView, ...]
    regions: tuple[NamedView, ...]
    data_classes: tuple[NamedView, ...]
    rules: tuple[RuleView, ...]


class DutyView(View):
    """Who the asker is, and what they may do about reroutes.

    Holds:   it takes both, the token's role and the duty in the reference data; no centres and no providers: everywhere.
    """

    subject: str
    role: Role
    expires_at: datetime
    name: str | None = Field(description="none: nobody of that name is on duty for reroutes")
    proposes: bool
    approves: bool
    breaks_glass: bool
    centres: tuple[str, ...]
    providers: tuple[str, ...]


class PlaceGlance(View):
    """How a team, or a centre as a whole, stands.

    Units:   `saturation` is the backlog at the pace of those present, per person, over a quarter of an hour: at 1 the
             place is full; none where nobody is. `held_percent` of all its work is kept away by reroutes.
    Holds:   `late` of the `completed` items came after their due time, since the desks began to count; `promised` are the
             shares in time that the bank promises of the business types that the place's people do, rising; a place is
             `silent` when a desk of it has not told its load for too long, or none of the floor has: its figures are old
             then. `held_partly`: more
             of some sorts of its work, or at some of its teams, is kept away than `held_percent` says.
    """

    id: str
    label: str
    centre_id: str
    provider_id: str | None
    present: int
    in_hand: int
    queued: int
    oldest_requested_at: datetime | None
    backlog_seconds: float
    saturation: float | None
    completed: int
    late: int
    promised: tuple[float, ...] = ()
    held_percent: int
    held_partly: bool
    reroutes: tuple[str, ...]
    told_at: datetime | None
    silent: bool


class WorkGlance(View):
    """How one work type stands, all over the floor, with the reroutes in force.

    Units:   `people` present and able to do some sort of it, the share taken off that reroutes hold; `wait_seconds` of
             the last that waits, none: for ever, as for a sort of it that nobody there may be given. `misses` of what
             waits will be late, as it looks.
    Holds:   `queued` waits at desks; `nowhere` at none, since nobody may or can do it now: `nowhere_because` says why.
    """

    work_type: str
    queued: int
    nowhere: int
    nowhere_because: tuple[str, ...]
    oldest_requested_at: datetime | None
    people: int
    wait_seconds: float | None
    misses: int


class FloorGlance(View):
    """The floor now. Holds: `at` is the floor's own clock, `time_zone` the one that its people live by."""

    at: datetime
    time_zone: str
    centres: tuple[PlaceGlance, ...]
    teams: tuple[PlaceGlance, ...]
    work: tuple[WorkGlance, ...]


def glance_of(floor: FloorNow, waiting: Sequence[Waits]) -> FloorGlance:
    """The floor as its boards tell it, and what waits at no desk."""
    old = {load.team_id for load in unheard(floor)}
    teams, prospect = [_team(floor, team, old) for team in floor.teams()], Prospect(floor)
    reference = floor.book.reference
    return FloorGlance(
        at=floor.now,
        time_zone=reference.limits.time_zone,
        centres=tuple(
            _together(centre.id, centre.label, [team for team in teams if team.centre_id == centre.id])
            for _, centre in sorted(reference.centres.items())
        ),
        teams=tuple(teams),
        work=tuple(_work(floor, prospect.outlook(name), name, waiting) for name in _work_types(floor, waiting)),
    )


def _team(floor: FloorNow, team: Team, old: Collection[str]) -> PlaceGlance:
    load = floor.load(team.id)
    holding = [o for o in floor.in_force if o.terms.effect != "local" and covers_team(o.terms.scope, team)]
    all_of_it = [order for order in holding if not narrowed(order.terms.scope)]
    present, backlog = (len(load.present), backlog_seconds(load)) if load else (0, 0.0)
    tally = load and load.tally
    return PlaceGlance(
        id=team.id,
        label=team.label,
        centre_id=team.centre_id,
        provider_id=team.provider_id,
        present=present,
        in_hand=load.in_hand if load else 0,
        queued=sum(part.queued for part in load.queued) if load else 0,
        oldest_requested_at=_oldest(load),
        backlog_seconds=round(backlog, 1),
        saturation=_saturation(backlog, present),
        completed=tally.completed if tally else 0,
        late=tally.late if tally else 0,
        promised=tuple(sorted(_promised_by_team(floor.book.reference).get(team.id, ()))),
        held_percent=max((_held(order, floor.now) for order in all_of_it), default=0),
        held_partly=len(all_of_it) < len(holding),
        reroutes=tuple(order.reroute_id for order in holding),
        told_at=load.at if load else None,
        silent=team.id in old or silent(load, floor.now),
    )


def _together(centre_id: str, label: str, teams: Sequence[PlaceGlance]) -> PlaceGlance:
    """A centre's teams as one place; held back is what is held back at all of them."""
    present, backlog = sum(team.present for team in teams), sum(team.backlog_seconds for team in teams)
    told = [team.told_at for team in teams]
    return PlaceGlance(
        id=centre_id,
        label=label,
        centre_id=centre_id,
        provider_id=None,
        present=present,
        in_hand=sum(team.in_hand for team in teams),
        queued=sum(team.queued for team in teams),
        oldest_requested_at=_first(team.oldest_requested_at for team in teams),
        backlog_seconds=round(backlog, 1),
        saturation=_saturation(backlog, present),
        completed=sum(team.completed for team in teams),
        late=sum(team.late for team in teams),
        promised=tuple(sorted({share for team in teams for share in team.promised})),
        held_percent=(least := min((team.held_percent for team in teams), default=0)),
        held_partly=any(team.held_partly or team.held_percent > least for team in teams),
        reroutes=tuple(sorted({name for team in teams for name in team.reroutes})),
        told_at=None if None in told else _first(told),
        silent=any(team.silent for team in teams),
    )


def _promised_by_team(reference: ReferenceView) -> Mapping[str, set[float]]:
    """The objectives of what each team's people do; worked out once, the board forgets it when the reference data change."""
    kept: dict[str, set[float]] | None = reference.derived.get((__name__, "promised"))
    if kept is None:
        kept = defaultdict(set)
        for person in reference.operators.values():
            for work_type in person.work_types:
                template = reference.business_types.get(work_type.rpartition("/")[0])
                if template is not None and template.on_time_objective is not None:
                    kept[person.team_id].add(template.on_time_objective)
        reference.derived[__name__, "promised"] = kept
    return kept


def narrowed(scope: RerouteScope) -> bool:
    """The scope means some sorts of work and not all."""
    return bool(scope.work_types or scope.business_types or scope.regions or scope.data_classes)


def _held(order: RerouteOrder, now: datetime) -> int:
    return round(order.terms.percent * held_percent(order, now) / 100)


def _saturation(backlog: float, present: int) -> float | None:
    return round(backlog / present / SATURATED_SECONDS, 4) if present else None


def _oldest(load: LoadSnapshot | None) -> datetime | None:
    return _first(part.oldest_requested_at for part in load.queued) if load else None


def _first(instants: Iterable[datetime | None]) -> datetime | None:
    return min((at for at in instants if at is not None), default=None)


def _work_types(floor: FloorNow, waiting: Sequence[Waits]) -> list[str]:
    """What waits anywhere, and what anybody of the bank may do."""
    queued = {part.work_type for load in floor.loads.values() for part in load.queued}
    held = {work_type for person in floor.book.reference.operators.values() for work_type in person.work_types}
    return sorted(queued | held | {waits.work_type for waits in waiting})


def _work(floor: FloorNow, outlook: Outlook, work_type: str, waiting: Sequence[Waits]) -> WorkGlance:
    parts = [part for load in floor.loads.values() for part in load.queued if part.work_type == work_type]
    nowhere = [waits for waits in waiting if waits.work_type == work_type]
    return WorkGlance(
        work_type=work_type,
        queued=outlook.queued,
        nowhere=sum(waits.items for waits in nowhere),
        nowhere_because=tuple(sorted({waits.reason for waits in nowhere})),
        oldest_requested_at=_first(
            (*(part.oldest_requested_at for part in parts), *(waits.oldest_requested_at for waits in nowhere))
        ),
        people=outlook.people,
        wait_seconds=outlook.wait_seconds,
        misses=outlook.misses,
    )


# ------------------------------------------------------------------------ names


def names_of(view: ReferenceView) -> ScopeNames:
    """What a scope may name, each by id."""
    return ScopeNames(
        centres=tuple(_labelled(view.centres.values())),
        teams=tuple(_labelled(view.teams.values())),
        providers=tuple(_labelled(view.providers.values())),
        business_types=tuple(_plain(view.business_types)),
        work_types=tuple(_plain({name for person in view.operators.values() for name in person.work_types})),
        regions=tuple(_plain({branch.region for branch in view.branches.values() if branch.region})),
        data_classes=tuple(_plain({name for provider in view.providers.values() for name in provider.data_classes})),
        rules=tuple(
            RuleView(id=rule.id, label=rule.label, overridable=rule.overridable)
            for _, rule in sorted(view.reroute_rules.items())
        ),
    )


def _labelled(entries: Iterable[Any]) -> Iterator[NamedView]:
    for entry in sorted(entries, key=lambda one: str(one.id)):
        yield NamedView(id=entry.id, label=entry.label)


def _plain(names: Iterable[str]) -> Iterator[NamedView]:
    for name in sorted(names):
        yield NamedView(id=name, label=name)


# ------------------------------------------------------------------------- duty


def duty_of(claims: Claims, duty: RerouteDuty | None, proposing: Sequence[Role], approving: Sequence[Role]) -> DutyView:
    """What the bearer may do: by the roles that the endpoints ask for, and by the duty."""
    asks, agrees = claims.role in proposing, claims.role in approving
    return DutyView(
        subject=claims.subject,
        role=claims.role,
        expires_at=claims.expires_at,
        name=duty.name if duty else None,
        proposes=asks and duty is not None and duty.proposes,
        approves=agrees and duty is not None and duty.approves,
        breaks_glass=asks and duty is not None and duty.breaks_glass,
        centres=duty.centres if duty else (),
        providers=duty.providers if duty else (),
    )
