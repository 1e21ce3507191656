"""When two readings of a field are the same value."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_SPACES: Final = re.compile(r"\s+")
_NOT_OF_AN_AMOUNT: Final = re.compile(r"[^\d.\-]")
_NOT_OF_AN_ACCOUNT: Final = re.compile(r"[\s\-]")


def normalised(form: str, value: str) -> str:
    """The value without what does not count: width of characters, spacing, case, marks between digits."""
    plain = _SPACES.sub(" ", unicodedata.normalize("NFKC", value)).strip().casefold()
    if form == "amount":
        return _amount(plain)
    return _NOT_OF_AN_ACCOUNT.sub("", plain) if form == "account" else plain


def _amount(plain: str) -> str:
    digits = _NOT_OF_AN_AMOUNT.sub("", plain)
    whole, _, cents = digits.partition(".")
    return f"{whole.lstrip('0') or '0'}.{cents:0<2}"


def same_value(form: str, one: str, other: str) -> bool:
    """Whether the two readings mean the same."""
    return normalised(form, one) == normalised(form, other)
