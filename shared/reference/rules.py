"""What the reference data must keep as a whole, beyond what each entry's contract says."""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, time
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from shared.contracts.message import base64_bytes, with_nul
from shared.contracts.reference import (
    Branch,
    BusinessType,
    DrillEntry,
    FloorLimits,
    Operator,
    Provider,
    ReferenceEntry,
    RerouteDuty,
    RerouteRule,
    Shift,
    Team,
    TemplateField,
    Tier,
)
from shared.contracts.reroute import BREAK_GLASS_MINUTES_MAX, DRILL_MINUTES_MIN, RETURN_HELD
from shared.contracts.work import DECLARED
from shared.reference.board import ReferenceView
from shared.reference.drills import minutes_of, unsigned_because
from shared.reference.keys import LOCAL
from shared.reference.shifts import DAY, planned_breaks, span
from shared.reference.staffing import staffing_faults

SECONDS_MAX: Final = 10 * 365 * 86_400  # of any time that reference data name: an instant so far away still is one
NUMBER_MAX: Final = 2**53  # beyond, some readers hold another number
STEPS: Final = ("entry", "arbitration", "review", "authorisation", "inspection")
CURRENCY: Final = re.compile(r"[A-Z]{3}")
PUBLIC_KEY_BYTES: Final = 32
OPERATOR_ID: Final = re.compile(r"[^\s/]+")  # it stands in addresses and in lists
LEASE_SECONDS_MIN: Final = 1.0  # nobody takes an offer, or does any work, in less
VENDOR_AREA_MAX: Final = 0.25  # of the image, for a field that vendors may key: one field, and not the document


def faults_of(entries: Iterable[ReferenceEntry], now: datetime | None = None) -> list[str]:
    """Every fault of the data as a whole, one sentence each with its remedy; with `now` also instants still to come."""
    return [fault for _, fault in faults_by_key(entries, now)]


def faults_by_key(entries: Iterable[ReferenceEntry], now: datetime | None = None) -> list[tuple[str, str]]:
    """The same faults, each with the key of the entry to mend."""
    rows = list(entries)
    view = ReferenceView()
    for row in rows:
        view.fold(row.key, row)
    faults = [(key, f"{key}: defined {n} times; keep one") for key, n in Counter(r.key for r in rows).items() if n > 1]
    shared_by = _shared_keys(view)
    for row in rows:
        found = (*_unstorable(row), *_faults(row, view, shared_by), *_too_early(row, now))
        faults += [(row.key, f"{row.noun.replace('-', ' ')} {row.id}: {fault}") for fault in found]
    return faults


def _unstorable(row: ReferenceEntry) -> Iterator[str]:
    if with_nul(row.to_json()):
        yield "one of its texts holds the character U+0000, which no service takes; take it out"


def _shared_keys(view: ReferenceView) -> Mapping[str, str]:
    """Branches that do not alone sign with their key, each with another one that has it."""
    by_key: dict[str, list[str]] = defaultdict(list)
    for branch in view.branches.values():
        if branch.public_key != LOCAL:
            by_key[branch.public_key].append(branch.id)
    return {one: ids[0] if one != ids[0] else ids[1] for ids in by_key.values() if len(ids) > 1 for one in ids}


def _faults(row: ReferenceEntry, view: ReferenceView, shared_by: Mapping[str, str]) -> Iterator[str]:
    yield from _beyond(row.model_dump())
    match row:
        case Team():
            yield from _team(row, view)
        case Operator():
            yield from _operator(row, view)
        case Provider():
            yield from _provider(row)
        case Branch():
            if row.id in shared_by:
                yield f"public_key is that of {shared_by[row.id]} too, which could sign in its name; give each branch its own"
            yield from _branch(row)
        case FloorLimits():
            yield from _limits(row)
        case RerouteDuty():
            yield from _duty(row, view)
        case RerouteRule():
            yield from _reroute_rule(row)
        case DrillEntry():
            yield from _drill(row, view)
        case Shift():
            yield from _shift(row)
        case BusinessType():
            yield from _template(row, view)
            yield from staffing_faults(row, view)


def _beyond(value: Any, name: str = "") -> Iterator[str]:
    """What is wrong with numbers that no clock and no reader could hold, at any depth."""
    if isinstance(value, float) and not math.isfinite(value):
        yield f"{name} must be finite; give a number"
    elif isinstance(value, int | float):
        most = SECONDS_MAX if "seconds" in name or name.startswith("standard") else NUMBER_MAX
        if abs(value) > most:
            yield f"{name} must be at most {most:,}, found {value:g}; give a smaller one"
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _beyond(part, f"{name}.{key}" if name else key)
    elif isinstance(value, tuple):
        for index, part in enumerate(value):
            yield from _beyond(part, f"{name}.{index}")


def _too_early(row: ReferenceEntry, now: datetime | None) -> Iterator[str]:
    """Nobody wakes supervision at an instant that the reference data name: published before it, it would never hold."""
    at = row.reinstated_at if isinstance(row, Operator | Provider) else None
    if now is not None and at is not None and at > now:
        yield (
            f"reinstated_at {at.isoformat()} is still to come, now it is {now.isoformat(timespec='seconds')}; publish it "
            "once it has come, or name an instant after the suspension that has"
        )


def _team(team: Team, view: ReferenceView) -> Iterator[str]:
    if team.centre_id not in view.centres:
        yield f"centre {team.centre_id!r} is not defined; define it or name one of {sorted(view.centres)}"
    if team.provider_id not in view.providers:
        yield f"provider {team.provider_id!r} is not defined; name one of {sorted(view.providers)}"


def _provider(provider: Provider) -> Iterator[str]:
    least, most = provider.share_minimum, provider.share_maximum
    if least is not None and most is not None and least > most:
        yield f"share_minimum {least:g} is above share_maximum {most:g}; promise at most what is allowed"


def _operator(operator: Operator, view: ReferenceView) -> Iterator[str]:
    if not OPERATOR_ID.fullmatch(operator.id):
        yield f"expected an id without slashes and blanks, found {operator.id!r}; write it as in north-entry-01"
    if operator.team_id not in view.teams:
        yield f"team {operator.team_id!r} is not defined; name one of {sorted(view.teams)}"
    if operator.branch_id is not None and operator.branch_id not in view.branches:
        yield f"branch {operator.branch_id!r} is not defined; define it or leave it out"
    if operator.shift_id is not None and operator.shift_id not in view.shifts:
        yield f"shift {operator.shift_id!r} is not defined; define it or name one of {sorted(view.shifts)}"
    provider = _provider_of(operator, view)
    for work_type in operator.work_types:
        business_type, _, step = work_type.partition("/")
        if business_type not in view.business_types or step not in STEPS:
            yield f"work type {work_type!r} is unknown; expected <business type>/<{'|'.join(STEPS)}>"
        elif provider is not None and provider.outside and step != "entry":
            yield f"works for {provider.id}, an outside vendor, whose staff only key slices; take {work_type!r} away"


def _provider_of(operator: Operator, view: ReferenceView) -> Provider | None:
    team = view.teams.get(operator.team_id)
    return None if team is None else view.providers.get(team.provider_id)


def _branch(branch: Branch) -> Iterator[str]:
    try:
        known = branch.public_key == LOCAL or len(base64_bytes(branch.public_key)) == PUBLIC_KEY_BYTES
    except ValueError:
        known = False
    if not known:
        yield f"public_key is no Ed25519 key; give base64 of its {PUBLIC_KEY_BYTES} bytes, or {LOCAL!r} on a local floor"


ABOVE_ZERO: Final = (
    "image_bytes_max", "image_pixels_max", "work_lease_factor", "score_window", "load_seconds",
    "nobody_present_seconds", "retry_seconds_min",
)  # fmt: skip


SHARES: Final = ("probation_inspected_share", "allowed_inspected_share", "suspend_error_rate", "restore_error_rate")
GLASS_WHOLE_MINUTES_MIN: Final = 10  # that a broken glass holds all, before the steps of its return
READ: Final = frozenset({"image/png", "image/jpeg"})  # which slices are cut from; their decoding is bounded


def _limits(limits: FloorLimits) -> Iterator[str]:
    if limits.id != "floor":
        yield "the floor's limits have the id 'floor'; rename the entry"
    if limits.restore_error_rate >= limits.suspend_error_rate:
        yield "restore_error_rate must lie below suspend_error_rate, or standing would flap; lower it"
    if limits.retry_seconds_max < limits.retry_seconds_min:
        yield "retry_seconds_max must not lie below retry_seconds_min; raise it"
    for name in ABOVE_ZERO:
        if getattr(limits, name) <= 0:
            yield f"{name} must be above zero, found {getattr(limits, name)}; raise it"
    if limits.score_items_min > limits.score_window:
        yield "score_items_min must not lie above score_window, or nobody would ever be suspended; lower it"
    if not limits.image_types or not READ.issuperset(limits.image_types):
        yield f"image_types must name some of {', '.join(sorted(READ))} and nothing else, found {list(limits.image_types)}"
    for name in SHARES:
        if not 0.0 <= getattr(limits, name) <= 1.0:
            yield f"{name} is a share: from 0 to 1, found {getattr(limits, name)}"
    for name in ("offer_lease_seconds", "work_lease_seconds_min"):
        if getattr(limits, name) < LEASE_SECONDS_MIN:
            yield f"{name} must be at least {LEASE_SECONDS_MIN:g}, found {getattr(limits, name):g}; raise it"
    for name in ("stay_bonus", "hold_seconds_max", "probation_items", "score_items_min"):
        if getattr(limits, name) < 0:
            yield f"{name} must not be below zero, found {getattr(limits, name)}; raise it"
    most = (BREAK_GLASS_MINUTES_MAX - GLASS_WHOLE_MINUTES_MIN) * 60 / len(RETURN_HELD)
    if limits.reroute_return_step_seconds > most:
        yield (
            f"reroute_return_step_seconds must be at most {most:g}, found {limits.reroute_return_step_seconds:g}: of the "
            f"{BREAK_GLASS_MINUTES_MAX} minutes of a broken glass its {len(RETURN_HELD)} steps back must leave "
            f"{GLASS_WHOLE_MINUTES_MIN}; lower it"
        )
    try:
        ZoneInfo(limits.time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        yield f"time_zone {limits.time_zone!r} is no IANA time zone; write it as in Asia/Shanghai"


def _duty(duty: RerouteDuty, view: ReferenceView) -> Iterator[str]:
    for centre in duty.centres:
        if centre not in view.centres:
            yield f"centre {centre!r} is not defined; define it or name one of {sorted(view.centres)}"
    for provider in duty.providers:
        if provider not in view.providers:
            yield f"provider {provider!r} is not defined; name one of {sorted(view.providers)}"


def _reroute_rule(rule: RerouteRule) -> Iterator[str]:
    if rule.form in ("able_centres", "able_people") and (rule.step is None or rule.minimum < 1):
        yield f"{rule.form} asserts that somebody is left for a step; name the step and a minimum of at least 1"
    if rule.form == "anti_flap" and rule.wait_seconds <= 0:
        yield "anti_flap waits after a reroute is over; give wait_seconds above zero"
    if rule.form == "blocked_window" and rule.begins >= rule.ends:
        yield f"blocked_window begins before it ends; found {rule.begins} to {rule.ends}, split it at midnight if needed"


def _drill(entry: DrillEntry, view: ReferenceView) -> Iterator[str]:
    if (entry.centre is None) == (entry.provider is None):
        yield "expected one centre or one provider to drill; name exactly one"
        return
    if entry.centre is not None and entry.centre not in view.centres:
        yield f"centre {entry.centre!r} is not defined; define it or name one of {sorted(view.centres)}"
    elif entry.provider is not None and entry.provider not in view.providers:
        yield f"provider {entry.provider!r} is not defined; name one of {sorted(view.providers)}"
    else:
        fault = unsigned_because(entry, view)
        if fault is not None:
            yield fault
    if len(set(entry.weekdays)) < len(entry.weekdays):
        yield "a weekday stands twice; keep one"
    if entry.minutes < DRILL_MINUTES_MIN:
        yield f"minutes must be at least {DRILL_MINUTES_MIN}, found {entry.minutes}: a shorter drill proves nothing; raise it"
    if minutes_of(entry.begins) + entry.minutes > DAY:
        yield "the drill would last beyond midnight; let it begin earlier"
    for window in entry.blocked:
        if window.begins >= window.ends:
            yield f"a blocked window begins before it ends; found {window.begins} to {window.ends}, split it at midnight"


def _shift(shift: Shift) -> Iterator[str]:
    begins, ends = span(shift)
    last = begins
    for start, end in planned_breaks(shift):
        if not last <= start < end <= ends:
            yield "expected breaks one after the other within the shift; put them in order and inside"
        last = end
    for day in sorted(set(shift.closed_on) & set(shift.opened_on)):
        yield f"{day} is both closed and opened; keep one"


def _template(template: BusinessType, view: ReferenceView) -> Iterator[str]:
    names = Counter(field.name for field in template.fields)
    for name, count in names.items():
        if count > 1:
            yield f"field {name!r} stands {count} times; keep one"
    if DECLARED in names:
        yield f"field {DECLARED!r} has the name under which the branch's own figure is shown; rename it"
    if template.amount_field is not None and template.amount_field not in names:
        yield f"amount_field {template.amount_field!r} is none of its fields; name one of {sorted(names)}"
    elif any(field.name == template.amount_field and field.form != "amount" for field in template.fields):
        yield f"amount_field {template.amount_field!r} is no amount; name a field of form amount, or give it that form"
    if not CURRENCY.fullmatch(template.currency):
        yield f"currency {template.currency!r} is none; write its ISO 4217 code, three capitals as in CNY"
    if template.sla_urgent_seconds is not None and template.sla_urgent_seconds > template.sla_seconds:
        yield "sla_urgent_seconds must not lie above sla_seconds, or urgent cases would wait for the others; lower it"
    if template.tiers and template.amount_field is None:
        yield "tiers go by the amount; name its amount_field"
    if template.cut_off is not None and not _is_time(template.cut_off):
        yield f"cut_off {template.cut_off!r} is no time of day; write it from 00:00 to 23:59"
    elif template.cut_off is not None and template.posting_lead_seconds > 60 * minutes_of(template.cut_off):
        yield (
            f"posting_lead_seconds {template.posting_lead_seconds:g} reaches to before the day whose cut_off is "
            f"{template.cut_off}; lower it"
        )
    for field in template.fields:
        yield from _field(field, view)
    yield from _tiers(template.tiers)


def _is_time(text: str) -> bool:
    try:
        time.fromisoformat(text)
    except ValueError:
        return False
    return True


def _field(field: TemplateField, view: ReferenceView) -> Iterator[str]:
    area = field.area
    if area.left + area.width > 1 or area.top + area.height > 1:
        yield f"field {field.name}: its area reaches beyond the image; keep left+width and top+height at most 1"
    if field.vendor_keyings and area.width * area.height > VENDOR_AREA_MAX:
        yield (
            f"field {field.name}: vendors may key it, and would see {area.width * area.height:.0%} of the image; keep "
            f"width×height at most {VENDOR_AREA_MAX}, or leave out vendor_keyings"
        )
    for keying in field.vendor_keyings:
        if not 1 <= keying <= field.keyings:
            yield f"field {field.name}: vendor keying {keying} is not one of its {field.keyings}; name one from 1 on"
    vendors = [provider for provider in view.providers.values() if provider.outside]
    if field.vendor_keyings and vendors and not any(field.data_class in vendor.data_classes for vendor in vendors):
        yield (
            f"field {field.name}: vendors may key it, but none of {sorted(vendor.id for vendor in vendors)} may see data "
            f"of class {field.data_class!r}; leave out vendor_keyings, or let a vendor's contract allow the class"
        )


def _tiers(tiers: Sequence[Tier]) -> Iterator[str]:
    bounds = [tier.below_minor for tier in tiers]
    known = [bound for bound in bounds if bound is not None]
    if tiers and (bounds[-1] is not None or None in bounds[:-1]):
        yield "expected the last tier, and no other, to have below_minor: null"
    if known != sorted(set(known)):
        yield f"expected tiers in rising order of below_minor, found {known}"
    if any(bound <= 0 for bound in known):
        yield f"expected below_minor above zero, found {min(known)}: no amount lies below it; leave that tier out"
    if None not in bounds[:-1]:
        for lower, upper in itertools.pairwise(tiers):
            yield from _weaker(lower, upper)


def _weaker(lower: Tier, upper: Tier) -> Iterator[str]:
    """What a tier asks less of than the one below it: fewer people, or of as many people less."""
    above = f"the tier above {lower.below_minor}"
    if upper.authorisers < lower.authorisers:
        yield f"{above} needs {upper.authorisers} authorisers, the one below it {lower.authorisers}; ask for as many"
    elif upper.authorisers == lower.authorisers > 0:
        for name in ("grade_min", "rekey_amount", *(("distinct_teams",) if upper.authorisers > 1 else ())):
            less, more = getattr(upper, name), getattr(lower, name)
            if less < more:
                yield f"{above} has {name} {less}, the one below it {more}; ask for no less of a larger amount"
