"""What a panel names when there is more than it has room for."""

from __future__ import annotations

import pytest

from deploy.grafana.boards import FLOOR, LEVELS
from deploy.grafana.questions import Query, Question, one
from opsfloor.console.asking import Series
from opsfloor.console.choosing import ROOM, left_out, named, worst_first
from opsfloor.console.screen import nothing

ON_TIME = next(panel for panel in FLOOR.panels if panel.title.startswith("How far is the share on time"))
FULL = next(panel for panel in FLOOR.panels if panel.title.startswith("How full"))
DURATION = next(panel for panel in LEVELS.panels if panel.title == "How long does a case take?")
PLAIN = Question("How much?", (Query("x"), Query("y")), "s")


def level(name: str, value: float, before: float | None = None, query: int = 0, over: bool = False) -> Series:
    """A series that stood at `before`, and is at `value` now."""
    points = ((0.0, value),) if before is None else ((0.0, before), (15.0, value))
    return Series(name, points, query, over)


def shown(series: list[Series], question: Question) -> list[str]:
    """The names in the order in which they are read."""
    return [one.name for one in worst_first(named(series, question), question)]


@pytest.mark.parametrize("above", [-0.6, -0.99])
def test_of_forty_types_the_late_one_stands_first(above: float) -> None:
    """The thirty-first by name ends late, all of it even: it is named, before those that are well."""
    series = [level(f"type-{number:02}", above if number == 30 else 0.005) for number in range(40)]
    assert shown(series, ON_TIME) == ["type-30", *(f"type-{number:02}" for number in range(ROOM - 1))]
    assert left_out(series, named(series, ON_TIME), ON_TIME) == "and 34 more: all good"


def test_of_forty_teams_the_full_one_stands_first() -> None:
    """Where more is worse, the most stands first; a watched one after it, the worst of those that are well below."""
    loads = {f"team-{number:02}": 0.1 for number in range(40)} | {"team-39": 5.0, "team-20": 0.9, "team-38": 0.5}
    series = [level(name, load) for name, load in loads.items()]
    assert shown(series, FULL)[:2] == ["team-39", "team-20"]
    assert "team-38" in shown(series, FULL)


def test_what_is_left_out_is_told_by_how_it_stands() -> None:
    """More bad ones than there is room for: nobody reads that the rest is well."""
    series = [level(f"b{number}", 2.0) for number in range(8)] + [level("w", 0.9), level("g", 0.1), level("h", 0.2)]
    assert left_out(series, named(series, FULL), FULL) == "and 5 more: 2 bad, 1 watch, 2 good"


def test_a_line_that_was_bad_in_the_hour_goes_before_one_that_never_was() -> None:
    """Of lines that are well now."""
    question = Question("q", one("x"), "s", warns_at=10, bad_at=60)
    series = [level(f"p{number}", 5.0, before=5.0) for number in range(8)] + [level("was", 1.0, before=90.0)]
    assert "was" in shown(series, question)


def test_without_limits_every_query_has_its_share_and_the_most_goes_first() -> None:
    """Three types, four figures each, in a wide panel: what is promised and what is from the scan are there."""
    figures = ("half", "90 %", "90 % from the scan", "promised")
    series = [
        level(f"{kind}, {figure}", 60.0, query=query)
        for query, figure in enumerate(figures)
        for kind in ("account", "cheque", "transfer")
    ]
    assert len(shown(series, DURATION)) == 12
    many = [level(f"{number:02}", float(number), query=query) for query in (0, 1) for number in range(20)]
    assert shown(many, PLAIN) == ["17", "18", "19"] * 2
    assert left_out(many, named(many, PLAIN), PLAIN) == "and 34 more: at most 16 s now"


def test_what_is_0_all_along_gives_way_where_nothing_is_promised() -> None:
    """A panel of counts has room for what happens."""
    series = [level(f"a{number}", 0.0) for number in range(9)] + [level("z", 3.0)]
    assert "z" in shown(series, PLAIN)
    assert left_out(series, named(series, PLAIN), PLAIN) == "and 4 more: 0 all along"


def test_a_line_that_has_ended_gives_way_and_is_not_judged() -> None:
    """A dead process's last figure is nobody's now."""
    question = Question("q", one("x"), "s", warns_at=10, bad_at=60)
    series = [level("dead", 90.0, over=True)] + [level(f"p{number}", 1.0) for number in range(ROOM)]
    assert "dead" not in shown(series, question)
    assert left_out(series, named(series, question), question) == "and 1 more: 1 told no more"
    assert shown(series[:3], question) == ["p0", "p1", "dead"]


def test_no_calm_reason_while_a_service_does_not_answer() -> None:
    """«Nothing waits» of a routing that is dead would be believed."""
    question = Question("q", one("x"), "s", empty_because="nothing waits")
    assert nothing(question) == "nothing waits"
    assert nothing(question, ("routing",)) == "no data, and no answer from routing"
