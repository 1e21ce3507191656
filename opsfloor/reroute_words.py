"""How reroutes look on a terminal at three in the morning: what it will do, what it did, what to do next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from rich.markup import escape

from opsfloor.answers import out, table

PHASE_STYLE: Final = {"active": "bold red", "returning": "yellow", "proposed": "cyan", "approved": "cyan"}


def scope_words(scope: dict[str, Sequence[str]]) -> str:
    """The scope in words, as the person typed it."""
    parts = [f"{name.rstrip('s').replace('_', ' ')} {' or '.join(names)}" for name, names in scope.items() if names]
    return ", ".join(parts)


def terms_words(terms: dict[str, Any]) -> str:
    """What the reroute does, in one line."""
    what = f"shift {terms['percent']} % away from" if terms["effect"] == "shift" else terms["effect"]
    drill = " (a drill)" if terms["drill"] else ""
    return f"{what} {scope_words(terms['scope'])} for {terms['minutes']} min{drill}"


def tell_preview(terms: dict[str, Any], preview: dict[str, Any]) -> None:
    """What will happen, before it does."""
    out.print(f"\n[bold]This would {escape(terms_words(terms))}.[/]")
    hand = f", and {preview['in_hand_moving']} in hand" if preview["in_hand_moving"] else ""
    out.print(f"  {preview['items_moving']:,} waiting items move now{hand}.")
    if preview["skills"]:
        table(
            "By work type",
            (
                "work type",
                "moves",
                "people now",
                "people then",
                "wait now",
                "wait then",
                "late now",
                "late then",
                "takers",
            ),
            (_skill(skill) for skill in preview["skills"]),
        )
    for work_type in preview["dead_ends"]:
        out.print(f"  [bold red]DEAD END[/] nobody left for {escape(work_type)}: such items wait until it is over")
    for rule in preview["broken_rules"]:
        how = f"override with --override {rule['rule_id']}" if rule["overridable"] else "cannot be overridden"
        out.print(f"  [bold yellow]RULE[/] {escape(rule['detail'])} ({how})")
    if preview["also_in_force"]:
        out.print(f"  Also in force: {', '.join(preview['also_in_force'])}")


def _skill(skill: dict[str, Any]) -> tuple[object, ...]:
    takers = ", ".join(f"{taker['team_id']} ({taker['people']})" for taker in skill["takers"]) or "NOBODY"
    return (
        skill["work_type"],
        skill["moves"],
        skill["people_without"],
        skill["people_with"],
        minutes(skill["wait_seconds_without"]),
        minutes(skill["wait_seconds_with"]),
        skill["misses_without"],
        skill["misses_with"],
        takers,
    )


def minutes(seconds: float | None) -> str:
    """Seconds as minutes; nobody there is for ever."""
    return "for ever" if seconds is None else f"{seconds / 60:.0f} min"


def tell_report(report: dict[str, Any]) -> None:
    """One reroute, whole."""
    order = report["order"]
    style = PHASE_STYLE.get(order["phase"], "bold")
    out.print(
        f"\n[bold]{order['reroute_id']}[/] [{style}]{order['phase'].upper()}[/] {escape(terms_words(order['terms']))}"
    )
    out.print(f"  Why: {escape(order['terms']['reason'])}")
    if report["held_percent"]:
        out.print(f"  Holds {report['held_percent']} % until {clock(order['ends_at'])}, {left(order['ends_at'])}")
    if order.get("drill_outcome"):
        out.print(f"  Drill: {escape(outcome_words(order['drill_outcome']))}")
    moved = ", ".join(f"{row['items']:,} from {row['team_id']}" for row in report["moved"])
    out.print(f"  Items moved: {moved or 'none yet'}")
    for sentence in report["passed_over"]:
        out.print(f"  [dim]Overlap: {escape(sentence)}[/]")
    table("What happened", ("at", "who", "what"), ((clock(e["at"]), e["who"], e["sentence"]) for e in report["life"]))
    for line in next_steps(order):
        out.print(f"  [bold]Next:[/] {escape(line)}")


def next_steps(order: dict[str, Any]) -> Iterable[str]:
    """What somebody would type now."""
    name = order["reroute_id"]
    match order["phase"]:
        case "proposed":
            yield f"a second person: opsfloor reroute approve {name} --as NAME --reason WHY"
            yield f"or: opsfloor reroute cancel {name} --reason WHY (it expires at {clock(order['approve_by'])})"
        case "approved":
            yield f"it starts by itself; opsfloor reroute cancel {name} --reason WHY stops it"
        case "active":
            yield f"work comes back: opsfloor reroute end {name} --reason WHY"
            yield f"needs longer: opsfloor reroute extend {name} MINUTES --as APPROVER --reason WHY"
        case "returning":
            yield f"it comes back by itself; opsfloor reroute extend {name} MINUTES --as APPROVER --reason WHY holds on"
    if order["review"] == "open":
        yield f"answer for the broken glass: opsfloor reroute review {name} --as SOMEBODY-ELSE --reason WORDS"


def tell_list(orders: Sequence[dict[str, Any]]) -> None:
    """Reroutes as a table, those in force first."""
    if not orders:
        out.print("[green]✓[/] no reroute is open")
        return
    rank = {"active": 0, "returning": 1, "approved": 2, "proposed": 3}
    rows = sorted(orders, key=lambda o: (rank.get(o["phase"], 9), o["proposed_at"]))
    table("Reroutes", ("id", "phase", "what", "by", "approved by", "until", "why"), (_row(order) for order in rows))


def _row(order: dict[str, Any]) -> tuple[object, ...]:
    until = clock(order["ends_at"]) if order["ends_at"] else ""
    review = " REVIEW OPEN" if order["review"] == "open" else ""
    return (
        order["reroute_id"],
        order["phase"] + review,
        terms_words(order["terms"]),
        order["proposed_by"],
        order["approved_by"] or "",
        until,
        order["terms"]["reason"],
    )


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
        f"Drill calendar ({zone})",
        ("entry", "without", "when", "next", "signed by", "last"),
        (_entry(entry) for entry in found["entries"]),
    )
    for entry in found["entries"]:
        if entry["unsigned_because"]:
            out.print(f"  [bold yellow]NOT SIGNED[/] {entry['id']}: {escape(entry['unsigned_because'])}")
        if entry["under_way"]:
            name = entry["under_way"]["reroute_id"]
            out.print(
                f"  [bold]Next:[/] {name} is {entry['under_way']['phase']}; opsfloor reroute cancel {name} stops it"
            )
    table(
        f"Can the floor do without? (a passed drill counts {found['proof_days']:g} days)",
        ("place", "proved", "passed", "last drill", "why not"),
        (_point(point) for point in found["points"]),
    )


def _entry(entry: dict[str, Any]) -> tuple[object, ...]:
    weeks = "each week" if entry["every_weeks"] == 1 else f"every {entry['every_weeks']} weeks"
    return (
        entry["id"],
        entry["scope_words"],
        f"{weeks} {'/'.join(entry['weekdays'])} {entry['begins']}, {entry['minutes']} min",
        clock(entry["next_at"]) or "every day ahead is blocked",
        f"{entry['owner']}, {entry['signed_by']}",
        _came_of(entry["last"]),
    )


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
        out.print(f"[yellow]UNPROVED[/] {', '.join(names)}: no recent passed drill; see opsfloor reroute drills")


def clock(at: str | None) -> str:
    """An instant in UTC, to the second."""
    return "" if at is None else f"{datetime.fromisoformat(at).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def left(at: str | None) -> str:
    """How long until then, by this machine's clock."""
    if at is None:
        return ""
    seconds = (datetime.fromisoformat(at) - datetime.now(UTC)).total_seconds()
    return f"{seconds / 60:.0f} min left" if seconds > 0 else "its end has come"
