"""`opsfloor run SERVICE`."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from socket import gethostname
from typing import Annotated, Any, Final

import structlog
import typer
import uvloop

from deploy.local.watch import SCRAPE_SECONDS, Watch, forget_predecessor
from opsfloor import floor
from opsfloor.answers import Remedied, remedied
from shared.home import home
from shared.http.keys import ensure_public_key
from shared.runtime.clock import clock_from_environment
from shared.runtime.collector import without_collector
from shared.runtime.errors import TransientError
from shared.runtime.host import Host, ServicePlan
from shared.runtime.kafka_on_uvloop import mend_connections
from shared.runtime.logs import configure_logging
from shared.runtime.settings import Settings

RUNNABLE = (*floor.SERVICES, floor.BALANCER)
TO_START: Final = "`opsfloor doctor` looks at everything that a service needs, and says what to do about each trouble"
LOG_LEVELS = ("debug", "info", "warning", "error")
LEFT_SECONDS: Final = 3.0  # for what is left running when a service has ended
_log: Final = structlog.get_logger("opsfloor.run")


def run_service(
    service: Annotated[str, typer.Argument(help="intake, audit, routing or vendor; or balancer, routing's planner")],
    port: Annotated[int, typer.Option(help="HTTP port; 0 takes a free one")] = 0,
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error")] = "info",
) -> None:
    """Run one service in the foreground until Ctrl-C; run more of the same to share its shards."""
    if service not in RUNNABLE:
        raise Remedied(f"Expected one of {', '.join(RUNNABLE)}, found {service!r}", "`opsfloor run --help`")
    if log_level not in LOG_LEVELS:
        raise Remedied(
            f"Expected one of {', '.join(LOG_LEVELS)} as the log level, found {log_level!r}", "name one of them"
        )
    _be_heard()
    settings = floor.settings(http_port=port, log_level=log_level)
    ensure_public_key(settings.home / "keys")
    configure_logging(settings.log_level)
    note = home() / "run" / f"{service}-{os.getpid()}.json"
    target = home() / "prometheus" / "targets" / f"services-{service}-{os.getpid()}.json"

    def serving(url: str) -> None:
        _write_note(note, service, url)
        forget_predecessor(home(), service)
        _write_target(target, service, url)

    def forgotten() -> None:
        note.unlink(missing_ok=True)
        target.unlink(missing_ok=True)

    mend_connections()
    try:
        status = uvloop.run(_host(service, settings, serving, forgotten))
    except TransientError:
        raise
    except _troubles() as error:
        if str(error).startswith("Expected "):
            raise remedied(error, TO_START) from error
        raise Remedied(f"Expected {service} to start, found {_in_short(error)}", TO_START) from error
    finally:
        forgotten()
    raise SystemExit(status)


def _troubles() -> tuple[type[Exception], ...]:
    """What a start fails of when something that it needs is away or named wrongly. Loaded when it has failed."""
    from opsfloor.doctor import TROUBLES

    return TROUBLES


def _in_short(error: Exception) -> str:
    from opsfloor.doctor import in_short

    return in_short(error)


def _be_heard() -> None:
    """Beside a Prometheus a process that fails says so until it was asked twice; alone it ends at once."""
    if Watch(home()).prometheus() is not None:
        os.environ.setdefault("OPSFLOOR_LAST_WORDS_SECONDS", f"{2 * SCRAPE_SECONDS:g}")


async def _host(service: str, settings: Settings, serving: Callable[[str], None], forgotten: Callable[[], None]) -> int:
    """Run it until it is told to stop; the balancer is no shard runtime but a Faust application."""
    clock = clock_from_environment()
    if service == floor.BALANCER:
        balancer = _loaded("services.routing.balancer.app").BalancerHost(settings, clock, serving)
        return await end_with(int(await balancer.run()), forgotten)
    plan: ServicePlan = _loaded(f"services.{service}.wiring").PLAN
    return await end_with(await Host(plan, settings, clock, serving=serving).run(), forgotten)


async def end_with(status: int, forgotten: Callable[[], None]) -> int:
    """Cancel whatever is left running; where some of it does not end by that, end the process.

    Why:     the loop's own end waits for ever for a task that takes no cancellation, as Faust's while the broker is away.
    """
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    stuck = (await asyncio.wait(left, timeout=LEFT_SECONDS))[1] if left else ()
    if stuck:
        _log.warning("left as by a crash", tasks=sorted(str(task.get_coro()) for task in stuck))
        forgotten()
        os._exit(status)
    return status


def _loaded(module: str) -> Any:
    with without_collector():
        return importlib.import_module(module)


def _write_note(note: Path, service: str, url: str) -> None:
    note.parent.mkdir(parents=True, exist_ok=True)
    _replace(note, json.dumps({"service": service, "pid": os.getpid(), "url": url, "host": gethostname()}))


def _write_target(target: Path, service: str, url: str) -> None:
    """Tell a Prometheus beside the floor where this process answers; harmless where there is none."""
    target.parent.mkdir(parents=True, exist_ok=True)
    entry = {"targets": [url.removeprefix("http://")], "labels": {"service": service}}
    _replace(target, json.dumps([entry]))


def _replace(file: Path, text: str) -> None:
    aside = file.with_suffix(".new")  # Prometheus, and whoever asks who runs, reads a file the moment it changes
    aside.write_text(text)
    aside.replace(file)
