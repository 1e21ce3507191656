"""The control room of a simulated run: people on duty propose, approve, extend, end and cancel reroutes, well or badly."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from typing import Any, Final

from shared.contracts.intake import RECEIPT, SubmissionRejected
from shared.contracts.message import Message
from shared.contracts.reference import DrillEntry
from shared.contracts.reroute import (
    BREAK_GLASS_MINUTES_MAX,
    HOURS_MAX,
    REROUTE,
    REROUTE_LIFE,
    ApproveReroute,
    CancelReroute,
    CloseReview,
    DrillJudged,
    EndReroute,
    ExtendReroute,
    HeedCalendar,
    ProposeReroute,
    RerouteCommand,
    RerouteExtended,
    RerouteOrder,
    RerouteProposed,
    RerouteScope,
    RerouteSentBack,
    RerouteTerms,
)
from shared.contracts.routing import ASSIGNMENT, WorkReleased
from shared.proof.cases import Finding
from shared.runtime.headers import body_of, origin_of
from shared.runtime.log import Record

PEOPLE: Final = ("duty-lin", "duty-lin", "duty-chen", "duty-chen", "duty-north", "nobody-known")
SCOPES: Final = (
    RerouteScope(centres=("north",)),
    RerouteScope(centres=("south",)),
    RerouteScope(teams=("north-entry",)),
    RerouteScope(providers=("clearkey",)),
    RerouteScope(providers=("house",), business_types=("corporate-transfer",)),
    RerouteScope(centres=("north",), regions=("north", "east")),
)
LOCAL: Final = (
    RerouteScope(business_types=("corporate-transfer",)),
    RerouteScope(business_types=("corporate-transfer", "cheque-deposit", "account-maintenance")),
)
EFFECTS: Final = ("drain", "evacuate", "recall", "shift", "local", "local")
RULES: Final = ("two-centres-authorise", "no-flapping")

DRILLS: Final = tuple(
    DrillEntry(
        id=f"drill-{number}",
        label="practice",
        **place,
        weekdays=("mon",),
        begins=begins,
        minutes=2,
        notice_minutes=1,
        owner="duty-chen",
        signed_by=signer,
        signed_on=date(2026, 1, 12),
    )
    for number, (place, begins, signer) in enumerate(
        (
            ({"provider": "clearkey"}, "09:02", "duty-lin"),
            ({"centre": "north"}, "09:05", "duty-lin"),
            ({"provider": "clearkey"}, "09:12", "duty-north"),  # who approves nothing: it waits for somebody
            ({"centre": "south"}, "09:16", "duty-lin"),
        )
    )
)
"""A calendar of the simulated morning, which begins at nine."""

Records = dict[tuple[str, int], list[Record]]


class ControlRoom:
    """Who commands reroutes, drawn from the run's seed. Reads the log as the console would."""

    def __init__(
        self,
        records: Records,
        draw: random.Random,
        publish: Callable[[Message, str], None],
        now: Callable[[], datetime],
    ) -> None:
        self._records: Final = records
        self._draw: Final = draw
        self._publish: Final = publish
        self._now: Final = now
        self._asked = 0

    def command(self) -> None:
        """Somebody does something about a reroute."""
        still = [*self.still_open(), *self.unanswered()]
        if not still or self._draw.random() < 0.3:
            self._propose()
            return
        order = self._draw.choice(still)
        if order.phase == "proposed" and self._draw.random() < 0.7:
            self._send(ApproveReroute, order.reroute_id, preview_sha256=order.preview.sha256, override_rules=RULES)
            return
        if order.over_at is not None:
            self._send(CloseReview, order.reroute_id)
            return
        form = self._draw.choice((CancelReroute, EndReroute, ExtendReroute, CloseReview))
        self._send(form, order.reroute_id, **({"minutes": 5} if form is ExtendReroute else {}))

    def open_calendar(self) -> None:
        """A process of routing begins and says so."""
        self._asked += 1
        self._publish(HeedCalendar(issued_at=self._now()), f"calendar/{self._asked}")

    def stand_down(self) -> None:
        """Cancel whatever is open, and answer for every broken glass: the time of trouble is over."""
        for order in self.still_open():
            self._ask(CancelReroute, order.reroute_id, "duty-lin", {})
        for order in self.orders().values():
            if order.review == "open":
                reviewer = "duty-chen" if order.proposed_by == "duty-lin" else "duty-lin"
                self._ask(CloseReview, order.reroute_id, reviewer, {})

    def recall(self, team_id: str) -> str:
        """Somebody who may breaks the glass and takes a team's work from it at once. Returns the reroute's id."""
        reroute_id = f"r{self._asked}"
        terms = RerouteTerms(effect="recall", scope=RerouteScope(teams=(team_id,)), minutes=10, reason="trouble")
        glass = {"terms": terms, "break_glass": True, "override_rules": RULES}
        self._ask(ProposeReroute, reroute_id, "duty-lin", glass)
        return reroute_id

    def _propose(self) -> None:
        effect = self._draw.choice(EFFECTS)
        later = self._now() + timedelta(seconds=60) if self._draw.random() < 0.2 else None
        terms = RerouteTerms(
            effect=effect,
            scope=self._draw.choice(LOCAL if effect == "local" else SCOPES),
            percent=self._draw.choice((10, 50, 100)) if effect == "shift" else 100,
            minutes=self._draw.randint(1, 10),
            starts_at=later,
            reason="trouble",
        )
        self._send(
            ProposeReroute,
            f"r{self._asked}",
            terms=terms,
            break_glass=later is None and self._draw.random() < (0.9 if effect == "local" else 0.3),
            override_rules=RULES,
        )

    def _send(self, form: type[RerouteCommand], reroute_id: str, **fields: Any) -> None:
        self._ask(form, reroute_id, self._draw.choice(PEOPLE), fields)

    def _ask(self, form: type[RerouteCommand], reroute_id: str, actor: str, fields: dict[str, Any]) -> None:
        self._asked += 1
        command = form(
            command_id=f"reroute-command-{self._asked}",
            reroute_id=reroute_id,
            actor=actor,
            reason="simulated",
            issued_at=self._now(),
            **fields,
        )
        self._publish(command, f"reroute/{command.command_id}")
        if self._draw.random() < 0.1:
            self._publish(command, f"reroute/{command.command_id}")  # the sender did not hear the first answer

    # ---------------------------------------------------------------- reading

    def orders(self) -> dict[str, RerouteOrder]:
        """Every reroute as its last notice says."""
        return {notice.reroute_id: notice for notice in self._notices()}

    def still_open(self) -> list[RerouteOrder]:
        """The reroutes that are not over, by id."""
        return [order for _, order in sorted(self.orders().items()) if order.over_at is None]

    def unanswered(self) -> list[RerouteOrder]:
        """The broken glasses that are over and that nobody has answered for, by id."""
        orders = sorted(self.orders().items())
        return [order for _, order in orders if order.over_at is not None and order.review == "open"]

    def has_started(self, reroute_id: str) -> bool:
        """The reroute came into force, and may be over again."""
        order = self.orders().get(reroute_id)
        return order is not None and order.started_at is not None

    def _notices(self) -> Iterator[RerouteOrder]:
        seen: dict[str, int] = {}
        for message in read(self._records, REROUTE.name):
            if isinstance(message, RerouteOrder) and message.version > seen.get(message.reroute_id, 0):
                seen[message.reroute_id] = message.version
                yield message

    # ---------------------------------------------------------------- judging

    def judge(self) -> Iterator[Finding]:
        """No reroute is in force but lawfully, and no item left a desk by one that never was."""
        started: set[str] = set()
        for notice in self._notices():
            if notice.phase in ("active", "returning"):
                started.add(notice.reroute_id)
                if not lawful(notice):
                    yield Finding("two people", f"{notice.reroute_id} is in force as {notice.model_dump_json()[:300]}")
            if notice.terms.drill and (notice.over_at is None) != (notice.drill_outcome is None):
                yield Finding("drill", f"{notice.reroute_id} is {notice.phase} with {notice.drill_outcome}")
        for message in read(self._records, ASSIGNMENT.name):
            if isinstance(message, WorkReleased) and message.reroute_id and message.reroute_id not in started:
                yield Finding("reroute", f"{message.work_item_id} left by {message.reroute_id}, which never started")
        yield from self._judge_extensions()
        yield from self._judge_drills()
        yield from self._judge_sent_back()

    def _judge_extensions(self) -> Iterator[Finding]:
        """Nobody alone keeps what they proposed for longer than was agreed."""
        orders = self.orders()
        for fact in read(self._records, REROUTE_LIFE.name):
            if not isinstance(fact, RerouteExtended):
                continue
            order = orders[fact.reroute_id]
            agreed = order.started_at and order.started_at + timedelta(minutes=order.terms.minutes)
            if fact.by == order.proposed_by and (agreed is None or fact.ends_at > agreed):
                yield Finding("extension", f"{fact.by} extended {fact.reroute_id} alone to {fact.ends_at}")

    def _judge_drills(self) -> Iterator[Finding]:
        """Each drill is proposed once and judged once; whoever signed the calendar approves nothing else."""
        told = {
            (fact.kind, fact.reroute_id, fact.at)
            for fact in read(self._records, REROUTE_LIFE.name)
            if isinstance(fact, RerouteProposed | DrillJudged)
        }
        for (kind, reroute_id), count in Counter((kind, reroute_id) for kind, reroute_id, _ in told).items():
            if count > 1:
                yield Finding("drill", f"{reroute_id} has {count} facts {kind}")
        for order in self.orders().values():
            if order.approved_beforehand and (order.drill_entry is None or order.approved_by != "duty-lin"):
                yield Finding("drill", f"{order.reroute_id} was approved beforehand by {order.approved_by}")

    def _judge_sent_back(self) -> Iterator[Finding]:
        """Each submission that its branch was told to do itself counts once for the order that its receipt names."""
        told = {(receipt.submission_id, receipt.reroute_id) for receipt in done_locally(self._records)}
        counted = Counter((fact.submission_id, fact.reroute_id) for fact in self.sent_back())
        for submission_id, reroute_id in sorted(set(counted) ^ told, key=str):
            yield Finding("sent back", f"{submission_id} by {reroute_id} is told or counted, and not both")
        for (submission_id, reroute_id), count in counted.items():
            if count > 1:
                yield Finding("sent back", f"{submission_id} counts {count} times for {reroute_id}")

    def sent_back(self) -> list[RerouteSentBack]:
        """What the book has counted, however often a record of it came upon the bus."""
        facts: dict[str, RerouteSentBack] = {}
        for place in sorted(self._records):
            for record in self._records[place] if place[0] == REROUTE_LIFE.name else ():
                fact = body_of(record, origin_of(record).kind)
                if isinstance(fact, RerouteSentBack):
                    facts[origin_of(record).event_id] = fact
        return list(facts.values())

    def drill_outcomes(self) -> Counter[str]:
        """What came of the drills, by outcome."""
        return Counter(o.drill_outcome.outcome for o in self.orders().values() if o.drill_outcome is not None)


def lawful(notice: RerouteOrder) -> bool:
    """Approved by another, or a short broken glass with a review; and always with an end."""
    if notice.started_at is None or notice.ends_at is None:
        return False
    length = notice.ends_at - notice.started_at
    if notice.break_glass:
        return notice.review != "none" and length <= timedelta(minutes=BREAK_GLASS_MINUTES_MAX)
    return notice.approved_by not in (None, notice.proposed_by) and length <= timedelta(hours=HOURS_MAX)


def done_locally(records: Records) -> Iterator[SubmissionRejected]:
    """The receipts that leave a submission with its branch."""
    for receipt in read(records, RECEIPT.name):
        if isinstance(receipt, SubmissionRejected) and receipt.code == "do_locally":
            yield receipt


def read(records: Records, topic: str) -> Iterator[Message]:
    """Every message of a topic that can be read, partition by partition."""
    for place in sorted(records):
        if place[0] == topic:
            for record in records[place]:
                origin = origin_of(record)
                if origin.sequence:
                    yield body_of(record, origin.kind)
