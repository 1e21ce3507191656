"""Operators use the workbench as anybody would, and nothing that they did is lost when a service dies."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from aiohttp import web

from deploy.demo.operators import DECLINES, WALKS_AWAY, Person, Shift
from deploy.demo.truth import Document, Truth
from shared.contracts.reference import Operator
from shared.runtime.clock import ScaledClock
from shared.runtime.processor import derived_id
from tests.unit.demo.bank import NOON

SCALE = 3600.0
PNG = b"\x89PNG\r\n\x1a\n and more"


@dataclass
class FakeWorkbench:
    """Hands out items one after the other to whoever signed on. `fails` answers so many commands with 503 first."""

    items: list[dict[str, Any]]
    fails: int = 0
    blind: bool = False
    present: set[str] = field(default_factory=set)
    in_hand: dict[str, dict[str, Any]] = field(default_factory=dict)
    log: list[tuple[str, str, Any]] = field(default_factory=list)

    def app(self) -> web.Application:
        """Its HTTP face."""
        app = web.Application()
        app.router.add_post("/{verb:sign-on|sign-off}", self.sign)
        app.router.add_post("/take", self.take)
        app.router.add_get("/assignment/{item}/slice", self.slice)
        app.router.add_put("/assignment/{item}/draft", self.draft)
        app.router.add_post("/assignment/{item}/{verb}", self.command)
        return app

    def done(self, verb: str) -> list[Any]:
        """The bodies of the commands of that name."""
        return [body for _, one, body in self.log if one == verb]

    async def sign(self, request: web.Request) -> web.Response:
        who, verb = _who(request), request.match_info["verb"]
        self.log.append((who, verb, None))
        (self.present.add if verb == "sign-on" else self.present.discard)(who)
        return web.json_response({})

    async def take(self, request: web.Request) -> web.Response:
        who = _who(request)
        if who not in self.present:
            return web.json_response({}, status=409)
        if who in self.in_hand:
            return web.json_response({**self.in_hand[who], "state": "in_hand"})
        if self.items:
            self.log.append((who, "take", None))
            self.in_hand[who] = self.items.pop(0)
            return web.json_response({**self.in_hand[who], "state": "in_hand"})
        await asyncio.sleep(0.02)
        return web.Response(status=204)

    async def slice(self, request: web.Request) -> web.Response:
        self.log.append((_who(request), "slice", request.query["attempt"]))
        return web.Response(status=503) if self.blind else web.Response(body=PNG, content_type="image/png")

    async def draft(self, request: web.Request) -> web.Response:
        self.log.append((_who(request), "draft", await request.json()))
        return web.json_response({})

    async def command(self, request: web.Request) -> web.Response:
        who, verb, body = _who(request), request.match_info["verb"], await request.json()
        self.log.append((who, verb, body))
        if self.fails:
            self.fails -= 1
            return web.Response(status=503)
        self.in_hand.pop(who, None)
        return web.json_response({})


def _who(request: web.Request) -> str:
    return request.headers["Authorization"].removeprefix("Bearer ")


def item(number: int, **more: Any) -> dict[str, Any]:
    """A slice to key."""
    return {
        "work_item_id": f"w{number}",
        "case_id": derived_id("case", "s1"),
        "attempt": 1,
        "step": "entry",
        "field": "amount",
        "has_slice": True,
        "shown": [],
        "rekey_amount": False,
        "standard_seconds": 35.0,
        "keeps_draft": False,
        "draft": None,
        **more,
    }


def person(error_rate: float = 0.0) -> Person:
    """Anna, whose token is her name."""
    anna = Operator(id="anna", name="Anna", team_id="north-entry", work_types=("corporate-transfer/entry",))
    return Person(anna, "anna", pace=1.0, error_rate=error_rate)


@asynccontextmanager
async def at_work(bench: FakeWorkbench, who: Person, *, scale: float = SCALE) -> AsyncIterator[Shift]:
    """One operator's shift at a workbench on a port of its own; the service's door is the second, the first is shut."""
    runner = web.AppRunner(bench.app())
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    truth = Truth()
    truth.remember("s1", Document({"amount": "1234.50"}, {"amount": "1284.50"}, bad_scan=False))
    shift = Shift([who], lambda: ["http://127.0.0.1:9", url], truth, ScaledClock(NOON, time.time(), scale), seed=1)
    work = asyncio.create_task(shift.work())
    try:
        yield shift
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        await runner.cleanup()


async def until(bench: FakeWorkbench, verb: str, count: int) -> None:
    """Wait for so many commands."""
    async with asyncio.timeout(10):
        while len(bench.done(verb)) < count:
            await asyncio.sleep(0.01)


async def test_an_operator_signs_on_looks_keys_and_completes() -> None:
    """Each item is taken, its slice fetched, and completed with what stands there; also when one door is shut."""
    bench = FakeWorkbench([item(number) for number in range(5)])
    async with at_work(bench, person()):
        await until(bench, "complete", 5)
    verbs = [verb for _, verb, _ in bench.log]
    assert verbs[:4] == ["sign-on", "take", "slice", "complete"]
    assert {body["outcome"]["value"] for body in bench.done("complete")} == {"1234.50"}
    assert all(5 < body["handle_seconds"] < 300 for body in bench.done("complete"))


async def test_what_takes_long_is_saved_half_way_where_the_step_keeps_drafts() -> None:
    """A review has none, a short entry needs none; who is shown a colleague's draft is counted."""
    slow = {"standard_seconds": 400.0, "keeps_draft": True}
    colleagues = {"value": "12", "origin": "colleague", "revision": 0}
    bench = FakeWorkbench([item(0, **slow), item(1, keeps_draft=True), item(2, **slow, draft=colleagues)])
    async with at_work(bench, person()) as shift:
        await until(bench, "complete", 3)
        assert shift.counts["draft of a colleague shown"] == 1
    assert bench.done("draft") == [{"attempt": 1, "revision": 1, "value": "123"}] * 2
    verbs = [verb for _, verb, _ in bench.log]
    assert verbs.index("draft") < verbs.index("complete")


async def test_a_command_without_an_answer_is_sent_again_word_for_word() -> None:
    """A service that fails twice hears the same completion a third time."""
    bench = FakeWorkbench([item(0)])
    async with at_work(bench, person()):
        await until(bench, "take", 1)
        bench.fails = 2
        await until(bench, "complete", 3)
    first, *again = bench.done("complete")
    assert again == [first, first]


async def test_nobody_keys_what_they_do_not_see() -> None:
    """While the slice does not come nothing is completed; when it comes the item in hand goes on."""
    bench = FakeWorkbench([item(0)], blind=True)
    async with at_work(bench, person()):
        await until(bench, "slice", 2)
        assert bench.done("complete") == []
        bench.blind = False
        await until(bench, "complete", 1)
    assert len(bench.done("take")) == 1


async def test_who_is_not_signed_on_signs_on_again() -> None:
    """After a lease ran out the operator comes back by themselves."""
    bench = FakeWorkbench([])
    async with at_work(bench, person()):
        await until(bench, "sign-on", 1)
        bench.present.clear()
        await until(bench, "sign-on", 2)
    assert bench.present == {"anna"}


async def test_people_go_to_lunch() -> None:
    """At the drawn time an operator signs off, and signs on again half an hour of the bank's day later."""
    bench, who = FakeWorkbench([]), person()
    who.lunch_at = NOON + timedelta(minutes=80)
    async with at_work(bench, who) as shift:
        await until(bench, "sign-off", 1)
        await until(bench, "sign-on", 2)
        assert shift.counts["lunch"] == 1
    assert [verb for _, verb, _ in bench.log] == ["sign-on", "sign-off", "sign-on"]


async def test_a_weak_operator_errs_and_the_world_counts_it() -> None:
    """Errors are keyed like anything else; only the world knows."""
    bench = FakeWorkbench([item(number, standard_seconds=1.0) for number in range(10)])
    async with at_work(bench, person(error_rate=1.0)) as shift:
        await until(bench, "complete", 10)
        await asyncio.sleep(0.05)
        assert shift.counts["erred at entry"] == 10
    assert all(body["outcome"]["value"] != "1234.50" for body in bench.done("complete"))


def luck_of(name: str) -> float:
    """The draw that decides what Anna does with an item of that id."""
    return random.Random(f"1/anna/{name}/1").random()


def an_item_with(low: float, high: float) -> dict[str, Any]:
    """An item whose draw lies so."""
    names = (f"w{number}" for number in range(1_000_000))
    return item(0, work_item_id=next(name for name in names if low <= luck_of(name) < high), standard_seconds=1.0)


async def test_some_items_are_declined_with_a_reason() -> None:
    """What an operator declines is given back with a reason, and not completed."""
    bench = FakeWorkbench([an_item_with(0, DECLINES), item(1, standard_seconds=1.0)])
    async with at_work(bench, person()):
        await until(bench, "complete", 1)
    assert [body["reason"] for body in bench.done("decline")] == ["I know the customer"]
    assert len(bench.done("complete")) == 1


async def test_some_walk_away_and_finish_when_they_come_back() -> None:
    """Who walks away completes nothing for an hour of the bank's day; found in hand again, the item is finished."""
    bench = FakeWorkbench([an_item_with(DECLINES, DECLINES + WALKS_AWAY)])
    async with at_work(bench, person()) as shift:
        await until(bench, "slice", 1)
        await asyncio.sleep(0.2)
        assert bench.done("complete") == []
        await until(bench, "complete", 1)
        assert shift.counts["walked away"] == 1
    assert len(bench.done("take")) == 1
