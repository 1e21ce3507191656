"""Operators: ordinary HTTP clients of the workbench who look at slices, key, err, decline and sometimes walk away."""

from __future__ import annotations

import asyncio
import random
import time
import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import aiohttp
import orjson

from deploy.demo.judgement import outcome
from deploy.demo.truth import Truth
from shared.contracts.reference import Operator
from shared.runtime.clock import Clock

WALKS_AWAY: Final = 0.001
DECLINES: Final = 0.004
WAIT_SECONDS: Final = 20.0
TRIES_MAX: Final = 20  # at a tenth of a second: longer than a killed service needs to come back
AWAY_SECONDS: Final = 3600.0  # of the bank's day
LUNCH_SECONDS: Final = 1800.0
SPREAD: Final = 0.35  # sigma of the lognormal factor on every single item
DRAFT_SECONDS: Final = 60.0  # what takes longer is saved half way
UNANSWERED: Final = 0


@dataclass
class Person:
    """How one operator works. Units: `pace` multiplies the standard time. `lunch_at`: none stays the whole day."""

    operator: Operator
    token: str
    pace: float
    error_rate: float
    lunch_at: datetime | None = None
    seen: str = ""  # the work item that lay on the desk last


@dataclass
class Shift:
    """Everybody who works today, against the routing services' HTTP faces.

    Holds:   what a person makes of an item follows from seed, person, item and attempt alone, not from who came first.
    """

    people: Sequence[Person]
    urls: Callable[[], Sequence[str]]
    truth: Truth
    clock: Clock
    seed: int
    counts: Counter[str] = field(default_factory=Counter)
    dark: dict[str, datetime] = field(default_factory=dict)  # teams whose site has no power, and until when

    async def work(self) -> None:
        """Everybody works until cancelled."""
        doors = Doors(self.urls)
        connector = aiohttp.TCPConnector(limit=0)
        timeout = aiohttp.ClientTimeout(total=WAIT_SECONDS * 2)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session, asyncio.TaskGroup() as group:
            for person in self.people:
                group.create_task(self._day(Seat(session, doors, person), person))

    async def _day(self, seat: Seat, person: Person) -> None:
        await asyncio.sleep(random.Random(f"{self.seed}/{person.operator.id}").random())
        await seat.post("/sign-on")
        while True:
            if self._in_the_dark(person):
                await self._wait_for_light(seat, person)
            if person.lunch_at is not None and person.lunch_at <= self.clock.now():
                await self._lunch(seat, person)
            status, item = await seat.ask("POST", f"/take?wait_seconds={self._patience(person):.2f}")
            if status == 409:  # not signed on: a lease ran out, or the sign-on itself was lost
                await asyncio.sleep(0.2)
                await seat.post("/sign-on")
            elif status == 200:
                await self._handle(seat, person, orjson.loads(item))
            elif status != 204:
                await asyncio.sleep(0.3)

    def _patience(self, person: Person) -> float:
        if person.lunch_at is None:
            return WAIT_SECONDS
        left = self.clock.real_seconds((person.lunch_at - self.clock.now()).total_seconds())
        return min(WAIT_SECONDS, max(left, 0.0))

    def _in_the_dark(self, person: Person) -> bool:
        until = self.dark.get(person.operator.team_id)
        return until is not None and self.clock.now() < until

    async def _wait_for_light(self, seat: Seat, person: Person) -> None:
        """Without power nobody signs off either: the floor has to find out by itself."""
        until = self.dark[person.operator.team_id]
        await asyncio.sleep(max(0.0, self.clock.real_seconds((until - self.clock.now()).total_seconds())))
        await seat.post("/sign-on")

    async def _lunch(self, seat: Seat, person: Person) -> None:
        person.lunch_at = None
        self.counts["lunch"] += 1
        await seat.post("/sign-off")
        await asyncio.sleep(self.clock.real_seconds(LUNCH_SECONDS))
        await seat.post("/sign-on")

    async def _handle(self, seat: Seat, person: Person, item: Mapping[str, Any]) -> None:
        path, attempt = f"/assignment/{item['work_item_id']}", {"attempt": item["attempt"]}
        draw = random.Random(f"{self.seed}/{person.operator.id}/{item['work_item_id']}/{item['attempt']}")
        luck, fresh = draw.random(), item["work_item_id"] != person.seen
        person.seen = item["work_item_id"]
        if fresh and luck < DECLINES:
            self.counts["declined"] += 1
            await seat.post(f"{path}/decline", {**attempt, "reason": "I know the customer"})
            return
        if item["has_slice"] and not await self._look(seat, f"{path}/slice?attempt={item['attempt']}"):
            return  # nobody keys what they do not see: `POST /take` shows the item again
        seconds = item["standard_seconds"] * person.pace * draw.lognormvariate(0, SPREAD)
        if fresh and luck < DECLINES + WALKS_AWAY:  # who comes back to it stays
            self.counts["walked away"] += 1
            await asyncio.sleep(self.clock.real_seconds(AWAY_SECONDS))
            return
        made, erred = outcome(item, self.truth.of(item["case_id"]), person.error_rate, draw)
        if item["keeps_draft"] and seconds > DRAFT_SECONDS:
            seconds_left = seconds / 2
            await asyncio.sleep(self.clock.real_seconds(seconds - seconds_left))
            if self._in_the_dark(person):
                return  # nothing was saved yet
            await self._save_draft(seat, path, item, made["value"])
        else:
            seconds_left = seconds
        await asyncio.sleep(self.clock.real_seconds(seconds_left))
        if self._in_the_dark(person):
            return  # what was keyed and neither saved nor handed in is gone with the light
        result = {**attempt, "outcome": made, "handle_seconds": seconds}
        if await self._counted("complete", seat.post(f"{path}/complete", result)) and erred:
            self.counts[f"erred at {item['step']}"] += 1

    async def _save_draft(self, seat: Seat, path: str, item: Mapping[str, Any], value: str) -> None:
        """Half of what will be keyed, once for each item; whoever is shown a colleague's goes on from there."""
        self.counts["draft of a colleague shown"] += bool(item["draft"] and item["draft"]["origin"] == "colleague")
        keyed = {"attempt": item["attempt"], "revision": 1, "value": value[: len(value) // 2]}
        await self._counted("draft", seat.put(f"{path}/draft", keyed))

    async def _look(self, seat: Seat, path: str) -> bool:
        status, picture = await seat.ask("GET", path)
        self.counts[f"slice {status}"] += 1
        if status == 200 and picture.startswith(b"\x89PNG"):
            return True
        await asyncio.sleep(0.1)
        return False

    async def _counted(self, what: str, answer: Any) -> bool:
        status = await answer
        self.counts[f"{what} {status}"] += 1
        if status in (200, 202):
            return True
        await asyncio.sleep(0.05)
        return False


class Doors:
    """Where the routing services answer; asked anew a few times a second, not at every request."""

    FRESH_SECONDS: Final = 0.25

    def __init__(self, urls: Callable[[], Sequence[str]]) -> None:
        self._urls: Final = urls
        self._known: Sequence[str] = ()
        self._asked_at = float("-inf")

    def door(self, turn: int) -> str | None:
        """The door that this turn leads to, or none while all are shut."""
        now = time.monotonic()
        if now - self._asked_at > self.FRESH_SECONDS:
            self._known, self._asked_at = self._urls(), now
        return self._known[turn % len(self._known)] if self._known else None


class Seat:
    """One operator's connection; when one routing service does not answer, the next one is asked.

    Holds:   a command that got no answer is sent again, word for word: the desk knows it by its id.
    """

    def __init__(self, session: aiohttp.ClientSession, doors: Doors, person: Person) -> None:
        self._session: Final = session
        self._doors: Final = doors
        self._headers: Final = {"Authorization": f"Bearer {person.token}", "Content-Type": "application/json"}
        self._turn = zlib.crc32(person.operator.id.encode())

    async def post(self, path: str, body: Mapping[str, Any] | None = None) -> int:
        """POST until somebody answers; returns the status, 0 when nobody did."""
        return await self._hand_in("POST", path, body or {})

    async def put(self, path: str, body: Mapping[str, Any]) -> int:
        """As `post`."""
        return await self._hand_in("PUT", path, body)

    async def _hand_in(self, method: str, path: str, body: Mapping[str, Any]) -> int:
        content = orjson.dumps(body)
        for _ in range(TRIES_MAX):
            status, _answer = await self._ask(method, path, content)
            if status != UNANSWERED and status < 500:
                return status
            await self._turn_away()
        return UNANSWERED

    async def ask(self, method: str, path: str) -> tuple[int, bytes]:
        """Ask once, without content; returns status and content, 0 when nobody answered."""
        status, content = await self._ask(method, path, None)
        if status == UNANSWERED or status >= 500:
            await self._turn_away()
        return status, content

    async def _ask(self, method: str, path: str, content: bytes | None) -> tuple[int, bytes]:
        door = self._doors.door(self._turn)
        if door is None:
            return UNANSWERED, b""
        try:
            async with self._session.request(method, door + path, data=content, headers=self._headers) as answer:
                return answer.status, await answer.read()
        except (aiohttp.ClientError, TimeoutError):
            return UNANSWERED, b""

    async def _turn_away(self) -> None:
        self._turn += 1
        await asyncio.sleep(0.1)
