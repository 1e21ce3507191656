"""Java's cache of Kafka's classes: whole or not there, and nothing depends on it."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from deploy.local import StackProblem, aot


def writes(folder: Path, file: Path) -> None:
    """A broker's life that leaves a cache."""
    assert folder.parent == file.parent, "both in one folder that is removed"
    file.write_bytes(b"classes")


def never(folder: Path, file: Path) -> None:
    """Nobody lives."""
    raise AssertionError(f"Expected no broker, found one in {folder} for {file}")


def test_made_once_and_then_used(tmp_path: Path) -> None:
    """Java hears of a cache from then on; what an earlier Kafka or Java left is removed, and nothing else stays behind."""
    old = tmp_path / "kafka-4.2.0-java-24.aot"
    old.write_bytes(b"older")
    told: list[str] = []
    assert aot.words(tmp_path) == []
    aot.ensure(tmp_path, writes, lambda: told.append("once"))
    aot.ensure(tmp_path, never, lambda: told.append("again"))
    assert (told, aot.words(tmp_path)[-1]) == (["once"], f"-XX:AOTCache={aot.file_of(tmp_path)}")
    assert {file.name for file in tmp_path.iterdir()} == {aot.file_of(tmp_path).name, ".preparing"}


def test_where_none_can_be_made_it_is_not_tried_again(tmp_path: Path) -> None:
    """A Java that writes none: a broker starts without, and the next one as well."""
    aot.ensure(tmp_path, lambda folder, file: None, lambda: None)
    aot.ensure(tmp_path, never, lambda: None)
    assert aot.words(tmp_path) == []


def test_a_broker_that_does_not_come_up_leaves_nothing(tmp_path: Path) -> None:
    """A port taken in between, a busy minute, no Java yet: that is the moment's matter, and the next start tries again."""

    def stuck(folder: Path, file: Path) -> None:
        raise StackProblem("Expected Kafka to start", "try again")

    with pytest.raises(StackProblem):
        aot.ensure(tmp_path, stuck, lambda: None)
    assert [file.name for file in tmp_path.iterdir()] == [".preparing"]


def test_of_several_at_once_one_makes_it(tmp_path: Path) -> None:
    """The others do not wait for it."""
    with (tmp_path / ".preparing").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        aot.ensure(tmp_path, never, lambda: None)
    assert not aot.file_of(tmp_path).exists()


def test_an_interrupted_one_leaves_nothing(tmp_path: Path) -> None:
    """Ctrl-C meanwhile: the next start makes it."""

    def interrupted(folder: Path, file: Path) -> None:
        file.write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        aot.ensure(tmp_path, interrupted, lambda: None)
    assert [file.name for file in tmp_path.iterdir()] == [".preparing"]


def test_a_folder_that_is_not_there_is_no_fault(tmp_path: Path) -> None:
    """Nor is one that cannot be written to, or a full disk: the start that follows tells what matters."""
    aot.ensure(tmp_path / "none", never, lambda: None)
    assert aot.words(tmp_path / "none") == []
