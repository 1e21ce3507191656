"""`opsfloor reference FOLDER`: the bank's reference data, checked and published."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from opsfloor import floor
from opsfloor.answers import Remedied, out, said
from opsfloor.publishing import commands, published
from shared.contracts.reference import (
    REFERENCE,
    Branch,
    BusinessType,
    DrillEntry,
    Operator,
    Provider,
    ReferenceEntry,
    RerouteDuty,
    RerouteRule,
    Shift,
)
from shared.contracts.vendor import OperatorStanding, ProviderStanding
from shared.home import home
from shared.reference import ReferenceErrors, load
from shared.reference.board import REFERENCE_BOARD, ReferenceView
from shared.reference.keys import with_local_keys
from shared.reference.staffing import staffing_faults
from shared.runtime.clock import clock_from_environment
from shared.runtime.topics import PARTITIONS_DEFAULT, ensure_topics
from shared.standing import STANDING_BOARD, StandingView

REMOVABLE: Final = (Operator, Branch, RerouteDuty, RerouteRule, DrillEntry, Shift)
"""What is off the floor the moment it is taken out. Work may still be of other entries, so those stay."""
NAMED: Final = 12  # of what is gone; more is counted


def publish_reference(
    folder: Annotated[Path, typer.Argument(help="folder with the bank's YAML files; deploy/reference is an example")],
    check: Annotated[bool, typer.Option("--check", help="only validate, publish nothing")] = False,
    remove: Annotated[
        bool | None,
        typer.Option(
            "--remove/--keep",
            help="people, branches, duties, rules, drills and shifts that are on the floor and in the folder no more: take "
            "them off, or leave them; without either nothing is published while there are such",
        ),
    ] = None,
    partitions: Annotated[
        int | None,
        typer.Option(min=1, help=f"partitions of every topic; {PARTITIONS_DEFAULT} for a new floor, else what it has"),
    ] = None,
) -> None:
    """Validate the bank's reference data and publish it; makes the topics when they are missing."""
    try:
        entries = load(folder, clock_from_environment().now())
    except ReferenceErrors as error:
        raise Remedied(str(error), f"mend the lines named above in {folder}") from error
    if check:
        out.print(f"[green]✓[/] {len(entries)} entries of reference data valid")
        return
    gone, stay, judged = asyncio.run(_publish(with_local_keys(entries, home() / "keys"), remove, partitions))
    out.print(f"[green]✓[/] {len(entries)} entries of reference data published")
    if gone:
        out.print(f"{'Taken off the floor' if remove else 'Left on the floor'}: {said(_named(gone))}")
    if stay:
        out.print(f"On the floor though not in the folder, as work may still be of them: {said(_named(stay))}")
    if judged:
        out.print(
            f"[yellow]![/] Supervision has judged them since, so their initial standing changes nothing: {said('; '.join(judged))}. "
            "To keep somebody from all work, take the entry out of the folder and publish that with `--remove`."
        )


async def _publish(
    entries: Sequence[ReferenceEntry], remove: bool | None, partitions: int | None
) -> tuple[Sequence[ReferenceEntry], Sequence[ReferenceEntry], Sequence[str]]:
    """Returns what the folder names no more: what could be taken off the floor, and what stays; and whose new initial
    standing changes nothing.

    Errors:  `Remedied` when something could be, and nobody said whether it is to be, or when what stays would have lost
             its people; nothing is published then.
    """
    await ensure_topics(floor.settings().kafka, partitions)
    view, standing = await published(REFERENCE_BOARD), await published(STANDING_BOARD)
    gone, stay = left_out(view, {entry.key for entry in entries})
    if gone and remove is None:
        raise Remedied(
            f"Expected the folder to name all that is on the floor, found {len(gone)} that it does not: {_named(gone)}",
            "`--remove` takes them off the floor at once, and gives what people have in hand to others; `--keep` leaves them",
        )
    judged = judged_already(view, entries, standing)
    lost = newly_unstaffed(view, entries, gone if remove else ())
    if lost:
        raise Remedied(
            "Expected people for business types that the folder does not name, as they stay on the floor and cases of them "
            f"may be open; found {'; '.join(lost)}",
            "keep these business types in the folder, and people who are qualified for each of their steps",
        )
    async with commands() as publisher:
        for entry in entries:
            await publisher.publish(entry, f"reference/{entry.key}")
        for entry in gone if remove else ():
            await publisher.remove(REFERENCE, entry.key)
    return gone, stay, judged


def left_out(view: ReferenceView, keys: Collection[str]) -> tuple[list[ReferenceEntry], list[ReferenceEntry]]:
    """What stands on the floor under other keys: what can be taken off, and what cannot."""
    others = sorted((entry for entry in view.entries() if entry.key not in keys), key=lambda entry: entry.key)
    return (
        [entry for entry in others if isinstance(entry, REMOVABLE)],
        [entry for entry in others if not isinstance(entry, REMOVABLE)],
    )


def judged_already(view: ReferenceView, entries: Sequence[ReferenceEntry], standing: StandingView) -> list[str]:
    """Whose initial standing the entries change although it counts no more, and what they are now, in words."""
    people = {entry.id: entry for entry in entries if isinstance(entry, Operator)}
    providers = {entry.id: entry for entry in entries if isinstance(entry, Provider)}
    return [
        *_judged(view.operators, people, standing.operators),
        *_judged(view.providers, providers, standing.providers),
    ]


def _judged(
    before: Mapping[str, Operator | Provider],
    now: Mapping[str, Operator | Provider],
    standing: Mapping[str, OperatorStanding | ProviderStanding],
) -> list[str]:
    return [
        f"{entry.noun} {name} is {standing[name].standing}"
        for name, entry in now.items()
        if name in before
        and before[name].initial_standing != entry.initial_standing
        and name in standing
        and standing[name].standing != entry.initial_standing
    ]


def newly_unstaffed(
    view: ReferenceView, entries: Sequence[ReferenceEntry], gone: Sequence[ReferenceEntry]
) -> list[str]:
    """What nobody could do any more of business types that only the floor knows; afterwards the view has the entries, and
    what is gone no more."""
    named = {entry.id for entry in entries if isinstance(entry, BusinessType)}
    stay = [template for template in view.business_types.values() if template.id not in named]
    staffed = [template for template in stay if not staffing_faults(template, view)]
    for entry in entries:
        view.fold(entry.key, entry)
    for entry in gone:
        view.fold(entry.key, None)
    return [
        f"business type {template.id}: {fault}" for template in staffed for fault in staffing_faults(template, view)
    ]


def _named(entries: Sequence[ReferenceEntry]) -> str:
    names = [f"{entry.noun.replace('-', ' ')} {entry.id}" for entry in entries[:NAMED]]
    return ", ".join([*names, *([f"and {len(entries) - NAMED} more"] if len(entries) > NAMED else [])])
