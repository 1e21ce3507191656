"""HiGHS without a word on standard output: what a command prints there is somebody's JSON."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import highspy


def new_solver() -> highspy.Highs:
    """A solver that prints nothing.

    Source:  HiGHS writes its banner from its constructor, past `sys.stdout` and before any option can be set.
    """
    with _standard_output_shut():
        solver = highspy.Highs()  # type: ignore[no-untyped-call]  # its constructor is not annotated
    solver.silent()
    return solver


@contextmanager
def _standard_output_shut() -> Iterator[None]:
    sys.stdout.flush()
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)
