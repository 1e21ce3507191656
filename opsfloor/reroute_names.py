"""Whether what somebody types into a reroute's scope, or as a safety rule, is known to the floor."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from opsfloor import floor
from opsfloor.answers import Remedied
from opsfloor.reroute_words import NOUNS
from shared.reference.rules import STEPS

Names = Mapping[str, Sequence[Mapping[str, Any]]]
"""What routing answers: by part of the scope, each with its id."""


def expect_known(scope: Mapping[str, Sequence[str]], rules: Sequence[str] = ()) -> None:
    """Nothing happens when every name is known. Errors: `Remedied`, with names like the one that is not."""
    asked = {**scope, "rules": rules}
    if not any(asked.values()):
        return
    there = _names_there()
    for kind, values in asked.items():
        for value in values:
            _expect_one(NOUNS[kind], value, _known(there, kind))


def known_names(kind: str) -> list[str]:
    """What a part of the scope, or an override, may name. Errors: `Remedied` when no floor answers."""
    return _known(_names_there(), kind)


def _names_there() -> Names:
    names: Names = floor.ask("routing", "/reroute-names", "viewer")
    return names


def _known(there: Names, kind: str) -> list[str]:
    known = [str(entry["id"]) for entry in there[kind]]
    if kind == "work_types":
        known += [f"{entry['id']}/{step}" for entry in there["business_types"] for step in STEPS]
    return list(dict.fromkeys(known))


def _expect_one(noun: str, value: str, known: Collection[str]) -> None:
    if value in known:
        return
    near = get_close_matches(value, known) or sorted(known)[:9]
    raise Remedied(f"Expected a known {noun}, found {value!r}", f"for example {', '.join(near)}")
