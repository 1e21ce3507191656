"""Every alert: a symptom that a person must act on, how bad it is, and where to look. Pages are in docs/runbook/."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from deploy.prometheus.lately import lately

Severity = Literal["page", "ticket"]
SERVICES: Final = ("audit", "intake", "routing", "vendor", "balancer")
NOT_AT_NIGHT: Final = frozenset({"balancer"})
"""Without them work goes on, by the last plan: nobody is woken."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert.

    Holds:   `page` wakes somebody, `ticket` waits for the next working hour; `board` is the uid of the dashboard to
             look at; `held` is how long the symptom lasts before it counts, in Prometheus's words. A label `reroute` makes
             the control room propose that reroute; people decide about it.
    """

    name: str
    expr: str
    severity: Severity
    summary: str
    board: str
    held: str = "0s"
    labels: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Burn:
    """One pair of windows of the multi-window, multi-burn-rate method.

    Holds:   it fires while both windows burn the budget at least `factor` times as fast as would use it up in 30 days, or
             leave less than a tenth of the promised share on time: a low objective leaves no room for a high factor. The
             short window ends the alert soon after the trouble has ended.
    Source:  The Site Reliability Workbook, chapter 5, table 5-8.
    """

    name: str
    factor: float
    long: str
    short: str
    severity: Severity
    speech: str


BURNS: Final = (
    Burn(
        "OnTimeBudgetBurnsFast",
        14.4,
        "1h",
        "5m",
        "page",
        "a month's budget is gone in two days, or that hardly a case is on time",
    ),
    Burn(
        "OnTimeBudgetBurns",
        6.0,
        "6h",
        "30m",
        "page",
        "a month's budget is gone in five days, or that hardly a case is on time",
    ),
    Burn("OnTimeBudgetLeaks", 1.0, "3d", "6h", "ticket", "the month will end over budget"),
)
LATE_CASES_MIN: Final = 3
"""Late cases in the long window below which nothing is said: one late case of a quiet night is not a trend."""


def late(window: str) -> str:
    """The recording rule of the share of late cases over a window."""
    return f"business_type:opsfloor_cases_late:ratio_rate{window}"


def late_limit(burn: Burn) -> str:
    """The recording rule of the share of late cases above which a budget burns so fast."""
    return f"business_type:opsfloor_cases_late_limit:ratio{burn.long}"


def _burning(burn: Burn) -> Alert:
    limit = f"on (business_type) {late_limit(burn)}"
    expr = (
        f"{late(burn.long)} > {limit}\n"
        f"and on (business_type) {late(burn.short)} > {limit}\n"
        f"and on (business_type) business_type:opsfloor_cases_late:increase{burn.long} >= {LATE_CASES_MIN}"
    )
    summary = f"{{{{ $labels.business_type }}}} is late so often that {burn.speech}"
    return Alert(burn.name, expr, burn.severity, summary, "opsfloor-levels")


def _absent(service: str) -> Alert:
    return Alert(
        "ServiceAbsent",
        f'absent(up{{job="{service}"}} == 1)',
        "ticket" if service in NOT_AT_NIGHT else "page",
        f"No process of {service} answers",
        "opsfloor-service",
        "1m",
        {"service": service},
    )


_OLD_WAIT_SECONDS: Final = 600  # as long as the window that tells the pace: what came just now may be taken up at once
_PACE: Final = (
    "((business_type:opsfloor_results:rate10m > 0)\n"
    f"  or on (business_type) 0 * (business_type:opsfloor_work_oldest_seconds:max > {_OLD_WAIT_SECONDS}))"
)
_DRAIN: Final = f"business_type:opsfloor_work_queue_items:sum\n  / on (business_type) {_PACE}"
_CUT_OFF: Final = "max by (business_type) (opsfloor_cut_off_left_seconds)"
CORE_ASKED: Final = "floor:opsfloor_core_asked_timestamp_seconds:max"
CORE_ANSWERED: Final = "floor:opsfloor_core_answered_timestamp_seconds:max"
PARKED_LATELY: Final = "floor:opsfloor_shard_parked:lately1h"
RELAXED_MIN: Final = 0.001
"""Share of all work below which nothing is said of a bound that is not kept: a hundred of 100,000 items."""
REMEMBERED: Final = "3d"
"""As long as Prometheus may have been away and still know what it had worked out before."""
_TRIES: Final = "increase(opsfloor_shard_retries_total[2m]) > 0"
_BLIND: Final = "increase(opsfloor_shard_restarts_total[5m]) > 0"
_AWAY: Final = f"on (processor, instance) {_TRIES}"
_PLANLESS: Final = (
    'process_start_time_seconds{job="balancer"} and on (instance) up{job="balancer"} == 1 '
    'and on (instance) opsfloor_plans_made_total{job="balancer"} == 0'
)
_PLANNED_AT: Final = 'opsfloor_board_changed_timestamp_seconds{board="plan"}'
_CONFLICTS: Final = lately("opsfloor_intake_receipts_total", "15m", 'outcome="conflict"')
_VAIN: Final = lately("opsfloor_reroute_alerts_total", "30m", 'outcome=~"refused|unreadable"')
_DRILLS_LOST: Final = lately("opsfloor_drills_total", "1d", 'outcome=~"failed|refused"')
_NOT_DUE_AT: Final = "opsfloor_plan_not_due_timestamp_seconds"

ALERTS: Final[tuple[Alert, ...]] = (
    *(_burning(burn) for burn in BURNS),
    Alert(
        "CutOffWillBeMissed",
        f"{_DRAIN}\n  > on (business_type) ({_CUT_OFF} > 0 < 3600)",
        "page",
        "{{ $labels.business_type }}: at the pace of the last ten minutes the rail closes before what waits is done",
        "opsfloor-floor",
        "2m",
    ),
    Alert(
        "MissesPredicted",
        f"sum by (business_type) ({lately('opsfloor_predicted_misses_total', '15m')}) > 20",
        "ticket",
        "{{ $labels.business_type }}: {{ $value | humanize }} items of a quarter of an hour will be late wherever they go",
        "opsfloor-floor",
        "5m",
    ),
    Alert(
        "WorkWaitsTooLong",
        "business_type:opsfloor_work_oldest_seconds:max\n"
        "  > on (business_type) 0.6 * max by (business_type) (opsfloor_promise_seconds)\n"
        "unless on () min_over_time(floor:opsfloor_due_operators:sum[15m]) == 0",
        "page",
        "{{ $labels.business_type }}: an item waits since {{ $value | humanizeDuration }}, most of the promised time",
        "opsfloor-floor",
        "1m",
    ),
    Alert(
        "WorkWithNobody",
        "max by (team) (sum by (team, instance) (opsfloor_desk_queue_items)) > 0\n"
        "unless on (team) max by (team) (opsfloor_desk_present_operators) > 0",
        "ticket",
        "{{ $value }} items wait at {{ $labels.team }}, where nobody is signed on",
        "opsfloor-teams",
        "10m",
        {"reroute": "evacuate", "reroute_team": "{{ $labels.team }}", "reroute_minutes": "60"},
    ),
    Alert(
        "WorkUnplaceable",
        "max by (reason) (opsfloor_unplaceable_oldest_seconds) > 600",
        "ticket",
        "Work has waited for {{ $value | humanizeDuration }} and is at no desk: {{ $labels.reason }}",
        "opsfloor-teams",
        "1m",
    ),
    Alert(
        "TeamOverloaded",
        "max by (team) (opsfloor_desk_saturation_ratio) > 2",
        "ticket",
        "{{ $labels.team }} has more than half an hour of work for everybody present",
        "opsfloor-teams",
        "15m",
    ),
    Alert(
        "RecordLost",
        "max by (processor) (max_over_time(opsfloor_shard_gaps_total[15m])) > 0",
        "page",
        "{{ $labels.processor }} found a gap: a record was lost, and it has stopped",
        "opsfloor-bus",
    ),
    Alert(
        "FuseBlown",
        "max by (processor) (max_over_time(opsfloor_shard_fuses_total[15m])) > 0",
        "page",
        "{{ $labels.processor }} stopped: too much of what it read cannot be understood",
        "opsfloor-bus",
    ),
    Alert(
        "RecordsParked",
        f"sum by (processor) ({lately('opsfloor_shard_parked_total', '10m')}) > 0",
        "ticket",
        "{{ $labels.processor }} parked records that it could not read",
        "opsfloor-bus",
    ),
    Alert(
        "BoardRefusesRecords",
        "max by (job) (opsfloor_board_refused_records) > 0",
        "ticket",
        "{{ $labels.job }} reads boards with records that it cannot understand",
        "opsfloor-service",
    ),
    Alert(
        "ShardBehind",
        "max by (processor) (opsfloor_shard_lag_seconds and on (processor, instance) opsfloor_shard_lag_records > 0)"
        " > 60",
        "page",
        "{{ $labels.processor }} works on what is {{ $value | humanizeDuration }} old",
        "opsfloor-bus",
        "2m",
    ),
    Alert(
        "ShardStandsStill",
        "sum by (processor, instance) (opsfloor_shard_lag_records) > 0\n"
        "and on (processor, instance) rate(opsfloor_shard_records_total[5m]) == 0",
        "page",
        "{{ $labels.processor }} reads nothing although {{ $value }} records wait",
        "opsfloor-bus",
        "3m",
    ),
    Alert(
        "DependencyAway",
        f"opsfloor_shard_owned == 0\nand on (processor, instance) ({_TRIES}\n  or {_BLIND})",
        "page",
        "{{ $labels.processor }} owns no shard and tries in vain: the database or the broker is away",
        "opsfloor-bus",
        "1m",
    ),
    Alert(
        "BatchWithoutEnd",
        f"time() - opsfloor_shard_last_turn_timestamp_seconds > 60\nunless {_AWAY}",
        "page",
        "{{ $labels.processor }} is in one batch since {{ $value | humanizeDuration }}",
        "opsfloor-bus",
        "1m",
    ),
    Alert(
        "FactsNotPublished",
        "min_over_time(opsfloor_shard_unpublished_facts[3m]) > 0\n"
        "and on (processor, instance) rate(opsfloor_shard_published_total[3m]) == 0",
        "page",
        "{{ $labels.processor }} has committed facts that the bus does not take",
        "opsfloor-bus",
        "1m",
    ),
    Alert(
        "LeasesLost",
        f"sum by (processor) ({lately('opsfloor_shard_lost_leases_total', '15m')}) > 3",
        "ticket",
        "{{ $labels.processor }} loses its shards again and again",
        "opsfloor-bus",
    ),
    Alert(
        "LoadStale",
        'time() - max(opsfloor_board_changed_timestamp_seconds{board="load"}) > 120\n'
        "and on () sum(max by (team, step) (opsfloor_desk_queue_items)) > 0",
        "page",
        "No desk has told its load for {{ $value | humanizeDuration }} although work waits",
        "opsfloor-service",
        "1m",
    ),
    Alert(
        "PlanStale",
        f"(time() - max({_PLANNED_AT}) > 60\n  or time() - min({_PLANLESS}) > 60\n  unless on () max({_PLANNED_AT}))\n"
        f"unless on () time() - max({_NOT_DUE_AT}) < 60",
        "ticket",
        "No plan was made for {{ $value | humanizeDuration }}; work still flows, by the last one or by none",
        "opsfloor-service",
        "2m",
    ),
    Alert(
        "BoundNotKept",
        f"max by (reason, bound) (opsfloor_plan_bound_relaxed_ratio) > {RELAXED_MIN}",
        "ticket",
        "The plan cannot keep the {{ $labels.reason }} of {{ $labels.bound }}: by {{ $value | humanizePercentage }} of all work",
        "opsfloor-plan",
        "10m",
    ),
    Alert(
        "CoreBankSilent",
        # as of ten minutes ago it was asked, later than it ever answered
        f"last_over_time({CORE_ASKED}[{REMEMBERED}] offset 10m)\n  > {CORE_ANSWERED}",
        "page",
        "Postings were requested and the core bank has answered none since, for ten minutes or more",
        "opsfloor-floor",
        "1m",
    ),
    Alert(
        "CoreBankContradicts",
        f"sum by (code) ({lately('opsfloor_core_answers_refused_total', '15m')}) > 0",
        "page",
        "The core bank's answer contradicts what a case knows: {{ $labels.code }}",
        "opsfloor-floor",
    ),
    Alert(
        "SubmissionConflict",
        f"sum({_CONFLICTS}) > 0",
        "ticket",
        "A branch used a submission's id again for other content",
        "opsfloor-floor",
    ),
    Alert(
        "SubmissionsRejected",
        'sum(rate(opsfloor_intake_receipts_total{outcome!~"accepted|do_locally"}[15m]))\n'
        '  / sum(rate(opsfloor_intake_receipts_total{outcome!="do_locally"}[15m])) > 0.05',
        "ticket",
        "{{ $value | humanizePercentage }} of what branches send is rejected",
        "opsfloor-floor",
        "10m",
    ),
    Alert(
        "RerouteEnding",
        'min by (effect) (opsfloor_reroute_left_seconds{drill="no"}) < 900',
        "ticket",
        "A reroute ({{ $labels.effect }}) ends in {{ $value | humanizeDuration }}; its work then comes back",
        "opsfloor-emergency",
    ),
    Alert(
        "RerouteStuck",
        "max by (effect) (opsfloor_reroute_overdue_seconds) > 900",
        "page",
        "A reroute ({{ $labels.effect }}) should be over and still holds work back",
        "opsfloor-emergency",
        "5m",
    ),
    Alert(
        "RerouteFellBack",
        f"sum({lately('opsfloor_reroute_fall_backs_total', '15m')}) > 0",
        "page",
        "Work came back from a reroute and it did not go well: held again, or, past a rule that bars that, not",
        "opsfloor-emergency",
    ),
    Alert(
        "RerouteStrandsWork",
        "max by (reroute) (opsfloor_reroute_unplaceable_items) > 0",
        "page",
        "Reroute {{ $labels.reroute }} keeps {{ $value }} items from a team, and nobody else can do them now",
        "opsfloor-emergency",
    ),
    Alert(
        "AlertProposesInVain",
        f"sum by (outcome) ({_VAIN}) > 0",
        "ticket",
        "An alert asked for a reroute and no proposal came of it: {{ $labels.outcome }}",
        "opsfloor-emergency",
    ),
    Alert(
        "DrillFailed",
        f"sum({_DRILLS_LOST}) > 0",
        "ticket",
        "A drill failed or was refused: the floor may not be able to do without that centre or vendor",
        "opsfloor-emergency",
    ),
    Alert(
        "GlassBroken",
        "max(opsfloor_reroute_reviews_open) > 0",
        "ticket",
        "{{ $value }} reroutes were ordered by one person alone and nobody has answered for them",
        "opsfloor-emergency",
        "1h",
    ),
    Alert(
        "ProviderStandingChanged",
        "changes((max by (provider, standing) (opsfloor_provider_standing))[30m:1m]) > 0\n"
        "and on (provider, standing) max by (provider, standing) (opsfloor_provider_standing) == 1",
        "ticket",
        "{{ $labels.provider }} is now {{ $labels.standing }}",
        "opsfloor-vendors",
    ),
    Alert(
        "ErrorsEscape",
        'sum by (provider) (increase(opsfloor_keyings_judged_total{what="error",found_by="inspection"}[1d]))\n'
        '  / sum by (provider) (increase(opsfloor_keyings_judged_total{what="keyed"}[1d])) > 0.01',
        "ticket",
        "{{ $labels.provider }}: {{ $value | humanizePercentage }} of keyed fields were found wrong after posting",
        "opsfloor-vendors",
        "30m",
    ),
    *(_absent(service) for service in SERVICES),
    Alert(
        "ProcessDown",
        f'up{{job=~"{"|".join(SERVICES)}"}} == 0',
        "ticket",
        "A process of {{ $labels.job }} does not answer at {{ $labels.instance }}",
        "opsfloor-service",
        "2m",
    ),
    Alert(
        "DatabasePoolExhausted",
        'opsfloor_database_connections{state="busy"} / on (instance, job) opsfloor_database_connections_max > 0.9',
        "ticket",
        "{{ $labels.job }} uses {{ $value | humanizePercentage }} of its database connections",
        "opsfloor-service",
        "5m",
    ),
    Alert(
        "CommandsSlow",
        "histogram_quantile(0.99, sum by (le) (rate(opsfloor_workbench_command_seconds_bucket[10m]))) > 2.5",
        "ticket",
        "One operator's click in a hundred takes longer than {{ $value | humanizeDuration }}",
        "opsfloor-service",
        "10m",
    ),
)
