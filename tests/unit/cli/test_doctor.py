"""The doctor's judgements: each trouble is found, and has a remedy."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from opsfloor.cli import app
from opsfloor.doctor import (
    JOIN_GROUP,
    Finding,
    clock_finding,
    disk_finding,
    examine,
    in_short,
    schema_finding,
    spans_finding,
    token_finding,
    tokens_findings,
    topics_finding,
    version_finding,
)
from shared.http.app import build_app
from shared.http.keys import PRIVATE_NAME, PUBLIC_NAME
from shared.http.server import HttpServer
from shared.http.tokens import Issuer, Verifier, ensure_key_pair
from shared.images import ImageStore
from shared.runtime.errors import TransientError
from shared.runtime.schema import Step, migrations
from shared.runtime.settings import Settings
from shared.runtime.topics import wanted
from tests.support.span_receiver import receiving

ALL = {each.name: 8 for each in wanted(8)}
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
HOME = Path("/floor")
STEPS = migrations()
DONE = frozenset(step.name for step in STEPS)


@pytest.mark.parametrize(
    ("finding", "well"),
    [
        (version_finding({JOIN_GROUP: 9}), True),
        (version_finding({JOIN_GROUP: 4}), False),
        (topics_finding(ALL), True),
        (topics_finding(dict.fromkeys(list(ALL)[1:], 8)), False),
        (topics_finding({**ALL, "routing.load.v1": 4}), False),
        (clock_finding(NOW, NOW.timestamp() - 0.2, NOW.timestamp() + 0.1), True),
        (clock_finding(NOW, NOW.timestamp() + 3, NOW.timestamp() + 3.1), False),
        (clock_finding(NOW, NOW.timestamp() - 3, NOW.timestamp() - 2.9), False),
        (schema_finding("audit", None, STEPS), True),
        (schema_finding("audit", DONE, STEPS), True),
        (schema_finding("audit", frozenset(), STEPS), True),
        (schema_finding("audit", DONE, (*STEPS, Step("9998_post_later.sql", "post", ""))), True),
        (schema_finding("audit", DONE | {"9999_pre_later.sql"}, STEPS), True),
        (schema_finding("audit", DONE | {"9999_post_later.sql"}, STEPS), False),
        (disk_finding(HOME, 50_000_000_000, 100_000_000_000), True),
        (disk_finding(HOME, 900_000_000, 1_000_000_000), False),
        (disk_finding(HOME, 40_000_000_000, 1_000_000_000_000), False),
        (token_finding("no token", NOW), False),
    ],
)
def test_what_is_not_well_has_a_remedy(finding: Finding, well: bool) -> None:
    """Every look tells well from not well, and what is not well says what to do."""
    assert finding.well is well
    assert bool(finding.remedy) is not well


def test_a_token_about_to_end_is_told(tmp_path: Path) -> None:
    """Prometheus goes blind when its token ends: a week before, the doctor says so."""
    private, _ = ensure_key_pair(tmp_path)
    token = Issuer(private).issue(subject="prometheus", role="service", seconds=10 * 86_400)
    now = datetime.now(UTC)
    assert token_finding(token, now).well
    assert not token_finding(token, now + timedelta(days=5)).well
    assert token_finding(token, now + timedelta(days=12)).found == "is void"
    operators = Issuer(private).issue(subject="prometheus", role="operator", seconds=10 * 86_400)
    assert not token_finding(operators, now).well


def test_both_tokens_are_looked_at_where_they_lie(tmp_path: Path) -> None:
    """Without its token Alertmanager proposes in vain, and nobody hears of it; in a named folder both have to be there."""
    private, _ = ensure_key_pair(tmp_path / "keys")
    folder, now = tmp_path / "tokens", datetime.now(UTC)
    folder.mkdir()
    assert tokens_findings(folder, now, expected=False) == []
    assert [each.well for each in tokens_findings(folder, now, expected=True)] == [False, False]
    for name in ("scrape-token", "control-room-token"):
        (folder / name).write_text(Issuer(private).issue(subject=name, role="service", seconds=10 * 86_400))
    assert all(each.well for each in tokens_findings(folder, now, expected=False))
    (folder / "control-room-token").write_text("rubbish")
    (bad,) = (each for each in tokens_findings(folder, now, expected=False) if not each.well)
    assert bad.what == "control room token"
    assert "opsfloor token alertmanager" in bad.remedy


def test_a_floor_without_anything_is_told_line_by_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither broker nor database: the doctor goes on looking, names both, and exits with 1."""
    home = tmp_path / "floor"
    monkeypatch.setenv("OPSFLOOR_HOME", str(home))
    monkeypatch.setenv("OPSFLOOR_KAFKA", "127.0.0.1:1")
    monkeypatch.setenv("OPSFLOOR_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    done = CliRunner().invoke(app, ["doctor", "--json"])
    found = {finding["what"]: finding for finding in json.loads(done.stdout)}
    assert done.exit_code == 1
    assert not any(found[what]["well"] for what in ("broker", "topics", "database"))
    assert all(found[what]["well"] for what in ("object store", "disk", "keys"))
    assert not home.exists(), "a look makes nothing"


async def test_a_folder_of_images_that_is_gone_is_no_folder_yet(tmp_path: Path) -> None:
    """What lay in it is waited for: no service makes it anew, and the doctor says what does help."""
    settings = Settings(kafka="127.0.0.1:1", database_url="postgresql://nobody@127.0.0.1:1/none", home=tmp_path)
    scan = io.BytesIO()
    Image.new("L", (40, 30)).save(scan, "PNG")
    await ImageStore.from_url(settings.images_url).put(scan.getvalue())
    (tmp_path / "images").rename(tmp_path / "elsewhere")
    (gone,) = [each for each in await examine(settings) if each.what == "object store"]
    assert (gone.well, "it is gone" in gone.found, "put the folder back" in gone.remedy) == (False, True, True)
    assert not (tmp_path / "images").exists()
    (tmp_path / "elsewhere").rename(tmp_path / "images")
    (back,) = [each for each in await examine(settings) if each.what == "object store"]
    assert back.well


def test_settings_that_are_others_are_told_with_what_was_expected() -> None:
    """A topic that keeps its records for a minute loses them before anybody has read them."""
    finding = topics_finding(ALL, ["intake.case.v1: retention.ms '60000', expected '-1'"])
    assert not finding.well
    assert "retention.ms '60000'" in finding.found
    assert "alter" in finding.remedy


def test_the_topics_that_differ_are_named_and_not_the_others() -> None:
    """Whether they have fewer partitions than the rest or more."""
    odd = {"routing.load.v1": 4, "vendor.score.v1.dlq": 9}
    found = topics_finding({**ALL, **odd}).found
    assert (
        found == f"unequal partitions: routing.load.v1: 4, vendor.score.v1.dlq: 9 (2); the other {len(ALL) - 2} have 8"
    )


@pytest.mark.parametrize(
    ("name", "value", "what", "remedy"),
    [
        ("OPSFLOOR_KAFKA", "localhost:abc", "broker", "OPSFLOOR_KAFKA"),
        ("OPSFLOOR_DATABASE_URL", "postgresql://floor:abc/none", "database", "OPSFLOOR_DATABASE_URL"),
        ("OPSFLOOR_DATABASE_URL", "nonsense", "database", "OPSFLOOR_DATABASE_URL"),
        ("OPSFLOOR_IMAGES", "nonsense", "object store", "OPSFLOOR_IMAGES"),
        ("OPSFLOOR_IMAGES", "ftp://x", "object store", "OPSFLOOR_IMAGES"),
        ("OPSFLOOR_IMAGES", "s3://images", "object store", "OPSFLOOR_IMAGES"),
        ("OPSFLOOR_IMAGES", "file:///proc/nothing", "object store", "OPSFLOOR_IMAGES"),
    ],
)
def test_an_address_that_is_none_or_where_nobody_answers_is_a_finding(
    name: str, value: str, what: str, remedy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one line, with the variable to set; every other look is still made."""
    monkeypatch.setenv("OPSFLOOR_HOME", str(tmp_path))
    monkeypatch.setenv("OPSFLOOR_KAFKA", "127.0.0.1:1")
    monkeypatch.setenv("OPSFLOOR_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    monkeypatch.setenv("AWS_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
    monkeypatch.setenv(name, value)
    found = {finding["what"]: finding for finding in json.loads(CliRunner().invoke(app, ["doctor", "--json"]).stdout)}
    assert not found[what]["well"]
    assert remedy in found[what]["remedy"]
    assert "\n" not in found[what]["found"]
    assert len(found[what]["found"]) < 300
    assert {"broker", "topics", "database", "object store", "disk", "keys"} <= set(found)


def test_a_librarys_inside_is_left_out() -> None:
    """Pages of what a library thinks are nobody's help at night."""
    error = TransientError("Expected the image store to answer, found it away\n\nDebug source:\nGeneric {\n  url: x\n}")
    assert in_short(error) == "Expected the image store to answer, found it away"
    assert in_short(OSError()) == "OSError"
    assert in_short(ValueError("no port 'abc'")) == "no address: no port 'abc'"


async def test_a_receiver_of_spans_that_is_away_is_found_before_anybody_misses_them() -> None:
    """One that listens, one that is gone, and what is no address."""
    with receiving() as receiver:
        there = receiver.endpoint
        assert (await spans_finding(there)).well
    for endpoint in (there, "collector:4318", "http://", "http://127.0.0.1:port"):
        finding = await spans_finding(endpoint)
        assert not finding.well
        assert "OTEL_EXPORTER_OTLP_ENDPOINT" in finding.remedy


class Alive:
    """A service that is well."""

    def live(self) -> bool:
        return True

    def ready(self) -> tuple[bool, list[str]]:
        return True, []


async def test_a_service_that_goes_by_an_older_key_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The keys on disk are well, and nobody is let in with them: only whoever shows a token finds that out."""
    keys = tmp_path / "keys"
    monkeypatch.setenv("OPSFLOOR_HOME", str(tmp_path))
    settings = Settings(kafka="127.0.0.1:1", database_url="postgresql://nobody@127.0.0.1:1/none", home=tmp_path)
    ensure_key_pair(keys)
    server = HttpServer(build_app("audit", Verifier.from_folder(keys), [], Alive()), "127.0.0.1", 0)
    monkeypatch.setenv("OPSFLOOR_AUDIT_URL", f"http://127.0.0.1:{await server.start()}")
    monkeypatch.setenv("OPSFLOOR_VENDOR_URL", "http://127.0.0.1:1")  # of whom `opsfloor status` tells
    try:
        (finding,) = [each for each in await examine(settings) if each.what == "tokens"]
        assert finding.well
        assert "vendor" not in finding.found
        for name in (PRIVATE_NAME, PUBLIC_NAME):
            (keys / name).unlink()
        assert "tokens" not in {each.what for each in await examine(settings)}, "there is nothing to sign with"
        ensure_key_pair(keys)
        (finding,) = [each for each in await examine(settings) if each.what == "tokens"]
        assert not finding.well
        assert "audit http://127.0.0.1:" in finding.found
        assert "start each again" in finding.remedy
    finally:
        await server.stop()


def test_a_step_between_two_releases_is_not_told_as_one_for_afterwards() -> None:
    """After the roll-out it would be too late: the old release has to end before it."""
    left = frozenset(step.name for step in STEPS if step.when == "pre")
    assert "must have ended" in schema_finding("audit", left, STEPS).found
    left |= {step.name for step in STEPS if step.when == "stop"}
    assert "opsfloor migrate post" in schema_finding("audit", left, STEPS).found
