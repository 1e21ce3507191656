"""What each instrument counts, and what the levels read."""

from __future__ import annotations

import ast
import importlib
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from deploy.grafana.boards import BOARDS
from deploy.prometheus.alerts import ALERTS
from deploy.prometheus.instruments import PACKAGES, ROOT, instruments
from services.audit.controls import metrics as controls
from services.intake.reception import metrics as reception
from services.routing import metrics as routing
from services.routing.balancer.metrics import plan_levels
from services.routing.balancer.turn import PLAN_SECONDS
from services.routing.boards import PlanView
from services.routing.emergency.metrics import proof_levels, reroute_levels
from services.vendor.supervision import metrics as supervision
from shared.contracts.audit import CaseEnd, CasePosted
from shared.contracts.reference import BusinessType, Shift, ShiftBreak
from shared.contracts.routing import CapacityByWorkType, LoadByWorkType, LoadSnapshot, PlanMade
from shared.reference import files
from shared.reference.board import ReferenceView
from shared.reroutes import RerouteView
from shared.runtime.boards import Boards
from shared.runtime.hops import Hop, hop_of, oldest_by_topic
from shared.runtime.house import house_levels, pool_levels
from shared.runtime.log import Record
from shared.runtime.metrics import begin
from shared.standing import STANDING_BOARD, StandingView
from tests.bench.__main__ import FIRST_ASSIGNMENT_MS_MAX
from tests.bench.desk import TARGET_US as DECISION_US_MAX
from tests.bench.plan import TARGET_MS as PLAN_MS_MAX
from tests.unit.audit.floor_of_cases import TRANSFER, confirmed, started
from tests.unit.runtime.test_runner import IN, Bench, turn
from tests.unit.sight.facts import fact, shown

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
BANK = Path(__file__).parents[3] / "deploy" / "reference" / "business-types.yaml"


def load(**changes: object) -> LoadSnapshot:
    """A desk with two work types of one step waiting, two people there."""
    waiting = (
        LoadByWorkType(work_type="a/entry", queued=2, standard_seconds=60, oldest_requested_at=AT, learned_seconds=90),
        LoadByWorkType(
            work_type="b/entry", queued=1, standard_seconds=30, oldest_requested_at=AT + timedelta(seconds=20)
        ),
    )
    found: LoadSnapshot = fact("routing.load-snapshot.v1", team_id="t", at=AT, queued=waiting, present=("x", "y"))
    return found.model_copy(update=changes)


def levels(snapshot: LoadSnapshot, later_seconds: float = 0) -> dict[tuple[str, tuple[str, ...]], float]:
    """All readings of one desk, so many seconds after its snapshot."""
    read = routing.load_levels({"t": snapshot}, lambda: AT + timedelta(seconds=later_seconds))
    return {(level.name, labels): value for level, labels, value in read()}


def test_a_desk_is_summed_by_step_and_by_work_type() -> None:
    """Items, standard time and the oldest age of a desk's step, and of a work type over all desks."""
    found = levels(load(), later_seconds=60)
    assert found[("opsfloor_desk_queue_items", ("t", "entry"))] == 3
    assert found[("opsfloor_desk_backlog_standard_seconds", ("t", "entry"))] == 90
    assert found[("opsfloor_desk_oldest_seconds", ("t", "entry"))] == 60
    assert found[("opsfloor_work_queue_items", ("b/entry",))] == 1
    assert found[("opsfloor_work_oldest_seconds", ("b/entry",))] == 40


def test_an_empty_queue_is_nought_and_not_absent() -> None:
    """Where a desk has people for a work type and nothing of it waits, the graphs fall to 0 and do not end."""
    able = (CapacityByWorkType(work_type="a/entry", present=1, learned_seconds=30),)
    found = levels(load(queued=(), capacity=able), later_seconds=60)
    for name, labels in (("desk", ("t", "entry")), ("work", ("a/entry",))):
        for what in ("queue_items", "backlog_standard_seconds", "oldest_seconds"):
            assert found[(f"opsfloor_{name}_{what}", labels)] == 0


def test_the_oldest_age_grows_although_the_desk_is_silent() -> None:
    """A desk that has died tells no load any more: what waits there grows old all the same."""
    assert levels(load(), 3_600)[("opsfloor_desk_oldest_seconds", ("t", "entry"))] == 3_600


def test_saturation_is_the_backlog_per_person_at_their_pace() -> None:
    """120 learned seconds for two people, over a quarter of an hour; no figure where nobody is."""
    assert levels(load())[("opsfloor_desk_saturation_ratio", ("t",))] == pytest.approx(120 / 2 / 900)
    assert ("opsfloor_desk_saturation_ratio", ("t",)) not in levels(load(present=()))


def test_whom_the_shift_calendar_expects_is_told_by_team() -> None:
    """Two at work at 09:00 UTC, one at lunch; the team without a calendar is not told, as nobody knows."""
    operator = fact("reference.operator.v1")
    people = (("early", "a"), ("early", "a"), ("lunch", "a"), ("night", "b"), (None, "c"))
    operators = {
        f"op-{n}": operator.model_copy(update={"id": f"op-{n}", "shift_id": shift, "team_id": team})
        for n, (shift, team) in enumerate(people)
    }
    lunch = ShiftBreak(begins="17:00", ends="18:00")  # the floor lives by Shanghai's time
    shifts = {
        "early": Shift(id="early", label="e", begins="09:00", ends="17:30"),
        "lunch": Shift(id="lunch", label="l", begins="09:00", ends="20:00", breaks=(lunch,)),
        "night": Shift(id="night", label="n", begins="22:00", ends="06:00"),
    }
    view = ReferenceView(operators=operators, shifts=shifts)
    read = {labels: value for _, labels, value in routing.shift_levels(view, lambda: AT)()}
    assert read == {("a",): 2, ("b",): 0}


def test_an_order_that_should_be_over_hides_no_other_that_ends_soon() -> None:
    """Two figures, and drills apart: one order gives its work back since 100 s, another ends in five minutes, a drill in one."""
    order = fact("routing.reroute-order.v1")
    drill = order.terms.model_copy(update={"drill": True})
    orders = [
        order.model_copy(update={"reroute_id": "late", "ends_at": AT - timedelta(seconds=100)}),
        order.model_copy(update={"reroute_id": "soon", "ends_at": AT + timedelta(seconds=300)}),
        order.model_copy(update={"reroute_id": "drill", "ends_at": AT + timedelta(seconds=60), "terms": drill}),
    ]
    view = RerouteView(acting={each.reroute_id: each for each in orders})
    read = {(level.name, labels): value for level, labels, value in reroute_levels(view, lambda: AT)()}
    effect = order.terms.effect
    assert read["opsfloor_reroute_left_seconds", (effect, "no")] == 300
    assert read["opsfloor_reroute_left_seconds", (effect, "yes")] == 60
    assert read["opsfloor_reroute_overdue_seconds", (effect, "no")] == 100
    assert ("opsfloor_reroute_overdue_seconds", (effect, "yes")) not in read


def test_a_core_banks_first_answer_after_a_restart_is_a_rise() -> None:
    """The answer may be the first that a process hears of a case: its counter is there before, from the promises on."""
    template = fact("reference.business-type.v1")
    labels = {"business_type": "asked-before", "outcome": "posted", "on_time": "yes"}
    assert REGISTRY.get_sample_value("opsfloor_cases_total", labels) is None
    list(controls.promise_levels(ReferenceView(business_types={"asked-before": template}), lambda: AT)())
    assert REGISTRY.get_sample_value("opsfloor_cases_total", labels) == 0


def test_the_first_predicted_miss_of_a_business_type_is_a_rise() -> None:
    """Its counter begins at 0 with the first item that is placed in time."""
    placed = fact("routing.work-placed.v1", late_seconds=0.0)
    order = placed.order.model_copy(update={"business_type": "in-time"})
    routing.measure([placed.model_copy(update={"order": order})], AT)
    assert REGISTRY.get_sample_value("opsfloor_predicted_misses_total", {"business_type": "in-time"}) == 0


@pytest.mark.parametrize(("code", "named"), [("conflict", 1), ("bad_signature", 1), ("do_locally", 0)])
def test_a_refused_submission_is_named_in_the_log(code: str, named: int) -> None:
    """Whoever is called can tell the branch which one; what a reroute sends back is no trouble to look into."""
    refused = fact("intake.submission-rejected.v1", code=code)
    with capture_logs() as said:
        reception.measure([refused], AT)
    lines = [(line["code"], line["branch"], line["submission"], line["content_sha256"]) for line in said]
    assert lines == named * [(code, refused.branch_id, refused.submission_id, refused.content_sha256)]


@pytest.mark.parametrize("code", ["not_requested", "other_posting", "contradiction"])
def test_a_core_banks_answer_that_does_not_fit_is_named_in_the_log(code: str) -> None:
    """Whoever is woken about money has the case, and both postings: no label may say them."""
    refused = fact("audit.posting-answer-refused.v1", code=code, detail="Expected posting p-1, found p-2")
    with capture_logs() as said:
        controls.measure([refused], AT)
    (line,) = said
    assert (line["case"], line["code"], line["posting"]) == (refused.case_id, code, refused.posting_id)
    assert (line["log_level"], line["reason"]) == ("warning", "Expected posting p-1, found p-2")


@pytest.mark.parametrize("finder", ["arbitration", "review", "inspection"])
def test_the_first_error_of_a_provider_is_a_rise(finder: str) -> None:
    """Counted from 0 on with the first keyed field that is judged, and after a restart from the first look at standing."""
    judged = fact("vendor.keying-judged.v1", subject="provider", what="keyed", found_by="none", provider_id="keys-on")
    supervision.measure([judged], AT)
    reference = ReferenceView(providers={"quiet-yet": fact("reference.provider.v1")})
    list(supervision.standing_levels(StandingView(), reference)())
    for provider in ("keys-on", "quiet-yet"):
        labels = {"provider": provider, "what": "error", "found_by": finder}
        assert REGISTRY.get_sample_value("opsfloor_keyings_judged_total", labels) == 0


def test_a_processor_that_has_read_nothing_says_so() -> None:
    """What was read is there from 0 on: only so can Prometheus see that it does not rise."""
    begin("test/silent")
    assert REGISTRY.get_sample_value("opsfloor_shard_records_total", {"processor": "test/silent"}) == 0


def test_where_it_hurts_is_read_off_the_plan() -> None:
    """What one more person would save, in seconds, by team and work; any of its work where the plan names none."""
    plan: PlanMade = fact("routing.plan-made.v1")
    (named,) = plan.reliefs
    unnamed = named.model_copy(update={"work_type": None, "saves_minutes": 2.0})
    view = PlanView(plan.model_copy(update={"reliefs": (named, unnamed)}))
    read = {(level.name, labels): value for level, labels, value in plan_levels(view, lambda: AT)()}
    assert read["opsfloor_plan_relief_seconds", (named.team_id, str(named.work_type))] == 60 * named.saves_minutes
    assert read["opsfloor_plan_relief_seconds", (named.team_id, "any")] == 120
    assert read["opsfloor_plan_lateness_seconds", ()] == 60 * plan.lateness_minutes


@pytest.mark.parametrize(("late", "told"), [(timedelta(), True), (timedelta(seconds=1), False)])
def test_of_a_plan_that_is_in_force_no_more_its_age_alone_is_told(late: timedelta, told: bool) -> None:
    """A bound that the evening's last plan gave up calls nobody at night; that the plan is old is seen."""
    plan: PlanMade = fact("routing.plan-made.v1")
    (bound,) = plan.relaxed
    instant = plan.good_until + late
    read = {(level.name, labels): value for level, labels, value in plan_levels(PlanView(plan), lambda: instant)()}
    assert read.pop(("opsfloor_plan_age_seconds", ())) == (instant - plan.made_at).total_seconds()
    assert read.get(("opsfloor_plan_bound_relaxed_ratio", (bound.reason, bound.name))) == (bound.by if told else None)
    assert bool(read) is told


def test_a_refused_result_is_counted_by_provider_and_code() -> None:
    """Who gave a result that does not count, and why: no empty labels."""
    refused = fact("audit.result-refused.v1")
    labels = {"provider": refused.doer.provider_id, "code": refused.code}
    before = shown("opsfloor_results_refused_total", **labels)
    controls.measure([refused], AT)
    assert shown("opsfloor_results_refused_total", **labels) == before + 1
    assert shown("opsfloor_results_total", business_type="", step="") == 0


def test_the_core_banks_answer_is_timed() -> None:
    """From the posting requested to the case ended."""
    before = shown("opsfloor_core_answer_seconds_sum"), shown("opsfloor_core_answer_seconds_count")
    posting = fact("audit.posting-requested.v1", case_id="timed", requested_at=AT)
    posted = fact("audit.case-posted.v1", case_id="timed", at=AT + timedelta(seconds=7))
    controls.measure([posting, posted, posted], AT)
    after = shown("opsfloor_core_answer_seconds_sum"), shown("opsfloor_core_answer_seconds_count")
    assert (after[0] - before[0], after[1] - before[1]) == (7, 1)


@pytest.mark.parametrize(
    ("end", "answers"),
    [
        (fact("audit.case-posted.v1"), True),
        (fact("audit.case-closed.v1", code="refused_by_core"), True),
        (fact("audit.case-closed.v1", code="refused_by_authoriser"), False),
    ],
)
def test_when_the_core_bank_was_asked_and_when_it_answered_is_told(end: CaseEnd, answers: bool) -> None:
    """By the machine's clock, also on a floor that plays another day; an authoriser's refusal is no answer."""
    controls.ASKED_AT.set(0)
    controls.ANSWERED_AT.set(0)
    began = time.time()
    controls.measure([fact("audit.posting-requested.v1"), end], AT)
    asked, answered = (shown(f"opsfloor_core_{what}_timestamp_seconds") for what in ("asked", "answered"))
    assert began <= asked <= time.time()
    assert asked <= answered if answers else answered == 0


@pytest.mark.parametrize(("first", "in_first_pass"), [({}, True), ({"amount": "1.00"}, False)])
def test_a_posted_case_says_whether_it_went_through_in_the_first_pass(
    first: dict[str, str], in_first_pass: bool
) -> None:
    """A case that needed a ruling is posted all the same, but not in the first pass; the yield counts the others."""
    run = started().key_all(**first)
    while run.case.open_items:
        order = next(iter(run.case.open_items.values()))
        run.do(order.role, "op-south3" if order.step == "arbitration" else "op-south6")
    run.take(confirmed())
    (posted,) = run.of(CasePosted)
    name = {True: "yes", False: "no"}[in_first_pass]
    before = shown("opsfloor_cases_posted_total", business_type="transfer", first_pass=name)
    controls.measure([posted], AT)
    assert posted.first_pass is in_first_pass
    assert shown("opsfloor_cases_posted_total", business_type="transfer", first_pass=name) - before == 1


@pytest.mark.parametrize("promised", [(5_400, 1_800), (1_500, None), (100_000, 77)])
def test_every_promised_time_is_an_edge_of_the_turnaround(promised: tuple[int, int | None]) -> None:
    """A share of cases within a promise can be read exactly, not interpolated, whatever the bank has published."""
    reference = ReferenceView()
    usual, urgent = promised
    template = TRANSFER.model_copy(
        update={"id": f"promised-{usual}", "sla_seconds": usual, "sla_urgent_seconds": urgent}
    )
    reference.fold(template.key, template)
    ended = fact("audit.case-posted.v1", business_type=template.id, received_at=AT, captured_at=AT)
    for seconds in (usual, usual + 1):
        controls.measuring(reference)([ended.model_copy(update={"at": AT + timedelta(seconds=seconds)})], AT)
    for name in ("opsfloor_case_turnaround_seconds_bucket", "opsfloor_case_with_branch_seconds_bucket"):
        assert shown(name, business_type=template.id, le=f"{usual:.1f}") == 1
        if urgent is not None:
            assert REGISTRY.get_sample_value(name, {"business_type": template.id, "le": f"{urgent:.1f}"}) == 0


def test_a_changed_promise_begins_the_counts_of_its_type_anew() -> None:
    """As a restart does; other types count on."""
    reference = ReferenceView()
    for name, seconds in (("moved", 1_500), ("kept", 1_500), ("moved", 1_600)):
        template = TRANSFER.model_copy(update={"id": name, "sla_seconds": seconds, "sla_urgent_seconds": None})
        reference.fold(template.key, template)
        for each in ("moved", "kept"):
            controls.measuring(reference)([fact("audit.case-posted.v1", business_type=each)], AT)
    counted = {name: shown("opsfloor_case_turnaround_seconds_count", business_type=name) for name in ("moved", "kept")}
    assert counted == {"moved": 1, "kept": 2}


def test_what_is_rare_is_counted_from_0_on() -> None:
    """The first of its kind after a start shows as a rise: it may be the only one for days."""
    reference = ReferenceView()
    for entry in files.load(BANK.parent):
        reference.fold(entry.key, entry)
    reads = (
        proof_levels(RerouteView(), reference, lambda: AT),
        controls.promise_levels(reference, lambda: AT),
    )
    for read in reads:
        list(read())
    for name, labels in (
        ("opsfloor_reroutes_total", {"effect": "drain", "phase": "active"}),
        ("opsfloor_reroute_commands_total", {"code": "too_many_open"}),
        ("opsfloor_reroute_items_moved_total", {"team": "north-entry"}),
        ("opsfloor_results_refused_total", {"provider": "clearkey", "code": "excluded_person"}),
    ):
        assert REGISTRY.get_sample_value(name, labels) is not None, name


def test_every_instrument_is_fed() -> None:
    """What the page lists some process tells: no instrument is made and then forgotten."""
    used = {
        name
        for package in PACKAGES
        for file in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        for name in ([node.id] if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) else _attribute(node))
    }
    forgotten = [
        each.name
        for each in instruments()
        if not used & {name for name, value in vars(importlib.import_module(each.home)).items() if value is each.source}
    ]
    assert forgotten == []


def _attribute(node: ast.AST) -> list[str]:
    return [node.attr] if isinstance(node, ast.Attribute) else []


def _limits() -> Iterator[tuple[str, float]]:
    """What is promised, warned of or called for by a histogram: its name, and the limit in seconds."""
    for board in BOARDS:
        for panel in board.panels:
            for name in re.findall(r"(opsfloor_\w+)_bucket", " ".join(query.expr for query in panel.queries)):
                yield from ((name, limit) for limit in (panel.warns_at, panel.bad_at) if limit is not None)
    for alert in ALERTS:
        for name in re.findall(r"(opsfloor_\w+)_bucket", alert.expr):
            yield name, float(alert.expr.rsplit(">", 1)[1])
    yield "opsfloor_assignment_latency_seconds", FIRST_ASSIGNMENT_MS_MAX / 1_000
    yield "opsfloor_plan_solve_seconds", PLAN_MS_MAX / 1_000
    yield "opsfloor_shard_decision_seconds", DECISION_US_MAX / 1_000_000


@pytest.mark.parametrize(("name", "limit"), sorted(set(_limits())))
def test_every_limit_is_an_edge_of_its_histogram(name: str, limit: float) -> None:
    """Whether a limit holds is counted, not guessed between two edges."""
    (edges,) = (each.edges for each in instruments() if each.name == name)
    assert limit in edges


LONGEST_PROMISE = max(
    template.sla_seconds for template in files.load(BANK.parent) if isinstance(template, BusinessType)
)
BEYOND = {
    **dict.fromkeys(
        (
            "opsfloor_assignment_latency_seconds",
            "opsfloor_case_turnaround_seconds",
            "opsfloor_case_with_branch_seconds",
            "opsfloor_intake_capture_seconds",
        ),
        10 * LONGEST_PROMISE,  # in an overload work of the longest promise waits for days
    ),
    "opsfloor_core_answer_seconds": LONGEST_PROMISE,
    "opsfloor_shard_hop_seconds": LONGEST_PROMISE,
    "opsfloor_item_handle_seconds": 3_600,  # of an item that somebody left in hand over a meal
    "opsfloor_shard_batch_seconds": 30,  # on the way to BatchWithoutEnd
    "opsfloor_shard_commit_seconds": 30,
    "opsfloor_shard_decision_seconds": 0.1,
    "opsfloor_plan_solve_seconds": 10 * PLAN_SECONDS,
}


@pytest.mark.parametrize(("name", "seconds"), sorted(BEYOND.items()))
def test_a_histogram_tells_how_bad_it_is_when_it_is_bad(name: str, seconds: float) -> None:
    """A quantile is never more than the last edge: a wait of a day must not read as an hour."""
    (edges,) = (each.edges for each in instruments() if each.name == name)
    assert max(edges) > seconds


def test_the_time_that_the_branch_had_a_case_is_in_one_figure_and_not_in_the_other() -> None:
    """Scanned at nine, received two minutes later, posted ten minutes later: ten minutes and twelve."""
    run = started(captured_at=AT, received_at=AT + timedelta(minutes=2))
    assert run.case.started.captured_at == AT
    times = {"captured_at": AT, "received_at": AT + timedelta(minutes=2), "at": AT + timedelta(minutes=12)}
    names = ("opsfloor_case_turnaround_seconds_sum", "opsfloor_case_with_branch_seconds_sum")
    before = [shown(name, business_type="scanned") for name in names]
    controls.measure([fact("audit.case-posted.v1", business_type="scanned", **times)], AT)
    controls.measure([fact("audit.case-posted.v1", business_type="scanned", **{**times, "captured_at": None})], AT)
    after = [shown(name, business_type="scanned") for name in names]
    assert [late - early for late, early in zip(after, before, strict=True)] == [2 * 600, 720]


async def test_the_runtime_counts_cache_hits_gaps_hops_and_late_timers() -> None:
    """One state read once; a lost record counted before the reader stops; how old a record was when committed."""
    bench = Bench()
    names = {"processor": "test/counting"}
    memory, store = (shown("opsfloor_shard_states_total", **names, found=where) for where in ("memory", "store"))
    gaps = shown("opsfloor_shard_gaps_total", **names)
    hop_before = shown("opsfloor_shard_hop_seconds_sum", **names, topic=IN.name)
    runner = await bench.runner()
    bench.send("a")
    bench.clock.move(5)
    await turn(runner)
    bench.send("sleep")
    await turn(runner)
    assert shown("opsfloor_shard_states_total", **names, found="store") - store == 1
    assert shown("opsfloor_shard_states_total", **names, found="memory") - memory == 1
    assert shown("opsfloor_shard_hop_seconds_sum", **names, topic=IN.name) - hop_before == 10
    late = shown("opsfloor_shard_timers_late_seconds_sum", **names)
    bench.clock.move(90)
    await turn(runner)
    assert shown("opsfloor_shard_timers_late_seconds_sum", **names) - late == 30
    bench.send("b", sequence=1)
    bench.send("c", sequence=3)
    with pytest.raises(Exception, match="a record was lost"):
        await turn(runner)
    assert shown("opsfloor_shard_gaps_total", **names) - gaps == 1


def test_a_time_that_cannot_be_read_is_no_figure_and_no_fault() -> None:
    """Hops are measured on what tells its time; the rest is passed over."""
    assert hop_of((("ce_time", b"yesterday"),)) is None
    assert hop_of((("ce_time", b"2026-03-02T09:00:00"),)) is None
    assert hop_of((("ce_time", b"\xff"),)) is None
    records = [
        Record("t", 0, n, b"k", b"v", (("ce_time", f"2026-03-02T09:00:0{n}+00:00".encode()),), 9 - n) for n in (1, 2)
    ]
    assert oldest_by_topic(records) == {"t": Hop(datetime(2026, 3, 2, 9, 0, 2, tzinfo=UTC), "")}


def test_a_process_tells_its_boards_and_its_pool() -> None:
    """When a board last changed, by the record's own stamp, and how many connections are busy."""

    class Pool:
        def get_size(self) -> int:
            return 7

        def get_idle_size(self) -> int:
            return 5

        def get_max_size(self) -> int:
            return 10

    boards = Boards((STANDING_BOARD,))
    boards.feed(Record("vendor.standing.v1", 0, 0, b"operator:x", None, (), 1_500))
    boards.feed(Record("vendor.standing.v1", 0, 1, b"operator:y", b"rubbish", (), 2_500))
    told = (*house_levels("routing", boards, "routing-0")(), *pool_levels(Pool())())
    read = {(level.name, labels): value for level, labels, value in told}
    assert [labels[::2] for name, labels in read if name == "opsfloor_service_info"] == [("routing", "routing-0")]
    assert read[("opsfloor_board_changed_timestamp_seconds", ("standing",))] == 1.5
    assert read[("opsfloor_board_refused_records", ())] == 1
    boards.feed(Record("vendor.standing.v1", 0, 2, b"operator:y", None, (), 2_600))
    assert boards.refused == 0, "what can be read stands over it"
    assert read[("opsfloor_database_connections", ("busy",))] == 2
    assert read[("opsfloor_database_connections_max", ())] == 10
