"""The compose file, read by compose's own loader: what `docker compose config` would say, without Docker."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

ROOT: Final = Path(__file__).parents[2]
COMPOSE: Final = ROOT / "deploy" / "compose"
LOADER: Final = ROOT / "tests" / "compose_config"
BUILD_SECONDS: Final = 280.0
QUICKLY_BUILT: Final = (
    "-gcflags=all=-N -l",
    "-ldflags=-s -w",
)  # it reads one file: to make it fast takes longer than that


@pytest.fixture(scope="module")
def loader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The loader, built from its pinned modules. Skips where there is no Go, or its modules cannot be had."""
    if shutil.which("go") is None:
        pytest.skip("Expected Go on PATH, which builds compose's own loader, found none")
    built = tmp_path_factory.mktemp("loader") / "composeconfig"
    words = ["go", "build", "-mod=readonly", *QUICKLY_BUILT, "-o", str(built), "."]
    env = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": ""}
    done = subprocess.run(
        words, cwd=LOADER, env=env, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False
    )
    if done.returncode:
        pytest.skip(f"Expected compose's own loader to be built, found {done.stderr[-300:]}")
    return built


def read(loader: Path, file: Path, environment: Path) -> subprocess.CompletedProcess[str]:
    """What the loader says. Holds: only the environment file gives values."""
    words = [str(loader), str(file), str(environment)]
    return subprocess.run(words, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False)


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """The example's values, with passwords."""
    file = tmp_path / "env"
    file.write_text((COMPOSE / ".env.example").read_text().replace("PASSWORD=\n", "PASSWORD=secret\n"))
    return file


def test_compose_takes_the_file(loader: Path, environment: Path) -> None:
    """Every service is there after anchors, variables and paths are worked out, and every file mounted is one that exists."""
    said = read(loader, COMPOSE / "compose.yaml", environment)
    assert said.returncode == 0, said.stderr
    found: dict[str, Any] = yaml.safe_load(said.stdout)
    assert set(found["services"]) == set(yaml.safe_load((COMPOSE / "compose.yaml").read_text())["services"])
    mounts = [mount for each in found["services"].values() for mount in each.get("volumes", [])]
    assert all(Path(mount["source"]).exists() for mount in mounts if mount["type"] == "bind")


def test_compose_refuses_a_floor_without_passwords(loader: Path) -> None:
    """The example as it stands is not enough, and the message says what is missing."""
    said = read(loader, COMPOSE / "compose.yaml", COMPOSE / ".env.example")
    assert said.returncode == 1
    assert "POSTGRES_PASSWORD is missing a value: set it in .env" in said.stderr


def test_a_misspelt_word_is_refused(loader: Path, environment: Path, tmp_path: Path) -> None:
    """The check can fail."""
    bad = tmp_path / "compose.yaml"
    bad.write_text((COMPOSE / "compose.yaml").read_text().replace("cap_drop:", "cap_dropp:"))
    said = read(loader, bad, environment)
    assert said.returncode == 1
    assert "cap_dropp" in said.stderr
