"""When a case must be done: the service level, and the rail's closing where it has one."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from shared.contracts.reference import BusinessType
from shared.runtime.errors import InvariantError


def due_at(template: BusinessType, received_at: datetime, urgent: bool, time_zone: str) -> datetime:
    """The instant by which the case should be posted.

    Holds:   the service level from receipt, but never after the day's last posting instant (cut-off minus posting
             lead) while that lies ahead; received after it, the case is due at the next day's.
    """
    level = template.sla_urgent_seconds if urgent and template.sla_urgent_seconds else template.sla_seconds
    promised = received_at + timedelta(seconds=level)
    if template.cut_off is None:
        return promised
    zone = _zone(time_zone)
    today = received_at.astimezone(zone).date()
    last = _last_posting(template, template.cut_off, today, zone)
    if received_at < last:
        return min(promised, last).astimezone(received_at.tzinfo)
    return _last_posting(template, template.cut_off, today + timedelta(days=1), zone).astimezone(received_at.tzinfo)


def cut_off_left_seconds(template: BusinessType, now: datetime, time_zone: str) -> float | None:
    """Seconds until the last posting instant of the local day, negative after it; `None` without a cut-off."""
    if template.cut_off is None:
        return None
    zone = _zone(time_zone)
    return (_last_posting(template, template.cut_off, now.astimezone(zone).date(), zone) - now).total_seconds()


def _last_posting(template: BusinessType, cut_off: str, on: date, zone: ZoneInfo) -> datetime:
    closing = datetime.combine(on, time.fromisoformat(cut_off), tzinfo=zone)
    return closing - timedelta(seconds=template.posting_lead_seconds)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise InvariantError(f"Expected an IANA time zone in the floor's limits, found {name!r}") from error
