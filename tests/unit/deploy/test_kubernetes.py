"""The manifests: what they promise, and that Kubernetes' own schemas take them."""

from __future__ import annotations

from typing import Any

import kubernetes_validate
import pytest

from shared.http.keys import PUBLIC_NAME
from tests.unit.deploy.promised import DEPLOY, HEALTHY, PORT, REGISTRY, RUNNABLE, SERVICES, SETTINGS, documents, refused

FOLDER = DEPLOY / "kubernetes"
FILES = sorted(file for file in FOLDER.glob("*.yaml") if file.name != "kustomization.yaml")
ALL: list[dict[str, Any]] = [document for file in FILES for document in documents(file)]
SETS = {each["metadata"]["name"]: each for each in ALL if each["kind"] == "StatefulSet"}
JOBS = {each["metadata"]["name"]: each for each in ALL if each["kind"] == "Job"}
PLANNER = {each["metadata"]["name"]: each for each in ALL if each["kind"] == "Deployment"}
PODS = {name: each["spec"]["template"]["spec"] for name, each in {**SETS, **JOBS, **PLANNER}.items()}
CONFIG: dict[str, str] = next(each["data"] for each in ALL if each["kind"] == "ConfigMap")


def labels(name: str) -> dict[str, str]:
    """What marks a service's pods."""
    return {"app.kubernetes.io/part-of": "opsfloor", "app.kubernetes.io/name": name}


def test_every_service_and_every_step_is_there() -> None:
    """Four services; what comes before a roll-out, after it, and after a restore."""
    assert set(SETS) == set(SERVICES)
    assert {*SETS, *PLANNER} == set(RUNNABLE)
    assert set(JOBS) == {"migrate-pre", "reference", "migrate-post", "restore"}
    kept_out = {"after.yaml", "restore.yaml"}
    assert set(documents(FOLDER / "kustomization.yaml")[0]["resources"]) == {f.name for f in FILES} - kept_out


@pytest.mark.parametrize("name", PODS)
def test_a_pod_has_as_little_as_it_needs(name: str) -> None:
    """No root, nothing to write but what is mounted, no capability, no token of the cluster, bounded memory."""
    pod = PODS[name]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 10001
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert set(container["resources"]["requests"]) == {"cpu", "memory"}
        assert "memory" in container["resources"]["limits"]


@pytest.mark.parametrize("name", PODS)
def test_a_pod_runs_a_command_that_is_there(name: str) -> None:
    """What its arguments say, `opsfloor` has."""
    assert [refused(container["args"]) for container in PODS[name]["containers"]] == [""]


@pytest.mark.parametrize("name", PODS)
def test_a_pod_names_settings_that_are_read(name: str) -> None:
    """A misspelt variable would be ignored in silence; the database's address is a secret, by reference."""
    (container,) = PODS[name]["containers"]
    own = {each["name"]: each for each in container["env"]}
    assert (set(own) | set(CONFIG)) - SETTINGS == set()
    assert own["OPSFLOOR_DATABASE_URL"]["valueFrom"] == {"secretKeyRef": {"name": "opsfloor-database", "key": "url"}}
    assert {"configMapRef": {"name": "opsfloor"}} in container["envFrom"]


def test_no_secret_stands_in_a_file() -> None:
    """Secrets are named, never brought."""
    assert "Secret" not in {each["kind"] for each in ALL}
    assert "password" not in str(CONFIG).lower()


@pytest.mark.parametrize("name", PODS)
def test_every_mount_has_its_volume_and_the_home_can_be_written(name: str) -> None:
    """The home and the temporary folder are the pod's own and go with it."""
    (container,) = PODS[name]["containers"]
    mounts = {each["mountPath"]: each for each in container["volumeMounts"]}
    volumes = {each["name"]: each for each in PODS[name]["volumes"]}
    assert {each["name"] for each in mounts.values()} == set(volumes)
    for path in (CONFIG["OPSFLOOR_HOME"], "/tmp"):
        assert "emptyDir" in volumes[mounts[path]["name"]]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_keeps_its_shards_over_a_replacement(name: str) -> None:
    """Its membership is the pod's name, and a session outlasts a pod's replacement; two pods, replaced one by one."""
    (container,) = PODS[name]["containers"]
    (instance,) = [each for each in container["env"] if each["name"] == "OPSFLOOR_INSTANCE"]
    assert instance["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    assert float(CONFIG["OPSFLOOR_SESSION_TIMEOUT_SECONDS"]) >= 20
    assert SETS[name]["spec"]["replicas"] >= 2
    assert PODS[name]["terminationGracePeriodSeconds"] >= 30


@pytest.mark.parametrize("name", RUNNABLE)
def test_a_service_is_asked_where_it_answers(name: str) -> None:
    """Probes go to its port, on paths that need no token; it gets the public key alone."""
    (container,) = PODS[name]["containers"]
    assert container["args"] == ["run", name, "--port", str(PORT)]
    assert container["ports"] == [{"name": "http", "containerPort": PORT}]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        asked = container[probe]["httpGet"]
        assert asked["path"] in HEALTHY
        assert asked["port"] == "http"
    assert container["readinessProbe"]["httpGet"]["path"] == "/ready"
    assert container["livenessProbe"]["httpGet"]["path"] == "/health"
    secrets = {each["name"]: each["secret"] for each in PODS[name]["volumes"] if "secret" in each}
    assert secrets.keys() == {"token-key", "kafka"}
    assert secrets["token-key"]["items"] == [{"key": PUBLIC_NAME, "path": PUBLIC_NAME}]
    assert secrets["kafka"]["optional"], "a bus in the clear asks for none"


@pytest.mark.parametrize("name", SERVICES)
def test_selectors_find_the_pods(name: str) -> None:
    """Set, services and disruption budget of a service mean the same pods, and at most one goes at a time."""
    spec = SETS[name]["spec"]
    assert spec["selector"]["matchLabels"] == spec["template"]["metadata"]["labels"] == labels(name)
    faces = {each["metadata"]["name"]: each for each in ALL if each["kind"] == "Service"}
    assert faces[spec["serviceName"]]["spec"]["clusterIP"] == "None"
    for face in (name, spec["serviceName"]):
        assert faces[face]["spec"]["selector"] == labels(name)
        assert faces[face]["spec"]["ports"] == [{"name": "http", "port": PORT, "targetPort": "http"}]
    (budget,) = [e for e in ALL if e["kind"] == "PodDisruptionBudget" and e["metadata"]["name"] == name]
    assert budget["spec"] == {"maxUnavailable": 1, "selector": {"matchLabels": labels(name)}}


def test_nobody_talks_but_as_listed() -> None:
    """First nothing at all; then out to name service, broker, database, object store, receiver of spans, and in to the faces."""
    policies = {each["metadata"]["name"]: each["spec"] for each in ALL if each["kind"] == "NetworkPolicy"}
    assert policies["nothing"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    out = {port["port"] for rule in policies["to-what-the-floor-needs"]["egress"] for port in rule["ports"]}
    assert out == {53, 443, 4318, 5432, 9092}
    assert int(CONFIG["OPSFLOOR_KAFKA"].rpartition(":")[2]) in out
    faces = policies["to-the-http-faces"]
    assert faces["podSelector"]["matchExpressions"][0]["values"] == list(RUNNABLE)
    assert [port["port"] for rule in faces["ingress"] for port in rule["ports"]] == [PORT]


def test_everything_is_in_one_namespace_that_enforces_the_strictest_standard() -> None:
    """And no image names a registry: the kustomization does."""
    (space,) = [each for each in ALL if each["kind"] == "Namespace"]
    assert space["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert {each["metadata"]["namespace"] for each in ALL if each["kind"] != "Namespace"} == {"opsfloor"}
    assert {container["image"] for pod in PODS.values() for container in pod["containers"]} == {"opsfloor"}
    assert [
        file.name for file in FOLDER.glob("*") if file.is_file() and REGISTRY.search(image_lines(file.read_text()))
    ] == []


def image_lines(text: str) -> str:
    """The lines of a file that name an image."""
    return "\n".join(line for line in text.splitlines() if "image" in line or "newName" in line)


@pytest.mark.parametrize("version", ["1.29", "1.33", "1.37"])
def test_kubernetes_own_schemas_take_every_manifest(version: str) -> None:
    """Strictly: an unknown field, as a misspelt one, is refused."""
    for document in ALL:
        kubernetes_validate.validate(document, version, strict=True)


def test_a_misspelt_field_is_refused() -> None:
    """The schemas are looked at strictly."""
    wrong = next(document for document in ALL if document["kind"] == "Deployment") | {"speck": {}}
    with pytest.raises(kubernetes_validate.ValidationError, match="speck"):
        kubernetes_validate.validate(wrong, "1.37", strict=True)
