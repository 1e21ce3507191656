"""Starting a server as a child that dies with its owner, and ending it by its id.

A process id alone names nobody for long: after a reboot it belongs to a stranger. A server is therefore known by its id
and a mark, a path of its own folder that stands on its command line.
"""

from __future__ import annotations

import ctypes
import os
import re
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Final

import psutil

PR_SET_PDEATHSIG: Final = 1
LOOPBACK: Final = "127.0.0.1"
PORTS: Final = range(20_000, 32_000)
"""Below the ports that Linux gives to outgoing connections: while a server is away, a client that tries its port again
and again could otherwise be given that very port, connect to itself, and keep the server from coming back."""

LINE_MAX: Final = 240  # characters of one line of a log that a message repeats

_CALL: Final = re.compile(r"\s+(at |\.\.\. \d+ more)")
"""A line of a stack of calls."""
_GRAVE: Final = re.compile(r"\b(FATAL|PANIC|ERROR|Caused by|\w*Exception|\w*Error)\b")
"""What both servers begin the line with that tells why they end; what follows it tells only that they do."""

_starter: Final = ThreadPoolExecutor(1, "stack-starter")
"""Starts the owned servers: the kernel takes the thread that started them for their owner, so it has to last."""

_children: Final[dict[int, subprocess.Popen[bytes]]] = {}


def not_noted(pid: int) -> None:
    """For who ends what it started itself."""


def free_port() -> int:
    """A TCP port on the loopback address that is free now."""
    while True:
        port = secrets.choice(PORTS)
        if not taken(port):
            return port


def taken(port: int) -> bool:
    """Whether something listens on the loopback port."""
    with closing(socket.socket()) as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((LOOPBACK, port)) == 0


def dies_with_owner() -> Callable[[], None]:
    """What a child does before it becomes its program: the kernel kills it when the thread that started it is gone."""
    libc = ctypes.CDLL(None)
    owner = os.getpid()

    def before_exec() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != owner:  # the owner died in between
            os.kill(os.getpid(), signal.SIGKILL)

    return before_exec


def start(
    command: Sequence[str],
    log: Path,
    *,
    owned: bool,
    user: int | None = None,
) -> int:
    """Start a server in a session of its own, output to a file. Returns its process id.

    Holds:   with `owned` the kernel kills it when this process is gone, however it went, even if it was frozen.
    """
    if owned:
        return _starter.submit(_start, command, log, user, dies_with_owner()).result()
    return _start(command, log, user, None)


def _start(command: Sequence[str], log: Path, user: int | None, before_exec: Callable[[], None] | None) -> int:
    with log.open("ab") as out:
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
            cwd="/",
            preexec_fn=before_exec,
        )
    _children[process.pid] = process
    return process.pid


def alive(pid: int | None, mark: str) -> bool:
    """Whether the server with this mark runs under this id (a zombie does not run, a stranger is not the server)."""
    if pid is None:
        return False
    child = _children.get(pid)
    if child is not None:  # our own child: its id cannot be a stranger's, and before its exec it has no mark yet
        return child.poll() is None
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and mark in process.cmdline()
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return False


def halted(pid: int) -> bool:
    """Whether a process was stopped by a signal, and goes on by another: its port is open, and nobody answers."""
    try:
        return psutil.Process(pid).status() in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP)
    except psutil.NoSuchProcess:
        return False


def wait_for(ready: Callable[[], bool], pid: int, mark: str, seconds: float) -> bool:
    """Wait until it is ready; false when it ended or took too long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if ready():
            return True
        if not alive(pid, mark):
            return False
        time.sleep(0.05)
    return False


def end(pid: int | None, mark: str, first: signal.Signals, patience_seconds: float = 20.0) -> bool:
    """End one server by its id and mark: politely, then for certain. Returns when it is gone: whether politeness did."""
    if pid is None or not alive(pid, mark):
        _reap(pid)
        return True
    process = psutil.Process(pid)
    try:
        children = process.children(recursive=True)
    except psutil.NoSuchProcess:
        children = []
    process.send_signal(first)
    process.send_signal(signal.SIGCONT)  # a frozen process hears the first signal only when it goes on
    _, left = psutil.wait_procs([process], timeout=patience_seconds)
    for rest in left:
        rest.kill()
    psutil.wait_procs([process, *children], timeout=10)
    _reap(pid)
    return not left


def _reap(pid: int | None) -> None:
    child = None if pid is None else _children.pop(pid, None)
    if child is not None:  # else it is another process's child, which takes care of it
        child.wait()


def size_of(log: Path) -> int:
    """How long a log is: what comes after it is of the next start."""
    return log.stat().st_size if log.exists() else 0


def last_lines(log: Path, count: int = 3, since: int = 0) -> str:
    """What a log ends with, for a message: the lines that say what went wrong, where any do; no stack of calls."""
    if not log.exists():
        return "no output"
    text = log.read_bytes()[since:].decode(errors="replace")
    lines = [line for line in text.splitlines() if line.strip() and not _CALL.match(line)]
    told = ([line for line in lines if _GRAVE.search(line)] or lines)[-count:]
    return " | ".join(line if len(line) <= LINE_MAX else f"{line[:LINE_MAX]}…" for line in told)
