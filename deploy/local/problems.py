"""What can be wrong with a local stack, each with its remedy."""

from __future__ import annotations

import errno
import re
from pathlib import Path
from typing import Final

_NOT_ALLOWED: Final = re.compile("invalid permissions|wrong ownership|Permission denied|AccessDenied")
_NEWER: Final = re.compile(
    "Unsupported feature level|feature level .* is not supported|incompatible with server|"
    "unknown version|No MetadataVersion|Unable to apply record .*FeatureLevelRecord|Disallowed version"
)
"""What either server says of data that a newer one has written."""


class StackProblem(Exception):
    """The local stack cannot do what was asked. `remedy` says what to do, in words."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what}. Remedy: {remedy}")
        self.what: Final = what
        self.remedy: Final = remedy


def port_taken(port: int, what: str) -> StackProblem:
    return StackProblem(
        f"Expected port {port} to be free for {what}, found another program on it",
        f"end that program (`ss -ltnp 'sport = :{port}'` names it) or choose another port, or none for a free one",
    )


def not_a_port(given: str) -> StackProblem:
    return StackProblem(
        f"Expected the broker's port to be a number from 1 to 65535, found {given!r}",
        "give `--kafka-port` or OPSFLOOR_KAFKA_PORT one, or neither for a free port",
    )


def not_ours(folder: Path, owner: str) -> StackProblem:
    return StackProblem(
        f"Expected {folder} to be a folder of this user, found one of {owner}",
        "see who made it and remove it, or set OPSFLOOR_HOME to a folder that every user can reach",
    )


def unreadable(file: Path, why: str) -> StackProblem:
    return StackProblem(
        f"Expected {file} to say what was started, found: {why}",
        f"see with `ps ax` that no server with {file.parent} on its command line runs, then delete {file} and start again",
    )


def other_version(folder: Path, found: str, expected: str) -> StackProblem:
    return StackProblem(
        f"Expected data of {expected} in {folder}, found {found}",
        f"start the version that it is of, or {_begin_anew(folder)}",
    )


def half_written(file: Path, folder: Path) -> StackProblem:
    return StackProblem(
        f"Expected {file} to name the broker's cluster, found it cut off: the disk was full, or the power went",
        f"put the file back from a copy, or {_begin_anew(folder)}",
    )


def torn(what: str, folder: Path, why: str) -> StackProblem:
    """Data that is there and is not whole."""
    return StackProblem(f"Expected {what} to find its data whole in {folder}, found: {why}", _begin_anew(folder))


def _begin_anew(folder: Path) -> str:
    return (
        f"put back a copy of {folder}, or keep it aside and start afresh without it: `opsfloor stack down`, "
        f"`mv {folder} {folder}.torn`, `opsfloor stack up`; broker and database belong together, so put both back, or "
        "move both aside (`opsfloor stack status` names their folders)"
    )


def not_made(data: Path, why: str, user: str) -> StackProblem:
    """PostgreSQL's initdb gave up."""
    if "No space left" in why:
        return from_os(OSError(errno.ENOSPC, "No space left on device"), data)
    return StackProblem(
        f"Expected PostgreSQL to make its data in {data}, found: {why}",
        f"set OPSFLOOR_HOME to a folder on a local disk, below which the user {user!r}, as whom PostgreSQL runs, may write",
    )


def not_fetched(coordinate: str, why: str) -> StackProblem:
    return StackProblem(
        f"Expected to fetch {coordinate}, found: {why}",
        "see that this machine reaches its Maven repository, or copy the jars folder of a machine that has them and "
        "point OPSFLOOR_JARS at it",
    )


def checksum_differs(file: Path, expected: str, found: str) -> StackProblem:
    return StackProblem(
        f"Expected {file.name} with sha256 {expected[:16]}…, found {found[:16]}…",
        f"delete {file} and try again; if it differs again, what is served is not what was locked: do not run it",
    )


def did_not_start(what: str, log: Path, last_lines: str) -> StackProblem:
    """A server ended before it answered, by the last of its own words."""
    return _ended(what, log.parent, f"it ended: {last_lines}", f"read {log}; if its data is what is wrong, ")


def not_asked(folder: Path, why: str) -> StackProblem:
    """The database came up and refused what it was asked first."""
    if "password authentication failed" in why or "no password supplied" in why:
        return no_password(folder, "refused")
    return _ended("PostgreSQL", folder, why, f"read {folder / 'postgres.log'}; if its data is what is wrong, ")


def no_password(folder: Path, found: str) -> StackProblem:
    return StackProblem(
        f"Expected the password in {folder / 'password'} to be the database's own, found it {found}",
        f"put back the one that its data was made with, or {_begin_anew(folder)}",
    )


def _ended(what: str, folder: Path, why: str, otherwise: str) -> StackProblem:
    if "No space left" in why:
        return from_os(OSError(errno.ENOSPC, "No space left on device"), folder)
    if _NEWER.search(why):
        return other_version(folder, f"that of another version: {why}", what)
    if _NOT_ALLOWED.search(why):
        return StackProblem(
            f"Expected {what} to be allowed to use what lies in {folder}, found: {why}",
            f"see whose its files are (`ls -lR {folder}`): give them to the owner of {folder}, and to nobody else "
            f"(`chmod -R go= {folder}/data`)",
        )
    return StackProblem(f"Expected {what} to come up on its data, found: {why}", otherwise + _begin_anew(folder))


def from_os(error: OSError, folder: Path) -> StackProblem:
    """Say what a failed file operation means."""
    if error.errno == errno.ENOSPC:
        return StackProblem(f"Expected room in {folder}, found the disk full", "free some space; about 1 GB is needed")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return StackProblem(
            f"Expected to be allowed to write in {folder}, found: {error.strerror}",
            "run as the folder's owner, or set OPSFLOOR_HOME to a folder of your own",
        )
    return StackProblem(
        f"Expected to use {folder}, found: {error}",
        "set OPSFLOOR_HOME to a folder on a local disk that you may write in",
    )
