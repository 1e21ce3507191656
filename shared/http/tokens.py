"""Bearer tokens: JWT signed with Ed25519. Who issues needs the private key, who verifies only the public one."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal, cast, get_args

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from shared.http.keys import PUBLIC_NAME, KeyPair, KeyPairError, ensure_key_pair, read_public_key

Role = Literal[
    "operator",
    "team_leader",
    "auditor",
    "vendor_manager",
    "on_call",
    "proposer",
    "approver",
    "viewer",
    "branch",
    "service",
]
ROLES: Final[frozenset[str]] = frozenset(get_args(Role))
ISSUER: Final = "opsfloor"
ALGORITHM: Final = "EdDSA"
SHIFT_SECONDS: Final = 8 * 3600.0
LIFETIME_SECONDS_MAX: Final = 31 * 24 * 3600.0
TOKEN_CHARACTERS_MAX: Final = 4_096


class TokenError(Exception):
    """A token that proves nothing. `code` is stable, the message a sentence with the remedy."""

    code: str = "token_refused"


class TokenMissingError(TokenError):
    """The request carries no bearer token."""

    code = "token_missing"


class TokenMalformedError(TokenError):
    """Not a JWT of this floor: unreadable, another algorithm, a claim missing or of the wrong form."""

    code = "token_malformed"


class TokenExpiredError(TokenError):
    """The token was good and its time is over."""

    code = "token_expired"


class WrongSignatureError(TokenError):
    """Not signed with the floor's key."""

    code = "token_wrong_signature"


class WrongIssuerError(TokenError):
    """Signed with the floor's key for somebody else's use."""

    code = "token_wrong_issuer"


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified token says of its bearer."""

    subject: str
    role: Role
    team_id: str | None
    provider_id: str | None
    issued_at: datetime
    expires_at: datetime


def utc_now() -> datetime:
    """The machine's instant. Tokens live in real time, also on a floor whose clock is scaled."""
    return datetime.now(UTC)


class Issuer:
    """Signs tokens."""

    def __init__(self, private_key: Ed25519PrivateKey, now: Callable[[], datetime] = utc_now) -> None:
        self._key: Final = private_key
        self._now: Final = now

    def issue(
        self,
        subject: str,
        role: str,
        team_id: str | None = None,
        provider_id: str | None = None,
        seconds: float = SHIFT_SECONDS,
    ) -> str:
        """A token for one bearer. Errors: `ValueError` for an unknown role, no subject, or a lifetime out of bounds."""
        if role not in ROLES:
            raise ValueError(f"Expected one of {', '.join(sorted(ROLES))} as the role, found {role!r}")
        if not subject:
            raise ValueError("Expected a subject: an operator id or a person's name, found nothing")
        if not 0 < seconds <= LIFETIME_SECONDS_MAX:
            raise ValueError(
                f"Expected a lifetime above 0 and of at most {LIFETIME_SECONDS_MAX:.0f} seconds, found {seconds}"
            )
        issued_at = self._now()
        body: dict[str, Any] = {
            "iss": ISSUER,
            "sub": subject,
            "role": role,
            "iat": int(issued_at.timestamp()),
            "exp": int((issued_at + timedelta(seconds=seconds)).timestamp()),
        }
        body |= {"team_id": team_id} if team_id else {}
        body |= {"provider_id": provider_id} if provider_id else {}
        return jwt.encode(body, self._key, algorithm=ALGORITHM)


PROVED_MAX: Final = 10_000  # tokens whose signature is remembered


class Verifier:
    """Checks tokens with the public key alone."""

    def __init__(self, public_key: Ed25519PublicKey, now: Callable[[], datetime] = utc_now) -> None:
        self._key: Final = public_key
        self._now: Final = now
        self._proved: Final[OrderedDict[str, Claims]] = (
            OrderedDict()
        )  # a signature once good stays good; expiry does not

    @classmethod
    def from_folder(cls, folder: Path) -> Verifier:
        """A verifier with the folder's public key. Errors: `KeyPairError` when it is missing or unfit."""
        return cls(read_public_key(folder / PUBLIC_NAME))

    def verify(self, token: str) -> Claims:
        """What the token says, once it has proved itself. Errors: a `TokenError` of the kind that fits."""
        if len(token) > TOKEN_CHARACTERS_MAX:
            raise TokenMalformedError(
                f"Expected a token of at most {TOKEN_CHARACTERS_MAX} characters, found {len(token)}"
            )
        claims = self._proved.get(token)
        if claims is None:
            claims = _claims(self._decoded(token))
            self._proved[token] = claims
            if len(self._proved) > PROVED_MAX:
                self._proved.popitem(last=False)
        if claims.expires_at <= self._now():
            raise TokenExpiredError(
                f"Expected a token that still holds, this one ended at {claims.expires_at.isoformat()}"
            )
        return claims

    def _decoded(self, token: str) -> dict[str, Any]:
        # Expiry is checked above against the injected clock; everything else here.
        options: Any = {"verify_exp": False, "verify_iat": False, "require": ["exp", "iat", "iss", "sub"]}
        try:
            return jwt.decode(token, self._key, algorithms=[ALGORITHM], issuer=ISSUER, options=options)
        except jwt.InvalidSignatureError as error:
            raise WrongSignatureError(
                "Expected a token signed with this floor's key; ask for one from its issuer"
            ) from error
        except jwt.InvalidIssuerError as error:
            raise WrongIssuerError(
                f"Expected a token issued by {ISSUER!r}; ask for one from this floor's issuer"
            ) from error
        except jwt.PyJWTError as error:
            raise TokenMalformedError(
                f"Expected a JWT signed with {ALGORITHM} with sub, role, iat, exp and iss"
            ) from error


def _claims(body: dict[str, Any]) -> Claims:
    subject, role, team_id, provider_id = (body.get(name) for name in ("sub", "role", "team_id", "provider_id"))
    if not (isinstance(subject, str) and subject and isinstance(role, str) and role in ROLES):
        raise TokenMalformedError(f"Expected a subject and one of the roles {', '.join(sorted(ROLES))}")
    if not all(name is None or (isinstance(name, str) and name) for name in (team_id, provider_id)):
        raise TokenMalformedError("Expected team_id and provider_id as names, or absent")
    try:
        issued_at, expires_at = (datetime.fromtimestamp(int(body[name]), UTC) for name in ("iat", "exp"))
    except (ValueError, TypeError, OverflowError, OSError) as error:
        raise TokenMalformedError("Expected iat and exp as seconds since the epoch") from error
    return Claims(subject, cast(Role, role), team_id, provider_id, issued_at, expires_at)


__all__ = [
    "Claims",
    "Issuer",
    "KeyPair",
    "KeyPairError",
    "Role",
    "TokenError",
    "TokenExpiredError",
    "TokenMalformedError",
    "TokenMissingError",
    "Verifier",
    "WrongIssuerError",
    "WrongSignatureError",
    "ensure_key_pair",
]
