"""Prints which Python of this machine `make venv` is to take: of the first one's version, the fastest on PATH.

Why:     a Python built without profile-guided optimisation, as version managers build it by default, takes half as long again for
         everything that the floor does as the distribution's own of the same version, and often stands first on PATH.
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
TIMES: Final = 3
LOOP: Final = """
import ensurepip, sys, time, venv
if sys.version_info[:2] != ({major}, {minor}): sys.exit(1)
began, kept = time.process_time(), dict()
for number in range(400_000):
    kept[number & 1023] = str(number), len(kept)
print(time.process_time() - began)
"""


def seconds(python: str) -> float | None:
    """Processor time of a loop, the least of a few; `None` when it is of another version or cannot make environments."""
    loop = LOOP.format(major=sys.version_info.major, minor=sys.version_info.minor)
    found: list[float] = []
    for _ in range(TIMES):
        done = subprocess.run([python, "-c", loop], capture_output=True, text=True, check=False)
        if done.returncode:
            return None
        found.append(float(done.stdout))
    return min(found)


def others(first: str) -> Iterator[str]:
    """The Pythons of the same version on PATH that are not this one, each once."""
    seen = {Path(first).resolve()}
    names = ("python3", f"python{sys.version_info.major}.{sys.version_info.minor}")
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        for name in names:
            file = Path(folder) / name
            if os.access(file, os.X_OK) and file.is_file() and file.resolve() not in seen:
                seen.add(file.resolve())
                yield str(file)


def fastest(first: str) -> str:
    """The first, or another that is clearly faster."""
    best, least = first, seconds(first)
    if least is None:
        return first
    for other in others(first):
        taken = seconds(other)
        if taken is not None and taken < CLEARLY * least:
            best, least = other, taken
    return best


if __name__ == "__main__":
    print(fastest(sys.executable))
