"""A service checks tokens: the public key is enough for that."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.http.keys import (
    PRIVATE_NAME,
    PUBLIC_NAME,
    KeyPairError,
    ensure_key_pair,
    ensure_public_key,
    found_keys,
)


def test_a_public_key_that_was_put_there_is_enough(tmp_path: Path) -> None:
    """In a cluster a service is given the public key alone, on a file system that it cannot write."""
    ensure_key_pair(tmp_path)
    (tmp_path / PRIVATE_NAME).unlink()
    ensure_public_key(tmp_path)
    assert not (tmp_path / PRIVATE_NAME).exists()


def test_a_newcomers_machine_gets_a_pair(tmp_path: Path) -> None:
    """Where there is nothing, both keys are made."""
    ensure_public_key(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {PRIVATE_NAME, PUBLIC_NAME}


def test_a_public_key_that_is_none_is_refused(tmp_path: Path) -> None:
    """Before the service is open, not at the first request."""
    (tmp_path / PUBLIC_NAME).write_text("no key")
    with pytest.raises(KeyPairError, match="Expected a public key"):
        ensure_public_key(tmp_path)


def test_a_look_at_the_keys_writes_nothing(tmp_path: Path) -> None:
    """What is there is named, whatever is missing stays missing, and a private key that others may read is told."""
    folder = tmp_path / "keys"
    assert found_keys(folder) == frozenset()
    assert not folder.exists()
    ensure_key_pair(folder)
    assert found_keys(folder) == {PRIVATE_NAME, PUBLIC_NAME}
    (folder / PUBLIC_NAME).unlink()
    assert found_keys(folder) == {PRIVATE_NAME}
    (folder / PRIVATE_NAME).chmod(0o644)
    with pytest.raises(KeyPairError, match="by its owner alone"):
        found_keys(folder)


def test_keys_of_two_pairs_are_told(tmp_path: Path) -> None:
    """Tokens signed with the one would be refused by the other."""
    ensure_key_pair(tmp_path / "a")
    ensure_key_pair(tmp_path / "b")
    (tmp_path / "b" / PUBLIC_NAME).replace(tmp_path / "a" / PUBLIC_NAME)
    with pytest.raises(KeyPairError, match="to belong to"):
        found_keys(tmp_path / "a")
