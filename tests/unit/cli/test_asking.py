"""Asking a service: any of its processes answers, nothing is done twice, and who is told of none is told what fits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from socket import gethostname

import httpx
import pytest

from opsfloor import floor
from opsfloor.answers import Remedied

FIRST, SECOND = "http://127.0.0.1:1", "http://127.0.0.1:2"
LOST = httpx.ReadTimeout("no answer in time")
REFUSED = httpx.ConnectError("refused")
Asked = list[tuple[str, str | None]]


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine on which nobody has begun a floor."""
    monkeypatch.setenv("OPSFLOOR_HOME", str(tmp_path))
    for name in ("KAFKA", "DATABASE_URL", "ROUTING_URL", "INTAKE_URL", "AUDIT_URL", "VENDOR_URL", "BALANCER_URL"):
        monkeypatch.delenv(f"OPSFLOOR_{name}", raising=False)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception], Asked]:
    """Two processes, of which the first fails so; who was asked, under which key."""
    monkeypatch.setenv("OPSFLOOR_ROUTING_URL", f"{FIRST},{SECOND}")

    def failing(failure: Exception) -> Asked:
        asked: Asked = []

        def request(method: str, url: str, headers: dict[str, str], **_: object) -> httpx.Response:
            asked.append((url, headers.get("Idempotency-Key")))
            if url.startswith(FIRST):
                raise failure
            return httpx.Response(200, json={"by": url})

        monkeypatch.setattr(httpx, "request", request)
        return asked

    return failing


@pytest.mark.parametrize("failure", [REFUSED, LOST, httpx.ConnectTimeout("nobody"), httpx.RemoteProtocolError("cut")])
def test_another_process_answers_for_one_that_is_dead(failure: Exception, asked: Callable[[Exception], Asked]) -> None:
    """A killed process may still have its note, and an address in the environment stays whoever is gone."""
    seen = asked(failure)
    assert floor.ask("routing", "/reroutes") == {"by": f"{SECOND}/reroutes"}
    assert floor.tell("routing", "/reroutes", {}, "proposer", "lin", "k-1") == {"by": f"{SECOND}/reroutes"}
    assert [key for _, key in seen] == [None, None, "k-1", "k-1"], "the service knows the command again by its key"


def test_what_may_have_been_heard_is_not_said_again_without_a_key(asked: Callable[[Exception], Asked]) -> None:
    """But what was refused a connection was not heard."""
    seen = asked(LOST)
    with pytest.raises(Remedied, match="no answer in time"):
        floor.tell("routing", "/reroutes/preview", {}, "viewer", "lin")
    assert len(seen) == 1
    asked(REFUSED)
    assert floor.tell("routing", "/reroutes/preview", {}, "viewer", "lin") == {"by": f"{SECOND}/reroutes/preview"}


@pytest.mark.parametrize(("failure", "code"), [(LOST, floor.UNANSWERED), (REFUSED, "expected_otherwise")])
def test_what_was_sent_may_still_be_done(failure: Exception, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that nobody answers in time is not lost, and whoever waits for an answer is not away."""
    monkeypatch.setenv("OPSFLOOR_ROUTING_URL", FIRST)

    def request(*_: object, **__: object) -> httpx.Response:
        raise failure

    monkeypatch.setattr(httpx, "request", request)
    with pytest.raises(Remedied) as told:
        floor.tell("routing", "/reroutes/r-1/end", {}, "proposer", "lin", "k-1")
    assert told.value.code == code
    with pytest.raises(Remedied) as asked:
        floor.ask("routing", "/reroutes/r-1")
    for heard in (told.value.remedy, asked.value.remedy):
        assert ("start routing again" in heard) is (failure is REFUSED)


def test_every_address_that_was_asked_in_vain_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """And what came of it."""
    monkeypatch.setenv("OPSFLOOR_ROUTING_URL", f"{FIRST} {SECOND}")
    with pytest.raises(Remedied) as told:
        floor.ask("routing", "/item/i-1")
    assert f"{FIRST}: " in told.value.what
    assert f"{SECOND}: " in told.value.what


@pytest.fixture
def ended() -> Iterator[int]:
    """The number of a process that has ended, and whose end nobody has asked for yet."""
    process = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.read()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    yield process.pid
    process.wait()
    process.stdout.close()


def test_a_process_that_has_ended_is_nobody(ended: int, tmp_path: Path) -> None:
    """Its number is still taken until whoever started it has asked."""
    (tmp_path / "run").mkdir()
    for pid, name in ((ended, "ended"), (-1, "none"), (os.getpid(), "alive")):
        note = {"service": "routing", "pid": pid, "url": FIRST, "host": gethostname()}
        (tmp_path / "run" / f"{name}.json").write_text(json.dumps(note))
    assert floor.running() == [floor.Running("routing", os.getpid(), FIRST)]


def test_nobody_is_told_to_load_the_example_bank_onto_a_floor_that_is_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Only where there is no trace of one; and who has orders in force hears what becomes of them."""

    def remedy(path: str) -> str:
        with pytest.raises(Remedied) as told:
            floor.ask("routing", path)
        return told.value.remedy

    assert "deploy/reference" in remedy("/item/i-1")
    assert "end on time by themselves" in remedy("/reroutes?open=true")
    assert "deploy/reference" not in remedy("/reroute-names")
    (tmp_path / "stack.json").write_text("{}")
    assert remedy("/item/i-1") == floor.START_AGAIN.format("routing")
    (tmp_path / "stack.json").unlink()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "routing-1.json").write_text("{}")
    assert remedy("/item/i-1") == floor.START_AGAIN.format("routing")
    (tmp_path / "run" / "routing-1.json").unlink()
    monkeypatch.setenv("OPSFLOOR_KAFKA", "127.0.0.1:1")
    assert remedy("/item/i-1") == floor.START_AGAIN.format("routing")
