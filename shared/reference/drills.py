"""When the calendar holds a drill: week after week, never at a peak or a cut-off, never in a blocked window. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from shared.contracts.reference import DrillEntry, RerouteDuty, Team, TimeOfDay
from shared.contracts.reroute import RerouteScope
from shared.reference.board import ReferenceView
from shared.reference.shifts import WEEKDAYS, day_kind

WEEKS_AHEAD: Final = 26  # looked through for a day that is not blocked
WEEK: Final = timedelta(days=7)


def scope_of(entry: DrillEntry) -> RerouteScope:
    """What the drill keeps work away from."""
    return RerouteScope(
        centres=(entry.centre,) if entry.centre else (), providers=(entry.provider,) if entry.provider else ()
    )


def next_start(entry: DrillEntry, after: datetime, view: ReferenceView) -> datetime | None:
    """When the drill begins next, strictly later than `after`; `None` when every day of half a year is blocked."""
    zone = ZoneInfo(view.limits.time_zone)
    first = after.astimezone(zone).date()
    monday = first - timedelta(days=first.weekday())
    for ahead in range(WEEKS_AHEAD):
        week = monday + ahead * WEEK
        if (week.toordinal() // 7) % entry.every_weeks == 0:
            begins = next((at for at in _starts(entry, week, zone) if blocked_because(entry, at, view) is None), None)
            if begins is not None and begins > after:
                return begins
    return None


def _starts(entry: DrillEntry, monday: date, zone: ZoneInfo) -> Iterator[datetime]:
    """The drill on each of its weekdays, the preferred first."""
    for weekday in entry.weekdays:
        day = monday + timedelta(days=WEEKDAYS.index(weekday))
        yield datetime.combine(day, time.fromisoformat(entry.begins), zone).astimezone(UTC)


def blocked_because(entry: DrillEntry, begins_at: datetime, view: ReferenceView) -> str | None:
    """Why the drill must not be held then, in words; `None` when it may."""
    local = begins_at.astimezone(ZoneInfo(view.limits.time_zone))
    kind = day_kind(local.date(), view.shifts.values(), view.limits.peak_days)
    if kind == "off" or (kind == "peak" and not entry.on_peak_days):
        return f"{local:%Y-%m-%d} is {'a peak day' if kind == 'peak' else 'a day off'}"
    begins = local.hour * 60 + local.minute
    ends = begins + entry.minutes
    for name, opens, closes in _windows(entry, view):
        if begins < closes and opens < ends:
            return f"{name} lies between {opens // 60:02d}:{opens % 60:02d} and {closes // 60:02d}:{closes % 60:02d}"
    return None


def _windows(entry: DrillEntry, view: ReferenceView) -> Iterator[tuple[str, int, int]]:
    """What is blocked in a day, in minutes from midnight: by the entry, by a gating rule, by a rail's closing."""
    for window in entry.blocked:
        yield "a window that the entry blocks", minutes_of(window.begins), minutes_of(window.ends)
    for rule in view.reroute_rules.values():
        if rule.form == "blocked_window":
            yield rule.label, minutes_of(rule.begins), minutes_of(rule.ends)
    for template in view.business_types.values():
        if template.cut_off is not None:
            closes = minutes_of(template.cut_off)
            yield f"the closing of {template.id}", closes - view.limits.drill_cut_off_minutes, closes


def minutes_of(clock: TimeOfDay) -> int:
    """A time of day in minutes from midnight."""
    at = time.fromisoformat(clock)
    return at.hour * 60 + at.minute


# ------------------------------------------------------------------ signatures


def on_duty_for(duty: RerouteDuty, team: Team) -> bool:
    """The team lies where the person is on duty."""
    return (not duty.centres or team.centre_id in duty.centres) and (
        not duty.providers or team.provider_id in duty.providers
    )


def unsigned_because(entry: DrillEntry, view: ReferenceView) -> str | None:
    """Why the entry is not lawfully signed by two people as duties stand now; `None` when it is."""
    teams = [
        team for team in view.teams.values() if entry.centre == team.centre_id or entry.provider == team.provider_id
    ]
    owner, signer = view.reroute_duties.get(entry.owner), view.reroute_duties.get(entry.signed_by)
    if entry.owner == entry.signed_by:
        return f"signed by its own owner {entry.owner}; let somebody else sign it"
    if owner is None or not owner.proposes or not all(on_duty_for(owner, team) for team in teams):
        return f"owner {entry.owner} does not propose reroutes of all of this scope; name somebody who does"
    if signer is None or not signer.approves or not all(on_duty_for(signer, team) for team in teams):
        return f"signed_by {entry.signed_by} does not approve reroutes of all of this scope; name somebody who does"
    return None
