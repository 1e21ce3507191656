"""`opsfloor status`: services, shards, lag, queues, oldest ages, what the plan cannot keep."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Final

import asyncpg
import httpx
import typer
from prometheus_client.parser import text_string_to_metric_families

from opsfloor import floor, fuses
from opsfloor.answers import Remedied, as_json, table
from shared.runtime.postgres_store import AWAY

Labels = frozenset[tuple[str, str]]
"""Of one sample, name and value: the order in which a page tells them says nothing."""

Samples = dict[str, dict[Labels, float]]
Rows = list[dict[str, object]]
Pages = list[tuple[floor.Running, Samples]]

TWINS: Final = "they take each other's shards, stop one"
OTHER_KEY: Final = (
    "it refuses a token signed here: start it again if the key pair was changed, else set OPSFLOOR_HOME to the folder with "
    "its keys"
)
UNKEPT: Final = "Bounds that the plan in force cannot keep: docs/runbook/BoundNotKept.md"
NO_FIGURES: Final = "its figures are none of this floor's"
DATABASE_SECONDS: Final = 5.0


def status(json: Annotated[bool, typer.Option("--json", help="one JSON document instead of tables")] = False) -> None:
    """Show what runs, who owns which shards, how far behind it is, and what waits where.

    At the end, where there are any, the bounds that the plan in force cannot keep, and by how much of all work.
    Exit status 1 when one of the four services, or the balancer, is nowhere to be found or cannot do its work, also when
    two processes of a service have the same OPSFLOOR_INSTANCE, or one refuses to tell its figures or has met a record
    that none of its boards can read, or the database knows of a blown fuse.
    """
    services, blown = floor.running(), _blown()
    if not services and not blown:
        raise Remedied(
            "Expected running services, found none", floor.to_start("|".join((*floor.SERVICES, floor.BALANCER)))
        )
    answers = [(entry, _scrape(entry)) for entry in services]
    pages = [(entry, {} if isinstance(answer, str) else answer) for entry, answer in answers]
    shards = [row for entry, samples in pages for row in _shards(entry, samples)]
    figures = [samples for _, samples in pages]
    queues, unkept = _queues(figures), _unkept(figures)
    told = _services(pages, {entry: answer for entry, answer in answers if isinstance(answer, str)})
    told = [_stopped(row, blown.get(str(row["service"]), [])) for row in told]
    told += [
        _absent(name, blown.get(name, []))
        for name in (*floor.SERVICES, floor.BALANCER)
        if all(e.service != name for e in services)
    ]
    if json:
        as_json({"services": told, "shards": shards, "queues": queues, "bounds_not_kept": unkept})
    else:
        _show(told, shards, queues, unkept)
    if any(each["reasons"] for each in told):
        raise typer.Exit(1)


def _show(told: Rows, shards: Rows, queues: Rows, unkept: Rows) -> None:
    table("Services", ("service", "pid", "url", "instance", "ready"), [_told(each) for each in told])
    table(
        "Shards",
        ("service", "pid", "processor", "owned", "lag records", "lag s", "parked", "gaps"),
        [list(row.values()) for row in shards],
    )
    table("Queues", ("team", "step or type", "waiting", "oldest s"), [list(row.values()) for row in queues])
    if unkept:
        table(UNKEPT, ("whose", "bound", "by, of all work"), [(*_words(row), f"{row['by']:.2%}") for row in unkept])


def _scrape(entry: floor.Running) -> Samples | str:
    """The figures of a process, or why it tells none; nothing of one that does not answer at all."""
    try:
        answer = httpx.get(f"{entry.url}/metrics", headers=floor.bearer("service"), timeout=5)
    except httpx.HTTPError:
        return {}
    if answer.status_code == HTTPStatus.UNAUTHORIZED:
        return OTHER_KEY
    try:
        return _samples(answer.text) if answer.is_success else f"{NO_FIGURES}: it answered {answer.status_code}"
    except (ValueError, KeyError, IndexError):  # what the parser says of a page that is none
        return NO_FIGURES


def _samples(page: str) -> Samples:
    samples: Samples = defaultdict(dict)
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            samples[sample.name][frozenset(sample.labels.items())] = sample.value
    return samples


def _services(pages: Pages, without: Mapping[floor.Running, str]) -> Rows:
    """Each process's row; `without` says why some tell no figures. Two of one name put each other out of their groups,
    however well each of them is otherwise."""
    named = [(entry, _instance(samples)) for entry, samples in pages]
    return [
        _service(
            entry,
            name,
            [other for other, its in named if other is not entry and its == name],
            [*([without[entry]] if entry in without else []), *_refused(samples)],
        )
        for (entry, name), (_, samples) in zip(named, pages, strict=True)
    ]


def _service(
    entry: floor.Running, instance: str, namesakes: Sequence[floor.Running], besides: Sequence[str] = ()
) -> dict[str, object]:
    twins = [_pid(other) or other.url for other in namesakes if instance and other.service == entry.service]
    reasons = _hindrances(entry) + [f"{other} has the same OPSFLOOR_INSTANCE: {TWINS}" for other in twins]
    return _row(entry.service, [*reasons, *besides], _pid(entry), entry.url, instance)


def _refused(samples: Samples) -> list[str]:
    """Records that the process met and none of its boards could read: no list of parked records has them."""
    count = int(sum(samples.get("opsfloor_board_refused_records", {}).values()))
    return [f"its boards refuse {count} records: docs/runbook/BoardRefusesRecords.md"] if count else []


def _row(service: str, reasons: list[str], pid: str = "", url: str = "", instance: str = "") -> dict[str, object]:
    ready = "NO" if reasons else "yes"
    return {"service": service, "pid": pid, "url": url, "instance": instance, "ready": ready, "reasons": reasons}


def _instance(samples: Samples) -> str:
    """The name under which the process is a member of its groups; empty when it was given none, or does not answer."""
    return next((dict(labels).get("member", "") for labels in samples.get("opsfloor_service_info", {})), "")


def _absent(service: str, blown: list[str]) -> dict[str, object]:
    """One of which no process is known here. With a blown fuse none that is started stays."""
    return _row(service, blown or [f"none is known here; `opsfloor run {service}` starts one"])


def _stopped(row: dict[str, object], blown: list[str]) -> dict[str, object]:
    """The row of a process that reads nothing, or is about to end, as a fuse of its service is blown."""
    reasons = row["reasons"]
    return row | {"ready": "NO", "reasons": [*reasons, *blown]} if blown and isinstance(reasons, list) else row


def _blown() -> dict[str, list[str]]:
    """The blown fuses in words, by service; none where the database does not answer, of which `opsfloor doctor` tells."""
    found: dict[str, list[str]] = defaultdict(list)
    try:
        marked = asyncio.run(_marked(floor.settings_as_set().database_url))
    except (*AWAY, asyncpg.PostgresError, Remedied, ValueError):  # a ValueError: an address that is none
        return {}
    for fuse in marked:
        found[fuse.service].append(f"{fuse.found}: {fuse.remedy}")
    return found


async def _marked(url: str) -> list[fuses.Fuse]:
    connection = await asyncpg.connect(url, timeout=DATABASE_SECONDS)
    try:
        return await fuses.blown(connection)
    finally:
        await connection.close()


def _hindrances(entry: floor.Running) -> list[str]:
    """What the process cannot do now, in its own words; none when it is ready."""
    try:
        answer = httpx.get(f"{entry.url}/ready", timeout=5)
        told = list(answer.json()["reasons"])
        return told if told or answer.is_success else ["it does not say why"]
    except httpx.HTTPError:
        return ["it does not answer"]
    except (ValueError, KeyError, TypeError):
        return ["its answer is none of this floor's"]


def _told(service: dict[str, object]) -> list[object]:
    """A service's row: what it cannot do stands where it would be ready."""
    *row, ready, reasons = service.values()
    return [*row, f"{ready}: {'; '.join(map(str, reasons))}" if reasons and isinstance(reasons, list) else ready]


def _pid(entry: floor.Running) -> str:
    return "" if entry.pid is None else str(entry.pid)


def _shards(entry: floor.Running, samples: Samples) -> list[dict[str, object]]:
    def value(name: str, labels: Labels) -> float:
        return samples.get(name, {}).get(labels, 0.0)

    return [
        {
            "service": entry.service,
            "pid": _pid(entry),
            "processor": dict(labels)["processor"],
            "owned": int(owned),
            "lag_records": int(value("opsfloor_shard_lag_records", labels)),
            "lag_seconds": round(value("opsfloor_shard_lag_seconds", labels), 1),
            "parked": int(value("opsfloor_shard_parked_total", labels)),
            "gaps": int(value("opsfloor_shard_gaps_total", labels)),
        }
        for labels, owned in _in_order(samples.get("opsfloor_shard_owned", {}), "processor")
    ]


def _queues(pages: list[Samples]) -> list[dict[str, object]]:
    # Every process of routing tells all desks from its board: the one that knows most is believed.
    depths = _highest(pages, "opsfloor_desk_queue_items")
    ages = _highest(pages, "opsfloor_desk_oldest_seconds")
    return [
        {
            "team": dict(labels)["team"],
            "step": dict(labels)["step"],
            "waiting": int(depth),
            "oldest_seconds": round(ages.get(labels, 0.0), 1),
        }
        for labels, depth in _in_order(depths, "team", "step")
        if depth
    ] + _at_no_desk(pages)


def _at_no_desk(pages: list[Samples]) -> list[dict[str, object]]:
    """What waits at placement, by why no team can have it and by business type."""
    items = _highest(pages, "opsfloor_unplaceable_items")
    ages = _highest(pages, "opsfloor_unplaceable_oldest_seconds")
    return [
        {
            "team": f"none: {dict(labels)['reason']}",
            "step": dict(labels)["business_type"],
            "waiting": int(count),
            "oldest_seconds": round(ages.get(labels, 0.0), 1),
        }
        for labels, count in _in_order(items, "reason", "business_type")
        if count
    ]


def _unkept(pages: list[Samples]) -> Rows:
    """The contracts' and the centres' bounds that the plan in force cannot keep. Units: `by` as a share of all work."""
    found = _highest(pages, "opsfloor_plan_bound_relaxed_ratio")
    return [
        {"name": dict(labels)["bound"], "bound": dict(labels)["reason"], "by": by}
        for labels, by in _in_order(found, "bound", "reason")
    ]


def _words(row: Mapping[str, object]) -> tuple[object, str]:
    return row["name"], str(row["bound"]).replace("_", " ")


def _highest(pages: list[Samples], name: str) -> dict[Labels, float]:
    found: dict[Labels, float] = {}
    for samples in pages:
        for labels, value in samples.get(name, {}).items():
            found[labels] = max(value, found.get(labels, value))
    return found


def _in_order(values: Mapping[Labels, float], *names: str) -> list[tuple[Labels, float]]:
    def key(entry: tuple[Labels, float]) -> list[str]:
        labels = dict(entry[0])
        return [labels[name] for name in names]

    return sorted(values.items(), key=key)
