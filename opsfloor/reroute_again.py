"""A command that nobody has answered keeps its key on this machine: typed again, it is the same command and not a second one."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from shared.home import home

AGAIN_MINUTES: Final = 15  # after that what is typed again is meant anew


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A command about to be sent. Holds: `again` says that the same was sent before, and `key` is that one's."""

    key: str
    again: bool
    file: Path

    @classmethod
    def of(cls, path: str, body: Mapping[str, Any], actor: str) -> Unanswered:
        """The command that asks for this, kept until it is answered.

        Holds:   what cannot be kept, as on a full disk, is sent all the same.
        """
        same = json.dumps([path, body, actor], sort_keys=True)
        file = home() / "unanswered" / sha256(same.encode()).hexdigest()[:32]
        with suppress(OSError, ValueError):
            _forget_old(file.parent)
            return cls(uuid.UUID(file.read_text()).hex, True, file)
        key = uuid.uuid4().hex
        with suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(key)
        return cls(key, False, file)

    def forget(self) -> None:
        """Somebody has answered it."""
        with suppress(OSError):
            self.file.unlink(missing_ok=True)


def _forget_old(folder: Path) -> None:
    for file in folder.iterdir():
        if time.time() - file.stat().st_mtime > AGAIN_MINUTES * 60:
            file.unlink(missing_ok=True)
