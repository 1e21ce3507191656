"""What supervision looks up on its boards. What is not there gets the strictest answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from shared.contracts.reference import BusinessType, FloorLimits, Operator, Provider, TemplateField
from shared.contracts.vendor import Standing
from shared.keyed_values import Form
from shared.runtime.processor import Situation
from shared.standing import StandingView

UNREGISTERED_DATA_CLASS: Final = "unregistered"  # no provider holds it, so that the work waits visibly
INSPECTION_SECONDS_UNKNOWN: Final = 60.0  # a template that has left the reference data


class Reference(Protocol):
    """The part of the reference board that supervision reads."""

    @property
    def business_types(self) -> Mapping[str, BusinessType]: ...
    @property
    def operators(self) -> Mapping[str, Operator]: ...
    @property
    def providers(self) -> Mapping[str, Provider]: ...
    @property
    def limits(self) -> FloorLimits: ...


def reference_of(situation: Situation) -> Reference:
    """The reference board of this situation."""
    reference: Reference = situation.boards["reference"]
    return reference


def standing_of(situation: Situation) -> StandingView:
    """The standing board of this situation."""
    view: StandingView = situation.boards["standing"]
    return view


def registered_as(reference: Reference, subject: str, subject_id: str) -> Operator | Provider | None:
    """The register's entry of an operator or a provider."""
    return reference.operators.get(subject_id) if subject == "operator" else reference.providers.get(subject_id)


def initial_standing(reference: Reference, subject: str, subject_id: str) -> Standing:
    """What somebody may do before anything was judged; whoever is not registered is on probation."""
    registered = registered_as(reference, subject, subject_id)
    return "probation" if registered is None else registered.initial_standing


def share_of(standing: Standing, limits: FloorLimits) -> float:
    """How much of the work is inspected under a standing. What a suspended person finished late counts as probation."""
    return limits.allowed_inspected_share if standing == "allowed" else limits.probation_inspected_share


def inspected_share(situation: Situation, business_type: str, operator_id: str, provider_id: str) -> float:
    """The larger of the operator's and the provider's share; none of a business type whose template wants no inspection."""
    reference, view = reference_of(situation), standing_of(situation)
    template = reference.business_types.get(business_type)
    if template is not None and not template.inspection:
        return 0.0
    operator = view.operator(operator_id, initial_standing(reference, "operator", operator_id))
    provider = view.provider(provider_id, initial_standing(reference, "provider", provider_id))
    return max(share_of(operator, reference.limits), share_of(provider, reference.limits))


def field_of(reference: Reference, business_type: str, name: str | None) -> TemplateField | None:
    """A field of a process template."""
    template = reference.business_types.get(business_type)
    return None if template is None else next((field for field in template.fields if field.name == name), None)


def form_of(reference: Reference, business_type: str, name: str) -> tuple[Form, str]:
    """How a field is read, and the currency of its template; what is not known is compared as text."""
    field = field_of(reference, business_type, name)
    return ("text", "") if field is None else (field.form, reference.business_types[business_type].currency)


def inspection_seconds(reference: Reference, business_type: str) -> float:
    """The standard time of inspecting one entry."""
    template = reference.business_types.get(business_type)
    return INSPECTION_SECONDS_UNKNOWN if template is None else template.standard.inspection
