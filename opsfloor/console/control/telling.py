"""The floor and its reroutes in words for a screen: lines of sheets, sentences, verdicts. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

from opsfloor.console.control.hour import OnTime
from opsfloor.console.sheet import Cell, Line
from opsfloor.console.words import Verdict, judge, told
from opsfloor.reroute_words import terms_words
from services.routing.emergency.glance import FloorGlance, PlaceGlance, WorkGlance
from services.routing.emergency.report import MovedView
from shared.contracts.reroute import Effect, Preview, RerouteOrder, RerouteTerms, SkillForecast
from shared.reroutes import over_at

ABOUT: Final[Mapping[Effect, str]] = {
    "drain": "takes nothing new; what is queued is worked off where it is",
    "evacuate": "its queue moves too, the most urgent first; what is in hand is finished",
    "recall": "even what is in hand comes back",
    "shift": "a percentage of the work goes elsewhere",
    "local": "new submissions go back to the branch, to be done there",
}
PHASES: Final[Mapping[str, str]] = {
    "proposed": "waits for approval",
    "approved": "approved, starts by itself",
    "active": "IN FORCE",
    "returning": "work is coming back",
    "ended": "ended",
    "cancelled": "cancelled",
    "expired": "expired",
    "refused": "refused",
}
RANK: Final = {"active": 0, "returning": 1, "approved": 2, "proposed": 3}
FULL: Final = (0.8, 1.0)  # as the dashboards' question says
OLD: Final = (300.0, 900.0)  # seconds; likewise
PUNCTUAL: Final = (0.99, 0.95)  # share of items in time
ORDERS: Final = "/control/orders"


def order_page(reroute_id: str) -> str:
    """Where an order is found."""
    return f"{ORDERS}/{quote(reroute_id, safe='')}"


# ----------------------------------------------------------------------- times


def clock(at: datetime | None, zone: str) -> str:
    """An instant on the floor's own wall: the time, and the day where it is another one than the reader's screen."""
    return "" if at is None else f"{at.astimezone(ZoneInfo(zone)):%H:%M:%S}"


def day_clock(at: datetime | None, zone: str, *, seconds: bool = False) -> str:
    """An instant with its day."""
    return (
        "" if at is None else f"{at.astimezone(ZoneInfo(zone)):{'%Y-%m-%d %H:%M:%S' if seconds else '%Y-%m-%d %H:%M'}}"
    )


_UTC: Final = re.compile(r"(?:(\d{4}-\d\d-\d\d) )?(\d\d:\d\d:\d\d) UTC")
HALF_A_DAY: Final = timedelta(hours=12)


def local(sentence: str, zone: str, near: datetime) -> str:
    """The sentence with its UTC times on the floor's own clock: two clocks on one screen are misread at night.

    Holds:   a time without its day is the one nearest to `near`.
    """

    def told_here(found: re.Match[str]) -> str:
        day, time = found.groups()
        at = datetime.fromisoformat(f"{day or near.astimezone(UTC).date()}T{time}+00:00")
        if day is None and abs(at - near) > HALF_A_DAY:
            at += timedelta(days=1 if at < near else -1)
        return day_clock(at, zone, seconds=True) if day else clock(at, zone)

    return _UTC.sub(told_here, sentence)


def left(until: datetime | None, now: datetime) -> str:
    """How long until then."""
    if until is None:
        return ""
    seconds = (until - now).total_seconds()
    return f"{told(round(seconds), 's')} left" if seconds > 0 else "its time has come"


def ago(at: datetime | None, now: datetime) -> str:
    """How long ago, without a word around it."""
    return "" if at is None else told(max(0.0, round((now - at).total_seconds())), "s")


def count(number: int) -> str:
    """A number of items or people."""
    return told(number, "short")


def wait(seconds: float | None) -> str:
    """A wait; nobody there is for ever."""
    return "for ever" if seconds is None else told(round(seconds), "s")


# ----------------------------------------------------------------------- floor


def full(place: PlaceGlance) -> Cell:
    """How full it is, by figure, word and colour; where nobody is, whether something waits for them."""
    if place.silent:
        return Cell("", "bad", "silent")
    if place.saturation is None:
        return Cell("", "bad", "nobody there") if place.queued else Cell("closed")
    verdict = judge(place.saturation, *FULL)
    word = {"good": "has room", "watch": "filling up", "bad": "full"}[verdict]
    return Cell(told(place.saturation, "percentunit"), verdict, word)


def oldest(at: datetime | None, now: datetime) -> Cell:
    """How long the oldest has waited; what is no trouble has no badge."""
    if at is None:
        return Cell("")
    verdict = judge((now - at).total_seconds(), *OLD)
    return Cell(ago(at, now), verdict, {"watch": "old", "bad": "too old"}.get(verdict, ""))


def punctual(found: OnTime) -> Cell:
    """The share in time; of nothing there is none."""
    if found.share is None:
        return Cell("none done")
    verdict = judge(found.share, *PUNCTUAL)
    return Cell(told(found.share, "percentunit"), verdict, {"watch": "watch", "bad": "bad"}.get(verdict, ""))


def held(place: PlaceGlance) -> Cell:
    """What reroutes keep away from the place."""
    if not place.reroutes:
        return Cell("")
    link = order_page(place.reroutes[0]) if len(place.reroutes) == 1 else ORDERS
    return Cell(f"{place.held_percent} % held back by {', '.join(place.reroutes)}", link=link)


def place_line(place: PlaceGlance, done: OnTime, floor: FloorGlance, *beside: Cell) -> Line:
    """A centre or a team."""
    age = Cell(ago(place.told_at, floor.at), "bad", "stale") if place.silent else Cell("")
    return Line(
        place.id,
        (
            Cell(place.label),
            *beside,
            full(place),
            Cell(count(place.queued)),
            oldest(place.oldest_requested_at, floor.at),
            Cell(count(place.in_hand)),
            Cell(count(place.present)),
            punctual(done),
            held(place),
            age,
        ),
    )


def work_line(work: WorkGlance, floor: FloorGlance) -> Line:
    """A work type."""
    nobody = work.people == 0
    return Line(
        work.work_type,
        (
            Cell(work.work_type),
            Cell(count(work.queued)),
            oldest(work.oldest_requested_at, floor.at),
            Cell(str(work.people), "bad" if nobody and work.queued else "watch", "nobody" if nobody else ""),
            Cell(wait(work.wait_seconds) if work.queued else ""),
            late(work.misses, work.queued),
        ),
    )


def quiet(work: WorkGlance) -> bool:
    """Nothing of it waits, and somebody is there if something comes."""
    return work.queued == 0 and work.people > 0


def late(misses: int, queued: int) -> Cell:
    """How many of the queue will be late, as it looks."""
    if not queued:
        return Cell("")
    return Cell(str(misses), "bad", "late") if misses else Cell("0")


def silent_desks(floor: FloorGlance) -> str:
    """Which desks are not heard, in a sentence; nothing while all of them are."""
    names = [
        f"{team.label} (since {clock(team.told_at, floor.time_zone) or 'ever'})" for team in floor.teams if team.silent
    ]
    return f"STALE: no word from the desks of {', '.join(names)}. Their figures are old." if names else ""


# ---------------------------------------------------------------------- orders


def what(terms: RerouteTerms) -> str:
    """What the reroute does, in one line."""
    return terms_words(terms.model_dump())


def phase_cell(order: RerouteOrder) -> Cell:
    """Where the order is in its life; what needs somebody is marked."""
    if order.review == "open":
        return Cell(PHASES[order.phase], "bad", "review open")
    marked = order.phase in ("proposed", "active")
    return Cell("", "watch", PHASES[order.phase]) if marked else Cell(PHASES[order.phase])


def time_left(order: RerouteOrder, now: datetime) -> str:
    """Until when something must be decided, or the order comes to its end."""
    match order.phase:
        case "proposed":
            return f"{left(order.approve_by, now)} to approve" if now < order.approve_by else "too late to approve"
        case "approved":
            return (
                f"starts in {told(max(0, round((start - now).total_seconds())), 's')}"
                if (start := order.terms.starts_at)
                else ""
            )
        case "active":
            return left(order.ends_at, now)
        case "returning":
            return (
                f"all back in {told(max(0, round((end - now).total_seconds())), 's')}"
                if (end := over_at(order))
                else ""
            )
        case _:
            return ""


def order_line(order: RerouteOrder, now: datetime, moved: Sequence[MovedView] | None) -> Line:
    """An order that is not over."""
    return Line(
        order.reroute_id,
        (
            Cell(order.reroute_id, link=order_page(order.reroute_id)),
            phase_cell(order),
            Cell(what(order.terms)),
            Cell(time_left(order, now)),
            Cell("" if moved is None else moved_words(moved)),
            Cell(order.proposed_by),
            Cell(order.approved_by or ("alone, broken glass" if order.break_glass else "")),
            Cell(order.terms.reason),
        ),
    )


def by_urgency(orders: Iterable[RerouteOrder]) -> list[RerouteOrder]:
    """Those in force first, then those that somebody must decide, the oldest first."""
    return sorted(orders, key=lambda order: (RANK.get(order.phase, 9), order.proposed_at, order.reroute_id))


def past_line(order: RerouteOrder, zone: str) -> Line:
    """An order that is over, with its outcome."""
    begun = order.started_at is not None and order.over_at is not None
    lasted = ago(order.started_at, order.over_at) if begun and order.over_at else "never in force"
    ended = f"{order.over_because} Review: {order.review_words}" if order.review_words else order.over_because
    again = f", fell back {order.fell_back} times" if order.fell_back else ""
    return Line(
        order.reroute_id,
        (
            Cell(order.reroute_id, link=order_page(order.reroute_id)),
            Cell(
                PHASES[order.phase],
                "bad" if order.review == "open" else "",
                "review open" if order.review == "open" else "",
            ),
            Cell(what(order.terms)),
            Cell(day_clock(order.started_at or order.proposed_at, zone)),
            Cell(lasted + again),
            Cell(local(ended, zone, order.over_at or order.proposed_at)),
            Cell(order.proposed_by),
            Cell(order.approved_by or ""),
            Cell(order.terms.reason),
        ),
    )


def moved_words(moved: Sequence[MovedView]) -> str:
    """What an order has moved so far."""
    return ", ".join(f"{count(row.items)} from {row.team_id}" for row in moved) or "none moved"


# -------------------------------------------------------------------- previews


def foreseen(terms: RerouteTerms, preview: Preview) -> str:
    """What it would do, in a sentence."""
    hand = f", and {preview.in_hand_moving} in hand" if preview.in_hand_moving else ""
    return f"{what(terms).capitalize()}: {count(preview.items_moving)} waiting items move at once{hand}."


def warnings(preview: Preview) -> list[tuple[Verdict, str]]:
    """What speaks against it; when nothing does, that."""
    found: list[tuple[Verdict, str]] = [
        ("bad", f"DEAD END: nobody is left for {name}; such items wait until it is over.") for name in preview.dead_ends
    ]
    for rule in preview.broken_rules:
        how = "whoever lets it start must name it" if rule.overridable else "cannot be overridden"
        found.append(("watch" if rule.overridable else "bad", f"RULE {rule.rule_id}: {rule.detail} ({how})"))
    if preview.also_in_force:
        found.append(("watch", f"Also in force: {', '.join(preview.also_in_force)}."))
    if not preview.dead_ends and not preview.broken_rules:
        found.insert(0, ("good", "Somebody is left for every work type, and no safety rule is broken."))
    return [late_words(preview), *found]


def late_words(preview: Preview) -> tuple[Verdict, str]:
    """How many more would be late."""
    before, after = misses(preview)
    verdict: Verdict = "good" if after <= before else "watch"
    return verdict, f"Late, as it looks: {before} without it, {after} with it."


def misses(preview: Preview) -> tuple[int, int]:
    """How many of what waits will be late, without and with the reroute."""
    return sum(skill.misses_without for skill in preview.skills), sum(skill.misses_with for skill in preview.skills)


def untouched(skill: SkillForecast) -> bool:
    """Nothing of it waits, and somebody is left if something comes."""
    return skill.queued == 0 and not skill.dead_end


def skill_line(skill: SkillForecast) -> Line:
    """What becomes of one work type."""
    takers = ", ".join(f"{taker.team_id} ({taker.people})" for taker in skill.takers)
    return Line(
        skill.work_type,
        (
            Cell(skill.work_type),
            Cell(f"{count(skill.moves)} of {count(skill.queued)}"),
            Cell(f"{skill.people_without} → {skill.people_with}"),
            Cell(f"{wait(skill.wait_seconds_without)} → {wait(skill.wait_seconds_with)}"),
            Cell(f"{skill.misses_without} → {skill.misses_with}"),
            Cell(takers, "bad", "" if takers else "NOBODY"),
        ),
    )
