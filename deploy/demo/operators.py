"""Operators: ordinary HTTP clients of the workbench who look at slices, key, err, decline and sometimes walk away."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

from deploy.demo.truth import Document, Truth
from deploy.demo.vouchers import misread
from shared.contracts.reference import Operator
from shared.runtime.clock import Clock

ERROR_RATE: Final = 0.0022  # 22 wrong of 10,000 fields keyed once (CAST, 1992)
WEAK_ERROR_RATE: Final = 0.04
BAD_SCAN_ERROR_RATE: Final = 0.25  # of which most people misread the same
SAME_MISREADING: Final = 0.6
WALKS_AWAY: Final = 0.001
DECLINES: Final = 0.004
REFUSES: Final = 0.005
REVIEW_CATCHES: Final = 0.9
WAIT_SECONDS: Final = 20


@dataclass
class Person:
    """How one operator works. Units: `pace` multiplies the standard time."""

    operator: Operator
    token: str
    pace: float
    error_rate: float


@dataclass
class Shift:
    """Everybody who works today, against the routing services' HTTP faces."""

    people: Sequence[Person]
    urls: Callable[[], Sequence[str]]
    truth: Truth
    clock: Clock
    draw: random.Random
    counts: Counter[str] = field(default_factory=Counter)

    async def work(self) -> None:
        """Everybody works until cancelled."""
        connector = aiohttp.TCPConnector(limit=0)
        patience = aiohttp.ClientTimeout(total=40)
        async with (
            aiohttp.ClientSession(connector=connector, timeout=patience) as session,
            asyncio.TaskGroup() as group,
        ):
            for person in self.people:
                group.create_task(self._day(session, person))

    async def _day(self, session: aiohttp.ClientSession, person: Person) -> None:
        seat = Seat(session, self.urls, person)
        await asyncio.sleep(self.draw.random())
        await seat.post("/sign-on")
        while True:
            status, item = await seat.get(f"/next?wait_seconds={WAIT_SECONDS}")
            if status == 409:
                await asyncio.sleep(0.2)
                await seat.post("/sign-on")
            elif status == 200:
                await self._handle(seat, person, item)
            elif status != 204:
                await asyncio.sleep(0.3)

    async def _handle(self, seat: Seat, person: Person, item: Mapping[str, Any]) -> None:
        path, attempt = f"/assignment/{item['work_item_id']}", {"attempt": item["attempt"]}
        luck = self.draw.random()
        if luck < DECLINES:
            self.counts["declined"] += 1
            await seat.post(f"{path}/decline", {**attempt, "reason": "I know the customer"})
            return
        status = await seat.post(f"{path}/accept", attempt)
        if status not in (200, 202):
            self.counts[f"accept answered {status}"] += 1
            await asyncio.sleep(0.05)
            return
        if item["has_slice"]:
            status, _ = await seat.get(f"{path}/slice?attempt={item['attempt']}", parse=False)
            self.counts[f"slice {status}"] += 1
        seconds = item["standard_seconds"] * person.pace * self.draw.lognormvariate(0, 0.35)
        if luck < DECLINES + WALKS_AWAY:
            self.counts["walked away"] += 1
            await asyncio.sleep(self.clock.real_seconds(3600))
            return
        await asyncio.sleep(self.clock.real_seconds(seconds))
        result = {**attempt, "outcome": self._outcome(person, item), "handle_seconds": seconds}
        status = await seat.post(f"{path}/complete", result)
        self.counts[f"complete {status}"] += 1

    # ------------------------------------------------------------- judgement

    def _outcome(self, person: Person, item: Mapping[str, Any]) -> dict[str, Any]:
        document = self.truth.of(item["case_id"])
        if document is None:
            document = Document({}, {}, bad_scan=False)
        step, name = item["step"], item["field"] or ""
        if step == "entry":
            return {"form": "keyed", "value": self._read(person, document, name)}
        if step == "arbitration":
            return {"form": "ruling", "value": document.values.get(name, "unreadable")}
        if step == "inspection":
            return {"form": "inspection", "value": document.values.get(name, "unreadable")}
        if step == "review":
            return self._review(item, document)
        amount = document.values.get("amount") if item["rekey_amount"] else None
        granted = self.draw.random() >= REFUSES
        return {
            "form": "authorisation",
            "granted": granted,
            "rekeyed_amount": amount,
            "remark": "" if granted else "limit",
        }

    def _read(self, person: Person, document: Document, name: str) -> str:
        right = document.values.get(name, "unreadable")
        rate = BAD_SCAN_ERROR_RATE if document.bad_scan else person.error_rate
        if self.draw.random() >= rate:
            return right
        self.counts["misread"] += 1
        if document.bad_scan and self.draw.random() < SAME_MISREADING:
            return document.illusion.get(name, right)
        return misread(right, self.draw)

    def _review(self, item: Mapping[str, Any], document: Document) -> dict[str, Any]:
        wrong = [
            shown["name"]
            for shown in item["shown"]
            if shown["name"] in document.values
            and shown["values"]
            and _plain(shown["values"][0]) != _plain(document.values[shown["name"]])
            and self.draw.random() < REVIEW_CATCHES
        ]
        return {"form": "review", "passed": not wrong, "wrong_fields": wrong, "remark": "differs" if wrong else ""}


def _plain(value: str) -> str:
    return "".join(letter for letter in value.casefold() if letter.isalnum())


class Seat:
    """One operator's connection; when one routing service does not answer, the next one is asked."""

    def __init__(self, session: aiohttp.ClientSession, urls: Callable[[], Sequence[str]], person: Person) -> None:
        self._session: Final = session
        self._urls: Final = urls
        self._headers: Final = {"Authorization": f"Bearer {person.token}"}
        self._turn = hash(person.operator.id)

    def _url(self, path: str) -> str:
        urls = self._urls()
        return f"{urls[self._turn % len(urls)]}{path}"

    async def post(self, path: str, body: Mapping[str, Any] | None = None) -> int:
        """POST; returns the status, 0 when nobody answered."""
        try:
            if not self._urls():
                return await self._turn_away()
            async with self._session.post(self._url(path), json=body or {}, headers=self._headers) as answer:
                return answer.status
        except (aiohttp.ClientError, TimeoutError):
            return await self._turn_away()

    async def get(self, path: str, parse: bool = True) -> tuple[int, Any]:
        """GET; returns status and content, 0 when nobody answered."""
        try:
            if not self._urls():
                return await self._turn_away(), None
            async with self._session.get(self._url(path), headers=self._headers) as answer:
                if answer.status == 200 and parse:
                    return 200, await answer.json()
                return answer.status, await answer.read()
        except (aiohttp.ClientError, TimeoutError):
            return await self._turn_away(), None

    async def _turn_away(self) -> int:
        self._turn += 1
        await asyncio.sleep(0.1)
        return 0
