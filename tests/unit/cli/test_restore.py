"""Whom `opsfloor restore` sends people to."""

from __future__ import annotations

import json
from pathlib import Path

from opsfloor.restore import ASK, ASK_ELSE, asked_of, keep_asked
from shared.contracts.registry import TOPICS
from shared.runtime.recovery import Lack


def test_whoever_is_asked_stands_behind_a_topic_of_the_floor() -> None:
    """No line of the list is for a topic that nobody has."""
    assert set(ASK) <= set(TOPICS)


def test_a_lost_posting_is_asked_of_the_core_bank() -> None:
    """And what nobody outside knows goes to the developers."""
    assert "core bank" in asked_of(Lack("audit/controls", 3, "audit.posting.v1", "case-1", "gone"))
    assert asked_of(Lack("routing/desk", 3, "routing.load.v1", "team-1", "gone")) == ASK_ELSE


def test_what_is_to_be_asked_is_kept_by_every_run_that_writes(tmp_path: Path) -> None:
    """The next run folds nothing and finds nothing to ask: broken off before it told them, the questions would be lost."""
    file = tmp_path / "home" / "asked.jsonl"
    keep_asked(file, [])
    assert not file.exists()
    keep_asked(file, [{"topic": "a", "ask": "who"}, {"topic": "b", "ask": "whom"}])
    keep_asked(file, [{"topic": "c", "ask": "them"}])
    assert [json.loads(line)["topic"] for line in file.read_text().splitlines()] == ["a", "b", "c"]
