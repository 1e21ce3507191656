"""What a service says on its log: each line one JSON object, whoever says it."""

from __future__ import annotations

import logging
import sys
import threading
from types import TracebackType
from typing import Final

import structlog
from structlog.typing import Processor

from shared.runtime.loop_errors import tell_clients_in_short

BUS_CLIENT: Final = "aiokafka"  # it tries again by itself, and says so each time; what fails in the end is raised
SILENT: Final = logging.CRITICAL + 1

_outside: Final = logging.getLogger("python")


def configure_logging(level: str) -> None:
    """Structured logs on standard output, one JSON object per line, UTC; what failed stands in one field, `exception`.

    Holds:   libraries, which write by the standard library, and Python itself say it in the same form, from warnings on,
             or less as the level says; with `debug` all that they have to say. No line is written in two pieces, so that
             no two threads write into one.
    """
    least = logging.getLevelNamesMapping()[level.upper()]
    facts: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    in_json: list[Processor] = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    structlog.configure(
        processors=[*facts, *in_json],
        wrapper_class=structlog.make_filtering_bound_logger(least),
        logger_factory=structlog.WriteLoggerFactory(),
        cache_logger_on_first_use=True,
    )
    by_libraries = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*facts, structlog.stdlib.add_logger_name],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *in_json],
    )
    _hear_libraries(by_libraries, least if least <= logging.DEBUG else max(least, logging.WARNING))
    logging.getLogger(BUS_CLIENT).setLevel(logging.NOTSET if least <= logging.DEBUG else SILENT)
    _hear_python()


def _hear_libraries(formatter: logging.Formatter, least: int) -> None:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    handler.setLevel(least)  # a filter may have made less of a record than it was
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(least)
    tell_clients_in_short()


def _hear_python() -> None:
    """Warnings, and errors that Python itself would write on standard error: of a thread's end, of throwing away."""
    logging.captureWarnings(True)
    threading.excepthook = lambda ended: _failed("a thread failed", ended.exc_value, ended.exc_traceback)
    sys.unraisablehook = lambda lost: _failed(
        f"{lost.err_msg or 'Exception ignored in'}: {lost.object!r}", lost.exc_value, lost.exc_traceback
    )


def _failed(what: str, error: BaseException | None, trace: TracebackType | None) -> None:
    _outside.error(what, exc_info=None if error is None else (type(error), error, trace))
