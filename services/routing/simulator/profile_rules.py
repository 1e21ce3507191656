"""What a profile must be so that its days can be played and ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from services.routing.simulator.bank import Crew, Profile, Work
from shared.contracts.message import Identity

Path = tuple[str | int, ...]
"""Where in a profile: names of fields and positions in lists."""

PEOPLE_MAX: Final = 1_000
SECONDS_MAX: Final = 86_400.0
MINUTES_MAX: Final = 7 * 24 * 60.0
REVIEWS_MAX: Final = 4
SPREAD_MAX: Final = 2.0
SPIKE_MAX: Final = 100.0
SHARES_ADD_UP: Final = 0.001  # shares of the types may miss 1 by so much
NAME: Final = TypeAdapter[str](Identity)


def faults_of(profile: Profile) -> Iterator[tuple[Path, str]]:
    """Where the profile cannot be played, and why, each in a sentence: «expected …, found …»."""
    yield from _bounded((), profile, "spike", 0.0, SPIKE_MAX, above=True)
    for field in ("paces_vary", "types_vary", "sizes_vary"):
        yield from _bounded((), profile, field, 0.0, SPREAD_MAX)
    for field in ("vendor_minimum", "vendor_maximum", "centre_maximum"):
        if getattr(profile, field) is not None:
            yield from _bounded((), profile, field, 0.0, 1.0)
    least, most = profile.vendor_minimum, profile.vendor_maximum
    if least is not None and most is not None and least > most:
        yield ("vendor_minimum",), f"expected at most vendor_maximum, {most:g}, found {least:g}"
    if least and not any(crew.role == "vendor" for crew in profile.crews):
        yield ("vendor_minimum",), f"expected a crew of role vendor to keep it, found none for {least:g}"
    for number, work in enumerate(profile.work):
        yield from _of_work(("work", number), work)
    for number, crew in enumerate(profile.crews):
        yield from _of_crew(("crews", number), crew)
    yield from _doubled("work", "name", [work.name for work in profile.work])
    yield from _doubled("crews", "team_id", [crew.team_id for crew in profile.crews])
    whole = sum(work.share for work in profile.work)
    if not abs(whole - 1.0) <= SHARES_ADD_UP:
        yield ("work",), f"expected shares that add up to 1, found {whole:g}"
    yield from _undoable(profile)


def people_for(work: Work, role: str) -> int:
    """How many different people of a role one case may need: nobody has two parts in it."""
    if role == "control":
        return work.reviews + (work.authorised > 0)
    return work.entries + (work.entries > 1)  # whoever arbitrates has keyed nothing


def _of_work(at: Path, work: Work) -> Iterator[tuple[Path, str]]:
    yield from _named(at, "name", work.name)
    yield from _bounded(at, work, "share", 0.0, 1.0, above=True)
    yield from _bounded(at, work, "entries", 1, 2)
    yield from _bounded(at, work, "reviews", 1, REVIEWS_MAX)
    for field in ("entry", "review", "authorisation"):
        yield from _bounded(at, work, field, 0.0, SECONDS_MAX, above=True)
    yield from _bounded(at, work, "authorised", 0.0, 1.0)
    yield from _bounded(at, work, "service_level", 0.0, MINUTES_MAX, above=True)
    if work.urgent_level is not None:
        yield from _bounded(at, work, "urgent_level", 0.0, work.service_level, above=True)


def _of_crew(at: Path, crew: Crew) -> Iterator[tuple[Path, str]]:
    yield from _named(at, "team_id", crew.team_id)
    yield from _named(at, "centre_id", crew.centre_id)
    yield from _bounded(at, crew, "people", 1, PEOPLE_MAX)
    yield from _bounded(at, crew, "specialists", 0, crew.people)


def _undoable(profile: Profile) -> Iterator[tuple[Path, str]]:
    """Types for whose steps there are too few who may do them, in the bank's own teams: a vendor keys once at most."""
    for number, work in enumerate(profile.work):
        for role in ("entry", "control"):
            crews = [crew for crew in profile.crews if crew.role == role]
            there = sum(crew.specialists if work.specialist else crew.people for crew in crews)
            lent = role == "entry" and work.vendor and any(crew.role == "vendor" for crew in profile.crews)
            needed = people_for(work, role) - lent
            if there < needed:
                who = "specialists" if work.specialist else "people"
                yield (
                    ("work", number),
                    f"expected at least {needed} {who} in crews of role {role}, since nobody has two parts in a case of "
                    f"{work.name}, found {there}",
                )


def _bounded(
    at: Path, of: Any, field: str, least: float, most: float, *, above: bool = False
) -> Iterator[tuple[Path, str]]:
    value = getattr(of, field)
    if not (least < value <= most if above else least <= value <= most):
        bound = f"above {least:g} and at most {most:g}" if above else f"from {least:g} to {most:g}"
        yield (*at, field), f"expected a number {bound}, found {value:g}"


def _named(at: Path, field: str, name: str) -> Iterator[tuple[Path, str]]:
    try:
        NAME.validate_python(name)
    except ValidationError as error:
        yield (*at, field), f"expected a name, found {name[:60]!r}: {error.errors()[0]['msg']}"


def _doubled(rows: str, field: str, names: Sequence[str]) -> Iterator[tuple[Path, str]]:
    for name, count in Counter(names).items():
        if count > 1:
            last = len(names) - 1 - names[::-1].index(name)
            yield (rows, last, field), f"expected another name in each, found {name!r} {count} times"
