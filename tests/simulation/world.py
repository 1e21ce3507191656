"""The people and systems around the simulated floor: branches, operators who err, a core bank that hesitates."""

from __future__ import annotations

import io
import random
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from itertools import product
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from PIL import Image

from opsfloor.dead_letters import again, home
from services.intake.submit import build_submission
from shared.contracts import audit, core, routing
from shared.contracts.branch import SubmissionSent
from shared.contracts.message import ImageReference, Message, Money
from shared.contracts.ops import RecordParked
from shared.contracts.reference import Branch, Operator, ReferenceEntry
from shared.contracts.work import (
    ArbitrationRuling,
    AuthorisationVerdict,
    InspectionVerdict,
    KeyedValue,
    Outcome,
    ReviewVerdict,
    WorkOrder,
)
from shared.proof.cases import Finding
from shared.reference import load
from shared.reference.keys import public_text
from shared.runtime.headers import body_of, origin_of, outside_headers
from shared.runtime.log import Outgoing, partition_of
from tests.simulation.control_room import DRILLS, ControlRoom, done_locally
from tests.simulation.planning_room import PlanningRoom
from tests.simulation.stage import PARTITIONS, Stage

KEY: Final = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
REFERENCE: Final = Path(__file__).parents[2] / "deploy" / "reference"
AMOUNTS_MINOR: Final = (120_000, 9_000_000, 90_000_000, 700_000_000)
TYPES: Final = ("corporate-transfer", "cheque-deposit", "account-maintenance")
WITH_AMOUNT: Final = TYPES[:2]
PEOPLE: Final = (
    *(f"north-entry-{n:02d}" for n in (1, 2, 12, 13)),
    *(f"south-entry-{n:02d}" for n in (1, 2, 11)),
    *(f"clearkey-one-{n:02d}" for n in (1, 2)),
    *(f"north-control-{n:02d}" for n in (1, 2, 3, 7, 9, 10)),
    *(f"south-control-{n:02d}" for n in (1, 2, 6, 7, 8)),
)


@cache
def image() -> bytes:
    """One small voucher, the same for everybody."""
    out = io.BytesIO()
    Image.new("L", (100, 60), 255).save(out, "PNG")
    return out.getvalue()


@cache
def bank() -> tuple[ReferenceEntry, ...]:
    """The example bank, its branches with the simulation's key."""
    return tuple(
        entry.model_copy(update={"public_key": public_text(KEY)}) if isinstance(entry, Branch) else entry
        for entry in load(REFERENCE)
    )


def reference() -> tuple[ReferenceEntry, ...]:
    """The example bank with few people, so that segregation of duties is felt, and drills this very morning."""
    few = tuple(entry for entry in bank() if not isinstance(entry, Operator) or entry.id in PEOPLE)
    return (*few, *DRILLS)


STRAYS_PARKED: Final = ("branch.submission.v1.dlq", f"{routing.COMMAND.name}.dlq")


class World:
    """What happens outside the floor, drawn from the run's seed."""

    def __init__(self, stage: Stage, draw: random.Random) -> None:
        self._stage: Final = stage
        self._draw: Final = draw
        self._read: Final[dict[str, list[int]]] = {}
        self._sent: Final[list[SubmissionSent]] = []
        self._pending: Final[list[Message]] = []
        self._commands = 0
        self._orders: Final[dict[str, WorkOrder]] = {}
        self._team_by_operator: Final = {o.id: o.team_id for o in bank() if isinstance(o, Operator)}
        self._answered: Final[set[str]] = set()
        self._staff: tuple[str, ...] = PEOPLE
        self._paused: Final[set[str]] = set()  # at some time: a pause may also arrive again, much later
        self.control_room: Final = ControlRoom(stage.log.records, draw, self.publish, stage.clock.now)
        self.planning_room: Final = PlanningRoom(stage.log.records, draw, self.publish, stage.clock.now)
        self.forged: Final[Counter[str]] = Counter()  # strangers' copies, before the branch's own and after
        self.strays: Final[
            list[tuple[str, int, int]]
        ] = []  # topic, partition and offset of what lies where its key does not
        self._sent_home: Final[set[str]] = set()  # ids of parked strays
        self.branches_ask_again = False  # what a branch was told to do itself it sends once more
        self.redrives_while_posting = False  # somebody sends a case's opening again just while its posting is under way

    def publish(self, message: Message, event_id: str, *, astray: int = 0) -> None:
        """Write one record from outside, so many partitions beside the one of its key."""
        key = message.key.encode()
        now = self._stage.clock.now()
        headers = outside_headers(message, "/outside", event_id, now)
        body = message.model_dump_json().encode()
        record = Outgoing(key, body, headers, int(now.timestamp() * 1000))
        place = (message.topic.name, (partition_of(key, PARTITIONS) + astray) % PARTITIONS)
        if astray:
            self.strays.append((*place, self._stage.log.end(place)))
        self._stage.log.append(place, record)

    def publish_reference(self) -> None:
        """The reference data, as the command line publishes it."""
        for entry in reference():
            self.publish(entry, f"reference/{entry.key}")

    # -------------------------------------------------------------- branches

    def submit(self) -> None:
        """A branch sends something: new, the same again, other content under a used id, or with a broken signature; or a
        stranger sends a copy of it, before the branch does or after."""
        kind = self._draw.random()
        left = self._left_with_branches() if self.branches_ask_again else []
        if left and kind < 0.5:
            self._send(self._draw.choice(left))
        elif self._sent and kind < 0.1:
            self._send(self._draw.choice(self._sent))
        elif self._sent and kind < 0.15:
            old = self._draw.choice(self._sent)
            self._send(self._submission(old.submission_id))
        elif self._sent and kind < 0.2:
            self._forge(self._draw.choice(self._sent), "after")
        else:
            message = self._submission(f"s-{len(self._sent)}")
            if kind > 0.95:
                message = message.model_copy(update={"signature": "AAAA"})
            elif kind > 0.85:
                self._forge(message, "before")
            self._sent.append(message)
            self._send(message)

    def _left_with_branches(self) -> list[SubmissionSent]:
        told = {receipt.submission_id for receipt in done_locally(self._stage.log.records)}
        return [message for message in self._sent if message.submission_id in told]

    def _forge(self, message: SubmissionSent, when: str) -> None:
        """A stranger's copy: unsigned, with other content under the branch's own signature, or of no branch."""
        changes = ({"signature": ""}, {"urgent": True}, {"branch_id": "nowhere"})
        self.forged[when] += 1
        self._send(message.model_copy(update=self._draw.choice(changes)))

    def _send(self, message: SubmissionSent) -> None:
        self.publish(message, f"submission/{message.submission_id}")

    def _submission(self, submission_id: str) -> SubmissionSent:
        import hashlib

        business_type, amount = self._draw.choice(TYPES), self._draw.choice(AMOUNTS_MINOR)
        return build_submission(
            submission_id=submission_id,
            branch_id=f"branch-{self._draw.randint(1, 10):02d}",
            business_type=business_type,
            images=(
                ImageReference(
                    sha256=hashlib.sha256(image()).hexdigest(), media_type="image/png", size_bytes=len(image())
                ),
            ),
            key=KEY,
            captured_at=self._stage.clock.now(),
            declared_amount=Money(amount_minor=amount, currency="CNY") if business_type in WITH_AMOUNT else None,
        )

    def go_astray(self) -> None:
        """A writer with a partitioner of its own sends something new, the same again, or other content under a used id."""
        astray, kind = self._draw.randint(1, PARTITIONS - 1), self._draw.random()
        if kind < 0.3:
            self._issue(self._commanded(routing.SignOn, self._draw.choice(PEOPLE)), astray=astray)
            return
        if self._sent and kind < 0.65:
            message = self._draw.choice(self._sent)
            message = message if kind < 0.5 else self._submission(message.submission_id)
        else:
            message = self._submission(f"s-{len(self._sent)}")
            self._sent.append(message)
        self.publish(message, f"submission/{message.submission_id}", astray=astray)

    def send_strays_home(self) -> None:
        """What was parked for its place is redriven, as on-call staff do it."""
        for parked in self.parked():
            place = (parked.origin_topic, parked.origin_partition, parked.origin_offset)
            if place in self.strays and parked.parked_id not in self._sent_home:
                self._sent_home.add(parked.parked_id)
                record = again(parked)._replace(timestamp_ms=int(self._stage.clock.now().timestamp() * 1000))
                self._stage.log.append((parked.origin_topic, home(parked, PARTITIONS)), record)

    def parked(self) -> Iterator[RecordParked]:
        """All that was parked of what others than shards write."""
        for place in product(STRAYS_PARKED, range(PARTITIONS)):
            for record in self._stage.log.records[place]:
                message = body_of(record, origin_of(record).kind)
                if isinstance(message, RecordParked):
                    yield message

    def judge_strays(self) -> Iterator[Finding]:
        """Each lies where only its key's readers do not look, so that it is parked and nothing else."""
        parked = {(one.origin_topic, one.origin_partition, one.origin_offset): one.reason for one in self.parked()}
        for place in self.strays:
            if "let Kafka's own partitioner" not in parked.get(place, ""):
                yield Finding("strays parked", f"{place} was not: {parked.get(place, 'it was taken')}")

    # ------------------------------------------------------------- operators

    def sign_on(self, operator_id: str | None = None) -> None:
        """An operator comes to the desk."""
        operator = operator_id or self._draw.choice(PEOPLE)
        self._command(routing.SignOn, operator)

    def everybody_signs_on(self) -> None:
        """The whole shift, and nobody pauses any more."""
        for operator in self._staff:
            self.sign_on(operator)
            if operator in self._paused:
                self._command(routing.Resume, operator)

    def hire(self) -> None:
        """The rest of the bank's people come to work: what nobody was allowed to do must now be placed by itself."""
        if len(self._staff) > len(PEOPLE):
            return
        self._staff = tuple(self._team_by_operator)
        for entry in bank():
            if isinstance(entry, Operator) and entry.id not in PEOPLE:
                self.publish(entry, f"reference/{entry.key}")
        self.everybody_signs_on()

    def recruit(self, wave: int) -> None:
        """New people in the place of everybody: whoever has been suspended meanwhile has somebody to follow them."""
        recruits = [
            entry.model_copy(update={"id": f"{entry.id}-{wave}"}) for entry in bank() if isinstance(entry, Operator)
        ]
        for entry in recruits:
            self._team_by_operator[entry.id] = entry.team_id
            self.publish(entry, f"reference/{entry.key}")
        self._staff += tuple(entry.id for entry in recruits)
        self.everybody_signs_on()

    def leave(self) -> None:
        """An operator signs off, whatever is in hand."""
        self._command(routing.SignOff, self._draw.choice(PEOPLE))

    def pause_or_resume(self) -> None:
        """An operator goes to lunch, whatever is in hand, or comes back."""
        operator = self._draw.choice(PEOPLE)
        if self._draw.random() < 0.4:
            self._paused.add(operator)
            self._command(routing.Pause, operator, reason="lunch")
        else:
            self._command(routing.Resume, operator)

    def pick(self) -> None:
        """Somebody wants a certain item, whether it waits at their desk or not, and whether they may or not."""
        if self._orders:
            wanted = self._draw.choice(sorted(self._orders))
            operator = self._draw.choice(PEOPLE)
            self._command(routing.PickWork, operator, work_item_id=wanted, reason="asked for", picked_by=operator)

    def _command(self, contract: type[routing.Command], operator: str, **more: object) -> None:
        self._issue(self._commanded(contract, operator, **more))

    def _commanded(self, contract: type[routing.Command], operator: str, **more: object) -> routing.Command:
        self._commands += 1
        return contract.model_validate(
            {
                "command_id": f"c-{self._commands}",
                "team_id": self._team_by_operator[operator],
                "operator_id": operator,
                "issued_at": self._stage.clock.now(),
                **more,
            }
        )

    def _issue(self, command: routing.Command, *, astray: int = 0) -> None:
        self.publish(command, command.command_id, astray=astray)
        if self._draw.random() < 0.1:
            self._pending.append(command)  # the same command will arrive again, perhaps much later

    def work(self, *, diligent: bool = False) -> None:
        """Operators look at what they were assigned and do something about it."""
        for message in self._news(routing.PLACED.name):
            if isinstance(message, routing.WorkPlaced):
                self._orders[message.order.work_item_id] = message.order
        for message in self._news(routing.ASSIGNMENT.name):
            if isinstance(message, routing.WorkAssigned):
                self._act(message, 0.0 if diligent else self._draw.random())

    def _act(self, assigned: routing.WorkAssigned, mood: float) -> None:
        hand = {"work_item_id": assigned.work_item_id, "attempt": assigned.attempt}
        operator = assigned.operator_id
        if mood > 0.95:
            return  # walked away: the lease will run out
        if mood > 0.88:
            self._command(routing.DeclineAssignment, operator, **hand, reason="unreadable")
            return
        if mood > 0.5:
            self._command(routing.AcceptAssignment, operator, **hand)
        order = self._orders[assigned.work_item_id]
        outcome = self._outcome(order)
        if mood > 0.6:
            self._draft(operator, hand, outcome)
        if mood > 0.8:
            return  # called away from the half-keyed item: a recall, or the end of the lease, takes it on
        self._command(routing.CompleteAssignment, operator, **hand, outcome=outcome, handle_seconds=30.0)
        if mood > 0.45 and mood < 0.5:
            stale = {**hand, "attempt": max(0, assigned.attempt - 1)}
            self._command(routing.CompleteAssignment, operator, **stale, outcome=outcome, handle_seconds=30.0)

    def _draft(self, operator: str, hand: dict[str, object], outcome: Outcome) -> None:
        """What was keyed so far is saved once or twice, at times of what keeps no draft, and the newer first."""
        keyed = outcome.value if isinstance(outcome, KeyedValue | ArbitrationRuling | InspectionVerdict) else "half"
        revisions = self._draw.sample((1, 2), self._draw.choice((1, 2)))
        for revision in revisions:
            value = keyed[: -1 if revision == 1 else None]
            self._command(routing.SaveDraft, operator, **hand, revision=revision, value=value)

    def _outcome(self, order: WorkOrder) -> Outcome:
        right = self._truth(order.case_id, order.field or "")
        match order.step:
            case "entry":
                return KeyedValue(value=right if self._draw.random() > 0.15 else right[:-1] + "7")
            case "arbitration":
                return ArbitrationRuling(value=right)
            case "inspection":
                return InspectionVerdict(value=right)
            case "review":
                wrong = tuple(f.name for f in order.shown if f.values and f.name != "declared_amount")
                failed = bool(wrong) and self._draw.random() < 0.1
                return ReviewVerdict(passed=not failed, wrong_fields=wrong[:1] if failed else ())
            case _:
                amount = self._truth(order.case_id, "amount") if order.rekey_amount else None
                return AuthorisationVerdict(granted=self._draw.random() > 0.05, rekeyed_amount=amount)

    def _truth(self, case_id: str, field: str) -> str:
        if field == "amount":
            return f"{AMOUNTS_MINOR[int(case_id[:8], 16) % len(AMOUNTS_MINOR)] / 100:.2f}"
        return f"{field}-{case_id[:6]}1"

    # ------------------------------------------------------------- core bank

    def book(self, *, diligent: bool = False) -> None:
        """The core bank answers some of what it was asked: yes, twice yes, or no; late, if not now."""
        for message in self._news(audit.POSTING.name):
            if isinstance(message, audit.PostingRequested) and message.posting_id not in self._answered:
                self._pending.append(message)
                if self.redrives_while_posting:
                    self._open_again(message.case_id)
        self._draw.shuffle(self._pending)
        keep: list[Message] = []
        for message in self._pending:
            if not diligent and self._draw.random() < 0.5:
                keep.append(message)
            elif isinstance(message, audit.PostingRequested):
                self._answer(message)
            else:
                self.publish(message, str(getattr(message, "command_id", "")))
        self._pending[:] = keep

    def _answer(self, asked: audit.PostingRequested) -> None:
        if asked.posting_id in self._answered:
            return
        self._answered.add(asked.posting_id)
        now: datetime = self._stage.clock.now()
        if self._draw.random() < 0.1:
            refused = core.PostingFailed(
                posting_id=asked.posting_id,
                case_id=asked.case_id,
                code="closed",
                detail="Account closed",
                failed_at=now,
            )
            self.publish(refused, f"core/{asked.posting_id}")
            return
        booked = core.PostingConfirmed(
            posting_id=asked.posting_id, case_id=asked.case_id, core_reference=asked.posting_id[:8], booked_at=now
        )
        for _ in range(2 if self._draw.random() < 0.3 else 1):
            self.publish(booked, f"core/{asked.posting_id}")

    # ----------------------------------------------------------------- reading

    def _news(self, topic: str) -> Iterator[Message]:
        """What came on a topic since the last look, each lane's record once."""
        positions = self._read.setdefault(topic, [0] * PARTITIONS)
        for number in range(PARTITIONS):
            records = self._stage.log.records[(topic, number)]
            start, positions[number] = positions[number], len(records)
            for record in records[start:]:
                yield body_of(record, origin_of(record).kind)

    def redrive(self) -> bool:
        """An old record is sent to its topic again from outside, as on-call staff may do: it has no lane any more."""
        topics = ("intake.case.v1", audit.WORK.name, routing.RESULT.name, routing.PLACED.name, audit.CASE.name)
        places = [
            place for place in sorted(self._stage.log.records) if place[0] in topics and self._stage.log.records[place]
        ]
        if not places:
            return False
        place = self._draw.choice(places)
        old = self._draw.choice(self._stage.log.records[place])
        headers = tuple(header for header in old.headers if header[0] not in ("sequence", "ce_source", "ce_id"))
        self._stage.log.append(place, Outgoing(old.key or b"", old.value, headers, old.timestamp_ms))
        return True

    def _open_again(self, case_id: str) -> None:
        for number in range(PARTITIONS):
            place = ("intake.case.v1", number)
            for old in [r for r in self._stage.log.records[place] if r.key == case_id.encode()][:1]:
                headers = tuple(header for header in old.headers if header[0] not in ("sequence", "ce_source", "ce_id"))
                self._stage.log.append(place, Outgoing(case_id.encode(), old.value, headers, old.timestamp_ms))

    def poison(self) -> str:
        """A record that nobody can read, on a topic that somebody reads. Returns the topic."""
        topic = self._draw.choice((audit.WORK.name, routing.COMMAND.name, routing.RESULT.name, "branch.submission.v1"))
        rubbish = self._draw.choice((b"\xff\xfe not json", b"{}", b'{"kind": "x"'))
        headers = self._draw.choice(((), (("ce_type", b"routing.sign-on.v1"),), (("ce_type", b"no.such.kind"),)))
        place = (topic, self._draw.randrange(PARTITIONS))
        self._stage.log.append(place, Outgoing(b"poison", rubbish, headers, 0))
        return topic
