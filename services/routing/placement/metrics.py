"""The levels of what waits at placement; what placement decides is counted with the rest of routing."""

from __future__ import annotations

from typing import Final

from shared.runtime.levels import Level

_EVERYWHERE: Final = "; the whole floor, the same from every process"
UNPLACEABLE_ITEMS: Final = Level(
    "opsfloor_unplaceable_items",
    f"Items that wait at no desk, since nobody may or can do them now{_EVERYWHERE}",
    ("reason", "business_type"),
)
UNPLACEABLE_OLDEST: Final = Level(
    "opsfloor_unplaceable_oldest_seconds",
    f"Age of the oldest item that waits at no desk{_EVERYWHERE}",
    ("reason", "business_type"),
)
