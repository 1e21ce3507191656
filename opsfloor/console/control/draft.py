"""A reroute as somebody is filling it in."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from shared.contracts.reroute import BREAK_GLASS_MINUTES_MAX, MINUTES_MAX, Effect, RerouteScope, RerouteTerms

_DIGITS: Final = re.compile(r"[0-9]{1,9}")
A_LOOK: Final = "a look"  # what a preview without a reason is asked for


class UnfinishedError(Exception):
    """Something is still missing, or cannot be. The message says what to do."""


@dataclass
class Draft:
    """What the form says. Units: `starts_at` is what a browser writes of a local instant, `2026-03-02T14:00`."""

    effect: Effect = "drain"
    scope: dict[str, set[str]] = field(default_factory=dict)
    percent: str = "50"
    minutes: str = "60"
    starts_at: str = ""
    drill: bool = False
    reason: str = ""
    break_glass: bool = False
    override_rules: set[str] = field(default_factory=set)

    def name(self, part: str, one: str, named: bool) -> None:
        """Name something in a part of the scope, or no longer."""
        names = self.scope.setdefault(part, set())
        names.add(one) if named else names.discard(one)

    def look(self, zone: str) -> RerouteTerms:
        """The terms for a preview. Errors: `UnfinishedError`."""
        return self._terms(zone, self.reason.strip() or A_LOOK)

    def terms(self, zone: str) -> RerouteTerms:
        """The terms to propose. Errors: `UnfinishedError`."""
        if not self.reason.strip():
            raise UnfinishedError("Say why: the reason is kept on record.")
        terms = self._terms(zone, self.reason.strip())
        if self.break_glass and terms.minutes > BREAK_GLASS_MINUTES_MAX:
            raise UnfinishedError(f"A broken glass holds for at most {BREAK_GLASS_MINUTES_MAX} minutes.")
        if self.break_glass and (terms.starts_at is not None or terms.drill):
            raise UnfinishedError("A broken glass starts at once and in earnest: no later start, no drill.")
        return terms

    def _terms(self, zone: str, reason: str) -> RerouteTerms:
        scope = {part: tuple(sorted(names)) for part, names in self.scope.items() if names}
        if not scope:
            raise UnfinishedError("Name a place, or a kind of work: what should be moved?")
        try:
            return RerouteTerms(
                effect=self.effect,
                scope=RerouteScope.model_validate(scope),
                percent=number(self.percent, "percentage", 100) if self.effect == "shift" else 100,
                minutes=number(self.minutes, "number of minutes", MINUTES_MAX),
                starts_at=_instant(self.starts_at, zone),
                drill=self.drill,
                reason=reason,
            )
        except ValidationError as error:
            raise UnfinishedError("; ".join(fault["msg"] for fault in error.errors())) from error


def number(text: str, what: str, most: int) -> int:
    """A whole number from 1 to `most`. Errors: `UnfinishedError`."""
    written = text.strip()
    if not _DIGITS.fullmatch(written) or not 1 <= int(written) <= most:
        raise UnfinishedError(f"Expected a {what} from 1 to {most}, found {written or 'nothing'}.")
    return int(written)


def _instant(text: str, zone: str) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))
    except ValueError as error:
        raise UnfinishedError(f"Expected a day and a time for the start, found {text}.") from error
