"""Which teams one item is kept from, so that shares of all work stay as contracts, the bank and reroutes want them. Pure.

The plan keeps to every limit; who is drawn by it and then chosen by the shorter wait need not. So each item falls, by a hash of
its id, into a part of the work that a limited group of teams may have, or has to have.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Final, Literal

from services.routing.limits import ShareLimit
from services.routing.rows import row
from shared.contracts.routing import LimitPlanned
from shared.reference.board import ReferenceView

Kin = Literal["centre", "provider", "reroute"]
"""What groups are: no two of a kin have a team in common."""

GIVES_WAY: Final[tuple[Kin, ...]] = ("centre", "provider", "reroute")
"""Whose limits give way first where all together leave an item no team: as in the plan; what people order is kept longest."""


@row
class Group:
    """Open teams that a limit counts together, and what part of a kind of work they may have and have to have.

    Units:   0 to 1, on a circle of length 1 on which the planned parts of the groups of a kin lie one behind the other,
             from `begins` on: so every item lies in somebody's part, wherever the others may have none of it.
    """

    name: str
    teams: frozenset[str]
    begins: float
    most: float
    least: float = 0.0

    def may_have(self, at: float) -> bool:
        """The item that lies there may go to them."""
        return (at - self.begins) % 1.0 < self.most

    def must_have(self, at: float) -> bool:
        """The item that lies there has to go to them."""
        return (at - self.begins) % 1.0 < self.least


Groups = Mapping[Kin, Sequence[Group]]


def groups_of(shares: Mapping[str, float], limits: Iterable[LimitPlanned], reference: ReferenceView) -> Groups:
    """The groups of open teams that a limit of the plan counts.

    Shape:   `shares` are the plan's of this kind of work, of the teams that could be drawn.
    Holds:   of each kind of work a group may have as much more than its planned part as it is planned below its maximum of
             all work, so that in the mean all its parts come to the maximum at most; and has to have as much less as it is
             planned above its minimum. Where the plan itself could not keep a limit, the plan's own part is kept.
    """
    found: dict[Kin, list[Group]] = {}
    begins = dict.fromkeys(GIVES_WAY, 0.0)
    for (kin, name), bounds in sorted(_by_group(limits).items()):
        teams = frozenset(team for team in shares if bounds[0][0].counts(reference.teams[team]))
        part = _part(teams, shares)
        most, least = 1.0, 0.0
        for limit, planned in bounds:
            if limit.kind == "provider_minimum":
                least = max(0.0, part - max(0.0, planned - limit.bound))
            else:
                most = min(1.0, part + max(0.0, limit.bound - planned))
        if teams and (most < 1.0 or least > 0.0):
            found.setdefault(kin, []).append(Group(name, teams, begins[kin], most, least))
        begins[kin] += part
    return found


def groups_spared(
    spared: Mapping[str, str], shares: Mapping[str, float], could: Mapping[str, float]
) -> Sequence[Group]:
    """The groups of open teams that a reroute holds a part of the work away from.

    Shape:   `spared` names the order by team; `shares` are the plan's, none without one; `could` is how much the teams could
             do, in any unit: both of the teams that could be drawn.
    Holds:   of what the order leaves to them they may have no more than without it: their planned part, else what they could
             do of what all could. Where there is nobody but them they may have all that it leaves.
    Why:     who is spared has less to do, so that they would win more of the draws until they had as much as before.
    """
    if all(team in spared for team in could):
        return ()
    found: list[Group] = []
    begins = 0.0
    for name in sorted({spared[team] for team in could if team in spared}):
        teams = frozenset(team for team in could if spared.get(team) == name)
        part = _part(teams, shares) or _part(teams, could)
        found.append(Group(name, teams, begins, part))
        begins += part
    return found


def _part(teams: Iterable[str], of_each: Mapping[str, float]) -> float:
    total = sum(of_each.values())
    return sum(of_each[team] for team in sorted(teams) if team in of_each) / total if total else 0.0


def _by_group(limits: Iterable[LimitPlanned]) -> Mapping[tuple[Kin, str], Sequence[tuple[ShareLimit, float]]]:
    found: dict[tuple[Kin, str], list[tuple[ShareLimit, float]]] = {}
    for one in limits:
        kin: Kin = "centre" if one.limit == "centre_maximum" else "provider"
        found.setdefault((kin, one.name), []).append((ShareLimit(one.limit, one.name, one.bound), one.planned))
    return found


def kept_out(work_item_id: str, groups: Groups, teams: Sequence[str]) -> Mapping[str, str]:
    """The teams that the item is kept from, and the name of the group whose limit does it.

    Holds:   never all teams: then limits give way in the order of `GIVES_WAY`. Follows from its arguments alone.
    """
    kins = [kin for kin in GIVES_WAY if kin in groups]
    for given_way in range(len(kins)):
        kept: dict[str, str] = {}
        for kin in kins[given_way:]:
            kept |= _kept_by(groups[kin], _place(work_item_id, kin), teams)
        if len(kept) < len(teams):
            return kept
    return {}


def _kept_by(groups: Sequence[Group], at: float, teams: Sequence[str]) -> Mapping[str, str]:
    kept: dict[str, str] = {}
    for group in groups:
        if group.must_have(at):
            return {team: group.name for team in teams if team not in group.teams}
        if not group.may_have(at):
            kept |= dict.fromkeys(group.teams, group.name)
    return kept


def _place(work_item_id: str, kin: Kin) -> float:
    """Where the item lies on the circle of a kin."""
    return int.from_bytes(blake2b(f"{kin}/{work_item_id}".encode(), digest_size=7).digest()) / 2**56
