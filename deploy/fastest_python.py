"""Prints which Python of this machine `make venv` is to take: of the first one's version, the fastest on PATH.

Why:     a Python built without profile-guided optimisation, as version managers build it by default, is much slower at
         everything that the floor does than the distribution's own of the same version, and often stands first on PATH.
Holds:   needs the standard library alone, as it runs before there is an environment. Only one that can make environments counts;
         the first stays unless another is clearly faster, so that a busy machine does not draw lots.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

CLEARLY: Final = 0.85  # of the first one's time
ROUNDS: Final = 5  # in turn, as a machine is busier now and then
LOOP: Final = """
import ensurepip, sys, time, venv
if sys.version_info[:2] != ({major}, {minor}): sys.exit(1)
began, kept = time.process_time(), dict()
for number in range(400_000):
    kept[number & 1023] = str(number), len(kept)
print(time.process_time() - began, sys.base_prefix)
"""


def seconds(python: str) -> tuple[float, str] | None:
    """Processor time of a loop, and where this Python is installed; `None` when it is of another version or cannot make
    environments."""
    loop = LOOP.format(major=sys.version_info.major, minor=sys.version_info.minor)
    done = subprocess.run([python, "-c", loop], capture_output=True, text=True, check=False)
    if done.returncode:
        return None
    taken, _, where = done.stdout.strip().partition(" ")
    return float(taken), where


def on_path(first: str) -> Iterator[str]:
    """The first, and the Pythons of its name on PATH."""
    yield first
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        for name in ("python3", f"python{sys.version_info.major}.{sys.version_info.minor}"):
            file = Path(folder) / name
            if os.access(file, os.X_OK) and file.is_file():
                yield str(file)


def fastest(first: str) -> str:
    """The first, or another that is clearly faster."""
    least: dict[str, tuple[float, str]] = {}  # by where it is installed: several names may lead to one
    for python in on_path(first):
        found = seconds(python)
        if found is not None:
            least.setdefault(found[1], (found[0], python))
    for _ in range(ROUNDS - 1) if len(least) > 1 else ():
        for where, (taken, python) in least.items():
            again = seconds(python)
            least[where] = (taken if again is None else min(taken, again[0]), python)
    if first not in {python for _, python in least.values()}:
        return first
    mine = next(taken for taken, python in least.values() if python == first)
    best, python = min(least.values())
    return python if best < CLEARLY * mine else first


if __name__ == "__main__":
    print(fastest(sys.executable))
