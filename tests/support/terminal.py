"""A shell in the repository's folder on a floor of its own: a stack, the example bank, services as processes."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from deploy.local import Stack

ROOT: Final = Path(__file__).parents[2]
SERVICES: Final = ("intake", "audit", "routing", "vendor", "balancer")
WAIT_SECONDS: Final = 60.0
LOOK_SECONDS: Final = 1.0  # most looks are a command, which takes a second of the machine
YES: Final = "y\n"  # to a command that asks first


class Terminal:
    """A shell in the repository's folder, with a floor of its own."""

    def __init__(self, home: Path) -> None:
        self.home: Final = home
        self.running: Final[list[subprocess.Popen[bytes]]] = []
        self._env: Final = {**os.environ, "OPSFLOOR_HOME": str(home)}
        for name in (
            "OPSFLOOR_KAFKA",
            "OPSFLOOR_DATABASE_URL",
            "PYTEST_CURRENT_TEST",
        ):  # the last one NiceGUI looks for
            self._env.pop(name, None)

    def type(self, line: str) -> str:
        """Run a command and return what it prints. Errors: `AssertionError` when it does not end well."""
        done = self.answer(line)
        assert done.returncode == 0, f"opsfloor {line}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def answer(self, line: str) -> subprocess.CompletedProcess[str]:
        """Run a command, however it ends."""
        return subprocess.run(
            self._words(line),
            cwd=ROOT,
            env=self._env,
            input=YES,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def start(self, line: str) -> subprocess.Popen[bytes]:
        """Run a command that stays."""
        with (self.home / f"{line.replace(' ', '-')}.log").open("ab") as log:
            return subprocess.Popen(self._words(line), cwd=ROOT, env=self._env, stdout=log, stderr=log)

    def _words(self, line: str) -> list[str]:
        return [sys.executable, "-m", "opsfloor", *shlex.split(line)]


def stop(process: subprocess.Popen[bytes]) -> int:
    """Ask a process to end; its status."""
    process.send_signal(signal.SIGTERM)
    return process.wait(30)


def until(look: Callable[[], Any]) -> Any:
    """Look again until there is something to see."""
    end = time.monotonic() + WAIT_SECONDS
    while not (found := look()):
        assert time.monotonic() < end, "Expected it within a minute"
        time.sleep(LOOK_SECONDS)
    return found


@contextmanager
def running_floor(folder: Path, services: Sequence[str] = SERVICES) -> Iterator[Terminal]:
    """A stack in the folder, the example bank, these services; ended afterwards."""
    stack = Stack(folder, owned=True)
    stack.up()
    terminal = Terminal(folder)
    try:
        terminal.type("reference deploy/reference")
        terminal.running.extend(terminal.start(f"run {name}") for name in services)
        until(lambda: len(list((folder / "run").glob("*.json"))) == len(services))
        yield terminal
    finally:
        for process in terminal.running:
            process.terminate()
        for process in terminal.running:
            process.wait(30)
        stack.down()
