"""Where a process keeps what is its own on this machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

HOME_DEFAULT: Final = Path(".opsfloor")


def home() -> Path:
    """The one ignored folder (keys, local images, data, logs): `OPSFLOOR_HOME`, else `.opsfloor` here.

    Holds:   a variable that is set to nothing is not set: as a path it would be the folder that one stands in.
    """
    return Path(os.environ.get("OPSFLOOR_HOME") or HOME_DEFAULT)
