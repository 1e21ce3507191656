"""Alertmanager's webhook: a firing alert with the right labels becomes a proposal, never more."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.routing.emergency.bounds import made_plain
from shared.contracts.reroute import Effect, ProposeReroute, RerouteScope, RerouteTerms
from shared.runtime.processor import derived_id

ACTOR: Final = "alertmanager"
MINUTES: Final = 60
SCOPE_LABELS: Final[Mapping[str, str]] = {
    "reroute_centre": "centres",
    "reroute_team": "teams",
    "reroute_provider": "providers",
    "reroute_work_type": "work_types",
    "reroute_business_type": "business_types",
    "reroute_region": "regions",
}
"""Labels that say where; `reroute` says what (drain, evacuate …), `reroute_minutes` for how long."""


class Alert(BaseModel):
    """One alert of a notification."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    annotations: dict[str, str] = {}
    startsAt: datetime  # noqa: N815 - Alertmanager's own spelling
    fingerprint: Annotated[str, Field(min_length=1, max_length=128)]


class Notification(BaseModel):
    """What Alertmanager posts to a webhook (its version 4)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: str = "4"
    alerts: Annotated[tuple[Alert, ...], Field(max_length=100)]


def proposal_of(alert: Alert, now: datetime) -> ProposeReroute | None:
    """The proposal that the alert asks for; `None` when it fires no more or does not ask for a reroute.

    Holds:   the same alert since the same instant is the same proposal, however often Alertmanager repeats it.
    """
    effect = alert.labels.get("reroute")
    if alert.status != "firing" or effect not in get_args(Effect):
        return None
    scope: dict[str, Any] = {
        part: tuple(alert.labels[label].split(",")) for label, part in SCOPE_LABELS.items() if alert.labels.get(label)
    }
    name = derived_id("alert", alert.fingerprint, alert.startsAt.isoformat())
    reason = alert.annotations.get("summary") or alert.labels.get("alertname") or "an alert fires"
    try:
        minutes = int(alert.labels.get("reroute_minutes", MINUTES))
        terms = RerouteTerms(
            effect=effect, scope=RerouteScope(**scope), minutes=minutes, reason=made_plain(reason)[:500]
        )
    except (ValidationError, ValueError):
        return None
    return ProposeReroute(
        command_id=name, reroute_id=name, actor=ACTOR, reason=terms.reason, issued_at=now, terms=terms, source="alert"
    )
