"""What a container of the floor may name: the command line as it is, the settings as they are read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import typer
import yaml
from pydantic import AliasChoices

from opsfloor import floor
from opsfloor.cli import app
from shared.http.app import OPEN_PATHS
from shared.runtime.settings import Settings
from tests.support.command_line import under

ROOT: Final = Path(__file__).parents[3]
DEPLOY: Final = ROOT / "deploy"
SERVICES: Final = floor.SERVICES
RUNNABLE: Final = (*SERVICES, floor.BALANCER)
TRACES: Final = Settings.model_fields["traces"].validation_alias
SETTINGS: Final = frozenset(
    (
        *(f"OPSFLOOR_{name.upper()}" for name in Settings.model_fields.keys() - {"traces"}),
        *(str(name) for name in (TRACES.choices if isinstance(TRACES, AliasChoices) else ())),
        *(f"OPSFLOOR_{name.upper()}_URL" for name in (*floor.SERVICES, floor.BALANCER)),
        *("OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG"),  # OpenTelemetry's SDK reads these itself
    )
)
PORT: Final = 8080
HEALTHY: Final = OPEN_PATHS
USAGE: Final[type[BaseException]] = next(
    each for each in typer.BadParameter.__mro__ if each.__name__ == "UsageError" and issubclass(each, BaseException)
)
"""What the command line raises at words that it does not take; typer names only some of its kinds."""
REGISTRY: Final = re.compile(
    r"\b[a-z0-9-]+(\.[a-z0-9-]+)*\.(io|com|org|dev|net|cloud|local)(:\d+)?/[a-z]", re.IGNORECASE
)


def documents(file: Path) -> list[dict[str, Any]]:
    """All documents of a YAML file."""
    return [each for each in yaml.safe_load_all(file.read_text(encoding="utf-8")) if each]


def refused(words: Sequence[str]) -> str:
    """Why the command line would not take these words; nothing when it would."""
    command: Any = typer.main.get_command(app)
    rest = list(words)
    while (known := under(command)) is not None:
        if not rest or rest[0] not in known:
            return f"no command {' '.join(words)}"
        command = known[rest.pop(0)]
    try:
        context = command.make_context("opsfloor", rest, resilient_parsing=False)
    except USAGE as error:
        return f"{' '.join(words)}: {error}"
    asked_for = context.params.get("service")
    return "" if asked_for is None or asked_for in RUNNABLE else f"no service {asked_for}"
