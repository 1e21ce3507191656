"""Facts made of parts that have been checked already, so that they need not be checked again, and written out in parts
that many of them share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Generic, ParamSpec, TypeVar, cast

from pydantic import BaseModel

from shared.contracts.message import Part

P = ParamSpec("P")
W = TypeVar("W")
M = TypeVar("M", bound=Part)

_given, _named, _extra, _private = (
    vars(BaseModel)[slot].__set__
    for slot in ("__dict__", "__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__")
)


def teller(form: Callable[P, M]) -> Callable[P, M]:
    """How the contract's records are made of what came from other records, the reference data and the clock.

    Holds:   what is made is what the contract itself would make of the same, byte for byte, if that is valid: nothing is
             checked and nothing converted, so that a whole number for a float stays one. Every reader checks what it
             reads. All fields count as given.
    Why:     checking took as long as deciding: half of a record's making goes into ids that were checked when they came.
    """
    contract = cast(Any, form)
    blank: dict[str, Any] = {name: field.default for name, field in contract.model_fields.items()}
    names, new = set(blank), contract.__new__

    def told(*args: P.args, **fields: P.kwargs) -> M:
        made: M = new(contract)
        _given(made, {**blank, **fields})
        _named(made, names)
        _extra(made, None)
        _private(made, None)
        return made

    return told


def retold(part: M, **changes: Any) -> M:
    """The part with some fields changed, as `model_copy` gives it, in a third of the time. Changes are not checked either."""
    contract = cast(Any, type(part))
    made: M = contract.__new__(contract)
    _given(made, {**part.__dict__, **changes})
    named = part.__pydantic_fields_set__
    _named(made, named if changes.keys() <= named else named | changes.keys())
    _extra(made, None)
    _private(made, None)
    return made


class WrittenOnce(Generic[W]):
    """What was written out of some objects, for whatever else is made of the same ones.

    Holds:   the same objects, not equal ones: instants may be equal and read differently. Who is kept here is not
             collected, so that nothing else has its id; beyond `most` all are forgotten.
    """

    def __init__(self, most: int) -> None:
        self._most: Final = most
        self._known: Final[dict[tuple[int, ...], tuple[tuple[object, ...], W]]] = {}

    def of(self, objects: tuple[object, ...], write: Callable[[], W]) -> W:
        """As written before of these very objects, or now."""
        ids = tuple(map(id, objects))
        known = self._known.get(ids)
        if known is None:
            if len(self._known) == self._most:
                self._known.clear()
            known = self._known[ids] = objects, write()
        return known[1]
