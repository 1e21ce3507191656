"""A service that starts holds its database against what its group has noted at the broker, while others may be at work."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest

from shared.runtime import host
from shared.runtime.errors import InvariantError
from shared.runtime.log import Place

PLACE: Place = ("a.fact.v1", 0)
PROCESSOR = SimpleNamespace(
    name="counting",
    service="bench",
    full_name="bench/counting",
    inputs=(SimpleNamespace(name=PLACE[0]),),
    table=SimpleNamespace(name="t"),
)


class Peer:
    """Another process at work: whenever somebody looks, it has committed one record more, and noted it, a moment later."""

    def __init__(self, behind: int = 0) -> None:
        self.committed = 9
        self._behind = behind  # of what is noted, as when the database was put back

    async def noted(self, bootstrap: str, group: str) -> Mapping[Place, int]:
        self.committed += 1
        return {PLACE: self.committed - 1 + self._behind}

    async def inlets(self, shards: range) -> Mapping[Place, int]:
        self.committed += 1
        return {PLACE: self.committed - 1}

    async def partitions(self, topic: str) -> int:
        return 1


async def starts_beside(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a service does before it works."""
    monkeypatch.setattr(host, "noted", peer.noted)
    monkeypatch.setattr(host, "PostgresStore", lambda *_: peer)
    log = SimpleNamespace(bootstrap="", partitions=peer.partitions)
    await host.Host._compare(cast(Any, None), cast(Any, log), cast(Any, None), cast(Any, PROCESSOR))


async def test_a_peer_that_works_on_meanwhile_is_no_database_that_went_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """It commits before it notes: whoever asks for the notes first never finds the database behind them."""
    peer = Peer()
    await starts_beside(peer, monkeypatch)
    assert peer.committed == 11, "Expected the notes and the database to be asked once each"


async def test_a_database_that_went_back_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's work explains that it is further behind than what was noted before."""
    with pytest.raises(InvariantError, match="to be as far as it was"):
        await starts_beside(Peer(behind=3), monkeypatch)
