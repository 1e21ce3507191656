"""`opsfloor status`: what the services' pages say stands under its own heading."""

from __future__ import annotations

import json
import os
from pathlib import Path
from socket import gethostname

import httpx
import pytest
import typer

from opsfloor import status
from opsfloor.floor import Running, running
from opsfloor.fuses import Fuse

PAGE = """# TYPE opsfloor_desk_queue_items gauge
opsfloor_desk_queue_items{step="entry",team="clearkey-one"} 7.0
opsfloor_desk_queue_items{team="north-entry",step="arbitration"} 2.0
opsfloor_desk_queue_items{step="review",team="north-control"} 0.0
# TYPE opsfloor_desk_oldest_seconds gauge
opsfloor_desk_oldest_seconds{team="clearkey-one",step="entry"} 61.25
"""


def test_queues_are_told_by_team_and_step_whatever_the_order_of_labels() -> None:
    """Prometheus's library writes labels by the alphabet, others as they like: names count, not places."""
    assert status._queues([status._samples(PAGE)]) == [
        {"team": "clearkey-one", "step": "entry", "waiting": 7, "oldest_seconds": 61.2},
        {"team": "north-entry", "step": "arbitration", "waiting": 2, "oldest_seconds": 0.0},
    ]


def test_the_page_that_knows_most_is_believed() -> None:
    """Each process of routing tells of all desks."""
    older = PAGE.replace(" 7.0", " 5.0")
    found = status._queues([status._samples(older), status._samples(PAGE), {}])
    assert [row["waiting"] for row in found] == [7, 2]


def test_what_waits_at_no_desk_is_told_with_its_reason() -> None:
    """Nobody is signed on, and seventeen items wait all the same."""
    page = """# TYPE opsfloor_unplaceable_items gauge
opsfloor_unplaceable_items{reason="nobody_present",business_type="cheque-deposit"} 17.0
opsfloor_unplaceable_items{reason="standing",business_type="cheque-deposit"} 0.0
# TYPE opsfloor_unplaceable_oldest_seconds gauge
opsfloor_unplaceable_oldest_seconds{business_type="cheque-deposit",reason="nobody_present"} 845.04
"""
    assert status._queues([status._samples(page)]) == [
        {"team": "none: nobody_present", "step": "cheque-deposit", "waiting": 17, "oldest_seconds": 845.0}
    ]


RELAXED = """# TYPE opsfloor_plan_bound_relaxed_ratio gauge
opsfloor_plan_bound_relaxed_ratio{reason="provider_minimum",bound="swiftkey"} 0.0407
opsfloor_plan_bound_relaxed_ratio{bound="north",reason="centre_maximum"} 0.1
"""


def test_what_the_plan_cannot_keep_is_told_with_how_much(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whose bound, which one, and by how much of all work; a floor whose bounds are all kept has no such table."""
    monkeypatch.setenv("OPSFLOOR_HOME", str(tmp_path))
    for name in ("INTAKE", "ROUTING", "VENDOR", "BALANCER", "AUDIT"):
        monkeypatch.setenv(f"OPSFLOOR_{name}_URL", "http://127.0.0.1:1")
    well = httpx.Response(200, json={"ready": True, "reasons": []})
    page = RELAXED
    monkeypatch.setattr(
        httpx, "get", lambda url, **_: well if url.endswith("ready") else httpx.Response(200, text=page)
    )
    status.status(json=True)
    assert json.loads(capsys.readouterr().out)["bounds_not_kept"] == [
        {"name": "north", "bound": "centre_maximum", "by": 0.1},
        {"name": "swiftkey", "bound": "provider_minimum", "by": 0.0407},
    ]
    status.status()
    told = " ".join(capsys.readouterr().out.split())
    assert "cannot keep" in told
    assert all(words in told for words in ("swiftkey", "provider minimum", "4.07%", "centre maximum", "10.00%"))
    page = ""
    status.status()
    assert "cannot keep" not in capsys.readouterr().out


def test_services_elsewhere_are_those_that_the_environment_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In a cluster there are no notes of processes: each service's addresses, with commas."""
    monkeypatch.setenv("OPSFLOOR_HOME", str(tmp_path))
    monkeypatch.setenv("OPSFLOOR_AUDIT_URL", "http://audit-0.audit:8080/, http://audit-1.audit:8080")
    assert running() == running("audit")
    assert [entry.url for entry in running("audit")] == ["http://audit-0.audit:8080", "http://audit-1.audit:8080"]
    assert running("routing") == []


def noted(host: str) -> str:
    """What a process with this one's number wrote down there."""
    return json.dumps({"service": "intake", "pid": os.getpid(), "url": "http://127.0.0.1:1", "host": host})


def test_a_note_of_another_machine_is_nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Containers that share a home: each service is process 1 there, and its address leads back to whoever asks."""
    monkeypatch.setenv("OPSFLOOR_HOME", str(tmp_path))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "intake-1.json").write_text(noted("elsewhere"))
    assert running() == []
    (tmp_path / "run" / "intake-1.json").write_text(noted(gethostname()))
    assert running() == [Running("intake", os.getpid(), "http://127.0.0.1:1")]


def test_a_note_that_was_cut_off_is_nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whoever asks while a service is starting, or after the disk was full, is told of the others."""
    monkeypatch.setenv("OPSFLOOR_HOME", str(tmp_path))
    (tmp_path / "run").mkdir()
    whole = noted(gethostname())
    for name, text in enumerate((whole, "", "[]", '{"pid": "x"}', whole.replace(str(os.getpid()), '"x"'))):
        (tmp_path / "run" / f"{name}.json").write_text(text)
    assert running() == [Running("intake", os.getpid(), "http://127.0.0.1:1")]


def test_shards_are_told_by_processor() -> None:
    """A processor's own counters beside it, in the order of names."""
    page = (
        'opsfloor_shard_owned{processor="placement"} 3.0\nopsfloor_shard_owned{processor="desk"} 2.0\n'
        'opsfloor_shard_lag_records{processor="desk"} 9.0\n'
    )
    rows = status._shards(Running("routing", 1, "http://127.0.0.1:1"), status._samples(page))
    assert [(row["processor"], row["owned"], row["lag_records"]) for row in rows] == [
        ("desk", 2, 9),
        ("placement", 3, 0),
    ]


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        (httpx.Response(200, json={"service": "audit", "ready": True, "reasons": []}), "yes"),
        (httpx.Response(503, json={"ready": False, "reasons": ["the database is away"]}), "NO: the database is away"),
        (httpx.Response(502, text="<html>"), "NO: its answer is none of this floor's"),
        (httpx.ConnectError("refused"), "NO: it does not answer"),
    ],
)
def test_what_a_service_cannot_do_is_shown(
    answer: httpx.Response | Exception, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the column where another would be ready."""

    def get(url: str, timeout: float) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(httpx, "get", get)
    assert status._told(status._service(Running("audit", 7, "http://127.0.0.1:1"), "audit-0", [])) == [
        "audit",
        "7",
        "http://127.0.0.1:1",
        "audit-0",
        shown,
    ]


def test_a_service_that_is_nowhere_has_a_row_and_a_bad_end(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first command of the night says what is missing, not only what is there."""
    monkeypatch.setenv("OPSFLOOR_HOME", str(tmp_path))
    for name in ("INTAKE", "ROUTING", "VENDOR", "BALANCER"):
        monkeypatch.setenv(f"OPSFLOOR_{name}_URL", "http://127.0.0.1:1")
    well = httpx.Response(200, json={"ready": True, "reasons": []})
    monkeypatch.setattr(httpx, "get", lambda url, **_: well if url.endswith("ready") else httpx.Response(200, text=""))
    with pytest.raises(typer.Exit) as ended:
        status.status(json=True)
    told = {row["service"]: row["ready"] for row in json.loads(capsys.readouterr().out)["services"]}
    assert (ended.value.exit_code, told.pop("audit"), set(told.values())) == (1, "NO", {"yes"})
    monkeypatch.setenv("OPSFLOOR_AUDIT_URL", "http://127.0.0.1:1")
    status.status(json=True)


def test_processes_with_one_name_are_not_ready_and_say_of_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """The group takes them for one member. Of another service, or without a name, nobody is meant."""
    page = '# TYPE opsfloor_service_info gauge\nopsfloor_service_info{service="x",version="1",member="%s"} 1.0\n'
    given = [
        ("audit", 7, "one"),
        ("audit", 8, "one"),
        ("audit", 9, "two"),
        ("intake", 10, "one"),
        *[("vendor", 1, "")] * 2,
    ]
    pages = [
        (Running(name, pid, f"http://127.0.0.1:{pid}"), status._samples(page % instance))
        for name, pid, instance in given
    ]
    well = httpx.Response(200, json={"ready": True, "reasons": []})
    monkeypatch.setattr(httpx, "get", lambda url, **_: well)
    rows = status._services(pages, {})
    assert [row["instance"] for row in rows] == ["one", "one", "two", "one", "", ""]
    assert [row["ready"] for row in rows] == ["NO", "NO", "yes", "yes", "yes", "yes"]
    assert rows[0]["reasons"] == ["8 has the same OPSFLOOR_INSTANCE: they take each other's shards, stop one"]
    assert status._service(Running("audit", None, "http://a"), "one", [Running("audit", None, "http://b")])[
        "reasons"
    ] == ["http://b has the same OPSFLOOR_INSTANCE: they take each other's shards, stop one"]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (
            httpx.Response(401, json={"code": "token_wrong_signature", "detail": "Expected a token"}),
            status.OTHER_KEY,
        ),
        (httpx.Response(404, text="<html>"), f"{status.NO_FIGURES}: it answered 404"),
        (httpx.Response(200, text="<html>hi</html>"), status.NO_FIGURES),
        (
            httpx.Response(
                200, text="# TYPE opsfloor_board_refused_records gauge\nopsfloor_board_refused_records 2.0\n"
            ),
            "its boards refuse 2 records: docs/runbook/BoardRefusesRecords.md",
        ),
    ],
)
def test_why_a_process_tells_no_figures_or_the_wrong_ones_stands_in_its_row(
    answer: httpx.Response,
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """After a change of keys, behind a proxy, with a record that no board reads: one row each and no stack of calls."""
    monkeypatch.setenv("OPSFLOOR_HOME", str(tmp_path))
    for name in ("INTAKE", "ROUTING", "VENDOR", "BALANCER", "AUDIT"):
        monkeypatch.setenv(f"OPSFLOOR_{name}_URL", f"http://{name}")
    well = httpx.Response(200, json={"ready": True, "reasons": []})
    figures = httpx.Response(200, text="")

    def get(url: str, **_: object) -> httpx.Response:
        if url.endswith("ready"):
            return well
        return answer if "AUDIT" in url else figures

    monkeypatch.setattr(httpx, "get", get)
    with pytest.raises(typer.Exit) as ended:
        status.status(json=True)
    told = {row["service"]: row["reasons"] for row in json.loads(capsys.readouterr().out)["services"]}
    assert (ended.value.exit_code, told.pop("audit")) == (1, [reason])
    assert not any(told.values())


def test_a_blown_fuse_stands_in_the_row_of_its_service(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where, and what resets it; to start another process would not help. Whether one is there or none."""
    monkeypatch.setenv("OPSFLOOR_HOME", str(tmp_path))
    for name in ("AUDIT", "ROUTING", "VENDOR", "BALANCER"):
        monkeypatch.setenv(f"OPSFLOOR_{name}_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("OPSFLOOR_KAFKA", "127.0.0.1:1")
    monkeypatch.setenv("OPSFLOOR_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    well = httpx.Response(200, json={"ready": True, "reasons": []})
    monkeypatch.setattr(httpx, "get", lambda url, **_: well if url.endswith("ready") else httpx.Response(200, text=""))

    async def marked(_: str) -> list[Fuse]:
        return [
            Fuse("intake", "reception", "branch.submission.v1", 3, 25),
            Fuse("routing", "desk", "routing.command.v1", 0, 7),
        ]

    monkeypatch.setattr(status, "_marked", marked)
    with pytest.raises(typer.Exit):
        status.status(json=True)
    told = {row["service"]: row for row in json.loads(capsys.readouterr().out)["services"]}
    assert [name for name, row in told.items() if row["ready"] == "NO"] == ["routing", "intake"]
    ((intake,), (routing,)) = told["intake"]["reasons"], told["routing"]["reasons"]
    assert "branch.submission.v1[3] before offset 25" in intake
    assert "dlq reset-fuse intake/reception" in intake
    assert "dlq reset-fuse routing/desk" in routing
