"""The ten dashboards, as questions."""

from __future__ import annotations

from typing import Final

from deploy.grafana.questions import Board, Query, Question, counted, measured, one, per_minute, quantile
from deploy.prometheus.alerts import PARKED_LATELY, RELAXED_MIN, SERVICES, late

SATURATION: Final = "max by (team) (opsfloor_desk_saturation_ratio)"
ABOVE_PROMISE: Final = measured(
    "1 - business_type:opsfloor_cases_late:ratio_rate5m\n"
    "  - on (business_type) business_type:opsfloor_objective_on_time:max",
    "audit",
)
SILENT: Final = (
    "(("
    + " or ".join(f'label_replace(vector(1), "job", "{service}", "", "")' for service in SERVICES)
    + ") unless on (job) up == 1)"
)
"""The services of which no process answered the last scrape."""
CALLS: Final = f'count(ALERTS{{alertstate="firing",severity="%s"}}) or (vector(0) unless on () {SILENT})'
"""How many alerts fire; none while a service is silent, since what it would be called for is not known."""


def _worst(expr: str) -> str:
    """What was told stands, also when who told it has died; that it was nothing is said only while every service is heard."""
    return f"{expr} > 0\n  or {expr} unless on () {SILENT}"


_QUEUE: Final = "max by (team, step) (opsfloor_desk_queue_items)"
_UNPLACEABLE: Final = "max by (reason, business_type) (opsfloor_unplaceable_items)"
_AT_NO_DESK: Final = "A reason such as nobody_present stands for what waits at no desk."
_CALM: Final = "nothing of the kind has happened: a calm day has none"
_NO_MONTH: Final = "no case has ended in the last thirty days"
_NO_PLAN: Final = "no plan is in force"
_NO_DATABASE: Final = "only the balancer has none: what it goes on from stands on the bus"
_NO_SHARDS: Final = "only the balancer has none: it plans for the whole floor"

FLOOR: Final = Board(
    "opsfloor-floor",
    "Opsfloor: Floor",
    "Is the bank on time now, and in an hour?",
    (
        Question(
            "How far is the share on time above its promise?",
            one(ABOVE_PROMISE, "{{business_type}}"),
            "percentunit",
            "number",
            warns_at=0,
            bad_at=-0.05,
            lowest=-1,
            highest=1,
            about="Of the last five minutes, by each type's own objective: at 0 just what is promised, below it less.",
            empty_because="no case has ended in the last five minutes, or audit is not heard",
        ),
        Question(
            "How much of the promise has the oldest waiting item used?",
            one(
                "business_type:opsfloor_work_oldest_seconds:max\n"
                "  / on (business_type) max by (business_type) (opsfloor_promise_seconds)",
                "{{business_type}}",
            ),
            "percentunit",
            "number",
            warns_at=0.3,
            bad_at=0.6,
            highest=500,  # on a scaled clock a machine that stands still for a moment is hours behind
            about="At 60 % somebody is called: the rest of the case needs time as well.",
            empty_because="nothing waits, neither at a desk nor at placement, and nobody is signed on",
        ),
        Question(
            "How long does what waits take at the present pace?",
            one(
                measured(
                    "business_type:opsfloor_work_queue_items:sum\n"
                    "  / on (business_type) (business_type:opsfloor_results:rate10m > 0)",
                    "audit",
                ),
                "{{business_type}}",
            ),
            "s",
            "number",
            warns_at=900,
            bad_at=3_600,
            about="The bank in an hour: where this is longer than the promise, cases that come now will be late.",
            empty_because="nobody is signed on, or nothing was completed in the last ten minutes",
            highest=30 * 86_400,
        ),
        Question(
            "How long until the rail closes?",
            one("max by (business_type) (opsfloor_cut_off_left_seconds)", "{{business_type}}"),
            "s",
            "number",
            warns_at=3_600,
            bad_at=900,
            lowest=-86_400,
            highest=86_400,
            passed="closed",
        ),
        Question(
            "What will be late wherever it goes?",
            one(
                measured("sum(increase(opsfloor_predicted_misses_total[15m])) or vector(0)", "routing"),
                "items, last 15 min",
            ),
            "short",
            "number",
            warns_at=1,
            bad_at=20,
            about="Said when the item is placed, not when it is late.",
        ),
        Question(
            "How late does the plan expect the coming hour's work to be?",
            one("max(opsfloor_plan_lateness_seconds)", "summed over all items"),
            "s",
            "number",
            about="What waits longer than its slack, summed: ten hours are ten items late at any time.",
            empty_because=_NO_PLAN,
            highest=360_000_000,
        ),
        Question(
            "Is somebody being called?",
            (
                Query(CALLS % "page", "pages", limits=(1, 1)),
                Query(CALLS % "ticket", "tickets"),
                Query(
                    f"count({SILENT}) or vector(0)",
                    "services not heard, so not yet known",
                    limits=(1, len(SERVICES)),
                ),
            ),
            "short",
            "number",
            warns_at=1,
            bad_at=5,
            highest=200,
            about="That nobody is called says something only while every service is heard.",
        ),
        Question("How full are the teams?", one(SATURATION, "{{team}}"), "percentunit", "bars", 0.8, 1.0),
        Question(
            "Does as much end as comes in?",
            (
                Query(per_minute("opsfloor_cases_started_total"), "taken up"),
                Query(per_minute("opsfloor_cases_total"), "ended"),
            ),
            "cpm",
        ),
        Question(
            "What waits, by step?",
            one(f"sum by (step) ({_QUEUE})\n  or sum by (reason) ({_UNPLACEABLE})", "{{step}}{{reason}}"),
            "short",
            about=_AT_NO_DESK,
        ),
        Question(
            "Does the core bank answer?",
            (
                Query(per_minute("opsfloor_postings_requested_total"), "requested"),
                Query(per_minute("opsfloor_cases_total", where='outcome=~"posted|refused_by_core"'), "answered"),
                Query(per_minute("opsfloor_core_answers_refused_total"), "answers that do not fit"),
            ),
            "cpm",
        ),
        Question(
            "What do branches hear?",
            one(per_minute("opsfloor_intake_receipts_total", "outcome"), "{{outcome}}"),
            "cpm",
        ),
    ),
)

LEVELS: Final = Board(
    "opsfloor-levels",
    "Opsfloor: Service levels",
    "How much of the month's budget of late cases is left, and how fast does it go?",
    (
        Question(
            "How much of the month's budget is left?",
            one('business_type:opsfloor_budget_left:ratio{business_type=~"$type"}', "{{business_type}}"),
            "percentunit",
            "number",
            warns_at=0.5,
            bad_at=0.1,
            lowest=-100,
            highest=1,
            empty_because=_NO_MONTH,
        ),
        Question(
            "How fast does the budget go?",
            (
                *(
                    Query(
                        f'{late(window)}{{business_type=~"$type"}}\n'
                        "  / on (business_type) (1 - business_type:opsfloor_objective_on_time:max)",
                        f"{{{{business_type}}}}, {spoken}",
                    )
                    for window, spoken in (("5m", "5 min"), ("1h", "1 h"), ("30m", "30 min"), ("6h", "6 h"))
                ),
            ),
            "short",
            warns_at=6,
            bad_at=14.4,
            highest=10_000,
            about="At 1 the budget lasts just a month. Above 14.4 over 1 h and 5 min, or above 6 over 6 h and 30 min, somebody is "
            "called, or when hardly a case is on time: the short one says whether it is going on now.",
        ),
        Question(
            "What has the bank promised?",
            one('business_type:opsfloor_objective_on_time:max{business_type=~"$type"}', "{{business_type}}"),
            "percentunit",
            "number",
            highest=1,
        ),
        Question(
            "How long does a case take?",
            (
                Query(
                    quantile(0.5, "opsfloor_case_turnaround_seconds", "business_type", 'business_type=~"$type"'),
                    "{{business_type}}, half",
                ),
                Query(
                    quantile(0.9, "opsfloor_case_turnaround_seconds", "business_type", 'business_type=~"$type"'),
                    "{{business_type}}, 90 %",
                ),
                Query(
                    quantile(0.9, "opsfloor_case_with_branch_seconds", "business_type", 'business_type=~"$type"'),
                    "{{business_type}}, 90 % from the scan",
                ),
                Query(
                    'max by (business_type) (opsfloor_promise_seconds{business_type=~"$type"})',
                    "{{business_type}}, promised",
                ),
            ),
            "s",
            width=16,
            highest=259_200,
        ),
        Question(
            "Which share of cases is late?",
            one('business_type:opsfloor_cases_late:ratio_rate1h{business_type=~"$type"}', "{{business_type}}"),
            "percentunit",
            highest=1,
        ),
        Question(
            "Which share goes through in the first pass?",
            one('business_type:opsfloor_first_pass:ratio_rate1h{business_type=~"$type"}', "{{business_type}}"),
            "percentunit",
            warns_at=0.85,
            bad_at=0.7,
            highest=1.01,
        ),
        Question(
            "How many postings wait for the core bank?",
            one("floor:opsfloor_core_queue:postings_increase1d", "requested and not answered"),
            "short",
            about="Of a day's postings; each process counts for itself, so that a scrape's worth may be missing or too many.",
        ),
        Question(
            "How long does the core bank take to answer?",
            (
                Query(quantile(0.5, "opsfloor_core_answer_seconds", "job"), "half"),
                Query(quantile(0.99, "opsfloor_core_answer_seconds", "job"), "99 %"),
            ),
            "s",
            empty_because="it has answered nothing in the last five minutes",
        ),
        Question(
            "How long until the bank has what a branch scanned?",
            one(quantile(0.9, "opsfloor_intake_capture_seconds", "job"), "90 %, by the branches' clocks"),
            "s",
            highest=259_200,
            empty_because="no case was opened in the last five minutes",
        ),
        Question(
            "How do cases end?",
            one(per_minute("opsfloor_cases_total", "outcome", 'business_type=~"$type"'), "{{outcome}}"),
            "cpm",
        ),
    ),
    ("type", "label_values(opsfloor_objective_on_time_ratio, business_type)"),
)

TEAMS: Final = Board(
    "opsfloor-teams",
    "Opsfloor: Teams and people",
    "Where is work, where are people, and what hurts?",
    (
        Question("How full are the teams?", one(SATURATION, "{{team}}"), "percentunit", "bars", 0.8, 1.0),
        Question(
            "How full will they be in the coming hour?",
            one("max by (team) (opsfloor_plan_saturation_ratio)", "{{team}}"),
            "percentunit",
            "bars",
            0.8,
            1.0,
            about="What each team has and will get by the plan, over what its people can do.",
            empty_because=_NO_PLAN,
        ),
        Question(
            "What lateness would one more person save?",
            one("max by (team, work_type) (opsfloor_plan_relief_seconds)", "{{team}}: {{work_type}}"),
            "s",
            "bars",
            about="Of the coming hour, over all items, by the plan; «any» is any work of that team.",
            empty_because="no team is so full that one more person would save lateness, or no plan is in force",
            highest=3_600_000,
        ),
        Question(
            "What will be late wherever it goes, and what may nobody do?",
            (
                Query(
                    "sum by (business_type) (increase(opsfloor_predicted_misses_total[15m]))",
                    "{{business_type}}: late",
                ),
                Query("sum by (reason) (increase(opsfloor_items_unplaceable_total[15m]))", "nobody: {{reason}}"),
            ),
            "short",
            about="Items of the last 15 minutes; said when placed, not when late.",
            empty_because=_CALM,
        ),
        Question(
            "How long has the oldest item waited?",
            one(
                "max by (team) (opsfloor_desk_oldest_seconds)\n"
                "  or max by (reason) (opsfloor_unplaceable_oldest_seconds)",
                "{{team}}{{reason}}",
            ),
            "s",
            warns_at=300,
            bad_at=900,
            about=_AT_NO_DESK,
            empty_because="nothing waits and nobody is signed on",
        ),
        Question(
            "How much work waits, in minutes of standard time?",
            one("sum by (team) (max by (team, step) (opsfloor_desk_backlog_standard_seconds)) / 60", "{{team}}"),
            "m",
            empty_because="nothing waits and nobody is signed on",
        ),
        Question(
            "How many people are there, and how much have they in hand?",
            (
                Query("max by (team) (opsfloor_desk_present_operators)", "{{team}}"),
                Query("sum(max by (team) (opsfloor_desk_in_hand_items))", "items in hand, all teams"),
            ),
            "short",
        ),
        Question(
            "Who completes how much?",
            one(per_minute("opsfloor_items_completed_total", "team"), "{{team}}"),
            "cpm",
        ),
        Question(
            "How long from requested to somebody's hand?",
            one(quantile(0.9, "opsfloor_assignment_latency_seconds", "step"), "{{step}}, 90 %"),
            "s",
            highest=259_200,
        ),
        Question(
            "How long does an item take?",
            one(quantile(0.5, "opsfloor_item_handle_seconds", "step"), "{{step}}, half"),
            "s",
        ),
        Question(
            "What becomes of what is offered?",
            one(per_minute("opsfloor_assignments_total", "outcome"), "{{outcome}}"),
            "cpm",
        ),
    ),
)

EMERGENCY: Final = Board(
    "opsfloor-emergency",
    "Opsfloor: Emergency",
    "Which reroutes are in force, and do they do what they should?",
    (
        Question(
            "Which reroutes hold work back now?",
            one("max by (effect) (opsfloor_reroutes_in_force)", "{{effect}}"),
            "short",
            "number",
            warns_at=1,
            bad_at=3,
            highest=100,
        ),
        Question(
            "How long until the first one ends?",
            (
                Query("min by (effect, drill) (opsfloor_reroute_left_seconds)", "{{effect}}, drill: {{drill}}"),
                Query(
                    "max by (effect, drill) (opsfloor_reroute_overdue_seconds)",
                    "{{effect}}, drill: {{drill}}: should be over since",
                    limits=(60, 900),
                ),
            ),
            "s",
            "number",
            warns_at=3_600,
            bad_at=900,
            lowest=-86_400,
            highest=3 * 86_400,
            empty_because="no reroute that will end is open",
        ),
        Question(
            "Has every broken glass been answered for?",
            one("max(opsfloor_reroute_reviews_open)", "open"),
            "short",
            "number",
            warns_at=1,
            bad_at=2,
            highest=100,
        ),
        Question(
            "Where do reroutes come to?",
            one(counted("opsfloor_reroutes_total", "effect, phase"), "{{effect}}, {{phase}}"),
            "short",
            empty_because="no reroute came into another phase in the last hour",
        ),
        Question(
            "How fast does the second person approve, and how fast is the order in force?",
            (
                Query(
                    "histogram_quantile(0.9, sum by (le) (rate(opsfloor_reroute_approval_seconds_bucket[1h])))",
                    "proposal to approval, 90 %",
                ),
                Query(
                    "histogram_quantile(0.9, sum by (le) (rate(opsfloor_reroute_effect_seconds_bucket[1h])))",
                    "approval to effect, 90 %",
                ),
            ),
            "s",
            warns_at=300,
            bad_at=600,
            empty_because="no reroute was approved in the last hour",
            highest=3_600,
        ),
        Question(
            "What has each reroute moved, and what does it leave with nobody?",
            (
                Query("max by (reroute) (opsfloor_reroute_moved_items)", "{{reroute}}: moved"),
                Query("max by (reroute) (opsfloor_reroute_unplaceable_items)", "{{reroute}}: nobody can do it"),
                Query("max by (reroute) (opsfloor_reroute_sent_back_submissions)", "{{reroute}}: sent back"),
            ),
            "short",
            empty_because="no reroute is open",
            highest=1_000_000,
        ),
        Question(
            "How fast does work leave desks?",
            one(f"{per_minute('opsfloor_reroute_items_moved_total', 'team')} > 0", "from {{team}}"),
            "cpm",
            empty_because="no item left a desk by a reroute in the last five minutes",
        ),
        Question(
            "Which share of the branches' work does the bank take in?",
            one(measured("floor:opsfloor_centralisation:ratio_rate1h", "intake"), "centralised"),
            "percentunit",
            "number",
            warns_at=0.999,
            bad_at=0.9,
            highest=1.01,
            about="The rest is sent back to be done at the branch, by a reroute.",
        ),
        Question(
            "Did a return fall back, did the floor drift from a preview?",
            (
                Query("sum(increase(opsfloor_reroute_fall_backs_total[1h]))", "fell back"),
                Query("sum(increase(opsfloor_reroute_drifts_total[1h]))", "drifted"),
            ),
            "short",
        ),
        Question(
            "How many centres and vendors does no recent drill prove?",
            one("max by (point) (opsfloor_drill_unproved_scopes)", "{{point}}"),
            "short",
            "number",
            warns_at=1,
            bad_at=3,
            highest=100,
        ),
        Question(
            "What came of the drills of the last four weeks?",
            one("sum by (outcome) (increase(opsfloor_drills_total[28d]))", "{{outcome}}"),
            "short",
        ),
        Question(
            "What was asked, what was refused?",
            (
                Query(counted("opsfloor_reroute_commands_total", "code"), "{{code}}"),
                Query(counted("opsfloor_reroute_alerts_total", "outcome"), "by alerts: {{outcome}}"),
            ),
            "short",
            empty_because="nobody commanded a reroute in the last hour",
        ),
    ),
)

VENDORS: Final = Board(
    "opsfloor-vendors",
    "Opsfloor: Vendors",
    "Who does how much of the work, how well, and what may they do?",
    (
        Question(
            "Who does which share?",
            one("provider:opsfloor_items_completed:share1h", "{{provider}}"),
            "percentunit",
            "bars",
            highest=1,
        ),
        Question(
            "Who stands how?",
            one("max by (provider, standing) (opsfloor_provider_standing) == 1", "{{provider}}: {{standing}}"),
            "short",
            "number",
            highest=1,
            empty_because="supervision has judged no provider yet: all have the standing of the reference data",
        ),
        Question(
            "How often does a provider err?",
            one(
                'sum by (provider) (increase(opsfloor_keyings_judged_total{what="error"}[1h]))\n'
                '  / (sum by (provider) (increase(opsfloor_keyings_judged_total{what="keyed"}[1h])) > 0)',
                "{{provider}}",
            ),
            "percentunit",
            warns_at=0.02,
            bad_at=0.05,
            highest=1,
            empty_because="supervision has judged no provider yet",
        ),
        Question(
            "Who finds the errors?",
            one(per_minute("opsfloor_keyings_judged_total", "found_by", 'what="error"'), "{{found_by}}"),
            "cpm",
            about="Arbitration and review caught them before posting; inspection found them after.",
            empty_because="nobody has made an error that was found",
        ),
        Question(
            "What do inspections find?",
            one(per_minute("opsfloor_inspections_total", "verdict"), "{{verdict}}"),
            "cpm",
            empty_because="no entry was drawn for inspection",
        ),
        Question(
            "Do two keyings of a field agree?",
            one(per_minute("opsfloor_entries_total", "outcome"), "{{outcome}}"),
            "cpm",
        ),
        Question(
            "What do reviews find?",
            one(per_minute("opsfloor_reviews_total", "verdict"), "{{verdict}}"),
            "cpm",
            empty_because="no entry was reviewed yet",
        ),
        Question(
            "How do the people stand?",
            one("max by (provider, standing) (opsfloor_operators_judged)", "{{provider}}: {{standing}}"),
            "short",
            empty_because="supervision has changed nobody's standing yet",
        ),
        Question(
            "Whose results are refused?",
            one(counted("opsfloor_results_refused_total", "provider, code"), "{{provider}}: {{code}}"),
            "short",
            empty_because="no result was refused in the last hour",
        ),
    ),
)

BUS: Final = Board(
    "opsfloor-bus",
    "Opsfloor: Bus and shards",
    "Does every processor keep up, and has anything been lost?",
    (
        Question(
            "How old is what is decided on?",
            one("max by (processor) (opsfloor_shard_lag_seconds)", "{{processor}}"),
            "s",
            warns_at=10,
            bad_at=60,
            highest=3_600,
        ),
        Question(
            "How many records wait?", one("sum by (processor) (opsfloor_shard_lag_records)", "{{processor}}"), "short"
        ),
        Question(
            "Is anything lost, unreadable or stopped?",
            (
                Query(_worst("sum(max_over_time(opsfloor_shard_gaps_total[1h]))"), "gaps, last hour"),
                Query(_worst("sum(max_over_time(opsfloor_shard_fuses_total[1h]))"), "fuses, last hour"),
                Query(_worst(PARKED_LATELY), "parked, last hour"),
            ),
            "short",
            "number",
            warns_at=1,
            bad_at=1,
            about="A processor that finds a gap or blows its fuse stops; what it told stands here for an hour. "
            "What lies parked: `opsfloor dlq list`.",
        ),
        Question(
            "How long is one hop?",
            one(quantile(0.9, "opsfloor_shard_hop_seconds", "processor, topic"), "{{topic}} → {{processor}}, 90 %"),
            "s",
            width=16,
        ),
        Question(
            "How much is decided?",
            one("sum by (processor) (rate(opsfloor_shard_events_total[5m]))", "{{processor}}"),
            "cps",
        ),
        Question(
            "How long is a batch, and of that its transaction?",
            (
                Query(quantile(0.99, "opsfloor_shard_batch_seconds", "processor"), "{{processor}} batch"),
                Query(quantile(0.99, "opsfloor_shard_commit_seconds", "processor"), "{{processor}} transaction"),
            ),
            "s",
            highest=60,
        ),
        Question(
            "How long until the bus has it?",
            one(quantile(0.99, "opsfloor_shard_publish_seconds", "processor"), "{{processor}}, 99 %"),
            "s",
            highest=60,
        ),
        Question(
            "What is committed and not out?",
            one("sum by (processor) (opsfloor_shard_unpublished_facts)", "{{processor}}"),
            "short",
        ),
        Question(
            "Who takes shards from whom?",
            (
                Query("sum by (processor) (increase(opsfloor_shard_claims_total[5m]))", "{{processor}} claimed"),
                Query("sum by (processor) (increase(opsfloor_shard_lost_leases_total[5m]))", "{{processor}} lost"),
            ),
            "short",
        ),
        Question(
            "Which share of states is in memory?",
            one(
                'sum by (processor) (rate(opsfloor_shard_states_total{found="memory"}[5m]))\n'
                "  / (sum by (processor) (rate(opsfloor_shard_states_total[5m])) > 0)",
                "{{processor}}",
            ),
            "percentunit",
            highest=1,
        ),
        Question(
            "How late do alarms fire?",
            one(quantile(0.9, "opsfloor_shard_timers_late_seconds", "processor"), "{{processor}}, 90 %"),
            "s",
        ),
        Question(
            "Does the bus repeat itself, does a dependency stay away?",
            (
                Query("sum by (processor) (rate(opsfloor_shard_duplicates_total[5m]))", "{{processor}} duplicates"),
                Query("sum by (processor) (rate(opsfloor_shard_retries_total[5m]))", "{{processor}} retries"),
                Query(
                    "sum by (processor) (rate(opsfloor_shard_publish_errors_total[5m]))", "{{processor}} publish errors"
                ),
            ),
            "cps",
        ),
    ),
)

_OF: Final = 'job="$service"'
SERVICE: Final = Board(
    "opsfloor-service",
    "Opsfloor: One service",
    "Is this service well?",
    (
        Question(
            "How many processes answer?",
            one(f"sum(up{{{_OF}}})", "up"),
            "short",
            "number",
            warns_at=1,
            bad_at=0,
            highest=500,
        ),
        Question(
            "Which release runs?",
            one(f"count by (version) (opsfloor_service_info{{{_OF}}})", "{{version}}"),
            "short",
            "number",
            highest=500,
        ),
        Question(
            "How many shards does each process own?",
            one(f"opsfloor_shard_owned{{{_OF}}}", "{{processor}} at {{instance}}"),
            "short",
            empty_because=_NO_SHARDS,
            highest=1_000,
        ),
        Question(
            "Does it keep up?",
            one(f"max by (processor) (opsfloor_shard_lag_seconds{{{_OF}}})", "{{processor}}"),
            "s",
            warns_at=10,
            bad_at=60,
            empty_because="only the balancer has no shards to keep up with: see how old its plan is",
            highest=3_600,
        ),
        Question(
            "What is asked of it?",
            one(f"sum by (route, status) (rate(opsfloor_http_requests_total{{{_OF}}}[5m]))", "{{route}} {{status}}"),
            "reqps",
        ),
        Question(
            "How long do answers take?",
            one(quantile(0.9, "opsfloor_http_request_seconds", "route", _OF), "{{route}}, 90 %"),
            "s",
            about="A long poll counts its wait.",
            highest=60,
        ),
        Question(
            "How many database connections are busy?",
            (
                Query(f'sum(opsfloor_database_connections{{{_OF},state="busy"}})', "busy"),
                Query(f"sum(opsfloor_database_connections_max{{{_OF}}})", "at most"),
            ),
            "short",
            empty_because=_NO_DATABASE,
            highest=1_000,
        ),
        Question(
            "How much memory does it take?",
            one(f"process_resident_memory_bytes{{{_OF}}}", "{{instance}}"),
            "bytes",
            highest=64e9,
        ),
        Question(
            "How much of a processor?",
            one(f"rate(process_cpu_seconds_total{{{_OF}}}[5m])", "{{instance}}"),
            "percentunit",
            warns_at=0.7,
            bad_at=0.9,
            highest=64,
        ),
        Question(
            "How old is what it decides by?",
            (
                Query(f"time() - max by (board) (opsfloor_board_changed_timestamp_seconds{{{_OF}}})", "{{board}}"),
                Query(f"max(opsfloor_plan_age_seconds{{{_OF}}})", "plan, by the floor's clock"),
            ),
            "s",
            lowest=-5,
            about="Of routing's boards, load and plan are to be seconds old; the others change when somebody changes them.",
            highest=400 * 86_400,
        ),
        Question(
            "Can it read all its boards?",
            one(f"max by (instance) (opsfloor_board_refused_records{{{_OF}}})", "{{instance}}: refused"),
            "short",
            "number",
            warns_at=1,
            bad_at=1,
            about="Records of boards that it could not understand, since each process began: it decides by what it last understood.",
        ),
        Question(
            "How long does an operator's click take?",
            one(
                f"histogram_quantile(0.99, sum by (le) (rate(opsfloor_workbench_command_seconds_bucket{{{_OF}}}[5m])))",
                "99 %",
            ),
            "s",
            warns_at=1,
            bad_at=2.5,
            empty_because="routing alone has clicks to answer, and there no operator has clicked in the last five minutes",
            highest=10,
        ),
    ),
    ("service", "label_values(opsfloor_service_info, job)"),
)

PLAN: Final = Board(
    "opsfloor-plan",
    "Opsfloor: Plan",
    "What can the plan not keep, and is it made in time?",
    (
        Question(
            "Which bounds can the plan not keep, and by how much of all work?",
            one("max by (reason, bound) (opsfloor_plan_bound_relaxed_ratio)", "{{bound}}: {{reason}}"),
            "percentunit",
            warns_at=RELAXED_MIN,
            bad_at=0.05,
            highest=1,
            about="What contracts promise a provider at least, or allow it or a centre at most.",
            empty_because="the plan in force keeps every bound, or no plan is in force",
        ),
        Question(
            "How old is the plan?",
            one('time() - max(opsfloor_board_changed_timestamp_seconds{board="plan"})', "the last one"),
            "s",
            lowest=-5,
            highest=400 * 86_400,
            about="One is made each second while anybody is there to work.",
            empty_because="no balancer has made a plan yet",
        ),
        Question(
            "How long does a plan take to make?",
            (
                Query(quantile(0.5, "opsfloor_plan_solve_seconds", "job"), "half"),
                Query(quantile(0.99, "opsfloor_plan_solve_seconds", "job"), "99 %"),
            ),
            "s",
            warns_at=0.5,
            bad_at=1,
            highest=30,
            about="Above a second the next plan is late.",
        ),
        Question(
            "Are plans made, and what keeps one from being made?",
            (
                Query(per_minute("opsfloor_plans_made_total"), "made"),
                Query(per_minute("opsfloor_plans_failed_total", "reason"), "not made: {{reason}}"),
            ),
            "cpm",
        ),
        Question(
            "How much of what comes does the balancer hear?",
            one("60 * max(rate(opsfloor_plan_arrivals_total[5m]))", "items"),
            "cpm",
        ),
        Question(
            "What does the balancer fail to hear?",
            (
                Query("sum(increase(opsfloor_plan_records_refused_total[1h]))", "unreadable records"),
                Query("sum(increase(opsfloor_plan_listener_restarts_total[1h]))", "times that hearing began anew"),
            ),
            "short",
            about="In the last hour.",
        ),
        Question(
            "Where does placement send work?",
            one(per_minute("opsfloor_items_placed_total", "team"), "{{team}}"),
            "cpm",
        ),
    ),
)

DESKS: Final = Board(
    "opsfloor-desks",
    "Opsfloor: Desks",
    "Do operators get their next item, is what they do taken, and how fast are they?",
    (
        Question(
            "How many operators wait for their next item?",
            one("sum(opsfloor_workbench_long_polls)", "operators"),
            "short",
        ),
        Question(
            "What do operators hand in, and what becomes of it?",
            one(per_minute("opsfloor_workbench_commands_total", "kind, outcome"), "{{kind}}: {{outcome}}"),
            "cpm",
            empty_because="no operator has handed anything in yet",
        ),
        Question(
            "Why do desks refuse what an operator does?",
            one(counted("opsfloor_desk_commands_refused_total", "code"), "{{code}}"),
            "short",
            empty_because="no desk refused anything in the last hour",
        ),
        Question(
            "Why do desks give items back to placement?",
            one(counted("opsfloor_items_released_total", "reason"), "{{reason}}"),
            "short",
            empty_because="no desk gave an item back in the last hour",
        ),
        Question(
            "Which images are shown, and why are others refused?",
            one(per_minute("opsfloor_workbench_images_total", "what, outcome"), "{{what}}: {{outcome}}"),
            "cpm",
            empty_because="no operator has asked for an image yet",
        ),
        Question(
            "How long does it take to fetch and cut an image?",
            one(quantile(0.99, "opsfloor_workbench_slice_seconds", "job"), "99 %"),
            "s",
            highest=5,
            empty_because="no operator has asked for an image in the last five minutes",
        ),
        Question(
            "How far from the standard times is the pace that desks have learned?",
            one("max by (team) (opsfloor_desk_pace_ratio)", "{{team}}"),
            "percentunit",
            highest=500,  # on a scaled clock a click takes minutes
            about="At 100 % as long as the reference data say, above it longer. Of those present; plans reckon with it.",
            empty_because="nobody is signed on",
        ),
        Question(
            "How often did the workbench lose sight of the desks?",
            one(
                "sum(increase(opsfloor_workbench_tail_restarts_total[1h]))", "times that the tail began anew, last hour"
            ),
            "short",
            about="Meanwhile clicks are answered from the desk's rows, and items come up to five seconds later.",
        ),
    ),
)

PROCESSORS: Final = Board(
    "opsfloor-processors",
    "Opsfloor: Processors",
    "What does a processor do with its time and its memory?",
    (
        Question(
            "How long is one decision?",
            one(quantile(0.99, "opsfloor_shard_decision_seconds", "processor"), "{{processor}}, 99 %"),
            "s",
            highest=1,
            about="In the mean of a batch.",
        ),
        Question(
            "How many events are in a batch?",
            one(quantile(0.9, "opsfloor_shard_batch_events", "processor"), "{{processor}}, 90 %"),
            "short",
        ),
        Question(
            "How many states are in memory?",
            one("sum by (processor) (opsfloor_shard_entities)", "{{processor}}"),
            "short",
        ),
        Question(
            "How near is the fuse?",
            one("max by (processor) (opsfloor_shard_fuse_share_ratio)", "{{processor}}"),
            "percentunit",
            warns_at=0.05,
            bad_at=0.2,
            highest=1,
            about="Of the last records, the share that was unreadable: at 20 % the processor stops.",
        ),
        Question(
            "How many lawful commands are refused?",
            one("sum by (processor) (rate(opsfloor_shard_rejected_total[5m]))", "{{processor}}"),
            "cps",
        ),
        Question(
            "How many alarms fire?",
            one("sum by (processor) (rate(opsfloor_shard_timers_total[5m]))", "{{processor}}"),
            "cps",
        ),
    ),
)

BOARDS: Final = (FLOOR, LEVELS, TEAMS, PLAN, DESKS, EMERGENCY, VENDORS, BUS, PROCESSORS, SERVICE)
