"""What a processor keeps of one entity: its journal tells a whole life, and that life gives the state that is stored."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from shared.contracts.message import Message
from shared.contracts.registry import CONTRACTS
from shared.proof.cases import Finding
from shared.runtime.errors import in_words
from shared.runtime.processor import Processor
from shared.runtime.recovery import IMPOSSIBLE

APART_MAX: Final = 3
SHOWN_MAX: Final = 120  # characters of a value


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a journal."""

    number: int
    kind: str
    body: str

    def fact(self) -> Message:
        """What it tells."""
        return CONTRACTS[self.kind].model_validate_json(self.body)


def judge_life(
    processor: Processor, key: str, entries: Sequence[Entry], rows: Mapping[str, bytes]
) -> Iterator[Finding]:
    """Whether the lines are numbered without a gap, and folding them from nothing gives the rows.

    Errors:  none: a line that cannot follow what came before it, or cannot be read, is a finding.
    """
    numbers = [entry.number for entry in entries]
    if numbers != list(range(1, len(entries) + 1)):
        yield Finding("journal", f"{processor.full_name} {key}: numbers {numbers}")
    state = processor.table.read(key, {})
    for entry in entries:
        try:
            state = processor.apply(state, entry.fact())
        except IMPOSSIBLE as error:
            yield Finding(
                "replay", f"{processor.full_name} {key}: line {entry.number} cannot follow: {in_words(error)}"
            )
            return
    folded = {part: json.loads(body) for part, body in processor.table.write(state).items() if body is not None}
    stored = {part: json.loads(body) for part, body in rows.items()}
    if folded != stored:
        yield Finding("replay", f"{processor.full_name} {key}: {'; '.join(_apart(folded, stored))}")


def _apart(folded: Mapping[str, Any], stored: Mapping[str, Any]) -> list[str]:
    """Where two states differ, the first few places of it, each cut to what a line can hold."""
    places = [
        (" ".join(filter(None, (part, name))), _fields(folded.get(part)).get(name), _fields(stored.get(part)).get(name))
        for part in sorted(folded.keys() | stored.keys())
        for name in sorted(_fields(folded.get(part)).keys() | _fields(stored.get(part)).keys())
    ]
    return [
        f"{place}: folded {str(ours)[:SHOWN_MAX]}, stored {str(theirs)[:SHOWN_MAX]}"
        for place, ours, theirs in places
        if ours != theirs
    ][:APART_MAX]


def _fields(body: Any) -> Mapping[str, Any]:
    return body if isinstance(body, dict) else {"": body}
