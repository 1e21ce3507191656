"""Each line of a service's log is one JSON object, whoever writes it."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
from typing import Any

import pytest
from aiokafka.errors import ProducerClosed, UnknownMemberIdError
from aiokafka.producer.transaction_manager import TransactionManager
from asyncpg import ConnectionDoesNotExistError, UndefinedTableError

from shared.runtime.loop_errors import AGAIN_SECONDS, ClientsInShort

SCRIPT = """
import asyncio, logging, sys, threading, warnings
import structlog, uvloop
from aiokafka.errors import ProducerClosed
from shared.runtime.logs import configure_logging

async def lost(error):
    raise error

class Bent:
    def __del__(self):
        raise ValueError("thrown away")

async def main():
    loop = asyncio.get_running_loop()
    for _ in range(3):
        loop.create_future().set_exception(ProducerClosed())
    lives = asyncio.ensure_future(lost(ValueError("our own")))
    await asyncio.wait([lives])
    del lives
    structlog.get_logger("opsfloor.x").info("ours", shard=3)
    try:
        raise RuntimeError("told\\nin two lines")
    except RuntimeError:
        logging.getLogger("asyncpg.pool").warning("not %s", "restored", exc_info=True)
    logging.getLogger("aiokafka.client").error("tries again")
    logging.getLogger("uvicorn.error").info("started")
    logging.getLogger("aiokafka.conn").debug("sent")
    warnings.warn("old way", UserWarning)
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()
    Bent()
    await asyncio.sleep(0)

configure_logging(sys.argv[1])
uvloop.run(main())
"""


def lines(level: str) -> list[dict[str, Any]]:
    """What such a process writes on its log."""
    done = subprocess.run([sys.executable, "-c", SCRIPT, level], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.long
def test_what_libraries_and_python_say_is_json_too() -> None:
    """A stack of calls is one field of one line; of the bus's client one short line tells what three futures said."""
    told = {line["event"].split("\n")[0].split(":")[0]: line for line in lines("info")}
    assert [line["event"] for line in lines("info")].count("aiokafka lost work of its own: ProducerClosed") == 1
    assert told.pop("aiokafka lost work of its own")["level"] == "warning"
    assert told["ours"] == {"event": "ours", "shard": 3, "level": "info", "timestamp": told["ours"]["timestamp"]}
    assert {line["logger"] for event, line in told.items() if event != "ours"} == {
        *("asyncio", "asyncpg.pool", "py.warnings", "python")
    }
    assert told["Task exception was never retrieved"]["exception"].endswith("ValueError: our own")
    assert told["not restored"]["exception"].endswith("RuntimeError: told\nin two lines")
    assert "ZeroDivisionError" in told["a thread failed"]["exception"]
    assert any("thrown away" in line.get("exception", "") for line in told.values())
    assert all("timestamp" in line and "level" in line for line in told.values())


@pytest.mark.long
def test_the_level_that_was_chosen_is_everybodys() -> None:
    """Errors alone; with `debug` all that libraries say, the bus's client among them."""
    assert {line["level"] for line in lines("error")} == {"error"}
    assert {"tries again", "started", "sent", "ours"} <= {line["event"] for line in lines("debug")}


def record(error: BaseException | None, created: float = 0.0) -> logging.LogRecord:
    """As a loop tells of an error that nobody retrieved."""
    failed = None if error is None else (type(error), error, error.__traceback__)
    told = logging.LogRecord("asyncio", logging.ERROR, __file__, 1, "Task exception was never retrieved", (), failed)
    told.created = created
    return told


async def test_what_breaks_inside_the_client_is_told_in_short() -> None:
    """A producer without transactions that fails for good falls over its own missing future."""
    loop, failed = asyncio.get_running_loop(), list[BaseException]()
    loop.set_exception_handler(lambda _, context: failed.append(context["exception"]))
    loop.call_soon(TransactionManager(None, 1).fatal_error, ProducerClosed())
    await asyncio.sleep(0)
    (error,) = failed
    told = record(error)
    assert ClientsInShort().filter(told)
    assert (
        told.getMessage() == "aiokafka lost work of its own: AttributeError: 'NoneType' object has no attribute 'done'"
    )


def raised_here(error: BaseException) -> BaseException:
    """The same error, where a line of ours took part."""
    try:
        raise error
    except type(error) as caught:
        return caught


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            UnknownMemberIdError(),
            "aiokafka lost work of its own: UnknownMemberIdError: [Error 25] UnknownMemberIdError",
        ),
        (ConnectionDoesNotExistError("closed"), "asyncpg lost work of its own: ConnectionDoesNotExistError: closed"),
    ],
    ids=("bus", "database"),
)
def test_what_only_a_client_took_part_in_is_told_in_short(error: BaseException, words: str) -> None:
    """Once a minute, at warning level."""
    short = ClientsInShort()
    first, again, later = record(error), record(error, 1.0), record(error, AGAIN_SECONDS)
    assert [short.filter(each) for each in (first, again, later)] == [True, False, True]
    assert (first.getMessage(), first.levelname, first.exc_info) == (words, "WARNING", None)


@pytest.mark.parametrize(
    "error",
    [ValueError("x"), raised_here(UndefinedTableError("no table")), raised_here(ProducerClosed()), None],
    ids=("of nobody", "our statement", "our call", "no error"),
)
def test_what_a_line_of_ours_took_part_in_keeps_its_stack_of_calls(error: BaseException | None) -> None:
    """Somebody forgot to look: that is a fault of the programme's, to be found where it was made."""
    told = record(error)
    assert ClientsInShort().filter(told)
    assert (told.levelname, bool(told.exc_info)) == ("ERROR", error is not None)
