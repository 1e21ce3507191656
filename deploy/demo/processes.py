"""The four services as real processes, started and ended by their ids."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from deploy.local.children import dies_with_owner

UP_SECONDS: Final = 60.0

_starter: Final = ThreadPoolExecutor(1, "service-starter")
"""Starts the processes: the kernel takes the thread that started them for their owner, so it has to last."""


class NotReady(RuntimeError):
    """A service did not come up. The message names its log."""


class ServiceProcesses:
    """Service processes of one floor; all of them are ended when the block ends, and die with this process."""

    def __init__(self, home: Path, env: Mapping[str, str]) -> None:
        self._home: Final = home
        self._env: Final = {**os.environ, **env, "OPSFLOOR_HOME": str(home)}
        self._running: Final[dict[int, tuple[str, subprocess.Popen[bytes]]]] = {}

    def __enter__(self) -> ServiceProcesses:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_all()

    def start(self, service: str, name: str, tree: Path | None = None) -> int:
        """Start one; its log goes to `<home>/<name>.log`. Returns its process id.

        Holds:   `tree` is the folder of the release that it runs, this one when not given.
        """
        with (self._home / f"{name}.log").open("ab") as log:
            process = _starter.submit(
                subprocess.Popen[bytes],
                [sys.executable, "-m", "opsfloor", "run", service, "--log-level", "warning"],
                env={**self._env, "OPSFLOOR_INSTANCE": name},
                cwd=tree,
                stdout=log,
                stderr=log,
                preexec_fn=dies_with_owner(),
            ).result()
        self._running[process.pid] = (service, process)
        return process.pid

    def urls(self, service: str) -> dict[int, str]:
        """Where the living processes of a service answer, by process id."""
        found = {}
        for pid, (name, process) in self._running.items():
            note = self._home / "run" / f"{name}-{pid}.json"
            if name == service and process.poll() is None and note.exists():
                found[pid] = str(json.loads(note.read_text())["url"])
        return found

    def ready(self, pid: int) -> bool:
        """Whether a process says that it can work."""
        service = self._running[pid][0]
        url = self.urls(service).get(pid)
        try:
            return url is not None and urlopen(f"{url}/ready", timeout=2).status == 200  # noqa: S310 - our own address
        except (URLError, OSError):
            return False

    def owned(self, pid: int, processor: str, token: str) -> int:
        """How many shards of a processor a process says it owns; 0 when it does not answer.

        Errors:  `HTTPError` when the token may not read metrics.
        """
        service = self._running[pid][0]
        url = self.urls(service).get(pid)
        if url is None:
            return 0
        asked = Request(f"{url}/metrics", headers={"Authorization": f"Bearer {token}"})  # noqa: S310 - our own address
        try:
            with urlopen(asked, timeout=2) as page:  # noqa: S310 - our own address
                lines = page.read().decode().splitlines()
        except HTTPError:
            raise
        except (URLError, OSError):
            return 0
        sample = f'opsfloor_shard_owned{{processor="{service}/{processor}"}} '
        return sum(round(float(line.removeprefix(sample))) for line in lines if line.startswith(sample))

    def wait_ready(self, pid: int) -> None:
        """Wait until it is ready. Errors: `NotReady` when it ended or took too long."""
        service, process = self._running[pid]
        end = time.monotonic() + UP_SECONDS
        while time.monotonic() < end and process.poll() is None:
            if self.ready(pid):
                return
            time.sleep(0.1)
        raise NotReady(f"Expected {service} to become ready, {found(process.poll())}: see the logs in {self._home}")

    def ended(self) -> list[str]:
        """Services whose process has ended though nobody asked."""
        return [service for service, process in self._running.values() if process.poll() is not None]

    def kill(self, pid: int, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to one of these processes; with SIGKILL wait until it is gone."""
        _, process = self._running[pid]
        process.send_signal(number)
        if number == signal.SIGKILL:
            process.wait(10)
            del self._running[pid]

    def stop(self, pid: int) -> int:
        """Ask one to stop and wait until it is gone. Returns its exit status."""
        _, process = self._running.pop(pid)
        process.terminate()
        return process.wait(20)

    def stop_all(self) -> dict[int, int]:
        """Ask all to stop, then make sure. Returns each one's exit status by process id."""
        statuses: dict[int, int] = {}
        for _, process in self._running.values():
            process.terminate()
        for pid, (_, process) in self._running.items():
            try:
                statuses[pid] = process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                statuses[pid] = process.wait(5)
        self._running.clear()
        return statuses


def found(status: int | None) -> str:
    """What became of a process that is not ready."""
    if status is None:
        return f"found it still starting after {UP_SECONDS:.0f} s, as on a machine that is very busy"
    return f"found that it ended with status {status}"
