"""How long a day this machine can play: asked before it begins, with the kind of work that a day consists of."""

from __future__ import annotations

import os
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.intake.submit import build_submission
from shared.contracts.branch import SubmissionSent

DAY_SECONDS: Final = 200.0  # real length of a day of 1,500 submissions on a machine that can keep up with it
SECONDS_MAX: Final = 600.0  # nobody watches for longer; then some work is late
SUBMISSIONS: Final = 1_500  # of that day
LOOK_SECONDS: Final = 1.0
TURNS_PER_SECOND: Final = 32_000.0  # of `_turns` on all cores together, with which most of that day's cases are on time
CORES_MAX: Final = 4  # the day's processes keep no more of them busy


def turns_per_second(seconds: float = LOOK_SECONDS) -> float:
    """How often a submission can be signed, written and read again in a second, on as many cores as a day would use.

    Holds:   elapsed time counts, so what others do on the machine does as well.
    """
    cores = min(CORES_MAX, os.cpu_count() or 1)
    with ProcessPoolExecutor(cores) as pool:
        list(pool.map(_turns, [0.01] * cores))  # they are there, and have read their modules
        return sum(pool.map(_turns, [seconds] * cores)) / seconds


def day_seconds(submissions: int, found: float) -> float:
    """The real length of a day of so many submissions, on a machine that was found to make so many turns a second."""
    larger = max(1.0, submissions / SUBMISSIONS)
    return round(min(DAY_SECONDS * max(1.0, TURNS_PER_SECOND / max(found, 1.0)), SECONDS_MAX) * larger)


def _turns(seconds: float) -> int:
    key, at = Ed25519PrivateKey.from_private_bytes(bytes(32)), datetime(2026, 1, 1, tzinfo=UTC)
    end, turns = time.perf_counter() + seconds, 0
    while time.perf_counter() < end:
        sent = build_submission(
            submission_id=f"s-{turns}",
            branch_id="branch-01",
            business_type="cheque",
            images=(),
            key=key,
            captured_at=at,
        )
        SubmissionSent.model_validate_json(sent.model_dump_json())
        turns += 1
    return turns
