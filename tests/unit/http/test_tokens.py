"""Tokens prove who asks, for how long, and nothing else passes."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.http.tokens import (
    Issuer,
    KeyPairError,
    TokenError,
    TokenExpiredError,
    TokenMalformedError,
    Verifier,
    WrongIssuerError,
    WrongSignatureError,
    ensure_key_pair,
)

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
KEY = Ed25519PrivateKey.generate()
VERIFIER = Verifier(KEY.public_key(), now=lambda: NOW)


def signed(**changes: object) -> str:
    """A token of the floor with some claims changed; `None` leaves one out."""
    body: dict[str, object] = {
        "iss": "opsfloor",
        "sub": "op-1",
        "role": "operator",
        "iat": int(NOW.timestamp()),
        "exp": int(NOW.timestamp()) + 60,
    }
    return jwt.encode({k: v for k, v in (body | changes).items() if v is not None}, KEY, algorithm="EdDSA")


def test_what_was_issued_is_what_is_verified() -> None:
    """A token tells subject, role, team, provider and its end, unchanged."""
    token = Issuer(KEY, now=lambda: NOW).issue(
        "op-1", "operator", team_id="keying-north", provider_id="bank", seconds=600
    )
    claims = VERIFIER.verify(token)
    assert (claims.subject, claims.role, claims.team_id, claims.provider_id) == (
        "op-1",
        "operator",
        "keying-north",
        "bank",
    )
    assert claims.expires_at == NOW + timedelta(seconds=600)


def test_a_token_ends_at_its_instant() -> None:
    """At the instant of its end a token no longer holds; one second before it does."""
    token = Issuer(KEY, now=lambda: NOW).issue("op-1", "operator", seconds=60)
    Verifier(KEY.public_key(), now=lambda: NOW + timedelta(seconds=59)).verify(token)
    with pytest.raises(TokenExpiredError):
        Verifier(KEY.public_key(), now=lambda: NOW + timedelta(seconds=60)).verify(token)


def unsigned() -> str:
    return jwt.encode({"iss": "opsfloor", "sub": "op-1", "role": "operator"}, None, algorithm="none")  # type: ignore[arg-type]  # what an attacker sends


def signed_with_a_guessed_secret() -> str:
    body = {"iss": "opsfloor", "sub": "op-1", "role": "operator", "iat": 0, "exp": 4_000_000_000}
    return jwt.encode(body, "x" * 64, algorithm="HS256")


def signed_by_somebody_else() -> str:
    return Issuer(Ed25519PrivateKey.generate(), now=lambda: NOW).issue("op-1", "operator")


@pytest.mark.parametrize(
    ("token", "refusal"),
    [
        (signed_by_somebody_else, WrongSignatureError),
        (lambda: signed(iss="another-floor"), WrongIssuerError),
        (lambda: signed(iss=None), TokenMalformedError),
        (lambda: signed(exp=None), TokenMalformedError),
        (lambda: signed(iat=None), TokenMalformedError),
        (lambda: signed(sub=None), TokenMalformedError),
        (lambda: signed(sub=""), TokenMalformedError),
        (lambda: signed(role="root"), TokenMalformedError),
        (lambda: signed(role=["operator"]), TokenMalformedError),
        (lambda: signed(role=None), TokenMalformedError),
        (lambda: signed(team_id=7), TokenMalformedError),
        (lambda: signed(exp="soon"), TokenMalformedError),
        (lambda: signed(exp=10**30), TokenMalformedError),
        (unsigned, TokenMalformedError),
        (signed_with_a_guessed_secret, TokenMalformedError),
        (lambda: "", TokenMalformedError),
        (lambda: "a.b.c", TokenMalformedError),
        (lambda: "x" * 5_000, TokenMalformedError),
    ],
)
def test_each_bad_token_is_refused_in_its_kind(token: Callable[[], str], refusal: type[TokenError]) -> None:
    """Another key, issuer, algorithm, a claim missing or of the wrong form: each refusal has its class."""
    with pytest.raises(refusal, match=r"^Expected"):
        VERIFIER.verify(token())


@settings(max_examples=100)
@given(st.text(max_size=80))
def test_no_text_is_taken_for_a_token(text: str) -> None:
    """Whatever stands in the header, the answer is a refusal and never another error."""
    with pytest.raises(TokenError):
        VERIFIER.verify(text)


@settings(max_examples=100)
@given(st.integers(0, 400), st.characters(codec="ascii"))
def test_one_changed_character_breaks_a_token(place: int, other: str) -> None:
    """A token with one character changed is refused, or is the same token in another spelling."""
    token = signed()
    place %= len(token)
    changed = token[:place] + other + token[place + 1 :]
    if changed == token:
        return
    try:
        claims = VERIFIER.verify(changed)
    except TokenError:
        return
    assert claims == VERIFIER.verify(token)  # base64 has idle bits at its end: nothing that the token says changed


@pytest.mark.parametrize(("role", "seconds"), [("root", 60), ("operator", 0), ("operator", 10**9)])
def test_nothing_out_of_bounds_is_issued(role: str, seconds: float) -> None:
    """An unknown role and a lifetime without bound are refused where the token would be made."""
    with pytest.raises(ValueError, match=r"^Expected"):
        Issuer(KEY).issue("op-1", role, seconds=seconds)


def test_the_key_pair_is_made_once_and_closed(tmp_path: Path) -> None:
    """The second call finds the first one's keys; only the owner may read the private one; no draft is left."""
    folder = tmp_path / "keys"
    first = ensure_key_pair(folder)
    second = ensure_key_pair(folder)
    token = Issuer(first.private).issue("op-1", "operator")
    assert Verifier(second.public).verify(token) == Verifier.from_folder(folder).verify(token)
    assert stat.S_IMODE((folder / "token-private.pem").stat().st_mode) == 0o600
    assert sorted(os.listdir(folder)) == ["token-private.pem", "token-public.pem"]


def public_bytes(folder: str) -> bytes:
    return ensure_key_pair(Path(folder)).public.public_bytes_raw()


@pytest.mark.long
def test_two_processes_that_start_at_once_share_one_pair(tmp_path: Path) -> None:
    """Of several processes that make the pair at the same moment all end with the same keys."""
    with ProcessPoolExecutor(3, mp_context=get_context("forkserver")) as pool:
        for round_ in range(10):
            assert len(set(pool.map(public_bytes, [str(tmp_path / f"keys-{round_}")] * 3))) == 1


def test_a_crash_between_the_two_files_is_healed(tmp_path: Path) -> None:
    """With only the private key there, the public one is written from it."""
    made = ensure_key_pair(tmp_path)
    (tmp_path / "token-public.pem").unlink()
    assert ensure_key_pair(tmp_path).public.public_bytes_raw() == made.public.public_bytes_raw()


def a_private_key_others_may_read(folder: Path) -> None:
    (folder / "token-private.pem").chmod(0o644)


def a_public_key_of_another_pair(folder: Path) -> None:
    ensure_key_pair(folder / "other")
    (folder / "other" / "token-public.pem").replace(folder / "token-public.pem")


def no_private_key(folder: Path) -> None:
    (folder / "token-private.pem").unlink()


def a_private_key_that_is_none(folder: Path) -> None:
    (folder / "token-private.pem").write_text("nonsense")


@pytest.mark.parametrize(
    "broken",
    [a_private_key_others_may_read, a_public_key_of_another_pair, no_private_key, a_private_key_that_is_none],
)
def test_keys_that_do_not_fit_are_refused_with_the_remedy(tmp_path: Path, broken: Callable[[Path], None]) -> None:
    """Each broken state of the folder is named, and nothing is replaced behind anybody's back."""
    ensure_key_pair(tmp_path)
    broken(tmp_path)
    with pytest.raises(KeyPairError, match=r"^Expected .*(remove|bring|chmod)"):
        ensure_key_pair(tmp_path)


def test_a_service_without_public_key_says_what_to_do(tmp_path: Path) -> None:
    """A missing public key is an error with its remedy, not an open door."""
    with pytest.raises(KeyPairError, match="opsfloor token"):
        Verifier.from_folder(tmp_path)
