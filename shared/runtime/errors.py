"""What the shell does with an error stands in the error's class."""

from __future__ import annotations


class TransientError(Exception):
    """A dependency is away. The shell tries again with backoff; the offset does not move."""


class ContractError(Exception):
    """A record breaks its contract. The shell parks it in the dead letters, in the same transaction."""


class InvariantError(Exception):
    """The impossible has happened. The shell stops the process before it reads on."""


class RecordLostError(InvariantError):
    """A record that was due is not in the log any more. Counted as a gap."""


def in_words(error: BaseException) -> str:
    """What an error of a library says, for a sentence of ours: its type, and its text where it has one.

    Why:     a `TimeoutError` has no text, and «found » with nothing behind it helps nobody.
    """
    kind, text = type(error).__name__, str(error)
    return text if text.startswith(kind) else f"{kind}: {text}".removesuffix(": ")
