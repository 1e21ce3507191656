"""The branches' signing keys of a local floor. A real bank's branches keep their own and register the public one."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.contracts.reference import Branch, ReferenceEntry

LOCAL: Final = "local"
"""In the YAML, `public_key: local` stands for a key made in the ignored keys folder of this machine."""


def branch_key(folder: Path, branch_id: str) -> Ed25519PrivateKey | None:
    """The branch's private key on this machine, if there is one."""
    file = _file(folder, branch_id)
    return Ed25519PrivateKey.from_private_bytes(file.read_bytes()) if file.exists() else None


def make_branch_key(folder: Path, branch_id: str) -> Ed25519PrivateKey:
    """The branch's private key on this machine, made when there is none; readable by its owner alone."""
    found = branch_key(folder, branch_id)
    if found is not None:
        return found
    file = _file(folder, branch_id)
    file.parent.mkdir(parents=True, exist_ok=True)
    aside = file.with_suffix(f".{os.getpid()}")
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as out:
        out.write(Ed25519PrivateKey.generate().private_bytes_raw())
    try:
        os.link(aside, file)  # the first of two processes wins; the other reads its key
    except FileExistsError:
        pass
    finally:
        aside.unlink()
    return Ed25519PrivateKey.from_private_bytes(file.read_bytes())


def public_text(key: Ed25519PrivateKey) -> str:
    """The public key as it stands in the reference data: base64 of 32 bytes."""
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()


def with_local_keys(entries: Iterable[ReferenceEntry], folder: Path) -> tuple[ReferenceEntry, ...]:
    """Fill in the public keys of branches that are marked `local`."""
    return tuple(
        entry.model_copy(update={"public_key": public_text(make_branch_key(folder, entry.id))})
        if isinstance(entry, Branch) and entry.public_key == LOCAL
        else entry
        for entry in entries
    )


def _file(folder: Path, branch_id: str) -> Path:
    """Holds: inside the folder, whatever the branch is called."""
    plain = re.fullmatch(r"[A-Za-z0-9._-]+", branch_id) is not None
    name = branch_id if plain else hashlib.sha256(branch_id.encode()).hexdigest()
    return folder / "branches" / f"{name}.key"
