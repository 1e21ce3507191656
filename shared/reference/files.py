"""Reading the bank's reference data from YAML. Every fault is told at once, with its file, its place and its remedy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

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
from shared.yaml_document import Document, YamlUnfitError, read_document, unknown_keys

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


def load(folder: Path, now: datetime | None = None) -> tuple[ReferenceEntry, ...]:
    """Read and check all `*.yaml` files of a folder; `now` is there when they are about to hold.

    Errors:  `ReferenceErrors` with every fault found: unreadable YAML, a field that breaks its contract, a reference to
             nothing, a rule of control that the data would break.
    """
    found: list[Found] = []
    faults: list[str] = []
    files = sorted(folder.glob("*.yaml"))
    faults += [
        f"{one.name}: expected the ending .yaml, found .yml, which is not read; rename it"
        for one in sorted(folder.glob("*.yml"))
    ]
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
        faults += [f"{places[key]}: {fault}" for key, fault in faults_by_key((one.entry for one in found), now)]
    if faults:
        raise ReferenceErrors(faults)
    return tuple(one.entry for one in found)


def _read(file: Path) -> Iterator[Found | str]:
    try:
        document = read_document(file)
    except YamlUnfitError as error:
        yield from error.faults
        return
    if not isinstance(document.content, dict):
        yield f"{file.name}: expected {', '.join(NOUNS)} at the top level, found {type(document.content).__name__}"
        return
    yield from document.doubled()
    for noun, rows in document.content.items():
        if noun not in NOUNS:
            yield f"{document.place((noun,))}: expected one of {', '.join(NOUNS)}, found {noun!r}"
        elif not isinstance(rows, list):
            yield f"{document.place((noun,))}: {noun}: expected a list of entries, found {type(rows).__name__}"
        else:
            for index, row in enumerate(rows):
                yield from _entry(document, noun, index, row)


def _entry(document: Document, noun: str, index: int, row: Any) -> Iterator[Found | str]:
    contract = NOUNS[noun]

    def written(path: tuple[Any, ...]) -> str | None:
        return document.written((noun, index, *path))

    known = row.get("id") if isinstance(row, dict) else None
    name = known if isinstance(known, str) else written(("id",)) or f"entry {index + 1}"

    def told(path: tuple[Any, ...], fault: str) -> str:
        return f"{document.place((noun, index, *path))}: {'.'.join(str(step) for step in (noun, name, *path))}: {fault}"

    for key in row if isinstance(row, dict) else ():
        if key not in contract.model_fields:
            yield told((key,), f"no such field; the fields are {', '.join(sorted(contract.model_fields))}")
    try:
        entry = contract.model_validate(row)
    except ValidationError as error:
        for fault in error.errors():
            read_otherwise = fault["type"] == "string_type" and fault["input"] is not None
            word = written(fault["loc"]) if read_otherwise else None
            found = (
                f"{str(fault['input'])[:60]!r}" if word is None else f"{word[:60]!r} without quotes; put it in quotes"
            )
            yield told(fault["loc"], f"{fault['msg']}, found {found}")
        return
    for path, known in unknown_keys(row, entry.model_dump()):
        if len(path) > 1:
            yield told(path, f"no such field; the fields are {', '.join(sorted(known))}")
    yield Found(document.place((noun, index)), entry)
