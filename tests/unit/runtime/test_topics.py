"""How many partitions a floor has, and what is said of topics that have another number."""

from __future__ import annotations

from shared.runtime.topics import PARTITIONS_DEFAULT, partitions_of, replicas_for, unequal

NAMES = ("a", "b", "c", "d")


def test_a_new_floor_has_the_default() -> None:
    """A topic that a broker made by itself does not choose for all."""
    assert partitions_of({}, NAMES) == PARTITIONS_DEFAULT
    assert partitions_of({"a": 1, "b": 1}, NAMES) == PARTITIONS_DEFAULT


def test_a_floor_keeps_what_most_of_its_topics_have() -> None:
    """Neither a topic that was grown by hand nor one of a later release moves the number; other topics do not count."""
    assert partitions_of({"a": 4, "b": 4, "c": 12}, NAMES) == 4
    assert partitions_of(dict.fromkeys((*NAMES, "else"), 96), NAMES) == 96


def test_the_same_other_number_is_told_once() -> None:
    """Of fifty topics with four partitions nobody reads fifty lines; of one odd topic its name."""
    assert unequal(dict.fromkeys(NAMES, 4), 4) == []
    assert unequal(dict.fromkeys(NAMES, 4), 8) == ["all 4 topics: partitions 4, expected 8"]
    assert unequal({"a": 4, "b": 4, "c": 12}, 4) == ["c: partitions 12, expected 4"]


def test_new_topics_have_as_many_replicas_as_there_are_brokers_three_at_most() -> None:
    """With three of them one broker may go, for ever: two must have a record before it counts as written."""
    assert [replicas_for(brokers)[0] for brokers in (1, 2, 3, 5)] == [1, 2, 3, 3]
    assert replicas_for(3)[1] == {"min.insync.replicas": "2"}
    assert replicas_for(1)[1] == replicas_for(2)[1] == {}
