"""The demo's day played again in virtual time."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from deploy.demo.day import DAY, REFERENCE
from deploy.demo.same_day import AtWork, day_again, play_again
from shared.contracts.audit import CaseStarted
from shared.contracts.message import Money
from shared.contracts.reference import BusinessType, Operator, ReferenceEntry
from shared.reference import load

OPENS = DAY + timedelta(hours=8.5)


def reference() -> tuple[ReferenceEntry, ...]:
    return load(Path(REFERENCE))


def started(count: int) -> list[CaseStarted]:
    """Transfers, one each half minute, every third above the tier that needs two authorisers."""
    template = next(one for one in reference() if isinstance(one, BusinessType) and one.id == "corporate-transfer")
    return [
        CaseStarted(
            case_id=f"case-{n:03}",
            at=OPENS,
            submission_id=f"s-{n}",
            branch_id="branch-01",
            business_type=template.id,
            template_version=1,
            received_at=OPENS + timedelta(seconds=30 * n),
            due_at=OPENS + timedelta(seconds=30 * n + template.sla_seconds),
            template=template,
            declared_amount=Money(amount_minor=10**10 if n % 3 == 0 else 100, currency="CNY"),
        )
        for n in range(count)
    ]


def people() -> list[AtWork]:
    return [AtWork(one.id, 1.0, OPENS + timedelta(hours=3)) for one in reference() if isinstance(one, Operator)]


def test_the_day_again_has_the_same_cases_and_people() -> None:
    """What was keyed, reviewed and authorised is asked for again, when it came, due when it was due."""
    cases = started(30)
    day = day_again(cases, reference(), people(), OPENS, seed=1)
    assert [(case.case_id, case.arrives) for case in day.cases] == [(f"case-{n:03}", 30.0 * n) for n in range(30)]
    assert set(day.people) == {one.operator_id for one in people()}
    template = cases[0].template
    assert template is not None
    keyed = sum(field.keyings for field in template.fields)
    small, large = day.cases[1], day.cases[0]
    assert len(small.stages[0]) == keyed
    assert [task.step for stage in large.stages[1:] for task in stage].count("authorisation") == template.tiers[
        -1
    ].authorisers
    assert all(case.due - case.arrives == template.sla_seconds for case in day.cases)


@pytest.mark.long
def test_it_is_played_under_both_ways_of_dealing_and_the_same_each_time() -> None:
    """Shares between none and all, no worse by the floor's own code, the same again from the same seed."""
    told: list[float] = []
    found = play_again(started(80), reference(), people(), OPENS, 1, told.append)
    assert told == sorted(told)
    assert (len(told) > 4, told[-1]) == (True, 1.0), "whoever waits sees that it goes on"
    assert 0.0 <= found.round_robin <= found.ours <= 1.0
    assert found == play_again(started(80), reference(), people(), OPENS, seed=1)
