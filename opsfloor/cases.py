"""`opsfloor case ID` and `opsfloor item ID`: where is it, and why."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final

import typer

from opsfloor import floor
from opsfloor.answers import as_json, in_address, table

_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)$")
Json = Annotated[bool, typer.Option("--json", help="one JSON document instead of tables")]


def case(
    identity: Annotated[str, typer.Argument(metavar="ID", help="case id or submission id")], json: Json = False
) -> None:
    """The whole timeline of a case: who did what, when, and why."""
    answer = floor.ask("audit", f"/cases/{in_address(identity)}", role="auditor")
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
