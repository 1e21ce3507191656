"""When a case must be done: the service level, and the rail's closing where it has one."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from shared.contracts.reference import BusinessType
from shared.runtime.errors import InvariantError


def due_at(template: BusinessType, received_at: datetime, urgent: bool, time_zone: str) -> datetime:
    """The instant by which the case should be posted. Never before receipt.

    Holds:   the service level from receipt, but never after the day's last posting instant, while that lies ahead;
             received at it or after it, the next day's last posting instant: nothing is posted before, so that no
             service level counts, urgent or not.
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
    while last <= received_at:  # one day on, but where the clocks change just then
        today += timedelta(days=1)
        last = _last_posting(template, template.cut_off, today, zone)
    return last.astimezone(received_at.tzinfo)


def cut_off_left_seconds(template: BusinessType, now: datetime, time_zone: str) -> float | None:
    """Seconds until the last posting instant of the local day, negative after it; `None` without a cut-off."""
    if template.cut_off is None:
        return None
    zone = _zone(time_zone)
    return (_last_posting(template, template.cut_off, now.astimezone(zone).date(), zone) - now).total_seconds()


def _last_posting(template: BusinessType, cut_off: str, on: date, zone: ZoneInfo) -> datetime:
    """The local day's last posting instant: the cut-off less the posting lead, in UTC.

    Holds:   the latest one until midnight, and at midnight itself: with a cut-off soon after midnight or a long lead it is
             that of a later day's cut-off.
    """
    lead = timedelta(seconds=template.posting_lead_seconds)
    midnight = datetime.combine(on + timedelta(days=1), time.min, zone).astimezone(UTC)
    closing_day = (midnight + lead).astimezone(zone).date()
    last = _closing(cut_off, closing_day, zone) - lead
    return last if last <= midnight else _closing(cut_off, closing_day - timedelta(days=1), zone) - lead


def _closing(cut_off: str, on: date, zone: ZoneInfo) -> datetime:
    # In UTC before the lead is taken off: between instants of one zone Python reckons by what its clocks show.
    return datetime.combine(on, time.fromisoformat(cut_off), zone).astimezone(UTC)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise InvariantError(f"Expected an IANA time zone in the floor's limits, found {name!r}") from error
