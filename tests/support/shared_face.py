"""One application for many tests: to make one takes longer than what most of them ask of it."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import fields
from typing import Any, Final, Generic, TypeVar

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

Truth = TypeVar("Truth")


class _InTurn:
    """Stands for one part of the truth whose request is being answered."""

    def __init__(self, part: Callable[[], Any]) -> None:
        self._part = part

    def __getattr__(self, name: str) -> Any:
        return getattr(self._part(), name)

    def __getitem__(self, key: Any) -> Any:
        return self._part()[key]

    def __call__(self, *words: Any, **named: Any) -> Any:
        return self._part()(*words, **named)


class SharedFace(Generic[Truth]):
    """An application made once, over whichever truth a request is for.

    Holds:   `form` is a dataclass of what the endpoints work with; requests of several truths may be under way at once;
             `app` tells what is the same for every truth: the document.
    """

    def __init__(self, form: type[Truth], make: Callable[[Truth], FastAPI]) -> None:
        self._turn: ContextVar[Truth] = ContextVar("turn")
        parts = {field.name: _InTurn(self._reader(field.name)) for field in fields(form)}  # type: ignore[arg-type]
        self.app: Final = make(form(**parts))

    def over(self, truth: Truth) -> ASGIApp:
        """The application as if it had been made for this truth alone."""

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            self._turn.set(truth)
            await self.app(scope, receive, send)

        return answer

    def _reader(self, name: str) -> Callable[[], Any]:
        return lambda: getattr(self._turn.get(), name)
