"""Starting a server as a child that dies with its owner, and ending it by its id."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import psutil

PR_SET_PDEATHSIG: Final = 1
LOOPBACK: Final = "127.0.0.1"


def free_port() -> int:
    """A TCP port on the loopback address that is free now."""
    with closing(socket.socket()) as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def taken(port: int) -> bool:
    """Whether something listens on the loopback port."""
    with closing(socket.socket()) as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((LOOPBACK, port)) == 0


def _dies_with_owner(death: signal.Signals) -> Callable[[], None]:
    libc = ctypes.CDLL(None)
    owner = os.getpid()

    def before_exec() -> None:
        libc.prctl(PR_SET_PDEATHSIG, death)
        if os.getppid() != owner:  # the owner died in between
            os.kill(os.getpid(), signal.SIGKILL)

    return before_exec


def start(
    command: Sequence[str],
    log: Path,
    *,
    owned: bool,
    death: signal.Signals = signal.SIGTERM,
    user: int | None = None,
    env: Mapping[str, str] | None = None,
) -> int:
    """Start a server in a session of its own, output to a file. Returns its process id.

    Holds:   with `owned` the kernel sends it `death` when the starting thread's process is gone, however it went.
    """
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
            env=None if env is None else dict(env),
            cwd="/",
            preexec_fn=_dies_with_owner(death) if owned else None,  # noqa: PLW1509 - prctl must run in the child
        )
    return process.pid


def alive(pid: int | None) -> bool:
    """Whether the process runs (a zombie does not)."""
    if pid is None:
        return False
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def wait_for(ready: Callable[[], bool], pid: int, seconds: float) -> bool:
    """Wait until it is ready; false when it ended or took too long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if ready():
            return True
        if not alive(pid):
            return False
        time.sleep(0.05)
    return False


def end(pid: int | None, first: signal.Signals, patience_seconds: float = 20.0) -> None:
    """End one process by its id: politely, then for certain. Returns when it is gone."""
    if pid is None or not alive(pid):
        _reap(pid)
        return
    process = psutil.Process(pid)
    children = process.children(recursive=True)
    process.send_signal(first)
    _, left = psutil.wait_procs([process], timeout=patience_seconds)
    for rest in left:
        rest.kill()
    psutil.wait_procs([process, *children], timeout=10)
    _reap(pid)


def _reap(pid: int | None) -> None:
    if pid is None:
        return
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return  # somebody else's child: its parent takes care of it


def last_lines(log: Path, count: int = 3) -> str:
    """The last lines of a log, for a message."""
    if not log.exists():
        return "no output"
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return " | ".join(lines[-count:])
