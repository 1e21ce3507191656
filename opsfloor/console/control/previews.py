"""A preview in words: what would happen, what speaks against it, work type by work type. Pure."""

from __future__ import annotations

from opsfloor.console.control.telling import capital, count, local, wait, what
from opsfloor.console.sheet import Cell, Line
from opsfloor.console.words import Verdict
from opsfloor.reroute_words import TAKERS_MAX
from services.routing.emergency.counted import counted_words
from services.routing.emergency.looking import LookAhead
from services.routing.emergency.nowhere import (
    PreviewSeen,
    kept_words,
    later_words,
    nowhere_words,
    stale_words,
    stranded_words,
)
from services.routing.emergency.report import back_words
from shared.contracts.reroute import BrokenRule, Preview, RerouteTerms, SkillForecast


def foreseen(terms: RerouteTerms, preview: Preview, zone: str) -> str:
    """What it would do, in a sentence."""
    hand = f", and {preview.in_hand_moving} in hand" if preview.in_hand_moving else ""
    moves = f"{count(preview.items_moving)} waiting items move at once{hand}."
    if terms.effect == "local":
        moves = back_words(preview.submissions_back)
    later = local(later_words(terms, preview), zone, preview.taken_at)
    return f"{capital(what(terms, zone))}: {moves} {later}".rstrip()


def warnings(preview: Preview, zone: str, *, drill: bool = False) -> list[tuple[Verdict, str]]:
    """What speaks against it; when nothing does, that."""
    found: list[tuple[Verdict, str]] = [("bad", f"AT NO DESK: {words}") for words in at_no_desk(preview)]
    found += [
        (
            "bad",
            f"DEAD END: nobody is left for {name}{stranded_words(name, preview)}; such items wait until it is over.",
        )
        for name in preview.dead_ends
    ]
    for rule in preview.broken_rules:
        how = "whoever lets it start must name it" if rule.overridable else "cannot be overridden"
        how = "no drill overrides a rule" if drill else how
        verdict: Verdict = "watch" if rule.overridable and not drill else "bad"
        found.append((verdict, f"RULE {rule.rule_id}: {rule.detail} ({how})"))
    found += [("watch", f"LIMIT: {limit.words}") for limit in preview.limits if limit.broken]
    if isinstance(preview, PreviewSeen) and preview.drill_refused is not None:
        found.insert(0, ("bad", f"REFUSED as a drill: {preview.drill_refused}"))
    if isinstance(preview, PreviewSeen) and preview.counted is not None:
        found.append(("", counted_words(preview.counted)))
    if preview.also_in_force:
        found.append(("watch", f"Also in force when it begins: {', '.join(preview.also_in_force)}."))
    found += [("good", f"Kept: {limit.words}") for limit in preview.limits if not limit.broken]
    if not preview.dead_ends and not preview.broken_rules and not at_no_desk(preview):
        found.insert(0, ("good", "Somebody is left for every work type, and no safety rule is broken."))
    stated = [late_words(preview), *found]
    if stale := stale_of(preview):
        stated.insert(0, ("bad", f"STALE: {stale}"))
    return [(verdict, local(words, zone, preview.taken_at)) for verdict, words in stated]


def stale_of(preview: Preview) -> str:
    """That its figures are old, in a sentence; nothing of one that was stored with an order, which is of its own instant."""
    return stale_words(preview) if isinstance(preview, PreviewSeen) else ""


def rule_words(rule: BrokenRule, preview: Preview, zone: str) -> str:
    """A rule that it would break, and why, as of the instant of the preview."""
    return f"{rule.rule_id}: {local(rule.detail, zone, preview.taken_at)}"


def at_no_desk(preview: Preview) -> list[str]:
    """What waits with nobody, in sentences. Holds: what was stored with an order tells queues at desks alone."""
    return nowhere_words(preview) if isinstance(preview, PreviewSeen) else []


def stay_words(minutes: int, preview: PreviewSeen, zone: str) -> str:
    """What keeping an order in force for so much longer does, and what whoever says yes answers for."""
    before, after = misses(preview)
    parts = [f"STALE: {stale}"] if (stale := stale_words(preview)) else []
    parts += [f"For {minutes} more minutes. Of what waits at desks {after} would be late with it, {before} without it."]
    parts += [kept_words(preview), *nowhere_words(preview)]
    parts += [f"DEAD END: nobody is left for {name}{stranded_words(name, preview)}." for name in preview.dead_ends]
    parts += [f"LIMIT: {limit.words}" for limit in preview.limits if limit.broken]
    parts += [
        f"You answer for breaking {rule.rule_id}: {rule.detail}" for rule in preview.broken_rules if rule.overridable
    ]
    parts += [f"It cannot be kept: {preview.drill_refused}"] if preview.drill_refused else []
    parts += [f"It cannot be kept: {rule.detail}" for rule in preview.broken_rules if not rule.overridable]
    return local(" ".join(parts), zone, preview.taken_at)


def played(look: LookAhead) -> str:
    """What the floor simulator saw of the next minutes."""
    before, after = look.without, look.with_it
    most = f", the most urgent; {count(look.left_out)} more wait" if look.left_out else ""
    return (
        f"Played on virtual time, the next {look.minutes:g} minutes of {count(look.items)} items{most}: "
        f"done {count(before.done)} without it, {count(after.done)} with it; late {count(before.late)} and "
        f"{count(after.late)}; still waiting {count(before.waiting)} and {count(after.waiting)}."
    )


def late_words(preview: Preview) -> tuple[Verdict, str]:
    """How many more would be late."""
    before, after = misses(preview)
    verdict: Verdict = "good" if after <= before else "watch"
    return verdict, f"Late, as it looks: {before} without it, {after} with it."


def misses(preview: Preview) -> tuple[int, int]:
    """How many of what waits will be late, without and with the reroute."""
    return sum(skill.misses_without for skill in preview.skills), sum(skill.misses_with for skill in preview.skills)


def untouched(skill: SkillForecast, preview: Preview) -> bool:
    """Nothing of it waits, at a desk or at none, and somebody is left if something comes."""
    nowhere = isinstance(preview, PreviewSeen) and any(one.work_type == skill.work_type for one in preview.nowhere)
    return skill.queued == 0 and skill.people_with > 0 and not skill.dead_end and not skill.dead_sorts and not nowhere


def skill_line(skill: SkillForecast) -> Line:
    """What becomes of one work type."""
    takers = tuple(f"{taker.team_id} ({taker.people})" for taker in skill.takers)
    return Line(
        skill.work_type,
        (
            Cell(skill.work_type),
            Cell(f"{count(skill.moves)} of {count(skill.queued)}"),
            Cell(f"{skill.people_without} → {skill.people_with}"),
            Cell(f"{wait(skill.wait_seconds_without)} → {wait(skill.wait_seconds_with)}"),
            Cell(f"{skill.misses_without} → {skill.misses_with}"),
            Cell(", ".join(takers[:TAKERS_MAX]), "bad", "" if takers else "NOBODY", folded=takers[TAKERS_MAX:]),
        ),
    )
