"""A failure has one remedy: its own, that of a missing right, or that of where it happened; and nobody reads for ever."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from aiokafka.errors import GroupAuthorizationFailedError, KafkaError

from opsfloor.answers import remedied
from shared.runtime.errors import ContractError, InvariantError, TransientError
from shared.runtime.kafka_access import RIGHTS_REMEDY


@pytest.mark.parametrize(
    ("error", "what", "remedy"),
    [
        (InvariantError("A record was lost. Remedy: «A gap»."), "A record was lost.", "«A gap»."),
        (ContractError("Topics differ:\n  - one\nRemedy: set it"), "Topics differ:\n  - one", "set it"),
        (TransientError(f"Found {KafkaError()!r}"), f"Found {KafkaError()!r}", "look there"),
    ],
)
def test_a_failure_is_told_with_one_remedy(error: Exception, what: str, remedy: str) -> None:
    told = remedied(error, "look there", "code")
    assert (told.what, told.remedy, told.code) == (what, remedy, "code")


def test_a_right_that_is_missing_is_no_broker_that_is_away() -> None:
    """Whoever looks whether the broker is up finds it up."""
    failure = GroupAuthorizationFailedError("opsfloor.audit")
    for error in (failure, TransientError(f"Expected the group to take us, found {failure!r}")):
        assert remedied(error, "start the broker").remedy == RIGHTS_REMEDY


def test_a_document_that_nobody_reads_ends_the_command_without_a_word() -> None:
    """As with `--json | head`: no trace of calls, and a status that says that not all was told."""
    reads, writes = os.pipe()
    os.close(reads)
    command = [sys.executable, "-c", "from opsfloor.answers import as_json; as_json(['told'])"]
    try:
        done = subprocess.run(command, stdout=writes, stderr=subprocess.PIPE, text=True, check=False)
    finally:
        os.close(writes)
    assert (done.returncode, done.stderr) == (1, "")
