"""What a process is told by its environment. Every name starts with `OPSFLOOR_`, but for OpenTelemetry's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AliasChoices, BeforeValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.home import HOME_DEFAULT, home


def _set(given: object) -> object:
    return given or home()


class Settings(BaseSettings):
    """Settings of one service process.

    Units:   seconds where the name says so; ports are TCP ports on `http_host`, 0 takes a free one.
    """

    model_config = SettingsConfigDict(env_prefix="OPSFLOOR_", frozen=True, extra="ignore")

    kafka: Annotated[str, Field(description="the bus's address: host:port,… or with TLS and a login (kafka_access.py)")]
    database_url: Annotated[str, Field(description="postgresql://…")]
    home: Annotated[Path, BeforeValidator(_set), Field(description="keys, local images, logs")] = HOME_DEFAULT
    images: Annotated[str, Field(description="object store URL; empty: a folder below home")] = ""
    http_host: str = "127.0.0.1"
    http_port: Annotated[int, Field(ge=0, le=65_535)] = 0
    instance: Annotated[str, Field(description="static membership: a name that survives restarts")] = ""
    session_timeout_seconds: Annotated[float, Field(gt=0, le=1_800)] = 6.0  # more no broker grants
    log_level: str = "info"
    last_words_seconds: Annotated[
        float, Field(ge=0, description="after a failure, how long the metrics can still be asked for; two scrapes")
    ] = 0.0
    batch_records_max: Annotated[int, Field(gt=0)] = 1_000
    gather_seconds: Annotated[
        float,
        Field(ge=0, le=5, description="how long records gather at least after a small batch: fewer batches, later"),
    ] = 0.004
    pool_size_max: Annotated[int, Field(gt=0)] = 10
    traces: Annotated[
        str,
        Field(
            validation_alias=AliasChoices("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"),
            description="where spans go, by OTLP over HTTP; empty: nowhere. The exporter reads the `OTEL_` names itself",
        ),
    ] = ""

    @property
    def images_url(self) -> str:
        """The object store's URL: what was set, else a folder below home."""
        return self.images or f"file://{(self.home / 'images').absolute()}"
