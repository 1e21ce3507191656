"""The local stack: broker and database, up and down, with what is known of them in one file."""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import signal
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from deploy.local import children, jars, problems
from deploy.local.kafka import Broker
from deploy.local.postgres import Database, reachable


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


def home() -> Path:
    """The one ignored folder: `OPSFLOOR_HOME`, else `.opsfloor` here."""
    return Path(os.environ.get("OPSFLOOR_HOME", ".opsfloor")).absolute()


def jars_folder() -> Path:
    """Where Kafka's jars are kept, shared by all stacks of a checkout: `OPSFLOOR_JARS`, else in the home folder."""
    return Path(os.environ.get("OPSFLOOR_JARS", home() / "jars")).absolute()


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

    def up(self, tell: jars.Progress = jars.nothing_to_tell) -> Addresses:
        """Fetch what is missing, start what does not run, wait until both answer."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            jars.ensure(jars_folder(), tell)
            state = self._read() or self._new_state()
            if self._owned:
                atexit.register(self.down)
            database, broker = self._database(state), self._broker(state)
            if not children.alive(state.postgres_pid):
                database.make()
                state.postgres_pid = database.start(self._owned)
                self._write(state)
            if not children.alive(state.kafka_pid):
                broker.format()
                state.kafka_pid = broker.start(self._owned)
                self._write(state)
        except OSError as error:
            raise problems.from_os(error, self.folder) from error
        return self.addresses()

    def down(self) -> None:
        """End both by their ids; nothing is left running."""
        state = self._read()
        if state is None:
            return
        children.end(state.kafka_pid, signal.SIGTERM)
        children.end(state.postgres_pid, signal.SIGINT)
        state.kafka_pid = state.postgres_pid = None
        self._write(state)
        (self.folder / "stack.env").unlink(missing_ok=True)
        atexit.unregister(self.down)

    def addresses(self) -> Addresses:
        """Where both answer. Errors: `StackProblem` when the stack was never up."""
        state = self._known()
        return Addresses(f"{children.LOOPBACK}:{state.kafka_port}", self._database(state).url)

    def status(self) -> dict[str, Any]:
        """What runs, on which ports, with which data."""
        state = self._read()
        if state is None:
            return {"folder": str(self.folder), "kafka": "never started", "postgres": "never started"}
        return {
            "folder": str(self.folder),
            "kafka": _word(state.kafka_pid),
            "kafka_address": f"{children.LOOPBACK}:{state.kafka_port}",
            "kafka_log": str(self._broker(state).log),
            "postgres": _word(state.postgres_pid),
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
        children.end(self._known().kafka_pid, signal.SIGKILL)

    def start_broker(self) -> None:
        """Start the broker again on the same data and port."""
        state = self._known()
        state.kafka_pid = self._broker(state).start(self._owned)
        self._write(state)

    def stop_database(self, immediate: bool = True) -> None:
        """Stop the database: `immediate` is a crash as far as its data is concerned."""
        children.end(self._known().postgres_pid, signal.SIGQUIT if immediate else signal.SIGINT)

    def start_database(self) -> None:
        """Start the database again on the same data and port."""
        state = self._known()
        state.postgres_pid = self._database(state).start(self._owned)
        self._write(state)

    # what is known of it

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
        wanted = self._kafka_port or int(os.environ.get("OPSFLOOR_KAFKA_PORT", "0")) or kafka
        return State(wanted, controller, postgres)

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
        state = State(**json.loads(file.read_text()))
        if self._kafka_port and self._kafka_port != state.kafka_port and not children.alive(state.kafka_pid):
            state.kafka_port = self._kafka_port
        return state

    def _write(self, state: State) -> None:
        file = self.folder / "stack.json"
        aside = file.with_suffix(".new")
        aside.write_text(json.dumps(asdict(state)))
        aside.chmod(0o600)
        os.replace(aside, file)
        if state.kafka_pid and state.postgres_pid:
            addresses = self.addresses()
            note = self.folder / "stack.env"
            note.touch(0o600)
            note.write_text(f"OPSFLOOR_KAFKA={addresses.kafka}\nOPSFLOOR_DATABASE_URL={addresses.database_url}\n")


def _word(pid: int | None) -> str:
    return f"up, process {pid}" if children.alive(pid) else "down"
