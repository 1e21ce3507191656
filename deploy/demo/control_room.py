"""Two people on duty: one proposes to move a centre's work, the other looks at the preview and agrees to it."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import aiohttp

from deploy.demo.auditor import Auditor
from shared.contracts.message import Message
from shared.contracts.reroute import RerouteOrder
from shared.contracts.routing import WorkReleased
from shared.http.tokens import Issuer, Role

PROPOSER: Final = "duty-lin"
APPROVER: Final = "duty-chen"
TOKEN_SECONDS: Final = 7200
TRIES_MAX: Final = 40  # at a quarter of a second: a book whose process was just killed answers again by then
MOVED: Final = 409
MOVED_CODE: Final = "preview_changed"
TOO_FEW_CODE: Final = "rule_not_overridable"
TOO_FEW_SECONDS: Final = (
    1.0  # between two tries: on a machine that is busy all at once, the others are away for moments
)
TOO_FEW_TRIES_MAX: Final = 20
AGREED: Final = "two-centres-authorise"
"""The rule that a whole centre's leaving breaks: named by both, and on record."""


LOOKS_MAX: Final = 5  # at a preview that no longer holds by the time somebody agrees to it


T = TypeVar("T")


class NotMovedError(RuntimeError):
    """The control room did not get its order into force. The message says what the floor answered."""


class TooFewLeftError(NotMovedError):
    """At this moment too few would be left to do the work, and no name overrides that."""


class PreviewMovedError(NotMovedError):
    """The floor moved between the look and the word: there is a new preview to be looked at."""


ASKED_AGAIN: Final[Mapping[str, type[NotMovedError]]] = {MOVED_CODE: PreviewMovedError, TOO_FEW_CODE: TooFewLeftError}


@dataclass
class Moved:
    """What one order moved. Units: seconds of real time on the onlooker's clock."""

    reroute_id: str
    agreed_at: float = 0.0
    items: int = 0
    last_at: float = 0.0
    cases: set[str] = field(default_factory=set)
    over: str = ""  # why, when it is

    def hear(self, message: Message, now: float) -> None:
        """Take what the bus says."""
        if isinstance(message, WorkReleased) and message.reroute_id == self.reroute_id:
            self.items += 1
            self.last_at = now
            self.cases.add(message.case_id)
        elif isinstance(message, RerouteOrder) and message.reroute_id == self.reroute_id and message.over_at:
            self.over = message.over_because

    def told(self, auditor: Auditor) -> str:
        """One sentence for the summary: how many, how fast, how many of their cases were late."""
        ends = [end for case_id in self.cases for end in auditor.cases[case_id].ends]
        late = sum(not end.on_time for end in ends)
        seconds = max(0.0, self.last_at - self.agreed_at)
        return (
            f"the evacuation moved {self.items} items of {len(self.cases)} cases, the last one {seconds:.1f} s after the "
            f"agreement; {late} of these cases ended late"
        )


class ControlRoom:
    """The duty's two desks, over HTTP."""

    def __init__(self, issuer: Issuer, urls: Callable[[], Sequence[str]]) -> None:
        self._issuer: Final = issuer
        self._urls: Final = urls

    async def propose(self, terms: Mapping[str, Any]) -> str:
        """One person proposes, and again while the others are away for a moment. Returns the order's id.

        Errors:  `NotMovedError`.
        """
        body = {"terms": dict(terms)}
        answer = await _while_too_few(lambda: self._ask("POST", "/reroutes", PROPOSER, "proposer", body))
        return str(answer["reroute_id"])

    async def agree(self, identity: str) -> None:
        """The other looks at what it would do, and agrees to exactly that; when it has changed, looks again.

        Errors:  `NotMovedError`.
        """
        for look in range(LOOKS_MAX):
            try:
                await _while_too_few(lambda: self._agree_once(identity))
            except PreviewMovedError:
                if look == LOOKS_MAX - 1:
                    raise
            else:
                return

    async def _agree_once(self, identity: str) -> None:
        report = await self._ask("GET", f"/reroutes/{identity}", APPROVER, "viewer", None)
        agreed = {
            "preview_sha256": report["order"]["preview"]["sha256"],
            "override_rules": [AGREED],
            "reason": "the preview leaves no work without people",
        }
        await self._ask("POST", f"/reroutes/{identity}/approve", APPROVER, "approver", agreed)

    async def _ask(self, method: str, path: str, subject: str, role: Role, body: Any) -> Any:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
            return await self._until_answered(session, method, path, subject, role, body)

    async def _until_answered(
        self, session: aiohttp.ClientSession, method: str, path: str, subject: str, role: Role, body: Any
    ) -> Any:
        """Ask until somebody answers: the same command id each time, so that it is one command."""
        token = self._issuer.issue(subject=subject, role=role, seconds=TOKEN_SECONDS)
        headers = {"Authorization": f"Bearer {token}"}
        if method == "POST":
            headers["Idempotency-Key"] = uuid.uuid4().hex
        found = "nobody answered"
        for turn in range(TRIES_MAX):
            doors = self._urls()
            if doors:
                try:
                    async with session.request(
                        method, doors[turn % len(doors)] + path, json=body, headers=headers
                    ) as answer:
                        if answer.status == 200:
                            return await answer.json()
                        found = f"{answer.status} {(await answer.text())[:300]}"
                        for code, error_of in ASKED_AGAIN.items():
                            if answer.status == MOVED and f'"{code}"' in found:
                                raise error_of(f"Expected {subject} to be able to {method} {path}, found {found}")
                        if answer.status not in (202, 404, 503):  # 404: the book's table is a moment behind its answer
                            break
                except (aiohttp.ClientError, TimeoutError) as error:
                    found = repr(error)
            await asyncio.sleep(0.25)
        raise NotMovedError(f"Expected {subject} to be able to {method} {path}, found {found}")


async def _while_too_few(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask again while too few others are there. Errors: `TooFewLeftError` when that lasts."""
    for _ in range(TOO_FEW_TRIES_MAX - 1):
        with suppress(TooFewLeftError):
            return await ask()
        await asyncio.sleep(TOO_FEW_SECONDS)
    return await ask()
