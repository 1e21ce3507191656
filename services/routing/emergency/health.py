"""Whether a scope is well while its work comes back: people, acceptance, lease expiries, completions."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from services.routing.emergency.floor import FloorNow, touched_teams
from shared.contracts.reference import Shift, Team
from shared.contracts.reroute import RerouteOrder, RerouteTerms, TeamTally
from shared.contracts.routing import DeskTally, LoadSnapshot
from shared.reference.shifts import at_work

SILENT_INTERVALS_MAX: Final = 45  # a desk tells its load at least every ten intervals while anything is there
UNHEARD_INTERVALS_MAX: Final = 15  # so long without a word of any desk, and it is the bus that says nothing
EXPIRED_SHARE_MAX: Final = 0.2
DECLINED_SHARE_MAX: Final = 0.5  # of what was offered: more, and hardly anybody takes what comes back
EVIDENCE_MIN: Final = 5  # assignments; a share of fewer says nothing
STALLED_MIN: Final = 10  # accepted and nothing completed
TIMES_OF_WORK_MIN: Final = 2  # of what the slowest work of a team takes: sooner, nothing accepted need be completed


def tallies_of(terms: RerouteTerms, floor: FloorNow) -> tuple[TeamTally, ...]:
    """What the scope's desks have counted so far."""
    return tuple(tally_of(floor, team.id) for team in _teams(terms, floor))


def _teams(terms: RerouteTerms, floor: FloorNow) -> list[Team]:
    """Whose work comes back: of a local order no team's, since branches take it up and hand it in again."""
    return [] if terms.effect == "local" else touched_teams(terms.scope, floor.teams())


def staffed_teams(terms: RerouteTerms, floor: FloorNow) -> tuple[str, ...]:
    """The teams of the scope whose desk tells that somebody is there."""
    loads = ((team.id, floor.load(team.id)) for team in _teams(terms, floor))
    return tuple(name for name, load in loads if load is not None and load.present and not silent(load, floor.now))


def unwell(order: RerouteOrder, floor: FloorNow) -> str | None:
    """What is wrong with the scope since the step began, in a sentence; `None` when it is well.

    Holds:   a team to which nothing came is well as long as somebody is there.
    """
    for team in _teams(order.terms, floor):
        fault = _nobody_there(team, order, floor)
        if fault is not None:
            return fault
    since_step, since_return = ({one.team_id: one for one in told} for told in (order.tallies, order.return_tallies))
    step, steps = order.return_step_seconds, order.return_steps_done
    for now in tallies_of(order.terms, floor):
        before, at_first = since_step.get(now.team_id, now), since_return.get(now.team_id, now)
        fault = (
            _fault(before, now) or _stalled(before, now, step, floor) or _stalled(at_first, now, steps * step, floor)
        )
        if fault is not None:
            return fault
    return None


def _nobody_there(team: Team, order: RerouteOrder, floor: FloorNow) -> str | None:
    """Why nobody takes what comes back to the team, though somebody should; `None` when somebody is there, or should not be.

    Holds:   ill is who is gone: a shift is worked now, or of people without one somebody was there when the order began or
             has come since, at an hour when the floor works. A team without people, one whose people all go by shifts of
             which none is worked now, and one where nobody was or is expected have nobody to lose, and their desks nothing
             to say.
    """
    if _somebody_there(team, floor):
        return None
    load, shifts = floor.load(team.id), _shifts(team, floor)
    expected = any(shift is not None and _worked(shift, floor) for shift in shifts)
    were_there = order.staffed_teams is None or team.id in order.staffed_teams or (load is not None and load.present)
    if not expected and (None not in shifts or not were_there or not _floor_works(floor)):
        return None
    if silent(load, floor.now):
        return f"Expected the desk of {team.id} to tell its load, heard nothing."
    return f"Expected somebody present at {team.id}, found nobody."


def nobody_expected(order: RerouteOrder, floor: FloorNow) -> str:
    """At which teams with people nobody is there and nobody is missed, in words to be added; none: nothing."""
    names = [
        team.id
        for team in _teams(order.terms, floor)
        if _shifts(team, floor)
        and not silent(floor.load(team.id), floor.now)  # of whom nothing is heard nobody knows
        and not _somebody_there(team, floor)
        and _nobody_there(team, order, floor) is None
    ]
    return f"; nobody is there, and nobody is expected now, at {', '.join(names)}" if names else ""


def _somebody_there(team: Team, floor: FloorNow) -> bool:
    """The desk tells so, and not too long ago."""
    load = floor.load(team.id)
    return load is not None and not silent(load, floor.now) and bool(load.present)


def _worked(shift: Shift, floor: FloorNow) -> bool:
    return at_work(shift, floor.now, ZoneInfo(floor.book.reference.limits.time_zone))


def _floor_works(floor: FloorNow) -> bool:
    """Some shift of the floor is worked now; of a floor without shifts nobody knows better."""
    shifts = floor.book.reference.shifts.values()
    return not shifts or any(_worked(shift, floor) for shift in shifts)


def _shifts(team: Team, floor: FloorNow) -> list[Shift | None]:
    """The shift of each of the team's people, if they go by one."""
    reference = floor.book.reference
    people = reference.operators_by_team.get(team.id, {})
    return [reference.shifts.get(reference.operators[name].shift_id or "") for name in people]


def silent(load: LoadSnapshot | None, now: datetime, intervals_max: int = SILENT_INTERVALS_MAX) -> bool:
    """The desk has not told its load for too long to be believed."""
    return load is None or (now - load.at).total_seconds() > intervals_max * load.interval_seconds


def unheard(floor: FloorNow) -> list[LoadSnapshot]:
    """What the desks told last whose figures are old, the last of them first: a desk is silent, or none is heard any more.

    Holds:   a desk at which nobody and nothing was has nothing to say, so that what it told last is still so.
    """
    speaking = with_something(floor)
    nobody_speaks = all(silent(load, floor.now, UNHEARD_INTERVALS_MAX) for load in speaking)
    old = [load for load in speaking if nobody_speaks or silent(load, floor.now)]
    return sorted(old, key=lambda load: (load.at, load.team_id), reverse=True)


def with_something(floor: FloorNow) -> list[LoadSnapshot]:
    """What the desks told last at which somebody or something was: they tell it again and again."""
    told = (load for team in floor.teams() if (load := floor.load(team.id)) is not None)
    return [load for load in told if load.present or load.queued or load.in_hand]


def _fault(before: TeamTally, now: TeamTally) -> str | None:
    accepted, expired = now.accepted - before.accepted, now.expired - before.expired
    declined, completed = now.declined - before.declined, now.completed - before.completed
    if accepted + expired >= EVIDENCE_MIN and expired > EXPIRED_SHARE_MAX * (accepted + expired):
        return f"Expected at most {EXPIRED_SHARE_MAX:.0%} of leases to run out at {now.team_id}, found {expired}."
    offered = max(accepted, completed) + expired + declined  # who completes at once has not accepted before
    if offered >= EVIDENCE_MIN and declined > DECLINED_SHARE_MAX * offered:
        return f"Expected offers to be accepted at {now.team_id}, found {declined} of {offered} declined."
    return None


def _stalled(before: TeamTally, now: TeamTally, seconds: float, floor: FloorNow) -> str | None:
    """Much was accepted since and nothing completed, though there was time for it. Units: `seconds` between the two.

    Holds:   the time is that of the slowest work of those present, as their desk has learned it: tallies tell no work types.
    """
    load, accepted = floor.load(now.team_id), now.accepted - before.accepted
    slowest = max(load.learned_by_work_type.values(), default=0.0) if load is not None else 0.0
    if accepted < STALLED_MIN or now.completed > before.completed or seconds < TIMES_OF_WORK_MIN * slowest:
        return None
    return f"Expected completions at {now.team_id}, found none of {accepted} accepted."


def tally_of(floor: FloorNow, team_id: str) -> TeamTally:
    """What a desk has counted so far, as its load tells; of a silent desk nothing."""
    load = floor.load(team_id)
    told = (None if load is None else load.tally) or DeskTally()
    return TeamTally(
        team_id=team_id,
        accepted=told.accepted,
        expired=told.expired,
        completed=told.completed,
        late=told.late,
        declined=told.declined,
    )
