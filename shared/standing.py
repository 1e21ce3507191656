"""What the bank currently allows operators and providers to do, as every service sees it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from shared.contracts.message import Message
from shared.contracts.vendor import STANDING, OperatorStanding, ProviderStanding, Standing
from shared.runtime.processor import BoardSpec


@dataclass(slots=True)
class StandingView:
    """The last published standing of everybody whom supervision has judged.

    Holds:   somebody without a published standing has the `initial` one, which the caller reads from the reference
             data; only `fold_standing` moves the view, and counts `version` up.
    """

    operators: dict[str, OperatorStanding] = field(default_factory=dict)
    providers: dict[str, ProviderStanding] = field(default_factory=dict)
    version: int = field(default=0, compare=False)

    def operator(self, operator_id: str, initial: Standing) -> Standing:
        """What the operator may do now."""
        found = self.operators.get(operator_id)
        return initial if found is None else found.standing

    def provider(self, provider_id: str, initial: Standing) -> Standing:
        """What the provider may do now."""
        found = self.providers.get(provider_id)
        return initial if found is None else found.standing


def fold_standing(view: StandingView, key: str, message: Message | None) -> None:
    """Take one record of the standing topic into the view; a tombstone gives the initial standing back."""
    view.version += 1
    match message:
        case OperatorStanding():
            view.operators[message.operator_id] = message
        case ProviderStanding():
            view.providers[message.provider_id] = message
        case None:
            _forget(view, key)
        case _:
            return


def _forget(view: StandingView, key: str) -> None:
    noun, _, name = key.partition(":")
    if noun == "operator":
        view.operators.pop(name, None)
    elif noun == "provider":
        view.providers.pop(name, None)


STANDING_BOARD: Final = BoardSpec("standing", STANDING, StandingView, fold_standing)
