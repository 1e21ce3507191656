"""Plain HTML in a page: words, fields, buttons. Native elements, so that keyboards and screen readers know them."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from html import escape
from typing import Any, Final

from nicegui import ui

from opsfloor.answers import WORD_MAX
from opsfloor.console.words import SIGNS, Verdict

Press = Callable[[], Awaitable[bool | None]]
"""What a button does. Returns true when the page goes: nothing of it is to be pressed any more."""
_WORD: Final = re.compile(r"\S+")
_ID: Final = re.compile(r"\br-\w+")  # a reroute's, as routing makes them


def laid_out(text: str) -> str:
    """The text as HTML: a reroute's id stays in one line, and what is no word, being too long for one, may be cut.

    Holds:   whoever copies it has the very text.
    """
    return _WORD.sub(lambda found: _word(found.group()), text)


def _word(word: str) -> str:
    if len(word) > WORD_MAX:
        return f"<span class='endless'>{escape(word)}</span>"
    return _ID.sub(r"<span class='id'>\g<0></span>", escape(word))


class Words(ui.html):
    """Words in a tag, sent to the browser only when they change."""

    def __init__(self, tag: str, text: str = "") -> None:
        super().__init__(laid_out(text), sanitize=False, tag=tag)
        self.said = text

    def say(self, text: str) -> Words:
        """Say this from now on."""
        if text != self.said:
            self.said = text
            self.set_content(laid_out(text))
        return self


def words(tag: str, text: str = "") -> Words:
    """Words in a tag."""
    return Words(tag, text)


def badge(verdict: Verdict, text: str) -> Words:
    """A verdict: its shape, its word and its colour."""
    return words("span", f"{SIGNS[verdict]} {text}").classes(f"verdict {verdict or 'plain'}")


class Field:
    """A field of words. Holds: what was typed stays there, whatever the page does meanwhile."""

    def __init__(
        self,
        label: str,
        changed: Callable[[str], None] | None = None,
        *,
        about: str = "",
        value: str = "",
        kind: str = "text",
        **props: str,
    ) -> None:
        self.value = value
        self._changed: Final = changed
        self.around: Final = ui.element("label").classes("field")
        with self.around:
            words("span", label)
            if about:
                words("small", about)
            self.input: Final = ui.element("input").props(f"type={kind}")
            # With `value` the browser's side would put the first value back at each renewal of the page.
            self.input.props.update({"defaultValue": value, "autocomplete": "off", **props})
        self.input.on("input", self._typed, js_handler="(e) => emit(e.target.value)")

    def clear(self) -> None:
        """Empty it."""
        self.value = ""
        ui.run_javascript(f"document.getElementById('{self.input.html_id}').value = ''")

    def _typed(self, event: Any) -> None:
        self.value = str(event.args)
        if self._changed is not None:
            self._changed(self.value)


class Tick:
    """A box to tick."""

    def __init__(self, label: str, changed: Callable[[bool], None], ticked: bool = False) -> None:
        self._changed: Final = changed
        with ui.element("label").classes("tick") as self.around:
            box = ui.element("input").props("type=checkbox")
            box.props["checked"] = ticked
            words("span", label)
        box.on("change", self._turned, js_handler="(e) => emit(e.target.checked)")

    def _turned(self, event: Any) -> None:
        self._changed(bool(event.args))


class OneOf:
    """A choice of one among a few, each with a sentence about it."""

    def __init__(
        self, legend: str, choices: Sequence[tuple[str, str]], chosen: str, changed: Callable[[str], None]
    ) -> None:
        self._changed: Final = changed
        with ui.element("fieldset").classes("one-of") as self.around:
            words("legend", legend)
            for value, about in choices:
                with ui.element("label").classes("tick"):
                    button = ui.element("input").props(f"type=radio name=one-of-{self.around.id} value={value}")
                    button.props["checked"] = value == chosen
                    words("strong", value)
                    words("span", about)
                button.on("change", self._turned, js_handler="(e) => emit(e.target.value)")

    def _turned(self, event: Any) -> None:
        self._changed(str(event.args))


class Button:
    """A button that does one thing at a time: pressed again while it works, or while its page goes, it does nothing."""

    def __init__(self, text: str, press: Press, kind: str = "plain") -> None:
        self._press: Final = press
        self._busy = False
        self.element: Final = ui.element("button").props("type=button").classes(f"press {kind}")
        with self.element:
            words("span", text)
        self.element.on("click", self._pressed, args=[])

    def show(self, shown: bool) -> None:
        """There, or not there."""
        self.element.set_visibility(shown)

    async def _pressed(self) -> None:
        if self._busy:
            return
        self._busy = True
        self.element.props["aria-disabled"] = "true"
        goes: bool | None = False
        try:
            goes = await self._press()
        finally:
            self._busy = bool(goes)
            if not goes and not self.element.is_deleted:
                self.element.props.pop("aria-disabled", None)
                self.element.update()


class Confirmation:
    """A question that stands before everything else, with a yes in words and a no. Esc is no."""

    def __init__(self, question: str, about: str, yes: str, press: Press) -> None:
        self._dialog: Final = ui.element("dialog").classes("confirmation")
        with self._dialog:
            heading = words("h2", question)
            self._about: Final = words("p", about)
            with ui.element("div").classes("presses"):
                Button("No, go back", self.close)
                Button(yes, press, "bad")
        self._dialog.props["aria-labelledby"] = heading.html_id

    def tell(self, about: str) -> None:
        """What it is about this time."""
        self._about.say(about)

    async def open(self) -> None:
        """Ask."""
        ui.run_javascript(f"document.getElementById('{self._dialog.html_id}').showModal()")

    async def close(self) -> None:
        """Take the question away."""
        ui.run_javascript(f"document.getElementById('{self._dialog.html_id}').close()")


def bullets(lines: Sequence[tuple[Verdict, str]]) -> None:
    """Sentences, each with its verdict's shape."""
    with ui.element("ul").classes("bullets"):
        for verdict, text in lines:
            with ui.element("li").classes(verdict or "plain"):
                words("span", f"{SIGNS[verdict]} {text}".strip())
