"""Routing's face, asked for a person with the person's own token. Commands go under one key until they are answered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

import httpx
from pydantic import TypeAdapter, ValidationError

from services.routing.emergency.api import AnswerView
from services.routing.emergency.looking import LookAhead
from services.routing.emergency.nowhere import PreviewSeen
from shared.contracts.reroute import RerouteTerms

ASK_SECONDS: Final = httpx.Timeout(4.0, connect=2.0)
COMMAND_SECONDS: Final = httpx.Timeout(8.0, connect=2.0)  # routing waits five seconds for the book
LOOK_SECONDS: Final = httpx.Timeout(10.0, connect=2.0)  # the first look waits for its process
TELL_SECONDS: Final = 20.0  # so long the same command is sent again while nobody answers it
AGAIN_SECONDS: Final = 0.5
UNTOLD: Final = {"broker_silent": "the broker has not said in time whether it took the command"}
"""What is said to people of a problem whose own sentence tells programs what to do."""
ANSWER: Final = TypeAdapter(AnswerView)
PREVIEW: Final = TypeAdapter(PreviewSeen)
LOOK: Final = TypeAdapter(LookAhead)
Still = Callable[[str], None]
_T = TypeVar("_T")


def ignored(why: str) -> None:
    """Nobody waits to be told why there is no answer yet."""


class RoutingAwayError(Exception):
    """No routing process answers as it should. The message says so."""


class SignedOutError(Exception):
    """The token proves nothing any more. The message says why."""


class RefusedError(Exception):
    """Routing understood and said no. `code` is stable, the message is routing's own sentence."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code: Final = code


class Routing:
    """Routing's processes, wherever they answer now: the doors are asked in turn until one opens.

    Holds:   nothing is kept between two questions; each is answered by routing with the token of who asks.
    """

    def __init__(self, doors: Callable[[], Sequence[str]], transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._doors: Final = doors
        self._client: Final = httpx.AsyncClient(timeout=ASK_SECONDS, transport=transport)

    async def ask(self, path: str, token: str, form: TypeAdapter[_T]) -> _T:
        """What routing knows. Errors: `RoutingAwayError`, `SignedOutError`, `RefusedError`."""
        return _read(form, await self._call("GET", path, token))

    async def page(self, path: str, token: str) -> str:
        """A page that routing writes. Errors: as `ask`."""
        return (await self._call("GET", path, token)).text

    async def preview(self, terms: RerouteTerms, token: str) -> PreviewSeen:
        """What the terms would do now; changes nothing. Errors: as `ask`."""
        return _read(PREVIEW, await self._call("POST", "/reroutes/preview", token, terms.model_dump(mode="json")))

    async def look_ahead(self, terms: RerouteTerms, token: str) -> LookAhead:
        """The next minutes played without the terms and with them. Errors: as `ask`; away, too, when there is no time."""
        body = terms.model_dump(mode="json")
        return _read(LOOK, await self._call("POST", "/reroutes/look-ahead", token, body, patience=LOOK_SECONDS))

    async def tell(
        self, path: str, token: str, body: Mapping[str, Any], key: str, still: Still = ignored
    ) -> AnswerView:
        """Hand a command in under a key of its own and wait for the book's answer.

        Holds:   it is sent again under the same key while nobody answers, so that it is one command; `still` is told why
                 it is not answered yet each time.
        Errors:  as `ask`; after `RoutingAwayError` it may still be carried out.
        """
        end = time.monotonic() + TELL_SECONDS
        while True:
            try:
                answer = _read(ANSWER, await self._call("POST", path, token, body, key, COMMAND_SECONDS))
                if answer.code != "pending":
                    return answer
                away = RoutingAwayError("the book of reroutes has not answered yet")
            except RoutingAwayError as error:
                away = error
            left = end - time.monotonic()
            if left <= 0:
                raise away
            still(f"{away}; sent again for {left:.0f} s more")
            await asyncio.sleep(AGAIN_SECONDS)

    async def close(self) -> None:
        """Let the connections go."""
        await self._client.aclose()

    async def _call(
        self,
        method: str,
        path: str,
        token: str,
        body: Any = None,
        key: str = "",
        patience: httpx.Timeout = ASK_SECONDS,
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} | ({"Idempotency-Key": key} if key else {})
        why = "no process of routing is known here: `opsfloor run routing`, or `opsfloor console --routing URL`"
        for door in self._doors():
            try:
                answer = await self._client.request(
                    method, f"{door}{path}", headers=headers, json=body, timeout=patience
                )
            except httpx.HTTPError as error:
                why = f"routing at {door} does not answer ({type(error).__name__})"
                continue
            if answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR:
                return _checked(answer)
            code, detail = _problem(answer)
            why = f"routing at {door} cannot answer: {UNTOLD.get(code, detail)}"
        raise RoutingAwayError(why)


def _checked(answer: httpx.Response) -> httpx.Response:
    if answer.is_success:
        return answer
    code, detail = _problem(answer)
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        raise SignedOutError(detail)
    raise RefusedError(code, detail)


def _problem(answer: httpx.Response) -> tuple[str, str]:
    """The code and the sentence of a problem, whatever came."""
    try:
        body = answer.json()
        return str(body["code"]), str(body["detail"])
    except (ValueError, KeyError, TypeError):
        return "unknown", f"{answer.status_code} {answer.reason_phrase}"


def _read(form: TypeAdapter[_T], answer: httpx.Response) -> _T:
    try:
        return form.validate_json(answer.content)
    except ValidationError as error:
        raise RoutingAwayError(f"routing's answer is of another form than this console reads: {error}") from error
