"""The local stack: broker and database, up and down, with what is known of them in one file."""

from __future__ import annotations

import atexit
import fcntl
import hashlib
import json
import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

import shared.home
from deploy.local import children, jars, problems
from deploy.local.kafka import Broker, prepare
from deploy.local.postgres import Database, reachable

PORT_MAX: Final = 65_535
PID_MAX: Final = 4_194_304  # Linux's own limit


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where broker and database answer: what `OPSFLOOR_KAFKA` and `OPSFLOOR_DATABASE_URL` are set to."""

    kafka: str
    database_url: str


@dataclass(slots=True)
class State:
    """What is written down of a stack that was started."""

    kafka_port: int
    controller_port: int
    postgres_port: int
    kafka_pid: int | None = None
    postgres_pid: int | None = None

    @classmethod
    def from_note(cls, text: str) -> State:
        """Errors: `TypeError` or `ValueError` for what no stack has written."""
        state = cls(**json.loads(text))
        ports = (state.kafka_port, state.controller_port, state.postgres_port)
        if not all(type(port) is int and 0 < port <= PORT_MAX for port in ports):
            raise ValueError(f"Expected ports from 1 to {PORT_MAX}, found {ports}")
        pids = (state.kafka_pid, state.postgres_pid)
        if not all(pid is None or (type(pid) is int and 0 < pid <= PID_MAX) for pid in pids):
            raise ValueError(f"Expected process ids, found {pids}")
        return state


def home() -> Path:
    """The one ignored folder, wherever a process goes from here."""
    return shared.home.home().absolute()


def jars_folder() -> Path:
    """Where Kafka's jars are kept, shared by all stacks of a checkout: `OPSFLOOR_JARS`, else in the home folder."""
    return Path(os.environ.get("OPSFLOOR_JARS") or home() / "jars").absolute()


class Stack:
    """One broker and one database in one folder.

    Holds:   with `owned` both end when this process ends, also when it is killed; otherwise they stay until `down`.
             Ports stay the same over restarts of the same folder.
    Errors:  every broken state is a `StackProblem` with its remedy.
    """

    def __init__(self, folder: Path, kafka_port: int | None = None, *, owned: bool = False) -> None:
        self.folder: Final = folder.absolute()
        self._kafka_port: Final = kafka_port
        self._owned: Final = owned

    def up(
        self, tell: jars.Progress = jars.nothing_to_tell, *, broker: bool = True, database: bool = True
    ) -> Addresses:
        """Fetch what is missing, start what does not run, wait until it answers; only the one that is wanted.

        Holds:   called twice, or by two processes at once, it starts each server once; interrupted, or without success, it
                 ends what it has started.
        """
        self._wanted_port()  # refuses an impossible one before anything is started
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with self._alone():
                if self._owned:
                    atexit.register(self.down)
                state = self._read() or self._new_state()
                with self._whole_or_not(state):
                    if database:
                        self._start_database_unless_up(state)
                    if broker:
                        prepare(jars.ensure(jars_folder(), tell), tell)
                        self._start_broker_unless_up(state)
        except OSError as error:
            raise problems.from_os(error, self.folder) from error
        return self.addresses()

    @contextmanager
    def _whole_or_not(self, state: State) -> Iterator[None]:
        before, whole = (self._kafka_runs(state), self._postgres_runs(state)), False
        try:
            yield
            whole = True
        finally:
            if not whole and not before[0]:
                children.end(state.kafka_pid, self._broker(state).mark, signal.SIGTERM)
                state.kafka_pid = None
            if not whole and not before[1]:
                children.end(state.postgres_pid, self._database(state).mark, signal.SIGINT)
                state.postgres_pid = None
            if not whole and (self.folder / "stack.json").exists():
                self._write(state)

    def _start_database_unless_up(self, state: State) -> None:
        if self._postgres_runs(state) and state.postgres_pid is not None:
            self._database(state).expect_up(state.postgres_pid)  # whoever started it may have been killed meanwhile
            return
        if children.taken(state.postgres_port):
            state.postgres_port = children.free_port()
        server = self._database(state)
        server.make()
        server.start(self._owned, self._noting(state, "postgres_pid"))

    def _start_broker_unless_up(self, state: State) -> None:
        if self._kafka_runs(state) and state.kafka_pid is not None:
            self._broker(state).expect_up(state.kafka_pid)
            return
        wanted = self._wanted_port()
        if wanted is not None:
            state.kafka_port = wanted
        elif children.taken(state.kafka_port):
            state.kafka_port = children.free_port()
        if children.taken(state.controller_port):
            state.controller_port = children.free_port()
        server = self._broker(state)
        server.format()
        server.start(self._owned, self._noting(state, "kafka_pid"))

    def _noting(self, state: State, server: Literal["kafka_pid", "postgres_pid"]) -> Callable[[int], None]:
        """Writes a server's id down the moment it has one: whoever starts it may be killed before it answers."""

        def noted(pid: int) -> None:
            setattr(state, server, pid)
            self._write(state)

        return noted

    def down(self) -> None:
        """End both by their ids; nothing is left running."""
        atexit.unregister(self.down)
        if not (self.folder / "stack.json").exists():
            return
        try:
            with self._alone():
                state = self._known()
                children.end(state.kafka_pid, self._broker(state).mark, signal.SIGTERM)
                children.end(state.postgres_pid, self._database(state).mark, signal.SIGINT)
                state.kafka_pid = state.postgres_pid = None
                self._write(state)
        except OSError as error:
            raise problems.from_os(error, self.folder) from error

    def addresses(self) -> Addresses:
        """Where both answer; no URL when no database was made here. Errors: `StackProblem` when never up."""
        state = self._known()
        database = self._database(state)
        return Addresses(self._kafka_address(state), database.url if database.made else "")

    def status(self) -> dict[str, Any]:
        """What runs, on which ports, with which data."""
        state = self._read()
        if state is None:
            return {"folder": str(self.folder), "kafka": "never started", "postgres": "never started"}
        return {
            "folder": str(self.folder),
            "kafka": _word(state.kafka_pid, self._kafka_runs(state)),
            "kafka_address": self._kafka_address(state),
            "kafka_log": str(self._broker(state).log),
            "postgres": _word(state.postgres_pid, self._postgres_runs(state)),
            "postgres_address": f"{children.LOOPBACK}:{state.postgres_port}",
            "postgres_log": str(self._database(state).log),
        }

    # what fault tests do to it

    @property
    def kafka_pid(self) -> int | None:
        return self._known().kafka_pid

    @property
    def postgres_pid(self) -> int | None:
        return self._known().postgres_pid

    def kill_broker(self) -> None:
        """SIGKILL the broker and wait until it is gone."""
        state = self._known()
        children.end(state.kafka_pid, self._broker(state).mark, signal.SIGKILL)

    def start_broker(self) -> None:
        """Start the broker again on the same data and port."""
        state = self._known()
        self._broker(state).start(self._owned, self._noting(state, "kafka_pid"))

    def stop_database(self, immediate: bool = True) -> None:
        """Stop the database: `immediate` is a crash as far as its data is concerned."""
        state = self._known()
        how = signal.SIGQUIT if immediate else signal.SIGINT
        children.end(state.postgres_pid, self._database(state).mark, how)

    def start_database(self) -> None:
        """Start the database again on the same data and port."""
        state = self._known()
        self._database(state).start(self._owned, self._noting(state, "postgres_pid"))

    # what is known of it

    def _kafka_runs(self, state: State) -> bool:
        return children.alive(state.kafka_pid, self._broker(state).mark)

    def _postgres_runs(self, state: State) -> bool:
        return children.alive(state.postgres_pid, self._database(state).mark)

    def _kafka_address(self, state: State) -> str:
        return f"{children.LOOPBACK}:{state.kafka_port}"

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with (self.folder / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _broker(self, state: State) -> Broker:
        return Broker(self.folder / "kafka", jars_folder(), state.kafka_port, state.controller_port)

    def _database(self, state: State) -> Database:
        if reachable(self.folder):
            return Database(self.folder / "postgres", state.postgres_port)
        # a checkout below a closed home folder: the user that the server runs as cannot get there
        name = hashlib.sha256(str(self.folder).encode()).hexdigest()[:12]
        return Database(Path(tempfile.gettempdir()) / f"opsfloor-postgres-{name}", state.postgres_port)

    def _new_state(self) -> State:
        ports: set[int] = set()
        while len(ports) < 3:
            ports.add(children.free_port())
        kafka, controller, postgres = ports
        return State(self._wanted_port() or kafka, controller, postgres)

    def _wanted_port(self) -> int | None:
        given = os.environ.get("OPSFLOOR_KAFKA_PORT", "") if self._kafka_port is None else str(self._kafka_port)
        if given and not (given.isdecimal() and 0 < int(given) <= PORT_MAX):
            raise problems.not_a_port(given)
        return int(given) if given else None

    def _known(self) -> State:
        state = self._read()
        if state is None:
            raise problems.StackProblem(
                f"Expected a stack in {self.folder}, found none", "`opsfloor stack up` makes one"
            )
        return state

    def _read(self) -> State | None:
        file = self.folder / "stack.json"
        if not file.exists():
            return None
        try:
            return State.from_note(file.read_text())
        except (ValueError, TypeError) as error:
            raise problems.unreadable(file, str(error)) from error

    def _write(self, state: State) -> None:
        file = self.folder / "stack.json"
        aside = file.with_suffix(".new")
        aside.write_text(json.dumps(asdict(state)))
        aside.chmod(0o600)
        os.replace(aside, file)
        self._write_environment(state)

    def _write_environment(self, state: State) -> None:
        lines = []
        if state.kafka_pid:
            lines.append(f"OPSFLOOR_KAFKA={self._kafka_address(state)}\n")
        if state.postgres_pid:
            lines.append(f"OPSFLOOR_DATABASE_URL={self._database(state).url}\n")
        note = self.folder / "stack.env"
        note.unlink(missing_ok=True)
        if lines:
            note.touch(0o600)
            note.write_text("".join(lines))


def _word(pid: int | None, runs: bool) -> str:
    if pid is None or not runs:
        return "down"
    return (
        f"halted, process {pid}: it answers nobody until `kill -CONT {pid}`"
        if children.halted(pid)
        else f"up, process {pid}"
    )
