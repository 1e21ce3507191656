"""Prometheus and Alertmanager beside the local stack, where their programs are on this machine."""

from __future__ import annotations

import re
import shutil
import signal
from pathlib import Path
from typing import Final
from urllib.error import URLError
from urllib.request import urlopen

from deploy.local import children
from deploy.local.problems import StackProblem, unreadable
from shared.http.tokens import Issuer, ensure_key_pair

SOURCE: Final = Path(__file__).resolve().parents[1] / "prometheus"
SCRAPE_SECONDS: Final = 15.0  # as prometheus.yaml says
PROGRAMS: Final = ("prometheus", "prometheus-alertmanager")
NAMES: Final = ("prometheus", "alertmanager")
NEVER: Final = "not started; `opsfloor stack up --with-metrics` does"
REMEDY: Final = "on Debian: `apt-get install prometheus prometheus-alertmanager`; then start again"
TOKEN_SECONDS: Final = 30 * 86_400.0  # each `up` writes a new one
READY_SECONDS: Final = 30.0
NOTE: Final = re.compile(r"[0-9]{1,7} [0-9]{1,5}\s*")
"""Process and port of one that was started."""


class Watch:
    """One Prometheus and one Alertmanager in a folder of their own below the stack's.

    Holds:   services tell where they answer by files in `targets`, written when they start; ports are found when it
             starts and written down.
    Errors:  `StackProblem` when a program is missing or does not come up.
    """

    def __init__(self, home: Path, *, owned: bool = False, scrape_seconds: int = 5) -> None:
        self.folder: Final = home.absolute() / "prometheus"
        self._home: Final = home.absolute()
        self._owned: Final = owned
        self._scrape_seconds: Final = scrape_seconds

    def up(self) -> dict[str, str]:
        """Start what does not run. Returns where each answers, by its name."""
        missing = [name for name in PROGRAMS if shutil.which(name) is None]
        if missing:
            raise StackProblem(f"Expected {' and '.join(missing)} on PATH, found none", REMEDY)
        self._make()
        return {"alertmanager": self._start_alertmanager(), "prometheus": self._start_prometheus()}

    def prometheus(self) -> str | None:
        """Where the Prometheus that runs here answers; none when none runs."""
        _, port, runs = self._noted("prometheus")
        return _url(port) if runs else None

    def status(self) -> dict[str, str]:
        """What runs, and where it answers."""
        found = {}
        for name in NAMES:
            pid, port, runs = self._noted(name)
            found[name] = f"up, process {pid}" if runs else "down" if pid else NEVER
            if runs:
                found[f"{name}_address"] = _url(port)
        return found

    def down(self) -> None:
        """End both; what they recorded stays."""
        for name in NAMES:
            pid, _, _ = self._noted(name)
            children.end(pid or None, self._mark(name), signal.SIGTERM)
            (self.folder / f"{name}.pid").unlink(missing_ok=True)

    def _make(self) -> None:
        for folder in ("targets", "secrets", "data", "alerts"):
            (self.folder / folder).mkdir(parents=True, exist_ok=True)
        shutil.copytree(SOURCE / "rules", self.folder / "rules", dirs_exist_ok=True)
        for name in ("prometheus.yaml", "alertmanager.yaml"):
            text = (SOURCE / name).read_text()
            (self.folder / name).write_text(text.replace("interval: 15s", f"interval: {self._scrape_seconds}s"))
        private, _ = ensure_key_pair(self._home / "keys")
        self._secret("scrape-token", Issuer(private).issue(subject="prometheus", role="service", seconds=TOKEN_SECONDS))
        room = Issuer(private).issue(subject="alertmanager", role="service", seconds=TOKEN_SECONDS)
        self._secret("control-room-token", room)
        self._secret("on-call-token", "")

    def _secret(self, name: str, text: str) -> None:
        file = self.folder / "secrets" / name
        file.touch(0o600)
        file.write_text(text)

    def _start_alertmanager(self) -> str:
        port = self._port("alertmanager")
        command = [
            "prometheus-alertmanager",
            f"--config.file={self.folder / 'alertmanager.yaml'}",
            f"--storage.path={self.folder / 'alerts'}",
            f"--web.listen-address={children.LOOPBACK}:{port}",
            "--cluster.listen-address=",
        ]
        url = self._start("alertmanager", command, port)
        target = f'[{{"targets": ["{children.LOOPBACK}:{port}"]}}]\n'
        aside = self.folder / "targets" / "alertmanager.new"  # Prometheus reads a file the moment it changes
        aside.write_text(target)
        aside.replace(aside.with_suffix(".json"))
        return url

    def _start_prometheus(self) -> str:
        port = self._port("prometheus")
        command = [
            "prometheus",
            f"--config.file={self.folder / 'prometheus.yaml'}",
            f"--storage.tsdb.path={self.folder / 'data'}",
            f"--web.listen-address={children.LOOPBACK}:{port}",
            "--enable-feature=exemplar-storage",
        ]
        return self._start("prometheus", command, port)

    def _noted(self, name: str) -> tuple[int, int, bool]:
        """Process and port that are written down, 0 when none are, and whether it runs. Errors: `StackProblem`."""
        note = self.folder / f"{name}.pid"
        if not note.exists():
            return 0, 0, False
        found = note.read_text(errors="replace")
        if not NOTE.fullmatch(found):
            raise unreadable(note, repr(found[:80]))
        pid, port = map(int, found.split())
        return pid, port, children.alive(pid, self._mark(name))

    def _port(self, name: str) -> int:
        """The port of the one that runs, else a free one."""
        _, port, runs = self._noted(name)
        if runs:
            return port
        (self.folder / f"{name}.pid").unlink(missing_ok=True)
        return children.free_port()

    def _mark(self, name: str) -> str:
        return f"--config.file={self.folder / f'{name}.yaml'}"

    def _start(self, name: str, command: list[str], port: int) -> str:
        url = _url(port)
        note, log = self.folder / f"{name}.pid", self.folder / f"{name}.log"
        if note.exists():
            return url
        pid = children.start([str(shutil.which(command[0])), *command[1:]], log, owned=self._owned)
        note.write_text(f"{pid} {port}")
        if not children.wait_for(lambda: _ready(url), pid, self._mark(name), READY_SECONDS):
            raise StackProblem(f"Expected {name} to start, found: {children.last_lines(log)}", f"read {log}")
        return url


def _url(port: int) -> str:
    return f"http://{children.LOOPBACK}:{port}"


def _ready(url: str) -> bool:
    try:
        return bool(urlopen(f"{url}/-/ready", timeout=2).status == 200)  # noqa: S310 - our own address
    except (URLError, OSError):
        return False


def forget_stale_targets(home: Path) -> None:
    """Remove the targets of processes that are gone without a word, before something new is started."""
    for file in (home / "prometheus" / "targets").glob("services-*.json"):
        if _gone(file):
            file.unlink(missing_ok=True)


def forget_predecessor(home: Path, service: str) -> None:
    """Remove the target of the process of this service that is gone the longest: the one that starts takes its place.

    Holds:   of two that are gone the other one is still missed.
    """
    folder = home / "prometheus" / "targets"
    gone = [file for file in folder.glob(f"services-{service}-*.json") if _gone(file)]
    for file in sorted(gone, key=lambda file: file.stat().st_mtime)[:1]:
        file.unlink(missing_ok=True)


def _gone(target: Path) -> bool:
    pid = target.stem.rpartition("-")[2]
    return pid.isdigit() and not Path(f"/proc/{pid}").exists()


__all__ = ["REMEDY", "Watch", "forget_predecessor", "forget_stale_targets"]
