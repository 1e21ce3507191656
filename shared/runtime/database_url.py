"""Whether an address of the database can be one. It is looked at before anybody is asked to answer there."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

SCHEMES: Final = ("postgresql", "postgres")
FORM: Final = "postgresql://USER:PASSWORD@host:port/DATABASE"
_SERVER: Final = re.compile(r"([\w.-]+|\[[0-9A-Fa-f:.%]+\]|%2[Ff][\w.%-]*)?(:(?P<port>\d+))?")
"""A name, an IPv6 address in brackets or a folder of sockets, and a port; each may be left out."""


def checked(url: str) -> str:
    """The address, when it can be one. Errors: `ValueError` in a sentence, without the password."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise ValueError(f"Expected {FORM}, found an address that cannot be read: {error}") from error
    if parts.scheme not in SCHEMES or not url.startswith(f"{parts.scheme}://"):
        raise ValueError(f"Expected {FORM}, found {_without_secret(url)!r}")
    for server in parts.netloc.rpartition("@")[2].split(","):
        found = _SERVER.fullmatch(server)
        if found is None or (found["port"] and not 0 < int(found["port"]) < 65_536):
            raise ValueError(f"Expected host:port, found {server!r}")
    if "/" in parts.path.removeprefix("/"):
        raise ValueError(f"Expected the name of one database after the /, found {parts.path!r}")
    return url


def _without_secret(url: str) -> str:
    """What was given, without what stands before an @ in it."""
    before, at, after = url.rpartition("@")
    return f"…{at}{after}" if before else after
