"""What is rare and counted: told too where no scrape saw the counter rise, and not told for what is long past."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.alerts.case import Case, Series


@dataclass(frozen=True, slots=True)
class Rare:
    """A counter that an alert asks of.

    Holds:   `few` of it are not told, `many` are.
    Units:   `window`, of the rule, in looks; a look is every `step` minutes.
    """

    alert: str
    job: str
    counter: str
    labels: str
    window: int = 15
    step: int = 1
    held: int = 0
    beside: str = ""
    few: int = 0
    many: int = 1

    def of(self, instance: str, values: str, began: str) -> Series:
        """The counter in one process, and when that process began."""
        names = f'job="{self.job}",instance="{instance}"'
        series = f"{names},{self.labels}" if self.labels else names
        counted = {f"{self.counter}{{{series}}}": values}
        return {**counted, f"process_start_time_seconds{{{names}}}": began} if began else counted

    def bystander(self) -> Series:
        """What is counted beside it, and no case for the alert."""
        if not self.beside:
            return {}
        return {f'{self.counter}{{job="{self.job}",instance="a",{self.beside}}}': "0+9x60"}


_PARKED = Rare("RecordsParked", "audit", "opsfloor_shard_parked_total", 'processor="audit/controls"', window=10)
_CONTRADICTS = Rare("CoreBankContradicts", "audit", "opsfloor_core_answers_refused_total", 'code="other_posting"')
_CONFLICT = Rare(
    "SubmissionConflict", "intake", "opsfloor_intake_receipts_total", 'outcome="conflict"', beside='outcome="accepted"'
)
_FELL_BACK = Rare("RerouteFellBack", "routing", "opsfloor_reroute_fall_backs_total", "")
_VAIN = Rare(
    "AlertProposesInVain",
    "routing",
    "opsfloor_reroute_alerts_total",
    'outcome="refused"',
    30,
    beside='outcome="proposed"',
)
_DRILL = Rare("DrillFailed", "routing", "opsfloor_drills_total", 'outcome="failed"', 48, 30, beside='outcome="passed"')
_LEASES = Rare("LeasesLost", "audit", "opsfloor_shard_lost_leases_total", 'processor="audit/controls"', few=2, many=8)
_MISSES = Rare(
    "MissesPredicted", "routing", "opsfloor_predicted_misses_total", 'business_type="cheque"', held=5, few=10, many=40
)
RARE = (_PARKED, _CONTRADICTS, _CONFLICT, _FELL_BACK, _VAIN, _DRILL, _LEASES, _MISSES)


def rare() -> tuple[Case, ...]:
    """Each of them in each story."""
    return tuple(case for each in RARE for case in _stories(each))


def _stories(each: Rare) -> Iterator[Case]:
    old, many, few, held = "-86400", each.many, each.few, each.held

    def young(look: int) -> str:
        return str(60 * each.step * look - 10)

    def case(looks: int, fires: Series, near_miss: Series) -> Case:
        return Case(each.alert, looks * each.step, fires, near_miss, each.step)

    # a process comes up with them, as what had piled up was read before its first scrape; or with none that count
    came = each.of("b", f"_x4 {many}x20", f"_x4 {young(4)}x20")
    yield case(12, came, each.of("b", f"_x4 {few}x20", f"_x4 {young(4)}x20"))
    # the same, seen by a Prometheus that has only begun: the process has worked since yesterday
    yield case(12, came, each.of("b", f"_x4 {many}x20", f"{old}x25"))
    # started anew under the same name, as on compose: the last one had counted as many, long ago
    again = each.of("a", f"{many}x3 {many}x20", f"{old}x3 {young(4)}x20")
    yield case(12, again, each.of("a", f"{many}x3 {few}x20", f"{old}x3 {young(4)}x20"))
    yield case(12, again, each.of("a", f"{many}x25", f"{old}x25"))
    # a rolling restart: the next process has another name, as on Kubernetes
    last = each.of("a", f"{many}x3 stale", f"{old}x3 stale")
    rolled = {**last, **each.of("b", f"_x6 {many}x20", f"_x6 {young(6)}x20")}
    yield case(12, rolled, each.of("b", f"_x6 {few}x20", f"_x6 {young(6)}x20"))
    # it came up with them and died
    died = each.of("b", f"_x4 {many} stale", f"_x4 {young(4)} stale")
    soon = 4 + max(each.window * 4 // 5, held + 1)
    yield case(soon, died, each.of("b", f"_x4 {few} stale", f"_x4 {young(4)} stale"))
    # it counted them while it was looked at, and died; and one long before
    seen = each.of("a", f"0x3 {many}x1 stale", f"{old}x5 stale")
    yield case(soon, seen, each.of("a", f"0x3 {few}x1 stale", f"{old}x5 stale"))
    # it counted on over a restart that nobody saw the beginning of; others count what is no case
    again = each.of("a", f"{many + 4}x8 {many}x20", "")
    yield case(12 + held, again, {**each.of("a", f"{many + 4}x8 {few}x20", ""), **each.bystander()})
    # Prometheus was away while they were counted, or counted earlier
    away, looks = each.window + 1, each.window + 14 + held
    yield case(
        looks,
        each.of("a", f"0x9 _x{away} {many}x30", f"{old}x{looks}"),
        each.of("a", f"{many}x9 _x{away} {many}x30", f"{old}x{looks}"),
    )
    # they are past when the window, and a process's beginning, lie behind
    late = each.window + 6
    yield case(late + 10, each.of("a", f"0x{late} {many}x40", ""), each.of("a", f"0x4 {many}x{late + 40}", ""))
    yield case(
        late + 10,
        each.of("b", f"_x{late} {many}x40", f"_x{late} {young(late)}x40"),
        each.of("b", f"_x4 {many}x{late + 40}", f"_x4 {young(4)}x{late + 40}"),
    )
