"""The shift calendar that a day's people keep, as the floor's reference data tell it to desks and balancer."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from services.routing.simulator.day import Stretches
from shared.contracts.reference import Shift, ShiftBreak

MINUTE: Final = 60.0
LAST: Final = 23.5 * 3600.0  # who sees the day out is expected until then


def shift_of(stretches: Stretches) -> Shift:
    """The shift of somebody who is there in these stretches of the day. Holds: the same stretches give the same shift."""
    begins, ends = _told(stretches[0][0]), _told(stretches[-1][1])
    breaks = tuple(ShiftBreak(begins=_told(pause), ends=_told(back)) for (_, pause), (back, _) in pairwise(stretches))
    name = "-".join([begins, ends, *(one.begins for one in breaks)]).replace(":", "")
    return Shift(id=f"shift-{name}", label=f"{begins} to {ends}", begins=begins, ends=ends, breaks=breaks)


def _told(seconds: float) -> str:
    hours, minutes = divmod(round(min(seconds, LAST) / MINUTE), 60)
    return f"{hours:02}:{minutes:02}"
