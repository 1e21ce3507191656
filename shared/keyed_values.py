"""When two readings of a field say the same: values brought to one form per kind of field. One truth for the floor."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Final, Literal

Form = Literal["text", "account", "amount", "date", "choice"]

# The column «minor unit» of ISO 4217's list one, wherever it is not 2.
# fmt: off
_NO_DECIMALS: Final = (
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF",
)
_THREE_DECIMALS: Final = ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND")
# fmt: on
MINOR_DIGITS: Final[Mapping[str, int]] = {
    **dict.fromkeys(_NO_DECIMALS, 0),
    **dict.fromkeys(_THREE_DECIMALS, 3),
    "CLF": 4,
    "UYW": 4,
}
MINOR_DIGITS_DEFAULT: Final = 2
WHOLE_DIGITS_MAX: Final = 15  # more is no amount of this bank

_MARK: Final = r"(?:[¥$€£元圆]|[A-Z]{3})"
_CURRENCY_MARKS: Final = re.compile(_MARK)
_CURRENCIES_BY_MARK: Final[Mapping[str, frozenset[str]]] = {
    "¥": frozenset({"CNY", "JPY"}),
    "元": frozenset({"CNY"}),
    "圆": frozenset({"CNY", "JPY"}),
    "RMB": frozenset({"CNY"}),
    "$": frozenset({"USD", "HKD", "SGD", "AUD", "CAD", "NZD"}),
    "€": frozenset({"EUR"}),
    "£": frozenset({"GBP"}),
}
_AMOUNT: Final = re.compile(rf"({_MARK}*)([0-9]{{1,3}}(?:,[0-9]{{3}})+|[0-9]+)(?:\.([0-9]+))?({_MARK}*)")
_SAME_CHARACTER: Final = ("<wide>", "<narrow>", "<small>", "<font>")  # in another width or face; a raised 2 is no 2
_DATE: Final = re.compile(r"([0-9]{4})[-/.年]?([0-9]{1,2})[-/.月]?([0-9]{1,2})日?")


def minor_digits(currency: str) -> int:
    """How many decimals an amount of this currency has."""
    return MINOR_DIGITS.get(currency, MINOR_DIGITS_DEFAULT)


def parse_amount(text: str, currency: str) -> int | None:
    """The positive amount in minor units that somebody keyed, or `None` when it is none.

    Holds:   a comma only groups thousands; the template's currency may stand before or behind the figure, another one
             may not, and none inside it; full-width figures count as such, raised, lowered and circled ones do not.
    """
    found = _AMOUNT.fullmatch("".join(_plain(text).upper().split()))
    if found is None:
        return None
    before, grouped, decimals, behind = found[1], found[2], found[3] or "", found[4]
    if any(currency not in _CURRENCIES_BY_MARK.get(mark, {mark}) for mark in _CURRENCY_MARKS.findall(before + behind)):
        return None
    whole, digits = grouped.replace(",", ""), minor_digits(currency)
    if len(whole) > WHOLE_DIGITS_MAX or len(decimals) > digits:
        return None
    return int(whole + decimals.ljust(digits, "0")) or None


def amount_text(amount_minor: int, currency: str) -> str:
    """An amount as figures, without its currency: `1234.50`."""
    digits = minor_digits(currency)
    if digits == 0:
        return str(amount_minor)
    whole, rest = divmod(amount_minor, 10**digits)
    return f"{whole}.{rest:0{digits}d}"


def tidy(form: Form, value: str, currency: str) -> str:
    """The value as it goes into the books: same meaning, one spelling. What cannot be read stays as keyed."""
    text = " ".join(_plain(value).split())
    match form:
        case "amount":
            minor = parse_amount(value, currency)
            return text if minor is None else amount_text(minor, currency)
        case "account":
            return "".join(character for character in text if character not in " -").upper()
        case "date":
            return _tidy_date(text)
        case "text" | "choice":
            return " ".join(unicodedata.normalize("NFKC", value).split())


def _plain(text: str) -> str:
    """The text with full-width and the like characters in their plain form. Holds: no other character becomes a figure."""
    return "".join(
        unicodedata.normalize("NFKC", character)
        if unicodedata.decomposition(character).startswith(_SAME_CHARACTER)
        else character
        for character in text
    )


def _tidy_date(text: str) -> str:
    found = _DATE.fullmatch(text.replace(" ", ""))
    return text if found is None else f"{found[1]}-{int(found[2]):02d}-{int(found[3]):02d}"


def comparable(form: Form, value: str, currency: str) -> str:
    """What two keyings must share to count as the same."""
    return tidy(form, value, currency).casefold()


def same(form: Form, one: str, other: str, currency: str) -> bool:
    """Whether two people read the same."""
    return one == other or comparable(form, one, currency) == comparable(form, other, currency)
