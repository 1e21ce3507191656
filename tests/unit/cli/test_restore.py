"""Whom `opsfloor restore` sends people to."""

from __future__ import annotations

from opsfloor.restore import ASK, ASK_ELSE, asked_of
from shared.contracts.registry import TOPICS
from shared.runtime.recovery import Lack


def test_whoever_is_asked_stands_behind_a_topic_of_the_floor() -> None:
    """No line of the list is for a topic that nobody has."""
    assert set(ASK) <= set(TOPICS)


def test_a_lost_posting_is_asked_of_the_core_bank() -> None:
    """And what nobody outside knows goes to the developers."""
    assert "core bank" in asked_of(Lack("audit/controls", 3, "audit.posting.v1", "case-1", "gone"))
    assert asked_of(Lack("routing/desk", 3, "routing.load.v1", "team-1", "gone")) == ASK_ELSE
