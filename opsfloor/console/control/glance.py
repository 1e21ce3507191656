"""The floor at a glance."""

from __future__ import annotations

from typing import Final

from nicegui import ui

from opsfloor.console.control.frame import Frame, Now
from opsfloor.console.control.heard import HeardSheet
from opsfloor.console.control.orders import ORDER_COLUMNS, order_lines
from opsfloor.console.control.telling import ago, count, named, oldest, phase_at, place_line, punctual, quiet, work_line
from opsfloor.console.elements import words
from opsfloor.console.sheet import Cell
from opsfloor.console.words import SIGNS

PLACE: Final = ("how full", "waits", "oldest", "in hand", "people", "in time", "reroutes", "last heard")
WORK: Final = ("work type", "waits", "oldest", "people able", "cleared in", "will be late")


class Tile:
    """One figure of the whole floor."""

    def __init__(self, name: str) -> None:
        with ui.element("div"):
            words("dt", name)
            with ui.element("dd"):
                self._value: Final = words("span")
                self._badge: Final = words("span")
                self._about: Final = words("small")

    def show(self, cell: Cell, about: str = "") -> None:
        """Show this figure."""
        self._value.say(cell.text)
        self._about.say(about)
        self._badge.say(f"{SIGNS[cell.verdict]} {cell.word}" if cell.word else "")
        self._badge.classes(replace=f"verdict {cell.verdict}" if cell.word else "")


class Glance:
    """Is the floor well, and where is it not?"""

    def __init__(self, frame: Frame) -> None:
        self._frame: Final = frame
        with ui.element("dl").classes("tiles"):
            self._waits: Final = Tile("waiting items")
            self._oldest: Final = Tile("oldest of them")
            self._in_time: Final = Tile("completed in time")
            self._late: Final = Tile("will be late")
            self._people: Final = Tile("people present")
            self._orders: Final = Tile("reroutes in force")
            self._inbox: Final = Tile("wait for approval")
        with ui.element("section").classes("card"):
            self._acting: Final = HeardSheet(
                "Reroutes", ORDER_COLUMNS, "● No reroute is open: all work goes where it always goes."
            )
        with ui.element("section").classes("card"):
            self._centres: Final = HeardSheet("Centres", ("centre", *PLACE), "The reference data name no centre.")
        with ui.element("section").classes("card"):
            self._teams: Final = HeardSheet("Teams", ("team", "centre", *PLACE), "The reference data name no team.")
        with ui.element("section").classes("card"):
            self._work: Final = HeardSheet("Work", WORK, "No work waits.")
            self._quiet: Final = words("p").classes("empty")

    async def show(self, now: Now) -> None:
        """Show the floor now."""
        self._tell(now)
        self._acting.show(await order_lines(self._frame, now, now.orders))
        hour, floor = self._frame.room.hour, now.floor
        labels = {centre.id: named(centre.id, centre.label) for centre in floor.centres}
        members = {
            centre.id: [team.id for team in floor.teams if team.centre_id == centre.id] for centre in floor.centres
        }
        self._centres.show(
            [place_line(centre, hour.on_time(floor, members[centre.id]), floor) for centre in floor.centres]
        )
        self._teams.show(
            [
                place_line(
                    team, hour.on_time(floor, [team.id]), floor, Cell(labels.get(team.centre_id, team.centre_id))
                )
                for team in floor.teams
            ]
        )
        self._work.show([work_line(work, floor) for work in floor.work if not quiet(work)])
        calm = sum(1 for work in floor.work if quiet(work))
        self._quiet.say(f"Of {calm} other work types nothing waits, and somebody is there for each." if calm else "")

    def _tell(self, now: Now) -> None:
        floor, teams = now.floor, now.floor.teams
        nowhere = sum(work.nowhere for work in floor.work)
        self._waits.show(
            Cell(
                count(sum(team.queued for team in teams) + nowhere),
                "bad" if nowhere else "",
                "stuck" if nowhere else "",
            ),
            (f"{count(nowhere)} at no desk, " if nowhere else "") + f"{sum(t.in_hand for t in teams)} in hand",
        )
        first = min((work.oldest_requested_at for work in floor.work if work.oldest_requested_at), default=None)
        self._oldest.show(oldest(first, floor.at) if first else Cell("none"))
        done = self._frame.room.hour.on_time(floor)
        since = (
            f"of {count(done.completed)} in {ago(done.since, floor.at)}"
            if done.since
            else f"of {count(done.completed)} ever"
        )
        self._in_time.show(punctual(done, [share for team in teams for share in team.promised]), since)
        late, queued = sum(work.misses for work in floor.work), sum(work.queued for work in floor.work)
        self._late.show(
            Cell(count(late), "bad" if late else "", "late" if late else ""),
            f"of {count(queued)} that wait, as it looks",
        )
        here, all_teams = sum(1 for team in teams if team.present), len(teams)
        self._people.show(Cell(count(sum(team.present for team in teams))), f"at {here} of {all_teams} teams")
        acting = [order for order in now.orders if phase_at(order, now.at) in ("active", "returning")]
        self._orders.show(Cell(str(len(acting)), "watch", "moved work" if acting else ""))
        waiting = [order for order in now.orders if order.phase == "proposed"]
        self._inbox.show(Cell(str(len(waiting)), "watch", "decide" if waiting else ""))
