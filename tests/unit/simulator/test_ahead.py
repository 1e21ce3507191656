"""The next minutes from the boards as they are: what is made of them, and what playing shows."""

from __future__ import annotations

import pickle
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import count as numbers
from pathlib import Path
from typing import Any

import pytest

from services.routing.boards import PLAN_BOARD
from services.routing.emergency.floor import FloorNow
from services.routing.emergency.looking import LookAhead, Looker, TooSlowError, days_ahead, look
from services.routing.simulator.ahead import COMING_MAX, MINUTES_MAX, WAITING_MAX, Ahead, in_force, play
from shared.contracts.reroute import RerouteOrder, RerouteScope, RerouteTerms
from shared.contracts.routing import CapacityByWorkType, LoadByWorkType, PlanMade, PlannedWork, TeamShare
from shared.reference.board import REFERENCE_BOARD
from tests.unit.emergency.conftest import BANK
from tests.unit.emergency.control_room import desk_load
from tests.unit.emergency.front_desk import FrontDesk
from tests.unit.emergency.upkeep import UpkeepRoom
from tests.unit.routing.floor import NOW, boards, stand

ENTRY = "corporate-transfer/entry"
REVIEW = "corporate-transfer/review"


class Bank:
    """The example bank's boards: who is present, what waits, what the plan expects."""

    def __init__(self, people: Mapping[str, int], pace: float = 1.0) -> None:
        self.views = boards()
        for entry in BANK:
            REFERENCE_BOARD.fold(self.views["reference"], entry.key, entry)
        for team_id, count in people.items():
            present = sorted(self.views["reference"].operators_by_team[team_id])[:count]
            capacity = tuple(
                CapacityByWorkType(work_type=w, present=count, learned_seconds=35 * pace) for w in (ENTRY,)
            )
            self.views["load"][team_id] = desk_load(team_id, present).model_copy(update={"capacity": capacity})

    def wait(self, team_id: str, work_type: str, items: int, oldest_minutes: float = 0.0) -> Bank:
        """So much waits at a team."""
        part = LoadByWorkType(
            work_type=work_type,
            queued=items,
            standard_seconds=35.0 * items,
            oldest_requested_at=NOW - timedelta(minutes=oldest_minutes),
        )
        load = self.views["load"][team_id]
        self.views["load"][team_id] = load.model_copy(update={"queued": (*load.queued, part)})
        return self

    def expect(self, per_hour: float, **kind: Any) -> Bank:
        """The plan expects so many entries."""
        shares = tuple(TeamShare(team_id=team_id, share=0.5) for team_id in ("north-entry", "south-entry"))
        work = PlannedWork(work_type=ENTRY, recent_per_hour=per_hour, coming_per_hour=per_hour, shares=shares, **kind)
        plan = PlanMade(
            made_at=NOW,
            made_by="b",
            good_until=NOW + timedelta(minutes=10),
            work=(work,),
            teams=(),
            saturation=0.5,
            lateness_minutes=0.0,
        )
        PLAN_BOARD.fold(self.views["plan"], plan.key, plan)
        return self

    def days(self, terms: RerouteTerms, *held: RerouteOrder) -> Sequence[Ahead]:
        """What would be played, smaller days first."""
        return days_ahead(FloorNow.of(self.views, held, NOW), terms)

    def day(self, terms: RerouteTerms, *held: RerouteOrder) -> Ahead:
        """The largest of them."""
        return self.days(terms, *held)[-1]


def away_from(centre: str, effect: Any = "evacuate", **changes: Any) -> RerouteTerms:
    """A reroute of a centre, for an hour unless told otherwise."""
    scope = changes.pop("scope", None) or RerouteScope(centres=(centre,))
    return RerouteTerms(**({"effect": effect, "scope": scope, "minutes": 60, "reason": "test"} | changes))


def test_an_evacuation_leaves_the_work_to_the_others() -> None:
    """Four people clear sixty items in time; two of them do not: the real desks and placement say how many."""
    bank = Bank({"north-entry": 2, "south-entry": 2}).wait("north-entry", ENTRY, 150)
    terms = away_from("north")
    seen = look(bank.days(terms), terms, 60)
    assert seen.minutes == MINUTES_MAX
    assert (seen.items, seen.left_out) == (150, 0)
    assert seen.without.done > 0
    assert seen.with_it.late >= seen.without.late
    assert seen.without.done + seen.without.waiting <= 150
    both_there = look(Bank({"north-entry": 2, "south-entry": 2}).wait("south-entry", ENTRY, 150).days(terms), terms, 60)
    assert both_there.with_it == both_there.without  # what waits in the south is no business of it


def test_nobody_left_means_that_everything_waits() -> None:
    """With the centre's people out of the way nobody keys."""
    bank = Bank({"north-entry": 2}).wait("north-entry", ENTRY, 20)
    terms = away_from("north", minutes=30)
    seen = look(bank.days(terms), terms, 60)
    assert (seen.without.done, seen.without.waiting) == (20, 0)
    assert (seen.with_it.done, seen.with_it.waiting, seen.with_it.late) == (0, 20, 20)


def test_people_work_at_the_pace_that_their_desk_has_learned() -> None:
    """Twice as slow does half as much."""
    terms = away_from("south", minutes=10)
    quick, slow = (
        look(Bank({"north-entry": 2}, pace).wait("north-entry", ENTRY, 100).days(terms), terms, 60).without.done
        for pace in (1.0, 2.0)
    )
    assert quick == pytest.approx(2 * slow, abs=2)


def test_who_is_suspended_is_given_nothing() -> None:
    """The hard rules are the floor's own."""
    bank = Bank({"north-entry": 1}).wait("north-entry", ENTRY, 10)
    person = bank.views["load"]["north-entry"].present[0]
    stand(bank.views, "operator", person, "suspended")
    terms = away_from("south")
    assert look(bank.days(terms), terms, 60).without.done == 0


def test_an_order_by_data_class_leaves_the_other_sorts_where_they_are() -> None:
    """Of what waits as many are of each sort as the floor expects of it, and the desks heed the class of each item."""
    room = UpkeepRoom(queued=40)
    secret = away_from("", scope=RerouteScope(providers=("bank",), data_classes=("secret",)))
    floor = FloorNow.of(room.views, (), NOW)
    seen = look(days_ahead(floor, secret), secret, 60)
    assert (seen.without.done, seen.without.waiting) == (40, 0)
    assert seen.with_it.done == pytest.approx(20, abs=1)
    assert seen.with_it.waiting == 40 - seen.with_it.done


def test_what_comes_is_what_the_plan_expects() -> None:
    """Sixty an hour are thirty in half an hour; a local order sends its types back to the branch."""
    bank = Bank({"north-entry": 3, "south-entry": 3}).expect(60, in_house_only=True)
    local = away_from("", "local", scope=RerouteScope(business_types=("corporate-transfer",)))
    seen = look(bank.days(local), local, 60)
    assert seen.items == 30
    assert seen.without.done >= 28
    assert (seen.with_it.done, seen.with_it.waiting) == (0, 0)


def test_a_full_floor_is_played_in_part_and_says_so() -> None:
    """The most urgent wait, and a shorter time, so that playing ends in time."""
    bank = Bank({"north-entry": 2, "north-control": 2}).wait("north-entry", ENTRY, 50_000)
    bank.wait("north-control", REVIEW, 100, oldest_minutes=19).expect(60_000)
    terms = away_from("north")
    ahead = bank.day(terms)
    waiting = [case for case in ahead.day.cases if case.waits_at is not None]
    assert (len(waiting), ahead.left_out) == (WAITING_MAX, 50_100 - WAITING_MAX)
    assert ahead.minutes < MINUTES_MAX
    assert len(ahead.day.cases) - len(waiting) == pytest.approx(COMING_MAX, abs=1)
    assert sum(case.waits_at == "north-control" for case in waiting) > 50  # the oldest are most urgent


def test_an_order_in_force_already_holds_in_both_days() -> None:
    """What it keeps away without the new one is kept away with it."""
    bank = Bank({"north-entry": 2, "south-entry": 2}).wait("south-entry", ENTRY, 30)
    terms = away_from("north")
    ahead = bank.day(terms)
    assert play(ahead, terms) == play(ahead, terms)  # the same day, the same answer
    held = in_force(away_from("south"), NOW).model_copy(update={"reroute_id": "r0"})
    with_one = bank.day(terms, held)
    assert play(with_one, None).done == 30  # north takes them
    assert play(with_one, terms).done == 0


def test_playing_gives_up_when_its_time_is_over() -> None:
    """No answer is better than one that comes too late."""
    bank = Bank({"north-entry": 5}).wait("north-entry", ENTRY, 300)
    terms = away_from("south")
    with pytest.raises(TooSlowError):
        look(bank.days(terms), terms, 0.0)
    nobody = Bank({"north-entry": 0}).wait("north-entry", ENTRY, 10)
    with pytest.raises(TooSlowError):
        look(nobody.days(terms), terms, 0.0)
    assert pickle.loads(pickle.dumps(bank.day(terms))).left_out == 0


def test_a_busy_machine_sees_less_and_not_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The larger day is begun, is not over in time, and the smaller one is told."""
    bank = Bank({"north-entry": 5}).wait("north-entry", ENTRY, 600)
    days, terms = bank.days(away_from("south")), away_from("south")
    looks = numbers()
    monkeypatch.setattr("services.routing.emergency.looking.time.monotonic", lambda: next(looks) * 0.0)
    small = look(days[:1], terms, 5.0)
    assert (small.items, small.left_out) == (38, 562)
    until = next(looks) + 20  # within the next day
    looks = numbers()
    monkeypatch.setattr("services.routing.emergency.looking.time.monotonic", lambda: 9.0 * (next(looks) > until))
    assert look(days, terms, 5.0) == small


@pytest.mark.timeout(120)
@pytest.mark.long
async def test_another_process_plays_and_is_gone_afterwards() -> None:
    """It answers what playing here would; while one look is under way another is not begun; once closed it ends."""
    bank = Bank({"north-entry": 3, "south-entry": 3}).wait("north-entry", ENTRY, 40)
    terms = away_from("north", minutes=20)
    days, looker = bank.days(terms), Looker(play_seconds=100, answer_seconds=100, begin_seconds=100)
    try:
        seen = await looker.look(days, terms)
        assert seen is not None
        here = look(days, terms, 60)
        assert seen.model_copy(update={"seconds": 0}) == here.model_copy(update={"seconds": 0})
        async with looker.turn:
            assert await looker.look(days, terms) is None
    finally:
        looker.close()


ORPHAN = """
import os, sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from services.routing.emergency.looking import _give_way
if __name__ == "__main__":
    pool = ProcessPoolExecutor(1, get_context("spawn"), _give_way)
    print(pool.submit(os.getpid).result(), flush=True)
    os.kill(os.getpid(), 9)
"""


@pytest.mark.timeout(120)
@pytest.mark.long
def test_who_plays_does_not_outlive_a_service_that_was_killed(tmp_path: Path) -> None:
    """SIGKILL tells nobody: the process finds out by itself, and within seconds."""
    script = tmp_path / "killed.py"
    script.write_text(ORPHAN)
    killed = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    player = int(killed.stdout)
    assert killed.returncode == -9
    until = time.monotonic() + 60
    while Path(f"/proc/{player}").exists():
        assert time.monotonic() < until, f"process {player} still plays for nobody"
        time.sleep(0.1)


class Seer:
    """Plays here, at once."""

    async def look(self, days: Sequence[Ahead], terms: RerouteTerms) -> LookAhead | None:
        return look(days, terms, 60)


async def test_the_face_answers_with_both_days_or_says_that_there_was_no_time() -> None:
    """Whoever may look at previews may look ahead."""
    asked = {"effect": "drain", "scope": {"centres": ["n"]}, "minutes": 10, "reason": "a look"}
    seen = await FrontDesk(looker=Seer()).client("vi", "viewer").post("/reroutes/look-ahead", json=asked)
    assert (seen.status_code, seen.json()["items"]) == (200, 10)
    slow = await FrontDesk().client("vi", "viewer").post("/reroutes/look-ahead", json=asked)
    assert (slow.status_code, slow.json()["code"]) == (503, "look_too_slow")
    nowhere = await FrontDesk().client("vi", "viewer").post("/reroutes/look-ahead", json={**asked, "scope": {}})
    assert nowhere.status_code == 409
