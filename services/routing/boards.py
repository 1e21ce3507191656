"""The boards that routing reads: what the bank allows, and how full the desks are."""

from __future__ import annotations

from typing import Final

from shared.contracts.message import Message
from shared.contracts.routing import LOAD, LoadSnapshot
from shared.runtime.processor import BoardSpec
from shared.standing import STANDING_BOARD

LoadView = dict[str, LoadSnapshot]  # by team; always a little stale


def fold_load(view: LoadView, key: str, message: Message | None) -> None:
    """Take one record of the load topic into the view; an older version of a desk's load changes nothing."""
    if message is None:
        view.pop(key, None)
        return
    if isinstance(message, LoadSnapshot):
        known = view.get(message.team_id)
        if known is None or known.version < message.version:
            view[message.team_id] = message


def _no_load() -> LoadView:
    return {}


LOAD_BOARD: Final = BoardSpec("load", LOAD, _no_load, fold_load)

__all__ = ["LOAD_BOARD", "STANDING_BOARD", "LoadView", "fold_load"]
