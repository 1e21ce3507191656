"""`opsfloor case ID` and `opsfloor item ID`: where is it, and why."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final

import typer

from opsfloor import floor
from opsfloor.answers import Remedied, as_json, in_address, table

_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)$")
Json = Annotated[bool, typer.Option("--json", help="one JSON document instead of tables")]


def case(
    identity: Annotated[str, typer.Argument(metavar="ID", help="case id or submission id")], json: Json = False
) -> None:
    """The whole timeline of a case: who did what, when, and why. Of a submission that became none, its receipt."""
    try:
        answer = floor.ask("audit", f"/cases/{in_address(identity)}", role="auditor")
    except Remedied as unknown:
        if unknown.code != "unknown":
            raise
        _receipt(_asked_at_intake(identity, unknown), json)
        return
    if json:
        as_json(answer)
        return
    known = {key: value for key, value in answer.items() if value is not None and not isinstance(value, list | dict)}
    table(
        f"Case {answer['case_id']}", ("", ""), ((key.replace("_", " "), _plain(value)) for key, value in known.items())
    )
    table("Timeline", ("at", "what happened"), ((_clock(e["at"]), e["sentence"]) for e in answer["timeline"]))
    if items := _items(answer):
        table("Work items, for `opsfloor item` and `opsfloor why`", ("id", "for", ""), items)


def _asked_at_intake(identity: str, unknown: Remedied) -> Mapping[str, Any]:
    """The receipt of a submission that is no case. Errors: `Remedied`, that nobody knows the id."""
    try:
        found: Mapping[str, Any] = floor.ask("intake", f"/submissions/{in_address(identity)}", role="auditor")
    except Remedied as error:
        if error.code == "unknown":
            raise unknown from error
        remedy = f"{unknown.remedy}; and ask again once intake, which knows what it refused, answers: {error.what}"
        raise Remedied(unknown.what, remedy, unknown.code) from error
    return found


def _receipt(found: Mapping[str, Any], json: bool) -> None:
    if json:
        as_json(found)
        return
    refused = found["outcome"] == "rejected"
    told = {
        "state": "refused at intake" if refused else "accepted at intake; controls have not taken its case up yet",
        "code": found["code"],
        "received at": found["received_at"],
        "branch id": found["branch_id"],
        "case id": found["case_id"],
        "why, and what to do": found["detail"] if refused else "ask again in a moment",
    }
    rows = ((key, _plain(value)) for key, value in told.items() if value is not None)
    table(f"Submission {found['submission_id']}", ("", ""), rows)


def item(identity: Annotated[str, typer.Argument(metavar="ID", help="work item id")], json: Json = False) -> None:
    """Where a work item is, and why it is there."""
    answer = floor.ask("routing", f"/item/{in_address(identity)}")
    if json:
        as_json(answer)
        return
    known = {key: value for key, value in answer.items() if value not in (None, [], "")}
    table(f"Work item {identity}", ("", ""), ((key.replace("_", " "), _short(value)) for key, value in known.items()))


def _items(answer: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Every task that the case has asked for, by id, and whether it still waits for it."""
    still = {one["work_item_id"] for one in answer["open_items"]}
    orders = (order for entry in answer["timeline"] if isinstance(order := entry.get("body", {}).get("order"), dict))
    asked = {order["work_item_id"]: order for order in orders if "work_item_id" in order}
    return [
        (one, " of ".join(filter(None, (order.get("role"), order.get("field")))), "open" if one in still else "")
        for one, order in asked.items()
    ]


def _clock(at: str) -> str:
    return at[11:19]


def _plain(value: Any) -> str:
    """A value for people: yes and no, instants to the second."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value[:10]} {value[11:19]} UTC" if isinstance(value, str) and _INSTANT.match(value) else str(value)


def _short(value: Any) -> str:
    if isinstance(value, list):
        return "\n".join(_short(entry) for entry in value)
    if isinstance(value, dict):
        return ", ".join(f"{key}={_short(entry)}" for key, entry in value.items() if entry not in (None, [], ""))
    return _plain(value)
