"""The world of a replayed log: its roles are teams, its resources operators, its activities business types."""

from __future__ import annotations

import asyncio
import hashlib
import io
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import aiohttp
from PIL import Image

from opsfloor import floor
from opsfloor.answers import Remedied
from opsfloor.event_log import Activity, predecessors
from opsfloor.log_ids import LogIds
from opsfloor.publishing import commands, published
from opsfloor.submit import image_store
from services.intake.submit import build_submission
from shared.contracts import audit, core, intake, routing
from shared.contracts.message import ImageReference
from shared.contracts.reference import (
    REFERENCE,
    Branch,
    BusinessType,
    Centre,
    Operator,
    Provider,
    ReferenceEntry,
    SliceArea,
    StandardTimes,
    Team,
    TemplateField,
)
from shared.http.tokens import Issuer, ensure_key_pair
from shared.reference.board import REFERENCE_BOARD, ReferenceView
from shared.reference.keys import LOCAL, make_branch_key, with_local_keys
from shared.runtime.errors import ContractError
from shared.runtime.headers import body_of, origin_of
from shared.runtime.host import Publish
from shared.runtime.kafka_log import KafkaLog
from shared.runtime.processor import derived_id

BRANCH: Final = "log-branch"
DAY_SECONDS: Final = 86_400.0
STILL_SECONDS: Final = 60.0  # in which nothing is given out nor ends though nobody is at work: nothing will


@dataclass
class Turnarounds:
    """What is compared. Units: seconds of the log, per case; `latencies` in real seconds, per activity."""

    log: list[float] = field(default_factory=list)
    floor: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)


def of_log(identity: str) -> str:
    """An id from the log as one that nothing else on the floor has."""
    return f"log-{identity}"


def reference_of(cases: Mapping[str, list[Activity]]) -> list[ReferenceEntry]:
    """The reference data that the log implies: who does what, where."""
    activities = [activity for case in cases.values() for activity in case]
    ids = LogIds.of(activities)
    one = SliceArea(left=0, top=0, width=1, height=0.4)
    hour = StandardTimes(entry=3600, arbitration=3600, review=3600, authorisation=3600, inspection=3600)
    entries: list[ReferenceEntry] = [
        Centre(id="log-centre", label="Centre of the log", city="-"),
        Provider(id="log-house", label="The log's own people", outside=False, data_classes=("internal",)),
        Branch(id=BRANCH, label="Branch of the log", public_key=LOCAL),
    ]
    for name in sorted({activity.name for activity in activities}):
        done = TemplateField(name="done", label=name, area=one)
        entries.append(
            BusinessType(
                id=of_log(ids.activity[name]),
                label=name,
                version=1,
                fields=(done,),
                review=False,
                inspection=False,  # the log has none, and nobody in it who could: a sample would wait for ever
                sla_seconds=30 * DAY_SECONDS,
                standard=hour,
            )
        )
    for role in sorted({activity.role for activity in activities}):
        entries.append(Team(id=of_log(ids.role[role]), label=role, centre_id="log-centre", provider_id="log-house"))
    skills: dict[tuple[str, str], set[str]] = {}
    for activity in activities:
        skills.setdefault((activity.resource, activity.role), set()).add(f"{of_log(ids.activity[activity.name])}/entry")
    for (resource, role), work_types in sorted(skills.items()):
        entries.append(
            Operator(
                id=of_log(ids.person[role, resource]),
                name=resource,
                team_id=of_log(ids.role[role]),
                work_types=tuple(sorted(work_types)),
            )
        )
    return entries


def left_over(view: ReferenceView, keys: Collection[str]) -> Iterator[str]:
    """The keys of people of earlier replays, who would be given work that they never do."""
    for person in view.operators.values():
        if person.key not in keys and person.team_id.startswith(of_log("")) and person.id.startswith(of_log("")):
            yield person.key


class Seat:
    """One operator's connection to the workbench; when one routing service does not answer, the next one is asked."""

    def __init__(self, session: aiohttp.ClientSession, urls: Sequence[str], token: str, turn: int) -> None:
        self._session: Final = session
        self._urls: Final = urls
        self._headers: Final = {"Authorization": f"Bearer {token}"}
        self._turn = turn

    async def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> tuple[int, Any]:
        """Status and JSON content; 0 when nobody answered."""
        url = f"{self._urls[self._turn % len(self._urls)]}{path}"
        try:
            async with self._session.request(method, url, json=body, headers=self._headers) as answer:
                return answer.status, await answer.json() if answer.status == 200 else None
        except (aiohttp.ClientError, TimeoutError):
            self._turn += 1
            return 0, None


class Replay:
    """Plays the cases: hands an activity in when what it followed is done, and notes when it was done itself."""

    def __init__(self, cases: Mapping[str, list[Activity]], speed: float, tell: Callable[[int], None]) -> None:
        self._cases: Final = cases
        self._ids: Final = LogIds.of([activity for case in cases.values() for activity in case])
        self._speed: Final = speed
        self._tell: Final = tell
        self._settings: Final = floor.settings()
        self._run: Final = f"{time.time():.0f}"
        self._done: Final[dict[int, asyncio.Event]] = {}
        self._activity_by_case: Final[dict[str, Activity]] = {}
        self._handed_in: Final[dict[int, float]] = {}
        self._turnarounds: Final = Turnarounds()
        self._origin = min(activity.enabled_at for case in cases.values() for activity in case)
        self._began = 0.0
        self._at_work = 0  # operators with an item in hand
        self._moved = 0.0  # when something last happened, on the monotonic clock
        self._confirmed: Final[set[str]] = set()  # postings
        self._owed: dict[str, audit.PostingRequested] = {}  # postings of earlier replays that were broken off

    async def play(self) -> Turnarounds:
        """Publish the reference data, let everybody sign on, play every case, compare; afterwards the log's people leave.

        Errors:  `Remedied` when the floor refuses a document, or nothing goes on.
        """
        entries = with_local_keys(reference_of(self._cases), self._settings.home / "keys")
        people = [entry for entry in entries if isinstance(entry, Operator)]
        async with commands("replay") as publisher:
            for key in left_over(await published(REFERENCE_BOARD), {entry.key for entry in entries}):
                await publisher.remove(REFERENCE, key)  # of a replay that was killed
            try:
                for entry in entries:
                    await publisher.publish(entry, f"reference/{entry.key}")
                await self._played(publisher.publish, people)
            finally:
                for entry in entries:
                    if isinstance(entry, Operator | Branch):
                        await publisher.remove(REFERENCE, entry.key)
        return self._turnarounds

    async def _played(self, publish: Publish, people: list[Operator]) -> None:
        self._began = time.monotonic() + 2.0  # the boards of the services read the reference data meanwhile
        self._moved = self._began
        log = KafkaLog(self._settings.kafka)
        helpers = [
            asyncio.create_task(helper)
            for helper in (self._listen(log, publish), self._staff(people), self._go_on(STILL_SECONDS))
        ]
        cases = asyncio.create_task(self._all(publish))
        try:
            await asyncio.wait([cases, *helpers], return_when=asyncio.FIRST_COMPLETED)
            for helper in helpers:
                if helper.done():
                    helper.result()
            await cases
        finally:
            for task in (cases, *helpers):
                task.cancel()
            await asyncio.gather(cases, *helpers, return_exceptions=True)

    async def _go_on(self, still_seconds: float) -> None:
        """Errors: `Remedied` when what was handed in neither is given out nor ends, and nobody is at work."""
        while True:
            await asyncio.sleep(still_seconds / 10)
            open_lines = self.open_lines()
            still = time.monotonic() - self._moved
            if open_lines and not self._at_work and still > still_seconds:
                case_id = self.case_of(min(open_lines))
                raise Remedied(
                    f"Expected the floor to go on, found {len(open_lines)} activities handed in and nothing given out or ended "
                    f"for {still:.0f} s, though nobody is at work",
                    f"`opsfloor case {case_id}` names its items, `opsfloor item ID` where one waits and why; `opsfloor status` "
                    "whether all services run",
                )

    # ------------------------------------------------------------------ cases

    def open_lines(self) -> list[int]:
        """The lines of what was handed in and has not come to its end on the floor, in the order of handing in."""
        return [line for line in self._handed_in if not self._done[line].is_set()]

    def case_of(self, line: int) -> str:
        """The floor's case of a line that was handed in."""
        return derived_id("case", self._submission_id(line))

    async def _all(self, publish: Publish) -> None:
        await asyncio.gather(*(self._case(case, publish) for case in self._cases.values()))

    async def _case(self, case: list[Activity], publish: Publish) -> None:
        for activity in case:
            self._done[activity.line] = asyncio.Event()
        first = min(activity.enabled_at for activity in case)
        await self._until(first)
        began = time.monotonic()
        await asyncio.gather(*(self._activity(activity, before, publish) for activity, before in predecessors(case)))
        self._turnarounds.floor.append((time.monotonic() - began) * self._speed)
        self._turnarounds.log.append((max(activity.end_at for activity in case) - first).total_seconds())

    async def _activity(self, activity: Activity, before: list[Activity], publish: Publish) -> None:
        for other in before:
            await self._done[other.line].wait()
        since = max([other.end_at for other in before], default=activity.enabled_at)
        await asyncio.sleep((activity.enabled_at - since).total_seconds() / self._speed)
        await self._hand_in(activity, publish)
        await self._done[activity.line].wait()

    async def _until(self, at: datetime) -> None:
        due = self._began + (at - self._origin).total_seconds() / self._speed
        await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def _hand_in(self, activity: Activity, publish: Publish) -> None:
        store = image_store(self._settings)
        content = _page()
        if not self._handed_in:
            await store.put(content)
        submission_id = self._submission_id(activity.line)
        self._activity_by_case[self.case_of(activity.line)] = activity
        self._handed_in[activity.line] = self._moved = time.monotonic()
        image = ImageReference(
            sha256=hashlib.sha256(content).hexdigest(), media_type="image/png", size_bytes=len(content), label="voucher"
        )
        message = build_submission(
            submission_id=submission_id,
            branch_id=BRANCH,
            business_type=of_log(self._ids.activity[activity.name]),
            images=(image,),
            key=make_branch_key(self._settings.home / "keys", BRANCH),
            captured_at=datetime.now(UTC),
        )
        await publish(message, f"submission/{submission_id}")

    def _submission_id(self, line: int) -> str:
        return f"log-{self._run}-{line}"

    # ------------------------------------------------------------- floor's news

    async def _listen(self, log: KafkaLog, publish: Publish) -> None:
        """Note what the floor assigned and finished; stand in for the core bank, which always says yes here.

        Holds:   what an earlier replay was broken off before confirming is confirmed once all that was is known.
        """
        topics = (intake.RECEIPT, routing.ASSIGNMENT, audit.POSTING, core.POSTING, audit.CASE)
        tail = log.tail([topic.name for topic in topics])
        await tail.start()
        try:
            while True:
                if self._owed and await tail.ready():
                    await self._confirm_owed(publish)
                for record in await tail.fetch(2_000, 0.1):
                    try:
                        message = body_of(record, origin_of(record).kind)
                    except ContractError:
                        continue  # the floor's own readers park what cannot be read
                    await self._hear(message, publish)
        finally:
            await tail.stop()

    async def _hear(self, message: object, publish: Publish) -> None:
        if isinstance(message, intake.SubmissionRejected) and message.submission_id.startswith(
            self._submission_id(0)[:-1]
        ):
            raise Remedied(
                f"Expected the floor to take {message.submission_id} in, found {message.code}: {message.detail}",
                "play the log again; `opsfloor status` tells whether all services run",
            )
        if isinstance(message, core.PostingConfirmed):
            self._confirmed.add(message.posting_id)
            return
        case_id = getattr(message, "case_id", None)
        activity = self._activity_by_case.get(case_id) if isinstance(case_id, str) else None
        if activity is None:
            if isinstance(message, audit.PostingRequested) and message.business_type.startswith(of_log("")):
                self._owed[message.posting_id] = message
            return
        self._moved = time.monotonic()
        match message:
            case routing.WorkAssigned(attempt=1):
                self._turnarounds.latencies.append(time.monotonic() - self._handed_in[activity.line])
            case audit.PostingRequested():
                await _confirm(message, publish)
            case audit.CasePosted() | audit.CaseClosed():
                self._done[activity.line].set()
                self._tell(sum(event.is_set() for event in self._done.values()))
            case _:
                return

    async def _confirm_owed(self, publish: Publish) -> None:
        owed, self._owed = self._owed, {}
        for posting_id, asked in owed.items():
            if posting_id not in self._confirmed:
                await _confirm(asked, publish)

    # ---------------------------------------------------------------- operators

    async def _staff(self, operators: list[Operator]) -> None:
        private, _ = ensure_key_pair(self._settings.home / "keys")
        issuer = Issuer(private)
        urls = [entry.url for entry in floor.running("routing")]
        patience = aiohttp.ClientTimeout(total=40)
        connector = aiohttp.TCPConnector(limit=0)
        async with (
            aiohttp.ClientSession(connector=connector, timeout=patience) as session,
            asyncio.TaskGroup() as group,
        ):
            for operator in operators:
                token = issuer.issue(
                    subject=operator.id,
                    role="operator",
                    team_id=operator.team_id,
                    provider_id="log-house",
                    seconds=DAY_SECONDS,
                )
                seat = Seat(session, urls, token, len(operator.id))
                group.create_task(self._operate(seat))

    async def _operate(self, seat: Seat) -> None:
        await asyncio.sleep(1.0)
        while True:
            status, item = await seat.ask("GET", "/next?wait_seconds=20")
            if status == 200:
                await self._handle(seat, item)
            elif status == 403:
                await asyncio.sleep(0.5)  # the service's board has not read the reference data yet
            elif status != 204:
                await asyncio.sleep(0.2)
                await seat.ask("POST", "/sign-on", {})

    async def _handle(self, seat: Seat, item: Mapping[str, Any]) -> None:
        path, attempt = f"/assignment/{item['work_item_id']}", {"attempt": item["attempt"]}
        activity = self._activity_by_case.get(item["case_id"])
        seconds = 0.0 if activity is None else activity.handle_seconds  # left from an earlier replay: done at once
        self._at_work += 1
        try:
            await seat.ask("POST", f"{path}/accept", attempt)
            await asyncio.sleep(seconds / self._speed)
            outcome = {"form": "keyed", "value": "done"}
            body = {**attempt, "outcome": outcome, "handle_seconds": min(seconds, DAY_SECONDS)}
            await seat.ask("POST", f"{path}/complete", body)
        finally:
            self._at_work -= 1
            self._moved = time.monotonic()


async def _confirm(asked: audit.PostingRequested, publish: Publish) -> None:
    yes = core.PostingConfirmed(
        posting_id=asked.posting_id, case_id=asked.case_id, core_reference="log", booked_at=datetime.now(UTC)
    )
    await publish(yes, f"core/{asked.posting_id}")


def _page() -> bytes:
    out = io.BytesIO()
    Image.new("L", (200, 200), 255).save(out, "PNG")
    return out.getvalue()
