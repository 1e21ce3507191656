"""The image: what goes into it, and that it runs as nobody in particular on a file system that it cannot write."""

from __future__ import annotations

import re

from deploy.container.image_lock import LEFT_OUT, image_lock, packages
from tests.unit.deploy.promised import DEPLOY, PORT, REGISTRY, ROOT

FILE = (DEPLOY / "container" / "Containerfile").read_text()
LOCK = (ROOT / "requirements.lock").read_text()
IMAGE_LOCK = image_lock((ROOT / "pyproject.toml").read_text(), LOCK)
STEPS = [line for line in FILE.splitlines() if re.match(r"^[A-Z]+ ", line)]


def test_every_package_of_the_image_is_pinned_by_hash() -> None:
    """As in the lock, line by line; and the image is installed with hashes required."""
    assert set(IMAGE_LOCK.splitlines()) <= set(LOCK.splitlines())
    for name, pinned in packages(IMAGE_LOCK).items():
        assert any("--hash=sha256:" in line for line in pinned.lines), name
    assert "--require-hashes -r image.lock" in FILE


def test_the_image_has_what_services_import_and_no_tools() -> None:
    """Their libraries and what those need; neither a broker of its own, nor a linter, nor a browser."""
    names = set(packages(IMAGE_LOCK))
    assert {"aiokafka", "asyncpg", "fastapi", "starlette", "pydantic-core", "setuptools"} <= names
    assert not names & (LEFT_OUT | {"pytest", "mypy", "ruff", "playwright", "hypothesis", "uv"})


def test_the_graph_of_the_lock_is_followed() -> None:
    """What a wanted package asks for comes along, however far; what only another asks for does not."""
    via = {"a": "opsfloor (pyproject.toml)", "b": "\n    #   a\n    #   x", "c": "b", "x": "nobody", "d": "x"}
    lock = "".join(f"{name}==1\n    # via {by}\n" for name, by in via.items()) + "setuptools==1\n"
    project = '[project]\ndependencies = ["a>=1"]\n'
    assert set(packages(image_lock(project, lock))) == {"a", "b", "c", "setuptools"}


def test_base_images_are_arguments() -> None:
    """A release pins them by digest and a bank takes them from its own registry: no registry stands in the file."""
    assert {line.split()[1] for line in STEPS if line.startswith("FROM")} == {"${PYTHON_IMAGE}"}
    assert not REGISTRY.search(FILE)


def test_the_image_runs_as_a_numbered_user_without_a_shell() -> None:
    """The last USER is a number, so that a cluster can see that it is not root, and nothing runs after it as root."""
    users = [line for line in STEPS if line.startswith("USER")]
    assert users == ["USER 10001:10001"]
    assert not [line for line in STEPS[STEPS.index(users[0]) :] if line.startswith(("RUN", "COPY", "ADD"))]
    assert "/usr/sbin/nologin" in FILE


def test_the_image_says_how_it_is() -> None:
    """A health check on the port that it exposes; it is stopped by the signal that drains."""
    assert f"EXPOSE {PORT}" in FILE
    assert f"127.0.0.1:{PORT}/health" in FILE
    assert "STOPSIGNAL SIGTERM" in FILE


def test_all_that_is_copied_is_there() -> None:
    """Names of folders change; the file must follow."""
    for line in STEPS:
        if line.startswith("COPY") and "--from" not in line:
            assert [source for source in line.split()[1:-1] if not (ROOT / source).exists()] == []
