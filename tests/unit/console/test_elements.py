"""How words are laid out on a page: an id stays whole, what is no word may be cut, and nobody's words are markup."""

from __future__ import annotations

import re
from html import unescape

import pytest

from opsfloor.answers import WORD_MAX
from opsfloor.console.elements import laid_out


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("evacuate centre n", "evacuate centre n"),
        ("r-3f0c5a5a: IN FORCE", "<span class='id'>r-3f0c5a5a</span>: IN FORCE"),
        ("by r-1, r-2", "by <span class='id'>r-1</span>, <span class='id'>r-2</span>"),
        ("over-r", "over-r"),
        ("a" * WORD_MAX, "a" * WORD_MAX),
        (f"say {'a' * 40} so", f"say <span class='endless'>{'a' * 40}</span> so"),
        ("<b>r-1</b> & co", "&lt;b&gt;<span class='id'>r-1</span>&lt;/b&gt; &amp; co"),
        (f"<i>{'&' * 40}", f"<span class='endless'>&lt;i&gt;{'&amp;' * 40}</span>"),
    ],
)
def test_ids_stay_whole_and_endless_words_may_be_cut(text: str, expected: str) -> None:
    """Whoever copies it has the text as it is told."""
    assert laid_out(text) == expected
    assert unescape(re.sub("<[^>]*>", "", laid_out(text))) == text
