"""Compose: a whole floor, each container with as little as it needs, each command one that is there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from opsfloor.floor import running
from tests.unit.deploy.promised import DEPLOY, HEALTHY, PORT, REGISTRY, RUNNABLE, SETTINGS, documents, refused

FOLDER = DEPLOY / "compose"
TEXT = (FOLDER / "compose.yaml").read_text()
FLOOR: dict[str, Any] = documents(FOLDER / "compose.yaml")[0]
CONTAINERS: dict[str, dict[str, Any]] = FLOOR["services"]
OWN = {name: each for name, each in CONTAINERS.items() if each["image"].startswith("${OPSFLOOR_IMAGE")}
EXAMPLE = dict(
    line.split("=", 1) for line in (FOLDER / ".env.example").read_text().splitlines() if line and line[0] != "#"
)


def test_the_whole_floor_is_there() -> None:
    """Broker, database, four services, and what watches them."""
    assert {"kafka", "postgres", "prometheus", "alertmanager", "grafana", *RUNNABLE} <= set(CONTAINERS)


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_container_has_as_little_as_it_needs(name: str) -> None:
    """No root, no capability, no new privileges; nothing to write but what is mounted, unless a reason stands there."""
    container = CONTAINERS[name]
    assert re.fullmatch(r"[1-9]\d*:\d+", container["user"])
    assert container["cap_drop"] == ["ALL"]
    assert container["security_opt"] == ["no-new-privileges:true"]
    assert container["read_only"] or name == "kafka"
    assert not container.get("privileged")


@pytest.mark.parametrize("name", CONTAINERS)
def test_an_image_is_named_by_a_variable_without_a_registry(name: str) -> None:
    """A bank takes images from its own registry, pinned by digest; the example file lists every variable."""
    found = re.fullmatch(r"\$\{(\w+):-([^}]+)\}", CONTAINERS[name]["image"])
    assert found
    assert EXAMPLE[found[1]] == found[2]
    assert not REGISTRY.search(TEXT)


def test_every_variable_stands_in_the_example() -> None:
    """Nothing has to be guessed; a password has no default."""
    asked = set(re.findall(r"\$\{(\w+)", TEXT))
    assert asked <= set(EXAMPLE)
    assert {name for name, value in EXAMPLE.items() if not value} == {"POSTGRES_PASSWORD", "GRAFANA_PASSWORD"}
    assert all(f"${{{name}:?" in TEXT for name in ("POSTGRES_PASSWORD", "GRAFANA_PASSWORD"))


@pytest.mark.parametrize("name", [name for name in OWN if name != "tokens"])
def test_a_command_is_one_of_the_command_line(name: str) -> None:
    """What a container runs, `opsfloor` has."""
    assert refused(OWN[name]["command"]) == ""


def test_the_tokens_are_made_by_commands_that_are_there() -> None:
    """Each line of the script that calls `opsfloor`."""
    lines = [
        line.split(" > ")[0].split() for line in OWN["tokens"]["command"][0].splitlines() if "opsfloor token" in line
    ]
    assert len(lines) == 2
    assert [refused(words[1:]) for words in lines] == ["", ""]


@pytest.mark.parametrize("name", OWN)
def test_a_setting_is_one_that_is_read(name: str) -> None:
    """A misspelt variable would be ignored in silence."""
    assert set(OWN[name]["environment"]) - SETTINGS == set()
    assert {"OPSFLOOR_KAFKA", "OPSFLOOR_DATABASE_URL"} <= set(OWN[name]["environment"])


@pytest.mark.parametrize("name", OWN)
def test_the_command_line_asks_each_service_at_its_own_container(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In every container, though all share a home and each service is process 1 of its own."""
    monkeypatch.setenv("OPSFLOOR_HOME", str(tmp_path))
    for variable, value in OWN[name]["environment"].items():
        if variable.endswith("_URL") and variable != "OPSFLOOR_DATABASE_URL":
            monkeypatch.setenv(variable, value)
    asked = {entry.service: entry.url for entry in running()}
    assert asked == {service: f"http://{service}:{PORT}" for service in RUNNABLE}


@pytest.mark.parametrize("name", RUNNABLE)
def test_a_service_is_asked_where_it_answers(name: str) -> None:
    """Its port, and a path that needs no token; it is given time to drain."""
    container = CONTAINERS[name]
    assert container["command"] == ["run", name, "--port", str(PORT)]
    asked = re.search(r"http://127\.0\.0\.1:(\d+)(/\w+)", container["healthcheck"]["test"][-1])
    assert asked
    assert (int(asked[1]), asked[2] in HEALTHY) == (PORT, True)
    assert all(mapping.endswith(f":{PORT}") for mapping in container.get("ports", []))
    assert container["stop_grace_period"] == "60s"


@pytest.mark.parametrize("name", CONTAINERS)
def test_whoever_is_waited_for_can_be(name: str) -> None:
    """A container that is waited for healthy has a health check, one that is waited for to end does not start again."""
    for other, how in CONTAINERS[name].get("depends_on", {}).items():
        if how["condition"] == "service_healthy":
            assert "test" in CONTAINERS[other]["healthcheck"]
        else:
            assert CONTAINERS[other]["restart"] == "no"


def test_what_is_mounted_is_there() -> None:
    """Files and folders of the repository, read-only; every volume is declared."""
    for name, container in CONTAINERS.items():
        for mount in container.get("volumes", []):
            source, _, rest = mount.partition(":")
            if source.startswith("."):
                assert (FOLDER / source).exists(), f"{name}: {source}"
                assert rest.endswith(":ro"), f"{name}: {source}"
            else:
                assert source in FLOOR["volumes"], f"{name}: {source}"


def test_ports_are_open_to_this_machine_only() -> None:
    """Whoever wants them elsewhere puts something before them that checks who asks."""
    for container in CONTAINERS.values():
        assert all(mapping.startswith("127.0.0.1:") for mapping in container.get("ports", []))


def test_prometheus_keeps_exemplars_here_as_on_a_newcomers_machine() -> None:
    """Without the flag it drops them in silence, and no figure leads to its trace."""
    flag = "--enable-feature=exemplar-storage"
    assert flag in CONTAINERS["prometheus"]["command"]
    assert flag in (DEPLOY / "local" / "watch.py").read_text()


def test_prometheus_finds_every_service_under_its_job() -> None:
    """The rules go by the job: it is the service's name, as in the local configuration."""
    scrape = documents(FOLDER / "prometheus.yaml")[0]["scrape_configs"][0]
    assert scrape["dns_sd_configs"][0]["names"] == list(RUNNABLE)
    assert scrape["dns_sd_configs"][0]["port"] == PORT
    assert scrape["relabel_configs"] == [{"source_labels": ["__meta_dns_name"], "target_label": "job"}]
    local = documents(DEPLOY / "prometheus" / "prometheus.yaml")[0]
    assert documents(FOLDER / "prometheus.yaml")[0]["rule_files"] == local["rule_files"]
