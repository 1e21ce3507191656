"""Who is signed in, and with which token: in this process's memory alone, by browser."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.routing.emergency.glance import DutyView
from shared.http.tokens import utc_now


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody at a browser. Holds: `duty` is what routing said of the token."""

    token: str
    duty: DutyView

    @property
    def name(self) -> str:
        """As others know them."""
        return self.duty.name or self.duty.subject


class People:
    """Who is signed in, by the browser's own secret id.

    Holds:   tokens are written nowhere: when the console ends, everybody is signed out; so is whose token has ended.
    """

    def __init__(self, now: Callable[[], datetime] = utc_now) -> None:
        self._now: Final = now
        self._here: Final[dict[str, Person]] = {}

    def sign_in(self, browser: str, person: Person) -> None:
        """The person sits at this browser now, and nobody else."""
        for gone in [name for name, other in self._here.items() if self._over(other)]:
            del self._here[gone]
        self._here[browser] = person

    def sign_out(self, browser: str) -> None:
        """Nobody sits there any more."""
        self._here.pop(browser, None)

    def at(self, browser: str) -> Person | None:
        """Who sits at the browser, while the token holds."""
        person = self._here.get(browser)
        return None if person is None or self._over(person) else person

    def _over(self, person: Person) -> bool:
        return person.duty.expires_at <= self._now()
