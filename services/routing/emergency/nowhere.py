"""What waits at no desk, beside a preview: boards tell queues at desks alone, and what nobody may be given lies in none; and how
old what the boards tell is.

The book is pure and knows its boards; what waits at no desk placement's rows tell, and routing's HTTP face looks them up. So it
stands beside what is hashed and approved, and is part of no drift.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydantic import Field

from services.routing.emergency.bounds import in_utc
from services.routing.emergency.counted import Counted
from services.routing.emergency.floor import FloorNow
from services.routing.emergency.health import unheard, with_something
from services.routing.emergency.outlook import misses, seconds_allowed
from services.routing.placement.waiting import Waits
from shared.contracts.message import Instant, Part
from shared.contracts.reroute import Preview, RerouteTerms
from shared.reroutes import covers_work_type


class Nowhere(Part):
    """What of one work type waits at no desk for one reason.

    Units:   items; `kept` of them are kept from a team by the order that is looked at; `late` of them will be, or are, if
             they still wait so when its minutes are over, ages spread evenly from the oldest to now.
    """

    work_type: str
    reason: str
    items: int
    kept: int
    late: int
    oldest_requested_at: Instant


class Unheard(Part):
    """A desk that has not been heard for too long: its figures are of then."""

    team_id: str
    told_at: Instant


class PreviewSeen(Preview):
    """A preview as people see it. Holds: `nowhere`, of what the scope means, `counted`, `drill_refused` and `unheard` are no
    part of `sha256`."""

    nowhere: tuple[Nowhere, ...] = Field(default=(), description="what waits at no desk now, by work type and reason")
    counted: tuple[Counted, ...] | None = Field(
        default=None,
        description="what of a scope that narrows by region or data class waits at desks now, item by item",
    )
    drill_refused: str | None = Field(
        default=None, description="why a drill of this would be refused as the floor is now"
    )
    unheard: tuple[Unheard, ...] = Field(
        default=(), description="the desks whose figures are old, since when, the last that was heard first"
    )
    all_unheard: bool = Field(default=False, description="no desk at all is heard: the broker is silent or away")


def seen(
    preview: Preview,
    terms: RerouteTerms,
    floor: FloorNow,
    waiting: Sequence[Waits],
    reroute_id: str | None = None,
    counted: tuple[Counted, ...] | None = None,
    drill_refused: str | None = None,
) -> PreviewSeen:
    """The preview with what waits at no desk; of an order in force, with what it keeps there itself, whatever it is."""
    there = tuple(_nowhere(terms, floor, waiting, reroute_id))
    old = tuple(Unheard(team_id=load.team_id, told_at=load.at) for load in unheard(floor))
    return PreviewSeen(
        **dict(preview),
        nowhere=there,
        counted=counted,
        drill_refused=drill_refused,
        unheard=old,
        all_unheard=bool(old) and len(old) == len(with_something(floor)),
    )


def _nowhere(
    terms: RerouteTerms, floor: FloorNow, waiting: Sequence[Waits], reroute_id: str | None
) -> Iterator[Nowhere]:
    meant = [
        waits for waits in waiting if covers_work_type(terms.scope, waits.work_type) or reroute_id in waits.held_by
    ]
    for work_type, reason in sorted({(waits.work_type, waits.reason) for waits in meant}):
        those = [waits for waits in meant if (waits.work_type, waits.reason) == (work_type, reason)]
        items, oldest = sum(waits.items for waits in those), min(waits.oldest_requested_at for waits in those)
        stay, age = terms.minutes * 60.0, max(0.0, (floor.now - oldest).total_seconds())
        yield Nowhere(
            work_type=work_type,
            reason=reason,
            items=items,
            kept=sum(waits.items for waits in those if reroute_id in waits.held_by),
            late=round(misses(items, age + stay, stay, seconds_allowed(floor, work_type))),
            oldest_requested_at=oldest,
        )


def stale_words(preview: PreviewSeen) -> str:
    """That the figures are old and since when, in a sentence; nothing while they are not."""
    if not preview.unheard:
        return ""
    if preview.all_unheard:
        return (
            f"no desk has been heard since {in_utc(preview.unheard[0].told_at)}: the broker is silent or away. Queues, people and "
            "what would be late are as of then; commands may not get through either."
        )
    names = ", ".join(f"{one.team_id} (since {in_utc(one.told_at)})" for one in preview.unheard)
    return f"no word from the desks of {names}: their figures are as of then."


def later_words(terms: RerouteTerms, preview: Preview) -> str:
    """Of what begins later, which figures are those of today, in a sentence; of what begins at once nothing."""
    if terms.starts_at is None or terms.starts_at <= preview.taken_at:
        return ""
    return (
        f"It begins at {in_utc(terms.starts_at)}: queues and people are those of {in_utc(preview.taken_at)}, when this was looked "
        "at, and not of then; only the other orders and the rules that go by the clock are as they will be then. It is looked at "
        "again when it begins."
    )


def nowhere_words(preview: PreviewSeen) -> list[str]:
    """What waits at no desk, a sentence for each work type and reason."""
    return [_words(waits) for waits in preview.nowhere]


def _words(waits: Nowhere) -> str:
    kept = f", {waits.kept:,} of them kept there by this order" if waits.kept else ""
    why = waits.reason.replace("_", " ")
    return (
        f"{waits.items:,} of {waits.work_type} wait at no desk ({why}){kept}; "
        f"{waits.late:,} are late if they still wait when it is over."
    )


def kept_words(preview: PreviewSeen) -> str:
    """How many items at no desk the order keeps there itself, in a sentence."""
    kept = sum(waits.kept for waits in preview.nowhere)
    if not kept:
        return "No item is without a desk because of it."
    late = sum(min(waits.kept, waits.late) for waits in preview.nowhere)
    return (
        f"{kept:,} items are at no desk because of it, with nobody to do them; up to {late:,} of those would be late."
    )


def stranded_words(dead_end: str, preview: Preview) -> str:
    """How much that waits is of a sort that has nobody; nothing to say where the whole work type has nobody."""
    for skill in preview.skills:
        for sort in skill.dead_sorts:
            if sort.sort == dead_end:
                share = f", {sort.part:.0%} of what comes" if sort.part < 1 else ""
                there = (
                    f", about {sort.items:,} of the {skill.queued:,} of {skill.work_type} that wait"
                    if sort.items
                    else ""
                )
                return share + there
    return ""
