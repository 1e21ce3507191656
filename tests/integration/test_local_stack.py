"""The local stack is a real Kafka and a real PostgreSQL that come, go, crash and come again with their data."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import asyncpg
import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.local import Addresses, Stack, StackProblem, aot, children
from deploy.local.kafka import Broker
from deploy.local.stack import jars_folder
from tests.conftest import open_folder

OWNER = """
import signal, sys, time
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)  # tests that run in the background inherit that it is ignored
from deploy.local import Stack
Stack(Path(sys.argv[1]), owned=True).up()
print("up", flush=True)
time.sleep(600)
"""


STARTER = "import sys; from pathlib import Path; from deploy.local import Stack; Stack(Path(sys.argv[1])).up()"


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """One stack for the tests of this page that leave it up."""
    with open_folder() as folder:
        stack = Stack(folder, owned=True)
        try:
            stack.up()
            yield stack
        finally:
            stack.down()


def processes_of(folder: Path) -> list[psutil.Process]:
    """The living processes that name the folder on their command line, and their children, at one moment."""
    everybody = list(psutil.process_iter(["ppid", "cmdline", "status"]))
    servers = {process.pid for process in everybody if str(folder) in " ".join(process.info["cmdline"] or ())}
    return [
        process
        for process in everybody
        if servers & {process.pid, process.info["ppid"]} and process.info["status"] != psutil.STATUS_ZOMBIE
    ]


def gone_within(folder: Path, seconds: float) -> bool:
    """Whether all processes of the folder end in time."""
    end = time.monotonic() + seconds
    while processes_of(folder):
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


async def make_topic(kafka: str, name: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, num_partitions=1, replication_factor=1)])
    finally:
        await admin.close()


async def write(kafka: str, topic: str, value: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        await producer.send_and_wait(topic, value)
    finally:
        await producer.stop()


async def first_record(kafka: str, topic: str) -> bytes | None:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=kafka, auto_offset_reset="earliest")
    await consumer.start()
    try:
        value: bytes | None = (await consumer.getone()).value
        return value
    finally:
        await consumer.stop()


async def test_a_record_and_a_row(stack: Stack) -> None:
    """A record that was written is read, and the database says that it is PostgreSQL 18 and durable."""
    addresses = stack.addresses()
    await make_topic(addresses.kafka, "greetings")
    await write(addresses.kafka, "greetings", b"good morning")
    assert await first_record(addresses.kafka, "greetings") == b"good morning"
    connection = await asyncpg.connect(addresses.database_url)
    assert str(await connection.fetchval("SELECT version()")).startswith("PostgreSQL 18")
    assert await connection.fetchval("SHOW synchronous_commit") == "on"
    assert await connection.fetchval("SHOW fsync") == "on"
    await connection.close()


async def test_a_wrong_password_is_refused(stack: Stack) -> None:
    """Another program on this machine does not get into the database without the password."""
    url = stack.addresses().database_url
    password = url.split(":")[2].split("@")[0]
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(url.replace(password, "guess"))


def test_up_twice(stack: Stack) -> None:
    """`up` of a running stack starts nothing and answers with the same addresses."""
    before = stack.addresses(), stack.kafka_pid, stack.postgres_pid
    again = Stack(stack.folder)
    assert (again.up(), again.kafka_pid, again.postgres_pid) == before


def test_a_broker_starts_from_what_java_has_prepared(stack: Stack) -> None:
    """Java has the cache in its memory."""
    end = time.monotonic() + 180
    while not aot.file_of(jars_folder()).exists() and time.monotonic() < end:  # another test may just be making it
        time.sleep(0.2)
    stack.kill_broker()
    stack.start_broker()
    assert aot.file_of(jars_folder()).name in Path(f"/proc/{stack.kafka_pid}/maps").read_text()


async def test_a_killed_broker_keeps_its_records(stack: Stack) -> None:
    """After SIGKILL and a start the broker answers on the same port and still has the record."""
    kafka, killed = stack.addresses().kafka, stack.kafka_pid
    await make_topic(kafka, "kept")
    await write(kafka, "kept", b"still here")
    stack.kill_broker()
    stack.start_broker()
    assert stack.kafka_pid != killed
    assert stack.addresses().kafka == kafka
    assert await first_record(kafka, "kept") == b"still here"


@pytest.mark.parametrize("immediate", [True, False])
async def test_a_stopped_database_keeps_its_rows(stack: Stack, immediate: bool) -> None:
    """After a crash or a stop, and a start, a committed row is there on the same port."""
    url = stack.addresses().database_url
    connection = await asyncpg.connect(url)
    await connection.execute(f"CREATE TABLE kept_{immediate} AS SELECT 42 AS answer")
    stack.stop_database(immediate)
    connection.terminate()
    stack.start_database()
    connection = await asyncpg.connect(url)
    assert await connection.fetchval(f"SELECT answer FROM kept_{immediate}") == 42
    await connection.close()


def test_down_leaves_nothing(stack_folder: Path) -> None:
    """A stack that outlives its starter runs until `down`, which leaves no process, and `down` again is no error."""
    stack = Stack(stack_folder)
    stack.up()
    assert (stack_folder / "stack.env").stat().st_mode & 0o077 == 0
    assert len(processes_of(stack_folder)) >= 2
    stack.down()
    assert gone_within(stack_folder, 5)
    assert not (stack_folder / "stack.env").exists()
    stack.down()


@pytest.mark.parametrize(
    ("how", "frozen"),
    [(signal.SIGKILL, False), (signal.SIGINT, False), (signal.SIGTERM, False), (signal.SIGKILL, True)],
)
def test_the_death_of_the_owner_leaves_nothing(stack_folder: Path, how: signal.Signals, frozen: bool) -> None:
    """However its owner ends, an owned stack ends too, even a broker that was frozen by a test."""
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(stack_folder)], stdout=subprocess.PIPE)
    with owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"up\n"
        if frozen:
            pid = Stack(stack_folder).kafka_pid
            assert pid is not None
            os.kill(pid, signal.SIGSTOP)
        owner.send_signal(how)
    assert gone_within(stack_folder, 25)


@pytest.mark.parametrize("server", ["postgres", "kafka"])
def test_what_was_started_when_its_starter_was_killed_is_known(stack_folder: Path, server: str) -> None:
    """`opsfloor stack up` is killed before the server answers: the next one waits for that server, and down ends it."""
    starter = subprocess.Popen([sys.executable, "-c", STARTER, str(stack_folder)], start_new_session=True)
    note, pid, end = stack_folder / "stack.json", None, time.monotonic() + 60
    while pid is None and time.monotonic() < end:
        with suppress(FileNotFoundError, ValueError):
            pid = json.loads(note.read_text())[f"{server}_pid"]
    os.killpg(starter.pid, signal.SIGKILL)
    starter.wait()
    assert pid is not None
    stack = Stack(stack_folder)
    try:
        stack.up()
        assert stack.status()[server] == f"up, process {pid}"
    finally:
        stack.down()
    assert gone_within(stack_folder, 5)


def told_within(stack: Stack, server: str, word: str) -> bool:
    """Whether the status soon says so of the server: a signal reaches one thread after the other."""
    end = time.monotonic() + 10
    while stack.status()[server] != word and time.monotonic() < end:
        time.sleep(0.05)
    return bool(stack.status()[server] == word)


def test_a_server_that_was_halted_is_not_called_up(stack_folder: Path) -> None:
    """Its port takes connections all the same; how it goes on is said."""
    stack = Stack(stack_folder, owned=True)
    stack.up()
    try:
        for server, pid in (("kafka", stack.kafka_pid), ("postgres", stack.postgres_pid)):
            assert pid is not None
            os.kill(pid, signal.SIGSTOP)
            assert told_within(stack, server, f"halted, process {pid}: it answers nobody until `kill -CONT {pid}`")
            os.kill(pid, signal.SIGCONT)
            assert told_within(stack, server, f"up, process {pid}")
    finally:
        stack.down()


def test_the_end_of_a_thread_ends_nothing(stack_folder: Path) -> None:
    """A stack that was started in a worker thread outlives the thread: its owner is the process."""
    stack = Stack(stack_folder, owned=True)
    with ThreadPoolExecutor(1) as threads:
        threads.submit(stack.up).result()
    time.sleep(1)
    status = stack.status()
    stack.down()
    assert str(status["kafka"]).startswith("up")
    assert str(status["postgres"]).startswith("up")


def test_a_taken_port(stack_folder: Path) -> None:
    """A port that another program holds is named with its remedy, that program is left alone, and no half stack stays."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        stack = Stack(stack_folder, kafka_port=port, owned=True)
        with pytest.raises(StackProblem, match=f"Expected port {port} to be free for Kafka") as problem:
            stack.up()
        assert "choose another port" in problem.value.remedy
        assert gone_within(stack_folder, 5)
    stack.down()


def test_data_of_another_version(stack: Stack, stack_folder: Path) -> None:
    """Data that another version wrote is not touched: the folder is named with its remedy."""
    data = stack_folder / "postgres" / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("16\n")
    with pytest.raises(StackProblem, match="found PostgreSQL 16"):
        Stack(stack_folder, owned=True).up()
    assert (data / "PG_VERSION").exists()


def test_a_database_that_refuses_its_password(stack_folder: Path) -> None:
    """A password that is another's is named with its remedy and not shown, and the server that refused it is ended."""
    stack = Stack(stack_folder, owned=True)
    stack.up(broker=False)
    stack.down()
    password = stack_folder / "postgres" / "password"
    own = password.read_text()
    password.write_text("another\n")
    with pytest.raises(StackProblem, match="password to be the database's own") as problem:
        stack.up(broker=False)
    assert "another" not in str(problem.value)
    assert gone_within(stack_folder, 5)
    password.write_text(own)
    stack.up(broker=False)
    stack.down()


def test_a_cluster_id_with_a_dash_in_front(stack: Stack, stack_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One random cluster id in 64 begins with a dash, and Kafka's formatting takes it like any other."""
    monkeypatch.setattr("deploy.local.kafka.uuid.uuid4", lambda: uuid.UUID(bytes=b"\xf8" + bytes(15)))
    Broker(stack_folder / "kafka", jars_folder(), children.free_port(), children.free_port()).format()
    assert "cluster.id=-" in (stack_folder / "kafka" / "data" / "meta.properties").read_text()


def test_a_stranger_with_the_noted_id_is_left_alone(stack_folder: Path) -> None:
    """After a reboot a noted id belongs to a stranger: it is not taken for a server, and `down` does not end it."""
    stack = Stack(stack_folder)
    stack.up()
    stack.down()
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as stranger:
        note = stack_folder / "stack.json"
        note.write_text(_with_pids(note.read_text(), stranger.pid))
        try:
            assert stack.status()["kafka"] == "down"
            assert stack.status()["postgres"] == "down"
            stack.down()
            assert stranger.poll() is None
        finally:
            stranger.kill()


def _with_pids(note: str, pid: int) -> str:
    return note.replace('"kafka_pid": null', f'"kafka_pid": {pid}').replace(
        '"postgres_pid": null', f'"postgres_pid": {pid}'
    )


def test_the_sessions_stack(kafka: str, database_url: str) -> None:
    """The fixtures of all integration tests give addresses on this machine unless the environment gives others."""
    if "OPSFLOOR_KAFKA" not in os.environ:
        assert kafka.startswith("127.0.0.1:")
    assert database_url.startswith("postgresql://")
    assert Addresses(kafka, database_url).kafka == kafka


async def test_a_fresh_database_is_empty(fresh_database: str) -> None:
    """A test's own database has no table but the server's."""
    connection = await asyncpg.connect(fresh_database)
    assert await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
    await connection.close()
