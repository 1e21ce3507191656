"""What a compressed bundle may expand to: as much as one that the floor writes, and not a byte more."""

from __future__ import annotations

import lz4.block
import ormsgpack
import pytest

from shared.runtime.bundles import BYTES_MAX, COMPRESSED, EXPANDED_BYTES_MAX, facts_of
from shared.runtime.headers import own_part
from shared.runtime.log import Outgoing, Record
from tests.support.bundling import bundled
from tests.unit.runtime.test_bundles import come, fact


def bundle_of(expanded_bytes: int) -> Record:
    """A bundle of two facts, whole and rightly packed, that expands to so many bytes: nearly all of them are zeros."""

    def packed(padding: int) -> bytes:
        bodies = (b"{}", bytes(padding))
        return ormsgpack.packb(
            [(row.key, body, own_part(row.headers)) for row, body in zip((fact(1), fact(2)), bodies, strict=True)]
        )

    padding = BYTES_MAX + expanded_bytes - len(packed(BYTES_MAX))
    whole = packed(padding)
    assert len(whole) == expanded_bytes
    (alike,) = bundled([fact(1), fact(2)])
    assert COMPRESSED in alike.headers
    (record,) = come([Outgoing(alike.key, lz4.block.compress(whole), alike.headers, alike.timestamp_ms)])
    return record


def test_a_bundle_expands_up_to_the_bound() -> None:
    """Exactly so many bytes are unpacked: two facts, as if each had come alone."""
    first, second = facts_of(bundle_of(EXPANDED_BYTES_MAX))
    assert first.value == b"{}"
    assert len(second.value or b"") > BYTES_MAX


@pytest.mark.parametrize("beyond", [1, EXPANDED_BYTES_MAX, 63 * EXPANDED_BYTES_MAX])
def test_a_bundle_that_would_expand_beyond_the_bound_comes_as_it_is(beyond: int) -> None:
    """A few kilobytes on the bus must not take a reader's memory: its facts are not unpacked, it is there to be parked."""
    record = bundle_of(EXPANDED_BYTES_MAX + beyond)
    assert len(record.value or b"") < (EXPANDED_BYTES_MAX + beyond) / 200
    assert facts_of(record) == (record,)


def test_a_bundle_that_says_less_than_it_holds_comes_as_it_is() -> None:
    """The size that stands before it is what is made room for: whoever writes it too small gains nothing."""
    record = bundle_of(EXPANDED_BYTES_MAX + 1)
    small = EXPANDED_BYTES_MAX.to_bytes(4, "little") + (record.value or b"")[4:]
    lying = record._replace(value=small)
    assert facts_of(lying) == (lying,)


def test_the_largest_bundle_that_the_floor_writes_is_within_the_bound() -> None:
    """Bodies up to the limit of a bundle, with as many keys and headers as fit beside them, come back."""
    rows = [fact(number, body=bytes(BYTES_MAX // 100)) for number in range(1, 101)]
    (record,) = come(bundled(rows))
    assert [one.value for one in facts_of(record)] == [row.value for row in rows]


def test_ids_that_outsiders_chose_long_stay_within_the_bound_too() -> None:
    """A hundred facts, each of a command whose sender gave it an id of eight kilobytes: as many bundles as it takes."""
    rows = []
    for row in (fact(number) for number in range(1, 101)):
        headers = tuple((name, value * 2_000 if name == "causationid" else value) for name, value in row.headers)
        rows.append(row._replace(headers=headers))
    records = come(bundled(rows))
    assert 1 < len(records) < 100
    facts = [one for record in records for one in facts_of(record)]
    assert [dict(one.headers)["causationid"] for one in facts] == [dict(row.headers)["causationid"] for row in rows]
