"""Alertmanager's webhook: a firing alert with the right labels becomes a proposal, never more; resolved, it withdraws it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.routing.emergency.bounds import made_plain
from shared.contracts.reroute import CancelReroute, ProposeReroute, RerouteTerms
from shared.runtime.processor import Rejection, derived_id

ACTOR: Final = "alertmanager"
MINUTES: Final = 60
ASKS: Final = "reroute"
SCOPE_LABELS: Final[Mapping[str, str]] = {
    "reroute_centre": "centres",
    "reroute_team": "teams",
    "reroute_provider": "providers",
    "reroute_work_type": "work_types",
    "reroute_business_type": "business_types",
    "reroute_region": "regions",
    "reroute_data_class": "data_classes",
}
TERM_LABELS: Final[Mapping[str, str]] = {"reroute_minutes": "minutes", "reroute_percent": "percent"}
"""Labels that say where, several names with commas between; `reroute` says what (drain, evacuate …), these how."""


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


def proposal_of(alert: Alert, now: datetime, nth: int = 0) -> ProposeReroute | Rejection | None:
    """The proposal that the alert asks for, or why it cannot be read; `None` when it fires no more or asks for none.

    Holds:   the same alert since the same instant is the same proposal, however often Alertmanager repeats it, and the
             `nth` one again when those before came to nothing; a label
             that is not known is never dropped, since what it was to narrow would then be moved as a whole.
    """
    if ASKS not in alert.labels:
        return None
    unknown = sorted(
        label for label in alert.labels if label.startswith(f"{ASKS}_") and label not in {*SCOPE_LABELS, *TERM_LABELS}
    )
    if unknown:
        known = ", ".join((*SCOPE_LABELS, *TERM_LABELS))
        return Rejection("alert_unreadable", f"Expected labels among {known}, found {', '.join(unknown)}.")
    scope = {part: _names(alert.labels[label]) for label, part in SCOPE_LABELS.items() if alert.labels.get(label)}
    nameless = sorted(label for label, part in SCOPE_LABELS.items() if scope.get(part) == ())
    if nameless:
        return Rejection(
            "alert_unreadable", f"Expected names in {', '.join(nameless)}, found none: all would be meant."
        )
    how = {part: alert.labels[label] for label, part in TERM_LABELS.items() if alert.labels.get(label)}
    said = {"effect": alert.labels[ASKS], "scope": scope, "minutes": MINUTES, **how, "reason": _reason(alert)}
    try:
        terms = RerouteTerms.model_validate(said, strict=False)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return Rejection("alert_unreadable", f"Expected the labels of a reroute, found {where}: {first['msg']}.")
    name = derived_id("alert", alert.fingerprint, alert.startsAt.isoformat(), *([str(nth)] if nth else []))
    return ProposeReroute(
        command_id=name,
        reroute_id=f"r-{name[:8]}",
        actor=ACTOR,
        reason=terms.reason,
        issued_at=now,
        terms=terms,
        source="alert",
    )


def withdrawal_of(proposal: ProposeReroute, now: datetime) -> CancelReroute:
    """The command by which the alert's proposal goes with it: nobody should agree to what is needed no more."""
    return CancelReroute(
        command_id=derived_id("alert-resolved", proposal.command_id),
        reroute_id=proposal.reroute_id,
        actor=ACTOR,
        reason="the alert has resolved",
        issued_at=now,
    )


def _names(label: str) -> tuple[str, ...]:
    return tuple(name for part in label.split(",") if (name := part.strip()))


def _reason(alert: Alert) -> str:
    """What the alert says of itself, in words that may stand on record; of one without words that it fires."""
    told = (alert.annotations.get("summary", ""), alert.labels.get("alertname", ""))
    return next((plain for words in told if (plain := made_plain(words).strip()[:500])), "an alert fires")
