"""Data that is there and not whole, or a newer version's: the servers refuse it, and the remedy is told."""

from __future__ import annotations

import re
import shutil
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from deploy.local import Stack, StackProblem
from deploy.local.kafka import METADATA
from tests.conftest import open_folder


@pytest.fixture(scope="module")
def whole() -> Iterator[Path]:
    """A stack that was up once, and is down."""
    with open_folder() as folder:
        stack = Stack(folder, owned=True)
        try:
            stack.up()
        finally:
            stack.down()
        yield folder


@pytest.fixture
def copied(whole: Path) -> Iterator[Path]:
    """A copy of it, to be broken."""
    with open_folder() as folder:
        for name in ("kafka", "postgres"):
            shutil.copytree(whole / name, folder / name, symlinks=True)
            _give_as(whole / name, folder / name)
        yield folder


def _give_as(model: Path, copy: Path) -> None:
    for each in (model, *model.rglob("*")):
        owner = each.lstat()
        shutil.chown(copy / each.relative_to(model), owner.st_uid, owner.st_gid)


def _removed(*names: str) -> Callable[[Path], None]:
    def break_it(folder: Path) -> None:
        for name in names:
            shutil.rmtree(folder / name)

    return break_it


def _without_own_database(folder: Path) -> None:
    own = max(int(each.name) for each in (folder / "postgres" / "data" / "base").iterdir())
    shutil.rmtree(folder / "postgres" / "data" / "base" / str(own))


def _of_another_folder(folder: Path) -> None:
    note = folder / "kafka" / "data" / "meta.properties"
    note.write_text(re.sub("directory.id=.*", "directory.id=AAAAAAAAAAAAAAAAAAAAAA", note.read_text()))


def _of_a_newer_broker(folder: Path) -> None:
    """A record of a metadata.version that this broker does not know, as a newer one writes when it is finalised."""
    log = folder / "kafka" / "data" / METADATA / "00000000000000000000.log"
    batches, at = log.read_bytes(), 0
    after, epoch = 0, 0
    while at < len(batches):
        first, length, epoch = struct.unpack_from(">qii", batches, at)
        after = first + struct.unpack_from(">i", batches, at + 23)[0] + 1
        at += 12 + length
    name, feature_level = b"metadata.version", 12
    record = bytes((1, feature_level, 0, len(name) + 1)) + name + struct.pack(">h", 9_999) + b"\0"
    builder = DefaultRecordBatchBuilder(2, 0, False, -1, -1, -1, 100_000)
    builder.append(0, 1_790_000_000_000, None, record, [])
    batch = builder.build()
    struct.pack_into(">q", batch, 0, after)
    struct.pack_into(">i", batch, 12, epoch)
    log.write_bytes(batches + batch)


@pytest.mark.parametrize(
    ("server", "break_it", "found", "remedy"),
    [
        ("kafka", _of_a_newer_broker, "that of another version", "start the version that it is of"),
        ("kafka", _of_another_folder, "directory ID", "`mv {folder}/kafka {folder}/kafka.torn`"),
        ("postgres", _removed("postgres/data/base/5"), "base/5", "`mv {folder}/postgres {folder}/postgres.torn`"),
        ("postgres", _without_own_database, "is missing", "`mv {folder}/postgres {folder}/postgres.torn`"),
        ("postgres", _removed("postgres/data/pg_wal"), "pg_wal", "`mv {folder}/postgres {folder}/postgres.torn`"),
    ],
)
def test_a_folder_that_a_server_refuses(
    copied: Path, server: str, break_it: Callable[[Path], None], found: str, remedy: str
) -> None:
    """The server's own words, and what to do; nothing is left running, and what is left of the data stays."""
    if Stack(copied)._database(Stack(copied)._new_state()).folder.parent != copied:
        pytest.skip("the database's data lies elsewhere: this checkout is closed to its user")
    break_it(copied)
    before = {each for each in (copied / server / "data").rglob("*") if each.is_dir()}
    stack = Stack(copied, owned=True)
    with pytest.raises(StackProblem, match=found) as problem:
        stack.up(broker=server == "kafka", database=server == "postgres")
    assert remedy.format(folder=copied) in problem.value.remedy
    assert not any("up," in str(word) for word in stack.status().values())
    assert before <= {each for each in (copied / server / "data").rglob("*") if each.is_dir()}


def test_the_remedy_helps(copied: Path) -> None:
    """With the torn folders moved aside, as told, both come up, and what was torn is still there."""
    _removed("postgres/data/base/5")(copied)
    stack = Stack(copied, owned=True)
    with pytest.raises(StackProblem, match="come up on its data"):
        stack.up(broker=False)
    (copied / "postgres").rename(copied / "postgres.torn")
    try:
        assert stack.up(broker=False).database_url
    finally:
        stack.down()
    assert (copied / "postgres.torn" / "data").exists()
