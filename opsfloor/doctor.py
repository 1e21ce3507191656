"""`opsfloor doctor`: everything that a service needs, looked at once, each trouble with its remedy."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

import asyncpg
import httpx
import jwt
import typer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError
from aiokafka.protocol.admin import ApiVersionRequest
from obstore.exceptions import BaseError

from opsfloor import floor, fuses
from opsfloor.answers import as_json, remedied, table
from shared.http.app import METRICS_ROLES
from shared.http.keys import PRIVATE_NAME, PUBLIC_NAME, KeyPairError, found_keys
from shared.images import ImageStore
from shared.images.store import TO_FOLDER, vanished
from shared.runtime.errors import ContractError, TransientError
from shared.runtime.kafka_access import words_of
from shared.runtime.patience import within
from shared.runtime.schema import Step, migrations, newer
from shared.runtime.settings import Settings
from shared.runtime.topics import SETTINGS_REMEDY, settings_that_differ, wanted

JOIN_GROUP: Final = 11
JOIN_GROUP_MIN: Final = 5  # static membership, Kafka 2.3: a restart within the session keeps its shards
CLOCK_SECONDS_MAX: Final = 1.0
DISK_BYTES_MIN: Final = 1_000_000_000
DISK_SHARE_MIN: Final = 0.05
TOKEN_DAYS_MIN: Final = 7
PATIENCE_SECONDS: Final = 10.0
PORT_BY_SCHEME: Final = {"http": 80, "https": 443}
NOBODYS_IMAGE: Final = "0" * 64
FOUND_MAX: Final = 240  # characters of an error
TO_BROKER: Final = (
    "`opsfloor stack status` tells whether the broker is up; OPSFLOOR_KAFKA is its address (docs/deployment.md)"
)
TO_DATABASE: Final = (
    "`opsfloor stack status` tells whether the database is up; OPSFLOOR_DATABASE_URL is its postgresql://…"
)
TO_IMAGES: Final = (
    "start the object store, or set OPSFLOOR_IMAGES to its address: file:///folder, s3://bucket, gs://… or az://…;"
    " where it signs in comes from its own variables (AWS_…, GOOGLE_…, AZURE_…)"
)
TO_DISK: Final = "set OPSFLOOR_HOME to a folder that this user may read and write"
TO_KEYS: Final = (
    "services read the public key as they start: start each again, or set OPSFLOOR_HOME to the folder with their keys "
    "(docs/operations.md, «Keys and tokens»)"
)
TO_SPANS: Final = "start the receiver, or unset OTEL_EXPORTER_OTLP_ENDPOINT; the floor works on without it"
TROUBLES: Final = (
    KafkaError,
    ContractError,
    TransientError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    BaseError,
    OSError,
    ValueError,  # of an address that is none
)


HOLDER_BY_TOKEN: Final = {"scrape-token": "prometheus", "control-room-token": "alertmanager"}


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look has found. Holds: a finding that is not well has a remedy."""

    what: str
    well: bool
    found: str
    remedy: str = ""


def doctor(
    json: Annotated[bool, typer.Option("--json", help="one JSON document")] = False,
    tokens: Annotated[
        Path | None,
        typer.Option("--tokens", help="where the tokens of Prometheus and Alertmanager lie, when not below home"),
    ] = None,
) -> None:
    """Look at everything that a service needs; exits with 1 when something is not well."""
    settings = floor.settings_as_set()
    findings = asyncio.run(examine(settings))
    findings += tokens_findings(tokens or settings.home / "prometheus" / "secrets", datetime.now(UTC), bool(tokens))
    if json:
        as_json([asdict(finding) for finding in findings])
    else:
        rows = [("✓" if each.well else "✗", each.what, each.found, each.remedy) for each in findings]
        table("Does the floor have what it needs?", ("", "what", "found", "remedy"), rows)
    if not all(finding.well for finding in findings):
        raise typer.Exit(1)


async def examine(settings: Settings) -> list[Finding]:
    """Every look, one after the other. One that cannot be made is a finding, not a failure."""
    looks: Sequence[tuple[str, Callable[[Settings], Awaitable[list[Finding]]], str]] = (
        ("broker", _broker, TO_BROKER),
        ("topics", _topics, TO_BROKER),
        ("database", _database, TO_DATABASE),
        ("object store", _images, TO_IMAGES),
        ("disk", _disk, TO_DISK),
        ("keys", _keys, TO_DISK),
        ("tokens", _tokens, TO_KEYS),
        ("spans", _spans, TO_SPANS),
    )
    return [finding for what, look, remedy in looks for finding in await _patiently(what, look, settings, remedy)]


async def _patiently(
    what: str, look: Callable[[Settings], Awaitable[list[Finding]]], settings: Settings, remedy: str
) -> list[Finding]:
    try:
        return await within(PATIENCE_SECONDS, look(settings))
    except TimeoutError:
        return [Finding(what, False, f"no answer within {PATIENCE_SECONDS:.0f} s", remedy)]
    except TROUBLES as error:
        return [Finding(what, False, in_short(error), remedied(error, remedy).remedy)]


def in_short(error: Exception) -> str:
    """What an error says, in one line: a library's own inside is left out."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0].replace(NOBODYS_IMAGE, "…") if lines else ""
    text = text if len(text) <= FOUND_MAX else f"{text[:FOUND_MAX]}…"
    kind = "no address" if type(error) is ValueError else type(error).__name__
    return text if isinstance(error, TransientError) or text.startswith(kind) else f"{kind}: {text}".removesuffix(": ")


# ------------------------------------------------------------------------- bus


async def _broker(settings: Settings) -> list[Finding]:
    client = AIOKafkaClient(**words_of(settings.kafka), request_timeout_ms=5_000)
    try:
        await client.bootstrap()
        answer = await client.send(client.get_random_node(), ApiVersionRequest())
        return [version_finding({key: most for key, _, most in answer.api_versions})]
    finally:
        await client.close()


def version_finding(most_by_call: Mapping[int, int]) -> Finding:
    """Whether the broker is new enough, by the versions of its calls."""
    found = most_by_call.get(JOIN_GROUP, 0)
    if found < JOIN_GROUP_MIN:
        return Finding(
            "broker", False, f"joins groups by version {found} only", "use Apache Kafka 2.3 or newer; 4.x is tested"
        )
    return Finding("broker", True, "answers, and knows static membership")


async def _topics(settings: Settings) -> list[Finding]:
    admin = AIOKafkaAdminClient(**words_of(settings.kafka), request_timeout_ms=5_000)
    try:
        await admin.start()
        there = await admin.list_topics()
        present = [each for each in wanted(1) if each.name in there]
        names = [each.name for each in present]
        counts = (
            {each["topic"]: len(each["partitions"]) for each in await admin.describe_topics(names)} if names else {}
        )
        differ = await settings_that_differ(admin, present) if present else []
        return [topics_finding(counts, differ)]
    finally:
        await admin.close()


def topics_finding(partitions_by_topic: Mapping[str, int], differ: Sequence[str] = ()) -> Finding:
    """Whether all topics are there, as the contracts say, with the same number of partitions, without which no shard can
    own its key. `differ` says in words which settings are others."""
    missing = [each.name for each in wanted(1) if each.name not in partitions_by_topic]
    if missing:
        return Finding(
            "topics",
            False,
            f"missing: {', '.join(missing[:5])} ({len(missing)})",
            "`opsfloor reference FOLDER` makes them",
        )
    ((usual, most), *others) = Counter(partitions_by_topic.values()).most_common()
    if others:
        odd = sorted(f"{name}: {count}" for name, count in partitions_by_topic.items() if count != usual)
        return Finding(
            "topics",
            False,
            f"unequal partitions: {', '.join(odd[:5])} ({len(odd)}); the other {most} have {usual}",
            "docs/operations.md, «More partitions»",
        )
    if differ:
        found = f"other settings: {'; '.join(differ[:3])} ({len(differ)})"
        return Finding("topics", False, found, SETTINGS_REMEDY)
    return Finding("topics", True, f"{len(partitions_by_topic)} with {usual} partitions each")


# -------------------------------------------------------------------- database


async def _database(settings: Settings) -> list[Finding]:
    connection = await asyncpg.connect(settings.database_url, timeout=5)
    try:
        before = time.time()
        theirs: datetime = await connection.fetchval("SELECT clock_timestamp()")
        after = time.time()
        steps = {service: await floor.steps(connection, service) for service in floor.SERVICES}
        blown = await fuses.blown(connection)
    finally:
        await connection.close()
    return [
        Finding("database", True, "answers"),
        clock_finding(theirs, before, after),
        *(schema_finding(service, done, migrations()) for service, done in steps.items()),
        *fuse_findings(blown),
    ]


def fuse_findings(blown: Sequence[fuses.Fuse]) -> list[Finding]:
    """One for each that has blown, or one for all that are whole."""
    return [Finding("fuse", False, fuse.found, fuse.remedy) for fuse in blown] or [Finding("fuses", True, "whole")]


def clock_finding(theirs: datetime, before: float, after: float) -> Finding:
    """Whether the database's clock agrees with ours, give or take the way there. Units: seconds of the Unix epoch."""
    at = theirs.timestamp()
    difference = max(before - at, at - after, 0.0)
    found = f"differs from the database's by {difference:.1f} s"
    if difference > CLOCK_SECONDS_MAX:
        return Finding("clock", False, found, "let the time service (chrony, ntpd) run on every machine")
    return Finding("clock", True, found)


def schema_finding(service: str, done: frozenset[str] | None, known: Sequence[Step]) -> Finding:
    """Whether the schema is of this code's release, or of one beside it that this code can work on."""
    what = f"schema {service}"
    if done is None:
        return Finding(what, True, "not made yet; the service makes it when it starts")
    added, removed = newer(done, known)
    if removed:
        return Finding(what, False, f"newer than this code: {', '.join(removed)}", "run the release that knows it")
    left = [step for step in known if step.name not in done]
    if any(step.when == "stop" for step in left):
        return Finding(
            what, True, "a step for which the old release must have ended; the service takes it when it starts"
        )
    if after := sum(step.when == "post" for step in left):
        return Finding(what, True, f"steps for after the roll-out: {after}; then `opsfloor migrate post`")
    if added:
        return Finding(what, True, f"a later release is on its way, this code works beside it: {', '.join(added)}")
    return Finding(what, True, f"{len(left)} steps to take when the service starts" if left else "of this release")


# --------------------------------------------------------------------- machine


async def _images(settings: Settings) -> list[Finding]:
    folder = Path(settings.images_url.removeprefix("file://"))
    if _folder_missing(settings.images_url):
        if vanished(folder):
            return [Finding("object store", False, f"images of submissions lay in {folder}, and it is gone", TO_FOLDER)]
        _try_to_make(folder)
        return [Finding("object store", True, f"no folder yet at {settings.images_url}; the first service makes it")]
    await ImageStore.from_url(settings.images_url).get(NOBODYS_IMAGE)
    return [Finding("object store", True, f"answers at {settings.images_url}")]


def _folder_missing(url: str) -> bool:
    return url.startswith("file://") and not Path(url.removeprefix("file://")).exists()


def _try_to_make(folder: Path) -> None:
    """Make a folder and take it away again: whether it can be made nothing else tells. Errors: `OSError`."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True)
    for each in missing:
        with contextlib.suppress(OSError):  # a service that starts now has put something there
            each.rmdir()


async def _disk(settings: Settings) -> list[Finding]:
    home = settings.home.absolute()
    there = next(folder for folder in (home, *home.parents) if folder.exists())  # a look makes no folder
    usage = shutil.disk_usage(there)
    return [disk_finding(home, usage.free, usage.total)]


def disk_finding(home: Path, free: int, total: int) -> Finding:
    """Whether there is room for logs and local images."""
    found = f"{free / 1e9:.1f} GB free at {home}"
    if free < DISK_BYTES_MIN or free < DISK_SHARE_MIN * total:
        return Finding("disk", False, found, "make room, or set OPSFLOOR_HOME to a larger disk")
    return Finding("disk", True, found)


async def _keys(settings: Settings) -> list[Finding]:
    try:
        keys = found_keys(settings.home / "keys")
    except KeyPairError as error:
        return [Finding("keys", False, str(error), "mend what it names; tokens signed with a lost key are void")]
    return [Finding("keys", True, keys_found(keys))]


async def _tokens(settings: Settings) -> list[Finding]:
    """Whether every process that answers takes a token that is signed now; nothing to look at where none can be signed."""
    try:
        signs = PRIVATE_NAME in found_keys(settings.home / "keys")
    except KeyPairError:
        return []  # told of the keys themselves
    services = floor.running() if signs else []
    headers = floor.bearer("service") if services else {}
    async with httpx.AsyncClient(headers=headers, timeout=5) as client:
        answers = await asyncio.gather(*(_taken(client, entry) for entry in services))
    return taken_findings(dict(zip(services, answers, strict=True)))


async def _taken(client: httpx.AsyncClient, entry: floor.Running) -> bool | None:
    """Whether the process takes the token; `None` when it does not answer, which `opsfloor status` tells."""
    try:
        answer = await client.get(f"{entry.url}/metrics")
    except httpx.HTTPError:
        return None
    return answer.status_code != HTTPStatus.UNAUTHORIZED


def taken_findings(taken: Mapping[floor.Running, bool | None]) -> list[Finding]:
    """What came of showing each process a token."""

    def named(well: bool) -> str:
        return ", ".join(f"{entry.service} {entry.pid or entry.url}" for entry in taken if taken[entry] is well)

    if named(False):
        return [Finding("tokens", False, f"one signed now is refused by {named(False)}", TO_KEYS)]
    return [Finding("tokens", True, f"one signed now is taken by {named(True)}")] if named(True) else []


async def _spans(settings: Settings) -> list[Finding]:
    """Whether somebody listens where spans are sent; nothing to look at where they are sent nowhere."""
    return [await spans_finding(settings.traces)] if settings.traces else []


async def spans_finding(endpoint: str) -> Finding:
    """Whether a receiver takes connections at the endpoint, as the exporter reads it."""
    try:
        url = urlsplit(endpoint)
        if url.hostname is None or url.scheme not in PORT_BY_SCHEME:
            return Finding("spans", False, f"{endpoint!r} is no http:// or https:// address", TO_SPANS)
        _, writer = await asyncio.open_connection(url.hostname, url.port or PORT_BY_SCHEME[url.scheme])
    except (OSError, ValueError) as error:
        return Finding("spans", False, f"nobody takes them at {endpoint}: {error}", TO_SPANS)
    writer.close()
    return Finding("spans", True, f"somebody listens at {endpoint}")


def keys_found(names: frozenset[str]) -> str:
    """What the key files that are there are good for."""
    if PRIVATE_NAME in names:
        return "the key pair is there, readable by its owner alone"
    return (
        "the public key is there: tokens are checked"
        if PUBLIC_NAME in names
        else "none yet; the first service makes them"
    )


def tokens_findings(folder: Path, now: datetime, expected: bool) -> list[Finding]:
    """What Prometheus reads figures with, and Alertmanager proposes with. Where none is `expected`, none is missed."""
    files = [(holder, folder / name) for name, holder in HOLDER_BY_TOKEN.items()]
    return [
        token_finding(file.read_text() if file.exists() else "", now, file.name.replace("-", " "), holder)
        for holder, file in files
        if expected or file.exists()
    ]


def token_finding(token: str, now: datetime, what: str = "scrape token", holder: str = "prometheus") -> Finding:
    """Whether the token of Prometheus, or of Alertmanager, still holds for some time."""
    renew = f"`opsfloor stack up --with-metrics` writes a new one, or `opsfloor token {holder} --role service`"
    try:
        claims = jwt.decode(token.strip(), options={"verify_signature": False})
        left, role = datetime.fromtimestamp(claims["exp"], UTC) - now, claims["role"]
    except (jwt.InvalidTokenError, KeyError) as error:
        return Finding(what, False, f"unreadable: {error}", renew)
    if role not in METRICS_ROLES:
        return Finding(what, False, f"of role {role}, which no service answers so", renew)
    found = f"holds for {left.days} days" if left.days >= 0 else "is void"
    return Finding(what, left.days >= TOKEN_DAYS_MIN, found, "" if left.days >= TOKEN_DAYS_MIN else renew)
