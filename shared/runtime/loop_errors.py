"""What the event loop tells of errors that nobody asked for, in words that fit whose they are."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from typing import Final

from shared.runtime.errors import in_words

CLIENTS: Final = frozenset({"aiokafka", "asyncpg"})
AGAIN_SECONDS: Final = 60.0  # for so long the same word of a client is not said again: each of its batches fails alike


class ClientsInShort(logging.Filter):
    """Turns what a client of the bus or the database lost in its own background work into one short warning.

    Why:     when a server goes, its client's tasks and futures end of it one by one, which nobody can retrieve. Whoever
             used the client is told by its own call; the stack of calls inside the client helps nobody.
    Holds:   an error in which a line of anybody else took part keeps its stack of calls.
    """

    def __init__(self) -> None:
        super().__init__()
        self._told_at: Final[dict[str, float]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is told; of a client's own it is a short one afterwards."""
        error = record.exc_info[1] if record.exc_info else None
        client = None if error is None else whose(error)
        if error is None or client is None:
            return True
        words = f"{client} lost work of its own: {in_words(error)}"
        if record.created - self._told_at.get(words, float("-inf")) < AGAIN_SECONDS:
            return False
        self._told_at[words] = record.created
        record.msg, record.args, record.exc_info = words, None, None
        record.levelno, record.levelname = logging.WARNING, logging.getLevelName(logging.WARNING)
        return True


def tell_clients_in_short() -> None:
    """From now on, in whichever loop: asyncio and uvloop tell such errors by one logger. Doing it again does nothing."""
    loops = logging.getLogger("asyncio")
    if not any(isinstance(each, ClientsInShort) for each in loops.filters):
        loops.addFilter(ClientsInShort())


def whose(error: BaseException) -> str | None:
    """The client in which an error arose, if only the client and Python itself took part in it."""
    took_part = {_package(type(error).__module__), *map(_package, _modules(error))}
    clients = sorted(took_part & CLIENTS)
    return clients[0] if clients and took_part <= CLIENTS | sys.stdlib_module_names else None


def _package(module: str) -> str:
    return module.partition(".")[0]


def _modules(error: BaseException) -> Iterator[str]:
    trace = error.__traceback__
    while trace is not None:
        yield str(trace.tb_frame.f_globals.get("__name__", ""))
        trace = trace.tb_next
