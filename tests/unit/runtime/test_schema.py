"""Which steps of a schema are taken when, and what the steps of this repository may do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from shared.runtime.errors import InvariantError
from shared.runtime.schema import Step, mark, migrations, newer, todo

ADDS = re.compile(
    r"^(CREATE (TABLE|INDEX|FUNCTION|OR REPLACE FUNCTION|TRIGGER|SEQUENCE|VIEW)\b"
    r"|ALTER TABLE \w+ ADD COLUMN (?!.*NOT NULL(?!.*DEFAULT))|COMMENT ON |INSERT INTO |UPDATE )",
    re.IGNORECASE | re.DOTALL,
)
FIRST = Step("0001_pre_runtime.sql", "pre", "")
ADDED = Step("0002_pre_new_column.sql", "pre", "")
REMOVED = Step("0003_post_old_column.sql", "post", "")
NEXT = Step("0004_pre_next.sql", "pre", "")
APART = Step("0002_stop_other_form.sql", "stop", "")


def done(*steps: Step) -> frozenset[str]:
    """The names of steps that a schema has taken."""
    return frozenset(step.name for step in steps)


def test_before_a_roll_out_only_what_adds() -> None:
    """The old release works on while the new one comes: what removes waits until it is gone."""
    known = (FIRST, ADDED, REMOVED)
    assert todo(done(FIRST), known, "pre") == [ADDED]
    assert todo(done(FIRST, ADDED), known, "pre") == []
    assert todo(done(FIRST, ADDED), known, "post") == [REMOVED]
    assert todo(done(FIRST), known, "post") == [ADDED, REMOVED]


def test_what_two_releases_cannot_share() -> None:
    """A stop step comes with those before the roll-out, and the release that does not know it is refused for good."""
    assert todo(done(FIRST), (FIRST, APART, REMOVED), "pre") == [APART]
    with pytest.raises(InvariantError, match=r"not newer.*0002_stop"):
        todo(done(FIRST, APART), (FIRST,), "pre")


def test_a_new_schema_takes_everything() -> None:
    """Nobody works on a schema that is not made yet."""
    assert todo(frozenset(), (FIRST, ADDED, REMOVED), "pre") == [FIRST, ADDED, REMOVED]


@pytest.mark.parametrize("when", ["pre", "post"])
def test_code_older_than_the_schema_is_refused(when: str) -> None:
    """What this code reads may be gone once a later post step is taken; a later pre step harms nobody."""
    known = (FIRST,)
    assert todo(done(FIRST, ADDED), known, "pre" if when == "pre" else "post") == []
    with pytest.raises(InvariantError, match=r"not newer.*0003_post"):
        todo(done(FIRST, ADDED, REMOVED), known, "pre" if when == "pre" else "post")


def test_a_release_passed_over() -> None:
    """A later release's additions rest on the removals of the one before: they are not taken beside old processes."""
    known = (FIRST, ADDED, REMOVED, NEXT)
    with pytest.raises(InvariantError, match=r"0003_post_old_column.sql to be taken before 0004_pre_next.sql"):
        todo(done(FIRST, ADDED), known, "pre")
    assert todo(done(FIRST, ADDED), known, "post") == [REMOVED, NEXT]


def test_what_is_newer_is_told_apart() -> None:
    """What a later release adds is another matter than what it removes."""
    assert newer(done(FIRST, ADDED, REMOVED), (FIRST,)) == ([ADDED.name], [REMOVED.name])


def test_a_process_says_which_release_it_is() -> None:
    """By its service and the last step that it knows, so that a post step can wait for it to be gone."""
    assert mark("audit", (FIRST, ADDED)) == "opsfloor/audit/0002"


def test_a_step_without_an_order_is_refused(tmp_path: Path) -> None:
    """A file whose name says neither number nor side of the roll-out is not passed over in silence."""
    (tmp_path / "later.sql").write_text("")
    with pytest.raises(InvariantError, match=r"NNNN_pre_what.sql.*later.sql"):
        migrations(tmp_path)


def statements_of(text: str) -> list[str]:
    """A step's statements, without comments."""
    bare = re.sub(r"--.*", "", text)
    return [" ".join(each.split()) for each in bare.split(";") if each.strip()]


@pytest.mark.parametrize("step", [step for step in migrations() if step.when == "pre"], ids=lambda step: step.name)
def test_a_pre_step_only_adds(step: Step) -> None:
    """An old process meets nothing that it knew changed or gone."""
    assert [each for each in statements_of(step.text) if not ADDS.match(each)] == []


@pytest.mark.parametrize(
    ("statement", "adds"),
    [
        ("CREATE TABLE a (b int)", True),
        ("ALTER TABLE a ADD COLUMN b int", True),
        ("ALTER TABLE a ADD COLUMN b int NOT NULL DEFAULT 0", True),
        ("ALTER TABLE a ADD COLUMN b int NOT NULL", False),
        ("ALTER TABLE a DROP COLUMN b", False),
        ("ALTER TABLE a RENAME COLUMN b TO c", False),
        ("DROP TABLE a", False),
    ],
)
def test_the_rule_for_pre_steps(statement: str, adds: bool) -> None:
    """The rule above tells what adds from what an old process would trip over."""
    assert bool(ADDS.match(statement)) is adds


def test_numbers_are_taken_once() -> None:
    """Two steps of one number would have no order."""
    numbers = [step.number for step in migrations()]
    assert numbers == sorted(set(numbers))
