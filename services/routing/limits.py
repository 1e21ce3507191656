"""What shares of all work contracts promise and the bank allows: the one place that reads them off the reference data.

The balancer plans within them (`balancer/programme.py`), the preview of a reroute says which of them it would break.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, get_args

from shared.contracts.reference import Team
from shared.contracts.reroute import LimitKind
from shared.reference.board import ReferenceView

DUST: Final = 1e-6  # what rounding alone makes of a share
IN_ORDER: Final[tuple[LimitKind, ...]] = get_args(LimitKind)


@dataclass(frozen=True, slots=True)
class ShareLimit:
    """One bound on the share of all work, counted in items, that a provider or a centre has. Units: 0 to 1."""

    kind: LimitKind
    name: str
    bound: float

    def broken_by(self, share: float) -> bool:
        """The share lies outside. Holds: what rounding alone makes is no breach."""
        return share < self.bound - DUST if self.kind == "provider_minimum" else share > self.bound + DUST

    def counts(self, team: Team) -> bool:
        """What the team does counts to this limit."""
        return self.name == (team.centre_id if self.kind == "centre_maximum" else team.provider_id)


def share_limits(reference: ReferenceView) -> tuple[ShareLimit, ...]:
    """Every limit: what providers are promised, what they may have at most, what centres may carry at most; by name."""
    found = (*_of_providers(reference), *_of_centres(reference))
    return tuple(sorted(found, key=lambda limit: (IN_ORDER.index(limit.kind), limit.name)))


def _of_providers(reference: ReferenceView) -> Iterator[ShareLimit]:
    for provider in reference.providers.values():
        if provider.share_minimum is not None:
            yield ShareLimit("provider_minimum", provider.id, provider.share_minimum)
        if provider.share_maximum is not None:
            yield ShareLimit("provider_maximum", provider.id, provider.share_maximum)


def _of_centres(reference: ReferenceView) -> Iterator[ShareLimit]:
    for centre in reference.centres.values():
        if centre.share_maximum is not None:
            yield ShareLimit("centre_maximum", centre.id, centre.share_maximum)
