"""Whether the addresses that the environment gives can be any: asked once for all commands, before one begins."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Final

from opsfloor.answers import Remedied
from shared.runtime import database_url, kafka_access

LOCAL: Final = "or unset it: `opsfloor stack up` starts a local one, which commands in this folder then find"
CHECKED: Final[Mapping[str, tuple[str, Callable[[str], object], str]]] = {
    "OPSFLOOR_KAFKA": ("bus", kafka_access.access_of, kafka_access.FORM),
    "OPSFLOOR_DATABASE_URL": ("database", database_url.checked, database_url.FORM),
}
"""Of each variable what it is the address of, who knows whether it can be one, and its form."""


def checked() -> None:
    """Look at the addresses that are set. Errors: `Remedied` for the first that can be none."""
    for name, (what, look, form) in CHECKED.items():
        try:
            if name in os.environ:
                look(os.environ[name])
        except ValueError as error:
            raise Remedied(f"Expected the {what}'s address in {name}: {error}", f"set it to {form}, {LOCAL}") from error
