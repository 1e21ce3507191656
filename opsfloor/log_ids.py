"""Ids of the floor for the names in an event log: different names have different ids."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from opsfloor.event_log import Activity

LENGTH_MAX: Final = 80  # of an id as it is made here: what is put beside it must find room too

Names = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LogIds:
    """The ids of a log's activities, roles and people; somebody who works in two roles is two people."""

    activity: Mapping[str, str]
    role: Mapping[str, str]
    person: Mapping[Names, str]  # by role and resource

    @classmethod
    def of(cls, activities: Sequence[Activity]) -> LogIds:
        """An id for every name."""
        names, roles = _ids((one.name,) for one in activities), _ids((one.role,) for one in activities)
        return cls(
            {name: identity for (name,), identity in names.items()},
            {role: identity for (role,), identity in roles.items()},
            _ids((one.role, one.resource) for one in activities),
        )


def _ids(names: Iterable[Names]) -> dict[Names, str]:
    """Holds: follows from the names alone, in whatever order they come; those that would share an id are numbered."""
    found: dict[Names, str] = {}
    taken: set[str] = set()
    for name in sorted(set(names)):
        plain = re.sub(r"[\W_]+", "-", " ".join(name).lower())[:LENGTH_MAX].strip("-") or "x"
        identity, number = plain, 1
        while identity in taken:
            number += 1
            identity = f"{plain}-{number}"
        taken.add(identity)
        found[name] = identity
    return found
