"""One simulated run: everything that happens is drawn from one integer."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from deploy.demo.auditor import Auditor
from shared.contracts.registry import CONTRACTS
from shared.proof.cases import Finding
from shared.runtime.clock import SetClock
from shared.runtime.errors import InvariantError
from shared.runtime.headers import source_of
from shared.runtime.log import Record
from shared.runtime.tracing import Tracing
from tests.simulation.decoding import decoded_once
from tests.simulation.planning_room import decided_otherwise
from tests.simulation.stage import Process, Stage
from tests.simulation.world import World, image

START: Final = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
SERVICES: Final = ("intake", "audit", "routing", "vendor")
KINDS: Final = (
    "deliver again",
    "crash before commit",
    "crash after commit",
    "crash while publishing",
    "commit refused",
    "commit acknowledgement lost",
    "publish error",
    "publish acknowledgement lost",
    "zombie",
    "rebalance",
    "clock jump",
    "poison",
    "stray record",
    "redrive",
    "slow reader",
)
MET: Final = (
    "routing.work-placed.v1",
    "routing.work-assigned.v1",
    "routing.assignment-taken.v1",
    "routing.draft-saved.v1",
    "routing.work-completed.v1",
)
MORNING_SUBMISSIONS: Final = 4
MORNING_ROUNDS: Final = 6  # of undisturbed work: then there is work on desks and in hands for trouble to meet
CHAOS_STEPS: Final = 400
FAST_SHARE: Final = 0.05  # of the steps in trouble bring everything that a process has begun to its end
REST_ROUNDS_MAX: Final = 1_500
RESTING_RECORDS_MAX: Final = 500
HIRE_ROUND: Final = 80  # what is still open by then waits for people who are not excluded


@dataclass
class Outcome:
    """What came of a run. Holds: `faults` counts what was done to it, `met` what people had done by the end of it, `drills`
    what came of them, `drafts_handed_on` how many items were finished by somebody who was shown a colleague's draft, `forged` the
    strangers' copies of submissions, before the branch's own and after, `sent_back` how many submissions local orders left with
    their branches."""

    seed: int
    faults: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    conservation: dict[str, int] = field(default_factory=dict)
    steps: int = 0
    met: dict[str, int] = field(default_factory=dict)
    drills: Counter[str] = field(default_factory=Counter)
    drafts_handed_on: int = 0
    forged: Counter[str] = field(default_factory=Counter)
    sent_back: int = 0

    @property
    def command(self) -> str:
        """How to see it again."""
        return f"python -m tests.simulation --seed {self.seed}"


class Run:
    """A floor under a seeded scheduler."""

    def __init__(
        self,
        seed: int,
        *,
        bus_loses_a_record: bool = False,
        branches_ask_again: bool = False,
        redrives_while_posting: bool = False,
        kinds: Sequence[str] = KINDS,
        rest_rounds_max: int = REST_ROUNDS_MAX,
        listen: Callable[[str], Tracing] | None = None,
    ) -> None:
        self._bus_loses_a_record: Final = bus_loses_a_record
        self._kinds: Final = kinds  # of fault, that may strike
        self._rest_rounds_max: Final = rest_rounds_max
        self._draw: Final = random.Random(seed)
        self._resting = False
        self.outcome: Final = Outcome(seed)
        self.stage: Final = Stage(SetClock(START), image(), self._records_max, listen)
        self.world: Final = World(self.stage, self._draw)
        self.world.branches_ask_again = branches_ask_again
        self.world.redrives_while_posting = redrives_while_posting
        self._slow: Process | None = None
        self._poisoned = 0
        self._watching: Final = Auditor()
        self._watched: Final = Counter[tuple[str, int]]()  # records by place

    def _records_max(self) -> int:
        return RESTING_RECORDS_MAX if self._resting else self._draw.choice((2, 10, 50, 200))

    def play(self) -> Outcome:
        """A time of trouble, then rest; then the promises are judged."""
        with decoded_once():
            return self._play()

    def _play(self) -> Outcome:
        self.world.publish_reference()
        for service in SERVICES:
            self._spawn(service)
        self.world.everybody_signs_on()
        try:
            self._morning()
            for _ in range(CHAOS_STEPS):
                self._trouble()
                self._move()
            self._count_what_trouble_met()
            if self._bus_loses_a_record:
                self._lose_a_record()
            self._rest()
            self.outcome.findings += self._judge()
        except InvariantError as error:
            self.outcome.findings.append(Finding("invariant", str(error)))
        return self.outcome

    def _spawn(self, service: str) -> None:
        """A process starts; one of routing says that it does."""
        self.stage.spawn(service)
        if service == "routing":
            self.world.control_room.open_calendar()

    # ---------------------------------------------------------------- moving

    def _morning(self) -> None:
        """Work before the trouble: some cases come as far as somebody's hands."""
        for rounds in range(MORNING_ROUNDS):
            if rounds < MORNING_SUBMISSIONS:
                self.world.submit()
            self._round()
            self.world.work()
        self.world.planning_room.plan()

    def _round(self) -> None:
        """Every process does what there is for it to do, and two seconds go by."""
        for process in list(self.stage.processes):
            self.outcome.steps += process.complete()
        self.stage.clock.move(2)

    def _count_what_trouble_met(self) -> None:
        counts = self._watched_so_far().counts
        self.outcome.met = {kind: counts[kind] for kind in MET}

    def _move(self) -> None:
        """One coroutine of one process goes on to its next seam."""
        self.outcome.steps += 1
        candidates = [p for p in self.stage.processes if p is not self._slow] or self.stage.processes
        process = self._draw.choice(candidates)
        if self._draw.random() < FAST_SHARE:
            self.outcome.steps += process.complete()
        else:
            self._advance(process)

    def _advance(self, process: Process) -> None:
        moves: list[tuple[str, Callable[[], Any] | None]] = [(name, None) for name in sorted(process.under_way)]
        moves += process.moves()
        name, begin = self._draw.choice(moves)
        process.advance(name, begin)

    def _trouble(self) -> None:
        draw = self._draw.random()
        if draw < 0.02:
            self.world.submit()
        elif draw < 0.25:
            self.world.work()
        elif draw < 0.30:
            self.world.book()
        elif draw < 0.33:
            self.world.sign_on()
        elif draw < 0.335:
            self.world.leave()
        elif draw < 0.34:
            self.world.pause_or_resume()
        elif draw < 0.345:
            self.world.pick()
        elif draw < 0.37:
            self.stage.clock.move(self._draw.choice((1, 5, 30)))
        elif draw < 0.44:
            self._fault(self._draw.choice(self._kinds))
        elif draw < 0.46:
            self.world.control_room.command()
        elif draw < 0.475:
            self.world.planning_room.plan()

    # ---------------------------------------------------------------- faults

    def _fault(self, kind: str) -> None:
        action: dict[str, Callable[[], bool]] = {
            "deliver again": self._deliver_again,
            "crash before commit": lambda: self._crash_at("store.commit.before"),
            "crash after commit": lambda: self._crash_at("store.commit.after"),
            "crash while publishing": lambda: self._crash_at("log.publish.after"),
            "commit refused": lambda: self._arm("refuse_commits", self.stage.database.faults),
            "commit acknowledgement lost": lambda: self._arm("lose_acknowledgements", self.stage.database.faults),
            "publish error": lambda: self._arm("refuse_publishes", self.stage.log.faults),
            "publish acknowledgement lost": lambda: self._arm("lose_acknowledgements", self.stage.log.faults),
            "zombie": self._zombie,
            "rebalance": self._rebalance,
            "clock jump": self._jump,
            "poison": self._poison,
            "stray record": self._go_astray,
            "redrive": self.world.redrive,
            "slow reader": self._slow_down,
        }
        if action[kind]():
            self.outcome.faults[kind] += 1

    def _deliver_again(self) -> bool:
        process = self._draw.choice(self.stage.processes)
        for reader in process.readers():
            reader.step_back(self._draw.randint(1, 5))
        return True

    def _crash_at(self, seam: str) -> bool:
        standing = [p for p in self.stage.processes if seam in p.stands_at.values()]
        if not standing:
            return False
        process = self._draw.choice(standing)
        self.stage.kill(process)
        self._spawn(process.service)
        return True

    def _arm(self, name: str, faults: Any) -> bool:
        setattr(faults, name, getattr(faults, name) + 1)
        return True

    def _zombie(self) -> bool:
        """A process is put out of its groups and does not hear of it: two own its shards until a commit fails."""
        if any(process.zombie for process in self.stage.processes):
            return False
        process = self._draw.choice(self.stage.processes)
        process.zombie = True
        for reader in process.readers():
            reader.isolated = True
            reader.vanish()
        self._spawn(process.service)
        return True

    def _rebalance(self) -> bool:
        service = self._draw.choice(SERVICES)
        owners = [p for p in self.stage.owners(service) if not p.zombie]
        if len(owners) < 2:
            self._spawn(service)
        else:
            self.stage.kill(self._draw.choice(owners))
        return True

    def _jump(self) -> bool:
        self.stage.clock.move(self._draw.choice((-20, 120, 700)))
        return True

    def _poison(self) -> bool:
        self.world.poison()
        self._poisoned += 1
        return True

    def _go_astray(self) -> bool:
        self.world.go_astray()
        if self._draw.random() < 0.5:
            self.world.send_strays_home()
        return True

    def _lose_a_record(self) -> None:
        """The bus forgets one committed record before its reader saw it: what lanes are there to notice."""
        while (place := self._only_copy_unread()) is None:
            self.world.submit()
            self._move()
        number, offset = place
        records = self.stage.log.records[("intake.case.v1", number)]
        lost = records[offset]
        records[offset] = Record(
            lost.topic, lost.partition, lost.offset, b"", b"{}", (("ce_type", b"no.such.kind"),), 0
        )
        for process in self.stage.owners("audit"):
            self.stage.kill(process)
        self._spawn("audit")

    def _only_copy_unread(self) -> tuple[int, int] | None:
        """Partition and offset of a fact for controls that will not come again, with a later one behind it."""
        taken = self.stage.database.parts["controls"].next_offsets
        to_come_again = {
            (b"/%s/%d" % (name.encode(), lane[0]), b"%020d" % sequence)
            for name, part in self.stage.database.parts.items()
            for lane, sequence in part.outbox
        }
        for number in range(self.stage.log.count):
            records = self.stage.log.records[("intake.case.v1", number)]
            facts = [_fact_of(record) for record in records]
            for offset in range(taken.get((number, "intake.case.v1"), 0), len(records)):
                source, sequence = facts[offset]
                alone = facts.count(facts[offset]) == 1 and not any(
                    source.endswith(tail) and sequence == again for tail, again in to_come_again
                )
                if sequence and alone and any(s == source and n > sequence for s, n in facts[offset + 1 :]):
                    return number, offset
        return None

    def _slow_down(self) -> bool:
        self._slow = None if self._slow else self._draw.choice(self.stage.processes)
        return True

    # ------------------------------------------------------------------ rest

    def _rest(self) -> None:
        """No more trouble: every process is started anew, everybody works, until nothing is open any more."""
        self._slow = None
        self.stage.log.faults.refuse_publishes = self.stage.log.faults.lose_acknowledgements = 0
        self.stage.database.faults.refuse_commits = self.stage.database.faults.lose_acknowledgements = 0
        self._resting = True  # the next processes read fast enough for what still arrives
        for process in list(self.stage.processes):
            self.stage.kill(process)
        for service in SERVICES:
            self._spawn(service)
        for rounds in range(self._rest_rounds_max):
            self._round()
            self.world.work(diligent=True)
            self.world.book(diligent=True)
            self.world.send_strays_home()
            if rounds % 40 == 0:
                self.world.control_room.stand_down()
                self.world.hire() if rounds == HIRE_ROUND else self.world.everybody_signs_on()
            if rounds % 5 == 4 and self._quiet():
                return
        raise InvariantError(
            f"Expected the floor to come to rest within {self._rest_rounds_max} rounds, "
            f"found {self._audit().conservation()}"
        )

    def _quiet(self) -> bool:
        """Nothing is open."""
        return self._watched_so_far().conservation()["open"] == 0 and self._lag() == 0

    def _watched_so_far(self) -> Auditor:
        """What somebody makes of it who read along."""
        for place, records in sorted(self.stage.log.records.items()):
            self._watching.take_all(records[self._watched[place] :])
            self._watched[place] = len(records)
        return self._watching

    def _lag(self) -> int:
        """Records not yet read, over all processors."""
        return sum(
            self.stage.log.end((topic.name, number)) - part.next_offsets.get((number, topic.name), 0)
            for processors in self.stage.processors.values()
            for processor in processors
            for part in [self.stage.database.parts[processor.name]]
            for topic in processor.inputs
            for number in range(self.stage.log.count)
        )

    def _audit(self) -> Auditor:
        auditor = Auditor()
        for place in sorted(self.stage.log.records):
            auditor.take_all(self.stage.log.records[place])
        return auditor

    # ----------------------------------------------------------------- judging

    def _judge(self) -> list[Finding]:
        auditor = self._audit()
        self.outcome.conservation = auditor.conservation()
        self.outcome.drafts_handed_on = auditor.handed_on()
        found = auditor.findings()
        found += self._judge_replay()
        found += self._judge_outbox()
        found += self._judge_order()
        found += self.world.control_room.judge()
        found += self.world.judge_strays()
        self.outcome.forged = self.world.forged
        self.outcome.drills = self.world.control_room.drill_outcomes()
        self.outcome.sent_back = len(self.world.control_room.sent_back())
        found += decided_otherwise(self.stage.log.records)
        return found

    def _judge_outbox(self) -> Iterator[Finding]:
        """What was committed is on the bus: nothing is left behind in an outbox that no longer belongs there."""
        for name, part in self.stage.database.parts.items():
            for lane, last in part.lanes_out.items():
                shard, topic, number = lane
                records = self.stage.log.records[(topic, number)]
                source = f"/{name}/{shard}".encode()
                seen = {
                    dict(r.headers)["sequence"]
                    for r in records
                    if dict(r.headers).get("ce_source", b"").endswith(source)
                }
                missing = (
                    last - len(seen) - sum(1 for key in part.outbox if key[0] == lane and b"%020d" % key[1] not in seen)
                )
                if missing:
                    yield Finding("nothing lost", f"{name} lane {lane}: {missing} facts committed and never published")

    def _judge_order(self) -> Iterator[Finding]:
        """What an entity decided about one key lies on the bus in the order in which it was decided."""
        on_the_bus = self._bodies_by_key()
        for processors in self.stage.processors.values():
            for processor in processors:
                for (shard, entity), facts in self.stage.database.parts[processor.name].journal.items():
                    source = source_of(processor.service, processor.name, shard)
                    decided: dict[tuple[str, str, str], list[bytes]] = {}
                    for fact in facts:
                        contract = CONTRACTS[fact.kind]
                        key = contract.model_validate_json(fact.body).key
                        decided.setdefault((source, contract.topic.name, key), []).append(fact.body)
                    for lane, bodies in decided.items():
                        if not _in_order(bodies, on_the_bus.get(lane, [])):
                            yield Finding(
                                "order per key", f"{entity}: {lane[1]} of {lane[2]!r} is not as it was decided"
                            )

    def _bodies_by_key(self) -> dict[tuple[str, str, str], list[bytes]]:
        """By writing shard, topic and key: the bodies in the order of the bus, each sequence where it came first."""
        seen: set[tuple[str, str, int, bytes]] = set()
        found: dict[tuple[str, str, str], list[bytes]] = {}
        for (topic, number), records in self.stage.log.records.items():
            for record in records:
                headers = dict(record.headers)
                source, sequence = headers.get("ce_source", b"").decode(), headers.get("sequence", b"")
                if sequence and (source, topic, number, sequence) not in seen:
                    seen.add((source, topic, number, sequence))
                    key = (record.key or b"").decode(errors="replace")
                    found.setdefault((source, topic, key), []).append(record.value or b"")
        return found

    def _judge_replay(self) -> Iterator[Finding]:
        """Folding the facts from nothing gives what is stored; and each fact names whose it is, should that be asked."""
        for processors in self.stage.processors.values():
            for processor in processors:
                part = self.stage.database.parts[processor.name]
                stored: dict[str, dict[str, Any]] = {}
                for (_, key, row), body in part.rows.items():
                    stored.setdefault(key, {})[row] = json.loads(body)
                for (_, key), facts in part.journal.items():
                    state = processor.table.read(key, {})
                    for fact in facts:
                        told = CONTRACTS[fact.kind].model_validate_json(fact.body)
                        state = processor.apply(state, told)
                        if (owner := processor.owner(told)) != key:
                            yield Finding("recovery", f"{processor.name} {key}: {fact.kind} says it is of {owner}")
                    folded = {p: json.loads(b) for p, b in processor.table.write(state).items() if b is not None}
                    if folded != stored.get(key, {}):
                        yield Finding("replay", f"{processor.name} {key}: {_difference(folded, stored.get(key, {}))}")


def _fact_of(record: Record) -> tuple[bytes, bytes]:
    """Which fact a record carries: its writing shard and its sequence; empty for what no shard wrote."""
    headers = dict(record.headers)
    return headers.get("ce_source", b""), headers.get("sequence", b"")


def _in_order(decided: Sequence[bytes], published: Sequence[bytes]) -> bool:
    """Whether everything decided was published, in this order; another entity may have written between."""
    rest = iter(published)
    return all(any(body == other for other in rest) for body in decided)


def _difference(folded: dict[str, Any], stored: dict[str, Any]) -> str:
    for part in sorted(set(folded) | set(stored)):
        if folded.get(part) != stored.get(part):
            return f"part {part!r}: folded {str(folded.get(part))[:200]} stored {str(stored.get(part))[:200]}"
    return "equal"


def silence() -> None:
    """No log lines from simulated processes."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))


def play(
    seed: int,
    *,
    bus_loses_a_record: bool = False,
    branches_ask_again: bool = False,
    redrives_while_posting: bool = False,
    kinds: Sequence[str] = KINDS,
    rest_rounds_max: int = REST_ROUNDS_MAX,
) -> Outcome:
    """Play one run."""
    run = Run(
        seed,
        bus_loses_a_record=bus_loses_a_record,
        branches_ask_again=branches_ask_again,
        redrives_while_posting=redrives_while_posting,
        kinds=kinds,
        rest_rounds_max=rest_rounds_max,
    )
    return run.play()
