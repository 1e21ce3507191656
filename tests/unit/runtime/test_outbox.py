"""The outbox's rows: what one batch puts on one lane lies in one row and comes back as it was."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.runtime.log import Outgoing
from shared.runtime.outbox import pack, rows_of, runs_of, unpack
from shared.runtime.store import OutboxRow

HEADERS = st.lists(st.tuples(st.text(max_size=9), st.binary(max_size=9)), max_size=4).map(tuple)
RECORDS = st.builds(
    Outgoing, st.binary(max_size=40), st.none() | st.binary(max_size=40), HEADERS, st.integers(0, 2**53)
)
LANES = st.tuples(st.integers(0, 2), st.sampled_from(["a", "b"]), st.integers(0, 2))


@given(st.lists(RECORDS, max_size=5))
def test_any_record_comes_back(records: list[Outgoing]) -> None:
    """Any bytes in key, value and headers, no value at all, header names that come twice or in any script."""
    assert list(unpack(pack(records))) == records


@given(st.lists(st.tuples(LANES, RECORDS), max_size=20), st.integers(0, 10**12))
def test_a_row_for_each_lane(facts: list[tuple[tuple[int, str, int], Outgoing]], before: int) -> None:
    """However the lanes of a batch are mixed: a row each, from its first to its last sequence, in order."""
    last: dict[tuple[int, str, int], int] = {}
    rows: list[OutboxRow] = []
    for lane, record in facts:
        last[lane] = last.get(lane, before) + 1
        rows.append(OutboxRow(lane, last[lane], record))
    runs = runs_of(rows)
    assert len(runs) == len({row.lane for row in rows})
    for run in runs:
        mine = [row for row in rows if row.lane == run[:3]]
        assert (run[3], run[4]) == (mine[0].sequence, mine[-1].sequence)
        assert list(rows_of(run)) == mine
