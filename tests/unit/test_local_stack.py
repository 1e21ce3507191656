"""What the local stack says, reads, chooses and writes, without starting anything."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from deploy.local import Stack, StackProblem, children, jars, problems
from deploy.local.kafka import METADATA, NODE, Broker
from deploy.local.postgres import SETTINGS, Database
from deploy.local.stack import home, jars_folder
from deploy.local.watch import NEVER, Watch, forget_predecessor
from shared.runtime.settings import Settings

FOLDER = Path("/somewhere/.opsfloor")
NOTE = '{"kafka_port": %s, "controller_port": 21001, "postgres_port": 21002, "kafka_pid": %s}'

PROBLEMS = {
    "port": problems.port_taken(9092, "Kafka"),
    "version": problems.other_version(FOLDER, "PostgreSQL 16", "PostgreSQL 18"),
    "download": problems.not_fetched("group:artifact:1", "connection refused"),
    "checksum": problems.checksum_differs(FOLDER / "a.jar", "0" * 64, "1" * 64),
    "start": problems.did_not_start("Kafka", FOLDER / "kafka.log", "out of memory"),
    "disk": problems.from_os(OSError(errno.ENOSPC, "No space left on device"), FOLDER),
    "permission": problems.from_os(OSError(errno.EACCES, "Permission denied"), FOLDER),
    "other": problems.from_os(OSError(errno.EIO, "Input/output error"), FOLDER),
    "port number": problems.not_a_port("http"),
    "note": problems.unreadable(FOLDER / "stack.json", "no JSON"),
    "password": problems.not_asked(FOLDER, 'FATAL: password authentication failed for user "opsfloor"'),
    "first question": problems.not_asked(FOLDER, "FATAL: the database system is in recovery mode"),
    "half written": problems.half_written(FOLDER / "kafka" / "data" / "meta.properties", FOLDER / "kafka"),
    "no room for the data": problems.not_made(FOLDER, "initdb: could not write: No space left on device", "nobody"),
    "no data": problems.not_made(FOLDER, "initdb: Permission denied", "nobody"),
    "torn": problems.torn("Kafka", FOLDER, "nothing"),
    "closed": problems.did_not_start("PostgreSQL", FOLDER / "postgres.log", "FATAL: data has invalid permissions"),
    "owner": problems.not_ours(FOLDER, "user 1001"),
}


@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS.keys())
def test_every_problem_has_a_remedy(problem: StackProblem) -> None:
    """A problem says what was expected and what was found, and its remedy is something a person can do."""
    assert problem.what.startswith("Expected ")
    assert re.search(r"\b(set|end|run|read|see|keep|delete|free)\b", problem.remedy)
    assert problem.remedy in str(problem)


def test_a_full_disk_and_a_closed_folder_are_told_apart() -> None:
    """The same failed write means two things, and each has its own remedy."""
    assert "free some space" in PROBLEMS["disk"].remedy
    assert "OPSFLOOR_HOME" in PROBLEMS["permission"].remedy
    assert "nobody" not in str(PROBLEMS["no room for the data"])
    assert "the user 'nobody'" in PROBLEMS["no data"].remedy


def test_the_lock_names_every_jar_once() -> None:
    """Each jar has a sha256, the broker and its client have the one version, and no address is named."""
    locked = jars.locked()
    names = [jar.file_name for jar in locked]
    assert len(names) == len(set(names))
    versions = {jar.version for jar in locked if jar.group == "org.apache.kafka"}
    assert versions == {jars.KAFKA}
    assert {"kafka_2.13", "kafka-clients"} <= {jar.artifact for jar in locked}
    assert all(re.fullmatch(r"[0-9a-f]{64}", jar.sha256) for jar in locked)
    assert "://" not in (Path(jars.__file__).parent / "jars.lock").read_text()


@pytest.fixture
def one_jar(monkeypatch: pytest.MonkeyPatch) -> jars.Jar:
    """A lock with a single jar whose content is `whole`."""
    jar = jars.Jar("group", "artifact", "1", hashlib.sha256(b"whole").hexdigest())
    monkeypatch.setattr(jars, "locked", lambda: [jar])
    return jar


def test_a_whole_jar_is_taken(one_jar: jars.Jar, tmp_path: Path) -> None:
    """A jar with the locked checksum is used without any network, and the caller hears of the progress."""
    (tmp_path / one_jar.file_name).write_bytes(b"whole")
    told: list[tuple[int, int, str]] = []
    assert jars.ensure(tmp_path, lambda *step: told.append(step)) == tmp_path
    assert told == [(0, 1, "group:artifact:1"), (1, 1, "all there")]


def test_a_broken_jar_is_refused(one_jar: jars.Jar, tmp_path: Path) -> None:
    """Half a jar, or another one, is not run: it is named with what to do."""
    (tmp_path / one_jar.file_name).write_bytes(b"who")
    with pytest.raises(StackProblem, match=r"artifact-1\.jar") as problem:
        jars.ensure(tmp_path)
    assert "delete" in problem.value.remedy


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (OSError("no route to the repository"), "Expected to fetch group:artifact:1"),
        (RuntimeError("no such artifact"), "Expected to fetch group:artifact:1"),
        (OSError(errno.ENOSPC, "No space left on device"), "found the disk full"),
    ],
)
def test_a_failed_download(
    one_jar: jars.Jar, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raised: Exception, expected: str
) -> None:
    """A download that fails says why, leaves no jar and nothing half finished."""
    monkeypatch.setattr("jgo.maven.MavenContext.project", _raising(raised))
    with pytest.raises(StackProblem, match=expected):
        jars.ensure(tmp_path)
    assert list(tmp_path.iterdir()) == []


def _raising(error: Exception) -> Callable[..., None]:
    def refuse(*_: object) -> None:
        raise error

    return refuse


@pytest.mark.parametrize("line", ["group:artifact 1", "group:artifact:1", "group:artifact:1 short"])
def test_a_bent_lock_is_refused(line: str) -> None:
    """A line of the lock that is no coordinate with a checksum is named by its number."""
    with pytest.raises(ValueError, match="in line 2"):
        list(jars._parse(f"# comment\n{line}\n"))


def test_free_ports_are_not_those_of_clients() -> None:
    """A chosen port is free and outside the range that the kernel gives to outgoing connections."""
    first_outgoing = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    port = children.free_port()
    assert not children.taken(port)
    assert 1024 < port < max(first_outgoing, children.PORTS.stop)


def test_a_listened_port_is_taken() -> None:
    """A port that somebody listens on is seen as taken."""
    with socket.create_server((children.LOOPBACK, 0)) as other:
        assert children.taken(other.getsockname()[1])


def test_a_server_is_known_by_its_mark() -> None:
    """The same id without the mark is a stranger: neither alive nor ended; with it, it is ended and reaped."""
    program = "import time; print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", program, "the-mark"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()  # until it speaks, the kernel may not have set up its arguments yet
        children.end(process.pid, "another-mark", signal.SIGKILL)
        assert process.poll() is None
        assert not children.alive(process.pid, "another-mark")
        assert children.alive(process.pid, "the-mark")
        children.end(process.pid, "the-mark", signal.SIGKILL)
        assert not children.alive(process.pid, "the-mark")


@pytest.mark.parametrize("deaf", [False, True])
def test_it_is_told_whether_politeness_ended_a_server(deaf: bool) -> None:
    """What one that had to be killed was writing at its end may be half written."""
    ignores = "signal.signal(signal.SIGTERM, signal.SIG_IGN); " if deaf else ""
    code = f"import signal, time; {ignores}print('up', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code, "the-mark"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert children.end(process.pid, "the-mark", signal.SIGTERM, 20.0 if not deaf else 0.2) is not deaf


def test_the_brokers_properties(tmp_path: Path) -> None:
    """The broker listens on the loopback address alone, makes no topic unasked, and needs no second broker."""
    lines = Broker(tmp_path, tmp_path, 21_000, 21_001).properties().splitlines()
    properties = dict(line.split("=", 1) for line in lines if line)
    assert properties["advertised.listeners"] == "PLAINTEXT://127.0.0.1:21000"
    assert all("://127.0.0.1:" in listener for listener in properties["listeners"].split(","))
    assert properties["auto.create.topics.enable"] == "false"
    assert properties["group.initial.rebalance.delay.ms"] == "0"
    assert properties["group.min.session.timeout.ms"] == "1000"
    factors = {value for name, value in properties.items() if name.endswith(("replication.factor", "min.isr"))}
    assert factors == {"1"}
    assert properties["log.dirs"].startswith(str(tmp_path))


def test_the_database_is_durable() -> None:
    """Nothing that keeps a commit is switched off to be fast."""
    assert SETTINGS["fsync"] == SETTINGS["synchronous_commit"] == "on"
    assert SETTINGS["listen_addresses"] == children.LOOPBACK
    assert SETTINGS["max_connections"] == "200"


def test_another_versions_broker_data(tmp_path: Path) -> None:
    """Data that another Kafka wrote is named with both versions and not touched."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "meta.properties").write_text("version=1\n")
    (tmp_path / "version").write_text("3.9.1\n")
    with pytest.raises(StackProblem, match=rf"Expected data of Kafka {jars.KAFKA} .*, found Kafka 3\.9\.1"):
        Broker(tmp_path, tmp_path, 21_000, 21_001).format()


def test_a_brokers_note_that_was_cut_off(tmp_path: Path) -> None:
    """Of a folder without records it is made anew; where there are records, they are kept and the remedy is told."""
    data, broker = tmp_path / "data", Broker(tmp_path, tmp_path, 21_000, 21_001)
    (data / "broker.events-0").mkdir(parents=True)
    (data / "meta.properties").touch()
    (tmp_path / "version").write_text(jars.KAFKA)
    with pytest.raises(StackProblem, match="found it cut off"):
        broker.format()
    assert (data / "broker.events-0").exists()
    (data / "broker.events-0").rmdir()
    with pytest.raises(StackProblem, match="Kafka to format"):  # no jars here: the formatting itself cannot be
        broker.format()
    assert not (data / "meta.properties").exists()


def _brokers_data(folder: Path) -> Path:
    data = folder / "data"
    (data / "broker.events-0").mkdir(parents=True)
    (data / METADATA).mkdir()
    (data / METADATA / "00000000000000000000.log").write_bytes(b"topics")
    (data / "meta.properties").write_text(f"#\nnode.id={NODE}\nversion=1\ncluster.id=c\n")
    (folder / "version").write_text(jars.KAFKA)
    return data


def test_a_brokers_data_that_is_not_this_brokers(tmp_path: Path) -> None:
    """A note of a form that is not known yet, of another broker, without a version: named, and nothing is touched."""
    data, broker = _brokers_data(tmp_path), Broker(tmp_path, tmp_path, 21_000, 21_001)
    broker.format()
    whole = (data / "meta.properties").read_text()
    for old, new, found in (
        ("version=1", "version=7", "which wrote version=7"),
        (f"node.id={NODE}", "node.id=9", "data of the broker 9"),
    ):
        (data / "meta.properties").write_text(whole.replace(old, new))
        with pytest.raises(StackProblem, match=found):
            broker.format()
    (data / "meta.properties").write_text(whole)
    (tmp_path / "version").unlink()
    with pytest.raises(StackProblem, match="found no note of its version"):
        broker.format()
    assert (data / "broker.events-0").exists()


def test_a_broker_whose_names_of_topics_are_gone(tmp_path: Path) -> None:
    """It would come up, know no topic, and call what it holds a stray: it is not started."""
    data, broker = _brokers_data(tmp_path), Broker(tmp_path, tmp_path, 21_000, 21_001)
    (data / METADATA / "00000000000000000000.log").write_bytes(b"")
    with pytest.raises(StackProblem, match="which names its topics") as problem:
        broker.format()
    assert f"`mv {tmp_path} {tmp_path}.torn`" in problem.value.remedy


def test_a_cluster_without_its_version_is_not_made_anew(tmp_path: Path) -> None:
    """There are databases in it: it is told and kept. One whose making was interrupted holds none, and is forgotten."""
    data, database = tmp_path / "data", Database(tmp_path, 21_002)
    for name in ("base/1", "base/5", "global"):
        (data / name).mkdir(parents=True)
    (data / "global" / "pg_control").touch()
    with pytest.raises(StackProblem, match="no version in PG_VERSION") as problem:
        database.make()
    assert "opsfloor stack up" in problem.value.remedy
    assert (data / "base" / "5").exists()
    (data / "base" / "5").rmdir()
    assert not database._look()
    assert not data.exists()


def test_a_password_that_is_gone(tmp_path: Path) -> None:
    """The data is kept, and the remedy says what its password is for."""
    data, database = tmp_path / "data", Database(tmp_path, 21_002)
    for name in ("base/1", "base/5", "global"):
        (data / name).mkdir(parents=True)
    (data / "PG_VERSION").write_text("18\n")
    with pytest.raises(StackProblem, match="found it gone"):
        database.make()
    (tmp_path / "password").write_text("\n")
    with pytest.raises(StackProblem, match="found it empty"):
        database.make()


def test_what_a_server_said_last(tmp_path: Path) -> None:
    """The cause that a Java program names, and not the calls that led to it."""
    log = tmp_path / "kafka.log"
    assert children.last_lines(log) == "no output"
    log.write_text("ready\njava.lang.Exception: no cluster.id\n\tat kafka.Kafka$.main\n\t... 2 more\n\nleaving\n")
    assert children.last_lines(log) == "java.lang.Exception: no cluster.id"
    before = children.size_of(log)
    log.write_text(log.read_text() + "PANIC:  could not write: No space left on device\nterminating\nshut down\n")
    assert children.last_lines(log, since=before) == "PANIC:  could not write: No space left on device"
    log.write_text("ready\nleaving\n")
    assert children.last_lines(log) == "ready | leaving"


def test_a_disk_that_filled_up_while_a_server_ran_is_told_as_such() -> None:
    """The server's last words name the cause, and the remedy is that of a full disk."""
    told = problems.did_not_start(
        "PostgreSQL", FOLDER / "postgres.log", "PANIC: could not write: No space left on device"
    )
    assert "free some space" in told.remedy


def test_down_where_nothing_can_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A folder that has become read-only is told with its remedy by `down` as it is by `up`."""
    (tmp_path / "stack.json").write_text(NOTE % (21_000, "null"))

    def read_only(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(tmp_path / "lock"))

    monkeypatch.setattr(Path, "open", read_only)
    with pytest.raises(StackProblem, match="Expected to be allowed to write"):
        Stack(tmp_path).down()


def test_a_link_in_place_of_the_databases_folder(tmp_path: Path) -> None:
    """A link where the data should lie is refused: it could lead anywhere."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "postgres").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StackProblem, match="to be a folder of this user"):
        Database(tmp_path / "postgres", 21_002).make()


@pytest.mark.parametrize("left", [b"", b"\n", b"\x00\x00\x00", b"4194305\n/data\n"])
def test_a_note_that_a_power_cut_left(tmp_path: Path, left: bytes) -> None:
    """PostgreSQL's note of its process, empty, of zeros, or of a process that is gone, does not keep it from starting."""
    note = tmp_path / "data" / "postmaster.pid"
    note.parent.mkdir()
    note.write_bytes(left)
    Database(tmp_path, 21_002)._forget_dead_postmaster()
    assert not note.exists()


def test_folders_follow_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`OPSFLOOR_HOME` moves everything, `OPSFLOOR_JARS` the jars alone."""
    monkeypatch.setenv("OPSFLOOR_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("OPSFLOOR_JARS", raising=False)
    assert (home(), jars_folder()) == (tmp_path / "home", tmp_path / "home" / "jars")
    monkeypatch.setenv("OPSFLOOR_JARS", str(tmp_path / "jars"))
    assert jars_folder() == tmp_path / "jars"


def test_a_folder_that_is_set_to_nothing_is_not_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Else the data would lie in the folder that one stands in, beside what is kept in a repository; keys as well."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPSFLOOR_HOME", "")
    monkeypatch.setenv("OPSFLOOR_JARS", "")
    assert (home(), jars_folder()) == (tmp_path / ".opsfloor", tmp_path / ".opsfloor" / "jars")
    assert Settings(kafka="a:1", database_url="postgresql://u@h/d").home == Path(".opsfloor")


def test_a_stack_that_was_never_up(tmp_path: Path) -> None:
    """Its status says so, `down` does nothing, and its addresses are a problem with a remedy."""
    stack = Stack(tmp_path / "none")
    assert stack.status()["kafka"] == "never started"
    stack.down()
    with pytest.raises(StackProblem, match="opsfloor stack up"):
        stack.addresses()
    assert not (tmp_path / "none").exists()


def test_prometheus_and_alertmanager_are_in_the_status(tmp_path: Path) -> None:
    """One that runs with its address, one that has ended, one that never ran; `down` leaves nothing of either."""
    watch = Watch(tmp_path)
    assert watch.status() == {"prometheus": NEVER, "alertmanager": NEVER}
    watch.folder.mkdir()
    script = [sys.executable, "-c", "import time; time.sleep(60)", f"--config.file={watch.folder / 'prometheus.yaml'}"]
    process = subprocess.Popen(script)
    try:
        (watch.folder / "prometheus.pid").write_text(f"{process.pid} 21003")
        end = time.monotonic() + 30
        while (
            script[-1] not in psutil.Process(process.pid).cmdline()
        ):  # a child has its own words once it is its program
            assert time.monotonic() < end
            time.sleep(0.01)
        (watch.folder / "alertmanager.pid").write_text("4194305 21004")
        assert watch.status() == {
            "prometheus": f"up, process {process.pid}",
            "prometheus_address": "http://127.0.0.1:21003",
            "alertmanager": "down",
        }
        assert watch.prometheus() == "http://127.0.0.1:21003"
    finally:
        process.kill()
        process.wait(10)
    assert watch.status()["prometheus"] == "down"
    assert watch.prometheus() is None


@pytest.mark.parametrize(
    "bent",
    [
        '{"kafka_port": ',
        "[1, 2, 3]",
        NOTE % (21_000, '"abc"'),
        NOTE % (21_000, "-1"),
        NOTE % (21_000, "true"),
        NOTE % (21_000, "99999999999"),
        NOTE % (70_000, "null"),
        NOTE % (0, "null"),
    ],
)
def test_a_bent_note(tmp_path: Path, bent: str) -> None:
    """A note that cannot be read, or tells of ports and processes that cannot be, is a problem with a remedy."""
    (tmp_path / "stack.json").write_text(bent)
    for asked in (Stack(tmp_path).status, Stack(tmp_path).up, Stack(tmp_path).down):
        with pytest.raises(StackProblem, match="to say what was started"):
            asked()


@pytest.mark.parametrize("bent", ["", "abc 21003", "4194305", "4194305 999999"])
def test_a_bent_note_of_prometheus(tmp_path: Path, bent: str) -> None:
    """The same of the servers beside the stack."""
    watch = Watch(tmp_path)
    watch.folder.mkdir()
    (watch.folder / "prometheus.pid").write_text(bent)
    for asked in (watch.status, watch.prometheus, watch.down):
        with pytest.raises(StackProblem, match=r"prometheus\.pid to say what was started"):
            asked()


def test_a_port_that_is_no_number(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A port with words in it, or beyond all ports, is named before anything is started or written down."""
    for given in ("http", "0", "99999"):
        monkeypatch.setenv("OPSFLOOR_KAFKA_PORT", given)
        with pytest.raises(StackProblem, match=f"from 1 to 65535, found '{given}'") as problem:
            Stack(tmp_path).up()
        assert "OPSFLOOR_KAFKA_PORT" in problem.value.remedy
    with pytest.raises(StackProblem, match="found '70000'"):
        Stack(tmp_path, 70_000).up()
    assert list(tmp_path.iterdir()) == []


def test_no_permission(tmp_path: Path) -> None:
    """A place where no folder can be made is a problem that names another place as its remedy."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StackProblem, match="Expected to use") as problem:
        Stack(tmp_path / "file" / "stack").up()
    assert "OPSFLOOR_HOME" in problem.value.remedy
    assert os.path.isfile(tmp_path / "file")


def test_a_process_that_starts_takes_the_place_of_one_that_was_killed(tmp_path: Path) -> None:
    """What was killed leaves its target: it is missed until somebody starts it again, and then no more; one for one."""
    folder, nobody = tmp_path / "prometheus" / "targets", 2**22
    folder.mkdir(parents=True)
    for name in (f"audit-{nobody + 1}", f"audit-{nobody + 2}", f"audit-{os.getpid()}", f"intake-{nobody + 3}"):
        (folder / f"services-{name}.json").write_text("[]")
    os.utime(folder / f"services-audit-{nobody + 2}.json", (1, 1))
    for left in (3, 2, 2):
        forget_predecessor(tmp_path, "audit")
        assert len(list(folder.iterdir())) == left
    assert {file.stem for file in folder.iterdir()} == {
        f"services-audit-{os.getpid()}",
        f"services-intake-{nobody + 3}",
    }
