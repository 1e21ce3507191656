"""What the many readers of a run decode: each body once, since messages are frozen and may be shared."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest

from shared.contracts.message import Message

KNOWN_MAX: Final = 20_000  # messages: more than a simulated day has


@contextmanager
def decoded_once() -> Iterator[None]:
    """Meanwhile a body that was decoded into a contract is not decoded into it again: readers get the same message.

    Why:     processors, boards, people and judges of a simulated day read the same few thousand bodies some eight times;
             whoever waits for something on a real floor looks through the same topics several times a second.
    """
    known: dict[tuple[type[Any], bytes], Any] = {}

    def remembered(contract: type[Any], body: bytes) -> Any:
        found = known.get((contract, body))
        if found is None:
            if len(known) == KNOWN_MAX:
                known.clear()
            found = known[contract, body] = contract.model_validate_json(body)
        return found

    with pytest.MonkeyPatch.context() as changing:
        changing.setattr(Message, "from_json", classmethod(remembered))
        yield
