"""How people judge: what they read, how often they err, what they catch. Pure: chance arrives as data."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from deploy.demo.truth import Document
from deploy.demo.vouchers import misread
from shared.keyed_values import parse_amount

ERROR_RATE: Final = 0.0022  # 22 wrong of 10,000 fields keyed once (CAST, 1992)
WEAK_ERROR_RATE: Final = 0.04
BAD_SCAN_ERROR_RATE: Final = 0.25
SAME_MISREADING: Final = 0.6  # of the errors on a bad scan: two people make the same one
ARBITER_ERROR_RATE: Final = 0.002  # sees both readings and takes the time
REFUSES: Final = 0.005
REVIEW_CATCHES: Final = 0.9
UNREADABLE: Final = "unreadable"
CURRENCY: Final = "CNY"  # of the example bank


@dataclass(frozen=True, slots=True)
class Reading:
    """What somebody reads in a field, and whether it is what stands there."""

    value: str
    right: bool


def read(document: Document, field: str, error_rate: float, draw: random.Random) -> Reading:
    """Read one field. On a bad scan everybody errs more, and mostly alike."""
    right = document.values.get(field)
    if right is None:
        return Reading(UNREADABLE, right=False)
    if draw.random() >= (max(error_rate, BAD_SCAN_ERROR_RATE) if document.bad_scan else error_rate):
        return Reading(right, right=True)
    if document.bad_scan and draw.random() < SAME_MISREADING:
        return Reading(document.illusion.get(field, right), right=False)
    return Reading(misread(right, draw), right=False)


def slip(right: str, draw: random.Random) -> str:
    """A keying error that the desk cannot see: an amount stays one, as it takes nothing else where an amount must stand."""
    wrong = misread(right, draw)
    while parse_amount(right, CURRENCY) is not None and parse_amount(wrong, CURRENCY) is None:
        wrong = misread(right, draw)
    return wrong


def plain(value: str) -> str:
    """What two values are compared by: letters and figures alone."""
    return "".join(letter for letter in value.casefold() if letter.isalnum())


def outcome(
    item: Mapping[str, Any], document: Document, error_rate: float, draw: random.Random
) -> tuple[dict[str, Any], bool]:
    """The outcome that a person hands in for a work item, as the workbench wants it, and whether they erred.

    Shape:   `item` is what `GET /next` answers; the outcome is one of the forms of `shared.contracts.work`.
    """
    field = item["field"] or ""
    match item["step"]:
        case "entry":
            reading = read(document, field, error_rate, draw)
            return {"form": "keyed", "value": reading.value}, not reading.right
        case "arbitration":
            return _ruled(document, field, "ruling", draw)
        case "inspection":
            return _ruled(document, field, "inspection", draw)
        case "review":
            return _reviewed(item, document, draw)
        case "authorisation":
            return _authorised(item, document, error_rate, draw)
        case step:
            raise ValueError(f"Expected a step of the floor, found {step!r}")


def _ruled(document: Document, field: str, form: str, draw: random.Random) -> tuple[dict[str, Any], bool]:
    right = document.values.get(field)
    if right is None and form == "ruling":
        return {"form": form, "value": "", "unreadable": True}, False
    right = right or UNREADABLE
    erred = draw.random() < ARBITER_ERROR_RATE
    return {"form": form, "value": slip(right, draw) if erred else right}, erred


def _reviewed(item: Mapping[str, Any], document: Document, draw: random.Random) -> tuple[dict[str, Any], bool]:
    wrong = [shown["name"] for shown in item["shown"] if _differs(shown, document)]
    caught = [name for name in wrong if draw.random() < REVIEW_CATCHES]
    remark = f"differs from the image: {', '.join(caught)}" if caught else ""
    verdict = {"form": "review", "passed": not caught, "wrong_fields": caught, "remark": remark}
    return verdict, len(caught) < len(wrong)


def _differs(shown: Mapping[str, Any], document: Document) -> bool:
    right = document.values.get(shown["name"])
    return right is not None and bool(shown["values"]) and plain(shown["values"][0]) != plain(right)


def _authorised(
    item: Mapping[str, Any], document: Document, error_rate: float, draw: random.Random
) -> tuple[dict[str, Any], bool]:
    granted = draw.random() >= REFUSES
    amount, erred = None, False
    if item["rekey_amount"]:
        right = document.amount
        granted = granted and right is not None
        erred = right is not None and draw.random() < error_rate
        amount = slip(right, draw) if right is not None and erred else right
    remark = "" if granted else "the customer's limit is used up"
    return {"form": "authorisation", "granted": granted, "rekeyed_amount": amount, "remark": remark}, erred
