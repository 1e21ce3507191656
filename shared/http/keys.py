"""The key pair that tokens are signed with: two PEM files in one folder."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

PRIVATE_NAME: Final = "token-private.pem"
PUBLIC_NAME: Final = "token-public.pem"


class KeyPairError(Exception):
    """The key files are missing or unfit; the message says what to do."""


class KeyPair(NamedTuple):
    """The floor's signing key and the key that checks it."""

    private: Ed25519PrivateKey
    public: Ed25519PublicKey


def ensure_key_pair(folder: Path) -> KeyPair:
    """The folder's key pair, made when there is none.

    Holds:   two processes that start at once end with the same pair, because a private key is only ever linked to a
             name that is free and the public one follows from it; a crash in between leaves nothing half written.
    Errors:  `KeyPairError` when what is there does not fit together or others may read the private key.
    """
    folder.mkdir(parents=True, exist_ok=True)
    private_path, public_path = folder / PRIVATE_NAME, folder / PUBLIC_NAME
    # In this order: whoever makes a pair writes the public key last, so seeing it first proves the private one.
    public_there = public_path.exists()
    if public_there and not private_path.exists():
        raise KeyPairError(
            f"Expected {private_path} beside its public key; bring it back, or remove {public_path} for a new pair"
        )
    if not private_path.exists():
        _link_new(private_path, _private_bytes(Ed25519PrivateKey.generate()))
    private = _read_private_key(private_path)
    public = private.public_key()
    if not public_path.exists():
        _replace(public_path, _public_bytes(public))
    _check_pair(private_path, public_path)
    return KeyPair(private, public)


def found_keys(folder: Path) -> frozenset[str]:
    """The names of the key files that are there, each readable and fitting the other; writes nothing.

    Errors:  `KeyPairError` when what is there does not fit together or others may read the private key.
    """
    private_path, public_path = folder / PRIVATE_NAME, folder / PUBLIC_NAME
    found = frozenset(path.name for path in (private_path, public_path) if path.exists())
    if len(found) == 2:
        _check_pair(private_path, public_path)
    elif PRIVATE_NAME in found:
        _read_private_key(private_path)
    elif PUBLIC_NAME in found:
        read_public_key(public_path)
    return found


def ensure_public_key(folder: Path) -> None:
    """See to it that tokens can be checked here: a public key that somebody put there is enough, else a pair is made.

    Errors:  `KeyPairError` as `ensure_key_pair`, or when the public key is none.
    """
    private_path, public_path = folder / PRIVATE_NAME, folder / PUBLIC_NAME
    if public_path.exists() and not private_path.exists():
        read_public_key(public_path)
    else:
        ensure_key_pair(folder)


def _check_pair(private_path: Path, public_path: Path) -> None:
    if _public_bytes(read_public_key(public_path)) != _public_bytes(_read_private_key(private_path).public_key()):
        raise KeyPairError(f"Expected {public_path} to belong to {private_path}; remove it and it is written anew")


def read_public_key(path: Path) -> Ed25519PublicKey:
    """Read a PEM file. Errors: `KeyPairError` when it is missing or holds something else."""
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise KeyPairError(f"Expected a readable {path}; `opsfloor token` makes the key pair ({error})") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyPairError(f"Expected a public key in PEM form in {path}; remove it and make the pair anew") from error
    if not isinstance(key, Ed25519PublicKey):
        raise KeyPairError(f"Expected an Ed25519 key in {path}, found {type(key).__name__}")
    return key


def _read_private_key(path: Path) -> Ed25519PrivateKey:
    try:
        mode = path.stat().st_mode
        content = path.read_bytes()
    except OSError as error:
        raise KeyPairError(f"Expected a readable {path} ({error})") from error
    if mode & 0o077:
        raise KeyPairError(f"Expected {path} to be readable by its owner alone; `chmod 600 {path}`")
    try:
        key = serialization.load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyPairError(f"Expected a private key in PEM form in {path}; remove the pair for a new one") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyPairError(f"Expected an Ed25519 key in {path}, found {type(key).__name__}")
    return key


def _private_bytes(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _public_bytes(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _written(folder: Path, content: bytes) -> Path:
    """A synced file of its own in the folder; `mkstemp` opens it for its owner alone."""
    handle, name = tempfile.mkstemp(dir=folder, prefix=".token-")
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return Path(name)


def _link_new(path: Path, content: bytes) -> None:
    draft = _written(path.parent, content)
    try:
        os.link(draft, path)
    except FileExistsError:
        return  # another process was first: its key is the floor's
    finally:
        draft.unlink()


def _replace(path: Path, content: bytes) -> None:
    draft = _written(path.parent, content)
    draft.chmod(0o644)
    draft.replace(path)
