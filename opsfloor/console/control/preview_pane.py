"""A preview on the screen: what would happen, what speaks against it, before and after."""

from __future__ import annotations

from typing import Final

from nicegui import ui

from opsfloor.console.control.charts import before_and_after, height_rem, in_words, telling
from opsfloor.console.control.previews import foreseen, skill_line, untouched, warnings
from opsfloor.console.elements import bullets, words
from opsfloor.console.screen import TEXT_PX
from opsfloor.console.sheet import Sheet
from shared.contracts.reroute import Preview, RerouteTerms

COLUMNS: Final = ("work type", "moves", "people", "cleared in", "late", "who takes it")


class PreviewPane:
    """One preview, shown in the place of the one before."""

    def __init__(self, caption: str) -> None:
        self._shown: Preview | None = None
        words("h2", caption)
        self._sentence: Final = words("p").classes("big").props("aria-live=polite")
        self._warnings: Final = ui.element("div")
        self._chart_place: Final = ui.element("div")
        self._chart: ui.echart | None = None
        self._table: Final = ui.element("div")
        with self._table:
            self._sheet: Final = Sheet("By work type, now → then", COLUMNS, "Nothing waits there.")
            self._rest: Final = words("p").classes("empty")
        self.text_px = TEXT_PX
        self._hide()

    def say(self, text: str) -> None:
        """There is no preview, and why."""
        self._shown = None
        self._sentence.say(text)
        self._hide()

    def show(self, terms: RerouteTerms, preview: Preview, zone: str) -> None:
        """Show what the terms would do. Holds: one that says the same is not drawn again."""
        self._sentence.say(foreseen(terms, preview, zone))
        if self._shown is not None and preview == self._shown.model_copy(update={"taken_at": preview.taken_at}):
            return
        self._shown = preview
        self._table.set_visibility(True)
        self._warnings.clear()
        with self._warnings:
            bullets(warnings(preview, zone, drill=terms.drill))
        self._draw(preview)
        self._sheet.show([skill_line(skill) for skill in preview.skills if not untouched(skill, preview)])
        rest = sum(1 for skill in preview.skills if untouched(skill, preview))
        self._rest.say(f"Of {rest} other work types nothing waits, and somebody is left for each." if rest else "")

    def _draw(self, preview: Preview) -> None:
        shown = telling(preview.skills)
        self._chart_place.set_visibility(bool(shown))
        if not shown:
            return
        options = before_and_after(preview.skills, self.text_px)
        if self._chart is None:
            with self._chart_place:
                self._chart = ui.echart(options, renderer="svg").classes("w-full").props("role=img")
        else:
            self._chart.options.clear()
            self._chart.options.update(options)
            self._chart.update()
        self._chart.style(f"height: {height_rem(preview.skills):.1f}rem")
        self._chart.props["aria-label"] = in_words(preview.skills)

    def _hide(self) -> None:
        self._warnings.clear()
        self._chart_place.set_visibility(False)
        self._table.set_visibility(False)
