"""The collector's settings for a process of the floor."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from shared.runtime.collector import YOUNG_OBJECTS, spare_collector, without_collector


class _Cycle:
    """An object that holds itself, as an exception's traceback may."""

    def __init__(self) -> None:
        self.me = self


@pytest.fixture
def spared() -> Iterator[None]:
    """The collector as the host sets it, and afterwards as it was."""
    before = gc.get_threshold()
    spare_collector()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


@pytest.mark.usefixtures("spared")
def test_a_cycle_is_still_collected_in_time() -> None:
    """A spared collector looks seldom but looks: a cycle is gone once enough new objects were made."""
    gone = weakref.ref(_Cycle())
    kept = [[number] for number in range(2 * YOUNG_OBJECTS)]
    assert gone() is None
    assert kept


@pytest.mark.usefixtures("spared")
def test_what_start_up_made_is_left_alone() -> None:
    """Objects that were there when the process became ready are not looked at again."""
    assert gc.get_freeze_count() > 0


def test_the_collector_is_away_only_as_long_as_it_was_asked_to_be() -> None:
    """It is back also after a failure, and stays away where it was away before."""
    with pytest.raises(RuntimeError), without_collector():
        raise RuntimeError("Expected to be raised")
    assert gc.isenabled()
    with without_collector():
        with without_collector():
            pass
        assert not gc.isenabled()
