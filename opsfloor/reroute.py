"""`opsfloor reroute`: move people's work in an emergency, with a second person, and bring it back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import unquote

import typer

from opsfloor import floor
from opsfloor.answers import AN_INSTANT, Remedied, an_instant, as_json, in_address, out, said, table
from opsfloor.reroute_again import AGAIN_MINUTES, Unanswered
from opsfloor.reroute_names import expect_known, known_names
from opsfloor.reroute_words import (
    all_back_at,
    clock,
    next_steps,
    phase_in,
    tell_drift,
    tell_drills,
    tell_list,
    tell_look,
    tell_preview,
    tell_report,
    tell_stay,
    tell_unproved,
    to_type,
)
from opsfloor.writing import expect_writable
from services.routing.emergency.report import OVER
from shared.contracts.reroute import DRILL_MINUTES_MAX, DRILL_MINUTES_MIN, HOURS_MAX, MINUTES_MAX
from shared.reroutes import IN_FORCE

app: Final = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Move people's work in an emergency: propose, approve, end, look."
)
A_MINUTE: Final = timedelta(minutes=1)
WHOLE: Final = 100  # percent
USUAL_MINUTES: Final = 60
GLASS_MINUTES: Final = 30  # all that one person alone may order
INSTEAD_OF_LONGER: Final = {
    "proposed": "have it approved first: `opsfloor reroute approve {0}`; or cancel it, and propose it for longer",
    "approved": "keep it for longer once it has begun (`opsfloor reroute show {0}` says when); or cancel it, and propose it "
    "for longer",
}
"""What to do with an order that is not in force yet, by its phase."""
PROPOSE_ANEW: Final = "propose it anew: `opsfloor reroute propose`"
INSTEAD: Final = {
    "proposed": "cancel it: `opsfloor reroute cancel {0} --reason WHY`; or have it approved first",
    "approved": "cancel it: `opsfloor reroute cancel {0} --reason WHY`; or wait until it begins by itself",
    "active": "`opsfloor reroute end {0} --reason WHY` lets the work come back; `cancel` instead of `end` stops it at once",
    "returning": "it comes back by itself; `opsfloor reroute cancel {0} --reason WHY` stops it at once",
}
"""What to do with an order that a command does not fit, by its phase."""
MAY_COME: Final = frozenset({floor.UNANSWERED, "dependency_away", "broker_silent"})
"""The codes of what may have reached the book of reroutes, though nobody has said what became of it."""
TAKES_UP: Final = frozenset({"propose", "approve", "extend"})
NOT_OVER: Final = frozenset({"proposed", "approved", "active", "returning"})
SILENT: Final = "Expected the broker to take the command, found that it has not said in time whether it did"
STOPS: Final = frozenset({"refuse", "cancel", "end"})
EFFECTS: Final = ("drain", "evacuate", "recall", "shift", "local")


def ids(*phases: str, review: bool = False) -> Callable[[str], list[str]]:
    """The open reroutes in one of the phases (none named: all), or with an open review, for the shell's completion."""

    def completed(incomplete: str) -> list[str]:
        try:
            found = floor.ask("routing", "/reroutes?open=true", "viewer")
        except Remedied:
            return []
        meant = [one for one in found if (one["review"] == "open" if review else not phases or one["phase"] in phases)]
        return [one["reroute_id"] for one in meant if one["reroute_id"].startswith(incomplete)]

    return completed


def somebody(actor: str) -> str:
    """The name, if it is one. Errors: `Remedied`."""
    if not actor.strip() or not actor.isprintable():
        raise Remedied(f"Expected a name after --as, found {actor!r}", "`--as NAME` says who you are")
    return actor


def _from(least: int, most: int) -> Callable[[typer.CallbackParam, int | None], int | None]:
    """A number of at least and at most so much, for an option or an argument. Errors: `Remedied`, with its name."""

    def within(param: typer.CallbackParam, number: int | None) -> int | None:
        if number is not None and not least <= number <= most:
            name = next((name for name in param.opts if name.startswith("-")), (param.name or "").upper())
            raise Remedied(
                f"Expected {name} from {least} to {most}, found {number}", f"name a number from {least} to {most}"
            )
        return number

    return within


def instant(text: str | None) -> str | None:
    """The start, if it is an instant. Errors: `Remedied`."""
    return None if text is None else an_instant(text, "--starts-at").isoformat()


def effects(incomplete: str) -> list[str]:
    """The effects, for the shell's completion."""
    return [effect for effect in EFFECTS if effect.startswith(incomplete)]


def names(kind: str) -> Callable[[str], list[str]]:
    """What a part of the scope, or an override, may name, for the shell's completion."""

    def completed(incomplete: str) -> list[str]:
        try:
            return [name for name in known_names(kind) if name.startswith(incomplete)]
        except Remedied:
            return []

    return completed


def _named(kind: str) -> Any:
    return typer.Option(help="part of the scope: only this one; again for more of them", autocompletion=names(kind))


Effect = Annotated[str, typer.Argument(metavar="EFFECT", help=" | ".join(EFFECTS), autocompletion=effects)]


def _identity(complete: Callable[[str], list[str]]) -> Any:
    return typer.Argument(
        metavar="ID", help="from `opsfloor reroute list`", callback=in_address, autocompletion=complete
    )


Identity = Annotated[str, _identity(ids())]
Proposed = Annotated[str, _identity(ids("proposed"))]
InForce = Annotated[str, _identity(ids("active"))]
Extendable = Annotated[str, _identity(ids("active", "returning"))]
Stoppable = Annotated[str, _identity(ids("proposed", "approved", "active", "returning"))]
Unreviewed = Annotated[str, _identity(ids(review=True))]
Actor = Annotated[
    str, typer.Option("--as", envvar="OPSFLOOR_ACTOR", help="who you are; kept on record", callback=somebody)
]
Reason = Annotated[str, typer.Option(help="why; kept on record")]
Override = Annotated[
    list[str] | None,
    typer.Option(
        help="name of a safety rule that you answer for breaking; one that is not broken counts for nothing",
        autocompletion=names("rules"),
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="do not ask")]
Json = Annotated[bool, typer.Option("--json", help="one JSON document")]
Centres = Annotated[list[str] | None, _named("centres")]
Teams = Annotated[list[str] | None, _named("teams")]
Providers = Annotated[list[str] | None, _named("providers")]
WorkTypes = Annotated[list[str] | None, _named("work_types")]
BusinessTypes = Annotated[list[str] | None, _named("business_types")]
Regions = Annotated[list[str] | None, _named("regions")]
DataClasses = Annotated[list[str] | None, _named("data_classes")]
Minutes = Annotated[
    int, typer.Option(help="how long it is in force, at most 4320 (72 hours)", callback=_from(1, MINUTES_MAX))
]
Percent = Annotated[int, typer.Option(help="of the items, for a shift alone", callback=_from(1, WHOLE))]
StartsAt = Annotated[str | None, typer.Option(help=f"later: an instant with its zone, {AN_INSTANT}", callback=instant)]


def _terms(effect: str, minutes: int, reason: str, percent: int, starts_at: str | None, **scope: Any) -> dict[str, Any]:
    if effect not in EFFECTS:
        raise Remedied(f"Expected one of {', '.join(EFFECTS)}, found {effect!r}", "name one of them")
    if percent != WHOLE and effect != "shift":
        raise Remedied(
            f"Expected --percent with a shift alone, found {percent} for {effect}", "`shift` moves a part of the work"
        )
    named = {name: list(dict.fromkeys(values)) for name, values in scope.items() if values}
    terms = {"effect": effect, "scope": named, "minutes": minutes, "reason": reason, "drill": False, "percent": percent}
    return terms | ({"starts_at": starts_at} if starts_at else {})


@app.command("preview")
def preview(
    effect: Effect,
    centre: Centres = None,
    team: Teams = None,
    provider: Providers = None,
    work_type: WorkTypes = None,
    business_type: BusinessTypes = None,
    region: Regions = None,
    data_class: DataClasses = None,
    minutes: Minutes = 60,
    percent: Percent = 100,
    starts_at: StartsAt = None,
    drill: Annotated[bool, typer.Option("--drill", help="as a drill: says whether it would be refused")] = False,
    json: Json = False,
) -> None:
    """What would it do? Changes nothing."""
    scope = _scope(centre, team, provider, work_type, business_type, region, data_class)
    terms = _terms(effect, minutes, "a look", percent, starts_at, **scope) | {"drill": drill}
    expect_known(terms["scope"])
    _show_preview(terms, floor.tell("routing", "/reroutes/preview", terms, "viewer", "command-line"), json)
    if not json:
        _look_ahead(terms, "command-line")


@app.command("propose")
def propose(
    effect: Effect,
    reason: Reason,
    centre: Centres = None,
    team: Teams = None,
    provider: Providers = None,
    work_type: WorkTypes = None,
    business_type: BusinessTypes = None,
    region: Regions = None,
    data_class: DataClasses = None,
    minutes: Annotated[
        int | None,
        typer.Option(
            help="how long it is in force, at most 4320 (72 hours); 60 unless given, with --break-glass 30",
            callback=_from(1, MINUTES_MAX),
        ),
    ] = None,
    percent: Percent = 100,
    starts_at: StartsAt = None,
    break_glass: Annotated[bool, typer.Option(help="start at once, alone, at most 30 min; a review opens")] = False,
    override: Override = None,
    actor: Actor = "command-line",
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Show what it would do, then propose it; a second person approves."""
    scope = _scope(centre, team, provider, work_type, business_type, region, data_class)
    if minutes is None:
        minutes = GLASS_MINUTES if break_glass else USUAL_MINUTES
    terms = _terms(effect, minutes, reason, percent, starts_at, **scope)
    _propose(terms, break_glass, override or [], actor, yes, json)


@app.command("drill")
def drill(
    centre: Centres = None,
    provider: Providers = None,
    team: Teams = None,
    minutes: Annotated[
        int,
        typer.Option(
            help=f"how long it is in force, from {DRILL_MINUTES_MIN} to {DRILL_MINUTES_MAX}",
            callback=_from(DRILL_MINUTES_MIN, DRILL_MINUTES_MAX),
        ),
    ] = 30,
    reason: Reason = "drill",
    actor: Actor = "command-line",
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Propose a drill: a real drain, marked, that breaks no safety rule. The calendar's own: `reroute drills`."""
    terms = _terms("drain", minutes, reason, 100, None, **_scope(centre, team, provider)) | {"drill": True}
    _propose(terms, False, [], actor, yes, json)


@app.command("drills")
def drills(json: Json = False) -> None:
    """The drill calendar: what comes, what came of it, and which centre or vendor no recent drill proves."""
    found = floor.ask("routing", "/reroutes/drills", "viewer")
    if json:
        as_json(found)
    else:
        tell_drills(found)


def _scope(*parts: list[str] | None) -> dict[str, Any]:
    names = ("centres", "teams", "providers", "work_types", "business_types", "regions", "data_classes")
    return dict(zip(names, parts, strict=False))


def _look_ahead(terms: dict[str, Any], actor: str) -> None:
    """The simulator's word on it, where there is one in time: the preview above stands without it."""
    try:
        tell_look(floor.tell("routing", "/reroutes/look-ahead", terms, "viewer", actor))
    except Remedied as found:
        out.print(f"  [dim]Not played by the simulator: {said(found.what)}[/]")


def _propose(terms: dict[str, Any], break_glass: bool, rules: list[str], actor: str, yes: bool, json: bool) -> None:
    if rules and not break_glass:
        raise Remedied(
            "Expected --override with --break-glass alone, found a proposal",
            "whoever approves names the rules: `opsfloor reroute approve ID --override RULE`",
        )
    _expect_asked(json, yes or not break_glass)
    expect_known(terms["scope"], rules)
    if not json:
        with out.unread(goes_on=yes):
            tell_preview(terms, floor.tell("routing", "/reroutes/preview", terms, "viewer", actor))
            if not break_glass:  # who breaks it has no seconds to lose
                _look_ahead(terms, actor)
        question = "START IT NOW, alone, and answer for it?" if break_glass else "Propose it?"
        _confirm(question, yes)
    body = {"terms": terms, "break_glass": break_glass, "override_rules": rules}
    try:
        answer = _hand_in("/reroutes", body, "proposer", actor, json)
    except Remedied as refusal:
        if break_glass and terms.get("starts_at") and refusal.code == "start_too_far":
            remedy = "leave `--starts-at` out; or leave `--break-glass` out, and have a second person approve it"
            raise Remedied(refusal.what, remedy, refusal.code) from refusal
        if refusal.code in MAY_COME:
            raise Remedied(_what_came(refusal), _may_come(), refusal.code) from refusal
        raise
    _told(answer, "propose", actor, json)


@app.command("approve")
def approve(
    identity: Proposed,
    reason: Reason,
    override: Override = None,
    actor: Actor = "command-line",
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Look at what was foreseen and how the floor is now, then agree to what was foreseen. Never your own proposal."""
    _expect_asked(json, yes)
    expect_known({}, override or ())
    order = floor.ask("routing", f"/reroutes/{identity}", "viewer", actor)["order"]
    if not json:
        with out.unread(goes_on=yes):
            tell_preview(order["terms"], order["preview"])
            tell_drift(order["preview"], _as_it_would_be_now(order["terms"], actor))
        _confirm("Approve exactly this?", yes)
    body = {"preview_sha256": order["preview"]["sha256"], "override_rules": override or [], "reason": reason}
    _do(identity, "approve", body, "approver", actor, json)


def _stay(identity: str, minutes: int, actor: str) -> Any:
    """What keeping it would do. Errors: `Remedied`, also where nobody may keep it for so long."""
    try:
        return floor.ask("routing", f"/reroutes/{identity}/stay?minutes={minutes}", "viewer", actor)
    except Remedied as refusal:
        raise _with_remedy(refusal, identity, "extend", actor) from refusal


def _as_it_would_be_now(terms: dict[str, Any], actor: str) -> Any:
    """The preview on the floor as it is now, from the same start on as what was foreseen; a start that has gone by is now."""
    try:
        return floor.tell("routing", "/reroutes/preview", terms, "viewer", actor)
    except Remedied as refusal:
        if refusal.code != "start_past":
            raise
        return floor.tell("routing", "/reroutes/preview", {**terms, "starts_at": None}, "viewer", actor)


@app.command("refuse")
def refuse(identity: Proposed, reason: Reason, actor: Actor = "command-line", json: Json = False) -> None:
    """Say no to a proposal."""
    _do(identity, "refuse", {"reason": reason}, "approver", actor, json)


@app.command("cancel")
def cancel(identity: Stoppable, reason: Reason, actor: Actor = "command-line", json: Json = False) -> None:
    """Stop it where it stands, at once and without a ramp."""
    _do(identity, "cancel", {"reason": reason}, "proposer", actor, json)


@app.command("end")
def end(identity: InForce, reason: Reason, actor: Actor = "command-line", json: Json = False) -> None:
    """Let the work come back, step by step."""
    _do(identity, "end", {"reason": reason}, "proposer", actor, json)


@app.command("extend")
def extend(
    identity: Extendable,
    minutes: Annotated[int, typer.Argument(help="so many minutes more", callback=_from(1, MINUTES_MAX))],
    reason: Reason,
    override: Override = None,
    actor: Actor = "command-line",
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Look at what keeping it does, then keep it in force for longer, up to 72 hours from its start. Never your own proposal
    alone."""
    _expect_asked(json, yes)
    expect_known({}, override or ())
    if not json:
        report = floor.ask("routing", f"/reroutes/{identity}", "viewer", actor)
        order = report["order"]
        _expect_in_force(report)
        stay = _stay(identity, minutes, actor)
        with out.unread(goes_on=yes):
            tell_stay(minutes, stay, order["overridden_rules"], drill=order["terms"]["drill"])
        _confirm(f"Keep it in force for {minutes} more minutes?", yes)
    body = {"reason": reason, "minutes": minutes, "override_rules": override or []}
    _do(identity, "extend", body, "approver", actor, json)


@app.command("review")
def review(identity: Unreviewed, reason: Reason, actor: Actor = "command-line", json: Json = False) -> None:
    """Answer, in words, for a glass that somebody else broke."""
    _do(identity, "review", {"reason": reason}, "approver", actor, json)


@app.command("list")
def list_reroutes(
    everything: Annotated[bool, typer.Option("--all", help="those that are over, too")] = False, json: Json = False
) -> None:
    """What is proposed, in force, coming back, or waits for a review."""
    orders = floor.ask("routing", "/reroutes" if everything else "/reroutes?open=true", "viewer")
    if json:
        as_json(orders)
    else:
        drills = floor.ask("routing", "/reroutes/drills", "viewer")
        tell_list(orders, datetime.fromisoformat(drills["at"]))
        tell_unproved(drills)


@app.command("show")
def show(
    identity: Identity,
    html: Annotated[Path | None, typer.Option(help="write the report as a page into this file")] = None,
    json: Json = False,
) -> None:
    """One reroute, as an auditor reads it, and what to do next."""
    if html is not None:
        expect_writable(html)
        html.write_text(floor.text_of("routing", f"/reroutes/{identity}/report.html", "viewer", "command-line"))
        out.print(f"[green]✓[/] {html}")
        return
    report = floor.ask("routing", f"/reroutes/{identity}", "viewer")
    if json:
        as_json(report)
    else:
        tell_report(report)


@app.command("history")
def history(identity: Identity, json: Json = False) -> None:
    """Everything that happened to one reroute."""
    life = floor.ask("routing", f"/reroutes/{identity}/history", "viewer")
    if json:
        as_json(life)
    else:
        table(
            f"Reroute {unquote(identity)}",
            ("at", "who", "what"),
            ((clock(e["at"]), e["who"], e["sentence"]) for e in life),
        )


def _show_preview(terms: dict[str, Any], found: dict[str, Any], json: bool) -> None:
    if json:
        as_json(found)
    else:
        tell_preview(terms, found)


def _expect_asked(json: bool, yes: bool) -> None:
    """Errors: `Remedied` where work would move at once and nobody was shown or asked anything."""
    if json and not yes:
        raise Remedied(
            "Expected --yes beside --json: there is no preview to read then, and nobody is asked",
            "look with `opsfloor reroute preview` first, then say --yes; or leave --json away",
        )


def _expect_in_force(report: dict[str, Any]) -> None:
    """Errors: `Remedied` where there is nothing to keep for longer, with what to do instead."""
    order, phase = report["order"], phase_in(report)
    if phase not in IN_FORCE:
        remedy = PROPOSE_ANEW if phase == OVER else _instead(order, "extend")
        what = f"Expected an order in force to keep for longer, found {order['reroute_id']} {phase}"
        raise Remedied(what, remedy, "wrong_phase")


def _instead(order: dict[str, Any], verb: str) -> str:
    """What to do with an order that the command does not fit."""
    name, phase = order["reroute_id"], order["phase"]
    if verb == "extend":
        return INSTEAD_OF_LONGER.get(phase, PROPOSE_ANEW).format(name)
    if phase == "proposed" and verb == "approve":  # too late, and nobody has looked at it since
        return PROPOSE_ANEW
    if phase not in INSTEAD and verb in STOPS:
        return f"nothing of it is left to stop; `opsfloor reroute show {name}` says what it did"
    return INSTEAD.get(phase, PROPOSE_ANEW).format(name)


def _instead_of_more(order: dict[str, Any]) -> str | None:
    """What to do with an order that would be kept for too long; none for a broken glass, which has a remedy of its own."""
    if order["break_glass"]:
        return None
    more = (datetime.fromisoformat(order["last_end_at"]) - datetime.fromisoformat(order["ends_at"])) // A_MINUTE
    less = f"extend it by at most {more} minutes, or " if more > 0 and order["phase"] == "active" else ""
    return (
        f"{HOURS_MAX} hours are the most: {less}propose it anew for when all of it is back: "
        f"`opsfloor reroute propose … --starts-at {to_type(all_back_at(order))}`"
    )


def _may_come(identity: str | None = None) -> str:
    """What to do about a command of which nobody has said what became of it."""
    where = "list --all" if identity is None else f"show {identity}"
    return (
        "it may still be done, or never, once broker and database are back (`opsfloor stack status`): look first, "
        f"`opsfloor reroute {where}`; typed again within {AGAIN_MINUTES} minutes it is the same command, and done once"
    )


def _with_remedy(refusal: Remedied, identity: str, verb: str, actor: str) -> Remedied:
    """The refusal with what to do about it, where that depends on the command and the order."""
    remedy = _remedy(refusal.code, identity, verb, actor)
    return refusal if remedy is None else Remedied(_what_came(refusal), remedy, refusal.code)


def _what_came(refusal: Remedied) -> str:
    """What did not work, for people: of a silent broker routing tells programs what to do, whose keys nobody types."""
    return SILENT if refusal.code == "broker_silent" else refusal.what


def _remedy(code: str, identity: str, verb: str, actor: str) -> str | None:
    """What to do about a refusal of this command, where that depends on the command and the order; else none."""
    if code in MAY_COME:
        return _may_come(unquote(identity))
    if code == "preview_changed":
        return f"look again with `opsfloor reroute show {unquote(identity)}`, then approve what it says now"
    if code == "own_proposal" and verb == "refuse":
        return f"withdraw it: `opsfloor reroute cancel {unquote(identity)} --reason WHY`"
    if code not in ("too_long", "wrong_phase"):
        return None
    try:
        order = floor.ask("routing", f"/reroutes/{identity}", "viewer", actor)["order"]
    except Remedied:
        return None
    return _instead_of_more(order) if code == "too_long" else _instead(order, verb)


def _confirm(question: str, yes: bool) -> None:
    if not yes and not typer.confirm(question):
        raise typer.Exit(1)


def _hand_in(path: str, body: dict[str, Any], role: str, actor: str, json: bool) -> Any:
    """What became of a command. Errors: `Remedied`.

    Holds:   one that nobody has answered is the same command when it is typed again.
    """
    command = Unanswered.of(path, body, actor)
    if command.again and not json:
        out.print("  The same was sent before, and nobody answered: it goes out as that command, not as a second one.")
    try:
        answer = floor.tell("routing", path, body, role, actor, command.key)
    except Remedied as refusal:
        if refusal.code not in MAY_COME:
            command.forget()
        raise
    if answer["code"] != "pending":
        command.forget()
    return answer


def _do(identity: str, verb: str, body: dict[str, Any], role: str, actor: str, json: bool) -> None:
    try:
        answer = _hand_in(f"/reroutes/{identity}/{verb}", body, role, actor, json)
    except Remedied as refusal:
        raise _with_remedy(refusal, identity, verb, actor) from refusal
    _told(answer, verb, actor, json)


def _told(answer: dict[str, Any], verb: str, actor: str, json: bool) -> None:
    """What was done, and what to do next."""
    if json:
        as_json(answer)
        return
    done = answer["code"] in ("done", "noted")
    mark = "[green]✓[/]" if done else "[yellow]…[/]"
    out.print(f"{mark} [bold]{said(answer['reroute_id'])}[/] {said(answer['detail'])}")
    if not done:
        out.print(f"  [bold]Next:[/] {said(_may_come(answer['reroute_id']))}")
        return
    there = floor.ask("routing", f"/reroutes/{in_address(answer['reroute_id'])}", "viewer", actor)
    phase = phase_in(there)
    if verb in TAKES_UP and phase not in NOT_OVER:
        out.print(f"  [bold]Now:[/] {said(phase)}; the line above tells what the command did when it was carried out")
    for line in next_steps(there["order"], phase):
        out.print(f"  [bold]Next:[/] {said(line)}")
