"""Reading the bank's reference data from YAML. Every fault is told at once, with its file, its place and its remedy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ValidationError

from shared.contracts.reference import (
    Branch,
    BusinessType,
    Centre,
    DrillEntry,
    FloorLimits,
    Operator,
    Provider,
    ReferenceEntry,
    RerouteDuty,
    RerouteRule,
    Shift,
    Team,
)
from shared.reference.rules import faults_by_key

NOUNS: Final[Mapping[str, type[ReferenceEntry]]] = {
    "business_types": BusinessType,
    "centres": Centre,
    "providers": Provider,
    "teams": Team,
    "operators": Operator,
    "branches": Branch,
    "limits": FloorLimits,
    "reroute_duties": RerouteDuty,
    "reroute_rules": RerouteRule,
    "drills": DrillEntry,
    "shifts": Shift,
}
"""What a file's top-level keys stand for."""


@dataclass(frozen=True, slots=True)
class Found:
    """One entry and where it stands, as `file:line`."""

    place: str
    entry: ReferenceEntry


class ReferenceErrors(Exception):
    """The reference data has faults; `faults` has one sentence for each."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__(f"Expected reference data without faults, found {len(faults)}:\n  " + "\n  ".join(faults))
        self.faults: Final = faults


def load(folder: Path) -> tuple[ReferenceEntry, ...]:
    """Read and check all `*.yaml` files of a folder.

    Errors:  `ReferenceErrors` with every fault found: unreadable YAML, a field that breaks its contract, a reference to
             nothing, a rule of control that the data would break.
    """
    found: list[Found] = []
    faults: list[str] = []
    files = sorted(folder.glob("*.yaml"))
    if not files:
        faults.append(f"{folder}: expected YAML files, found none; name the folder with the bank's reference data")
    for file in files:
        for one in _read(file):
            if isinstance(one, str):
                faults.append(one)
            else:
                found.append(one)
    if not faults:
        places = {one.entry.key: one.place for one in found}
        faults += [f"{places[key]}: {fault}" for key, fault in faults_by_key(one.entry for one in found)]
    if faults:
        raise ReferenceErrors(faults)
    return tuple(one.entry for one in found)


def _read(file: Path) -> Iterator[Found | str]:
    try:
        loader = yaml.SafeLoader(file.read_text(encoding="utf-8"))
        root = loader.get_single_node()
        content = None if root is None else loader.construct_document(root)
    except (OSError, UnicodeDecodeError) as error:
        yield f"{file.name}: expected a readable UTF-8 file, found {error}"
        return
    except (yaml.YAMLError, ValueError) as error:  # a date that no calendar has is a ValueError
        yield f"{file.name}: expected YAML, found {str(error).replace(chr(10), ' ')}"
        return
    except RecursionError:
        yield f"{file.name}: expected lists and entries a few levels deep, found them nested without end"
        return
    if root is None or not isinstance(content, dict):
        yield f"{file.name}: expected {', '.join(NOUNS)} at the top level, found {type(content).__name__}"
        return
    yield from _doubled(file, root)
    for noun, rows in content.items():
        place = f"{file.name}:{_line(root, (noun,))}"
        if noun not in NOUNS:
            yield f"{place}: expected one of {', '.join(NOUNS)}, found {noun!r}"
        elif not isinstance(rows, list):
            yield f"{place}: {noun}: expected a list of entries, found {type(rows).__name__}"
        else:
            for index, row in enumerate(rows):
                yield from _entry(file, root, noun, index, row)


def _entry(file: Path, root: yaml.Node, noun: str, index: int, row: Any) -> Iterator[Found | str]:
    name = row.get("id", f"entry {index + 1}") if isinstance(row, dict) else f"entry {index + 1}"
    contract = NOUNS[noun]

    def told(path: tuple[Any, ...], fault: str) -> str:
        line = _line(root, (noun, index, *path))
        return f"{file.name}:{line}: {'.'.join(str(step) for step in (noun, name, *path))}: {fault}"

    for key in row if isinstance(row, dict) else ():
        if key not in contract.model_fields:
            yield told((key,), f"no such field; the fields are {', '.join(sorted(contract.model_fields))}")
    try:
        entry = contract.model_validate(row)
    except ValidationError as error:
        for fault in error.errors():
            yield told(fault["loc"], f"{fault['msg']}, found {str(fault['input'])[:60]!r}")
        return
    for path, known in _unknown(row, entry.model_dump()):
        if len(path) > 1:
            yield told(path, f"no such field; the fields are {', '.join(sorted(known))}")
    yield Found(f"{file.name}:{_line(root, (noun, index))}", entry)


def _unknown(row: Any, read: Any) -> Iterator[tuple[tuple[Any, ...], Mapping[str, Any]]]:
    """Where the row says what no contract reads, at any depth, and what may stand there."""
    if isinstance(row, dict) and isinstance(read, dict):
        for key, value in row.items():
            if key not in read:
                yield (key,), read
            for path, known in _unknown(value, read.get(key)):
                yield (key, *path), known
    elif isinstance(row, list) and isinstance(read, tuple):
        for index, (value, other) in enumerate(zip(row, read, strict=True)):
            for path, known in _unknown(value, other):
                yield (index, *path), known


def _doubled(file: Path, node: yaml.Node) -> Iterator[str]:
    """Keys that stand twice in one mapping: YAML would silently keep the last."""
    if isinstance(node, yaml.MappingNode):
        keys = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for name, count in Counter(key.value for key in keys).items():
            if count > 1:
                last = [key for key in keys if key.value == name][-1]
                yield f"{file.name}:{last.start_mark.line + 1}: {name!r} stands {count} times in one entry; keep one"
        for _, value in node.value:
            yield from _doubled(file, value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _doubled(file, value)


def _line(node: yaml.Node, path: tuple[Any, ...]) -> int:
    """The line of what the path leads to, or of the last step of it that is there."""
    if path and isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == path[0]:
                return _line(value, path[1:]) if path[1:] else int(key.start_mark.line) + 1
    if path and isinstance(node, yaml.SequenceNode) and isinstance(path[0], int) and path[0] < len(node.value):
        return _line(node.value[path[0]], path[1:])
    return int(node.start_mark.line) + 1
