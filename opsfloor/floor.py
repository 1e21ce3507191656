"""Finding the running floor: its broker and database, its services' HTTP faces, a token to ask them with."""

from __future__ import annotations

import json
import os
import ssl
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from pathlib import Path
from socket import gethostname
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

import asyncpg
import psutil
from asyncpg.pool import PoolConnectionProxy
from pydantic import ValidationError

from opsfloor import addresses
from opsfloor.answers import Remedied
from shared.home import home
from shared.http.tokens import Issuer, ensure_key_pair
from shared.runtime import kafka_access
from shared.runtime.settings import Settings

if TYPE_CHECKING:  # with what it brings along it is a tenth of a command's start, and few commands ask over HTTP
    import httpx

SERVICES: Final = ("intake", "audit", "routing", "vendor")
BALANCER: Final = "balancer"
START_IT: Final = (
    "start the floor: `opsfloor stack up`, once `opsfloor reference deploy/reference`, then `opsfloor run "
    "intake|audit|routing|vendor`; or `make demo`"
)
START_AGAIN: Final = (
    "start it again: `opsfloor run {}`; what was sent meanwhile waits on the bus (docs/runbook/ServiceAbsent.md)"
)
ORDERS_STAY: Final = (
    "orders in force hold, and end on time by themselves; start routing again: `opsfloor run routing` "
    "(docs/runbook/ServiceAbsent.md)"
)
STUCK: Final = (
    "its process is there and waits for something: `opsfloor stack status` tells whether broker and database are up; ask "
    "again when they are"
)
MAY_STILL: Final = "it was sent and may still be done; `opsfloor stack status` tells whether broker and database are up"
UNANSWERED: Final = "unanswered"
"""The code of a command that was sent and may be carried out, though nobody has said so."""
LOOK: Final = "see the service's log"
REMEDIES: Final = {
    "dependency_away": "`opsfloor stack status` tells whether broker and database are up",
    "broker_silent": "`opsfloor stack status` tells whether broker and database are up",
    "not_authorised": "`--as NAME` says who you are; deploy/reference/reroutes.yaml says who is on duty",
    "own_proposal": "ask a second person on duty to do it",
    "rules_broken": "name the rule with `--override RULE` if you answer for it",
    "preview_changed": "look again with `opsfloor reroute show ID`, then approve what it says now",
    "drill_breaks_rule": "drill at another hour: no safety rule is overridden for practice",
    "drill_minutes": "name from 10 to 240 minutes; what is to hold for longer is no drill: `opsfloor reroute propose`",
    "capacity_check_failed": "drill when more people are there or less comes, or less of the floor; practice overrides nothing",
    "same_scope_in_force": "`opsfloor reroute extend ID MINUTES` keeps that one in force",
    "too_long": "propose it with two people, or for a shorter time",
    "wrong_phase": "`opsfloor reroute show ID` tells where it is",
    "unknown_reroute": "`opsfloor reroute list --all` shows the ids",
    "invalid_request": "mend what you typed; `opsfloor reroute COMMAND --help` says what each option takes",
    "scope_empty": "say where: `--centre`, `--team`, `--provider`, or which work: `--work-type`, `--business-type`",
    "scope_unknown": "look at the names in deploy/reference, and whether the parts of the scope meet",
    "scope_not_local": "take `--business-type` and `--region` alone with `local`",
    "rule_unknown": "`opsfloor reroute preview` names the rules that it would break",
    "rule_not_overridable": "narrow the scope, or take a smaller share with `shift --percent`",
    "start_too_far": "propose it when it is nearer",
    "start_past": "name a start to come after `--starts-at`, or leave it out: it then begins as soon as it is approved",
    "text_not_plain": "write the words anew, on one line",
    "percent_not_taken": "take `shift --percent`, or leave `--percent` out",
    "glass_open": "close the review with `opsfloor reroute review ID`, or propose it with two people",
    "look_too_slow": "the preview stands without it; ask again in a moment",
    "nothing_to_review": "`opsfloor reroute list` shows which reviews are open",
}
"""What to do about a refusal, by its code."""
NOT_FOUND_REMEDIES: Final = {
    "never_opened": "ask who sent that which case they mean; was one lost on its way, see docs/operations.md, «A gap»",
}
"""What to do where nothing is found and the service says more of it, by its code."""


@dataclass(frozen=True, slots=True)
class Running:
    """A service process that wrote down where it answers, or an address that the environment names: without a process."""

    service: str
    pid: int | None
    url: str


def addresses_from_stack() -> dict[str, str]:
    """Where the local stack answers, as environment variables, when one is up and nothing else is set."""
    file = home() / "stack.env"
    if not file.is_file():
        return {}
    pairs = (line.split("=", 1) for line in file.read_text().splitlines() if "=" in line)
    return dict(pairs)


def settings(**overrides: Any) -> Settings:
    """The process's settings, with addresses that can be, from the environment and else from the local stack.

    Errors:  `Remedied`.
    """
    found = settings_as_set(**overrides)
    addresses.checked()
    try:
        kafka_access.checked(found.kafka)
    except ValueError as error:
        raise Remedied(str(error), "mend what OPSFLOOR_KAFKA names, or name another file there") from error
    return found


def settings_as_set(**overrides: Any) -> Settings:
    """The same as they were set, for who looks at each address. Errors: `Remedied`."""
    for name, value in addresses_from_stack().items():
        os.environ.setdefault(name, value)
    try:
        return Settings(**overrides)
    except ValidationError as error:
        faults = [(f"OPSFLOOR_{str(each['loc'][0]).upper()}", each) for each in error.errors()]
        wrong = "; ".join(f"{name}: {each['msg']}" for name, each in faults if each["type"] != "missing")
        if wrong:
            raise Remedied(
                f"Expected settings that can be, found {wrong}", "mend what is named, or unset it"
            ) from error
        missing = ", ".join(name for name, _ in faults)
        raise Remedied(
            f"Expected {missing} to be set",
            "`opsfloor stack up` starts a local broker and database, which commands in this folder then find; or export both",
        ) from error


def running(service: str | None = None) -> list[Running]:
    """Where services answer: at the addresses in `OPSFLOOR_<SERVICE>_URL`, with commas; of a service without that the
    processes of this machine that are alive, by the notes in `home()/run`. Stale and broken notes are passed over."""
    found = [Running(name, None, url) for name in (*SERVICES, BALANCER) for url in _named(name)]
    named = {entry.service for entry in found}
    for file in sorted((home() / "run").glob("*.json")):
        note = _noted(file)
        if note is not None and note.service not in named and _alive(note.pid):
            found.append(note)
    return [entry for entry in found if service is None or entry.service == service]


def _noted(file: Path) -> Running | None:
    """What a process of this machine wrote down; none of another machine's, or that a full disk or a crash cut off."""
    try:
        note = json.loads(file.read_text())
        if note.get("host", gethostname()) != gethostname():
            return None  # of a home that machines share: neither its number nor its address means it here
        return Running(str(note["service"]), int(note["pid"]), str(note["url"]))
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _alive(pid: int | None) -> bool:
    """Whether the process still works: one that has ended and that nobody has asked about yet does not."""
    try:
        return pid is not None and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except (psutil.NoSuchProcess, ValueError):  # a number that no process can have
        return False


def _named(service: str) -> list[str]:
    return [url.rstrip("/") for url in os.environ.get(f"OPSFLOOR_{service.upper()}_URL", "").replace(",", " ").split()]


async def steps(connection: asyncpg.Connection[Any] | PoolConnectionProxy[Any], service: str) -> frozenset[str] | None:
    """The steps that a service's schema has taken; `None` when there is no schema yet."""
    if await connection.fetchval("SELECT to_regclass($1)", f"{service}.migration") is None:
        return None
    rows = await connection.fetch(f"SELECT name FROM {service}.migration")  # noqa: S608 - one of our own four names
    return frozenset(row["name"] for row in rows)


def bearer(role: str = "on_call", subject: str = "command-line") -> dict[str, str]:
    """An authorisation header signed with this machine's own key."""
    private, _ = ensure_key_pair(home() / "keys")
    return {"Authorization": f"Bearer {Issuer(private).issue(subject=subject, role=role, seconds=300)}"}


def ask(service: str, path: str, role: str = "on_call", subject: str = "command-line") -> Any:
    """GET a JSON answer from a running service. Errors: `Remedied` when none runs, it refuses or knows nothing."""
    answer = _call(service, "GET", path, bearer(role, subject), None)
    if answer.status_code == HTTPStatus.NOT_FOUND:
        problem = _problem(answer)
        if (code := str(problem.get("code"))) in NOT_FOUND_REMEDIES:
            raise Remedied(str(problem.get("detail")), NOT_FOUND_REMEDIES[code], code)
        identity = unquote(path.split("/")[2].partition("?")[0])
        raise Remedied(
            f"Expected {service} to know {identity}, found nothing of it",
            "check the id; what was sent a moment ago may still be on its way",
            "unknown",
        )
    return _told(service, answer)


def tell(service: str, path: str, body: Any, role: str, subject: str, key: str | None = None) -> Any:
    """POST JSON to a running service and return its JSON answer. Errors: `Remedied`, with the problem's own words."""
    headers = bearer(role, subject) | ({"Idempotency-Key": key} if key else {})
    return _told(service, _call(service, "POST", path, headers, body))


def text_of(service: str, path: str, role: str, subject: str) -> str:
    """GET a page from a running service. Errors: `Remedied`."""
    answer = _call(service, "GET", path, bearer(role, subject), None)
    if answer.is_error:
        _told(service, answer)
    return answer.text


def _call(service: str, method: str, path: str, headers: dict[str, str], body: Any) -> httpx.Response:
    """What the first of a service's processes that answers says. Errors: `Remedied` when none does, with the code
    `UNANSWERED` when one may have heard a command.

    Holds:   what changes something is asked for once: of another process only under the same key, by which the service
             knows it again, or when the first one cannot have heard of it.
    """
    urls = [entry.url for entry in running(service)]
    if not urls:
        raise Remedied(f"Expected a running {service} service, found none", to_start(service, path))
    import httpx

    again = method == "GET" or "Idempotency-Key" in headers
    silent, failed = [], []
    for url in urls:
        try:
            return httpx.request(method, f"{url}{path}", headers=headers, json=body, timeout=10, verify=_trusted())
        except httpx.HTTPError as error:
            silent.append(f"{url}: {error}")
            if not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
                failed.append(error)
            if failed and not again:
                break
    what = f"Expected {service} to answer, found {'; '.join(silent)}"
    if failed and "Idempotency-Key" in headers:
        raise Remedied(what, MAY_STILL, UNANSWERED)
    if any(isinstance(error, httpx.TimeoutException) for error in failed):
        raise Remedied(what, STUCK)
    raise Remedied(what, to_start(service, path))


def to_start(service: str, path: str = "") -> str:
    """What to do where nobody of a service answers. A floor is begun only where there is no trace of one: on one that is
    there the example bank would be published over the bank's own reference data."""
    if path.startswith("/reroute"):
        return ORDERS_STAY
    return START_AGAIN.format(service) if _begun() else START_IT


def _begun() -> bool:
    """Whether a floor is known here: by an address, a stack, or a process that once noted where it answered."""
    names = ("KAFKA", "DATABASE_URL", *(f"{service.upper()}_URL" for service in (*SERVICES, BALANCER)))
    return (
        any(f"OPSFLOOR_{name}" in os.environ for name in names)
        or (home() / "stack.json").is_file()
        or any((home() / "run").glob("*.json"))
    )


@cache
def _trusted() -> ssl.SSLContext:
    """The authorities that are trusted. Read once: reading them takes longer than most answers."""
    import httpx

    return httpx.create_ssl_context()


def _problem(answer: httpx.Response) -> dict[str, Any]:
    try:
        problem = answer.json()
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}


def _told(service: str, answer: httpx.Response) -> Any:
    if not answer.is_error:
        return answer.json()
    try:
        problem = answer.json()
        code = str(problem["code"])
        raise Remedied(f"{service} refused ({code}): {problem['detail']}", REMEDIES.get(code, LOOK), code)
    except (ValueError, KeyError, TypeError) as error:
        raise Remedied(f"{service} refused: {answer.status_code} {answer.text[:300]}", LOOK) from error
