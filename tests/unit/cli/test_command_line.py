"""The command line as its users meet it: it teaches, and a failure names its remedy."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import typer

from opsfloor.cli import app, main
from shared.reference import load
from shared.reference.board import ReferenceView
from shared.reference.keys import with_local_keys
from tests.support.command_line import under

NOWHERE = {"OPSFLOOR_KAFKA": "127.0.0.1:1", "OPSFLOOR_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}


def commands(command: Any, name: str = "opsfloor") -> Iterator[tuple[str, Any]]:
    """Every command with its whole name, groups included. Typer brings a click of its own that it does not name."""
    yield name, command
    for own, each in (under(command) or {}).items():
        yield from commands(each, f"{name} {own}")


ALL = dict(commands(typer.main.get_command(app)))


def test_the_whole_command_line_is_looked_at() -> None:
    """Groups and what is in them."""
    assert {"opsfloor run", "opsfloor dlq redrive", "opsfloor reroute approve"} <= set(ALL)


@pytest.mark.long
def test_a_command_is_loaded_when_it_is_asked_for() -> None:
    """A service's process does not load the charts and the simulator of other commands, which would take seconds."""
    script = """
import sys, typer
from opsfloor.cli import app
typer.main.get_command(app).get_command(None, "run")
print(sorted({"matplotlib", "opsfloor.run", "opsfloor.simulate"} & set(sys.modules)))
"""
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "['opsfloor.run']"


def test_the_command_line_itself_loads_no_client_of_the_bus() -> None:
    """It took four times as long to say what a command takes."""
    script = "import sys, opsfloor.cli; print(sorted({'aiokafka', 'asyncpg'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ALL)
def test_every_command_says_what_it_does_and_what_it_takes(name: str) -> None:
    """`--help` teaches: a sentence for the command, and words for each of its options."""
    assert ALL[name].help
    assert [o.name for o in ALL[name].params if o.param_type_name == "option" and not o.help] == []


def run(monkeypatch: pytest.MonkeyPatch, home: Path, *words: str) -> int:
    """Run the command line as the shell does, on a machine where nothing runs; its exit status."""
    monkeypatch.setenv("OPSFLOOR_HOME", str(home))
    monkeypatch.setattr(sys, "argv", ["opsfloor", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_a_full_disk_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever writes to it first, names no file: the sentence says what is full and what to do."""

    def full(*words: object, **named: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("opsfloor.cli.app", full)
    assert run(monkeypatch, tmp_path, "reference", "deploy/reference") == 1
    told = capsys.readouterr().err
    assert "room on the disk" in told
    assert "OPSFLOOR_HOME" in told


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        (("status",), "opsfloor stack up"),
        (("case", "c-1"), "opsfloor run"),
        (("item", "w-1"), "opsfloor run"),
        (("dlq", "list"), "opsfloor stack up"),
        (("submit", __file__, "--branch", "branch-01", "--type", "transfer"), "opsfloor stack up"),
        (("reroute", "list"), "opsfloor run"),
        (("run", "kitchen"), "opsfloor run --help"),
        (("run", "intake", "--log-level", "loud"), "name one of them"),
        (("token", "bob", "--role", "king"), "opsfloor token --help"),
        (("token", "bob", "--role", "operator", "--hours", "-1"), "more than 0"),
        (("token", "", "--role", "viewer"), "name somebody"),
    ],
    ids=lambda words: " ".join(words[:2]) if isinstance(words, tuple) else "",
)
def test_without_a_floor_the_remedy_is_told(
    words: tuple[str, ...],
    remedy: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nothing runs: one sentence says so, a second one what to do, and no stack of calls is shown."""
    for name in NOWHERE:
        monkeypatch.delenv(name, raising=False)
    assert run(monkeypatch, tmp_path, *words) == 1
    told = " ".join(capsys.readouterr().err.split())
    assert "Remedy:" in told
    assert remedy in told
    assert "Traceback" not in told


@pytest.mark.parametrize("words", [("console",), ("stack", "status"), ("stack", "down")])
def test_a_bent_note_of_the_stack_is_told_with_its_remedy(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The note of a server beside the stack was cut off by a full disk: every command that reads it says so."""
    (tmp_path / "prometheus").mkdir()
    (tmp_path / "prometheus" / "prometheus.pid").write_text("12")
    assert run(monkeypatch, tmp_path, *words) == 1
    assert "then delete" in " ".join(capsys.readouterr().err.split())


def test_a_broker_that_is_away_is_told_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The address is set and nobody answers there."""
    for name, value in NOWHERE.items():
        monkeypatch.setenv(name, value)
    assert run(monkeypatch, tmp_path, "dlq", "list") == 1
    assert "opsfloor stack status" in " ".join(capsys.readouterr().err.split())


def test_reference_data_that_name_an_instant_still_to_come_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who is to be reinstated one day is reinstated on that day, by whoever publishes it then."""
    bank = tmp_path / "bank"
    shutil.copytree("deploy/reference", bank)
    people = bank / "operators.yaml"
    people.write_text(
        people.read_text().replace("{id: north-entry-01, ", "{id: north-entry-01, reinstated_at: '2999-01-01T00:00Z', ")
    )
    assert run(monkeypatch, tmp_path, "reference", str(bank), "--check") == 1
    assert "is still to come" in " ".join(capsys.readouterr().err.split())


def test_a_document_that_cannot_be_handed_in_is_refused_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An unknown branch, a currency that is none, of an amount or of nothing, an instant that is still to come, an empty
    id, a file that is no image: each with its remedy."""
    for name, value in NOWHERE.items():
        monkeypatch.setenv(name, value)
    with_local_keys(load(Path("deploy/reference")), tmp_path / "keys")
    asked = ("submit", __file__, "--type", "corporate-transfer", "--branch")
    for words, remedy in (
        ((*asked, "nowhere"), "names the branches"),
        ((*asked, "branch-01", "--amount", "5", "--currency", "xx"), "three capitals"),
        ((*asked, "branch-01", "--currency", "usd"), "three capitals"),
        ((*asked, "branch-01", "--captured-at", "2999-01-01T00:00Z"), "write when it was scanned"),
        ((*asked, "branch-01", "--submission-id", " "), "one is made for you"),
        ((*asked, "branch-01"), "PNG or JPEG"),
    ):
        assert run(monkeypatch, tmp_path, *words) == 1
        assert remedy in " ".join(capsys.readouterr().err.split())
    monkeypatch.setenv("OPSFLOOR_IMAGES", "nonsense")
    assert run(monkeypatch, tmp_path, *asked, "branch-01") == 1
    assert "unset it" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    "words", [("dlq", "redrive", "p-1"), ("token",), ("nonsense",), ("submit", __file__, "--amount", "-5")]
)
def test_a_mistyped_command_is_refused_with_its_usage(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 2 and the usage: nothing is begun."""
    assert run(monkeypatch, tmp_path, *words) == 2
    assert "Usage:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("OPSFLOOR_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none", "Expected intake to start, found"),
        ("OPSFLOOR_CLOCK_SCALE", "fast", "Expected OPSFLOOR_CLOCK_START"),
        ("OPSFLOOR_CLOCK_SCALE", "0", "a scale of 0"),
        ("OPSFLOOR_SESSION_TIMEOUT_SECONDS", "inf", "OPSFLOOR_SESSION_TIMEOUT_SECONDS: Input should be"),
        ("OPSFLOOR_POOL_SIZE_MAX", "many", "OPSFLOOR_POOL_SIZE_MAX: Input should be"),
        ("OPSFLOOR_HOME", __file__, f"Expected to use {__file__}"),
    ],
)
@pytest.mark.long
def test_a_service_with_nonsense_settings_says_which(
    name: str, value: str, told: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Expected, found and remedy, and no stack of calls, before anything is connected."""
    environment = NOWHERE | {"OPSFLOOR_CLOCK_START": "2026-03-02T09:00:00Z", "OPSFLOOR_CLOCK_ANCHOR": "0"}
    for other, given in (environment | {"OPSFLOOR_HOME": str(tmp_path), name: value}).items():
        monkeypatch.setenv(other, given)
    done = subprocess.run(
        [sys.executable, "-m", "opsfloor", "run", "intake"], capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 1
    said = " ".join(done.stderr.split())
    assert told in said
    assert "Remedy:" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("words", "status", "code"),
    [
        (("status",), 1, "expected_otherwise"),
        (("case", "c-1"), 1, "expected_otherwise"),
        (("reroute", "list"), 1, "expected_otherwise"),
        (("dlq", "list"), 1, "dependency_away"),
        (("case",), 2, "invalid_request"),
        (("dlq", "list", "--nonsense"), 2, "invalid_request"),
    ],
)
def test_who_asks_for_json_is_told_what_failed_in_json(
    words: tuple[str, ...],
    status: int,
    code: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One problem on standard error and nothing on standard output, whatever failed; the exit status is the same."""
    for name, value in NOWHERE.items():
        monkeypatch.setenv(name, value)
    assert run(monkeypatch, tmp_path, *words, "--json") == status
    told = capsys.readouterr()
    problem = json.loads(told.err)
    assert set(problem) == {"type", "code", "detail", "remedy"}
    assert (problem["code"], problem["type"]) == (code, f"urn:opsfloor:problem:{code}")
    assert problem["remedy"]
    assert told.out == ""


DYING = """
import asyncio, logging, sys, warnings
import structlog
from aiokafka.errors import ProducerClosed
from opsfloor import cli
from shared.runtime.errors import TransientError

async def play():
    asyncio.get_running_loop().create_future().set_exception(ProducerClosed())
    asyncio.get_running_loop().create_future().set_exception(ValueError("our own"))
    structlog.get_logger("opsfloor.kafka").error("no producer yet")
    logging.getLogger("aiokafka.client").error("tries again")
    logging.getLogger("asyncpg.pool").error("not restored")
    warnings.warn("old way", UserWarning)
    kept.append(asyncio.get_running_loop().create_future())
    kept[0].set_exception(ProducerClosed())

def app(**_):
    asyncio.run(play())
    raise TransientError("Expected the bus")

kept, cli.app = [], app
cli.main()
"""


@pytest.mark.long
@pytest.mark.parametrize(("words", "json_told"), [(("replay", "--json"), True), (("replay",), False)])
def test_of_a_bus_that_dies_under_a_command_only_its_own_words_are_told(
    words: tuple[str, ...], json_told: bool
) -> None:
    """Programs read one document, before which and behind which libraries say nothing, not even when the process ends.
    People are told of a client's lost work in a line, and see where an error was made that nobody looked for."""
    done = subprocess.run([sys.executable, "-c", DYING, *words], capture_output=True, text=True)
    assert done.returncode == 1
    if json_told:
        assert (json.loads(done.stderr)["code"], done.stdout) == ("dependency_away", "")
        return
    assert done.stderr.count("ProducerClosed") == 1
    assert "ValueError: our own" in done.stderr
    assert "tries again" not in done.stderr


def test_a_start_that_is_stopped_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever typed Ctrl-C learns that nothing was left running."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    for name in NOWHERE:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("signal.signal", lambda *_: None)  # the tests' own process keeps its handlers
    monkeypatch.setattr("deploy.local.Stack.up", interrupted)
    assert run(monkeypatch, tmp_path, "stack", "up") == 130
    assert "ended again" in capsys.readouterr().err


def test_a_command_that_ends_well_ends_well_with_json_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The document on standard output, exit status 0; help is help."""
    assert run(monkeypatch, tmp_path, "stack", "status", "--json") == 0
    assert json.loads(capsys.readouterr().out)["kafka"] == "never started"
    assert run(monkeypatch, tmp_path, "status", "--json", "--help") == 0


@pytest.mark.parametrize("words", [("migrate", "status"), ("migrate", "pre"), ("migrate", "post"), ("restore",)])
@pytest.mark.parametrize(
    "refusal",
    [
        asyncpg.InvalidPasswordError('password authentication failed for user "floor"'),
        asyncpg.InvalidCatalogNameError('database "flor" does not exist'),
        asyncpg.InvalidAuthorizationSpecificationError('role "flor" does not exist'),
        asyncpg.InsufficientPrivilegeError("permission denied for database floor"),
    ],
    ids=lambda refusal: type(refusal).__name__,
)
def test_a_database_that_refuses_is_told_with_its_remedy(
    words: tuple[str, ...],
    refusal: Exception,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whatever it refuses: the login, the name, a right; to programs as one problem."""

    async def refuse(*_: object, **__: object) -> None:
        raise refusal

    for name, value in NOWHERE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("asyncpg.connect", refuse)
    monkeypatch.setattr("asyncpg.pool.Pool._async__init__", refuse)
    asks = (*words, "--json") if words in (("migrate", "status"), ("restore",)) else words
    assert run(monkeypatch, tmp_path, *asks) == 1
    told = " ".join(capsys.readouterr().err.split())
    assert "OPSFLOOR_DATABASE_URL" in told
    assert str(refusal).partition('"')[0] in told
    if "--json" in asks:
        assert json.loads(told)["code"] == "expected_otherwise"


def test_a_folder_that_takes_the_people_of_a_type_away_is_not_published(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The type stays on the floor whatever is said, so what is open of it would wait for nobody."""
    bank = tmp_path / "bank"
    shutil.copytree("deploy/reference", bank)
    types, people = bank / "business-types.yaml", bank / "operators.yaml"
    rest, cheque, maintenance = types.read_text().replace("- id: ", "\0- id: ").split("\0")[1:]
    assert "cheque-deposit" in cheque
    types.write_text(f"business_types:\n  {rest}{maintenance}")
    people.write_text(re.sub(r"cheque-deposit/\w+(, )?", "", people.read_text()))
    view = ReferenceView()
    for entry in load(Path("deploy/reference")):
        view.fold(entry.key, entry)

    async def there(*_: object) -> ReferenceView:
        return view

    for name, value in NOWHERE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("opsfloor.reference.ensure_topics", there)
    monkeypatch.setattr("opsfloor.reference.published", there)
    assert run(monkeypatch, tmp_path, "reference", str(bank), "--remove") == 1
    told = " ".join(capsys.readouterr().err.split())
    assert "business type cheque-deposit: nobody in the house can do cheque-deposit/entry" in told
    assert "keep these business types in the folder" in told
