"""The day as it passes: throughput, queues, on-time share, and what has happened."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table

from deploy.demo.auditor import Auditor
from shared.contracts.routing import LoadSnapshot, PlanMade, PlannedWork

ZONE: Final = ZoneInfo("Asia/Shanghai")
HISTORY: Final = 30
STILL_SECONDS: Final = 15  # without an end, while something is open
PLANNED_SHOWN: Final = 3


@dataclass
class Board:
    """What the viewer sees. Holds: `loads` has each team's last snapshot, `plan` the last plan; `events` the story."""

    auditor: Auditor
    expected: int
    loads: dict[str, LoadSnapshot] = field(default_factory=dict)
    plan: PlanMade | None = None
    assigned: int = 0
    events: list[str] = field(default_factory=list)
    rates: deque[int] = field(default_factory=lambda: deque(maxlen=HISTORY))
    _last: int = 0
    _still: int = 0

    def tick(self) -> None:
        """Once a second: how many cases ended since."""
        ended = len(self.auditor.ends())
        self._still = 0 if ended > self._last else self._still + 1
        self.rates.append(ended - self._last)
        self._last = ended

    def tell(self, at: datetime, what: str) -> str:
        """Add to the story; returns the line."""
        line = f"{at.astimezone(ZONE):%H:%M} {what}"
        self.events.append(line)
        return line

    def line(self, now: datetime) -> str:
        """One line, for a screen that cannot be redrawn."""
        held = self.auditor.conservation()
        waiting = sum(load.queued for snapshot in self.loads.values() for load in snapshot.queued)
        return (
            f"{now.astimezone(ZONE):%H:%M} submitted {held['submitted']}, ended {held['posted'] + held['closed'] + held['rejected']}, "
            f"waiting items {waiting}, on time {self._on_time():.1%}"
        )

    def _on_time(self) -> float:
        ends = self.auditor.ends()
        return sum(end.on_time for end in ends) / len(ends) if ends else 1.0

    def render(self, now: datetime) -> RenderableType:
        """The whole view."""
        held = self.auditor.conservation()
        ended = held["posted"] + held["closed"] + held["rejected"]
        head = Table.grid(padding=(0, 3))  # two rows: a screen of 80 columns shows them whole
        head.add_row(
            f"[bold]{now.astimezone(ZONE):%H:%M}[/] banking time",
            f"submitted [bold]{held['submitted']:,}[/]",
            f"open [bold]{held['open']:,}[/]",
            f"on time [bold]{self._on_time():.1%}[/]",
        )
        head.add_row(
            self._pace(held["open"]),
            f"posted [bold green]{held['posted']:,}[/]",
            f"closed {held['closed']:,}",
            f"rejected {held['rejected']:,}",
        )
        filled = {} if self.plan is None else {team.team_id: team.saturation for team in self.plan.teams}
        teams = Table("team", "present", "in hand", "waiting", "full", "", box=None, padding=(0, 2))
        for team, load in sorted(self.loads.items()):
            waiting = sum(row.queued for row in load.queued)
            full = filled.get(team)
            bar = ProgressBar(total=1.0, completed=min(1.0, full or 0.0), width=20)
            percent = "–" if full is None else f"{full:.0%}"
            teams.add_row(team, str(len(load.present)), str(load.in_hand), str(waiting), percent, bar)
        story = "\n".join(self.events[-6:]) or "…"
        progress = ProgressBar(total=self.expected, completed=ended, width=60)
        return Panel(
            Group(head, progress, "", teams, "", *self._planned(), "", story),
            title="Opsfloor: a banking day",
            border_style="blue",
        )

    def _pace(self, waiting: int) -> str:
        """Cases a second; or for how long none has ended, which nobody who watches should have to find out."""
        if waiting and self._still >= STILL_SECONDS:
            return f"[yellow]nothing has ended for {self._still} s[/]"
        return f"{sum(self.rates) / max(1, len(self.rates)):.1f} cases/s"

    def _planned(self) -> list[str]:
        """The plan in three lines: how the largest kinds of work are shared, and what hurts most."""
        if self.plan is None:
            return ["[dim]no plan yet[/]"]
        largest = sorted(self.plan.work, key=lambda part: -part.coming_per_hour)[:PLANNED_SHOWN]
        hurts = (
            self.plan.reliefs[0].words
            if self.plan.reliefs
            else "nothing hurts: nobody more would save a minute of lateness"
        )
        return [*(_shared(part) for part in largest), hurts]


def _shared(part: PlannedWork) -> str:
    shares = ", ".join(f"{one.team_id} {one.share:.0%}" for one in sorted(part.shares, key=lambda one: -one.share)[:3])
    house = " in house" if part.in_house_only else ""
    return f"[dim]{part.work_type}{house} {part.coming_per_hour:.0f}/h:[/] {shares or 'nobody'}"
