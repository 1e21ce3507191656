"""Reading the bank's reference data from YAML. Every fault is told at once, with its file, its place and its remedy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ValidationError

from shared.contracts.reference import (
    Branch,
    BusinessType,
    Centre,
    FloorLimits,
    Operator,
    Provider,
    ReferenceEntry,
    Team,
)
from shared.reference.rules import faults_of

NOUNS: Final[Mapping[str, type[ReferenceEntry]]] = {
    "business_types": BusinessType,
    "centres": Centre,
    "providers": Provider,
    "teams": Team,
    "operators": Operator,
    "branches": Branch,
    "limits": FloorLimits,
}
"""What a file's top-level keys stand for."""


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
    entries: list[ReferenceEntry] = []
    faults: list[str] = []
    files = sorted(folder.glob("*.yaml"))
    if not files:
        faults.append(f"{folder}: expected YAML files, found none; name the folder with the bank's reference data")
    for file in files:
        for found in _read(file):
            if isinstance(found, str):
                faults.append(found)
            else:
                entries.append(found)
    if not faults:
        faults += faults_of(entries)
    if faults:
        raise ReferenceErrors(faults)
    return tuple(entries)


def _read(file: Path) -> Iterator[ReferenceEntry | str]:
    try:
        content = yaml.safe_load(file.read_text())
    except yaml.YAMLError as error:
        yield f"{file.name}: expected YAML, found {str(error).replace(chr(10), ' ')}"
        return
    if not isinstance(content, dict):
        yield f"{file.name}: expected {', '.join(NOUNS)} at the top level, found {type(content).__name__}"
        return
    for noun, rows in content.items():
        if noun not in NOUNS:
            yield f"{file.name}: expected one of {', '.join(NOUNS)}, found {noun!r}"
        elif not isinstance(rows, list):
            yield f"{file.name}: {noun}: expected a list of entries, found {type(rows).__name__}"
        else:
            for index, row in enumerate(rows):
                yield from _entry(file, noun, index, row)


def _entry(file: Path, noun: str, index: int, row: Any) -> Iterator[ReferenceEntry | str]:
    name = row.get("id", f"entry {index + 1}") if isinstance(row, dict) else f"entry {index + 1}"
    contract = NOUNS[noun]
    unknown = set(row) - set(contract.model_fields) if isinstance(row, dict) else set()
    for key in sorted(unknown):
        yield f"{file.name}: {noun}.{name}.{key}: no such field; the fields are {', '.join(sorted(contract.model_fields))}"
    try:
        yield contract.model_validate(row)
    except ValidationError as error:
        for fault in error.errors():
            place = ".".join(str(step) for step in fault["loc"])
            yield f"{file.name}: {noun}.{name}.{place}: {fault['msg']}, found {str(fault['input'])[:60]!r}"
