"""Facts for the instruments to count, made from the golden examples; and what the registry then says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prometheus_client import REGISTRY

from shared.contracts.message import Message
from shared.contracts.registry import CONTRACTS

GOLDEN = Path(__file__).parents[2] / "contracts" / "golden"


def fact(kind: str, **changes: Any) -> Any:
    """The golden example of a kind, with some fields of it changed."""
    found: Message = CONTRACTS[kind].model_validate_json((GOLDEN / f"{kind}.json").read_bytes())
    return found.model_copy(update=changes)


def shown(name: str, **labels: str) -> float:
    """What the process's registry says of one series; 0 when it has none."""
    return REGISTRY.get_sample_value(name, labels) or 0.0
