"""Profiles of simulated days: those that come with the floor, and a bank's own in a YAML file."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final

import typer
import yaml
from pydantic import TypeAdapter, ValidationError

from opsfloor.answers import Remedied
from services.routing.simulator.bank import PROFILES, Profile
from services.routing.simulator.profile_rules import faults_of
from shared.yaml_document import Document, YamlUnfitError, read_document, unknown_keys

PROFILE_NAMES: Final = ", ".join(PROFILES)
PROFILE: Final = "bank-day"  # where neither a profile nor a log is named
SHAPE: Final = TypeAdapter(Profile)
FAULTS_TOLD: Final = 20
BEGIN_FROM: Final = f"`opsfloor simulate profile {PROFILE} > mine.yaml` writes one to begin from"

HEAD: Final = """\
# A day for `opsfloor simulate` and `opsfloor staffing`: --profile FILE. Branches send from 08:30 to 17:30; every other
# person comes at 08:30 or 09:15, with half an hour of lunch between 11:30 and 13:30; the cut-off is at 17:15.
# spike: so much more comes of types with a cut-off in the 45 minutes before it. *_vary: standard deviations of logarithms,
#   between people, between the types that one person does, between the items of one type.
# calendar: desks and balancer know beforehand when people come, eat and go. vendor_minimum, vendor_maximum: the share of all
#   items that the vendor is promised and may have at most; centre_maximum: what one centre may carry; null: no such bound.
# work: share of all cases (they add up to 1); entries: how often a field is keyed; entry, review, authorisation: standard
#   times in seconds; service_level, urgent_level: minutes; authorised: the share of cases whose amount needs it; closes: the
#   rail has a cut-off; vendor: the vendor may key it once; specialist: only specialists may do it.
# crews: role entry (keys and arbitrates), control (reviews and authorises) or vendor (keys).
"""


def profile_of(name: str) -> Profile:
    """The profile of a name, or of a file. Errors: `Remedied` for neither, and for a file with faults, each with its line."""
    if name in PROFILES:
        return PROFILES[name]
    file = Path(name)
    if file.is_file():
        return _read(file)
    if file.suffix in (".yaml", ".yml"):
        raise Remedied(f"Expected a profile in {name}, found no such file", BEGIN_FROM, "file_unfit")
    raise Remedied(f"Expected one of {PROFILE_NAMES} or a YAML file, found {name!r}", BEGIN_FROM)


def written(profile: Profile) -> str:
    """The profile as a file that `profile_of` reads."""
    fields = sorted(asdict(profile).items(), key=lambda field: isinstance(field[1], tuple))  # what is short first
    return HEAD + yaml.safe_dump(
        _plain(dict(fields)), sort_keys=False, default_flow_style=None, width=1_000, allow_unicode=True
    )


def profile(
    name: Annotated[str, typer.Argument(help=f"{PROFILE_NAMES}, or a file, which is checked")] = PROFILE,
) -> None:
    """Print a profile as a YAML file: change it, and give it to --profile of simulate and staffing."""
    typer.echo(written(profile_of(name)), nl=False)


def _plain(value: Any) -> Any:
    """As YAML knows it: lists instead of tuples."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


def _read(file: Path) -> Profile:
    try:
        document = read_document(file)
    except YamlUnfitError as error:
        raise _unfit(error.faults) from error
    faults = list(document.doubled())
    try:
        found = SHAPE.validate_python(document.content)
    except ValidationError as error:
        shape = [(fault["loc"], f"{fault['msg']}, found {str(fault['input'])[:60]!r}") for fault in error.errors()]
        raise _unfit(faults + [_told(document, path, fault) for path, fault in shape]) from error
    for path, known in unknown_keys(document.content, asdict(found)):
        faults.append(_told(document, path, f"no such field; the fields are {', '.join(sorted(known))}"))
    faults += [_told(document, path, fault) for path, fault in faults_of(found)]
    if faults:
        raise _unfit(faults)
    return found


def _told(document: Document, path: tuple[Any, ...], fault: str) -> str:
    where = ".".join(str(step + 1 if isinstance(step, int) else step) for step in path)
    return f"{document.place(path)}: {where + ': ' if where else ''}{fault}"


def _unfit(faults: list[str]) -> Remedied:
    more = f"\n  and {len(faults) - FAULTS_TOLD} more" if len(faults) > FAULTS_TOLD else ""
    told = "\n  ".join(faults[:FAULTS_TOLD])
    return Remedied(
        f"Expected a profile without faults, found {len(faults)}:\n  {told}{more}",
        f"mend these lines; {BEGIN_FROM}",
        "file_unfit",
    )
