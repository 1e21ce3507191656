"""A floor has several processes, teams and types: what a rule groups, selects and takes the greatest of counts."""

from __future__ import annotations

from tests.alerts.case import Case, Series


def _each(name: str, labels: str, *values: str) -> Series:
    """One series in several processes, in order."""
    return {f'{name}{{instance="r{n}",{labels}}}': told for n, told in enumerate(values)}


def _jobs(name: str, job: str, *values: str, labels: str = "") -> Series:
    return _each(name, f'job="{job}"' + (f",{labels}" if labels else ""), *values)


_TYPE, _WORK, _TEAM = 'business_type="cheque"', 'work_type="cheque/entry"', 'team="north"'
_PROCESSOR = 'processor="audit/controls"'
_QUEUE, _OLDEST = "opsfloor_work_queue_items", "opsfloor_work_oldest_seconds"
_RESULTS = "opsfloor_results_total"
_CUT_OFF, _PROMISE = "opsfloor_cut_off_left_seconds", "opsfloor_promise_seconds"
_MISSES = "opsfloor_predicted_misses_total"
_PRESENT, _DESK = "opsfloor_desk_present_operators", "opsfloor_desk_queue_items"
_NOWHERE = "opsfloor_unplaceable_oldest_seconds"
_LAG, _RECORDS, _READ = "opsfloor_shard_lag_seconds", "opsfloor_shard_lag_records", "opsfloor_shard_records_total"
_OWNED, _TRIES, _BLIND = "opsfloor_shard_owned", "opsfloor_shard_retries_total", "opsfloor_shard_restarts_total"
_TURN = "opsfloor_shard_last_turn_timestamp_seconds"
_LEFT_OVER, _OUT = "opsfloor_shard_unpublished_facts", "opsfloor_shard_published_total"
_BOARD = "opsfloor_board_changed_timestamp_seconds"
_MADE, _NOT_DUE = "opsfloor_plans_made_total", "opsfloor_plan_not_due_timestamp_seconds"
_BEGAN = "process_start_time_seconds"
_EFFECT, _OVERDUE = 'effect="drain",drill="no"', "opsfloor_reroute_overdue_seconds"
_LEFT = "opsfloor_reroute_left_seconds"
_STRANDED, _GLASS = "opsfloor_reroute_unplaceable_items", "opsfloor_reroute_reviews_open"
_STANDING = "opsfloor_provider_standing"
_RECEIPTS = "opsfloor_intake_receipts_total"

PLACES: tuple[Case, ...] = (
    Case(  # two tell of the cut-off, and one that has just begun does not know it
        "CutOffWillBeMissed",
        15,
        {
            **_each(_QUEUE, _WORK, "600x20", "600x20", "0x20"),
            **_each(_RESULTS, f'{_TYPE},step="entry"', "0+10x20", "0+10x20"),
            **_each(_CUT_OFF, _TYPE, "2400-60x20", "2400-60x20", "0x20"),
        },
        _each(_QUEUE, _WORK, "300x20", "300x20", "0x20"),
    ),
    Case(  # nothing was ever done: the oldest has waited for just above ten minutes, or just below
        "CutOffWillBeMissed",
        15,
        {
            **_each(_QUEUE, _WORK, "600x20"),
            **_each(_OLDEST, _WORK, "610x20"),
            **_each(_CUT_OFF, _TYPE, "2400-60x20"),
        },
        _each(_OLDEST, _WORK, "590x20"),
    ),
    Case(  # what is promised is the same from all, and one has not heard of the longer promise yet
        "WorkWaitsTooLong",
        10,
        {**_each(_OLDEST, _WORK, "700+60x20", "0x20"), **_each(_PROMISE, _TYPE, "1800x20", "1800x20", "600x20")},
        _each(_OLDEST, _WORK, "400+60x20", "400+60x20"),
    ),
    Case(  # all tell the same queue, and one has not heard of it yet; so with who is there
        "WorkWithNobody",
        15,
        {
            **_each(_DESK, f'{_TEAM},step="entry"', "3x20", "3x20", "0x20"),
            **_each(_DESK, f'{_TEAM},step="review"', "1x20", "1x20", "0x20"),
            **_each(_PRESENT, _TEAM, "0x20", "0x20"),
            **_each(_PRESENT, 'team="south"', "4x20", "4x20"),
        },
        _each(_PRESENT, _TEAM, "1x20", "0x20"),
        value=4,
    ),
    Case(
        "WorkUnplaceable",
        13,
        _each(_NOWHERE, f'reason="standing",{_TYPE}', "620x20", "620x20", "0x20"),
        _each(_NOWHERE, f'reason="standing",{_TYPE}', "580x20", "580x20", "0x20"),
        value=620,
    ),
    Case(
        "TeamOverloaded",
        20,
        _each("opsfloor_desk_saturation_ratio", _TEAM, "2.1x20", "2.1x20", "0x20"),
        _each("opsfloor_desk_saturation_ratio", _TEAM, "1.9x20", "1.9x20", "0x20"),
        value=2.1,
    ),
    Case(
        "MissesPredicted",
        25,
        _jobs(_MISSES, "routing", "0+0.75x40", "0+0.75x40", labels=_TYPE),
        {
            **_jobs(_MISSES, "routing", "0+0.6x40", "0+0.6x40", labels=_TYPE),
            **_jobs(_MISSES, "routing", "0+0.6x40", "0+0.6x40", labels='business_type="giro"'),
        },
    ),
    Case(  # counted on over a restart
        "MissesPredicted",
        20,
        _jobs(_MISSES, "routing", "0+2x8 0+2x12", labels=_TYPE),
        _jobs(_MISSES, "routing", "0+1x8 0+1x12", labels=_TYPE),
    ),
)

MACHINE: tuple[Case, ...] = (
    *(
        Case(  # one of several processes; it has died since, twelve minutes ago; or longer ago
            alert,
            20,
            _each(counter, _PROCESSOR, "0x30", "_x6 1x2 stale", "0x30"),
            _each(counter, _PROCESSOR, "0x30", "0x2 1x1 stale", "0x30"),
            value=1,
        )
        for alert, counter in (
            ("RecordLost", "opsfloor_shard_gaps_total"),
            ("FuseBlown", "opsfloor_shard_fuses_total"),
        )
    ),
    Case(
        "BoardRefusesRecords",
        8,
        _jobs("opsfloor_board_refused_records", "routing", "2x20", "2x20", "0x20"),
        _jobs("opsfloor_board_refused_records", "routing", "0x20", "0x20", "0x20"),
        value=2,
    ),
    Case(
        "ShardBehind",
        10,
        {**_each(_LAG, _PROCESSOR, "65x20", "40x20"), **_each(_RECORDS, _PROCESSOR, "9x20", "9x20")},
        _each(_LAG, _PROCESSOR, "55x20", "55x20"),
        value=65,
    ),
    Case(  # it read its last four minutes ago, or eight
        "ShardStandsStill",
        19,
        {**_each(_RECORDS, _PROCESSOR, "500x30"), **_each(_READ, _PROCESSOR, "0x9 9x30")},
        _each(_READ, _PROCESSOR, "0x13 9x30"),
    ),
    Case(  # it reads a record every other minute: it does not stand still
        "ShardStandsStill",
        19,
        {**_each(_RECORDS, _PROCESSOR, "500x30"), **_each(_READ, _PROCESSOR, "9x30")},
        _each(_READ, _PROCESSOR, "1 1 1 2 2 2 3 3 3 4 4 4 5 5 5 6 6 6 7 7 7 8 8 8"),
    ),
    Case(  # it was away four minutes ago, and has no shard since others have them all
        "DependencyAway",
        12,
        {
            **_each(_OWNED, _PROCESSOR, "0x30"),
            **_each(_TRIES, _PROCESSOR, "0+2x30"),
            **_each(_BLIND, _PROCESSOR, "0x30"),
        },
        _each(_TRIES, _PROCESSOR, "0+2x8 16x30"),
    ),
    Case(  # the bus client is made anew every four minutes; seven minutes ago for the last time
        "DependencyAway",
        15,
        {**_each(_OWNED, _PROCESSOR, "0x30"), **_each(_BLIND, _PROCESSOR, "0 0 0 0 1 1 1 1 2 2 2 2 3 3 3 3 4 4 4 4")},
        _each(_BLIND, _PROCESSOR, "0 0 0 0 1 1 1 1 2 2x20"),
    ),
    Case(  # it waited for the database five minutes ago, and is in one batch since
        "BatchWithoutEnd",
        14,
        {**_each(_TURN, _PROCESSOR, "0+60x9 540x20"), **_each(_TRIES, _PROCESSOR, "0+2x9 18x20")},
        _each(_TRIES, _PROCESSOR, "0+2x30"),
    ),
    Case(
        "BatchWithoutEnd",
        10,
        _each(_TURN, _PROCESSOR, "-65+60x20"),
        _each(_TURN, _PROCESSOR, "-55+60x20"),
    ),
    Case(  # nothing has gone out for four and a half minutes; or one went out meanwhile
        "FactsNotPublished",
        14,
        {**_each(_LEFT_OVER, _PROCESSOR, "0x8 1x20"), **_each(_OUT, _PROCESSOR, "0+5x8 45x20")},
        _each(_OUT, _PROCESSOR, "0 1 1 2 2 3 3 4 4 5 5 6 6 7 7 8 8"),
    ),
    Case(  # now and then something is not out yet, as always
        "FactsNotPublished",
        14,
        {**_each(_LEFT_OVER, _PROCESSOR, "1x20"), **_each(_OUT, _PROCESSOR, "45x20")},
        _each(_LEFT_OVER, _PROCESSOR, "1 1 0 1 1 0 1 1 0 1 1 0 1 1 0 1 1 0"),
    ),
    Case(
        "LeasesLost",
        14,
        _jobs("opsfloor_shard_lost_leases_total", "audit", "0x6 2x20", "0x6 2x20", labels=_PROCESSOR),
        {
            **_jobs("opsfloor_shard_lost_leases_total", "audit", "0x6 1x20", "0x6 1x20", labels=_PROCESSOR),
            **_jobs("opsfloor_shard_lost_leases_total", "audit", "0x6 2x20", labels='processor="audit/other"'),
        },
    ),
    Case(  # other boards are fresh; one process hears nothing any more, which the others do
        "LoadStale",
        10,
        {
            **_each(_BOARD, 'board="load"', "300x20", "300x20"),
            **_each(_BOARD, 'board="standing"', "0+60x20", "0+60x20"),
            **_each(_DESK, f'{_TEAM},step="entry"', "1x20", "0x20"),
        },
        _each(_BOARD, 'board="load"', "300x20", "-115+60x20"),
    ),
    Case(  # each says what waits at each desk
        "LoadStale",
        10,
        {**_each(_BOARD, 'board="load"', "-125+60x20"), **_each(_DESK, f'{_TEAM},step="entry"', "1x20", "0x20")},
        _each(_BOARD, 'board="load"', "-115+60x20"),
    ),
    Case(  # other boards are fresh; one routing process hears nothing any more, which the others do
        "PlanStale",
        10,
        {
            **_each(_BOARD, 'board="plan"', "300x20", "300x20"),
            **_each(_BOARD, 'board="load"', "0+60x20", "0+60x20"),
            **_jobs(_NOT_DUE, "balancer", "0x20"),
        },
        _each(_BOARD, 'board="plan"', "300x20", "-55+60x20"),
    ),
    Case(
        "PlanStale",
        10,
        _each(_BOARD, 'board="plan"', "-65+60x20"),
        _each(_BOARD, 'board="plan"', "-55+60x20"),
    ),
    Case(  # no first plan: the balancer that began first counts, and no process of another service does
        "PlanStale",
        10,
        {
            **{f'up{{job="balancer",instance="r{n}"}}': "1x20" for n in range(2)},
            **_jobs(_BEGAN, "balancer", "0x20", "590x20"),
            **_jobs(_MADE, "balancer", "0x20", "0x20"),
            **_each(_BOARD, 'board="load"', "0+60x20"),
        },
        _jobs(_BEGAN, "balancer", "550x20", "590x20"),
    ),
    Case(
        "PlanStale",
        10,
        {
            'up{job="balancer",instance="r0"}': "1x20",
            'up{job="audit",instance="r0"}': "1x20",
            **_jobs(_BEGAN, "balancer", "0x20"),
            **_jobs(_MADE, "balancer", "0x20"),
        },
        {
            **_jobs(_BEGAN, "balancer", "580x20"),
            **_jobs(_BEGAN, "audit", "-600x20"),
        },
    ),
    Case(
        "PlanStale",
        10,
        {
            **_jobs(_BEGAN, "balancer", "-65+60x20"),
            **_jobs(_MADE, "balancer", "0x20"),
            'up{job="balancer",instance="r0"}': "1x20",
        },
        _jobs(_BEGAN, "balancer", "-55+60x20"),
    ),
    Case(  # no plan is due by what the balancer says every second; it last said so a minute ago
        "PlanStale",
        10,
        {**_each(_BOARD, 'board="plan"', "0x20"), **_jobs(_NOT_DUE, "balancer", "-65+60x20", "-300+60x20")},
        _jobs(_NOT_DUE, "balancer", "-55+60x20", "-300+60x20"),
    ),
)

ORDERS: tuple[Case, ...] = (
    Case(
        "SubmissionsRejected",
        30,
        {
            **_each(_RECEIPTS, 'outcome="accepted"', "0+45x40", "0+45x40"),
            **_each(_RECEIPTS, 'outcome="bad_signature"', "0+3x40", "0+3x40"),
        },
        _each(_RECEIPTS, 'outcome="bad_signature"', "0+4x40", "0x40"),
    ),
    Case(  # none of the last quarter of an hour; and for a quarter of an hour nothing was wrong
        "SubmissionsRejected",
        60,
        {
            **_each(_RECEIPTS, 'outcome="accepted"', "0+90x80"),
            **_each(_RECEIPTS, 'outcome="bad_signature"', "0+10x54 540x30"),
        },
        _each(_RECEIPTS, 'outcome="bad_signature"', "0+10x44 440x30"),
    ),
    Case(  # the one that ends first, and each is told as often as there are processes
        "RerouteEnding",
        5,
        _each(_LEFT, _EFFECT, "1100-60x20", "9000-60x20"),
        _each(_LEFT, _EFFECT, "1300-60x20", "1300-60x20"),
        value=800,
    ),
    Case(
        "RerouteStuck",
        20,
        _each(_OVERDUE, _EFFECT, "950x30", "950x30", "0x30"),
        _each(_OVERDUE, _EFFECT, "850x30", "850x30", "0x30"),
        value=950,
    ),
    Case(
        "RerouteStrandsWork",
        4,
        _each(_STRANDED, 'reroute="r-1"', "3x9", "3x9", "0x9"),
        _each(_STRANDED, 'reroute="r-1"', "0x9", "0x9", "0x9"),
        value=3,
    ),
    Case(
        "GlassBroken",
        90,
        _each(_GLASS, 'job="routing"', "2x100", "2x100", "0x100"),
        _each(_GLASS, 'job="routing"', "0x100", "0x100", "0x100"),
        value=2,
    ),
    Case(  # a vendor process that has just begun has judged nobody
        "ProviderStandingChanged",
        30,
        {
            **_each(_STANDING, 'provider="clearkey",standing="suspended"', "0x8 1x40", "0x8 1x40", "0x40"),
            **_each(_STANDING, 'provider="clearkey",standing="allowed"', "1x8 0x40", "1x8 0x40", "0x40"),
        },
        {
            **_each(_STANDING, 'provider="clearkey",standing="suspended"', "1x40", "1x40", "_x20 0x20"),
            **_each(_STANDING, 'provider="clearkey",standing="allowed"', "0x40", "0x40", "_x20 0x20"),
        },
    ),
    Case(  # 25 minutes ago, and 35
        "ProviderStandingChanged",
        60,
        _each(_STANDING, 'provider="clearkey",standing="suspended"', "0x34 1x40"),
        _each(_STANDING, 'provider="clearkey",standing="suspended"', "0x24 1x60"),
    ),
    Case(
        "ErrorsEscape",
        120,
        {
            **_each(
                "opsfloor_keyings_judged_total",
                'provider="clearkey",what="keyed",found_by="none"',
                "0+50x130",
                "0+50x130",
            ),
            **_each(
                "opsfloor_keyings_judged_total",
                'provider="clearkey",what="error",found_by="inspection"',
                "0+0.6x130",
                "0+0.6x130",
            ),
        },
        _each(
            "opsfloor_keyings_judged_total",
            'provider="clearkey",what="error",found_by="inspection"',
            "0+0.8x130",
            "0x130",
        ),
    ),
)

_JUDGED = 'provider="clearkey",what="%s",found_by="%s"'
ERRORS: tuple[Case, ...] = (
    Case(  # what review finds was caught
        "ErrorsEscape",
        120,
        {
            **_each("opsfloor_keyings_judged_total", _JUDGED % ("keyed", "none"), "0+100x130"),
            **_each("opsfloor_keyings_judged_total", _JUDGED % ("error", "review"), "0+5x130"),
            **_each("opsfloor_keyings_judged_total", _JUDGED % ("error", "inspection"), "0+2x130"),
        },
        _each("opsfloor_keyings_judged_total", _JUDGED % ("error", "inspection"), "0+0.5x130"),
    ),
    Case(  # found 20 hours ago, and 28
        "ErrorsEscape",
        60 * 60,
        {
            **_each("opsfloor_keyings_judged_total", _JUDGED % ("keyed", "none"), "0+100x130"),
            **_each("opsfloor_keyings_judged_total", _JUDGED % ("error", "inspection"), "0x79 150x50"),
        },
        _each("opsfloor_keyings_judged_total", _JUDGED % ("error", "inspection"), "0x63 150x70"),
        step=30,
    ),
)

CROWD: tuple[Case, ...] = (*PLACES, *MACHINE, *ORDERS, *ERRORS)
