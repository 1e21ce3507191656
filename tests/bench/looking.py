"""What the processes of a bench's floor have worked so far: CPU time by process, and the runtime's sums by processor."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import httpx
import psutil
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console
from rich.table import Table

from deploy.demo.processes import ServiceProcesses
from deploy.local import Addresses
from shared.http.tokens import Issuer, ensure_key_pair

METRICS: Final = ("batch_seconds", "commit_seconds", "publish_seconds", "batch_events")

Sums = dict[str, dict[str, float]]
Look = tuple[dict[str, float], Sums]


async def look(names: Sequence[str], services: ServiceProcesses, addresses: Addresses, home: Path) -> Look:
    """CPU seconds by service (of all its processes), broker, database and this process so far; the runtime's sums."""
    private, _ = ensure_key_pair(home / "keys")  # the bench's own floor has keys of its own
    bearer = {"Authorization": f"Bearer {Issuer(private).issue(subject='bench', role='on_call', seconds=300)}"}
    cpu, sums = {"load (bench)": cpu_seconds(psutil.Process())}, Sums()
    for name in names:
        for pid, url in services.urls(name).items():
            cpu[name] = cpu.get(name, 0.0) + cpu_seconds(psutil.Process(pid))
            async with httpx.AsyncClient() as client:
                text = (await client.get(f"{url}/metrics", headers=bearer)).raise_for_status().text
            _add(text, sums)
    for kind, address in (("kafka", addresses.kafka), ("postgres", addresses.database_url)):
        cpu[kind] = await asyncio.to_thread(_server_cpu, _port_of(address))
    return cpu, sums


def _add(text: str, sums: Sums) -> None:
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            short = sample.name.removeprefix("opsfloor_shard_")
            if short.endswith(("_sum", "_count")) and short.rsplit("_", 1)[0] in METRICS:
                of = sums.setdefault(sample.labels["processor"], {})
                of[short] = of.get(short, 0.0) + sample.value


def _port_of(address: str) -> int:
    return int(address.split("/")[2 if "/" in address else 0].rsplit(":", 1)[1])


def _server_cpu(port: int) -> float:
    """CPU seconds of the process that listens on a port of this machine, with its children; 0 when it is elsewhere."""
    for connection in psutil.net_connections("tcp"):
        listens = connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port
        if listens and connection.pid:
            server = psutil.Process(connection.pid)
            return cpu_seconds(server) + sum(cpu_seconds(child) for child in server.children(recursive=True))
    return 0.0


def cpu_seconds(process: psutil.Process) -> float:
    """What a process has worked so far; 0 when it is gone."""
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return times.user + times.system


def between(before: Sums, after: Sums) -> Sums:
    """Per processor: batches, events per batch, and the milliseconds of an average batch by part."""
    found = {}
    for name, sums in sorted(after.items()):
        moved = {key: value - before.get(name, {}).get(key, 0.0) for key, value in sums.items()}
        batches = moved.get("batch_seconds_count", 0.0)
        if not batches:
            continue
        commit, whole = moved["commit_seconds_sum"], moved["batch_seconds_sum"]
        published = moved.get("publish_seconds_count", 0.0) or 1.0
        found[name] = {
            "batches": batches,
            "events_per_batch": round(moved["batch_events_sum"] / batches, 1),
            "load_and_decide_ms": round(1000 * (whole - commit) / batches, 2),
            "commit_ms": round(1000 * commit / batches, 2),
            "publish_ms": round(1000 * moved.get("publish_seconds_sum", 0.0) / published, 2),
        }
    return found


def show_profile(processors: Sums, unit: str, cpu: dict[str, float], console: Console) -> None:
    """Print where the time goes: by processor, and by process in this unit."""
    parts = ("batches", "events_per_batch", "load_and_decide_ms", "commit_ms", "publish_ms")
    table = Table("processor", *(part.replace("_", " ") for part in parts))
    for name, row in processors.items():
        table.add_row(name, *(f"{row[part]:g}" for part in parts))
    console.print(table)
    spent = Table("process", unit)
    for name, value in cpu.items():
        spent.add_row(name, f"{value:g}")
    console.print(spent)
