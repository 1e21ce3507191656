"""Figures as people read them, and whether they are good: in words and shapes, never by colour alone."""

from __future__ import annotations

import math
from typing import Final, Literal

from deploy.grafana.questions import Question

Verdict = Literal["good", "watch", "bad", ""]

SIGNS: Final[dict[Verdict, str]] = {"good": "●", "watch": "▲", "bad": "■", "": ""}
NOTHING: Final = 1e-6  # what a sum of differences leaves over is no figure
MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0
_BYTES: Final = ("B", "KiB", "MiB", "GiB", "TiB")


def told(value: float, unit: str) -> str:
    """A value with its unit, in about three figures. Units: Grafana's names, as in `Question`."""
    if math.isnan(value) or math.isinf(value):
        return "none"
    match unit:
        case "s":
            return _duration(value)
        case "m":
            return _duration(value * MINUTE)
        case "percentunit":
            return f"{value * 100:.1f} %"
        case "cpm":
            return f"{_short(value)} / min"
        case "cps" | "reqps":
            return f"{_short(value)} / s"
        case "bytes":
            return _size(value)
        case _:
            return _short(value)


def figure(value: float, question: Question) -> str:
    """A value of a question with its unit; a time left that has passed in the question's own word."""
    if question.passed and value < 0:
        return f"{question.passed} {told(-value, question.unit)} ago"
    return told(value, question.unit)


def judged(value: float, question: Question, query: int = 0) -> Verdict:
    """Good, to be watched, or bad by the limits of the question, or of that query of it; nothing when it has none."""
    limits = question.queries[query].limits or (question.warns_at, question.bad_at)
    if limits[0] is None or limits[1] is None or (question.passed and value < 0):
        return ""
    return judge(value, limits[0], limits[1])


def judge(value: float, warns_at: float, bad_at: float) -> Verdict:
    """Good, to be watched, or bad by these limits; nothing of what is no number. The order of the limits says which
    way is worse."""
    if math.isnan(value):
        return ""
    side = 1 if warns_at <= bad_at else -1  # more is worse, or less is
    if side * value >= side * bad_at:
        return "bad"
    return "watch" if side * value >= side * warns_at else "good"


def _duration(seconds: float) -> str:
    sign, left = "−" if seconds < 0 else "", abs(seconds)
    if 0 < left < 0.001:
        return f"{sign}{left * 1_000_000:.0f} µs"
    if left < 1:
        return f"{sign}{left * 1_000:.0f} ms" if left else "0 s"
    if left < MINUTE:
        return f"{sign}{left:.1f} s" if left < 10 else f"{sign}{left:.0f} s"
    for size, name, part, smaller in ((DAY, "d", HOUR, "h"), (HOUR, "h", MINUTE, "min"), (MINUTE, "min", 1.0, "s")):
        if left >= size:
            whole, rest = divmod(round(left / part), round(size / part))
            return f"{sign}{whole} {name} {rest} {smaller}" if rest else f"{sign}{whole} {name}"
    raise AssertionError("a duration of a minute or more has minutes")


def _short(value: float) -> str:
    if abs(value) < NOTHING:
        return "0"
    if value == round(value) or abs(value) >= 1_000:
        return f"{value:,.0f}".replace(",", "\N{THIN SPACE}").replace("-", "−")
    return f"{value:.3g}".replace("-", "−")


def _size(value: float) -> str:
    size = value
    for name in _BYTES[:-1]:
        if abs(size) < 1_024:
            return f"{_short(round(size, 1))} {name}"
        size /= 1_024
    return f"{_short(round(size, 1))} {_BYTES[-1]}"
