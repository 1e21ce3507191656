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
from services.routing.emergency.glance import DutyView, FloorGlance, PlaceGlance, WorkGlance
from services.routing.emergency.report import OVER, MovedView, minutes_in_force, phase_now
from services.routing.emergency.safety import covers
from shared.contracts.reference import RerouteDuty, Team
from shared.contracts.reroute import Effect, RerouteOrder, RerouteScope, RerouteTerms
from shared.reference.board import ReferenceView
from shared.reroutes import held_percent, over_at

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
    OVER: "over by its own clock, not noted yet",
    "ended": "ended",
    "cancelled": "cancelled",
    "expired": "expired",
    "refused": "refused",
}
RANK: Final = {"active": 0, "returning": 1, "approved": 2, "proposed": 3}
FULL: Final = (0.8, 1.0)  # as the dashboards' question says
OLD: Final = (300.0, 900.0)  # seconds; likewise
SHORT_OF_PROMISE: Final = 0.05  # of all items; what is bad on the first page, too
DRILLED: Final[Mapping[str, Verdict]] = {"passed": "good", "failed": "bad", "refused": "bad"}
ORDERS: Final = "/control/orders"


def order_page(reroute_id: str) -> str:
    """Where an order is found."""
    return f"{ORDERS}/{quote(reroute_id, safe='')}"


def named(identity: str, label: str) -> str:
    """What has an id and a label, by both: sentences name it by its id, people by its label."""
    return identity if identity == label else f"{identity}: {label}"


# ----------------------------------------------------------------------- times


def clock(at: datetime | None, zone: str) -> str:
    """An instant on the floor's own wall: the time, and the day where it is another one than the reader's screen."""
    return "" if at is None else f"{at.astimezone(ZoneInfo(zone)):%H:%M:%S}"


def day_clock(at: datetime | None, zone: str, *, seconds: bool = False) -> str:
    """An instant with its day."""
    return (
        "" if at is None else f"{at.astimezone(ZoneInfo(zone)):{'%Y-%m-%d %H:%M:%S' if seconds else '%Y-%m-%d %H:%M'}}"
    )


_UTC: Final = re.compile(r"(?:(\d{4}-\d\d-\d\d) (\d\d:\d\d(?::\d\d)?)|(\d\d:\d\d:\d\d)) UTC")
HALF_A_DAY: Final = timedelta(hours=12)


def local(sentence: str, zone: str, near: datetime) -> str:
    """The sentence with its UTC times on the floor's own clock: two clocks on one screen are misread at night.

    Holds:   a time without its day is the one nearest to `near`. One without day and seconds is none of routing's: a person
             wrote it, and it stays as they did.
    """

    def told_here(found: re.Match[str]) -> str:
        day, time = found[1], found[2] or found[3]
        at = datetime.fromisoformat(f"{day or near.astimezone(UTC).date()}T{time}+00:00")
        if day is None and abs(at - near) > HALF_A_DAY:
            at += timedelta(days=1 if at < near else -1)
        return day_clock(at, zone, seconds=time.count(":") > 1) if day else clock(at, zone)

    return _UTC.sub(told_here, sentence)


def span(seconds: float) -> str:
    """A span of time, to the second."""
    whole = max(0, round(seconds))
    return f"{whole} s" if whole < 60 else told(whole, "s")


def left(until: datetime | None, now: datetime) -> str:
    """How long until then."""
    if until is None:
        return ""
    seconds = (until - now).total_seconds()
    return f"{span(seconds)} left" if seconds > 0 else "its time has come"


def ago(at: datetime | None, now: datetime) -> str:
    """How long ago, without a word around it."""
    return "" if at is None else span((now - at).total_seconds())


def count(number: int) -> str:
    """A number of items or people."""
    return told(number, "short")


def wait(seconds: float | None) -> str:
    """A wait; nobody there is for ever."""
    return "for ever" if seconds is None else span(seconds)


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


def punctual(found: OnTime, promised: Sequence[float]) -> Cell:
    """The share in time; of nothing there is none.

    Holds:   of work under several promises it is to be watched below the highest of them, where one may be broken, and
             bad so far below the lowest that one must be; without a promise it is not judged.
    """
    if found.share is None:
        return Cell("none done")
    verdict = judge(found.share, max(promised), min(promised) - SHORT_OF_PROMISE) if promised else ""
    return Cell(told(found.share, "percentunit"), verdict, {"watch": "watch", "bad": "bad"}.get(verdict, ""))


def held(place: PlaceGlance) -> Cell:
    """What reroutes keep away from the place."""
    if not place.reroutes:
        return Cell("")
    link = order_page(place.reroutes[0]) if len(place.reroutes) == 1 else ORDERS
    return Cell(f"{held_words(place)} held back by {', '.join(place.reroutes)}", link=link)


def held_words(place: PlaceGlance) -> str:
    """How much is held back: a share of everything, or more than that of some of it."""
    if not place.held_partly:
        return f"{place.held_percent} %"
    return f"{place.held_percent} %, of some more," if place.held_percent else "some of its work"


def place_line(place: PlaceGlance, done: OnTime, floor: FloorGlance, *beside: Cell) -> Line:
    """A centre or a team."""
    age = Cell(ago(place.told_at, floor.at), "bad", "stale") if place.silent else Cell("")
    return Line(
        place.id,
        (
            Cell(named(place.id, place.label)),
            *beside,
            full(place),
            Cell(count(place.queued)),
            oldest(place.oldest_requested_at, floor.at),
            Cell(count(place.in_hand)),
            Cell(count(place.present)),
            punctual(done, place.promised),
            held(place),
            age,
        ),
    )


def work_line(work: WorkGlance, floor: FloorGlance) -> Line:
    """A work type."""
    nobody, waits = work.people == 0, work.queued + work.nowhere
    return Line(
        work.work_type,
        (
            Cell(work.work_type),
            _waits(work),
            oldest(work.oldest_requested_at, floor.at),
            Cell(str(work.people), "bad" if nobody and waits else "watch", "nobody" if nobody else ""),
            Cell(wait(work.wait_seconds) if work.queued else ""),
            late(work.misses, work.queued),
        ),
    )


def _waits(work: WorkGlance) -> Cell:
    """What waits at desks, and what at none, with the reason."""
    if not work.nowhere:
        return Cell(count(work.queued))
    because = " or ".join(reason.replace("_", " ") for reason in work.nowhere_because)
    return Cell(
        f"{count(work.queued + work.nowhere)}, {count(work.nowhere)} of them at no desk ({because})", "bad", "stuck"
    )


def quiet(work: WorkGlance) -> bool:
    """Nothing of it waits, and somebody is there if something comes."""
    return work.queued + work.nowhere == 0 and work.people > 0


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


def what(terms: RerouteTerms, zone: str) -> str:
    """What the reroute would do, in one line."""
    words = terms_words(terms.model_dump())
    return words if terms.starts_at is None else local(words, zone, terms.starts_at)


def capital(sentence: str) -> str:
    """The sentence with its first letter large, and every name in it as it is written."""
    return sentence[:1].upper() + sentence[1:]


def what_now(order: RerouteOrder, zone: str) -> str:
    """What the reroute does, with the minutes that it is in force by now."""
    return what(order.terms.model_copy(update={"minutes": minutes_in_force(order)}), zone)


def phase_at(order: RerouteOrder, now: datetime) -> str:
    """Where the order is in its life now, by its own instants where the book has not noted it yet."""
    return phase_now(order, held_percent(order, now))


def phase_cell(order: RerouteOrder, now: datetime) -> Cell:
    """Where the order is in its life; what needs somebody is marked."""
    phase = phase_at(order, now)
    if order.review == "open":
        return Cell(PHASES[phase], "bad", "review open")
    marked = phase in ("proposed", "active", OVER)
    return Cell("", "watch", PHASES[phase]) if marked else Cell(PHASES[phase])


def time_left(order: RerouteOrder, now: datetime) -> str:
    """Until when something must be decided, or the order comes to its end."""
    match phase_at(order, now):
        case "proposed":
            return f"{left(order.approve_by, now)} to approve" if now < order.approve_by else "too late to approve"
        case "approved":
            return f"starts in {span((start - now).total_seconds())}" if (start := order.terms.starts_at) else ""
        case "active":
            return left(order.ends_at, now)
        case "returning":
            return f"all back in {span((end - now).total_seconds())}" if (end := over_at(order)) else ""
        case told if told == OVER:
            return f"all back {ago(over_at(order), now)} ago"
        case _:
            return ""


def order_line(order: RerouteOrder, now: datetime, zone: str, moved: Sequence[MovedView] | None) -> Line:
    """An order that is not over."""
    return Line(
        order.reroute_id,
        (
            Cell(order.reroute_id, link=order_page(order.reroute_id)),
            phase_cell(order, now),
            Cell(what_now(order, zone)),
            Cell(time_left(order, now)),
            Cell("" if moved is None else moved_words(moved)),
            Cell(order.proposed_by),
            Cell(approved_by(order)),
            Cell(order.terms.reason),
        ),
    )


def approved_by(order: RerouteOrder) -> str:
    """Who agreed; of a broken glass nobody did, and afterwards somebody answered for it."""
    if not order.break_glass:
        return order.approved_by or ""
    reviewer, told, _ = order.review_words.partition(": ")
    return f"broken glass, reviewed by {reviewer}" if told else "alone, broken glass"


def undecided(order: RerouteOrder) -> bool:
    """Somebody must still say yes or no to it, or answer for it."""
    return order.phase == "proposed" or order.review == "open"


def for_them(duty: DutyView, order: RerouteOrder, floor: FloorGlance) -> bool:
    """The person may decide it, as far as their token and their duty tell: nobody decides what they proposed."""
    return duty.approves and order.proposed_by != duty.subject and on_duty_there(duty, order.terms.scope, floor)


def on_duty_there(duty: DutyView, scope: RerouteScope, floor: FloorGlance) -> bool:
    """The person is on duty for all of the scope, by the rule that the book of reroutes goes by."""
    where = RerouteDuty(id=duty.subject, name=duty.subject, centres=duty.centres, providers=duty.providers)
    return covers(
        where, scope, ReferenceView(teams={place.id: team for place in floor.teams if (team := team_of(place))})
    )


def team_of(place: PlaceGlance) -> Team | None:
    """The team that a place is; none for a whole centre."""
    if place.provider_id is None:
        return None
    return Team(id=place.id, label=place.label, centre_id=place.centre_id, provider_id=place.provider_id)


def inbox_words(duty: DutyView, orders: Iterable[RerouteOrder], floor: FloorGlance) -> str:
    """The link to the inbox, with how much waits there for this person."""
    waiting = sum(1 for order in orders if undecided(order) and for_them(duty, order, floor))
    return f"Inbox ({waiting})" if waiting else "Inbox"


def by_urgency(orders: Iterable[RerouteOrder]) -> list[RerouteOrder]:
    """Those in force first, then those that somebody must decide, the oldest first."""
    return sorted(orders, key=lambda order: (RANK.get(order.phase, 9), order.proposed_at, order.reroute_id))


def past_line(order: RerouteOrder, zone: str) -> Line:
    """An order that is over, with its outcome."""
    lasted = ago(order.started_at, order.over_at) if order.started_at and order.over_at else "never in force"
    ended = f"{order.over_because} Review: {order.review_words}" if order.review_words else order.over_because
    again = f", fell back {order.fell_back} times" if order.fell_back else ""
    return Line(
        order.reroute_id,
        (
            Cell(order.reroute_id, link=order_page(order.reroute_id)),
            _outcome(order),
            Cell(what_now(order, zone)),
            Cell(day_clock(order.started_at, zone)),
            Cell(lasted + again),
            Cell(local(ended, zone, order.over_at or order.proposed_at)),
            Cell(order.proposed_by),
            Cell(approved_by(order)),
            Cell(order.terms.reason),
        ),
    )


def _outcome(order: RerouteOrder) -> Cell:
    """How it ended: a review that is open still needs somebody; a drill passed or did not."""
    if order.review == "open":
        return Cell(PHASES[order.phase], "bad", "review open")
    drill = order.drill_outcome
    return Cell(PHASES[order.phase]) if drill is None else Cell(PHASES[order.phase], *drilled(drill.outcome))


def drilled(result: str) -> tuple[Verdict, str]:
    """What came of a drill, as a verdict and a word."""
    return DRILLED.get(result, "watch"), f"drill {result.replace('_', ' ')}"


def moved_words(moved: Sequence[MovedView]) -> str:
    """What an order has moved so far."""
    return ", ".join(f"{count(row.items)} from {row.team_id}" for row in moved) or "none moved"
