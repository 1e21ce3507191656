"""Kafka's jars: a locked list with checksums, fetched once by jgo (a Maven resolver in Python)."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

from deploy.local import problems

KAFKA: Final = "4.3.1"
ASIDE: Final = ".fetching-"
LEFT_SECONDS: Final = 3_600.0  # after which a download is not under way any more
Progress = Callable[[int, int, str], None]
"""Called with how many are done, how many there are, and the current coordinate."""


@dataclass(frozen=True, slots=True)
class Jar:
    """One line of `jars.lock`."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def coordinate(self) -> str:
        return f"{self.group}:{self.artifact}:{self.version}"

    @property
    def file_name(self) -> str:
        return f"{self.artifact}-{self.version}.jar"


def locked() -> list[Jar]:
    """The jars of the lock, in order."""
    return list(_parse(files("deploy.local").joinpath("jars.lock").read_text()))


def _parse(text: str) -> Iterator[Jar]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        words = line.replace(":", " ").split()
        if len(words) != 4 or len(words[3]) != 64:
            raise ValueError(f"Expected «group:artifact:version sha256» in line {number} of jars.lock, found {line!r}")
        yield Jar(*words)


def nothing_to_tell(done: int, total: int, what: str) -> None:
    """For callers that show no progress."""


def ensure(folder: Path, tell: Progress = nothing_to_tell) -> Path:
    """Have every locked jar in the folder, each with the locked checksum. Returns the folder.

    Holds:   a jar appears under its name only when it is whole: it is fetched aside and then renamed.
    Errors:  `StackProblem` for a refused or broken download, another checksum, no room, no permission.
    """
    jars = locked()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _clear(folder)
        for done, jar in enumerate(jars):
            tell(done, len(jars), jar.coordinate)
            file = folder / jar.file_name
            if file.exists():
                _check(file, jar)
            else:
                _fetch(jar, folder)
        tell(len(jars), len(jars), "all there")
    except OSError as error:
        raise problems.from_os(error, folder) from error
    return folder


def _clear(folder: Path) -> None:
    """Take away what a download that was killed has left; another process may still be fetching."""
    for aside in folder.glob(f"{ASIDE}*"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - aside.stat().st_mtime > LEFT_SECONDS:
                shutil.rmtree(aside, ignore_errors=True)


def _check(file: Path, jar: Jar) -> None:
    found = hashlib.sha256(file.read_bytes()).hexdigest()
    if found != jar.sha256:
        raise problems.checksum_differs(file, jar.sha256, found)


def _fetch(jar: Jar, folder: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # jgo warns about folders that it does not need here
        from jgo.maven import MavenContext

    aside = Path(tempfile.mkdtemp(prefix=ASIDE, dir=folder))
    try:
        context = MavenContext(repo_cache=aside, timeout=60)
        whole = context.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve()
        _check(whole, jar)
        os.replace(whole, folder / jar.file_name)
    except (RuntimeError, ValueError) as error:
        raise problems.not_fetched(jar.coordinate, str(error)) from error
    except OSError as error:
        if error.errno is not None:  # the disk's; the network's come without a number
            raise
        raise problems.not_fetched(jar.coordinate, str(error)) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
