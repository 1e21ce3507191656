"""For each alert a case that it must tell, and the near miss that it must not."""

from __future__ import annotations

from deploy.prometheus.alerts import SERVICES
from tests.alerts.case import Case, Series
from tests.alerts.crowd import CROWD
from tests.alerts.rare import rare


def _late(per_minute: float, total: float, minutes: int, objective: float = 0.99) -> dict[str, str | None]:
    labels = 'job="audit",instance="a",business_type="transfer",outcome="posted"'
    return {
        f'opsfloor_cases_total{{{labels},on_time="no"}}': f"0+{per_minute}x{minutes}",
        f'opsfloor_cases_total{{{labels},on_time="yes"}}': f"0+{total - per_minute}x{minutes}",
        'opsfloor_objective_on_time_ratio{business_type="transfer"}': f"{objective}x{minutes}",
    }


def _late_until(end: int, per_look: float, total: float, looks: int) -> dict[str, str | None]:
    well = looks - end
    no, yes, objective = _late(per_look, total, looks)
    return {
        no: f"0+{per_look}x{end} {per_look * end}x{well}",
        yes: f"0+{total - per_look}x{end} {(total - per_look) * end + total}+{total}x{well}",
        objective: f"0.99x{looks}",
    }


def _few_late(count: int, after: int) -> dict[str, str | None]:
    no, yes, objective = _late(0, 0, 0)
    return {no: f"0x{after} {count}x20", yes: f"0x{after + 20}", objective: f"0.99x{after + 20}"}


def _processor(name: str, values: str) -> dict[str, str | None]:
    return {f'{name}{{job="audit",instance="a",processor="audit/controls"}}': values}


def _up(service: str, values: str) -> dict[str, str | None]:
    return {f'up{{job="{service}",instance="a"}}': values}


EVERYBODY_UP: Series = {
    **_up("audit", "1x60"),
    **_up("intake", "1x60"),
    **_up("routing", "1x60"),
    **_up("vendor", "1x60"),
    **_up("balancer", "1x60"),
}


def _without(service: str) -> Series:
    return {name: values for name, values in EVERYBODY_UP.items() if name not in _up(service, "")}


_QUEUE = 'opsfloor_work_queue_items{instance="r",work_type="cheque/entry"}'
_RESULTS = 'opsfloor_results_total{instance="a",business_type="cheque",step="entry"}'
_CUT_OFF = 'opsfloor_cut_off_left_seconds{instance="a",business_type="cheque"}'
_OLDEST = 'opsfloor_work_oldest_seconds{instance="r",work_type="cheque/entry"}'
_PROMISE = 'opsfloor_promise_seconds{instance="a",business_type="cheque"}'
_DESK = 'opsfloor_desk_queue_items{instance="r",team="north",step="entry"}'
_PRESENT = 'opsfloor_desk_present_operators{instance="r",team="north"}'
_EXPECTED = 'opsfloor_desk_expected_operators{instance="r",team="north"}'
_NOWHERE = 'opsfloor_unplaceable_items{instance="r",reason="nobody_present",business_type="cheque"}'
_NOWHERE_OLDEST = 'opsfloor_unplaceable_oldest_seconds{instance="r",reason="nobody_present",business_type="cheque"}'
_MISSES = 'opsfloor_predicted_misses_total{instance="r",business_type="cheque"}'
_BALANCER_BEGAN = 'process_start_time_seconds{job="balancer",instance="a"}'
_NOT_DUE = 'opsfloor_plan_not_due_timestamp_seconds{job="balancer",instance="%s"}'
_MADE = 'opsfloor_plans_made_total{job="balancer",instance="a"}'
_LEFT = 'opsfloor_reroute_left_seconds{instance="r",effect="%s",drill="%s"}'
_LOAD = 'opsfloor_board_changed_timestamp_seconds{instance="r",board="load"}'
_PLAN = 'opsfloor_board_changed_timestamp_seconds{instance="r",board="plan"}'
_RELAXED = 'opsfloor_plan_bound_relaxed_ratio{instance="%s",reason="provider_minimum",bound="clearkey"}'
_ASKED = 'opsfloor_core_asked_timestamp_seconds{instance="a"}'
_ANSWERED = 'opsfloor_core_answered_timestamp_seconds{instance="a"}'
_RECEIPTS = 'opsfloor_intake_receipts_total{instance="i",outcome="%s"}'
_STANDING = 'opsfloor_provider_standing{instance="v",provider="clearkey",standing="%s"}'
_JUDGED = 'opsfloor_keyings_judged_total{instance="v",provider="clearkey",what="%s",found_by="%s"}'
_BUSY = 'opsfloor_database_connections{job="audit",instance="a",state="busy"}'
_POOL = 'opsfloor_database_connections_max{job="audit",instance="a"}'
_CLICK = 'opsfloor_workbench_command_seconds_bucket{instance="r",le="%s"}'

CASES: tuple[Case, ...] = (
    # 20 of 100 cases late each minute burns twenty times the budget of 1 %; 10 of 100 only ten times.
    Case("OnTimeBudgetBurnsFast", 70, _late(20, 100, 80), _late(10, 100, 80)),
    Case("OnTimeBudgetBurns", 400, _late(7, 100, 90), _late(5, 100, 90), step=5),
    Case("OnTimeBudgetLeaks", 4_410, _late(2, 100, 160), _late(0.5, 100, 160), step=30),
    # The hours before burnt, and since a while nothing is late: the short window ends the alert.
    Case("OnTimeBudgetBurnsFast", 70, _late(20, 100, 80), _late_until(62, 20, 100, 80)),
    Case("OnTimeBudgetBurns", 400, _late(12, 100, 90), _late_until(72, 12, 100, 90), step=5),
    Case("OnTimeBudgetLeaks", 4_410, _late(4, 100, 160), _late_until(132, 4, 100, 160), step=30),
    # A quiet night on which all that ended was late: three of them are told, two are not.
    Case("OnTimeBudgetBurnsFast", 70, _few_late(3, 66), _few_late(2, 66)),
    Case("OnTimeBudgetBurns", 400, _few_late(3, 76), _few_late(2, 76), step=5),
    Case("OnTimeBudgetLeaks", 4_410, _few_late(3, 142), _few_late(2, 142), step=30),
    # Nine of ten are promised: ten times the budget is already everything. 95 of 100 late leave hardly a case on time.
    Case("OnTimeBudgetBurnsFast", 70, _late(95, 100, 80, 0.9), _late(85, 100, 80, 0.9)),
    Case("OnTimeBudgetBurns", 400, _late(95, 100, 90, 0.8), _late(85, 100, 90, 0.8), step=5),
    # Half are promised: half may be late for as long as it takes, and a little more is a leak.
    Case("OnTimeBudgetLeaks", 4_410, _late(55, 100, 160, 0.5), _late(45, 100, 160, 0.5), step=30),
    Case(
        "CutOffWillBeMissed",
        15,
        {_QUEUE: "600x20", _RESULTS: "0+20x20", _CUT_OFF: "2400-60x20"},  # half an hour of work, 25 minutes left
        {_QUEUE: "300x20"},
    ),
    Case(  # the floor stands still: nothing was ever completed, not even counted
        "CutOffWillBeMissed",
        15,
        {_QUEUE: "600x20", _OLDEST: "0+60x20", _CUT_OFF: "2400-60x20"},
        {_OLDEST: "0+30x20"},  # the first of it came seven minutes ago and may be taken up yet
    ),
    Case(  # the floor stood still an hour ago, and all of it waits at no desk
        "CutOffWillBeMissed",
        30,
        {_NOWHERE: "17x40", _NOWHERE_OLDEST: "0+60x40", _RESULTS: "0+20x4 80x40", _CUT_OFF: "2700-60x40"},
        {_NOWHERE: "0x40", _NOWHERE_OLDEST: "0x40"},
    ),
    Case(  # two hours of work; the rail closes in just under an hour, or in just over one
        "CutOffWillBeMissed",
        15,
        {_QUEUE: "2400x20", _RESULTS: "0+20x20", _CUT_OFF: "3550x20"},
        {_CUT_OFF: "3650x20"},
    ),
    Case(  # it closes this second, or has closed
        "CutOffWillBeMissed",
        15,
        {_QUEUE: "600x20", _RESULTS: "0+20x20", _CUT_OFF: "1x20"},
        {_CUT_OFF: "0x20"},
    ),
    Case("MissesPredicted", 20, {_MISSES: "0+2x30"}, {_MISSES: "0+1x30"}),
    Case("WorkWaitsTooLong", 10, {_OLDEST: "700+60x10", _PROMISE: "1800x10"}, {_OLDEST: "400+60x10"}),
    Case("WorkWaitsTooLong", 10, {_NOWHERE_OLDEST: "700+60x10", _PROMISE: "1800x10"}, {_NOWHERE_OLDEST: "400+60x10"}),
    Case(  # the bank keeps a shift calendar: in its hours somebody can be called for
        "WorkWaitsTooLong",
        30,
        {_OLDEST: "700+60x40", _PROMISE: "1800x40", _EXPECTED: "4x40", _PRESENT: "0x40"},
        {_EXPECTED: "0x40"},
    ),
    Case(  # it came at night: a quarter of an hour after the first shift's beginning it should be in somebody's hands
        "WorkWaitsTooLong",
        30,
        {_OLDEST: "7000+60x40", _PROMISE: "1800x40", _EXPECTED: "0x10 4x30", _PRESENT: "0x40"},
        {_EXPECTED: "0x20 4x20"},
    ),
    Case(  # no shift is worked and somebody is there
        "WorkWaitsTooLong",
        30,
        {_OLDEST: "700+60x40", _PROMISE: "1800x40", _EXPECTED: "0x40", _PRESENT: "1x40"},
        {_PRESENT: "1x20 0x20"},
    ),
    Case("WorkWithNobody", 15, {_DESK: "1x20", _PRESENT: "0x20"}, {_PRESENT: "1x20"}),
    Case("WorkUnplaceable", 13, {_NOWHERE_OLDEST: "0+60x50"}, {_NOWHERE_OLDEST: "500x50"}),
    Case("WorkUnplaceable", 40, {_NOWHERE_OLDEST: "0+60x50"}, {_NOWHERE_OLDEST: "0+60x8 0+60x8 0+60x8 0+60x8 0+60x8"}),
    Case(
        "TeamOverloaded",
        20,
        {'opsfloor_desk_saturation_ratio{instance="r",team="north"}': "2.1x20"},
        {'opsfloor_desk_saturation_ratio{instance="r",team="north"}': "1.9x20"},
    ),
    Case(
        "RecordLost",
        5,
        _processor("opsfloor_shard_gaps_total", "0 0 1 1"),
        _processor("opsfloor_shard_gaps_total", "0x9"),
    ),
    Case(
        "FuseBlown",
        5,
        _processor("opsfloor_shard_fuses_total", "0 0 1 1"),
        _processor("opsfloor_shard_fuses_total", "0x9"),
    ),
    Case(
        "RecordsParked",
        8,
        _processor("opsfloor_shard_parked_total", "0x5 1x9"),
        _processor("opsfloor_shard_parked_total", "3x20"),
    ),
    Case(
        "BoardRefusesRecords",
        8,
        {'opsfloor_board_refused_records{job="routing",instance="r"}': "_x5 1x20"},  # it comes up with them
        {'opsfloor_board_refused_records{job="routing",instance="r"}': "_x5 0x20"},
    ),
    Case(
        "ShardBehind",
        10,
        {**_processor("opsfloor_shard_lag_seconds", "90x20"), **_processor("opsfloor_shard_lag_records", "500x20")},
        _processor("opsfloor_shard_lag_records", "0x20"),  # the last batch was old, and nothing waits any more
    ),
    Case(
        "ShardBehind",
        10,
        {**_processor("opsfloor_shard_lag_seconds", "90x20"), **_processor("opsfloor_shard_lag_records", "1x20")},
        _processor("opsfloor_shard_lag_seconds", "45x20"),
    ),
    Case(
        "ShardStandsStill",
        15,
        {**_processor("opsfloor_shard_lag_records", "500x20"), **_processor("opsfloor_shard_records_total", "9x20")},
        _processor("opsfloor_shard_records_total", "9+1x20"),
    ),
    Case(  # it has read nothing since its start
        "ShardStandsStill",
        15,
        {**_processor("opsfloor_shard_lag_records", "1x20"), **_processor("opsfloor_shard_records_total", "0x20")},
        _processor("opsfloor_shard_records_total", "0x12 1x9"),
    ),
    Case(  # the database is away: no shard is owned, so that no lag is known, and every claim is in vain
        "DependencyAway",
        8,
        {
            **_processor("opsfloor_shard_owned", "8x3 0x20"),
            **_processor("opsfloor_shard_retries_total", "0x3 1+2x20"),
        },
        {
            **_processor("opsfloor_shard_owned", "8x3 0 8x20"),
            **_processor("opsfloor_shard_retries_total", "0x3 1x20"),
        },
    ),
    Case(  # the broker is away: nothing is tried at the database, the bus client is made anew again and again
        "DependencyAway",
        8,
        {
            **_processor("opsfloor_shard_owned", "8x3 0x20"),
            **_processor("opsfloor_shard_retries_total", "0x30"),
            **_processor("opsfloor_shard_restarts_total", "0x3 1+2x20"),
        },
        _processor("opsfloor_shard_restarts_total", "0x30"),  # more processes than shards: one has none, and is well
    ),
    Case(
        "BatchWithoutEnd",
        10,
        _processor("opsfloor_shard_last_turn_timestamp_seconds", "0+60x3 180x20"),
        _processor("opsfloor_shard_last_turn_timestamp_seconds", "0+60x20"),
    ),
    Case(
        "BatchWithoutEnd",
        6,
        _processor("opsfloor_shard_last_turn_timestamp_seconds", "0+60x3 180x20"),
        _processor("opsfloor_shard_last_turn_timestamp_seconds", "-45+60x20"),  # long ones, one after the other
    ),
    Case(
        "BatchWithoutEnd",
        10,
        {
            **_processor("opsfloor_shard_last_turn_timestamp_seconds", "0+60x3 180x20"),
            **_processor("opsfloor_shard_retries_total", "0x20"),
        },
        _processor("opsfloor_shard_retries_total", "0x3 1+2x20"),  # no batch: it waits for the database
    ),
    Case(
        "FactsNotPublished",
        10,
        {
            **_processor("opsfloor_shard_unpublished_facts", "1x20"),
            **_processor("opsfloor_shard_published_total", "9x20"),
        },
        _processor("opsfloor_shard_published_total", "9+5x20"),
    ),
    Case(
        "LeasesLost",
        14,
        _processor("opsfloor_shard_lost_leases_total", "0x6 5x9"),
        _processor("opsfloor_shard_lost_leases_total", "0x6 2x9"),
    ),
    Case("LoadStale", 10, {_LOAD: "0x20", _DESK: "1x20"}, {_DESK: "0x20"}),
    Case("LoadStale", 5, {_LOAD: "0x20", _DESK: "1x20"}, {_LOAD: "-90+60x20"}),
    Case("PlanStale", 4, {_PLAN: "0x20"}, {_PLAN: "-45+60x20"}),
    Case("PlanStale", 4, {_BALANCER_BEGAN: "0x20", _MADE: "0x20"}, {_BALANCER_BEGAN: "-45+60x20"}),
    Case("PlanStale", 10, {_PLAN: "0+60x2 120x20"}, {_PLAN: "0+60x20"}),
    Case(  # it never made a first one
        "PlanStale", 10, {_BALANCER_BEGAN: "0x20", _MADE: "0x20"}, {_BALANCER_BEGAN: "540x20"}
    ),
    Case("PlanStale", 10, {_BALANCER_BEGAN: "0x20", _MADE: "0x20"}, {_PLAN: "0+60x20"}),
    Case(
        "PlanStale", 10, {_BALANCER_BEGAN: "0x20", _MADE: "0x20"}, {_MADE: "40x20"}
    ),  # routing, which tells its age, is gone
    Case(  # a new floor on which nobody is signed on: the balancer turns, and no plan is due
        "PlanStale",
        10,
        {_BALANCER_BEGAN: "0x20", _MADE: "0x20", _NOT_DUE % "a": "0x20"},
        {_NOT_DUE % "a": "0+60x20"},
    ),
    Case(  # the last ones went home, and a balancer that hangs since stands beside one that turns
        "PlanStale",
        10,
        {_PLAN: "0+60x2 120x20", _MADE: "90x20", _NOT_DUE % "a": "0x3 180x20", _NOT_DUE % "b": "0x3 180x20"},
        {_NOT_DUE % "b": "0x2 180+60x20"},
    ),
    Case(  # at night no plan was due; people have come, and none is made
        "PlanStale",
        10,
        {_PLAN: "0x20", _MADE: "90x20", _NOT_DUE % "a": "0+60x4 240x20"},
        {_PLAN: "0x4 300+60x20"},
    ),
    # A vendor's minimum is given up for twelve minutes; the near miss is kept again after nine.
    Case("BoundNotKept", 15, {_RELAXED % "r": "_x3 0.04x12 stale"}, {_RELAXED % "r": "_x3 0.04x8 stale"}, value=0.04),
    Case("BoundNotKept", 20, {_RELAXED % "r": "0.002x30"}, {_RELAXED % "r": "0.0009x30"}),  # less than what is said
    Case(  # one process tells it to the end, another dies on the way
        "BoundNotKept",
        15,
        {_RELAXED % "r": "0.04x5 stale", _RELAXED % "s": "0.03x20"},
        {_RELAXED % "s": "0.03x4 stale"},
    ),
    Case("CoreBankSilent", 20, {_ASKED: "0+60x30", _ANSWERED: "0+60x5 300x30"}, {_ANSWERED: "0+60x30"}),
    Case(  # the first posting after a quiet night: its answer may take longer than a look of the rules
        "CoreBankSilent",
        45,
        {_ASKED: "300x30 1860x20", _ANSWERED: "320x60"},
        {_ASKED: "300x35 2160x20"},  # nine minutes old
    ),
    Case(  # asked for the last time 50 minutes ago, and never answered
        "CoreBankSilent",
        60,
        {_ASKED: "0+60x10 600x60", _ANSWERED: "0x70"},
        {_ANSWERED: "0x30 1800x40"},  # it answered half an hour ago
    ),
    Case(  # two weeks ago, before a long holiday on which audit began anew
        "CoreBankSilent",
        14 * 24 * 60,
        {_ASKED: "0+3600x10 0x330", _ANSWERED: "0x340"},
        {_ANSWERED: "0x329 1184400x10"},  # it answered in the last night
        step=60,
    ),
    Case(  # nobody looked for two days, and audit began anew meanwhile
        "CoreBankSilent",
        72 * 60,
        {_ASKED: "0+3600x10 36000x10 _x48 0x10", _ANSWERED: "500x20 _x48 0x10"},
        {_ANSWERED: "500x20 _x48 250000x10"},
        step=60,
    ),
    Case(  # audit began anew after that, and knows of neither
        "CoreBankSilent",
        60,
        {_ASKED: "0+60x10 0x60", _ANSWERED: "500x10 0x60"},
        {_ANSWERED: "500x9 610x2 0x60"},
    ),
    Case(
        "CoreBankContradicts",
        8,
        {'opsfloor_core_answers_refused_total{instance="a",code="contradiction"}': "0x5 1x9"},
        {'opsfloor_core_answers_refused_total{instance="a",code="contradiction"}': "1x20"},
    ),
    Case("SubmissionConflict", 8, {_RECEIPTS % "conflict": "0x5 1x9"}, {_RECEIPTS % "conflict": "1x20"}),
    Case(
        "SubmissionsRejected",
        30,
        {_RECEIPTS % "accepted": "0+90x40", _RECEIPTS % "bad_signature": "0+10x40"},
        {_RECEIPTS % "bad_signature": "0+4x40"},
    ),
    Case(  # a `local` reroute tells branches to do it themselves: told, not rejected
        "SubmissionsRejected",
        30,
        {
            _RECEIPTS % "accepted": "0+40x40",
            _RECEIPTS % "do_locally": "0+60x40",
            _RECEIPTS % "bad_signature": "0+4x40",
        },
        {_RECEIPTS % "bad_signature": "0+1x40"},
    ),
    Case(
        "RerouteEnding",
        5,
        {_LEFT % ("drain", "no"): "1100-60x20"},
        {_LEFT % ("drain", "no"): "1300-60x20"},
    ),
    Case(  # every weekly drill ends in less than a quarter of an hour once
        "RerouteEnding",
        5,
        {_LEFT % ("drain", "no"): "1100-60x20", _LEFT % ("drain", "yes"): "600-60x20"},
        {_LEFT % ("drain", "no"): None},
    ),
    Case(
        "RerouteStuck",
        20,
        {'opsfloor_reroute_overdue_seconds{instance="r",effect="drain",drill="no"}': "0+120x20"},
        {'opsfloor_reroute_overdue_seconds{instance="r",effect="drain",drill="no"}': "0+30x20"},
    ),
    Case(  # it has been over for ten minutes, which its last items may take
        "RerouteStuck",
        20,
        {'opsfloor_reroute_overdue_seconds{instance="r",effect="drain",drill="no"}': "0+120x20"},
        {'opsfloor_reroute_overdue_seconds{instance="r",effect="drain",drill="no"}': "600x20"},
    ),
    Case(
        "RerouteFellBack",
        8,
        {'opsfloor_reroute_fall_backs_total{instance="r"}': "0x5 1x9"},
        {'opsfloor_reroute_fall_backs_total{instance="r"}': "1x20"},
    ),
    Case(
        "RerouteStrandsWork",
        4,
        {'opsfloor_reroute_unplaceable_items{instance="r",reroute="r-1"}': "0x1 1x9"},
        {
            'opsfloor_reroute_unplaceable_items{instance="r",reroute="r-1"}': "0x12",
            'opsfloor_reroute_moved_items{instance="r",reroute="r-1"}': "9x12",
        },
    ),
    Case(
        "AlertProposesInVain",
        8,
        {'opsfloor_reroute_alerts_total{instance="r",outcome="unreadable"}': "0x5 1x9"},
        {
            'opsfloor_reroute_alerts_total{instance="r",outcome="unreadable"}': "1x20",
            'opsfloor_reroute_alerts_total{instance="r",outcome="in_force"}': "0x5 1x9",
        },
    ),
    Case(
        "DrillFailed",
        8,
        {'opsfloor_drills_total{instance="r",outcome="refused"}': "0x5 1x9"},
        {
            'opsfloor_drills_total{instance="r",outcome="refused"}': "1x20",
            'opsfloor_drills_total{instance="r",outcome="passed"}': "0x5 1x9",
        },
    ),
    Case(
        "GlassBroken",
        90,
        {'opsfloor_reroute_reviews_open{instance="r"}': "1x100"},
        {'opsfloor_reroute_reviews_open{instance="r"}': "1x50 0x50"},
    ),
    Case(
        "ProviderStandingChanged",
        12,
        {_STANDING % "suspended": "0x8 1x20", _STANDING % "allowed": "1x8 0x20"},
        {_STANDING % "suspended": "1x30", _STANDING % "allowed": "0x30"},
    ),
    Case(  # it is no longer what it was, and nobody has said what it is now
        "ProviderStandingChanged",
        12,
        {_STANDING % "suspended": "0x8 1x20", _STANDING % "allowed": "1x8 0x20"},
        {_STANDING % "suspended": None},
    ),
    Case(
        "ErrorsEscape",
        120,
        {_JUDGED % ("keyed", "none"): "0+100x130", _JUDGED % ("error", "inspection"): "0+2x130"},
        {_JUDGED % ("error", "inspection"): "0+0.8x130"},
    ),
    Case(
        "ErrorsEscape",
        120,
        {_JUDGED % ("keyed", "none"): "0+100x130", _JUDGED % ("error", "inspection"): "0+2x130"},
        {_JUDGED % ("error", "inspection"): "0+0.5x130"},
    ),
    *(Case("ServiceAbsent", 10, {**EVERYBODY_UP, **_up(each, "0x60")}, _up(each, "1x60")) for each in SERVICES),
    *(Case("ServiceAbsent", 10, _without(each), _up(each, "1x60")) for each in SERVICES),  # not even a target
    *(
        Case(
            "ProcessDown",
            10,
            {**EVERYBODY_UP, f'up{{job="{each}",instance="b"}}': "0x20"},
            {f'up{{job="{each}",instance="b"}}': "1x20"},
        )
        for each in SERVICES
    ),
    *rare(),
    *CROWD,
    Case("DatabasePoolExhausted", 10, {_BUSY: "10x20", _POOL: "10x20"}, {_BUSY: "8x20"}),
    Case(
        "CommandsSlow",
        25,
        {_CLICK % "2.5": "0+95x30", _CLICK % "5": "0+100x30", _CLICK % "+Inf": "0+100x30"},
        {_CLICK % "2.5": "0+100x30"},
    ),
)
