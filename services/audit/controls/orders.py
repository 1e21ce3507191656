"""Building the work orders of a case: who may not do it, what is shown, how long it takes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TypedDict

from services.audit.controls.state import Case, slot_of
from services.audit.controls.tiers import authorisers_expected
from shared.contracts.intake import CaseOpened
from shared.contracts.message import Region, Step
from shared.contracts.reference import SliceArea, TemplateField
from shared.contracts.work import DECLARED, ShownField, Wanted, WorkOrder
from shared.keyed_values import amount_text
from shared.outcomes import wanted_of
from shared.runtime.processor import derived_id


def cut(area: SliceArea, opened: CaseOpened) -> Region | None:
    """The area of a field in pixels of the first measured image with its label; `None` when there is none.

    Holds:   at least one pixel, and nothing beyond the image.
    """
    sizes = {size.image_sha256: size for size in opened.image_sizes}
    for image in opened.images:
        size = sizes.get(image.sha256)
        if image.label == area.image and size is not None:
            x, y = int(area.left * size.width), int(area.top * size.height)
            return Region(
                image_sha256=image.sha256,
                x=x,
                y=y,
                width=max(1, min(round(area.width * size.width), size.width - x)),
                height=max(1, min(round(area.height * size.height), size.height - y)),
            )
    return None


class _Common(TypedDict):
    work_item_id: str
    case_id: str
    business_type: str
    step: Step
    role: str
    round: int
    excluded_operators: tuple[str, ...]
    branch_id: str
    urgent: bool
    requested_at: datetime
    due_at: datetime
    traceparent: str


def _common(case: Case, step: Step, role: str, slot: str, now: datetime) -> _Common:
    started = case.started
    number = case.rounds.get(slot, 0) + 1
    return _Common(
        work_item_id=derived_id("work", case.case_id, slot, str(number)),
        case_id=case.case_id,
        business_type=started.business_type,
        step=step,
        role=role,
        round=number,
        excluded_operators=holders_of_other_roles(case, role),
        branch_id=started.branch_id,
        urgent=started.urgent,
        requested_at=now,
        due_at=started.due_at,
        traceparent=started.traceparent,
    )


def holders_of_other_roles(case: Case, role: str, besides: Iterable[str] = ()) -> tuple[str, ...]:
    """Everybody who may not take this role because they hold another one. Order: by operator id."""
    return tuple(sorted({operator for operator, held in case.roles.items() if held != role} | set(besides)))


def entry_order(case: Case, field: TemplateField, keying: int, region: Region, now: datetime) -> WorkOrder:
    """Key one slice. Outside vendors may take the keyings that the template names, nothing else."""
    role = f"entry-{keying}"
    return WorkOrder(
        **_common(case, "entry", role, f"{role}/{field.name}", now),
        field=field.name,
        slice=region,
        keeps_draft="entry" in case.template.draft_steps,
        data_class=field.data_class,
        in_house_only=keying not in field.vendor_keyings,
        standard_seconds=case.template.standard.entry,
        later_seconds=_after_entry(case),
    )


def arbitration_role(case: Case) -> str:
    """Each pass through arbitration is a role of its own: who ruled is not the one to rule on the complaint."""
    earlier = case.reviews_failed + case.rekey_disputes
    return f"arbitration-{earlier + 1}" if earlier else "arbitration"


def arbitration_order(case: Case, name: str, now: datetime) -> WorkOrder:
    """Rule on one field, in-house, by somebody who has done nothing else on the case."""
    field = next(field for field in case.template.fields if field.name == name)
    role = arbitration_role(case)
    return WorkOrder(
        **_common(case, "arbitration", role, f"arbitration/{name}", now),
        field=name,
        slice=case.entries[name][0].slice,
        shown=(ShownField(name=name, label=field.label, values=case.disputes[name].values),),
        wanted=wanted_of(case.template, field),
        keeps_draft="arbitration" in case.template.draft_steps,
        data_class=field.data_class,
        standard_seconds=case.template.standard.arbitration,
        later_seconds=_after_entry(case),
    )


def review_order(case: Case, now: datetime) -> WorkOrder:
    """Compare the assembled case with its whole images."""
    return WorkOrder(
        **_common(case, "review", f"review-{case.reviews + 1}", "review", now),
        whole_images=case.started.images,
        shown=_shown(case, with_amount=True),
        standard_seconds=case.template.standard.review,
        later_seconds=_authorisation_seconds(case),
    )


def authorisation_order(case: Case, now: datetime) -> WorkOrder:
    """Grant or refuse. Where the amount is re-keyed blind, no amount is shown."""
    tier = case.tier
    rekey = tier is not None and tier.rekey_amount and tier.amount is not None
    apart = case.granted_teams if tier is not None and tier.distinct_teams else ()
    return WorkOrder(
        **_common(case, "authorisation", f"authorisation-{case.authorisations + 1}", "authorisation", now),
        whole_images=case.started.images,
        shown=_shown(case, with_amount=not rekey),
        rekey_amount=rekey,
        wanted=Wanted(form="amount", currency=case.template.currency) if rekey else None,
        grade_min=0 if tier is None else tier.grade_min,
        excluded_teams=tuple(sorted(set(apart))),
        standard_seconds=case.template.standard.authorisation,
        later_seconds=_authorisation_seconds(case, besides=len(case.granted_teams) + 1),
    )


def asked_again(case: Case, order: WorkOrder, now: datetime, excluded: Iterable[str] = ()) -> WorkOrder:
    """The same task in its next round, under a new id, with everybody excluded who must not get it now."""
    number = order.round + 1
    update = {
        "work_item_id": derived_id("work", case.case_id, slot_of(order), str(number)),
        "round": number,
        "excluded_operators": holders_of_other_roles(case, order.role, (*order.excluded_operators, *excluded)),
        "requested_at": now,
    }
    return order.model_copy(update=update)


def _shown(case: Case, with_amount: bool) -> tuple[ShownField, ...]:
    template, declared = case.template, case.started.declared_amount
    shown = tuple(
        ShownField(name=field.name, label=field.label, values=(case.values[field.name],))
        for field in template.fields
        if with_amount or field.name != template.amount_field
    )
    if declared is None or not with_amount:
        return shown
    figure = f"{amount_text(declared.amount_minor, declared.currency)} {declared.currency}"
    return (*shown, ShownField(name=DECLARED, label="Declared amount", values=(figure,)))


def _after_entry(case: Case) -> float:
    review = case.template.standard.review if case.template.review else 0.0
    return review + _authorisation_seconds(case)


def _authorisation_seconds(case: Case, besides: int = 0) -> float:
    return max(0, authorisers_expected(case) - besides) * case.template.standard.authorisation
