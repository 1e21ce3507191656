"""How reroutes look on a terminal at three in the morning: what it will do, what it did, what to do next."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from textwrap import fill
from typing import Any, Final
from zoneinfo import ZoneInfo

from opsfloor.answers import out, said, table
from services.routing.emergency.counted import counted_words
from services.routing.emergency.nowhere import (
    PreviewSeen,
    kept_words,
    later_words,
    nowhere_words,
    stale_words,
    stranded_words,
)
from services.routing.emergency.report import (
    OVER,
    SentBackView,
    back_words,
    minutes_in_force,
    phase_now,
    sent_back_words,
    share_held,
)
from shared.contracts.reroute import Preview, RerouteOrder, RerouteTerms
from shared.reference.shifts import WEEKDAYS
from shared.reroutes import held_percent

NOUNS: Final[Mapping[str, str]] = {
    "centres": "centre",
    "teams": "team",
    "providers": "provider",
    "work_types": "work type",
    "business_types": "business type",
    "regions": "region",
    "data_classes": "data class",
    "rules": "safety rule",
}
"""What a scope may name, and what one of it is called."""
SHORT_ID: Final = 12  # characters of an order's id that is not a drill's of the calendar
LONG_ID: Final = 32  # to which text is broken that stands below an id
BESIDE_ID: Final = 78  # that a list needs beside the ids for words that one can read
A_MONDAY: Final = date(2024, 1, 1)
SKILL: Final = ("work type", "moves", "people", "cleared in", "late", "takers")
TAKERS_MAX: Final = 6  # teams named in one cell; the rest of them is counted
NOT_NOTED: Final = (
    "desks and placement have let go of it; the book has not noted that: where this stays so, emergency, the broker or the "
    "database is away"
)
PHASE_STYLE: Final = {"active": "bold red", "returning": "yellow", "proposed": "cyan", "approved": "cyan"}


def scope_words(scope: dict[str, Sequence[str]]) -> str:
    """The scope in words, as the person typed it."""
    parts = [f"{NOUNS[name]} {' or '.join(dict.fromkeys(names))}" for name, names in scope.items() if names]
    return ", ".join(parts)


def terms_words(terms: dict[str, Any]) -> str:
    """What the reroute does, in one line."""
    what = {"shift": f"shift {terms['percent']} % away from", "local": "send back to its branches what is new of"}.get(
        terms["effect"], terms["effect"]
    )
    drill = " (a drill)" if terms["drill"] else ""
    return f"{what} {scope_words(terms['scope'])} for {terms['minutes']} min{_from(terms.get('starts_at'))}{drill}"


def _from(starts_at: str | datetime | None) -> str:
    """When it is to begin, where that was said; else it begins as soon as it is approved."""
    if starts_at is None:
        return ""
    at = starts_at if isinstance(starts_at, datetime) else datetime.fromisoformat(starts_at)
    return f" from {at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def order_words(order: dict[str, Any]) -> str:
    """What the reroute does, with the minutes that it is in force by now: it may have been kept for longer."""
    return terms_words(order["terms"] | {"minutes": minutes_in_force(RerouteOrder.model_validate(order))})


def phase_in(report: dict[str, Any]) -> str:
    """The same of a report, by routing's own clock."""
    return phase_now(RerouteOrder.model_validate(report["order"]), report["held_percent"])


def until_words(order: dict[str, Any], now: datetime) -> str:
    """Until when it holds, and when all is back. `now` is routing's own clock."""
    if order["phase"] != "returning":
        return f"until {clock(order['ends_at'])}, {left(order['ends_at'], now)}"
    back = all_back_at(order)
    return f"less in each step; all back at {clock(back)}, {left(back, now)}"


def to_type(instant: str) -> str:
    """An instant as somebody types it: the next whole minute, in UTC."""
    at = datetime.fromisoformat(instant).astimezone(UTC)
    whole = at.replace(second=0, microsecond=0)
    return (whole if whole == at else whole + timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%MZ")


def all_back_at(order: dict[str, Any]) -> str:
    """When the last of its work is back."""
    steps = len(order["return_held"]) * timedelta(seconds=order["return_step_seconds"])
    return (datetime.fromisoformat(order["ends_at"]) + steps).isoformat()


def tell_preview(terms: dict[str, Any], preview: dict[str, Any]) -> None:
    """What will happen, before it does."""
    out.print(f"\n[bold]This would {said(terms_words(terms))}.[/]")
    if terms["effect"] == "local":
        out.print(
            "  What branches send of it from then on goes back to them, to be done there; what is here stays here."
        )
        out.print(f"  {back_words(preview.get('submissions_back'))}")
    later = later_words(RerouteTerms.model_validate(terms), Preview.model_validate(preview))
    if later:
        out.print(f"  [bold]{said(later)}[/]")
    hand = f", and {preview['in_hand_moving']} in hand" if preview["in_hand_moving"] else ""
    out.print(f"  {preview['items_moving']:,} waiting items move now{hand}.")
    exactly = counted_words(PreviewSeen.model_validate(preview).counted)
    if exactly:
        out.print(f"  {said(exactly)}")
    _tell_against(preview, drill=terms["drill"])
    _tell_skills(preview, "By work type, now → then")
    kept = [limit for limit in preview.get("limits", ()) if not limit["broken"]]
    if kept:
        out.print("  Shares of all work until it ends:")
    for limit in kept:
        out.print(f"    {said(limit['words'])}")


def _tell_skills(preview: dict[str, Any], caption: str) -> None:
    nowhere = {waits["work_type"] for waits in preview.get("nowhere", ())}
    touched = [
        skill
        for skill in preview["skills"]
        if skill["queued"]
        or skill["dead_end"]
        or skill.get("dead_sorts")
        or skill["work_type"] in nowhere
        or not skill["people_with"]
    ]
    if touched:
        table(caption, SKILL, (_skill(skill) for skill in touched), whole=SKILL[1:5])
    rest = len(preview["skills"]) - len(touched)
    if rest:
        out.print(f"  Of {rest} other work types nothing waits, and somebody is left for each.")


def tell_stay(minutes: int, preview: dict[str, Any], named: Collection[str] = (), *, drill: bool = False) -> None:
    """What keeping a reroute for so much longer does, beside the floor without it. `named` are the rules that were
    overridden when it began: nobody needs to name them again."""
    without, staying = (sum(skill[name] for skill in preview["skills"]) for name in ("misses_without", "misses_with"))
    out.print(f"\n[bold]Kept in force for {minutes} more minutes[/] it would leave the floor like this:")
    out.print(f"  Of what waits at desks {staying:,} would be late with it, {without:,} without it.")
    out.print(f"  {kept_words(PreviewSeen.model_validate(preview))}")
    _tell_against(preview, named, drill=drill)
    _tell_skills(preview, "By work type, without it → with it")


def tell_look(look: dict[str, Any]) -> None:
    """What the floor simulator saw of the next minutes, in a line."""
    before, after = look["without"], look["with_it"]
    most = f", the most urgent; {look['left_out']:,} more wait" if look["left_out"] else ""
    out.print(
        f"  Played on virtual time, the next {look['minutes']:g} min of {look['items']:,} items{most}: "
        f"done {before['done']:,} → {after['done']:,}, late {before['late']:,} → {after['late']:,}, "
        f"still waiting {before['waiting']:,} → {after['waiting']:,}."
    )


def tell_drift(foreseen: dict[str, Any], now: dict[str, Any]) -> None:
    """How the floor is now beside what was foreseen, for whoever agrees to the latter."""
    late, late_now = (sum(skill["misses_with"] for skill in one["skills"]) for one in (foreseen, now))
    out.print(
        f"  That was foreseen at {clock(foreseen['taken_at'])}. On the floor as it is now {now['items_moving']:,} items would "
        f"move (foreseen: {foreseen['items_moving']:,}) and {late_now:,} be late (foreseen: {late:,}). "
        "When it has moved too far from that, the order asks again instead of starting."
    )
    _tell_stale(PreviewSeen.model_validate(now))


def _tell_stale(seen: PreviewSeen) -> None:
    """That its figures are old, where they are."""
    stale = stale_words(seen)
    if stale:
        out.print(f"  [bold red]STALE[/] {said(stale)} [bold]Next:[/] `opsfloor stack status`")


def _tell_against(preview: dict[str, Any], named: Collection[str] = (), *, drill: bool) -> None:
    """What speaks against it, before the figures. `named` are rules that it overrides already."""
    seen = PreviewSeen.model_validate(preview)
    _tell_stale(seen)
    if seen.drill_refused is not None:
        out.print(f"  [bold red]REFUSED[/] as a drill: {said(seen.drill_refused)}")
    for words in nowhere_words(seen):
        out.print(f"  [bold red]AT NO DESK[/] {said(words)}")
    for name in preview["dead_ends"]:
        how_many = said(stranded_words(name, seen))
        out.print(f"  [bold red]DEAD END[/] nobody left for {said(name)}{how_many}: such items wait until it is over")
    for rule in preview["broken_rules"]:
        how = f"override with --override {rule['rule_id']}" if rule["overridable"] else "cannot be overridden"
        how = "overridden when it began" if rule["rule_id"] in named else how
        how = "no drill overrides a rule" if drill else how
        out.print(f"  [bold yellow]RULE[/] {said(rule['detail'])} ({said(how)})")
    for limit in preview.get("limits", ()):
        if limit["broken"]:
            out.print(f"  [bold yellow]LIMIT[/] {said(limit['words'])}")
    if preview["also_in_force"]:
        out.print(f"  Also in force when it begins: {said(', '.join(preview['also_in_force']))}")


def _skill(skill: dict[str, Any]) -> tuple[object, ...]:
    named = [f"{taker['team_id']} ({taker['people']})" for taker in skill["takers"]]
    more = [f"and {len(named) - TAKERS_MAX} more"] if len(named) > TAKERS_MAX else []
    return (
        skill["work_type"].replace("/", "/\n"),
        skill["moves"],
        f"{skill['people_without']} → {skill['people_with']}",
        f"{minutes(skill['wait_seconds_without'])} →\n{minutes(skill['wait_seconds_with'])}",
        f"{skill['misses_without']} → {skill['misses_with']}",
        "\n".join((*named[:TAKERS_MAX], *more)) or "NOBODY",
    )


def minutes(seconds: float | None) -> str:
    """Seconds as minutes; nobody there is for ever."""
    return "for ever" if seconds is None else f"{seconds / 60:.0f} min"


def tell_report(report: dict[str, Any]) -> None:
    """One reroute, whole."""
    order = report["order"]
    phase = phase_in(report)
    style = PHASE_STYLE.get(phase, "bold")
    out.print(f"\n[bold]{said(order['reroute_id'])}[/] [{style}]{phase.upper()}[/] {said(order_words(order))}")
    if phase == OVER:
        out.print(f"  [bold]Over since {clock(all_back_at(order))}[/]: {NOT_NOTED}")
    out.print(f"  Why: {said(order['terms']['reason'])}")
    if report["held_percent"]:
        share = share_held(RerouteOrder.model_validate(order), report["held_percent"])
        out.print(
            f"  Holds {share} % of that work, {until_words(order | {'phase': phase}, datetime.fromisoformat(report['at']))}"
        )
    if order.get("drill_outcome"):
        out.print(f"  Drill: {said(outcome_words(order['drill_outcome']))}")
    moved = ", ".join(f"{row['items']:,} from {row['team_id']}" for row in report["moved"])
    out.print(f"  Items moved: {said(moved) or ('none' if order['over_at'] else 'none yet')}")
    if order["terms"]["effect"] == "local":
        rows = [SentBackView.model_validate(row) for row in report.get("sent_back", ())]
        out.print(f"  Sent back: {said(sent_back_words(rows))}")
    if report["unplaceable"]:
        out.print(
            f"  [bold red]{report['unplaceable']:,} items wait with nobody[/]: they are at no desk until it is over, or "
            "somebody who may do them comes"
        )
    if order["phase"] == "proposed":
        tell_preview(order["terms"], order["preview"])
    for sentence in report["passed_over"]:
        out.print(f"  [dim]Overlap: {said(sentence)}[/]")
    table("What happened", ("at", "who", "what"), ((clock(e["at"]), e["who"], e["sentence"]) for e in report["life"]))
    for line in next_steps(order, phase):
        out.print(f"  [bold]Next:[/] {said(line)}")


def next_steps(order: dict[str, Any], phase: str | None = None) -> Iterable[str]:
    """What somebody would type now. `phase` is where it is now, if that is known better than from the order alone."""
    name = order["reroute_id"]
    match phase or order["phase"]:
        case "proposed":
            yield _approval(order)
            yield f"or: opsfloor reroute cancel {name} --reason WHY (it expires at {clock(order['approve_by'])})"
        case "approved":
            yield f"it starts by itself; opsfloor reroute cancel {name} --reason WHY stops it"
        case "active":
            yield f"work comes back: opsfloor reroute end {name} --reason WHY"
            yield f"needs longer: {_longer(order)}"
        case "returning":
            yield f"it comes back by itself; to hold on: {_longer(order)}"
        case told if told == OVER:
            yield (
                "nothing is left to end or to keep; `opsfloor stack status` tells whether broker and database are up "
                "(docs/runbook/ServiceAbsent.md)"
            )
            yield "needed again: propose it anew: opsfloor reroute propose"
    if order["review"] == "open":
        yield f"answer for the broken glass: opsfloor reroute review {name} --as SOMEBODY-ELSE --reason WORDS"


def _approval(order: dict[str, Any]) -> str:
    """How a second person agrees, by name to each rule that it breaks; or that nobody can."""
    broken = order["preview"]["broken_rules"]
    fixed = [rule["rule_id"] for rule in broken if order["terms"]["drill"] or not rule["overridable"]]
    if fixed:
        return f"nobody can approve it as it is: {', '.join(fixed)} cannot be overridden; propose it otherwise"
    named = "".join(f" --override {shlex.quote(rule['rule_id'])}" for rule in broken)
    return f"a second person: opsfloor reroute approve {order['reroute_id']}{named} --as NAME --reason WHY"


def _longer(order: dict[str, Any]) -> str:
    """How it can be kept, where it can."""
    if datetime.fromisoformat(order["ends_at"]) >= datetime.fromisoformat(order["last_end_at"]):
        if order["break_glass"] and order["phase"] == "active":
            return (
                "propose the same without --break-glass before it ends: once a second person has approved it, it goes on "
                "without a gap"
            )
        return (
            "this one cannot be kept for longer; have the same approved by a second person now, for when all of it is back: "
            f"opsfloor reroute propose … --starts-at {to_type(all_back_at(order))}"
        )
    return f"opsfloor reroute extend {order['reroute_id']} MINUTES --as APPROVER --reason WHY"


def tell_list(orders: Sequence[dict[str, Any]], now: datetime) -> None:
    """Reroutes as a table, those in force first. `now` is routing's own clock."""
    if not orders:
        out.print("[green]✓[/] no reroute is open")
        return
    rank = {"active": 0, "returning": 1, "approved": 2, "proposed": 3}
    rows = sorted(orders, key=lambda o: (rank.get(o["phase"], 9), o["proposed_at"]))
    longest = max(len(order["reroute_id"]) for order in rows)
    if longest > SHORT_ID and out.width < longest + BESIDE_ID:  # an id is to be copied whole, and a drill's is long
        table(
            "Reroutes",
            ("phase", "id, what", "by", "until"),
            (_folded(row, now) for row in rows),
            whole=("phase", "id, what", "until"),
        )
        return
    table(
        "Reroutes",
        ("id", "phase", "what", "by", "until"),
        (_row(row, now) for row in rows),
        whole=("id", "phase", "until"),
    )


def _folded(order: dict[str, Any], now: datetime) -> tuple[object, ...]:
    """A row in which what it is stands below the id, in lines no longer than a long id."""
    name, phase, what, by, until = _row(order, now)
    return phase, f"{name}\n{fill(str(what).replace(chr(10), ' '), LONG_ID, break_on_hyphens=False)}", by, until


def _row(order: dict[str, Any], now: datetime) -> tuple[object, ...]:
    known = RerouteOrder.model_validate(order)
    phase = phase_now(known, held_percent(known, now))
    review = "\nREVIEW\nOPEN" if order["review"] == "open" else ""
    return (
        order["reroute_id"],
        phase.replace(" by ", "\nby ") + review,
        f"{order_words(order)}\n«{order['terms']['reason']}»",
        "\n".join(name for name in (order["proposed_by"], order["approved_by"]) if name),
        _until(order, phase, now),
    )


def _until(order: dict[str, Any], phase: str, now: datetime) -> str:
    """The instant that matters next, in a narrow column: the day, the time, what comes then."""
    match phase:
        case "proposed":
            at, then = order["approve_by"], "expires"
        case "approved":
            at, then = order["terms"]["starts_at"] or order["execute_by"], "starts"
        case "active":
            at, then = order["ends_at"], "ends"
        case "returning":
            at, then = all_back_at(order), "all back"
        case told if told == OVER:
            return f"{clock(all_back_at(order))}\nover, not noted yet"
        case _:
            at, then = order["over_at"], "over"
    return f"{clock(at)}\n{then}" if order["over_at"] else f"{clock(at)}\n{then}, {left(at, now)}"


def outcome_words(outcome: dict[str, Any]) -> str:
    """What came of a drill, in one line."""
    words = f"{outcome['outcome'].replace('_', ' ').upper()} {outcome['detail']}"
    if outcome["completed"]:
        words += f" {outcome['completed']:,} items completed meanwhile, {outcome['late']:,} of them late."
    if outcome["return_seconds"] is not None:
        words += f" The return took {outcome['return_seconds']:.0f} s."
    return words


def tell_drills(found: dict[str, Any]) -> None:
    """The drill calendar, and what is proved."""
    zone = found["time_zone"]
    table(
        "Drill calendar",
        ("entry", "without", "when (UTC)", "next", "signed by", "last"),
        (_entry(entry, zone, found["at"]) for entry in found["entries"]),
    )
    for entry in found["entries"]:
        if entry["unsigned_because"]:
            out.print(f"  [bold yellow]NOT SIGNED[/] {said(entry['id'])}: {said(entry['unsigned_because'])}")
        if entry["under_way"]:
            name, phase = entry["under_way"]["reroute_id"], entry["under_way"]["phase"]
            stop = f"opsfloor reroute cancel {name} --reason WHY stops it"
            out.print(f"  [bold]Next:[/] {said(name)} is {phase}; {NOT_NOTED if phase == OVER else said(stop)}")
    table(
        f"Can the floor do without? (a passed drill counts {found['proof_days']:g} days)",
        ("place", "proved", "passed", "last drill", "why not"),
        (_point(point) for point in found["points"]),
    )


def _entry(entry: dict[str, Any], zone: str, now: str) -> tuple[object, ...]:
    return (
        entry["id"],
        entry["scope_words"],
        _weekly(entry, zone, now),
        clock(entry["next_at"]) or "every day ahead is blocked",
        f"{entry['owner']}, {entry['signed_by']}",
        _came_of(entry["last"]),
    )


def _weekly(entry: dict[str, Any], zone: str, now: str) -> str:
    """How often, on which days and at which hour in UTC, as the other column beside it.

    Holds:   by what the floor's zone is away from UTC when the drill comes next; a day may be another one there.
    """
    weeks = "each week" if entry["every_weeks"] == 1 else f"every {entry['every_weeks']} weeks"
    away = datetime.fromisoformat(entry["next_at"] or now).astimezone(ZoneInfo(zone)).utcoffset() or timedelta()
    begins = datetime.combine(A_MONDAY, time.fromisoformat(entry["begins"])) - away
    days = [WEEKDAYS[(begins + timedelta(days=WEEKDAYS.index(day))).weekday()] for day in entry["weekdays"]]
    return f"{weeks} {'/'.join(days)} {begins:%H:%M}, {entry['minutes']} min"


def _point(point: dict[str, Any]) -> tuple[object, ...]:
    mark = "yes" if point["proved"] else "UNPROVED"
    why = point["unproved_because"] or ""
    return f"{point['noun']} {point['id']}", mark, clock(point["passed_at"]), _came_of(point["last"]), why


def _came_of(drill: dict[str, Any] | None) -> str:
    if drill is None or drill["outcome"] is None:
        return "none yet"
    return f"{drill['outcome']['outcome'].replace('_', ' ')}, {clock(drill['over_at'])}"


def tell_unproved(found: dict[str, Any]) -> None:
    """One line when something is unproved."""
    names = [f"{point['noun']} {point['id']}" for point in found["points"] if not point["proved"]]
    if names:
        out.print(f"[yellow]UNPROVED[/] {said(', '.join(names))}: no recent passed drill; see opsfloor reroute drills")


def clock(at: str | None) -> str:
    """An instant in UTC, to the second."""
    return "" if at is None else f"{datetime.fromisoformat(at).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def left(at: str | None, now: datetime) -> str:
    """How long until then. `now` is routing's own clock: that of the machine one types at may go wrong, or be another day's."""
    if at is None:
        return ""
    seconds = (datetime.fromisoformat(at) - now).total_seconds()
    return f"{seconds / 60:.0f} min left" if seconds > 0 else "its end has come"
