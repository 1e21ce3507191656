"""A preview as a chart: each work type before and after, told apart by pattern as well as by colour. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from shared.contracts.reroute import SkillForecast

AXIS: Final = "minutes until the queue is cleared"
"""Stands under the whole chart: on a telephone there is no room for it under the bars alone."""
KINDS_MAX: Final = 8  # of work; those on which the reroute does most, the table has all
WITHOUT, WITH = "#56B4E9", "#D55E00"  # Okabe and Ito's
STRIPES: Final = {
    "symbol": "rect",
    "dashArrayX": [1, 0],
    "dashArrayY": [3, 3],
    "rotation": -0.785,
    "color": "rgba(0,0,0,0.55)",
}


def telling(skills: Sequence[SkillForecast]) -> list[SkillForecast]:
    """The work types that a chart shows: where most changes or waits, by name."""
    known = [one for one in skills if one.queued or one.dead_end]
    first = sorted(known, key=lambda one: (-_change(one), -one.queued, one.work_type))[:KINDS_MAX]
    return [one for one in skills if one in first]


def _change(skill: SkillForecast) -> float:
    before, after = skill.wait_seconds_without, skill.wait_seconds_with
    waits = 1e9 if (before is None) != (after is None) else (after or 0) - (before or 0)
    return abs(skill.misses_with - skill.misses_without) * 600 + abs(waits)


def before_and_after(skills: Sequence[SkillForecast], text_px: float) -> dict[str, Any]:
    """How long until the queue is cleared, without and with the reroute; nobody there fills the chart's width.

    Units:   minutes.
    """
    shown = telling(skills)
    pairs = [(one.wait_seconds_without, one.wait_seconds_with) for one in shown]
    known = [seconds / 60 for pair in pairs for seconds in pair if seconds is not None]
    forever = 1.15 * max([*known, 1.0])
    return {
        "animation": False,
        "aria": {"enabled": False},
        "grid": {
            "left": text_px,
            "right": 5 * text_px,
            "top": 2.6 * text_px,
            "bottom": 2.2 * text_px,
            "containLabel": True,
        },
        "textStyle": {"fontSize": text_px},
        "title": {"text": AXIS, "bottom": 0, "left": 0, "textStyle": {"fontSize": text_px, "fontWeight": "normal"}},
        "legend": {"top": 0, "left": 0, "textStyle": {"fontSize": text_px}, "selectedMode": False},
        "xAxis": {
            "type": "value",
            "max": round(forever * 1.05, 1),
            "splitNumber": 2,
            "axisLabel": {"fontSize": text_px, "showMaxLabel": False, "hideOverlap": True},
            "splitLine": {"show": False},
        },
        "yAxis": {
            "type": "category",
            "inverse": True,
            "data": [one.work_type.replace("/", "/\n") for one in shown],
            "axisLabel": {"fontSize": text_px, "lineHeight": 1.2 * text_px},
        },
        "series": [
            _bars("without it", WITHOUT, None, [pair[0] for pair in pairs], forever, text_px),
            _bars("with it", WITH, STRIPES, [pair[1] for pair in pairs], forever, text_px),
        ],
    }


def _bars(
    name: str, color: str, decal: Any, waits: Sequence[float | None], forever: float, text_px: float
) -> dict[str, Any]:
    return {
        "type": "bar",
        "name": name,
        "animation": False,
        "barGap": "10%",
        "itemStyle": {"color": color, "borderColor": "#1b1f24", "borderWidth": 1, "decal": decal},
        "label": {"show": True, "position": "right", "fontSize": text_px, "color": "#1b1f24"},
        "data": [
            {
                "value": round(forever if seconds is None else seconds / 60, 2),
                "label": {"formatter": "for ever" if seconds is None else f"{seconds / 60:.0f}"},
            }
            for seconds in waits
        ],
    }


def height_rem(skills: Sequence[SkillForecast]) -> float:
    """How high the chart must be for its bars to be read."""
    return 5.0 + 2.6 * len(telling(skills))


def in_words(skills: Sequence[SkillForecast]) -> str:
    """The chart for who cannot see it."""
    parts = [
        f"{one.work_type} {_minutes(one.wait_seconds_without)}, with it {_minutes(one.wait_seconds_with)}"
        for one in telling(skills)
    ]
    return f"Bar chart, waits without the reroute and with it: {'; '.join(parts)}."


def _minutes(seconds: float | None) -> str:
    return "for ever" if seconds is None else f"{seconds / 60:.0f} minutes"
