"""What a command about reroutes may say at all, whatever the floor is like: plain words, a start within reach."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from shared.contracts.reroute import DRILL_MINUTES_MAX, DRILL_MINUTES_MIN, RerouteTerms

START_DAYS_MAX: Final = 7  # a start further off is a slip of the pen: who is on duty then should propose it then
_BREAKS_LINES: Final = frozenset("\u2028\u2029")
_TURNS_AROUND: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

Fault = tuple[str, str]
"""A code and a sentence."""


def words_fault(words: str) -> Fault | None:
    """Why the words are not plain: blanks alone, a control character, or one that makes screens show another order than
    was written.

    Holds:   the database cannot read a text with U+0000 back, so that one such reason would hide other orders, too.
    """
    if not words.strip():
        return "text_not_plain", "Expected words that somebody can read later, found blanks; say why."
    strange = next((sign for sign in words if _strange(sign)), None)
    if strange is None:
        return None
    return "text_not_plain", f"Expected words without control characters, found U+{ord(strange):04X}; write them anew."


def plain(words: str) -> str:
    """The words as they are. Errors: `ValueError` when they are not plain."""
    fault = words_fault(words)
    if fault is not None:
        raise ValueError(fault[1])
    return words


def made_plain(words: str) -> str:
    """The words of a machine that knows no better: each control character becomes a space."""
    return "".join(" " if _strange(sign) else sign for sign in words)


def _strange(sign: str) -> bool:
    control = sign < " " or "\x7f" <= sign <= "\x9f" or "\ud800" <= sign <= "\udfff"
    return control or sign in _BREAKS_LINES or sign in _TURNS_AROUND


def terms_fault(terms: RerouteTerms, now: datetime) -> Fault | None:
    """Why nobody may ask for these terms; `None` when they may."""
    if terms.starts_at is not None and terms.starts_at > latest_start(now):
        return (
            "start_too_far",
            f"Expected a start within {START_DAYS_MAX} days, found {in_utc(terms.starts_at)}; "
            "propose it when it is nearer.",
        )
    if terms.effect != "shift" and terms.percent != 100:
        return "percent_not_taken", f"Expected a percentage for a shift alone, found {terms.effect} {terms.percent} %."
    return words_fault(terms.reason)


def drill_fault(terms: RerouteTerms) -> Fault | None:
    """Why nobody may ask for a drill of so many minutes; `None` when they may, or when it is none."""
    if not terms.drill or DRILL_MINUTES_MIN <= terms.minutes <= DRILL_MINUTES_MAX:
        return None
    return (
        "drill_minutes",
        f"Expected a drill of {DRILL_MINUTES_MIN} to {DRILL_MINUTES_MAX} minutes, found {terms.minutes}; name so many.",
    )


def start_fault(terms: RerouteTerms, now: datetime) -> Fault | None:
    """Why they cannot begin when they say: it is over."""
    if terms.starts_at is None or terms.starts_at >= now:
        return None
    return "start_past", f"Expected a start to come, found {in_utc(terms.starts_at)}."


def in_utc(at: datetime) -> str:
    """An instant in UTC, to the second: people name theirs with a zone of their own, and it is kept as they did.

    Holds:   one so near the first or the last year that it is none in UTC stays in its own zone, and stops no book.
    """
    try:
        return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    except OverflowError:
        return f"{at:%Y-%m-%d %H:%M:%S%z}"


def latest_start(now: datetime) -> datetime:
    """Nothing starts later than this."""
    return now + timedelta(days=START_DAYS_MAX)
